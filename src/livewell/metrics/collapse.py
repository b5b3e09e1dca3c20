"""Scores of many classes read as answers to a coarser question, such as treated or not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError
from livewell.metrics.outcomes import chances
from livewell.metrics.rules import RegionRule, scored
from livewell.tables.faults import listed
from livewell.tables.schemas import score_columns

LEAST = 1e-300
"""A probability of zero has no logarithm."""


@dataclass(frozen=True, slots=True)
class Question:
    """What many classes are asked: the new name of each, and which new one is sought."""

    into: Mapping[str, str]
    positive: str | None = None

    @classmethod
    def asked(
        cls, column: str, positive: str | None, labels: "pd.Series[str]", values: "pd.Series[str]"
    ) -> "Question":
        """What stands in a column, asked of classes that have one value each there.

        Parameters
        ----------
        column
            Its name.
        positive
            The value that is sought; of two one has to be.
        labels, values
            Class and value of the column, one a region.

        Raises
        ------
        SpecError
            Fewer than two values; two, and none of them is sought; a value that is none.
        LabelError
            Images of one class that have several values there, or none.
        """
        by_class = values.groupby(labels.astype("str"))
        found = {str(name): sorted(own.dropna().unique()) for name, own in by_class}
        torn = {name: each for name, each in found.items() if len(each) != 1}
        if torn:
            name, several = next(iter(torn.items()))
            raise LabelError(
                f"not every class has one value in column {column}",
                where="--collapse",
                expected=f"images of each class, all with the same {column}",
                got=f"{listed(several) if several else 'none'} for class {name}",
                remedy="name a column that the labels were made of",
            )
        into = {name: value for name, (value,) in found.items()}
        names = sorted(set(into.values()))
        if len(names) < 2 or ((len(names) == 2 or positive) and positive not in names):
            named = " or ".join(f"{column}={name}" for name in names[:2])
            raise SpecError(
                "not a question to collapse to",
                where=f"--collapse {column}" + (f"={positive}" if positive else ""),
                expected=f"two values or more, and of two which one is to be found: {named}",
                got=listed(names),
            )
        return cls(into, positive)

    def fits(self, scores: pd.DataFrame, classes: ClassNames) -> bool:
        """Whether these classes and labels become at least two, the sought one among them."""
        if not {*classes, *scores["label"].astype(str)} <= set(self.into):
            return False
        new = {self.into[name] for name in classes}
        told = {self.into[str(name)] for name in scores["label"].unique()}
        return len(new) > 1 and self.positive in (None, *new) and told <= new

    def of(self, scores: pd.DataFrame, classes: ClassNames) -> tuple[pd.DataFrame, ClassNames]:
        """Scores as answers to it, see `collapsed`."""
        return collapsed(scores, classes, self.into, self.positive)


def collapsed(
    scores: pd.DataFrame,
    classes: ClassNames,
    into: Mapping[str, str],
    positive: str | None = None,
) -> tuple[pd.DataFrame, ClassNames]:
    """Scores (`schemas.SCORES`) of some classes as scores of the fewer that these become.

    The probability of a new class is the sum of those of its old ones, and the most probable one is
    called, never unsure: of many classes none may be probable though some together are. Logits are
    those of these probabilities.

    Parameters
    ----------
    scores
        Their labels are among the keys of `into`, not necessarily among `classes`: a model that
        knows other cell lines can still be asked whether cells were treated.
    into
        New name of every class, and of every further label.
    positive
        Positive one of the new classes.

    Raises
    ------
    LabelError
        A class or a label has no new name.
    SpecError
        Fewer than two classes are left.
    """
    nameless = sorted({*classes, *scores["label"].astype(str)} - set(into))
    if nameless:
        raise LabelError(
            "classes that become no other class",
            expected="a new name for every class and label",
            got=f"none for {', '.join(nameless[:5])}",
        )
    new = classes.merged({name: into[name] for name in classes}, positive)
    member = np.array([[into[old] == name for name in new] for old in classes])
    logits = np.log(np.maximum(chances(scores, classes) @ member, LEAST))
    old = [*score_columns(classes, "logit"), *score_columns(classes, "p"), "called"]
    table = scores.drop(columns=old, errors="ignore").assign(label=scores["label"].map(dict(into)))
    rule = RegionRule(temperature=1.0, threshold=0.5 if new.binary else 0.0)
    return scored(table, logits, rule, new), new
