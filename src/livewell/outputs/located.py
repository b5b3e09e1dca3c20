"""Where a net sees the positive class in the frames of one file, in pixels of that file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import ImageContentError, SpecError
from livewell.execution.frames import FileFrame, OpenSettings, judge_frames
from livewell.execution.items import Item, Record
from livewell.geometry import Box
from livewell.inference.detections import Detections, Look
from livewell.inference.frames import UNSCALED, Field
from livewell.inference.model import Model
from livewell.inference.prediction import NOTHING
from livewell.measure.borders import valid_area
from livewell.outputs.masks import write_mask
from livewell.progress import Tick
from livewell.study.naming import frame_name
from livewell.study.regions import LEAST_OF_LARGEST
from livewell.tables.schemas import BOX

LEAST_OF_FRAME = 0.5
"""Least height and width of a frame, of the training frames'."""


def in_file(
    places: Detections, shape: tuple[int, ...], area: Box
) -> tuple[NDArray[np.int32], pd.DataFrame]:
    """Detections found in an image at the model's pixel size, in pixels of the file.

    Pixels take the number of the nearest pixel of the model; those of registration borders, beyond
    `area`, have none. A detection whose pixels all fall between has the one that it stands on.

    Returns
    -------
    numpy.ndarray, DataFrame
        Labels of `shape`: pixels of each detection, counted from 1; 0 for none. One row a
        detection, as in `places`: y and x (pixel i covers [i, i + 1)), score, and `schemas.BOX`.
    """
    found = places.labels.shape
    per = [edge / seen for edge, seen in zip(shape, found, strict=True)]
    y, x = places.y * per[0], places.x * per[1]
    at = np.stack([y, x], axis=1).astype(int).clip(0, np.array(shape) - 1)
    rows, columns = (
        np.minimum(((np.arange(edge) + 0.5) / ratio).astype(int), seen - 1)
        for edge, ratio, seen in zip(shape, per, found, strict=True)
    )
    labels = np.zeros(shape, dtype=np.int32)
    labels[area.slices] = places.labels[np.ix_(rows, columns)][area.slices]
    there = np.bincount(labels.ravel(), minlength=len(y) + 1)[1:] > 0
    labels[tuple(at[~there].T)] = np.flatnonzero(~there) + 1
    boxes = np.concatenate([at, at + 1], axis=1).astype(np.int64)
    for box, part in zip(boxes, ndimage.find_objects(labels, max_label=len(y)), strict=True):
        if part is not None:
            box[:] = part[0].start, part[1].start, part[0].stop, part[1].stop
    table = pd.DataFrame({"y": y, "x": x, "score": places.score})
    table[BOX] = boxes
    return labels, table


