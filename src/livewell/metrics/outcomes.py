"""Scored patches beside their truth: the table that every figure is taken from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import Fault, SpecError, TableError, missing_columns
from livewell.tables.schemas import score_columns

Floats = NDArray[np.float64]

COLUMNS = ["group", "y", "p", "called"]
"""Columns of an outcomes frame: group (text), truth 0/1, probability of 1, verdict 0/1."""


def outcomes(scores: pd.DataFrame, classes: ClassNames, sought: str | None = None) -> pd.DataFrame:
    """Scores (`schemas.SCORES`) with y, p and called (0/1) of one class against the rest.

    `sought` is the positive class of `classes` where ``None``. An unsure patch was not called it.
    """
    sought = sought or classes.positive
    if sought not in classes.names:
        raise SpecError(
            "no class is sought",
            where="sought",
            expected=" or ".join(classes),
            got=sought or "none, and none of the classes is the positive one",
        )
    code = classes.code(sought)
    found = scores.assign(y=(classes.codes(scores["label"]) == code).astype("int64"))
    if classes.binary:
        return found if code else found.assign(p=1 - scores["p"], called=1 - scores["called"])
    chance = score_columns(classes, "p")[code]
    if faults := missing_columns(scores, {chance: f"probability of {sought}, needed to score"}):
        raise TableError("not a table of scores", faults)
    return found.assign(p=scores[chance], called=(scores["called"] == code).astype("int64"))


def chances(scores: pd.DataFrame, classes: ClassNames) -> Floats:
    """Probability of every class in a table of scores, shape (patches, classes)."""
    p = scores[score_columns(classes, "p")].to_numpy(float)
    return np.column_stack([1 - p, p]) if classes.binary else p


def checked(scores: pd.DataFrame) -> pd.DataFrame:
    """The columns `COLUMNS` of an outcomes frame in plain number types, once nothing is wrong."""
    faults = missing_columns(scores, dict.fromkeys(COLUMNS, "needed to score"))
    for name in [name for name in COLUMNS if name in scores]:
        values = scores[name]
        if values.isna().any():
            faults.append(Fault("empty-value", name, f"{int(values.isna().sum())} rows are empty"))
        elif name in ("y", "called") and not values.isin([0, 1]).all():
            faults.append(Fault("wrong-value", name, "values other than 0 and 1"))
        elif name == "p" and not values.between(0, 1).all():
            faults.append(Fault("wrong-value", name, "probabilities outside [0, 1]"))
    if faults or scores.empty:
        raise TableError(
            "not a table of outcomes", faults or [Fault("empty", "rows", "there is none")]
        )
    kinds = {"group": "str", "y": "int64", "p": "float64", "called": "int64"}
    return scores[COLUMNS].astype(kinds).reset_index(drop=True)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Scored patches as arrays.

    `y`, `p` and `called` are truth, probability and verdict of every patch; `code` is the number of
    its group, `names` are the groups' names in that order.
    """

    y: NDArray[np.int64]
    p: Floats
    called: NDArray[np.int64]
    code: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, scores: pd.DataFrame) -> "Outcomes":
        """From a frame with the columns `COLUMNS`."""
        table = checked(scores)
        code, names = pd.factorize(table["group"], sort=True)
        y, called = table["y"].to_numpy(), table["called"].to_numpy()
        return cls(y, table["p"].to_numpy(), called, code.astype(np.int64), tuple(names))

    def sums(self, values: NDArray[np.generic]) -> Floats:
        """Sum of a value over every group's patches, shape (groups,)."""
        totals = np.bincount(self.code, values.astype(float), minlength=len(self.names))
        return totals.astype(np.float64)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether each group holds patches of either class, negative first, shape (2, groups)."""
        return np.stack([self.sums(self.y == truth) > 0 for truth in (0, 1)])

    def frame(self) -> pd.DataFrame:
        """Back as a frame."""
        names = np.array(self.names)[self.code]
        return pd.DataFrame({"group": names, "y": self.y, "p": self.p, "called": self.called})


@dataclass(frozen=True, slots=True, eq=False)
class ClassOutcomes:
    """Scored patches of any number of classes: `Outcomes` of `each` class against the rest."""

    each: tuple[Outcomes, ...]

    @classmethod
    def of(cls, scores: pd.DataFrame, classes: ClassNames) -> "ClassOutcomes":
        """From a table of scores (`schemas.SCORES`)."""
        return cls(tuple(Outcomes.of(outcomes(scores, classes, name)) for name in classes))

    @property
    def y(self) -> NDArray[np.int64]:
        """Number of the true class, shape (patches,)."""
        return np.asarray(np.stack([data.y for data in self.each]).argmax(axis=0))

    @property
    def p(self) -> Floats:
        """Probability of every class, shape (patches, classes)."""
        return np.stack([data.p for data in self.each], axis=1)

    @property
    def called(self) -> NDArray[np.int64]:
        """Number of the called class, -1 for unsure, shape (patches,)."""
        calls = np.stack([data.called for data in self.each])
        return np.where(calls.any(axis=0), calls.argmax(axis=0), -1)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups."""
        return self.each[0].names

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether each group holds patches of each class, shape (classes, groups)."""
        return np.stack([data.held[1] for data in self.each])

    def sums(self, values: NDArray[np.generic]) -> Floats:
        """Sum of a value over every group's patches, shape (groups,)."""
        return self.each[0].sums(values)

    def most_probable(self) -> Outcomes:
        """Whether the most probable class is the true one, and its probability."""
        p, first = self.p, self.each[0]
        right = (p.argmax(axis=1) == self.y).astype(np.int64)
        return Outcomes(right, p.max(axis=1), np.ones_like(right), first.code, first.names)


def equal_mass_bins(p: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Number of the bin of every probability, bins of equal mass; equal values share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    found = np.searchsorted(edges, p, side="left")
    return np.unique(found, return_inverse=True)[1].astype(np.int64)
