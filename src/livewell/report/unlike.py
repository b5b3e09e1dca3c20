"""Which test fields are unlike what their models learnt, and whether these are judged worse."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from livewell.classes import ClassNames
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.familiarity import field_distances
from livewell.inference.model import Model
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.outcomes import outcomes
from livewell.metrics.rules import UNLIKE
from livewell.report.page import Note, info, warn
from livewell.report.vocabulary import short

MANY = 0.1
"""More fields than this share beyond the limit are a warning."""


@dataclass(frozen=True, slots=True)
class UnlikeCheck:
    """What is known of test fields that are unlike what was learnt; empty where no model can tell.

    `fields` has one row a field: image, t, distance, unlike; `figures` are AUC of the
    regions of fields that are unlike (``auc_unlike``) and of the others (``auc_familiar``).
    """

    fields: pd.DataFrame | None = None
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Counts and figures as plain values; empty where no model can tell."""
        if self.fields is None:
            return {}
        known = {"fields": len(self.fields), "unlike": int(self.fields["unlike"].sum())}
        return known | {name: asdict(figure) for name, figure in self.figures.items()}


def unlike_check(
    tested: EvaluationSet, scores: pd.DataFrame, models: Mapping[int, Model], *, seed: int
) -> UnlikeCheck:
    """Hold the fields of scored regions against what the model of their fold learnt from."""
    parts = [
        field_distances(model.net, rule, scores[scores["fold"] == fold], tested.pixels)
        for fold, model in models.items()
        if (rule := model.card.familiarity_rule) is not None
    ]
    if not parts or not sum(map(len, parts)):
        return UnlikeCheck()
    fields = pd.concat(parts, ignore_index=True)
    regions = scores.merge(fields[["image", "t", "unlike"]], on=["image", "t"])
    figures = _figures(regions, tested.classes, seed)
    return UnlikeCheck(fields, figures, (_note(fields, figures),))


def _figures(regions: pd.DataFrame, classes: ClassNames, seed: int) -> dict[str, Estimate]:
    """AUC of the sought class; nothing where none is sought."""
    if classes.positive is None:
        return {}
    table = outcomes(regions, classes)
    return {
        f"auc_{name}": cluster_interval(table[table["unlike"] == unlike], "roc_auc", seed=seed)
        for name, unlike in (("unlike", True), ("familiar", False))
        if (table["unlike"] == unlike).any()
    }


def _note(fields: pd.DataFrame, figures: Mapping[str, Estimate]) -> Note:
    share = float(fields["unlike"].mean())
    said = f"{int(fields['unlike'].sum())} of {len(fields)} test fields are {UNLIKE}"
    if "auc_unlike" in figures:
        said += f": AUC {short(figures['auc_unlike'])}"
        if "auc_familiar" in figures:
            said += f", of the others {short(figures['auc_familiar'])}"
    expected = "Among fields of the kind that was learnt one in twenty is expected at most."
    return (warn if share > MANY else info)(f"{said}. {expected}")
