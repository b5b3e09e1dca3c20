"""Detections held against the objects that are there: matching, precision, recall, thresholds.

A detection is a peak with a score; an object is a box of the kind sought; and images without any
object count, for false alarms are made there too. Objects of other kinds are left out of the table
of objects: a detection on one is a false alarm like any other.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.detection.box_tables import box_faults
from livewell.detection.tables import (
    DetectionArrays,
    Images,
    detection_faults,
    listed_images,
    numbers,
    object_faults,
)
from livewell.errors import SpecError, TableError
from livewell.tables.schemas import BOX


@dataclass(frozen=True, slots=True)
class Counts:
    """Objects sought that are found, what was found wrongly, and objects missed."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """Share of what is found that is right; NaN where nothing is found."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the objects sought that are found; NaN where there is none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)


@dataclass(frozen=True, slots=True)
class DetectionCounts(Counts):
    """Detections and objects at one threshold, over so many images."""

    images: int

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN only where there is neither detection nor object."""
        found = 2 * self.true_positives
        return _share(found, found + self.false_positives + self.false_negatives)

    @property
    def false_positives_per_image(self) -> float:
        """Wrong detections over all images."""
        return self.false_positives / self.images


@dataclass(frozen=True, slots=True)
class CoveredCounts(Counts):
    """Objects of the kind sought that are covered or not (true positives, false negatives).

    Objects of other kinds that are covered are false positives, those that are not true negatives.
    """

    true_negatives: int

    @property
    def objects(self) -> int:
        """All of them."""
        covered = self.true_positives + self.false_positives
        return covered + self.false_negatives + self.true_negatives

    @property
    def accuracy(self) -> float:
        """Share of all objects that are covered or not as they should; NaN where there is none."""
        return _share(self.true_positives + self.true_negatives, self.objects)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def matched(detections: pd.DataFrame, objects: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Detections with whether each is right and which object it found.

    Within an image detections are gone through from the highest score, equal ones in the order of
    their rows. One is right where its peak lies in a box that none before has claimed, and claims
    it; where it lies in several it claims the one whose centre is nearest, in units of that box's
    height and width. So an object has at most one right detection, every further one on it is
    wrong, and what is right above a threshold does not depend on what lies below. Where boxes
    overlap this may find fewer objects than the best pairing would.

    Parameters
    ----------
    detections
        Columns `livewell.detection.tables.DETECTIONS`; others are kept.
    objects
        Columns `box_tables.COLUMNS`, objects of the kind sought only, with an index
        of different whole numbers.

    Returns
    -------
    DataFrame
        The rows of `detections` in their order, with the columns right (bool) and object (label of
        the object in the index of `objects`, -1 where there is none).
    """
    listed = listed_images(images)
    faults = detection_faults(detections, listed)
    faults += object_faults(objects, listed) + box_faults(objects)
    if faults:
        raise TableError("detections and objects that cannot be matched", faults)
    corners = objects[BOX].to_numpy(float)
    first, beyond = corners[:, :2], corners[:, 2:]
    inside_of = objects.groupby(objects["image"].astype("str")).indices
    claimed = np.zeros(len(objects), dtype=bool)
    found = np.full(len(detections), -1)
    peaks = np.column_stack([numbers(detections[name]) for name in ("y", "x")])
    names = detections["image"].astype("str").tolist()
    for row in np.argsort(-numbers(detections["score"]), kind="stable"):
        here = inside_of.get(names[row])
        if here is None:
            continue
        inside = ((first[here] <= peaks[row]) & (peaks[row] < beyond[here])).all(axis=1)
        free = here[inside & ~claimed[here]]
        if len(free):
            off = (peaks[row] - (first[free] + beyond[free]) / 2) / (beyond[free] - first[free])
            nearest = free[np.argmin((off**2).sum(axis=1))]
            claimed[nearest], found[row] = True, nearest
    label = np.append(objects.index.to_numpy(dtype=np.int64), -1)
    return detections.assign(right=found >= 0, object=label[found])


def counts_at(
    matched: pd.DataFrame, objects: pd.DataFrame, images: Images, threshold: float
) -> DetectionCounts:
    """Right and wrong detections of at least a threshold, and objects missed, over all images.

    `matched` is what `matched` gave, `objects` and `images` what it was given; a threshold of
    infinity calls nothing.
    """
    check_threshold(threshold)
    judged = DetectionArrays.of(matched, objects, images)
    called = judged.score >= threshold
    true = int((called & judged.right).sum())
    return DetectionCounts(true, int(called.sum()) - true, judged.objects - true, len(judged.group))


def precision_recall_curve(
    matched: pd.DataFrame, objects: pd.DataFrame, images: Images
) -> pd.DataFrame:
    """Precision and recall at every score as threshold, over all images; parameters as `counts_at`.

    One row a different score, from the highest: threshold, precision, recall, f1, true_positives,
    false_positives. No row where there is no detection; recall is NaN where there is no object.
    Recall never falls from row to row.
    """
    judged = DetectionArrays.of(matched, objects, images)
    order = np.argsort(-judged.score, kind="stable")
    score, right = judged.score[order], judged.right[order]
    # the last one of each run of equal scores
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)[: len(score)])
    called = last + 1.0
    true = np.cumsum(right)[last].astype(float)
    unknown = np.full(len(last), np.nan)
    recall = true / judged.objects if judged.objects else unknown
    return pd.DataFrame(
        {
            "threshold": score[last],
            "precision": true / called,
            "recall": recall,
            "f1": 2 * true / (called + judged.objects),
            "true_positives": true.astype(np.int64),
            "false_positives": (called - true).astype(np.int64),
        }
    )


def best_threshold(matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> float:
    """The threshold with the highest F1; for validation images only, never for those of a test.

    Of equally good ones the highest. It lies midway between the lowest score that it calls and the
    next one below, and at that lowest score itself where there is none below. Infinity, which calls
    nothing, where no detection is right. Parameters as `precision_recall_curve`.
    """
    curve = precision_recall_curve(matched, objects, images)
    if not curve["true_positives"].any():
        return math.inf
    scores = curve["threshold"].to_numpy(float)
    best = int(np.argmax(curve["f1"].to_numpy(float)))
    lowest = float(scores[best])
    if best + 1 == len(scores):
        return lowest
    below = float(scores[best + 1])
    middle = below / 2 + lowest / 2
    return middle if below < middle <= lowest else lowest  # neighbouring floats have no middle


def check_threshold(threshold: float) -> None:
    """Refuse NaN, which no score can be held against."""
    if math.isnan(threshold):
        raise SpecError("no threshold", where="threshold", expected="a score", got="NaN")
