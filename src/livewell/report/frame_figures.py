"""Frames with the places that a run's nets call in them, ready to be drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.geometry import Box
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.inference.run_detections import seen
from livewell.tables.schemas import KEY


@dataclass(frozen=True, slots=True, eq=False)
class FrameFigure:
    """One frame (h, w) in the file's number type and what is called in it, in pixels of the image.

    `places` (n, 2) are rows and columns of all that reach their model's threshold, `mask` (h, w)
    their pixels.
    """

    grey: NDArray[Any]
    places: NDArray[np.float64]
    mask: NDArray[np.bool_]


def pictured(
    tested: EvaluationSet, models: Mapping[int, Model], rows: pd.DataFrame
) -> dict[object, FrameFigure]:
    """Frames and what their own fold's model calls in them, by label of the row.

    Rows have columns fold and `schemas.KEY`, and an index of different labels.
    """
    found: dict[object, FrameFigure] = {}
    for fold, part in rows.groupby("fold", sort=True):
        model = models[int(str(fold))]
        for each in seen(tested, model, part[KEY]):
            row = part.iloc[each.row]
            grey = tested.pixels.frame(str(row["image"]), int(row["t"]))
            y0, x0, *_ = each.window.corners
            called = each.inside & (each.places.score >= model.least())
            peaks = np.stack([each.places.y + y0, each.places.x + x0], axis=1)[called]
            mask = _in_image(each.mask(model.least()), each.window, grey.shape)
            found[part.index[each.row]] = FrameFigure(grey, peaks, mask)
    return found


def _in_image(mask: NDArray[np.bool_], window: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A window's mask in pixels of the image that it shows."""
    whole = np.zeros(shape, dtype=bool)
    shared = window.common(Box.of(0, 0, *shape))
    if shared is not None:
        y0, x0, y1, x1 = shared.corners
        top, left = window.y.start, window.x.start
        whole[shared.slices] = mask[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole
