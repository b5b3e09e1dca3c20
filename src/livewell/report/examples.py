"""Examples for the page of an evaluation: surest calls, and labels that the net contradicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import pandas as pd

from livewell.classes import ClassNames
from livewell.detection.places import frame_names
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.metrics.outcomes import chances
from livewell.metrics.suspects import direction, labels_on_patches, suspects
from livewell.report.frame_figures import pictured
from livewell.report.marked import MarkedFrame
from livewell.report.page import Section
from livewell.report.results import Gallery
from livewell.report.suspects import SuspectsResults, suspects_section
from livewell.tables.schemas import KEY, regions_of
from livewell.text import chance

SHOWN, FRAMES_SHOWN = 12, 6
"""Patches in each gallery, and frames, which are larger."""
LISTED = 200
"""Longest list of suspects of each direction."""
FILE = "suspects.csv"
LONGEST = 44
"""Characters of a name below a picture; of a longer one the end is shown."""


@dataclass(frozen=True)
class Examples:
    """Examples of one run.

    Parameters
    ----------
    tested
        The run.
    models
        By fold, where its nets see whole frames: their places are marked; empty for patches.
    """

    tested: EvaluationSet
    models: Mapping[int, Model]

    @property
    def shown(self) -> int:
        """How many in each gallery."""
        return FRAMES_SHOWN if self.models else SHOWN

    @property
    def classes(self) -> ClassNames:
        """Classes of the run."""
        return self.tested.classes

    def calls(self, table: pd.DataFrame) -> list[Gallery]:
        """The surest patches or frames, right and wrong, at most two of one picture.

        What was left unsure in the scores (`schemas.SCORES`) is no call.
        """
        found, classes = [], self.classes
        y, called = classes.codes(table["label"]), table["called"].to_numpy(int)
        p = chances(table, classes)
        table = table.assign(y=y, sure=p.max(axis=1), decided=called)[called >= 0]
        if classes.binary:
            table = table.assign(sure=(table["p"] - 0.5).abs())
        right = table["decided"] == table["y"]
        each = max(self.shown // len(classes), 1)
        for name, rows in (("right", table[right]), ("wrong", table[~right])):
            rows = rows.loc[rows["sure"].sort_values(ascending=False).index]
            rows = rows[rows.groupby(["image", "y"]).cumcount() < 2]
            rows = pd.concat([rows[rows["y"] == y].head(each) for y in range(len(classes))])
            captions = [
                f"{said}\n{name}"
                for said, name in zip(self._said(rows), self._names(rows), strict=True)
            ]
            if not rows.empty:
                found.append(self._gallery(f"Surest {name} calls", rows, captions))
        return found

    def _said(self, rows: pd.DataFrame) -> list[str]:
        """True class and probability of the positive one; of three or more, of the called one."""
        classes = self.classes
        if classes.binary:
            return [
                f"{classes[y]}, p {chance(p, 2)}" for y, p in zip(rows["y"], rows["p"], strict=True)
            ]
        called = rows["decided"].to_numpy(int)
        p = chances(rows, classes)[range(len(rows)), called]
        return [
            f"{classes[y]}, p of {classes[code]} {chance(share, 2)}"
            for y, code, share in zip(rows["y"], called, p, strict=True)
        ]

    def _names(self, rows: pd.DataFrame) -> list[str]:
        """What stands below a picture: the group of a patch, the image and number of a frame."""
        named = frame_names(rows) if self.models else rows["group"].astype(str)
        return [name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}" for name in named]

    def suspects(self, table: pd.DataFrame) -> tuple[pd.DataFrame, Section]:
        """The list of suspects among scores, and its section of the page."""
        classes = self.classes
        every = suspects(table, classes)
        pictures, counts = [], {}
        for y, other in permutations(range(len(classes)), 2):
            name = direction(classes, y, other)
            rows = every[every["direction"] == name]
            if rows.empty and not classes.binary:
                continue
            counts[name] = len(rows)
            rows = rows.head(FRAMES_SHOWN).assign(y=y)
            captions = [
                f"{image}\n{'>99%' if sure >= 0.995 else f'{sure:.0%}'} sure of {classes[other]}"
                for image, sure in zip(rows["image"], rows["sure"], strict=True)
            ]
            if not rows.empty:
                made = self._gallery(name, rows, captions).picture()
                said = f"{name.capitalize()}. {made.caption}"
                pictures.append(replace(made, caption=said))
        run, folds = self.tested.run, self.tested.folds
        if run is not None:
            _, folds, _ = self.tested.study.split(run.spec.split)
        section = suspects_section(
            SuspectsResults(
                classes=classes,
                noun="patch" if labels_on_patches(table) else "image",
                contradicted=counts,
                scored=table["image"].nunique(),
                labelled=self.tested.patches["image"].nunique(),
                listed=LISTED,
                file=FILE,
                pictures=pictures,
                folds=self.tested.folds["fold"].nunique(),
                of_folds=folds["fold"].nunique(),
            )
        )
        return every[every["rank"] <= LISTED], section

    def _gallery(self, title: str, rows: pd.DataFrame, captions: Sequence[str]) -> Gallery:
        labels = [int(y) for y in rows["y"]]
        rows = rows.reset_index(drop=True)
        if not self.models:
            crop = self.tested.pixels.crop
            stack = [crop(key.image, key.t, key.box)[0] for key in regions_of(rows[KEY])]
            return Gallery(title, stack, captions, labels)
        drawn = pictured(self.tested, self.models, rows)
        frames = [
            MarkedFrame(drawn[row].grey, caption, label, places=drawn[row].places)
            for row, (caption, label) in enumerate(zip(captions, labels, strict=True))
        ]
        return Gallery(title, [], captions, labels, frames=frames)
