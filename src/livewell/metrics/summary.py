"""All figures of an evaluation at once, of any number of classes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.metrics.figures import per_group
from livewell.metrics.images import by_image, verdict_figures
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import class_estimates, class_groups, headline_estimates
from livewell.metrics.outcomes import outcomes
from livewell.metrics.rules import ImageRule
from livewell.metrics.virtual_batches import paper_interval
from livewell.tables.schemas import score_columns

FIGURES = (
    "roc_auc",
    "within_auc",
    "average_precision",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "brier",
    "prevalence_auc",
    "calibration_error",
)
"""Figures of two classes."""
OF_PROBABILITIES = ("brier", "calibration_error")
"""Those that mean nothing where p is no probability."""


@dataclass(frozen=True, slots=True)
class EvaluationFigures:
    """Figures of scored regions of unseen groups.

    Parameters
    ----------
    together
        Of the positive class of two, or of all classes together; verdicts on whole images where
        each holds one class.
    headline
        Name of the one that counts most: the area within groups where most groups hold several
        classes, for no plate can flatter it; else the pooled area.
    each
        Of three or more classes, of each against the rest.
    paper
        Accuracy of two classes with the interval of DeadNet's paper, over virtual batches.
    """

    together: dict[str, Estimate]
    headline: str
    each: dict[str, dict[str, Estimate]] = field(default_factory=dict)
    paper: Estimate | None = None

    def as_json(self, rivals: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
        """All of them, and those of simple rules by name, as plain values."""
        return {
            "headline": self.headline,
            "figures": _plain(self.together),
            "each": {name: _plain(found) for name, found in self.each.items()},
            "baselines": {name: _plain(found) for name, found in rivals.items()},
            "virtual_batches": self.paper and asdict(self.paper),
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Those that are defined, as a card has them."""
        rows = [{"name": name, **figure} for name, figure in _plain(self.together).items()]
        return [row for row in rows if not np.isnan(row["value"])]


def group_figures(scores: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """One row a group, as `per_group` of two classes and `class_groups` of more."""
    if classes.binary:
        return per_group(outcomes(scores, classes))
    return class_groups(scores, classes)


def _plain(figures: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(figure) for name, figure in figures.items()}


def evaluation_figures(
    scores: pd.DataFrame,
    classes: ClassNames,
    rules: Mapping[int, ImageRule],
    *,
    patches: bool,
    min_each: int,
    seed: int,
    probable: bool = True,
) -> EvaluationFigures:
    """Figures of scores (`schemas.SCORES`) by models that never saw their groups.

    `rules` for verdicts on images are by fold; `patches` says whether patches were scored, for the
    paper's interval is of these; `probable` whether p is a probability; `min_each` is as in
    `livewell.metrics.figures.within_auc`.
    """
    each: dict[str, dict[str, Estimate]] = {}
    if classes.binary:
        names = [name for name in FIGURES if probable or name not in OF_PROBABILITIES]
        found = headline_estimates(scores, classes, seed=seed, names=names, min_each=min_each)
    else:
        every = class_estimates(scores, classes, seed=seed, min_each=min_each)
        found, each = every.together, every.each
    if np.isnan(found["within_auc"].value):
        # every group holds one class, as wells of a dose do: the group's name is the label
        found.pop("prevalence_auc", None)
    headline = headline_of(found, scores["group"].nunique())
    found |= _verdicts(scores, rules, classes, seed)
    paper = None
    if classes.binary and patches:
        table = outcomes(scores, classes)
        paper = paper_interval(table["y"], table["called"], seed=seed)
    return EvaluationFigures(found, headline, each, paper)


def headline_of(figures: Mapping[str, Estimate], groups: int) -> str:
    """Which area counts most: see `EvaluationFigures`."""
    within = figures["within_auc"]
    several = not np.isnan(within.value) and 2 * within.groups >= groups
    return "within_auc" if several else "roc_auc"


def _verdicts(
    scores: pd.DataFrame, rules: Mapping[int, ImageRule], classes: ClassNames, seed: int
) -> dict[str, Estimate]:
    """Figures of the verdicts on whole images; none where images hold several classes."""
    images = by_image(scores, classes)
    shares = images.filter(regex="^(positive_share$|true_)")
    if ((shares > 0) & (shares < 1)).to_numpy().any():
        return {}
    means = images[[f"mean_{name}" for name in score_columns(classes, "logit")]].to_numpy(float)
    logits = np.column_stack([np.zeros(len(means)), means]) if classes.binary else means
    verdicts = []
    for fold, mean in zip(images["fold"], logits, strict=True):
        rule = rules[int(fold)]
        verdicts.append(rule.verdict_of(rule.probabilities(mean)))
    return verdict_figures(images.assign(verdict=verdicts), classes, seed=seed)
