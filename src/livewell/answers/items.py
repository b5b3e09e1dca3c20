"""Items of an annotation task, drawn from a study's images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from livewell.answers.checks import check_task
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore
from livewell.answers.tables import KINDS
from livewell.errors import Fault, LabelError, LivewellError, SpecError
from livewell.geometry import Box, tiles
from livewell.images.formats import OpenImage
from livewell.images.opening import choose_channels, open_image
from livewell.measure.occupancy import LEAST_SHARE, shares, textured
from livewell.study.study import Study
from livewell.tables.schemas import as_text
from livewell.text import few

COLUMNS = ("image", "t", "frames", "y0", "x0", "y1", "x1", "height", "width", "truth", "part")
WITHIN = ("sequence", "patch")
"""Kinds that may be boxes; others are whole frames."""
OF_A_FRAME = 4
"""Boxes drawn of a frame before another one is looked at for cells."""


class ItemChoice(BaseModel):
    """Which items a task has.

    The defaults of sequences are those of Richmond et al. 2017, section 2.2: ten frames of 256 px.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    count: int = Field(500, ge=1, le=100_000)
    frames: int = Field(10, ge=2, le=1000)
    """Of a sequence."""
    size_px: int | None = Field(256, ge=8, le=20_000)
    """Edge of the box of a sequence or a patch; ``None`` for whole frames."""
    occupied: bool = True
    """Whether boxes without the texture of cells are left out."""
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class DrawnItems:
    """Items (columns `COLUMNS`), and images of which none could be drawn, with the reason."""

    table: pd.DataFrame
    faults: list[Fault] = field(default_factory=list)


def draw_items(
    study: Study,
    choice: ItemChoice,
    images: list[str],
    known: Mapping[str, str] | None = None,
    controls: float = 0.0,
) -> DrawnItems:
    """Items drawn by chance, spread evenly over wells and images, in an order drawn by chance.

    Boxes lie on a grid and sequences one after the other, so none overlap. No two items are the
    same region; there may be fewer than asked for.

    Parameters
    ----------
    images
        Names of images to draw from.
    known
        Class of images whose class is known, such as those of wells that were never treated;
        controls are drawn from them, and have it as their ``truth``.
    controls
        Share of items that are controls.

    Raises
    ------
    SpecError
        No such kind, or controls are wanted and no image's class is known.
    LabelError
        Not a single item can be drawn.
    """
    if choice.kind not in KINDS:
        expected = ", ".join(KINDS)
        raise SpecError("no such kind of item", expected=expected, got=choice.kind)
    if controls and not known:
        raise SpecError("controls are wanted, and no image's class is known", where="controls")
    rng = np.random.default_rng([choice.seed, 0])
    drawing = _Drawing(study, choice, rng)
    truths: list[tuple[dict[str, Any], str | None]] = []
    if known and controls:
        # some more than their share: people take turns at different ones
        number = ceil(choice.count * controls)
        truths += [(row, known[row["image"]]) for row in drawing.draw(sorted(known), number)]
    left = choice.count - len(truths)
    truths += [(row, None) for row in drawing.draw(images, left)]
    if not truths:
        fault = drawing.faults[0].message if drawing.faults else "no image is large or long enough"
        raise LabelError(
            "not a single item can be drawn",
            where=f"{len(images)} images",
            expected=_wanted(choice),
            got=fault,
            remedy="ask for smaller boxes or fewer frames, or choose other images",
        )
    rows = [row | {"truth": truth, "part": None} for row, truth in truths]
    order = rng.permutation(len(rows))
    table = pd.DataFrame([rows[n] for n in order], columns=list(COLUMNS))
    return DrawnItems(table, drawing.faults)


def known_classes(
    study: Study,
    classes: Sequence[str],
    *,
    labels: str | None = None,
    column: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, str]:
    """Classes of images that are known: by labels of whole images, or by a column of the fields.

    Parameters
    ----------
    labels
        Name of labels of the study; an image counts whose labels all are one of `classes`.
    column
        For a column of the fields, such as ``dose``, which value means which class: ``{"dose":
        {"0": "healthy"}}``.

    Raises
    ------
    SpecError
        No such column, a value that means none of `classes`, or no image's class is known.
    """
    found: dict[str, str] = {}
    if labels is not None:
        table = study.labels(labels)
        for image, rows in table.groupby("image"):
            said = set(rows["label"].dropna())
            found |= {str(image): str(said.pop())} if len(said) == 1 and said <= {*classes} else {}
    fields = study.fields()
    for name, meant in (column or {}).items():
        if name not in fields:
            raise SpecError("no such column of the study", expected=few(fields), got=name)
        values = as_text(fields[name])
        found |= {
            str(image): meant[value]
            for image, value in zip(fields["image"], values, strict=True)
            if value in meant
        }
    odd = sorted(set(found.values()) - set(classes))
    if odd or not found:
        raise SpecError(
            "controls whose class is none of the task" if odd else "no image's class is known",
            where="controls",
            expected=", ".join(classes),
            got=", ".join(odd),
        )
    return found


