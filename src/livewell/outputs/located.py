"""Where a net sees the positive class in the frames of one file, in pixels of that file."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import ImageContentError, LivewellError, OutputError, SpecError
from livewell.execution.journal import version_of
from livewell.geometry import Box
from livewell.images.formats import OpenImage
from livewell.images.opening import Channels, open_image
from livewell.inference.detections import Detections, Look
from livewell.inference.frames import Field, Fit, fit_to, read_field, why
from livewell.inference.model import Model
from livewell.inference.prediction import NOTHING
from livewell.inference.unseen import learnt
from livewell.measure.borders import valid_area
from livewell.outputs.masks import write_mask
from livewell.progress import Tick, each
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

    def seen(self, field: Field, tick: Tick | None = None) -> Detections | None:
        """What the model detects in a field; ``None`` where there is nothing to judge."""
        return self.model.detected(field, self.look, tick)

    def judged(
        self, image: OpenImage, t: int, fit: Fit, where: str, tick: Tick
    ) -> tuple[dict[str, Any], NDArray[np.int32], pd.DataFrame]:
        """Row of one frame, its mask, and one row a detection, in pixels of the file.

        Refuses a frame less than `LEAST_OF_FRAME` as high or wide as the training frames.
        """
        field = read_field(image, t, fit, where)
        self._refuse_scraps(field.area, where)
        seen = self.seen(field, tick)
        if seen is None:
            none = {"p": None, "verdict": NOTHING, "found": 0, "notes": [*fit.notes]}
            return none, np.zeros(field.raw.shape, np.int32), pd.DataFrame()
        labels, table = in_file(seen, field.raw.shape, valid_area(field.raw))
        table.insert(0, "t", t)
        table.insert(1, "number", range(1, len(table) + 1))
        table.insert(5, "p", self.rule.probability(table["score"].to_numpy()))
        p = float(self.card.image_rule.probability(seen.logit))
        notes = [*fit.notes, *size_notes(field.area, self.frame_px)]
        verdict = self.card.image_rule.verdict(p)
        return {"p": p, "verdict": verdict, "found": len(table), "notes": notes}, labels, table

    def _refuse_scraps(self, area: Box, where: str) -> None:
        """That a thing is not in a scrap says little about a whole picture."""
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
    """What is to be said of a picture of another size than the training frames."""
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


@dataclass(frozen=True, slots=True)
class Asked:
    """Folder that takes ``masks``, and how files are opened."""

    out: Path
    channels: Channels
    pixel_um: float | None


def locate(
    path: Path, name: str, base: str, locator: Locator, asked: Asked, tick: Tick
) -> dict[str, Any]:
    """The journal entry of one file, its masks written; what is wrong with it stops no other.

    `base` names its masks. The entry holds ``image``, ``name`` (`base`), ``file`` (size and time),
    ``learnt`` (whether the model was trained or calibrated on its first frame), ``rows`` (one a
    judged frame), ``places`` (one a detection) and ``failures``.
    """
    rows: list[dict[str, Any]] = []
    places: list[dict[Any, Any]] = []
    failures: list[dict[str, Any]] = []
    entry = {"image": name, "name": base, "file": version_of(path), "learnt": False}
    try:
        with open_image(path, pixel_um=asked.pixel_um) as image:
            header = image.header
            fit = fit_to(locator.card, header, asked.channels, name)
            fit = replace(fit, notes=(*fit.notes, *header.notes))
            entry["learnt"] = learnt(image, fit.channels[0], locator.model.learnt)
            for t, part in each(range(header.frames), tick, 1 / header.frames):
                tick(0, f"{name}, frame {t + 1} of {header.frames}")
                try:
                    row, labels, found = locator.judged(image, t, fit, f"{name}, frame {t}", part)
                except LivewellError as error:
                    failures.append({"t": t, "error": why(error)})
                else:
                    mask = f"masks/{frame_name(base, t, header.frames)}.tif"
                    write_mask(asked.out / mask, labels, header.pixel_um)
                    rows.append({"t": t, **row, "mask": mask})
                    places += found.to_dict("records")
    except OutputError:
        # a mask that cannot be written is no fault of the image
        raise
    except LivewellError as error:
        failures.append({"t": None, "error": why(error)})
    return entry | {"rows": rows, "places": places, "failures": failures}
