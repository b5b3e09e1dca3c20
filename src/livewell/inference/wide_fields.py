"""Images of any size seen by a net that was trained on whole frames of one size."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import SpecError
from livewell.geometry import Box, Span, starts
from livewell.image import Frame, mirrored
from livewell.inference.detections import Finder, Places
from livewell.measure.peaks import Map
from livewell.progress import Tick

SEAM = 1.5
"""Detections of two windows nearer than this are one, strides of the class maps."""


@dataclass(frozen=True, slots=True)
class FieldDetections:
    """What a net sees where in one image.

    Parameters
    ----------
    logit
        Log odds of the positive class for the image: the highest of its windows, each pooled over
        the cells that lie in the image.
    places
        Of the whole image: ``saliency`` and ``labels`` are (h, w) of the image; ``maps`` are those
        of the surest window.
    window
        Where the surest window lies.
    """

    logit: float
    places: Places
    window: Box


def windows(
    shape: tuple[int, ...], area: Box, frame_px: tuple[int, int], overlap_px: int
) -> list[tuple[Box, Box]]:
    """Windows of the training frames' size over an image, and the part that is each one's own.

    An image of the training frames' size has one window, and so has a smaller one: it lies in the
    window's middle, and beyond it the image is mirrored. A larger one has several that overlap,
    each with a part of its own; these cover `area` once.

    Parameters
    ----------
    area
        The part of the image without registration borders.
    overlap_px
        How far neighbours overlap at least, but for half a window at most: a cell's field of view,
        so that each cell is judged with all that it sees.
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
        # as training frames lie: round the picture's middle, borders or not
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


def look_over(finder: Finder, frame: Frame, area: Box, tick: Tick | None = None) -> FieldDetections:
    """Where a net sees the positive class in one image, (y, x) or (channels, y, x).

    `tick` is of one unit, the image, and told of every window.

    Raises
    ------
    SpecError
        The net does not say which frames it was trained on.
    ImageContentError
        The frame has no background above zero, for a net on contrast against it.
    """
    parts = []
    laid = list(_laid(finder, frame, area))
    for window, own, seen in laid:
        (found,) = finder(_pixels(frame, area, window), [seen])
        scores = finder.pooled(found.maps, seen)
        parts.append(_Part(window, own, found, float(scores[1] - scores[0])))
        if tick:
            tick(1 / len(laid))
    surest = max(parts, key=lambda part: part.logit)
    shape = frame.shape[-2:]
    places = _joined(parts, surest.places, area, shape, SEAM * finder.stride_px)
    return FieldDetections(surest.logit, replace(places, logit=surest.logit), surest.window)


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


@dataclass(frozen=True, slots=True)
class _Part:
    """One window, its own part, and what was found in it."""

    window: Box
    own: Box
    places: Places
    logit: float


def _joined(
    parts: list[_Part], surest: Places, area: Box, shape: tuple[int, ...], seam_px: float
) -> Places:
    """Detections of all windows in pixels of the image, each once.

    A window lists what lies in its own part and a little beyond, for two windows may see one object
    on either side of their border; of such so near each other the surer one is kept.
    """
    saliency = np.zeros(shape, dtype=np.float32)
    near = [_near(part, area, seam_px) for part in parts]
    which = np.concatenate([np.full(len(rows), number) for number, rows in enumerate(near)])
    rows = np.concatenate(near)
    y, x, score, boxes = (
        np.concatenate([_moved(part, name)[mine] for part, mine in zip(parts, near, strict=True)])
        for name in ("y", "x", "score", "boxes")
    )
    kept = _once(which, y, x, score, seam_px)
    labels = np.zeros(shape, dtype=np.int32)
    for number, part in enumerate(parts):
        window = part.window
        seen = window.common(Box.of(0, 0, *shape))
        if seen is None:
            continue
        top, left = window.y.start, window.x.start
        within = np.s_[
            seen.y.start - top : seen.y.stop - top, seen.x.start - left : seen.x.stop - left
        ]
        saliency[seen.slices] = np.maximum(saliency[seen.slices], part.places.saliency[within])
        numbers = np.zeros(len(part.places.y) + 1, dtype=np.int32)
        mine = np.flatnonzero(which[kept] == number)
        numbers[rows[kept[mine]] + 1] = mine + 1
        own = numbers[part.places.labels[within]]
        view = labels[seen.slices]
        view[own > 0] = own[own > 0]
    return replace(
        surest,
        saliency=saliency,
        y=y[kept],
        x=x[kept],
        score=score[kept],
        labels=labels,
        boxes=np.clip(boxes[kept].astype(np.int64), 0, np.array(shape * 2)),
    )


def _moved(part: _Part, name: str) -> NDArray[np.float64]:
    """A column of a window's detections, in pixels of the image."""
    top, left = part.window.y.start, part.window.x.start
    off = {"y": np.array(top), "x": np.array(left), "boxes": np.array([top, left, top, left])}
    values: NDArray[np.float64] = getattr(part.places, name) + off.get(name, np.array(0))
    return values


def _near(part: _Part, area: Box, seam_px: float) -> NDArray[np.int64]:
    """Rows of a window's detections that lie in the image, in its own part or a little beyond."""
    y, x = _moved(part, "y"), _moved(part, "x")
    inside = np.ones(len(y), dtype=bool)
    for at, own, whole in ((y, part.own.y, area.y), (x, part.own.x, area.x)):
        inside &= at >= max(own.start - seam_px, whole.start)
        inside &= at < min(own.stop + seam_px, whole.stop)
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
