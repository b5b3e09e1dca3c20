"""Figures of merit as functions of the groups' weights, many weightings at once.

Own code, though scikit-learn has each of them: one call there takes milliseconds and sorts the rows
anew, so 2,000 resamples of nine figures take minutes. Here rows are sorted or summed once. A
figure itself comes from `livewell.metrics.figures`, only its resamples from here; tests hold
both alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from livewell.metrics import figures as metrics
from livewell.metrics.figures import Figure
from livewell.metrics.outcomes import ClassOutcomes, Floats, Outcomes, equal_mass_bins
from livewell.metrics.resampling import Weigh

D = TypeVar("D", Outcomes, ClassOutcomes)
Area = Callable[[Floats, Floats, Floats], Floats]
"""From running sums of right and wrong weight, both (levels, resamples), and the groups' weights,
(groups, resamples), to a value of every resample."""
BINS = 10
"""Bins of equal mass in which calibration is measured."""
_CELLS = 2_000_000
_LEVELS = 20_000


@dataclass(frozen=True, slots=True)
class Statistic(Generic[D]):
    """A figure of merit in [0, 1] that can be taken under any weights of the groups.

    Parameters
    ----------
    name
        As in `livewell.metrics.figures.FIGURES` where it stands there.
    rests_on
        Counts the groups that it rests on: all, those that hold the class in question, or, for
        figures of both classes, those of the scarcer class.
    figure
        The figure of the outcomes, every group once.
    prepare
        Makes the function of the weights from the outcomes.
    inflated
        Whether chance makes it too high, and a resample by as much again.
    """

    name: str
    rests_on: Callable[[D], int]
    figure: Callable[[D], Figure]
    prepare: Callable[[D], Weigh]
    inflated: bool = False


def within_auc(min_each: int = 1) -> Statistic[Outcomes]:
    """Mean area under the ROC curve within groups, see `livewell.metrics.figures.within_auc`."""

    def areas_of(data: Outcomes) -> Floats:
        found = metrics.group_areas(data.frame(), min_each)
        return found.reindex(list(data.names)).to_numpy(float)

    def rests_on(data: Outcomes) -> int:
        return int(np.isfinite(areas_of(data)).sum())

    def prepare(data: Outcomes) -> Weigh:
        areas = areas_of(data)
        return ratio(np.nan_to_num(areas), np.isfinite(areas).astype(float))

    figure = partial(metrics.within_auc, min_each=min_each)
    return Statistic("within_auc", rests_on, _of_frame(figure), prepare)


def once(weigh: Weigh, groups: int) -> float:
    """The value where each of so many groups weighs 1."""
    return float(weigh(np.ones((1, groups)))[0])


def groups_of(data: Outcomes | ClassOutcomes) -> int:
    """Number of all groups, for figures that rest on them."""
    return len(data.names)


def over(above: Floats, below: Floats) -> Floats:
    """Quotients; NaN where the divisor is 0."""
    unknown: Floats = np.full(len(above), np.nan)
    return np.divide(above, below, out=unknown, where=below > 0)


def ratio(above: Floats, below: Floats) -> Weigh:
    """Share of a total over the groups in another, both shape (groups,)."""
    return lambda weights: over(weights @ above, weights @ below)


def curve(
    level: NDArray[np.int64],
    code: NDArray[np.int64],
    right: NDArray[np.generic],
    groups: int,
    area: Area,
) -> Weigh:
    """An area under a curve, from running sums of right and wrong weight over rising levels.

    `level` is the number of every row's level, `code` that of its group, `right` is 0 or 1.
    """
    shape = int(level.max(initial=0)) + 1, groups

    def counts(rows: Floats) -> csr_array:
        return csr_array(coo_array((rows, (level, code)), shape=shape))

    true, false = counts(right.astype(float)), counts(1 - right.astype(float))
    at_once = max(1, _CELLS // shape[0])

    def weigh(weights: Floats) -> Floats:
        found = []
        for start in range(0, len(weights), at_once):
            some = np.ascontiguousarray(weights[start : start + at_once].T)
            found.append(area(np.cumsum(true @ some, 0), np.cumsum(false @ some, 0), some))
        return np.concatenate(found)

    return weigh


def precision_sum(true: Floats, false: Floats) -> Floats:
    """Precision at every right call, summed: average precision times the number of objects."""
    called = true + false
    precision = np.divide(true, called, out=np.zeros_like(true), where=called > 0)
    return np.asarray((precision * np.diff(true, axis=0, prepend=0)).sum(axis=0))


def _of_frame(figure: Callable[[pd.DataFrame], Figure]) -> Callable[[Outcomes], Figure]:
    return lambda data: figure(data.frame())


def _holders(truth: int, data: Outcomes) -> int:
    return int(data.held[truth].sum())


def _scarcer(data: Outcomes) -> int:
    return int(data.held.sum(axis=1).min())


def _callers(data: Outcomes) -> int:
    return int((data.sums(data.called) > 0).sum())


def _right(among: int | None, data: Outcomes) -> Weigh:
    """Share of right calls among patches of one class, or of all."""
    counts = np.ones(len(data.y)) if among is None else (data.y == among).astype(float)
    return ratio(data.sums(counts * (data.y == data.called)), data.sums(counts))


def _balanced(data: Outcomes) -> Weigh:
    hit, passed = _right(1, data), _right(0, data)
    return lambda weights: (hit(weights) + passed(weights)) / 2


def _precision(data: Outcomes) -> Weigh:
    return ratio(data.sums(data.called * data.y), data.sums(data.called))


def _f1(data: Outcomes) -> Weigh:
    hits = data.sums(2.0 * data.called * data.y)
    return ratio(hits, data.sums(data.called + data.y))


def _brier(data: Outcomes) -> Weigh:
    return ratio(data.sums((data.p - data.y) ** 2), data.sums(np.ones(len(data.y))))


def _by_score(area: Area, data: Outcomes) -> Weigh:
    """An area over falling score.

    Above 20,000 different scores neighbours count as equal, which moves a resampled area by less
    than 1e-4.
    """
    levels, level = np.unique(-data.p, return_inverse=True)
    if len(levels) > _LEVELS:
        level = equal_mass_bins(-data.p, _LEVELS)
    return curve(level, data.code, data.y, len(data.names), area)


def _roc_area(true: Floats, false: Floats, _: Floats) -> Floats:
    # Trapezes between the ends of runs of equal scores: a tie counts half.
    before = np.vstack([np.zeros((1, true.shape[1])), true[:-1]])
    twice = ((true + before) * np.diff(false, axis=0, prepend=0)).sum(axis=0)
    return over(twice, 2 * true[-1] * false[-1])


def _mean_precision(true: Floats, false: Floats, _: Floats) -> Floats:
    # With no negative patch left the figure says nothing, as on the whole.
    return np.where(false[-1] > 0, over(precision_sum(true, false), true[-1]), np.nan)


def _prevalence(data: Outcomes) -> Weigh:
    share = data.sums(data.y) / data.sums(np.ones(len(data.y)))
    alike = Outcomes(data.y, share[data.code], data.called, data.code, data.names)
    return _by_score(_roc_area, alike)


def _calibration_error(data: Outcomes) -> Weigh:
    number = equal_mass_bins(data.p, BINS)
    gap = np.zeros((len(data.names), int(number.max()) + 1))
    np.add.at(gap, (data.code, number), data.p - data.y)
    total = data.sums(np.ones(len(data.y)))
    return lambda weights: over(np.abs(weights @ gap).sum(axis=1), weights @ total)


CALIBRATION_ERROR: Statistic[Outcomes] = Statistic(
    "calibration_error",
    groups_of,
    lambda data: Figure(once(_calibration_error(data), len(data.names))),
    _calibration_error,
    inflated=True,
)
"""Expected calibration error, see `livewell.metrics.calibration`; few patches make it too high."""

_PARTS: dict[str, tuple[Callable[[Outcomes], int], Callable[[Outcomes], Weigh]]] = {
    "accuracy": (groups_of, partial(_right, None)),
    "balanced_accuracy": (_scarcer, _balanced),
    "sensitivity": (partial(_holders, 1), partial(_right, 1)),
    "specificity": (partial(_holders, 0), partial(_right, 0)),
    "precision": (_callers, _precision),
    "f1": (partial(_holders, 1), _f1),
    "roc_auc": (_scarcer, partial(_by_score, _roc_area)),
    "average_precision": (_scarcer, partial(_by_score, _mean_precision)),
    "brier": (groups_of, _brier),
    "prevalence_auc": (_scarcer, _prevalence),
}
STATISTICS: dict[str, Statistic[Outcomes]] = {
    name: Statistic(name, rests_on, _of_frame(metrics.FIGURES[name]), prepare)
    for name, (rests_on, prepare) in _PARTS.items()
} | {"within_auc": within_auc(), "calibration_error": CALIBRATION_ERROR}
"""Every figure that `livewell.metrics.intervals` gives an interval, by name."""
