"""Figures of designs: of several trainings together, and over the hours before death."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.metrics.collapse import Question
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.multiclass import headline_estimates
from livewell.metrics.outcomes import outcomes

NAMES = ("accuracy", "balanced_accuracy", "roc_auc", "sensitivity", "specificity")
"""Figures of every row."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """One figure of several trainings, as papers print it: mean and standard deviation, and best.

    The deviation says how far trainings with other seeds differ on the same test regions. It is not
    how far new groups would.
    """

    each: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean; NaN of none."""
        return float(np.mean(self.each)) if self.each else float("nan")

    @property
    def sd(self) -> float:
        """Standard deviation of a sample; NaN of fewer than two."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 else float("nan")

    @property
    def best(self) -> float:
        """The highest."""
        return max(self.each, default=float("nan"))

    def __str__(self) -> str:
        if not np.isfinite(self.mean):
            return ""
        spread = f" ± {100 * self.sd:.2f}" if len(self.each) > 1 else ""
        return f"{100 * self.mean:.2f}{spread}%"


@dataclass(frozen=True, slots=True)
class RowKey:
    """What a row of a design's tables is of, and at which hour, dose or number of groups."""

    design: str
    name: str
    x: float = float("nan")


@dataclass(frozen=True, slots=True)
class DesignRow:
    """Figures of one row: accuracies by training, and figures with intervals over groups.

    Parameters
    ----------
    classes
        Those that the figures are of.
    validation, test
        Accuracy of every training. That of validation is of groups that training, calibration and
        thresholds were chosen by.
    figures
        By name, of the test regions of all trainings together; intervals resample groups.
    regions, groups
        Number of test regions and groups.
    """

    key: RowKey
    classes: tuple[str, ...]
    validation: Repeated
    test: Repeated
    figures: dict[str, Estimate]
    regions: int
    groups: int

    @property
    def question(self) -> str:
        """What was told apart."""
        few = len(self.classes) <= 3
        return " or ".join(self.classes) if few else f"{len(self.classes)} classes"

    def flat(self) -> dict[str, Any]:
        """One row of a table."""
        found: dict[str, Any] = asdict(self.key) | {"question": self.question}
        for name, of in (("validation", self.validation), ("test", self.test)):
            found |= {f"{name}_mean": of.mean, f"{name}_sd": of.sd, f"{name}_best": of.best}
        for name in NAMES:
            if name in self.figures:
                one = self.figures[name]
                found |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
        note = next((one.note for one in self.figures.values() if one.note), "")
        sizes = {"trainings": len(self.test.each), "regions": self.regions, "groups": self.groups}
        return found | sizes | {"note": note}


def rows_of(
    key: RowKey,
    scores: pd.DataFrame,
    classes: ClassNames,
    validation: Sequence[float],
    question: Question | None,
    *,
    seed: int,
) -> list[DesignRow]:
    """The rows of some test regions: of their own classes, and of the question that is asked.

    Parameters
    ----------
    key
        What they are of.
    scores
        Of test regions (`schemas.SCORES`), with the column repeat, number of the training.
    classes
        Those that the models know; labels that are none can only be asked the question.
    validation
        Accuracy on validation regions, by training.
    question
        Coarser question, or none.
    seed
        Of resampling.
    """
    known = set(scores["label"]) <= set(classes.names)
    # of one line all classes may become one, and then there is nothing coarser to ask
    fits = question is not None and question.fits(scores, classes)
    asked = [(scores, classes)] if known and not (classes.binary and fits) else []
    if question is not None and fits:
        asked.append(question.of(scores, classes))
    return [
        # an accuracy of other classes than those tested would only mislead beside it
        _row(key, table, names, validation if len(names) == len(classes) else (), seed)
        for table, names in asked
    ]


def _row(
    key: RowKey,
    scores: pd.DataFrame,
    classes: ClassNames,
    validation: Sequence[float],
    seed: int,
) -> DesignRow:
    right = classes.codes(scores["label"]) == scores["called"].to_numpy(int)
    by_repeat = pd.Series(right.astype(float)).groupby(scores["repeat"].to_numpy()).mean()
    return DesignRow(
        key,
        classes.names,
        Repeated(tuple(validation)),
        Repeated(tuple(by_repeat)),
        headline_estimates(scores, classes, seed=seed, names=NAMES),
        int((scores["repeat"] == scores["repeat"].min()).sum()),
        int(scores["group"].nunique()),
    )


@dataclass(frozen=True, slots=True)
class LagFigure:
    """How well frames so many hours before death are told from those of survivors."""

    hours: int
    auc: Estimate
    dying: int
    alive: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Groups that it rests on, frames' regions of dying cells, and of survivors."""
        return self.auc.groups, self.dying, self.alive


def early_warning(
    scores: pd.DataFrame, classes: ClassNames, times: pd.DataFrame, *, seed: int
) -> Iterator[LagFigure]:
    """The area under the ROC curve by full hours before death, from the last hour on.

    Frames of survivors count at the hours after treatment at which dying ones of that lag were
    seen, so that time alone tells nothing.

    Parameters
    ----------
    scores
        Of frames before death, of two classes; the positive one dies.
    times
        Columns image, t, hours (after treatment), before_death (missing where nothing died).
    """
    keyed = times[["image", "t", "hours", "before_death"]].drop_duplicates(["image", "t"])
    table = outcomes(scores, classes).merge(keyed, on=["image", "t"])
    hour, lag = np.floor(table["hours"]), np.floor(table["before_death"])
    dying = (table["y"] == 1) & (table["before_death"] > 0)
    for at in sorted(lag[dying].unique()):
        sick = dying & (lag == at)
        well = (table["y"] == 0) & table["before_death"].isna() & hour.isin(hour[sick])
        if well.any():
            auc = cluster_interval(table[sick | well], "roc_auc", seed=seed)
            yield LagFigure(int(at), auc, int(sick.sum()), int(well.sum()))