class Locator:
    """A model whose maps say where, with the rules of its card.

    Parameters
    ----------
    look
        How detections are found; its `least` is taken from `least`.
    least
        Least probability of a detection, between 0 and 1; ``None`` for the card's.
    """

    def __init__(self, model: Model, look: Look, least: float | None) -> None:
        self.rule = model.need_detections()
        if least is not None and not 0 < least < 1:
            raise SpecError(
                "no probability of a detection",
                where="--least",
                expected="above 0 and below 1",
                got=str(least),
            )
        self.model, self.card = model, model.card
        self.least = self.rule.threshold if least is None else least
        self.look = replace(look, least=self.rule.log_odds(self.least))
        self.finder = model.finder(self.look)
        self.frame_px = self.card.frame_px or (0, 0)

    def __reduce__(self) -> tuple[type["Locator"], tuple[Model, Look, float]]:
        """Made again in another process, where the model is loaded."""
        return Locator, (self.model, self.look, self.least)

    def seen(self, field: Field, tick: Tick | None = None) -> Detections | None:
        """What the model detects in a field; ``None`` where there is nothing to judge."""
        return self.model.detected(field, self.look, tick)

    def row(self, frame: FileFrame, mask: Path) -> dict[str, Any]:
        """What is said of a frame, its detections under ``places``; writes their mask.

        Refuses a frame less than `LEAST_OF_FRAME` as high or wide as the training frames.
        """
        field, header, notes = frame.field, frame.header, [*frame.field.notes]
        self._refuse_scraps(field.area, field.where)
        seen = self.seen(field, frame.tick)
        if seen is None:
            labels = np.zeros((header.height, header.width), np.int32)
            said: dict[str, Any] = {"p": None, "verdict": NOTHING, "found": 0, "places": []}
        else:
            labels, table = in_file(seen, field.raw.shape, valid_area(field.raw))
            table.insert(0, "number", range(1, len(table) + 1))
            table.insert(4, "p", self.rule.probability(table["score"].to_numpy()))
            p = float(self.card.image_rule.probability(seen.logit))
            notes += size_notes(field.area, self.frame_px)
            said = {"p": p, "verdict": self.card.image_rule.verdict(p), "found": len(table)}
            said["places"] = table.to_dict("records")
        write_mask(mask, labels, header.pixel_um)
        return said | {"notes": notes}

    def _refuse_scraps(self, area: Box, where: str) -> None:
        """That a thing is not in a scrap says little about a whole image."""
        least = [math.ceil(LEAST_OF_FRAME * edge) for edge in self.frame_px]
        if any(edge < low for edge, low in zip(area.shape, least, strict=True)):
            raise ImageContentError(
                "too small an image for this model",
                where=where,
                expected=f"at least {least[0]} x {least[1]} px without borders, half a training"
                " frame",
                got=f"{area.shape[0]} x {area.shape[1]} px at the model's pixel size",
                remedy="give whole images, or train on frames of this size",
            )


def size_notes(area: Box, frame_px: tuple[int, int]) -> list[str]:
    """What is to be said of an image of another size than the training frames."""
    trained = f"the training frames of {frame_px[0]} x {frame_px[1]} px"
    sizes = list(zip(area.shape, frame_px, strict=True))
    notes = []
    if any(edge > usual for edge, usual in sizes):
        notes.append(
            f"larger than {trained}: seen in windows that overlap, p is the surest one's, and so"
            " higher than a single window's"
        )
    if any(edge < LEAST_OF_LARGEST * usual for edge, usual in sizes):
        notes.append(
            f"smaller (without borders) than {trained}: mirrored beyond its edges, more than any of"
            " them"
        )
    return notes


def locate(item: Item, tick: Tick, locator: Locator, opening: OpenSettings, out: Path) -> Record:
    """The record of one file; its masks are written into `out`, named as its settings say."""

    def judged(frame: FileFrame) -> Record:
        name = frame_name(item.settings["name"], frame.field.t, frame.header.frames)
        mask = f"masks/{name}.tif"
        return {"learnt": int(bool(frame.learnt)), "mask": mask, **locator.row(frame, out / mask)}

    return judge_frames(item, tick, locator.model, opening, judged)


PICTURES = ["image", "t", "well", "position", "p", "verdict", "found", "note", "learnt", "mask"]
"""Columns of ``pictures.csv``."""
DETECTIONS = ["image", "t", "number", "y", "x", "score", "p", "y0", "x0", "y1", "x1"]
"""Columns of ``detections.csv``."""


def located_tables(
    rows: Sequence[Mapping[str, Any]], positions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Images and detections from rows of `locate`; `positions` has well and position by image.

    Images without a pixel size are as the model's own were, and no row of theirs says so: a warning
    does, once for all of them.
    """
    said = [
        {**row, "note": "; ".join(note for note in row["notes"] if note != UNSCALED)}
        for row in rows
    ]
    columns = [name for name in PICTURES if name not in ("well", "position")]
    images = pd.DataFrame(said, columns=columns).merge(positions, on="image", how="left")[PICTURES]
    found = [
        {"image": row["image"], "t": row["t"], **each} for row in rows for each in row["places"]
    ]
    whole = {"t": "Int64", "number": "int64", **dict.fromkeys(DETECTIONS[-4:], "int64")}
    numbers = dict.fromkeys(("y", "x", "score", "p"), "float64")
    return (
        images.astype({"t": "Int64", "p": "float64", "found": "int64", "learnt": "int64"}),
        pd.DataFrame(found, columns=DETECTIONS).astype(whole | numbers),
    )
