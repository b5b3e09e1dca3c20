"""Pictures of any size seen by a net that was trained on whole frames of one size."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import Box, Span, starts
from livewell.image import Frame, mirrored
from livewell.inference.detections import Finder, Places
from livewell.progress import Tick

SEAM = 1.5
"""Places of two windows nearer than this are one, strides of the class maps."""


@dataclass(frozen=True, slots=True)
class FieldDetections:
    """What a net sees where in one picture.

    Parameters
    ----------
    logit
        Log odds of the positive class for the picture: the highest of its windows, each pooled over
        the places that lie in the picture.
    places
        Of the whole picture: ``saliency`` and ``labels`` are (h, w) of the picture; ``maps`` are
        those of the surest window.
    window
        Where the surest window lies.
    """

    logit: float
    places: Places
    window: Box


def windows(
    shape: tuple[int, ...], area: Box, frame_px: tuple[int, int], overlap_px: int
) -> list[tuple[Box, Box]]:
    """Windows of the training frames' size over a picture, and the part that is each one's own.

    A picture of the training frames' size has one window, and so has a smaller one: it lies in the
    window's middle, and beyond it the picture is mirrored. A larger one has several that overlap,
    each with a part of its own.

    Parameters
    ----------
    shape
        Height and width of the picture.
    area
        Its part that holds picture, without registration borders.
    frame_px
        Height and width of the training frames.
    overlap_px
        How far neighbours overlap at least, but for half a window at most: a place's field of
        view, so that each place is judged with all that it sees.

    Returns
    -------
    list of (Box, Box)
        Window and own part; the own parts cover `area` once.
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
    """Where a net sees the positive class in one picture.

    Parameters
    ----------
    finder
        Net and settings.
    frame
        (y, x) or (channels, y, x), any number type, at the net's pixel size.
    area
        The part that holds picture.
    tick
        Of one unit, the picture: told of every window.

    Raises
    ------
    SpecError
        The net does not say which frames it was trained on.
    ImageContentError
        The frame has no background above zero, for a net on contrast against it.
    """
    if finder.net.frame_px is None:
        raise SpecError("the net does not say how large its training frames were")
    parts = []
    planes = frame if frame.ndim == 3 else frame[None]
    shape = planes.shape[1:]
    laid = windows(shape, area, finder.net.frame_px, finder.field_px)
    for window, own in laid:
        pixels = np.array(mirrored(planes, area, window), dtype=np.float32)
        # what is mirrored beyond the picture is not in it
        seen = area.seen_in(window)
        (found,) = finder(torch.from_numpy(pixels)[None], [seen])
        logit = finder.pooled(found.maps, seen)
        parts.append(_Part(window, own, found, logit))
        if tick:
            tick(1 / len(laid))
    surest = max(parts, key=lambda part: part.logit)
    places = _joined(parts, surest.places, area, shape, SEAM * finder.stride_px)
    return FieldDetections(surest.logit, replace(places, logit=surest.logit), surest.window)


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
    """Places of all windows in pixels of the picture, each once.

    A window lists what lies in its own part and a little beyond, for two windows may see one object
    on either side of their border; of places so near each other the surer one is kept.
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
        boxes=_cut(boxes[kept].astype(np.int64), shape),
    )


def _moved(part: _Part, name: str) -> NDArray[np.float64]:
    """A column of a window's places, in pixels of the picture."""
    top, left = part.window.y.start, part.window.x.start
    off = {"y": np.array(top), "x": np.array(left), "boxes": np.array([top, left, top, left])}
    values: NDArray[np.float64] = getattr(part.places, name) + off.get(name, np.array(0))
    return values


def _near(part: _Part, area: Box, seam_px: float) -> NDArray[np.int64]:
    """Rows of a window's places that lie in the picture, in its own part or a little beyond."""
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


def _cut(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Boxes without what lies beyond the picture."""
    height, width = shape
    return np.clip(boxes, 0, np.array([height, width, height, width]))
