"""What the nets of a run find in frames that they never learnt from, in pixels of the images."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.detection.covered import covered
from livewell.geometry import Box
from livewell.inference.detections import Look, Places
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.progress import Tick
from livewell.tables.schemas import BOX, regions_of
from livewell.training.data import plain_loader

STEPS = (0.0, 8.0)
"""How far below a model's threshold its places are looked for, calibrated log odds, a look each.

What pixels say is back-propagated from all places that are looked for together, so those that are
much less sure change the others. Each place is taken from the look that just holds it: those that
reach the threshold are, with their pixels, the ones that `livewell localise` finds.
"""
AT_ONCE_PX = 2_000_000
"""Pixels of the frames that are looked at together."""
FOUND = ["fold", "image", "t", "group", "y", "x", "score", "relative", "p", "called", *BOX]
"""Columns of a table of places, see `found_in`."""
SHARES = ["image", "kind", "share"]


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """The places of one frame that lie in its image.

    Parameters
    ----------
    row
        Number of the frame's row in the table that was asked for.
    window
        What the net saw; beyond the image's valid area it is mirrored.
    area
        The image's valid area.
    places
        As the net's `livewell.inference.detections.Finder` gives them, in pixels of the window.
    """

    row: int
    window: Box
    area: Box
    places: Places

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(n,) whether each place lies in the valid area, so that it is no mirror image."""
        y, x = self.places.y + self.window.y.start, self.places.x + self.window.x.start
        rows, columns = self.area.y, self.area.x
        down = (rows.start <= y) & (y < rows.stop)
        return np.asarray(down & (columns.start <= x) & (x < columns.stop))

    def mask(self, least: float) -> NDArray[np.bool_]:
        """(h, w) of the window: pixels of the places inside that reach these log odds."""
        kept = np.flatnonzero(self.inside & (self.places.score >= least)) + 1
        return np.isin(self.places.labels, kept)


def seen(
    tested: EvaluationSet,
    model: Model,
    frames: pd.DataFrame,
    below: float = 0.0,
    tick: Tick | None = None,
) -> Iterator[FrameDetections]:
    """The places of some frames, in their order.

    Parameters
    ----------
    tested
        The run.
    model
        One of its models.
    frames
        Columns `schemas.KEY`.
    below
        How far below the threshold places are looked for, calibrated log odds.
    tick
        Told after every frame.
    """
    keys = regions_of(frames)
    if not keys:
        return
    height, width = keys[0].box.shape
    finder = model.finder(Look(least=model.least(below)))
    batch = max(1, AT_ONCE_PX // (height * width))
    areas = [tested.pixels.area(key.image, key.t) for key in keys]
    real = [area.seen_in(key.box) for area, key in zip(areas, keys, strict=True)]
    number = 0
    for pixels, _ in plain_loader(tested.pixels, keys, batch=batch):
        for places in finder(pixels, real[number : number + len(pixels)]):
            yield FrameDetections(number, keys[number].box, areas[number], places)
            number += 1
            if tick:
                tick()


def found_in(
    tested: EvaluationSet,
    fold: int,
    model: Model,
    frames: pd.DataFrame,
    boxes: pd.DataFrame,
    tick: Tick | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All places of some frames down to the last of `STEPS`, and how much of boxes is covered.

    Parameters
    ----------
    tested
        The run.
    fold
        Number of the fold, for the table.
    model
        Its model.
    frames
        As `livewell.inference.evaluation_set.EvaluationSet.part` gives them, one row a frame.
    boxes
        `livewell.study.boxes.BOXED_CELLS`, of the frames whose boxes are held against the pixels of
        the places that reach the threshold.
    tick
        Told after every look at a frame.

    Returns
    -------
    (DataFrame, DataFrame)
        One row a place, columns `FOUND`: pixels of the image, score the net's log odds, p by the
        card's rule, relative the log odds of p less those of the threshold, called 1 from the
        threshold on, y0 to x1 the box round its pixels. And one row a box, columns `SHARES`: kind
        is its class.
    """
    named = list(zip(frames["image"].astype(str), frames["t"], frames["group"], strict=True))
    of_image = dict(list(boxes.groupby("image")))
    rows: list[dict[str, Any]] = []
    shares: list[dict[str, Any]] = []
    tops = [np.inf, *(model.least(below) for below in STEPS)]
    for below, (top, least) in zip(STEPS, pairwise(tops), strict=True):
        for each in seen(tested, model, frames, below, tick):
            image, t, group = named[each.row]
            about = {"fold": fold, "image": image, "t": int(t), "group": group}
            rows += [about | row for row in _rows(each, model, least, top)]
            mine = of_image.get(image)
            if below == 0 and mine is not None:
                shares += _shares(each, model, mine)
    made = pd.DataFrame(rows, columns=FOUND)
    order = ["fold", "image", "t", "score"]
    made = made.sort_values(order, ascending=[True, True, True, False], kind="stable")
    numbers = dict.fromkeys(("y", "x", "score", "relative", "p"), "float64")
    whole = dict.fromkeys(("fold", "t", "called", *BOX), "int64")
    texts = dict.fromkeys(("image", "group"), "str")
    made = made.reset_index(drop=True).astype(numbers | whole | texts)
    return made, pd.DataFrame(shares, columns=SHARES).astype({"share": "float64"})


def _rows(
    each: FrameDetections, model: Model, least: float, top: float
) -> Iterator[dict[str, Any]]:
    """Places of a frame that are at least this sure, and less sure than `top`."""
    places, (y0, x0, *_) = each.places, each.window.corners
    rule = model.need_detections()
    p = rule.probability(places.score)
    for i in np.flatnonzero(each.inside & (places.score >= least) & (places.score < top)):
        corners = places.boxes[i] + np.array([y0, x0, y0, x0])
        corners = np.clip(corners, each.area.corners[:2] * 2, each.area.corners[2:] * 2)
        yield {
            "y": float(places.y[i] + y0),
            "x": float(places.x[i] + x0),
            "score": float(places.score[i]),
            "relative": float((places.score[i] - model.least()) / rule.temperature),
            "p": float(p[i]),
            "called": int(places.score[i] >= model.least()),
            **dict(zip(BOX, corners.tolist(), strict=True)),
        }


def _shares(each: FrameDetections, model: Model, boxes: pd.DataFrame) -> list[dict[str, Any]]:
    """How much of every box of a frame the pixels of its called places cover."""
    y0, x0, *_ = each.window.corners
    inside = boxes[BOX].to_numpy(np.int64) - np.array([y0, x0, y0, x0])
    share = covered(each.mask(model.least()), inside)
    return [
        {"image": image, "kind": kind, "share": value}
        for image, kind, value in zip(boxes["image"], boxes["label"], share, strict=True)
    ]


def models_of(tested: EvaluationSet) -> dict[int, Model]:
    """The models of a run by fold; none where they declare no detections in whole frames.

    Raises
    ------
    ModelFileError
        A card without a rule for detections.
    """
    found: dict[int, Model] = {}
    if tested.run is None:
        return found
    for fold in sorted(int(number) for number in tested.part("test")["fold"].unique()):
        model = tested.model(fold)
        if model.scores_patches or not (model.gives_map and model.classes.binary):
            return {}
        model.need_detections()
        found[fold] = model
    return found
