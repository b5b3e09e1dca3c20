"""Intervals of what is found and missed, by resampling whole groups of images."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from livewell.detection.covered import COUNTS
from livewell.detection.judged import Images, JudgedImages, listed_images
from livewell.detection.matching import check_threshold
from livewell.errors import Fault, TableError
from livewell.metrics.intervals import Estimate, interval
from livewell.metrics.outcomes import Floats, Outcomes
from livewell.metrics.resampling import draws, strata_of
from livewell.metrics.weighted import Weigh

_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure under any weights of the groups, and what it rests on.

    Parameters
    ----------
    weigh
        From weights, shape (resamples, groups), to values.
    groups
        Number of groups that it rests on.
    most
        Most degrees of freedom that its spread can have.
    reason
        Why it is not defined, if it is not.
    """

    weigh: Weigh
    groups: int
    most: float
    reason: str


def detection_estimates(
    matched: pd.DataFrame,
    objects: pd.DataFrame,
    images: Images,
    threshold: float,
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Precision, recall and F1 at a threshold, and average precision, with intervals over groups.

    Groups of images are drawn with replacement, those with objects and those without any apart; a
    group that is the only one without objects is drawn with the others. Intervals are those of
    `livewell.metrics.intervals.interval`: percentiles, Student's t below nine degrees of
    freedom, exact binomial over groups where a figure is 0 or 1, 0 to 1 where it rests on one
    group. Recall, F1 and average precision rest on the groups with objects, precision on those with
    a detection of at least the threshold; of degrees of freedom there are at most as many as
    groups with objects less one, so that many empty images make nothing look certain.

    Parameters
    ----------
    matched
        What `livewell.detection.matching.matched` gave.
    objects, images
        What it was given; images with the column group, for without it each image is a group.
    threshold
        Chosen elsewhere: `livewell.detection.matching.best_threshold` of validation images.
    seed, resamples
        Of the random draws.
    level
        Coverage, in (0, 1).

    Returns
    -------
    dict
        precision, recall, f1, average_precision; undefined ones are NaN and say why in their note.

    Raises
    ------
    SpecError
        The threshold is NaN, or a level or number of resamples out of range.
    TableError
        As in `livewell.detection.judged.JudgedImages.of`.
    """
    check_threshold(threshold)
    judged = JudgedImages.of(matched, objects, images)
    data = _drawn(judged.group, judged.sought)
    called = judged.score >= threshold
    true, all_called = (
        data.sums(np.bincount(judged.place[rows], minlength=len(judged.group)))
        for rows in (called & judged.right, called)
    )
    sought = data.sums(judged.sought)
    holders, callers = int((sought > 0).sum()), int((all_called > 0).sum())
    nothing, none = "no detection reaches the threshold", "no object of the kind sought"
    bound = holders - 1 if holders else callers - 1
    figures = {
        "precision": _Figure(_ratio(true, all_called), callers, min(bound, callers - 1), nothing),
        "recall": _Figure(_ratio(true, sought), holders, bound, none),
        "f1": _Figure(
            _ratio(2 * true, all_called + sought), holders or callers, bound, f"{none}, {nothing}"
        ),
        "average_precision": _Figure(
            _average_precision(judged, data, sought), holders, bound, none
        ),
    }
    weights = draws(data, seed, resamples)
    return {name: _estimate(figure, data, weights, level) for name, figure in figures.items()}


def table3_estimates(
    by_image: pd.DataFrame,
    images: Images,
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> dict[str, Estimate]:
    """Accuracy, precision and recall of the paper's measure, with intervals over groups.

    Only groups with objects are drawn. Accuracy rests on all of them, precision on those with a
    covered object, recall on those with an object of the kind sought.

    Parameters
    ----------
    by_image
        What `livewell.detection.covered.table3_by_image` gave.
    images
        See `livewell.detection.judged.Images`; images without counts say nothing.
    seed, resamples, level
        As in `detection_estimates`.

    Returns
    -------
    dict
        accuracy, precision, recall; undefined ones are NaN and say why in their note.

    Raises
    ------
    SpecError
        A level or number of resamples out of range.
    TableError
        Counts of images that are not listed, or faults of the images.
    """
    listed = listed_images(images).set_index("image")["group"]
    names = pd.Index(by_image.index.astype("str"))
    strange = names[~names.isin(listed.index)].tolist()
    if strange:
        text = f"{', '.join(strange[:5])}: not among the images judged"
        raise TableError("not counts of these images", [Fault("no-such-image", "index", text)])
    held = by_image[COUNTS].to_numpy(float).sum(axis=1) > 0
    if not held.any():
        why = Estimate(np.nan, np.nan, np.nan, 0, "undefined", "no object in a positive image")
        return dict.fromkeys(("accuracy", "precision", "recall"), why)
    data = _drawn(listed[names[held]].to_numpy(str), np.ones(int(held.sum()), np.int64))
    true, false, missed, passed = (
        data.sums(by_image.loc[held, name].to_numpy()) for name in COUNTS
    )

    def figure(above: Floats, below: Floats, reason: str) -> _Figure:
        groups = int((below > 0).sum())
        return _Figure(_ratio(above, below), groups, groups - 1, reason)

    figures = {
        "accuracy": figure(true + passed, true + false + missed + passed, ""),
        "precision": figure(true, true + false, "no object is covered"),
        "recall": figure(true, true + missed, "no object of the kind sought"),
    }
    weights = draws(data, seed, resamples)
    return {name: _estimate(found, data, weights, level) for name, found in figures.items()}


def _drawn(group: NDArray[np.str_], sought: NDArray[np.int64]) -> Outcomes:
    """One row an image; the class is whether its group holds objects, which groups are drawn by."""
    code, names = pd.factorize(pd.Series(group), sort=True)
    holds = np.bincount(code, sought, minlength=len(names)) > 0
    if (~holds).sum() == 1:
        holds[:] = True  # drawn from itself alone it would never vary
    table = pd.DataFrame({"group": group, "y": holds[code].astype(int), "p": 0.0, "called": 0})
    return Outcomes.of(table)


def _estimate(figure: _Figure, data: Outcomes, weights: Floats, level: float) -> Estimate:
    value = float(figure.weigh(np.ones((1, len(data.names))))[0])
    values = figure.weigh(weights)
    free = min(_freedom(data, figure.weigh, weights), figure.most)
    return interval(value, values, figure.groups, level, free=free, reason=figure.reason)


def _freedom(data: Outcomes, weigh: Weigh, weights: Floats) -> float:
    """Degrees of freedom of a spread that adds up from strata (Satterthwaite 1946)."""
    strata = strata_of(data)
    if min(len(members) for members in strata) < 2:
        return 0.0
    spreads = []
    for members in strata:
        alone = np.ones_like(weights)
        alone[:, members] = weights[:, members]
        values = weigh(alone)
        known = values[np.isfinite(values)]
        spreads.append((float(known.var()) if len(known) else 0.0, len(members) - 1))
    below = sum(spread**2 / free for spread, free in spreads)
    if below <= 0:
        return float(len(data.names) - len(strata))
    return sum(spread for spread, _ in spreads) ** 2 / below


def _average_precision(judged: JudgedImages, data: Outcomes, sought: Floats) -> Weigh:
    """Average precision under weights; scores are sorted once.

    Precision counts only where something right is called, so one level of the score for each such
    score is enough: what is wrong in between is counted at the next one below.
    """
    level = -judged.score
    tops = np.unique(level[judged.right])
    if not len(tops):
        return _ratio(np.zeros(len(sought)), sought)
    number = np.searchsorted(tops, level, side="left")
    group = data.code[judged.place]

    def counts(rows: NDArray[np.bool_]) -> csr_array:
        kept = rows & (number < len(tops))
        cells = np.ones(int(kept.sum())), (number[kept], group[kept])
        return csr_array(coo_array(cells, shape=(len(tops), len(data.names))))

    right, called = counts(judged.right), counts(np.ones(len(level), dtype=bool))
    at_once = max(1, _CELLS // len(tops))

    def weigh(weights: Floats) -> Floats:
        found = []
        for start in range(0, len(weights), at_once):
            some = np.ascontiguousarray(weights[start : start + at_once].T)
            new, all_called = right @ some, np.cumsum(called @ some, axis=0)
            true = np.cumsum(new, axis=0)
            precision = np.divide(true, all_called, out=np.zeros_like(true), where=all_called > 0)
            found.append((precision * new).sum(axis=0))
        return _over(np.concatenate(found), weights @ sought)

    return weigh


def _ratio(above: Floats, below: Floats) -> Weigh:
    return lambda weights: _over(weights @ above, weights @ below)


def _over(above: Floats, below: Floats) -> Floats:
    unknown: Floats = np.full(len(above), np.nan)
    return np.divide(above, below, out=unknown, where=below > 0)
