"""Intervals of what is found and missed, by resampling whole groups of images.

Groups are drawn with replacement, those with objects and those without any apart; a group that is
the only one without objects is drawn with the others. Intervals are those of
`livewell.metrics.intervals.interval`. Of degrees of freedom there are at most as many as groups
with objects less one, so that many empty images make nothing look certain.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.detection.covered import COUNTS
from livewell.detection.froc import RATES
from livewell.detection.matching import check_threshold
from livewell.detection.tables import DetectionArrays, Images, listed_images
from livewell.errors import Fault, TableError
from livewell.metrics.intervals import Estimate, interval
from livewell.metrics.outcomes import Floats
from livewell.metrics.resampling import Weigh, draws, freedom
from livewell.metrics.weighted import curve, once, over, precision_sum, ratio
from livewell.text import few


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure under any weights of the groups, and what it rests on.

    `groups` is the number of groups that it rests on, `most` the most degrees of freedom that its
    spread can have, `reason` why it is not defined, if it is not.
    """

    weigh: Weigh
    groups: int
    most: float
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """The group of every image, by number, and whether each group holds objects.

    `held`, of shape (2, groups) with those without objects first, is what they are drawn by.
    """

    code: NDArray[np.int64]
    held: NDArray[np.bool_]

    @classmethod
    def of(cls, group: NDArray[np.str_], sought: NDArray[np.int64]) -> "_Groups":
        code, names = pd.factorize(group, sort=True)
        holds = np.bincount(code, sought, minlength=len(names)) > 0
        if (~holds).sum() == 1:
            holds[:] = True  # drawn from itself alone it would never vary
        return cls(code.astype(np.int64), np.stack([~holds, holds]))

    @property
    def count(self) -> int:
        return int(self.held.shape[1])

    def sums(self, values: NDArray[np.generic]) -> Floats:
        """Sum of a value of every image over each group."""
        sums = np.bincount(self.code, values.astype(float), minlength=self.count)
        return sums.astype(np.float64)

    def estimates(
        self, figures: dict[str, _Figure], seed: int, resamples: int
    ) -> dict[str, Estimate]:
        """Figures with intervals from the same resamples."""
        weights, found = draws(self.held, seed, resamples), {}
        for name, figure in figures.items():
            weigh = figure.weigh
            free = min(freedom(self.held, weigh, weights), figure.most)
            value, values = once(weigh, self.count), weigh(weights)
            found[name] = interval(value, values, figure.groups, free=free, reason=figure.reason)
        return found


def detection_estimates(
    matched: pd.DataFrame,
    objects: pd.DataFrame,
    images: Images,
    threshold: float,
    *,
    seed: int,
    resamples: int = 2000,
) -> dict[str, Estimate]:
    """Precision, recall and F1 at a threshold, and average precision, with intervals over groups.

    Recall, F1 and average precision rest on the groups with objects, precision on those with a
    detection of at least the threshold. Without a column group each image is a group. The threshold
    is chosen elsewhere: `livewell.detection.matching.best_threshold` of validation images. What is
    not defined is NaN and says why in its note.
    """
    check_threshold(threshold)
    judged = DetectionArrays.of(matched, objects, images)
    groups = _Groups.of(judged.group, judged.sought)
    called = judged.score >= threshold
    true, all_called = (
        groups.sums(np.bincount(judged.image[rows], minlength=len(judged.group)))
        for rows in (called & judged.right, called)
    )
    sought = groups.sums(judged.sought)
    holders, callers = int((sought > 0).sum()), int((all_called > 0).sum())
    nothing, none = "no detection reaches the threshold", "no object of the kind sought"
    bound = holders - 1 if holders else callers - 1
    average = _average_precision(judged, groups, sought)
    figures = {
        "precision": _Figure(ratio(true, all_called), callers, min(bound, callers - 1), nothing),
        "recall": _Figure(ratio(true, sought), holders, bound, none),
        "f1": _Figure(
            ratio(2 * true, all_called + sought), holders or callers, bound, f"{none}, {nothing}"
        ),
        "average_precision": _Figure(average, holders, bound, none),
    }
    return groups.estimates(figures, seed, resamples)


