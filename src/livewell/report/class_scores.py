"""Scores of three or more classes: each against the rest, and which is taken for which."""

from dataclasses import replace

from livewell.classes import ClassNames
from livewell.metrics.multiclass import confusion as counted
from livewell.report.class_figures import roc_of_classes
from livewell.report.estimate import EstimateLike, short
from livewell.report.figures import estimates
from livewell.report.maps import confusion
from livewell.report.page import Section, Table
from livewell.report.results import EvaluationResults

COLUMNS = {
    "sensitivity": "recall",
    "precision": "precision",
    "roc_auc": "AUC against the rest",
    "average_precision": "average precision",
}
"""Columns of the table of classes, by names in `livewell.metrics.multiclass.EACH`."""


def class_scores(results: EvaluationResults) -> Section:
    """Figures over all classes, a table of the classes, confusion matrix and ROC curves."""
    words, scores, classes = results.words, results.scores, results.classes
    names = ["metric", "value (95% interval)", words.groups, "note"]
    rows = [(n, short(e), str(e.groups or ""), e.note) for n, e in results.estimates]
    matrix = counted(scores, classes)
    curves = roc_of_classes(scores, classes, _areas(results), words=words)
    drawn = confusion(matrix, list(matrix.index), list(matrix.columns), words=words)
    return Section(
        f"Scores on unseen {words.groups}",
        f"Intervals resample whole {words.groups}. Recall of a class is the share of its"
        f" {words.regions} that were called it, precision the share of those called it that are of"
        " it. Its AUC tells it from all other classes together; macro AUC is the mean over the"
        " classes, balanced accuracy the mean recall.",
        pictures=[
            replace(estimates(results.estimates), wide=True),
            curves,
            replace(drawn, wide=len(classes) > 4),
        ],
        tables=[_table_of_classes(results), Table(names, rows, align="lrrl")],
    )


def _areas(results: EvaluationResults) -> dict[str, EstimateLike]:
    return {name: each["roc_auc"] for name, each in results.each.items()}


def _table_of_classes(results: EvaluationResults) -> Table:
    classes, words = results.classes, results.words
    counts = results.scores["label"].astype("str").value_counts()
    held = results.scores.groupby("label")["group"].nunique()
    shown = [name for name in COLUMNS if all(name in each for each in results.each.values())]
    rows = [
        (
            name + _mark(classes, name),
            f"{int(counts.get(name, 0)):,}",
            str(int(held.get(name, 0))),
            *(short(results.each[name][figure]) for figure in shown),
        )
        for name in classes
        if name in results.each
    ]
    columns = ["class", words.regions, words.groups, *(COLUMNS[name] for name in shown)]
    return Table(columns, rows, "Each class against the rest, with 95% intervals.")


def _mark(classes: ClassNames, name: str) -> str:
    return " (sought)" if name == classes.positive else ""
