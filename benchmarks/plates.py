"""Plates of wells with a known effect of light: what tests and curves are judged on."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from livewell.plate import Plate

Effect = Literal["none", "threshold", "smooth"]


@dataclass(frozen=True, slots=True)
class PlateSpec:
    """What a plate is like.

    Parameters
    ----------
    effect
        ``none``; ``threshold``: nothing up to `threshold_s`, then a rise with ``1 - exp(-(d - t) /
        rise_s)``; ``smooth``: log-logistic with `ed50_s` and `slope`.
    lower, upper
        Mean fraction called sick without light (false positives) and where light harms all.
    doses_s
        Doses, seconds of light, 0 among them.
    patches
        Least and greatest number of patches a well, both included.
    correlation
        Of two patches of one well, in [0, 1): a well's own fraction is beta distributed with
        variance ``correlation * m * (1 - m)``.
    """

    effect: Effect = "smooth"
    lower: float = 0.08
    upper: float = 0.9
    ed50_s: float = 35.0
    slope: float = 2.5
    threshold_s: float = 15.0
    rise_s: float = 20.0
    doses_s: tuple[float, ...] = (0.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
    wells: int = 8
    patches: tuple[int, int] = (24, 60)
    correlation: float = 0.05

    def mean(self, doses_s: ArrayLike) -> NDArray[np.float64]:
        """True mean fraction at every dose, shape as `doses_s`."""
        dose = np.asarray(doses_s, dtype=float)
        if self.effect == "none":
            gone = np.zeros_like(dose)
        elif self.effect == "threshold":
            gone = -np.expm1(-np.maximum(dose - self.threshold_s, 0) / self.rise_s)
        else:
            with np.errstate(divide="ignore"):
                gone = 1 / (1 + (self.ed50_s / dose) ** self.slope)
        return np.asarray(self.lower + (self.upper - self.lower) * gone)

    def effective_s(self, share: float) -> float:
        """Dose at which a share in (0, 1) of the way to `upper` is gone; NaN without an effect."""
        if self.effect == "none" or self.lower == self.upper:
            return math.nan
        if self.effect == "threshold":
            return self.threshold_s - self.rise_s * math.log1p(-share)
        return float(self.ed50_s * (share / (1 - share)) ** (1 / self.slope))


KINDS = {
    "threshold": PlateSpec("threshold"),
    "smooth": PlateSpec("smooth"),
    "none": PlateSpec("none"),
    "too few": PlateSpec("smooth", wells=2),
}
"""Plates by name."""


def simulate_plate(spec: PlateSpec, seed: int) -> pd.DataFrame:
    """One row a well of a plate: well (a row of the plate is a dose), dose (s), positive, patches.

    Its ``attrs`` hold effect, means (true mean fraction by dose), ed10 and ed50 (true doses,
    seconds; NaN without an effect).
    """
    rng = np.random.default_rng(seed)
    dose = np.repeat(np.sort(spec.doses_s), spec.wells)
    patches = rng.integers(spec.patches[0], spec.patches[1] + 1, len(dose))
    share = _shares(spec.mean(dose), spec.correlation, rng)
    plate = Plate(len(spec.doses_s), spec.wells)
    table = pd.DataFrame(
        {
            "well": [str(well) for well in plate.wells()],
            "dose": dose,
            "positive": rng.binomial(patches, share),
            "patches": patches,
        }
    )
    table.attrs["effect"] = spec.effect
    table.attrs["means"] = {float(each): float(spec.mean(each)) for each in np.sort(spec.doses_s)}
    table.attrs |= {"ed10": spec.effective_s(0.1), "ed50": spec.effective_s(0.5)}
    return table


def at_margin(margin: float) -> PlateSpec:
    """A plate with one dose whose true difference from the control is the margin."""
    base = PlateSpec("threshold", threshold_s=0.0, rise_s=1e-3, doses_s=(0.0, 10.0))
    return replace(base, upper=base.lower + margin)


def _shares(
    mean: NDArray[np.float64], correlation: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Every well's own fraction, beta distributed around its mean."""
    if correlation == 0:
        return mean
    scale = 1 / correlation - 1
    share = rng.beta(np.maximum(mean * scale, 1e-9), np.maximum((1 - mean) * scale, 1e-9))
    return np.asarray(np.where((mean > 0) & (mean < 1), share, mean))
