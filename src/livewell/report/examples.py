"""Examples: surest calls, labels that the net contradicts, patches that look most like a class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.detection.places import frame_names
from livewell.errors import LivewellError
from livewell.geometry import Box
from livewell.images.opening import Channels, open_image
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.frames import fit_to, read_field
from livewell.inference.model import Model
from livewell.inference.prediction import Prediction
from livewell.metrics.outcomes import chances
from livewell.metrics.suspects import direction, labels_on_patches, suspects
from livewell.models.files import Card
from livewell.report.galleries import MarkedFrame
from livewell.report.page import Picture, Section
from livewell.report.results import Gallery
from livewell.report.run_detections import pictured
from livewell.report.style import edges, tail
from livewell.tables.schemas import KEY, regions_of
from livewell.text import chance, printable, sentence, several

SHOWN, FRAMES_SHOWN = 12, 6
"""Patches in each gallery, and frames, which are larger."""
LISTED = 200
"""Longest list of suspects of each direction."""
FILE = "suspects.csv"
LONGEST = 44
"""Characters of a name below an image; of a longer one the end is shown."""
EXTREMES_SHOWN = 6
"""Patches that look most like a class, in each gallery."""


@dataclass(frozen=True)
class Examples:
    """Examples of one run; where nets see whole frames models (by fold) mark detections."""

    tested: EvaluationSet
    models: Mapping[int, Model]

    def calls(self, table: pd.DataFrame) -> list[Gallery]:
        """The surest patches or frames, right and wrong, at most two of one image.

        What was left unsure in the scores (`schemas.SCORES`) is no call.
        """
        found, classes = [], self.tested.classes
        y, called = classes.codes(table["label"]), table["called"].to_numpy(int)
        p = chances(table, classes)
        table = table.assign(y=y, sure=p.max(axis=1), decided=called)[called >= 0]
        if classes.binary:
            table = table.assign(sure=(table["p"] - 0.5).abs())
        right = table["decided"] == table["y"]
        each = max((FRAMES_SHOWN if self.models else SHOWN) // len(classes), 1)
        for name, rows in (("right", table[right]), ("wrong", table[~right])):
            rows = rows.loc[rows["sure"].sort_values(ascending=False).index]
            rows = rows[rows.groupby(["image", "y"]).cumcount() < 2]
            rows = pd.concat([rows[rows["y"] == y].head(each) for y in range(len(classes))])
            if not rows.empty:
                found.append(self._gallery(f"Surest {name} calls", rows, self._captions(rows)))
        return found

    def _captions(self, rows: pd.DataFrame) -> list[str]:
        """True class, p of the positive one, of more classes of the called one; what it is of.

        That is the group of a patch, the image and number of a frame.
        """
        classes = self.tested.classes
        said = [f"p {chance(p, 2)}" for p in rows["p"]] if classes.binary else []
        if not classes.binary:
            called = rows["decided"].to_numpy(int)
            p = chances(rows, classes)[range(len(rows)), called]
            pairs = zip(called, p, strict=True)
            said = [f"p of {classes[code]} {chance(share, 2)}" for code, share in pairs]
        names = frame_names(rows) if self.models else rows["group"].astype(str)
        return [
            f"{classes[y]}, {text}\n{tail(name, LONGEST)}"
            for y, text, name in zip(rows["y"], said, names, strict=True)
        ]

    def suspects(self, table: pd.DataFrame) -> tuple[pd.DataFrame, Section]:
        """The list of suspects among scores, and its section of the page."""
        classes = self.tested.classes
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
                f"{printable(image)}\n"
                f"{'>99%' if sure >= 0.995 else f'{sure:.0%}'} sure of {classes[other]}"
                for image, sure in zip(rows["image"], rows["sure"], strict=True)
            ]
            if not rows.empty:
                made = self._gallery(name, rows, captions).picture()
                pictures.append(replace(made, caption=f"{sentence(name)}. {made.caption}"))
        run, folds = self.tested.run, self.tested.folds
        if run is not None:
            _, folds, _ = self.tested.study.split(run.spec.split)
        results = SuspectsResults(
            classes=classes,
            noun="patch" if labels_on_patches(table) else "image",
            contradicted=counts,
            scored=table["image"].nunique(),
            labelled=self.tested.patches["image"].nunique(),
            pictures=pictures,
            folds=self.tested.folds["fold"].nunique(),
            of_folds=folds["fold"].nunique(),
        )
        return every[every["rank"] <= LISTED], suspects_section(results)

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


@dataclass(frozen=True)
class SuspectsResults:
    """What `suspects_section` shows.

    `noun` is image, or patch where labels stand on patches; `contradicted` are counts by direction.
    Of `labelled` images `scored` were scored by a model that never saw them, in `folds` of the
    split's `of_folds`. Each image shows the surest of one direction.
    """

    classes: ClassNames
    noun: str
    contradicted: dict[str, int]
    scored: int
    labelled: int
    pictures: Sequence[Picture]
    folds: int = 1
    of_folds: int = 1


def suspects_section(results: SuspectsResults) -> Section:
    """For a person to look at, with what was scored and how."""
    total = sum(results.contradicted.values())
    title = "Labels that the net contradicts"
    if not total:
        said = f"The net gives no {results.noun}'s other class more than even odds."
        return Section(title, f"{said} {_scored(results)}", list(results.pictures))
    counts = "; ".join(f"{number:,} {name}" for name, number in results.contradicted.items())
    most = max(results.contradicted.values())
    cut = f", the {LISTED:,} surest of each direction" if most > LISTED else ""
    said = (
        f"The net gives {'the other' if results.classes.binary else 'another'} class more than even"
        f" odds for {total:,} {several(results.noun) if total > 1 else results.noun} ({counts})."
        " These are for a person to look at: the label may be wrong, or the net. Nothing is"
        f" relabelled. All stand in {FILE}{cut}; the surest are shown, with the colour of"
        f" their label round them: {edges(results.classes)}."
    )
    return Section(title, f"{said} {_scored(results)}", list(results.pictures))


def _scored(results: SuspectsResults) -> str:
    """How many images were scored, and how to have all of them scored."""
    if results.scored >= results.labelled:
        return (
            f"All {results.labelled:,} labelled images were scored, each by a model that learnt"
            " neither from it nor from its group."
        )
    ending = "the test parts of this split."
    if results.folds < results.of_folds:
        ending = f"the test parts of {results.folds} of {results.of_folds} folds. Train the other"
        ending += " folds too, in one run, to have more of them scored."
    elif results.of_folds <= 1:
        ending = "the test part of this split. Split into folds to have all of them scored."
    some = f"Only {results.scored:,} of the {results.labelled:,} labelled images were scored"
    return f"{some}: {ending}"


def extremes(found: Prediction) -> list[list[Any]]:
    """The surest patch of each class for a frame's journal entry: class, p, then the corners."""
    p = found.probabilities
    return [
        [name, float(p[row, number]), *found.boxes[row].corners]
        for number, name in enumerate(found.classes)
        for row in [int(p[:, number].argmax())]
    ]


