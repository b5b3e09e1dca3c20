"""Verdicts against labels that stand in the names of files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.labels.by_words import words_in
from livewell.metrics.images import verdict_figures
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import confusion, right_share
from livewell.names import picture_of
from livewell.outputs.verdicts import LEARNT
from livewell.report import maps
from livewell.report.page import Section, Table
from livewell.report.vocabulary import Vocabulary, metric_name, short
from livewell.text import listed, plural

COUNTED = "counted"
APART = (
    "without a label in the name",
    "with labels of several classes in the name",
    "that the model learnt from",
    "with nothing to judge",
)
"""Why a verdict is not held against a name: it is no error, and no success."""
_WORDS = Vocabulary("image", "picture")


@dataclass(frozen=True)
class NamedVerdicts:
    """Verdicts beside the labels in names, and how often they agree; of nothing, empty.

    `table` has one row a verdict: image, t, picture (tiles and frames of one count as one group),
    label, verdict, use (`COUNTED` or one of `APART`).
    """

    classes: ClassNames
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    matrix: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def said(self) -> str:
        """What was counted, and what was not, in a sentence; empty where there are no names."""
        if self.table.empty:
            return ""
        uses = self.table["use"].value_counts()
        apart = [f"{uses[name]} {name}" for name in APART if name in uses]
        left = f"; not counted: {listed(apart)}" if apart else ""
        counted = int(uses.get(COUNTED, 0))
        if not counted:
            return f"No verdict can be held against the name of its file: {listed(apart)}."
        pictures = self.table.loc[self.table["use"] == COUNTED, "picture"].nunique()
        of = "" if pictures == counted else f" of {plural(pictures, 'picture')}"
        return f"{plural(counted, 'verdict')}{of} held against the label in the file's name{left}."

    def sections(self) -> list[Section]:
        """The confusion matrix and the figures, or what kept them from being made."""
        if self.table.empty:
            return []
        title = "Against the labels in file names"
        if self.matrix.empty:
            return [Section(title, self.said)]
        matrix = self.matrix
        most = matrix.sum(axis=1)
        alone = f"Always saying {most.idxmax()} would be right in {most.max() / most.sum():.0%}."
        rows = [
            (metric_name(name, "picture"), short(found), str(found.groups), found.note)
            for name, found in self.figures.items()
        ]
        figure = maps.confusion(matrix, list(matrix.index), list(matrix.columns), words=_WORDS)
        table = Table(("figure", "value (95% interval)", "pictures", "note"), rows, "", "lrrl")
        return [Section(title, f"{self.said} {alone}", [figure], [table])]


def check_words(words: Mapping[str, str] | None, classes: ClassNames) -> None:
    """Refuse words of classes that a model does not tell apart."""
    strange = sorted(set((words or {}).values()) - set(classes))
    if strange:
        raise SpecError(
            "words in file names mean classes that the model does not tell",
            where="words of labels",
            expected=f"classes {classes}",
            got=", ".join(strange),
            remedy="say which of the model's classes each word means, WORD=CLASS",
        )


def named_verdicts(
    verdicts: pd.DataFrame, words: Mapping[str, str] | None, classes: ClassNames, *, seed: int = 0
) -> NamedVerdicts:
    """Hold verdicts (``verdicts.csv``) against the classes of words in the names of their files.

    Names without a word, or with words of several classes, images that the model learnt from, and
    those with nothing to judge count neither as right nor as wrong; an unsure verdict is not right.
    Intervals resample pictures: tiles, frames of one image together.
    """
    if not words or verdicts.empty:
        return NamedVerdicts(classes)
    table = verdicts[["image", "t", "verdict"]].copy()
    images = table["image"].astype("str")
    found = {name: {words[word] for word in words_in(name, words)} for name in images.unique()}
    kinds = images.map(found)
    table["picture"] = images.map(picture_of)
    table["label"] = [next(iter(kind)) if len(kind) == 1 else "" for kind in kinds]
    table["use"] = COUNTED
    notes = verdicts["note"].fillna("")
    learnt = notes.map(lambda note: any(each in note for each in LEARNT.values()))
    none = kinds.map(len) == 0
    why = ((table["verdict"] == "nothing to judge"), learnt, kinds.map(len) > 1, none)
    for name, rows in zip(reversed(APART), why, strict=True):
        table.loc[rows.to_numpy(), "use"] = name
    table = table[["image", "t", "picture", "label", "verdict", "use"]]
    held = table[table["use"] == COUNTED]
    if held.empty:
        return NamedVerdicts(classes, table)
    codes = {name: code for code, name in enumerate(classes)}
    called = held["verdict"].map(codes).fillna(-1).astype(int)
    scores = held.assign(y=classes.codes(held["label"]), called=called, group=held["picture"])
    right = right_share(scores["group"], scores["y"], called, len(classes), seed=seed)
    figures = {"verdicts_right": right, **verdict_figures(scores, classes, seed=seed)}
    return NamedVerdicts(classes, table, figures, confusion(scores, classes))