def _average_precision(judged: DetectionArrays, groups: _Groups, sought: Floats) -> Weigh:
    """Average precision under weights; scores are sorted once.

    Precision counts only where something right is called, so one level of the score for each such
    score is enough: what is wrong in between is counted at the next one below.
    """
    tops = np.unique(-judged.score[judged.right])
    level = np.searchsorted(tops, -judged.score, side="left")
    kept = level < len(tops)
    code = groups.code[judged.image]

    def area(true: Floats, false: Floats, weights: Floats) -> Floats:
        return over(precision_sum(true, false), sought @ weights)

    return curve(level[kept], code[kept], judged.right[kept], groups.count, area)


def froc_estimate(
    matched: pd.DataFrame,
    objects: pd.DataFrame,
    images: Images,
    *,
    seed: int,
    resamples: int = 2000,
) -> Estimate:
    """The score of `livewell.detection.froc.froc` with an interval over groups."""
    judged = DetectionArrays.of(matched, objects, images)
    groups = _Groups.of(judged.group, judged.sought)
    sought, number = groups.sums(judged.sought), groups.sums(np.ones(len(judged.group)))

    def sensitivity(true: Floats, false: Floats, weights: Floats) -> Floats:
        """Mean sensitivity at `RATES` false positives an image."""
        most = np.outer(number @ weights, RATES)
        last = [np.searchsorted(*each, side="right") for each in zip(false.T, most, strict=True)]
        reached = np.take_along_axis(np.pad(true.T, ((0, 0), (1, 0))), np.stack(last), axis=1)
        return over(reached.mean(axis=1), sought @ weights)

    level = np.unique(-judged.score, return_inverse=True)[1]
    weigh = curve(level, groups.code[judged.image], judged.right, groups.count, sensitivity)
    holders = int((sought > 0).sum())
    return interval(
        once(weigh, groups.count),
        weigh(draws(groups.held, seed, resamples)),
        holders,
        reason="no object of the kind sought",
    )


def table3_estimates(
    by_image: pd.DataFrame, images: Images, *, seed: int, resamples: int = 2000
) -> dict[str, Estimate]:
    """Accuracy, precision and recall of `livewell.detection.covered.table3_by_image`'s counts.

    Only groups with objects are drawn; images without counts say nothing. Accuracy rests on all of
    them, precision on those with a covered object, recall on those with an object of the kind
    sought. Undefined figures are NaN and say why in their note.
    """
    listed = listed_images(images).set_index("image")["group"]
    names = pd.Index(by_image.index.astype("str"))
    strange = names[~names.isin(listed.index)].tolist()
    if strange:
        text = f"{few(strange)}: not among the images judged"
        raise TableError("not counts of these images", [Fault("no-such-image", "index", text)])
    held = by_image[COUNTS].to_numpy(float).sum(axis=1) > 0
    if not held.any():
        why = Estimate(np.nan, np.nan, np.nan, 0, "undefined", "no object in a positive image")
        return dict.fromkeys(("accuracy", "precision", "recall"), why)
    groups = _Groups.of(listed[names[held]].to_numpy(str), np.ones(int(held.sum()), np.int64))
    true, false, missed, passed = (
        groups.sums(by_image.loc[held, name].to_numpy()) for name in COUNTS
    )

    def figure(above: Floats, below: Floats, reason: str) -> _Figure:
        count = int((below > 0).sum())
        return _Figure(ratio(above, below), count, count - 1, reason)

    figures = {
        "accuracy": figure(true + passed, true + false + missed + passed, ""),
        "precision": figure(true, true + false, "no object is covered"),
        "recall": figure(true, true + missed, "no object of the kind sought"),
    }
    return groups.estimates(figures, seed, resamples)
