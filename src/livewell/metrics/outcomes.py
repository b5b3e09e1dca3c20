"""Scored patches beside their truth: the table that every figure is taken from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import Fault, SpecError, TableError
from livewell.tables.schemas import score_columns

Floats = NDArray[np.float64]

COLUMNS = ["group", "y", "p", "called"]
"""Columns of an outcomes frame: group (text), truth 0/1, probability of 1, verdict 0/1."""


def outcomes(scores: pd.DataFrame, classes: ClassNames, sought: str | None = None) -> pd.DataFrame:
    """Scores of one class against the rest: columns y, p and called (0/1) of the class sought.

    Parameters
    ----------
    scores
        `schemas.SCORES`; every further column is kept.
    classes
        Classes of the model that made the scores.
    sought
        The class that counts as positive, the positive one of `classes` where ``None``. A patch
        that was left unsure was not called it.

    Raises
    ------
    LabelError
        A label that is none of the classes.
    SpecError
        `sought` is none of them, or not given where they have no positive one.
    TableError
        The column of the class's probability is missing.
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
    if chance not in scores:
        text = f"probability of {sought}, needed to score"
        raise TableError("not a table of scores", [Fault("missing-column", chance, text)])
    return found.assign(p=scores[chance], called=(scores["called"] == code).astype("int64"))


def chances(scores: pd.DataFrame, classes: ClassNames) -> Floats:
    """Probability of every class in a table of scores, shape (patches, classes)."""
    p = scores[score_columns(classes, "p")].to_numpy(float)
    return np.column_stack([1 - p, p]) if classes.binary else p


def checked(scores: pd.DataFrame) -> pd.DataFrame:
    """The columns `COLUMNS` of an outcomes frame in plain number types.

    Raises
    ------
    TableError
        A column is missing or empty, y or called is not 0/1, or p is outside [0, 1].
    """
    faults = [
        Fault("missing-column", name, "needed to score") for name in COLUMNS if name not in scores
    ]
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

    Parameters
    ----------
    y, p, called
        Truth, probability and verdict of every patch, shape (patches,).
    code, names
        Number of every patch's group, shape (patches,), and the groups' names in that order.
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

    def holders(self, truth: int) -> NDArray[np.bool_]:
        """Whether each group holds patches of that truth, shape (groups,)."""
        return np.asarray(self.sums(self.y == truth) > 0)

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether each group holds patches of either class, negative first, shape (2, groups)."""
        return np.stack([self.holders(0), self.holders(1)])

    def frame(self) -> pd.DataFrame:
        """Back as a frame."""
        names = np.array(self.names)[self.code]
        return pd.DataFrame({"group": names, "y": self.y, "p": self.p, "called": self.called})


def equal_mass_bins(p: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Number of the bin of every probability, bins of equal mass; equal values share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    found = np.searchsorted(edges, p, side="left")
    return np.unique(found, return_inverse=True)[1].astype(np.int64)
