"""What a page calls the things that it speaks of, and how it says figures."""

import math
from dataclasses import dataclass

from livewell.metrics.intervals import Estimate
from livewell.text import several

PATCH = "patch"
MOST_NAMED = 6
"""Of more classes than this a headline says the number, not the names."""
Named = tuple[str, Estimate]
METRIC_NAMES = {
    "roc_auc": "AUC",
    "within_auc": "AUC within one {group}",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "average_precision": "average precision",
    "brier": "Brier score (0 is best)",
    "calibration_error": "calibration error (0 is best)",
    "verdicts_right": "right of all (unsure is not right)",
    "pictures_decided": "images with a verdict",
    "pictures_right": "right among these",
    "precision": "precision",
    "f1": "F1",
    "unsure": "left unsure",
    "decided_accuracy": "accuracy among the others",
    "virtual_batches": "balanced accuracy over virtual batches",
    "prevalence_auc": "AUC of knowing only the {group}",
}
"""How figures are called in reports, by their names in `livewell.metrics.figures`."""
MACRO_NAMES = {
    "roc_auc": "macro AUC",
    "within_auc": "macro AUC within one {group}",
    "calibration_error": "top-class calibration error (0 is best)",
}
"""Other names where there are three or more classes."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Nouns of one page, in the singular.

    A region is what the net sees and scores: patch, frame, or image where every image has one
    frame. A group is never split: well, experiment, position.
    """

    region: str = PATCH
    group: str = "well"

    @property
    def regions(self) -> str:
        """Many regions."""
        return several(self.region)

    @property
    def groups(self) -> str:
        """Many groups."""
        return several(self.group)


PATCHES = Vocabulary()
"""The words of a page on patches of wells."""


def metric_name(name: str, group: str = "group", *, macro: bool = False) -> str:
    """What reports call a figure of `livewell.metrics`; a name that is not known stays.

    `macro`: areas are means over three or more classes.
    """
    spoken = METRIC_NAMES | (MACRO_NAMES if macro else {})
    return spoken[name].format(group=group) if name in spoken else name


def has_interval(estimate: Estimate) -> bool:
    """Whether both ends of the interval are numbers."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high)


def short(estimate: Estimate) -> str:
    """``0.96 (0.92-0.99)``, or without brackets where there is no interval."""
    if not math.isfinite(estimate.value):
        return "not defined"
    text = f"{estimate.value:.2f}"
    return f"{text} ({span(estimate)})" if has_interval(estimate) else text


def span(estimate: Estimate) -> str:
    """The interval as ``0.92-0.99``; with a word between where an end is below zero."""
    between = "-" if min(estimate.low, estimate.high) >= 0 else " to "
    return f"{estimate.low:.2f}{between}{estimate.high:.2f}"
