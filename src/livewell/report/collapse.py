"""Answers of many classes read as answers to a coarser question, on the page of an evaluation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from livewell.errors import LabelError, SpecError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.collapse import collapsed
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import confusion as counted
from livewell.metrics.multiclass import headline_estimates
from livewell.report.evaluation import words_of
from livewell.report.maps import confusion
from livewell.report.page import Section, Table
from livewell.report.vocabulary import metric_name, short
from livewell.tables.faults import column_faults, listed
from livewell.tables.schemas import as_text

FIGURES = (
    "roc_auc",
    "within_auc",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "calibration_error",
)
"""Figures of the coarser question, as far as they are defined for it."""


@dataclass(frozen=True, slots=True)
class CollapseCheck:
    """Figures of the coarser question, and which class became which; empty where not asked."""

    into: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Figures as plain values."""
        figures = {name: asdict(figure) for name, figure in self.figures.items()}
        return {"into": dict(self.into), "figures": figures} if self.into else {}


@dataclass(frozen=True, slots=True)
class Collapse:
    """A coarser question: every class becomes the value that its images have in a column."""

    column: str
    into: Mapping[str, str]
    positive: str | None

    @classmethod
    def of(cls, tested: EvaluationSet, asked: str) -> "Collapse":
        """The question ``COLUMN`` or, of two values, ``COLUMN=POSITIVE``.

        Raises
        ------
        SpecError
            No such column; fewer than two values; two, and none of them is said to be positive.
        LabelError
            Images of one class that have several values there, or none; a class without images.
        """
        column, _, positive = asked.partition("=")
        fields = tested.study.fields().set_index("image")
        if column_faults(fields, [column]):
            raise _refused(
                asked, "a column of the study", f"columns {', '.join(map(str, fields.columns))}"
            )
        values = tested.patches["image"].map(as_text(fields[column]))
        by_class = values.groupby(tested.patches["label"].astype("str"))
        found = {str(name): sorted(own.dropna().unique()) for name, own in by_class}
        wrong = {name: each for name in tested.classes if len(each := found.get(name, [])) != 1}
        if wrong:
            name, several = next(iter(wrong.items()))
            raise LabelError(
                f"not every class has one value in column {column}",
                where="--collapse",
                expected=f"images of each class, all with the same {column}",
                got=f"{listed(several)} for class {name}",
                remedy="name a column that the labels were made of",
            )
        into = {name: found[name][0] for name in tested.classes}
        names = sorted(set(into.values()))
        if len(names) < 2 or ((len(names) == 2 or positive) and positive not in names):
            named = " or ".join(f"{column}={name}" for name in names[:2])
            wanted = f"two values or more; of two the positive one, {named}"
            raise _refused(asked, wanted, listed(names))
        return cls(column, into, positive or None)

    def check(
        self,
        tested: EvaluationSet,
        scores: pd.DataFrame,
        figures: Mapping[str, Estimate],
        *,
        seed: int,
        min_each: int,
    ) -> CollapseCheck:
        """The question answered by scores, beside their own figures."""
        table, classes = collapsed(scores, tested.classes, self.into, self.positive)
        drawn = {"seed": seed, "min_each": min_each}
        every = headline_estimates(table, classes, names=FIGURES, **drawn)
        found = {
            name: each
            for name in FIGURES
            if name in every and (each := every[name]).value == each.value
        }
        words, matrix = words_of(tested), counted(table, classes)
        rows = [
            (
                metric_name(name, words.group, macro=not classes.binary),
                short(figures[name]) if name in figures else "",
                short(each),
            )
            for name, each in found.items()
        ]
        many = f"{len(tested.classes)} classes"
        return CollapseCheck(
            self.into,
            found,
            (
                Section(
                    f"The same answers by {self.column}",
                    f"Of each {words.region} the probabilities of classes with the same"
                    f" {self.column} are added up, and the {self.column} with the greatest sum is"
                    f" called: no threshold was chosen for this question, and no {words.region} is"
                    f" left unsure. Areas of the {many} are means of each against the rest.",
                    [confusion(matrix, list(classes), list(matrix.columns), words=words)],
                    [Table(("metric", many, f"by {self.column}"), rows, "", "lrr")],
                ),
            ),
        )


def _refused(asked: str, expected: str, got: str) -> SpecError:
    return SpecError(
        "not a question to collapse to", where=f"--collapse {asked}", expected=expected, got=got
    )
