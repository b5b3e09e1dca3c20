"""Figures of merit of scored patches; an undefined one is NaN and says why."""

from dataclasses import dataclass

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


def accuracy(scores: pd.DataFrame) -> Figure:
    """Share of patches called rightly."""
    table = checked(scores)
    return Figure(float(sk.accuracy_score(table["y"], table["called"])))


def sensitivity(scores: pd.DataFrame) -> Figure:
    """Share of the positive patches that are called positive."""
    return _share_called(checked(scores), 1)


def specificity(scores: pd.DataFrame) -> Figure:
    """Share of the negative patches that are called negative."""
    return _share_called(checked(scores), 0)


def precision(scores: pd.DataFrame) -> Figure:
    """Share of the patches called positive that are positive."""
    table = checked(scores)
    rows = table[table["called"] == 1]
    if rows.empty:
        return Figure(float("nan"), "no patch is called positive")
    return Figure(float(rows["y"].mean()))


def balanced_accuracy(scores: pd.DataFrame) -> Figure:
    """Mean of sensitivity and specificity."""
    table = checked(scores)
    if reason := _one_class(table["y"]):
        return Figure(float("nan"), reason)
    return Figure(float(sk.balanced_accuracy_score(table["y"], table["called"])))


def roc_auc(scores: pd.DataFrame) -> Figure:
    """Area under the ROC curve of all patches together."""
    return _auc(checked(scores))


def within_auc(scores: pd.DataFrame, min_each: int = 1) -> Figure:
    """Mean over groups of the area under the ROC curve within the group.

    Parameters
    ----------
    scores
        Columns `livewell.metrics.outcomes.COLUMNS`.
    min_each
        Only groups with at least so many patches of each class count, all of them alike.
    """
    areas = group_areas(checked(scores), min_each).dropna()
    if areas.empty:
        few = f"no group holds both classes with at least {min_each} each"
        return Figure(float("nan"), few if min_each > 1 else "no group holds both classes")
    return Figure(float(areas.mean()))


def average_precision(scores: pd.DataFrame) -> Figure:
    """Average precision; a score that knows nothing gets the share of positive patches."""
    table = checked(scores)
    if reason := _one_class(table["y"]):
        return Figure(float("nan"), reason)
    return Figure(float(sk.average_precision_score(table["y"], table["p"])))


def brier(scores: pd.DataFrame) -> Figure:
    """Mean squared difference between probability and truth (Brier 1950); 0 is best."""
    table = checked(scores)
    return Figure(float(((table["p"] - table["y"]) ** 2).mean()))


def prevalence_auc(scores: pd.DataFrame) -> Figure:
    """Pooled area under the ROC curve of knowing only the group: the plate-only line.

    The score of a patch is the share of positive patches in its group; a pooled area that does not
    exceed this line shows nothing about single patches.
    """
    table = checked(scores)
    return _auc(table.assign(p=table.groupby("group")["y"].transform("mean")))


FIGURES = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "sensitivity": sensitivity,
    "specificity": specificity,
    "precision": precision,
    "roc_auc": roc_auc,
    "within_auc": within_auc,
    "average_precision": average_precision,
    "brier": brier,
    "prevalence_auc": prevalence_auc,
}
"""Every figure by name; each takes an outcomes frame."""


def per_group(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a group.

    Returns
    -------
    DataFrame
        group, patches, positives, called (patches called positive), mean_p, accuracy, sensitivity,
        specificity, auc; the last three NaN where the group lacks a class.
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


def _one_class(y: pd.Series) -> str:
    held = y.unique()
    if len(held) > 1:
        return ""
    return f"every patch is of the {'positive' if held[0] else 'negative'} class"


def _auc(table: pd.DataFrame) -> Figure:
    if reason := _one_class(table["y"]):
        return Figure(float("nan"), reason)
    return Figure(float(sk.roc_auc_score(table["y"], table["p"])))


def _share_called(table: pd.DataFrame, truth: int) -> Figure:
    rows = table[table["y"] == truth]
    if rows.empty:
        return Figure(float("nan"), f"no {'positive' if truth else 'negative'} patch")
    return Figure(float((rows["called"] == truth).mean()))
