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
from livewell.detection.judged import (
    Images,
    JudgedImages,
    detection_faults,
    listed_images,
    numbers,
    object_faults,
)
from livewell.errors import SpecError, TableError
from livewell.tables.schemas import BOX

_CURVE = ["threshold", "precision", "recall", "f1", "true_positives", "false_positives"]


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Detections and objects at one threshold.

    Parameters
    ----------
    true_positives, false_positives
        Detections of at least the threshold that are right and that are wrong.
    false_negatives
        Objects without such a detection.
    images
        Number of images judged.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    images: int

    @property
    def precision(self) -> float:
        """Share of the detections that are right; NaN where there is none."""
        called = self.true_positives + self.false_positives
        return self.true_positives / called if called else math.nan

    @property
    def recall(self) -> float:
        """Share of the objects that are found; NaN where there is none."""
        objects = self.true_positives + self.false_negatives
        return self.true_positives / objects if objects else math.nan

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN only where there is neither detection nor object."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else math.nan

    @property
    def false_positives_per_image(self) -> float:
        """Wrong detections over all images."""
        return self.false_positives / self.images


def matched(detections: pd.DataFrame, objects: pd.DataFrame, images: Images) -> pd.DataFrame:
    """Detections with whether each is right and which object it found.

    Within an image detections are gone through from the surest, equal scores in the order of their
    rows. One is right where its peak lies in a box that no surer one has claimed, and claims it;
    where it lies in several it claims the one whose centre is nearest, in units of that box's
    height and width. So an object has at most one right detection, every further one on it is
    wrong, and what is right above a threshold does not depend on what lies below. Where boxes
    overlap this may find fewer objects than the best pairing would.

    Parameters
    ----------
    detections
        Columns `livewell.detection.judged.DETECTIONS`; others are kept.
    objects
        Columns `box_tables.COLUMNS`, objects of the kind sought only, with an index
        of different whole numbers.
    images
        All images judged, see `livewell.detection.judged.Images`.

    Returns
    -------
    DataFrame
        The rows of `detections` in their order, with the columns right (bool) and object (label of
        the object in the index of `objects`, -1 where there is none).

    Raises
    ------
    TableError
        Holding every fault: columns that are missing, empty or no numbers, images that were not
        judged, stand twice or have no group, boxes that cannot be, objects of several kinds.
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

    Parameters
    ----------
    matched
        What `matched` gave.
    objects, images
        What it was given.
    threshold
        A score; infinity calls nothing.

    Raises
    ------
    SpecError
        The threshold is NaN.
    TableError
        As in `livewell.detection.judged.JudgedImages.of`.
    """
    check_threshold(threshold)
    judged = JudgedImages.of(matched, objects, images)
    called = judged.score >= threshold
    true = int((called & judged.right).sum())
    return DetectionCounts(true, int(called.sum()) - true, judged.objects - true, len(judged.group))


def precision_recall_curve(
    matched: pd.DataFrame, objects: pd.DataFrame, images: Images
) -> pd.DataFrame:
    """Precision and recall at every score as threshold, over all images; parameters as `counts_at`.

    Returns
    -------
    DataFrame
        One row a different score, from the highest: threshold, precision, recall, f1,
        true_positives, false_positives. No row where there is no detection; recall is NaN where
        there is no object. Recall never falls from row to row.

    Raises
    ------
    TableError
        As in `livewell.detection.judged.JudgedImages.of`.
    """
    return _curve(JudgedImages.of(matched, objects, images))


def best_threshold(matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> float:
    """The threshold with the highest F1; for validation images only, never for those of a test.

    Of equally good ones the highest. It lies midway between the lowest score that it calls and the
    next one below, and at that lowest score itself where there is none below. Infinity, which calls
    nothing, where no detection is right. Parameters and errors as `precision_recall_curve`.
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
    """Refuse a threshold that no score can be held against.

    Raises
    ------
    SpecError
        It is NaN.
    """
    if math.isnan(threshold):
        raise SpecError("no threshold", where="threshold", expected="a score", got="NaN")


def _curve(judged: JudgedImages) -> pd.DataFrame:
    order = np.argsort(-judged.score, kind="stable")
    score, right = judged.score[order], judged.right[order]
    # the last one of each run of equal scores
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)[: len(score)])
    called = last + 1.0
    true = np.cumsum(right)[last].astype(float)
    unknown = np.full(len(last), np.nan)
    recall = true / judged.objects if judged.objects else unknown
    columns = (
        score[last],
        true / called,
        recall,
        2 * true / (called + judged.objects),
        true.astype(np.int64),
        (called - true).astype(np.int64),
    )
    return pd.DataFrame(dict(zip(_CURVE, columns, strict=True)))
