"""Images of any size seen by a net that was trained on whole frames of one size."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import SpecError
from livewell.geometry import Box, Span, starts
from livewell.image import Frame, mirrored
from livewell.inference.detections import Detections, Finder
from livewell.measure.peaks import Map
from livewell.progress import Tick

SEAM = 1.5
"""Detections of two windows nearer than this are one, strides of the class maps."""


def windows(
    shape: tuple[int, ...], area: Box, frame_px: tuple[int, int], overlap_px: int
) -> list[tuple[Box, Box]]:
    """Windows of the training frames' size over an image, and the part that is each one's own.

    An image of the training frames' size has one window, and so has a smaller one: it lies in the
    window's middle, and beyond it the image is mirrored. A larger one has several that overlap,
    each with a part of its own; these cover `area`, which has no registration borders, once.
    Neighbours overlap by `overlap_px` at least, but for half a window at most: a cell's field of
    view, so that each cell is judged with all that it sees.
    """
    lines = [
        _line(whole, span, size, overlap_px)
        for whole, span, size in zip(shape, (area.y, area.x), frame_px, strict=True)
    ]
    return [
        (Box(window_y, window_x), Box(own_y, own_x))
        for window_y, own_y in lines[0]
        for window_x, own_x in lines[1]
    ]


def _line(whole: int, span: Span, size: int, overlap: int) -> list[tuple[Span, Span]]:
    """Windows of one axis, and their own parts."""
    if span.size <= size:
        # as training frames lie: round the image's middle, borders or not
        first = -((size - whole) // 2) if whole <= size else span.start - (size - span.size) // 2
        return [(Span(first, first + size), span)]
    step = max(size - overlap, size // 2)
    found = [span.start + at for at in starts(span.size, size, step, "shift")]
    # the border of two neighbours is the middle of what both see
    borders = [(before + size + after) // 2 for before, after in pairwise(found)]
    ends = [span.start, *borders, span.stop]
    return [
        (Span(first, first + size), Span(start, stop))
        for first, (start, stop) in zip(found, pairwise(ends), strict=True)
    ]


def look_over(finder: Finder, frame: Frame, area: Box, tick: Tick | None = None) -> Detections:
    """Where a net sees the positive class in one image, (y, x) or (channels, y, x).

    The log odds are the highest of all windows, each pooled over the cells that lie in the image;
    class maps are those of this window, saliency and labels of the whole image. `tick` is of one
    unit, the image, and said of every window.
    """
    parts = []
    laid = list(_laid(finder, frame, area))
    for window, own, seen in laid:
        (found,) = finder(_pixels(frame, area, window), [seen])
        scores = finder.pooled(found.maps, seen)
        parts.append((own, replace(found.moved(window), logit=float(scores[1] - scores[0]))))
        if tick:
            tick(1 / len(laid))
    return _joined(parts, area, frame.shape[-2:], SEAM * finder.stride_px)


def class_scores(finder: Finder, frame: Frame, area: Box) -> Iterator[tuple[Box, Map, Map]]:
    """Every window over an image, its class maps, and the scores of all classes pooled of them."""
    for window, _, seen in _laid(finder, frame, area):
        (maps,) = finder.maps(_pixels(frame, area, window))
        yield window, maps, finder.pooled(maps, seen)


def _laid(finder: Finder, frame: Frame, area: Box) -> Iterator[tuple[Box, Box, Box]]:
    """Windows, their own parts, and what each sees of the area: what is mirrored is not in it."""
    if finder.net.frame_px is None:
        raise SpecError("the net does not say how large its training frames were")
    laid = windows(frame.shape[-2:], area, finder.net.frame_px, finder.field_px)
    return ((window, own, area.seen_in(window)) for window, own in laid)


def _pixels(frame: Frame, area: Box, window: Box) -> Tensor:
    """(1, channels, h, w) float32."""
    pixels = np.array(mirrored(frame, area, window), dtype=np.float32)
    return torch.from_numpy(pixels.reshape(1, -1, *window.shape))


def _joined(
    parts: list[tuple[Box, Detections]], area: Box, shape: tuple[int, ...], seam_px: float
) -> Detections:
    """Own parts and detections of all windows, each detection once.

    A window lists what lies in its own part and a little beyond, for two windows may see one object
    on either side of their border; of such so near each other the surer one is kept.
    """
    near = [_near(own, found, area, seam_px) for own, found in parts]
    which = np.repeat(np.arange(len(parts)), [len(rows) for rows in near])
    rows = np.concatenate(near)
    y, x, score, boxes = (
        np.concatenate(
            [getattr(found, name)[mine] for (_, found), mine in zip(parts, near, strict=True)]
        )
        for name in ("y", "x", "score", "boxes")
    )
    kept = _once(which, y, x, score, seam_px)
    frame = Box.of(0, 0, *shape)
    saliency, labels = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.int32)
    for number, (_, found) in enumerate(parts):
        seen, within = found.window.seen_in(frame).slices, frame.seen_in(found.window).slices
        saliency[seen] = np.maximum(saliency[seen], found.saliency[within])
        numbers = np.zeros(len(found.y) + 1, dtype=np.int32)
        mine = np.flatnonzero(which[kept] == number)
        numbers[rows[kept[mine]] + 1] = mine + 1
        own = numbers[found.labels[within]]
        labels[seen] = np.where(own > 0, own, labels[seen])
    return replace(
        max((found for _, found in parts), key=lambda found: found.logit),
        saliency=saliency,
        y=y[kept],
        x=x[kept],
        score=score[kept],
        labels=labels,
        boxes=np.clip(boxes[kept], 0, np.array(shape * 2)),
    )


def _near(own: Box, found: Detections, area: Box, seam_px: float) -> NDArray[np.int64]:
    """Rows of a window's detections that lie in the image, in its own part or a little beyond."""
    inside = np.ones(len(found.y), dtype=bool)
    for at, part, whole in ((found.y, own.y, area.y), (found.x, own.x, area.x)):
        inside &= at >= max(part.start - seam_px, whole.start)
        inside &= at < min(part.stop + seam_px, whole.stop)
    return np.flatnonzero(inside)


def _once(
    which: NDArray[np.int64],
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    score: NDArray[np.float64],
    seam_px: float,
) -> NDArray[np.int64]:
    """Rows from the surest on, without those that another window has seen surer near by."""
    kept: list[int] = []
    for row in np.argsort(-score, kind="stable").tolist():
        others = [one for one in kept if which[one] != which[row]]
        far = np.maximum(np.abs(y[others] - y[row]), np.abs(x[others] - x[row])) > seam_px
        if bool(far.all()):
            kept.append(row)
    return np.array(kept, dtype=np.int64)