def make_task(
    study: Study,
    store: AnswerStore,
    name: str,
    classes: Sequence[str],
    choice: ItemChoice,
    settings: TaskSettings,
    *,
    images: Sequence[str] | None = None,
    known: Mapping[str, str] | None = None,
) -> tuple[int, DrawnItems]:
    """Draw items and make a task of them; its number, and what was drawn. Errors as of both.

    `images` to draw from are all of the study by default, `known` is as in `draw_items`.
    """
    check_task(name, choice.kind, classes, choice.count)
    names = study.fields()["image"].tolist() if images is None else list(images)
    drawn = draw_items(study, choice, names, known, settings.controls)
    return store.make_task(name, choice.kind, classes, drawn.table, settings), drawn


def _wanted(choice: ItemChoice) -> str:
    frames = f"{choice.frames} frames" if choice.kind == "sequence" else "one frame"
    boxed = choice.kind in WITHIN and choice.size_px
    return f"{frames} of {choice.size_px} x {choice.size_px} px" if boxed else frames


class _Drawing:
    """Draws regions of images, each once."""

    def __init__(self, study: Study, choice: ItemChoice, rng: np.random.Generator) -> None:
        self.study, self.choice, self.rng = study, choice, rng
        self.faults: list[Fault] = []
        self.frames = choice.frames if choice.kind == "sequence" else 1
        self._taken: set[tuple[Any, ...]] = set()
        self._last: tuple[Any, ...] = ()
        fields = study.fields().reindex(columns=["image", "plate", "well", "picture"]).astype("str")
        well = fields["plate"].fillna("") + "/" + fields["well"]
        self._groups = dict(zip(fields["image"], well.fillna(fields["picture"]), strict=True))

    def draw(self, images: list[str], count: int) -> list[dict[str, Any]]:
        """Up to `count` regions; first the same number of each image, then what is left."""
        found: list[dict[str, Any]] = []
        order = self._spread([images[n] for n in self.rng.permutation(len(images))])
        for each in (ceil(count / max(len(order), 1)), count):
            for image in order:
                if len(found) >= count:
                    return found
                try:
                    found += self._of(image, min(each, count - len(found)))
                except LivewellError as error:
                    if image not in {fault.where for fault in self.faults}:
                        self.faults.append(Fault.of(error, image))
        return found

    def _spread(self, images: list[str]) -> list[str]:
        """Images in an order in which wells take turns, so that large groups are not all of it."""
        turns: dict[str, int] = {}
        rank: dict[str, int] = {}
        for image in images:
            group = self._groups.get(image, image)
            rank[image] = turns[group] = turns.get(group, -1) + 1
        return sorted(images, key=rank.__getitem__)

    def _of(self, image: str, count: int) -> list[dict[str, Any]]:
        study = self.study
        path = study.path(image)
        with open_image(path, pixel_um=study.pixel_um, frame_s=study.frame_s) as opened:
            header = opened.header
            channel = choose_channels(header, study.channels, image)[0]
            found: list[dict[str, Any]] = []
            for t, box in self._candidates(opened):
                if len(found) == count:
                    break
                key = (image, t, box)
                if key in self._taken:
                    continue
                if not self._empty(opened, t, channel, box):
                    self._taken.add(key)
                    found.append(
                        {"image": image, "t": t, "frames": self.frames}
                        | dict(zip(("y0", "x0", "y1", "x1"), _corners(box), strict=True))
                        | {"height": header.height, "width": header.width}
                    )
            return found

    def _candidates(self, opened: OpenImage) -> Iterator[tuple[int, Box | None]]:
        """Times and boxes of an image in an order drawn by chance."""
        header, size = opened.header, self.choice.size_px
        boxes: list[Box | None] = [None]
        if self.choice.kind in WITHIN and size is not None:
            boxes = list(tiles(header.area, size, size))
        times = range(0, header.frames - self.frames + 1, self.frames)
        places = [(t, box) for t in times for box in boxes]
        order = [places[n] for n in self.rng.permutation(len(places))]
        if self.choice.occupied:  # looking for cells takes long: few frames, of each some boxes
            seen: dict[int, int] = {}
            rank = []
            for t, _ in order:
                seen[t] = seen.get(t, -1) + 1
                rank.append(seen[t] // OF_A_FRAME)
            first = {t: n for n, t in enumerate(seen)}
            keys = [(turn, first[t]) for turn, (t, _) in zip(rank, order, strict=True)]
            order = [order[n] for n in sorted(range(len(order)), key=keys.__getitem__)]
        yield from order

    def _empty(self, opened: OpenImage, t: int, channel: int, box: Box | None) -> bool:
        if not self.choice.occupied:
            return False
        if self._last[:3] != (opened.source, t, channel):
            frame = opened.frame(t, channel)
            mask = textured(frame, opened.header.pixel_um)
            self._last = (opened.source, t, channel, mask)
        mask = self._last[3]
        return bool(shares(mask, [box or opened.header.area])[0] < LEAST_SHARE)


def _corners(box: Box | None) -> tuple[int | None, ...]:
    return (None,) * 4 if box is None else box.corners
