"""Figures of merit of any number of classes, each class against the rest and all together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from livewell.classes import ClassNames
from livewell.metrics.figures import Figure
from livewell.metrics.intervals import Estimate, estimate, estimates
from livewell.metrics.outcomes import ClassOutcomes, Outcomes, outcomes
from livewell.metrics.resampling import Weigh, draws
from livewell.metrics.weighted import (
    CALIBRATION_ERROR,
    STATISTICS,
    Statistic,
    groups_of,
    once,
    ratio,
    within_auc,
)

EACH = ("sensitivity", "precision", "roc_auc", "average_precision")
"""Figures of each class against the rest; sensitivity is also called recall."""
MACRO = ("balanced_accuracy", "roc_auc", "within_auc")
"""Figures that are means over the classes."""


@dataclass(frozen=True, slots=True)
class ClassEstimates:
    """Figures of all classes with intervals that resample whole groups, the same for all.

    Parameters
    ----------
    together
        By name: accuracy (share called rightly; unsure is not right), balanced_accuracy (mean
        recall), roc_auc and within_auc (means of the classes against the rest, pooled and within
        groups), calibration_error (of the most probable class), unsure (share left so) and, where
        any is, decided_accuracy (share of right ones among the others). For two classes accuracy,
        balanced accuracy and areas are those of `livewell.metrics.figures`.
    each
        By name of the class, then by `EACH`.
    """

    together: dict[str, Estimate]
    each: dict[str, dict[str, Estimate]]


def class_estimates(
    scores: pd.DataFrame,
    classes: ClassNames,
    *,
    seed: int,
    min_each: int = 1,
    resamples: int = 2000,
) -> ClassEstimates:
    """All figures of any number of classes with their intervals, from `schemas.SCORES`.

    `min_each` is as in `livewell.metrics.figures.within_auc`, for a class and for the rest.
    """
    data = ClassOutcomes.of(scores, classes)
    weights = draws(data.held, seed, resamples)
    chosen = class_statistics(min_each)
    if (data.called < 0).any():
        chosen["decided_accuracy"] = _share(
            "decided_accuracy", lambda d: d.called == d.y, lambda d: d.called >= 0
        )
    together = {name: estimate(data, s, weights) for name, s in chosen.items()}
    absent = [name for name, held in zip(classes, data.held, strict=True) if not held.any()]
    if absent and len(absent) < len(classes) - 1:
        left_out = f"no patch of {', '.join(absent)}: mean of the other classes"
        for name in MACRO:
            note = "; ".join(filter(None, [together[name].note, left_out]))
            together[name] = replace(together[name], note=note)
    each = {
        name: {figure: estimate(rest, STATISTICS[figure], weights) for figure in EACH}
        for name, rest in zip(classes, data.each, strict=True)
    }
    return ClassEstimates(together, each)


def class_statistics(min_each: int = 1) -> dict[str, Statistic[ClassOutcomes]]:
    """Figures of all classes together, by their names in `ClassEstimates`."""
    return {
        "roc_auc": macro(STATISTICS["roc_auc"]),
        "within_auc": macro(within_auc(min_each)),
        "accuracy": ACCURACY,
        "balanced_accuracy": macro(STATISTICS["sensitivity"]),
        "calibration_error": CERTAINTY_ERROR,
        "unsure": _share("unsure", lambda d: d.called < 0),
    }


def headline_estimates(
    scores: pd.DataFrame,
    classes: ClassNames,
    *,
    seed: int,
    names: Iterable[str] = tuple(STATISTICS),
    min_each: int = 1,
) -> dict[str, Estimate]:
    """Figures with intervals: of the positive class of two, of all classes together of more.

    Of more than two classes `names` are taken as far as they are defined for all together.
    """
    if classes.binary:
        table = outcomes(scores, classes)
        return estimates(table, seed=seed, names=names, min_each=min_each)
    every = class_estimates(scores, classes, seed=seed, min_each=min_each).together
    wanted = {*names, "unsure", "decided_accuracy"}
    return {name: found for name, found in every.items() if name in wanted}


def right_share(
    group: ArrayLike, y: ArrayLike, called: ArrayLike, classes: int, *, seed: int
) -> Estimate:
    """Share of right calls with its interval, where there are calls and no probabilities.

    `y` and `called` are the numbers of the true and of the called class, shape (images,).
    """
    numbers = {"y": np.asarray(y, dtype=int), "called": np.asarray(called, dtype=int)}
    table = pd.DataFrame({"group": np.asarray(group).astype(str), "p": 0.5})
    data = ClassOutcomes(
        tuple(
            Outcomes.of(table.assign(**{k: (v == code).astype(int) for k, v in numbers.items()}))
            for code in range(classes)
        )
    )
    return estimate(data, ACCURACY, draws(data.held, seed))


def macro(statistic: Statistic[Outcomes]) -> Statistic[ClassOutcomes]:
    """Mean over the classes of a figure of each class against the rest.

    Classes for which the figure is not defined, as those without a patch, are left out; with fewer
    than two left there is no mean.
    """

    def kept(data: ClassOutcomes) -> list[tuple[Outcomes, Figure]]:
        figures = ((rest, statistic.figure(rest)) for rest in data.each)
        return [(rest, figure) for rest, figure in figures if np.isfinite(figure.value)]

    def rests_on(data: ClassOutcomes) -> int:
        return min((statistic.rests_on(rest) for rest, _ in kept(data)), default=0)

    def figure(data: ClassOutcomes) -> Figure:
        found = kept(data)
        if len(found) < 2:
            reasons = {statistic.figure(rest).reason for rest in data.each} - {""}
            return Figure(float("nan"), "; ".join(sorted(reasons)))
        return Figure(float(np.mean([figure.value for _, figure in found])))

    def prepare(data: ClassOutcomes) -> Weigh:
        parts = [statistic.prepare(rest) for rest, _ in kept(data)]
        if len(parts) < 2:
            return lambda weights: np.full(len(weights), np.nan)
        return lambda weights: np.asarray(np.mean([part(weights) for part in parts], axis=0))

    return Statistic(f"macro_{statistic.name}", rests_on, figure, prepare, statistic.inflated)


def confusion(scores: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """Patches by true class (rows) and called class (columns), in the order of the classes.

    There is a last column ``unsure`` where any patch was left so.
    """
    called = scores["called"].to_numpy(int)
    columns = [*range(len(classes)), *([-1] if (called < 0).any() else [])]
    counts = np.zeros((len(classes), len(columns)), dtype=np.int64)
    # -1 counts from the end: the last column
    np.add.at(counts, (classes.codes(scores["label"]), called), 1)
    return pd.DataFrame(
        counts,
        index=pd.Index(list(classes), name="true"),
        columns=pd.Index([classes.called(code) for code in columns], name="called"),
    )


def class_groups(scores: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """One row a group: group, patches, ``true_<class>``, unsure (all counts), and accuracy."""
    true, called = classes.codes(scores["label"]), scores["called"].to_numpy(int)
    columns = {f"true_{name}": true == code for code, name in enumerate(classes)}
    columns |= {"unsure": called < 0, "accuracy": called == true}
    groups = pd.DataFrame(columns).groupby(scores["group"].astype("str").to_numpy())
    sums = groups.sum().astype("int64").assign(accuracy=groups["accuracy"].mean())
    sums.insert(0, "patches", groups.size())
    return sums.rename_axis("group").reset_index()


def _share(
    name: str,
    those: Callable[[ClassOutcomes], NDArray[np.bool_]],
    among: Callable[[ClassOutcomes], NDArray[np.bool_]] = lambda d: np.ones(len(d.y), bool),
) -> Statistic[ClassOutcomes]:
    """Share of patches, among all or some."""

    def prepare(data: ClassOutcomes) -> Weigh:
        return ratio(data.sums(those(data) & among(data)), data.sums(among(data)))

    def figure(data: ClassOutcomes) -> Figure:
        value = once(prepare(data), len(data.names))
        return Figure(value, "" if among(data).any() else "no patch is decided")

    return Statistic(name, groups_of, figure, prepare)


ACCURACY = _share("accuracy", lambda d: d.called == d.y)
"""Share of patches called rightly; an unsure one is not."""
CERTAINTY_ERROR: Statistic[ClassOutcomes] = Statistic(
    "calibration_error",
    groups_of,
    lambda data: CALIBRATION_ERROR.figure(data.most_probable()),
    lambda data: CALIBRATION_ERROR.prepare(data.most_probable()),
    inflated=True,
)
"""Calibration error of the most probable class."""
