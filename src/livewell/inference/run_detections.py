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
from livewell.inference.detections import Detections, Look
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.progress import Tick
from livewell.tables.schemas import BOX, regions_of
from livewell.training.data import plain_loader

STEPS = (0.0, 8.0)
"""How far below a model's threshold detections are looked for, calibrated log odds, a look each.

What pixels say is back-propagated from all that are looked for together, so those that are much
less sure change the others. Each is taken from the look that just holds it: those that reach the
threshold are, with their pixels, the ones that `livewell localise` finds.
"""
AT_ONCE_PX = 2_000_000
"""Pixels of the frames that are looked at together."""
FOUND = {
    **{"fold": "int64", "image": "str", "t": "int64", "group": "str"},
    **dict.fromkeys(("y", "x", "score", "relative", "p"), "float64"),
    **dict.fromkeys(("called", *BOX), "int64"),
}
"""Columns of a table of detections, see `found_in`."""
SHARES = ["image", "kind", "share"]


@dataclass(frozen=True, slots=True)
class FrameDetections:
    """The detections of one frame of a table, in pixels of its image; labels are of the window.

    `row` is the frame's in the table that was asked for; `area` is the image's valid one, beyond
    which the window is mirrored.
    """

    row: int
    area: Box
    found: Detections

    @property
    def inside(self) -> NDArray[np.bool_]:
        """(n,) whether each lies in the valid area, so that it is no mirror image."""
        y, x, (y0, x0, y1, x1) = self.found.y, self.found.x, self.area.corners
        return np.asarray((y0 <= y) & (y < y1) & (x0 <= x) & (x < x1))

    def mask(self, least: float) -> NDArray[np.bool_]:
        """(h, w) of the window: pixels of the detections inside that reach these log odds."""
        kept = np.flatnonzero(self.inside & (self.found.score >= least)) + 1
        return np.isin(self.found.labels, kept)


def seen(
    tested: EvaluationSet,
    model: Model,
    frames: pd.DataFrame,
    below: float = 0.0,
    tick: Tick | None = None,
) -> Iterator[FrameDetections]:
    """The detections of some frames (`schemas.KEY`), in their order.

    They are looked for so far `below` the threshold, in calibrated log odds.
    """
    keys = regions_of(frames)
    if not keys:
        return
    height, width = keys[0].box.shape
    finder = model.finder(Look(least=model.least(below)), tested.pixels)
    batch = max(1, AT_ONCE_PX // (height * width))
    areas = [tested.pixels.area(key.image, key.t) for key in keys]
    real = [area.seen_in(key.box) for area, key in zip(areas, keys, strict=True)]
    for pixels, rows in plain_loader(tested.pixels, keys, batch=batch):
        numbers = rows.tolist()
        for n, found in zip(numbers, finder(pixels, [real[n] for n in numbers]), strict=True):
            yield FrameDetections(n, areas[n], found.moved(keys[n].box))
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
    """All detections of some frames down to the last of `STEPS`, and how much of boxes is covered.

    Boxes (`livewell.study.boxes.BOXED_CELLS`) are held against the pixels of the detections that
    reach the threshold.

    Returns
    -------
    (DataFrame, DataFrame)
        One row a detection, columns `FOUND`: pixels of the image, score the net's log odds, p by
        the card's rule, relative the log odds of p less those of the threshold, called 1 from the
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
    made = pd.DataFrame(rows, columns=list(FOUND)).sort_values(
        ["fold", "image", "t", "score"],
        ascending=[True, True, True, False],
        kind="stable",
        ignore_index=True,
    )
    return made.astype(FOUND), pd.DataFrame(shares, columns=SHARES).astype({"share": "float64"})


def _rows(
    each: FrameDetections, model: Model, least: float, top: float
) -> Iterator[dict[str, Any]]:
    """Detections of a frame that are at least this sure, and less sure than `top`."""
    found, rule, threshold = each.found, model.need_detections(), model.least()
    p = rule.probability(found.score)
    low, high = each.area.corners[:2] * 2, each.area.corners[2:] * 2
    for i in np.flatnonzero(each.inside & (found.score >= least) & (found.score < top)):
        yield {
            "y": float(found.y[i]),
            "x": float(found.x[i]),
            "score": float(found.score[i]),
            "relative": float((found.score[i] - threshold) / rule.temperature),
            "p": float(p[i]),
            "called": int(found.score[i] >= threshold),
            **dict(zip(BOX, np.clip(found.boxes[i], low, high).tolist(), strict=True)),
        }


def _shares(each: FrameDetections, model: Model, boxes: pd.DataFrame) -> list[dict[str, Any]]:
    """How much of every box of a frame the pixels of its called detections cover."""
    y0, x0, *_ = each.found.window.corners
    inside = boxes[BOX].to_numpy(np.int64) - np.array([y0, x0, y0, x0])
    share = covered(each.mask(model.least()), inside)
    return [
        {"image": image, "kind": kind, "share": value}
        for image, kind, value in zip(boxes["image"], boxes["label"], share, strict=True)
    ]


def models_of(tested: EvaluationSet) -> dict[int, Model]:
    """The models of a run by fold; none where they declare no detections in whole frames."""
    found: dict[int, Model] = {}
    if tested.run is None:
        return found
    for fold in sorted(int(number) for number in tested.part("test")["fold"].unique()):
        found[fold] = model = tested.model(fold)
        if not (model.gives_map and model.classes.binary):
            return {}
        model.need_detections()
    return found
