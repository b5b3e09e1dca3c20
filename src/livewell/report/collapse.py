"""Answers of many classes read as answers to a coarser question, on the page of an evaluation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from livewell.errors import LabelError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.collapse import Question
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import confusion as counted
from livewell.metrics.multiclass import headline_estimates
from livewell.report.evaluation import words_of
from livewell.report.maps import confusion
from livewell.report.page import Section, Table
from livewell.report.vocabulary import metric_name, short
from livewell.splitting.design_rows import question_of
from livewell.tables.faults import listed

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
    question: Question

    @classmethod
    def of(cls, tested: EvaluationSet, asked: str) -> "Collapse":
        """The question ``COLUMN`` or, of two values, ``COLUMN=POSITIVE``, of all classes.

        Raises
        ------
        SpecError, LabelError
            No such column, and as `livewell.metrics.collapse.Question.asked`; a class without
            images.
        """
        column, _, positive = asked.partition("=")
        question = question_of(tested.patches, tested.study.fields(), column, positive or None)
        without = sorted(set(tested.classes) - set(question.into))
        if without:
            raise LabelError(
                "classes without images, of which nobody knows what they become",
                where="--collapse",
                got=listed(without),
            )
        return cls(column, question)

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
        table, classes = self.question.of(scores, tested.classes)
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
            self.question.into,
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
