"""How the share of patches called sick rises with dose: a curve, and the doses of a partial effect.

The curve is the four-parameter log-logistic mean ``f(d) = lower + (upper - lower) g(d)`` with
``g(d) = 1 / (1 + (ED50 / d)^h)``, ``g(0) = 0``, ``0 <= lower <= upper <= 1`` and h > 0 (Ritz et al.
2015, PLoS ONE 10:e0146021). ED10 and ED50 are relative: doses at which 10% and 50% of the way from
the lower to the upper plateau are gone. A net's false positives and misses turn a true fraction q
into ``q (sensitivity + specificity - 1) + 1 - specificity``; that is a straight line, which moves
both plateaus and leaves the relative doses where they are.

Wells weigh alike; the variance of a well is ``phi f (1 - f)`` (quasi-binomial, McCullagh and Nelder
1989, section 4.5). The fit is a search over a grid of (log ED, log h), in which both plateaus
enter linearly and are found by weighted least squares at all points at once, so there is nothing
that may fail to converge. Intervals are those of the profile quasi-deviance.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from livewell.doses.wells import check_wells
from livewell.errors import SpecError
from livewell.metrics.intervals import LEVEL
from livewell.metrics.outcomes import Floats

PARAMETERS = 4
NO_RISE = "no rise with dose is shown"
FEW_DOSES = "a curve needs at least two doses beside the control"
FEW_WELLS = "a curve needs more than four wells"
BEYOND_LOW, BEYOND_HIGH = "reaches below the doses tested", "reaches beyond the doses tested"
"""Notes of an `EffectiveDose` or a `DoseResponse`."""

SLOPES = (0.3, 20.0)
"""Least and greatest slope h that are looked for; beyond 20 the curve is a step."""
_BEYOND = 30.0
_ROUNDS = 4
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class EffectiveDose:
    """The dose at which a share (0.1 for ED10) of the way from lower to upper plateau is gone.

    The dose and its interval are in the table's unit; `low` is 0 and `high` infinite where the
    interval is open. Without a rise the dose is NaN, from 0 to infinity. `note` is what a careful
    reader should know.
    """

    share: float
    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class DoseResponse:
    """A fitted curve.

    `lower` and `upper` are plateaus, shares of patches called sick, NaN where no curve can be
    fitted; `ed50` is the dose of half the way and `slope` is h, NaN without a rise. There is one
    `EffectiveDose` for each asked for, in that order. `note` says why there is no curve.
    """

    lower: float
    upper: float
    ed50: float
    slope: float
    effective: tuple[EffectiveDose, ...]
    note: str = ""

    @property
    def fitted(self) -> bool:
        """Whether there is a curve."""
        return not math.isnan(self.ed50)

    @property
    def doses(self) -> dict[float, EffectiveDose]:
        """`effective` by share."""
        return {found.share: found for found in self.effective}

    def curve(self, doses: ArrayLike) -> Floats:
        """Fitted mean fraction at every dose, shape as `doses`; constant where no rise is shown."""
        dose = np.asarray(doses, dtype=float)
        if not self.fitted:
            return np.full(dose.shape, self.lower)
        rise = _rise(dose, self.ed50, self.slope)
        return np.asarray(self.lower + (self.upper - self.lower) * rise)


def fit_dose_response(
    wells: pd.DataFrame, *, shares: tuple[float, ...] = (0.1, 0.5)
) -> DoseResponse:
    """Fit the curve of a table of wells, with intervals for the doses of a partial effect.

    There is a note, and no doses, where there are fewer than two doses beside the control, too few
    wells, or no rise: a rise is shown if its F test has p < 1 - `LEVEL`.

    An interval holds every ED whose profile quasi-deviance is within ``phi F(1, N - p; LEVEL)`` of
    the least, with p parameters; phi is the larger of Pearson's estimate at the fit and the pure
    error within doses. `shares` of the way between the plateaus, each in (0, 1), are those whose
    doses are wanted.
    """
    if not all(0 < share < 1 for share in shares):
        raise SpecError("no such share", where="shares", expected="in (0, 1)", got=str(shares))
    data = _Data.of(check_wells(wells))

    def without(mean: float, note: str) -> DoseResponse:
        open_ = (EffectiveDose(share, math.nan, 0.0, math.inf, note) for share in shares)
        return DoseResponse(mean, mean, math.nan, math.nan, tuple(open_), note)

    if len(data.dose) < 3 or data.wells <= PARAMETERS:
        return without(math.nan, FEW_DOSES if len(data.dose) < 3 else FEW_WELLS)
    best = _best(data)
    phi = _overdispersion(data, best)
    free = data.wells - PARAMETERS
    flat = float(_deviance(data, np.full(len(data.dose), data.mean)))
    ratio = max(flat - best.deviance, 0) / (PARAMETERS - 1) / phi
    p = float(stats.f.sf(ratio, PARAMETERS - 1, free))
    if p >= 1 - LEVEL or best.upper - best.lower < _TINY:
        return without(data.mean, NO_RISE)
    limit = best.deviance + phi * float(stats.f.ppf(LEVEL, 1, free))
    found = tuple(_share(data, best, share, limit) for share in shares)
    return DoseResponse(best.lower, best.upper, math.exp(best.log_ed), best.slope, found)


class _Data(NamedTuple):
    """Wells summed up by dose: all that mean and deviance need."""

    dose: Floats
    number: Floats
    fraction: Floats
    inverse: Floats
    squares: Floats
    entropy: float

    @classmethod
    def of(cls, table: pd.DataFrame) -> "_Data":
        fraction = table["fraction"].to_numpy(float)
        order = np.lexsort((fraction, table["dose"].to_numpy(float)))
        fraction, dose = fraction[order], table["dose"].to_numpy(float)[order]
        levels, code, count = np.unique(dose, return_inverse=True, return_counts=True)
        mean = np.bincount(code, fraction) / count
        inverse = np.bincount(code, 1 / table["patches"].to_numpy(float)[order]) / count
        squares = np.bincount(code, (fraction - mean[code]) ** 2).astype(float)
        f = np.clip(fraction, _TINY, 1 - _TINY)
        entropy = fraction * np.log(f) + (1 - fraction) * np.log(1 - f)
        return cls(levels, count.astype(float), mean, inverse, squares, float(entropy.sum()))

    def room(self, mean: Floats) -> Floats:
        """``m (1 - m)``, at least that of half a patch called otherwise in all wells of a dose.

        A fit of 0 or 1 would else have no variance, and one patch infinite weight.
        """
        edge = self.inverse / 2 / self.number
        m = np.clip(mean, edge, 1 - edge)
        return np.asarray(m * (1 - m))

    @property
    def wells(self) -> int:
        return int(self.number.sum())

    @property
    def mean(self) -> float:
        return float((self.number * self.fraction).sum() / self.wells)


class _Fit(NamedTuple):
    """One point of the grid with its plateaus."""

    log_ed: float
    slope: float
    lower: float
    upper: float
    deviance: float


def _deviance(data: _Data, mean: Floats) -> Floats:
    """Binomial quasi-deviance of one trial a well, summed over the last axis (doses)."""
    m = np.clip(mean, _TINY, 1 - _TINY)
    fit = data.fraction * np.log(m) + (1 - data.fraction) * np.log1p(-m)
    return np.asarray(2 * (data.entropy - (data.number * fit).sum(-1)))


def _rise(dose: Floats, ed50: Floats | float, slope: Floats | float) -> Floats:
    """g(d), 0 at dose 0."""
    with np.errstate(divide="ignore"):
        away = slope * (np.log(ed50) - np.log(dose))
    return np.asarray(1 / (1 + np.exp(np.minimum(away, 700))))


def _plateaus(data: _Data, g: Floats) -> tuple[Floats, Floats, Floats]:
    """Best lower and upper plateau of every curve, and the deviance; g has doses last."""
    weight = np.broadcast_to(data.number, g.shape)
    for _ in range(_ROUNDS):
        total = weight.sum(-1)
        mean_g = (weight * g).sum(-1) / total
        mean_y = (weight * data.fraction).sum(-1) / total
        centred = g - mean_g[..., None]
        spread = (weight * centred**2).sum(-1)
        rise = (weight * centred * data.fraction).sum(-1) / np.maximum(spread, 1e-300)
        rise = np.where(spread > 1e-12 * total, np.maximum(rise, 0), 0)
        lower = mean_y - rise * mean_g
        lower, upper = _bounded(weight, g, data.fraction, lower, lower + rise)
        mean = lower[..., None] + (upper - lower)[..., None] * g
        weight = data.number / data.room(mean)
    return lower, upper, _deviance(data, mean)


def _bounded(
    weight: Floats, g: Floats, y: Floats, lower: Floats, upper: Floats
) -> tuple[Floats, Floats]:
    """Plateaus within [0, 1]; where one is at its bound the other is fitted anew."""
    rest = 1 - g
    high = (weight * g * y).sum(-1) / np.maximum((weight * g**2).sum(-1), 1e-300)
    low = (weight * rest * (y - g)).sum(-1) / np.maximum((weight * rest**2).sum(-1), 1e-300)
    below, above = lower < 0, upper > 1
    new_upper = np.where(below, high, upper)
    new_lower = np.where(above & ~below, low, lower)
    lower = np.clip(np.where(below, 0, new_lower), 0, 1)
    upper = np.clip(np.where(above, 1, new_upper), 0, 1)
    return lower, np.maximum(lower, upper)


def _at(data: _Data, log_ed: Floats, slope: Floats, share: float) -> tuple[Floats, Floats, Floats]:
    """Plateaus and deviance where the dose of that share is ``exp(log_ed)``."""
    log_50 = log_ed - math.log(share / (1 - share)) / slope
    return _plateaus(data, _rise(data.dose, np.exp(log_50)[..., None], slope[..., None]))


def _span(data: _Data) -> tuple[float, float]:
    """Log doses between which an ED is looked for: far beyond those tested."""
    low, high = np.log(data.dose[1]), np.log(data.dose[-1])
    return float(low - math.log(_BEYOND)), float(high + math.log(_BEYOND))


def _best(data: _Data) -> _Fit:
    """The least deviance, on ever finer grids."""
    low, high = _span(data)
    ed, slope = np.linspace(low, high, 121), np.geomspace(*SLOPES, 41)
    for _ in range(5):
        lower, upper, deviance = _at(data, ed[:, None], slope[None], 0.5)
        i, j = divmod(int(np.argmin(deviance)), len(slope))
        best = (ed[i], slope[j], lower[i, j], upper[i, j], deviance[i, j])
        ed = np.linspace(ed[max(i - 1, 0)], ed[min(i + 1, len(ed) - 1)], 21)
        slope = np.geomspace(slope[max(j - 1, 0)], slope[min(j + 1, len(slope) - 1)], 21)
    return _Fit(*map(float, best))


def _overdispersion(data: _Data, best: _Fit) -> float:
    """The larger of Pearson's phi at the fit and the pure error within doses."""
    rise = _rise(data.dose, math.exp(best.log_ed), best.slope)
    mean = best.lower + (best.upper - best.lower) * rise
    about = data.squares + data.number * (data.fraction - mean) ** 2
    pearson = float((about / data.room(mean)).sum()) / (data.wells - PARAMETERS)
    free = data.wells - len(data.dose)
    pure = float((data.squares / data.room(data.fraction)).sum()) / free if free > 0 else 0.0
    return max(pearson, pure, _TINY)


