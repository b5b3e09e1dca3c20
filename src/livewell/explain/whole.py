"""Pictures of any size seen by a net that was trained on whole frames of one size."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.explain.places import Finder, Places
from livewell.geometry import Box, Span, starts
from livewell.image import Frame, mirrored


@dataclass(frozen=True, slots=True)
class Seen:
    """What a net sees where in one picture.

    Parameters
    ----------
    logit
        Log odds of the positive class for the picture: the highest of its windows.
    places
        Of the whole picture: ``saliency`` and ``labels`` are (h, w) of the picture; ``maps`` are
        those of the surest window.
    window
        Where the surest window lies.
    """

    logit: float
    places: Places
    window: Box


def windows(area: Box, frame_px: tuple[int, int], overlap_px: int) -> list[tuple[Box, Box]]:
    """Windows of the training frames' size over a picture, and the part that is each one's own.

    A picture of the training frames' size has one window, and so has a smaller one: it lies in the
    window's middle, and beyond it the picture is mirrored. A larger one has several that overlap;
    what is found is listed for the window whose own part it lies in, so nothing is listed twice.

    Parameters
    ----------
    area
        The part that holds picture, without registration borders.
    frame_px
        Height and width of the training frames.
    overlap_px
        How far neighbours overlap at least: a place's field of view, so that each place is judged
        with all that it sees.

    Returns
    -------
    list of (Box, Box)
        Window and own part; the own parts cover `area` once.
    """
    lines = [
        _line(span, size, overlap_px) for span, size in zip((area.y, area.x), frame_px, strict=True)
    ]
    return [
        (Box(window_y, window_x), Box(own_y, own_x))
        for window_y, own_y in lines[0]
        for window_x, own_x in lines[1]
    ]


def _line(span: Span, size: int, overlap: int) -> list[tuple[Span, Span]]:
    """Windows of one axis, and their own parts."""
    if span.size <= size:
        first = span.start - (size - span.size) // 2
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


def look_over(finder: Finder, frame: Frame, area: Box) -> Seen:
    """Where a net sees the positive class in one picture.

    Parameters
    ----------
    finder
        Net and settings.
    frame
        (y, x), any number type, at the net's pixel size.
    area
        The part that holds picture.

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
    for window, own in windows(area, finder.net.frame_px, finder.field_px):
        pixels = np.array(mirrored(frame, area, window), dtype=np.float32)
        (found,) = finder(torch.from_numpy(pixels)[None])
        parts.append((window, own, found))
    window, _, surest = max(parts, key=lambda part: part[2].logit)
    return Seen(surest.logit, _joined(parts, surest, frame.shape), window)


def _joined(parts: list[tuple[Box, Box, Places]], surest: Places, shape: tuple[int, ...]) -> Places:
    """Places of all windows, each window's own only, in pixels of the picture."""
    saliency = np.zeros(shape, dtype=np.float32)
    labels = np.zeros(shape, dtype=np.int32)
    y, x, score, boxes = [], [], [], []
    count = 0
    for window, own, found in parts:
        top, left = window.y.start, window.x.start
        seen = window.common(Box.of(0, 0, *shape))
        if seen is None:
            continue
        inside = (found.y + top >= own.y.start) & (found.y + top < own.y.stop)
        inside &= (found.x + left >= own.x.start) & (found.x + left < own.x.stop)
        numbers = np.zeros(len(found.y) + 1, dtype=np.int32)
        numbers[1:][inside] = count + 1 + np.arange(int(inside.sum()))
        count += int(inside.sum())
        within = np.s_[
            seen.y.start - top : seen.y.stop - top, seen.x.start - left : seen.x.stop - left
        ]
        saliency[seen.slices] = np.maximum(saliency[seen.slices], found.saliency[within])
        own_labels = numbers[found.labels[within]]
        view = labels[seen.slices]
        view[own_labels > 0] = own_labels[own_labels > 0]
        y.append(found.y[inside] + top)
        x.append(found.x[inside] + left)
        score.append(found.score[inside])
        boxes.append(_cut(found.boxes[inside] + np.array([top, left, top, left]), shape))
    order = np.argsort(-np.concatenate(score), kind="stable")
    rank = np.zeros(count + 1, dtype=np.int32)
    rank[order + 1] = np.arange(1, count + 1)
    return replace(
        surest,
        saliency=saliency,
        y=np.concatenate(y)[order],
        x=np.concatenate(x)[order],
        score=np.concatenate(score)[order],
        labels=rank[labels],
        boxes=np.concatenate(boxes)[order],
    )


def _cut(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Boxes without what lies beyond the picture."""
    height, width = shape
    return np.clip(boxes, 0, np.array([height, width, height, width]))