def galleries(
    rows: Sequence[Mapping[str, Any]],
    paths: Mapping[str, Path],
    card: Card,
    channels: Channels,
    pixel_um: float | None,
) -> list[Gallery]:
    """The surest patches of each class over all files, also of those judged before a restart.

    Rows hold image, t and what `extremes` gave; of the same patch in several frames the surest is
    shown. Files are read again; one that cannot be read any more is left out.
    """
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, p, *corners in row.get("extremes", ()):
            found.setdefault(name, []).append((p, str(row["image"]), int(row["t"]), corners))
    made, classes = [], card.class_names
    # of two classes p is always said of the positive one
    for kind in classes.sought if not classes.binary else reversed(classes.pair):
        stack, captions = [], []
        patches: dict[tuple[Any, ...], Any] = {}
        for each in sorted(found.get(kind, []), key=lambda each: -each[0]):
            patches.setdefault((each[1], *each[3]), each)
        for p, image, t, corners in list(patches.values())[:EXTREMES_SHOWN]:
            try:
                with open_image(paths[image], pixel_um=pixel_um) as opened:
                    fit = fit_to(card, opened.header, channels, image)
                    field = read_field(opened, t, fit, image)
            except LivewellError:
                continue
            box = Box.of(*(int(edge) for edge in corners))
            stack.append(np.array(field.pixels[(0, *box.slices)], dtype=np.float32))
            shown = 1 - p if classes.binary and kind != classes.positive else p
            captions.append(f"p {shown:.2f}\n{printable(image)}, frame {t}")
        if stack:
            made.append(Gallery(f"Patches that look most {kind}", stack, captions))
    return made