def _share(data: _Data, best: _Fit, share: float, limit: float) -> EffectiveDose:
    """The dose of a share, and where its profile crosses `limit` on either side."""
    centre = best.log_ed + math.log(share / (1 - share)) / best.slope
    low, high = _span(data)
    low, high = min(low, centre - 1), max(high, centre + 1)
    ends = []
    for edge in (low, high):
        at = np.linspace(centre, edge, 61)
        # Beyond the outermost point within the limit: the profile may have more than one valley.
        last = int(max(np.flatnonzero(_profile(data, at, share) <= limit), default=0))
        if last == len(at) - 1:
            ends.append(0.0 if edge == low else math.inf)
            continue
        for _ in range(2):
            at = np.linspace(at[last], at[last + 1], 11)
            value = _profile(data, at, share)
            last = min(int(np.flatnonzero(np.append(True, value[1:] <= limit))[-1]), 9)
        gap = value[last + 1] - value[last]
        part = np.clip((limit - value[last]) / gap, 0, 1) if gap > 0 else 1.0
        ends.append(math.exp(float(at[last] + part * (at[last + 1] - at[last]))))
    notes = [BEYOND_LOW] if ends[0] < data.dose[1] else []
    notes += [BEYOND_HIGH] if ends[1] > data.dose[-1] else []
    return EffectiveDose(share, math.exp(centre), ends[0], ends[1], "; ".join(notes))


def _profile(data: _Data, at: Floats, share: float) -> Floats:
    """Least deviance over the slope, for every log dose of that share."""
    slope, row = np.broadcast_to(np.geomspace(*SLOPES, 61), (len(at), 61)), np.arange(len(at))
    for _ in range(2):
        best = np.argmin(_at(data, at[:, None], slope, share)[2], 1)
        left = slope[row, np.maximum(best - 1, 0)]
        right = slope[row, np.minimum(best + 1, slope.shape[1] - 1)]
        slope = np.geomspace(left, right, 9, axis=1)
    return np.asarray(_at(data, at[:, None], slope, share)[2].min(1))
