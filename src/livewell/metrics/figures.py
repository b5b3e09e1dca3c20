"""Figures of merit of scored patches; an undefined one is NaN and says why."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pandas as pd
from sklearn import metrics as sk

from livewell.metrics.outcomes import checked


@dataclass(frozen=True, slots=True)
class Figure:
    """A number; NaN with a reason where it is not defined."""

    value: float
    reason: str = ""

    def __float__(self) -> float:
        return self.value


def within_auc(scores: pd.DataFrame, min_each: int = 1) -> Figure:
    """Mean over groups of the area under the ROC curve within the group.

    Only groups with at least `min_each` patches of each class count, all of them alike.
    """
    areas = group_areas(checked(scores), min_each).dropna()
    if areas.empty:
        few = f" with at least {min_each} each" if min_each > 1 else ""
        return Figure(math.nan, f"no group holds both classes{few}")
    return Figure(float(areas.mean()))


def _one_class(table: pd.DataFrame) -> str:
    held = table["y"].unique()
    if len(held) > 1:
        return ""
    return f"every patch is of the {'positive' if held[0] else 'negative'} class"


def _prevalence_auc(table: pd.DataFrame) -> float:
    """The area of knowing only the group: a patch's score is the positive share of its group."""
    share = table.groupby("group")["y"].transform("mean")
    return float(sk.roc_auc_score(table["y"], share))


_DEFINED: dict[str, tuple[Callable[[pd.DataFrame], str], Callable[[pd.DataFrame], float]]] = {
    "accuracy": (lambda t: "", lambda t: sk.accuracy_score(t["y"], t["called"])),
    "balanced_accuracy": (_one_class, lambda t: sk.balanced_accuracy_score(t["y"], t["called"])),
    "sensitivity": (
        lambda t: "" if (t["y"] == 1).any() else "no positive patch",
        lambda t: sk.recall_score(t["y"], t["called"], pos_label=1),
    ),
    "specificity": (
        lambda t: "" if (t["y"] == 0).any() else "no negative patch",
        lambda t: sk.recall_score(t["y"], t["called"], pos_label=0),
    ),
    "precision": (
        lambda t: "" if (t["called"] == 1).any() else "no patch is called positive",
        lambda t: sk.precision_score(t["y"], t["called"]),
    ),
    "f1": (
        lambda t: "" if t[["y", "called"]].to_numpy().any() else "no positive patch",
        lambda t: sk.f1_score(t["y"], t["called"]),
    ),
    "roc_auc": (_one_class, lambda t: sk.roc_auc_score(t["y"], t["p"])),
    "average_precision": (_one_class, lambda t: sk.average_precision_score(t["y"], t["p"])),
    # Brier 1950; 0 is best
    "brier": (lambda t: "", lambda t: ((t["p"] - t["y"]) ** 2).mean()),
    # the plate-only line: a pooled area that does not exceed it shows nothing about single patches
    "prevalence_auc": (_one_class, _prevalence_auc),
}
"""By name why a figure is not defined, if it is not, and what it is of a checked table."""


def _figure(name: str, scores: pd.DataFrame) -> Figure:
    table = checked(scores)
    undefined, value = _DEFINED[name]
    reason = undefined(table)
    return Figure(math.nan, reason) if reason else Figure(float(value(table)))


FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    **{name: partial(_figure, name) for name in _DEFINED},
    "within_auc": within_auc,
}
"""Every figure by name; each takes an outcomes frame."""


def per_group(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group: group, patches, positives, called, mean_p, accuracy and three more.

    called is the number called positive; the three are sensitivity, specificity and auc, NaN where
    the group lacks a class.
    """
    table = checked(scores)
    right = table["y"] == table["called"]
    table = table.assign(
        right=right, hit=right.where(table["y"] == 1), passed=right.where(table["y"] == 0)
    ).astype({"right": float, "hit": float, "passed": float})
    rows = table.groupby("group").agg(
        patches=("y", "size"),
        positives=("y", "sum"),
        called=("called", "sum"),
        mean_p=("p", "mean"),
        accuracy=("right", "mean"),
        sensitivity=("hit", "mean"),
        specificity=("passed", "mean"),
    )
    return rows.assign(auc=group_areas(table)).reset_index()


def group_areas(table: pd.DataFrame, min_each: int = 1) -> pd.Series:
    """Area under the ROC curve within every group (index); NaN below `min_each` of a class.

    Own code: scikit-learn takes a millisecond a call, which thousands of groups make seconds. The
    area is the Mann-Whitney statistic over the number of pairs (Hanley and McNeil 1982).
    """
    ranks = table.groupby("group")["p"].rank()
    positive = table["y"] == 1
    parts = table.assign(rank=ranks.where(positive, 0.0)).groupby("group")
    n, total = parts["y"].sum().astype(float), parts["y"].size().astype(float)
    enough = (n >= max(min_each, 1)) & (total - n >= max(min_each, 1))
    pairs = (n * (total - n)).where(enough)
    return (parts["rank"].sum() - n * (n + 1) / 2) / pairs
