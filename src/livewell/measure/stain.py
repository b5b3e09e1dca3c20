"""How brightly a death stain shines in a patch over its background, and how much it lights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.borders import checked_frame

LEAST_RATIO = 0.5
"""Ratios to the background below this are noise, and count as this in logarithms."""
CLIP_SDS = 3.0
"""Pixels this many standard deviations above the background's centre count as lit."""


def means(frame: Frame, boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Mean stain in each box, counts: what Pattarone et al. 2021 decide labels on."""
    whole = Box.of(0, 0, *checked_frame(frame).shape)
    for box in boxes:
        if not whole.contains(box):
            raise ImageContentError(
                "a box reaches beyond the frame",
                expected=f"within {whole.corners}",
                got=str(box.corners),
                remedy="leave patches beyond the edge out, or take a grid inside the frame",
            )
    return np.array([frame[box.slices].mean(dtype=np.float64) for box in boxes], dtype=np.float64)


def background(frame: Frame) -> float:
    """Level of the unlit background, counts, see `background_and_sd`."""
    return background_and_sd(frame)[0]


def background_and_sd(frame: Frame) -> tuple[float, float]:
    """Level of the unlit background and its standard deviation, counts.

    Exact zeros (registration borders) are left out, unless most of the frame is zero.

    The median of what is left after all that is brighter than the median by
    `CLIP_SDS` standard deviations has been taken away, again and again until nothing more goes;
    the standard deviation comes from the darker half only, where no lit cell reaches (one-sided
    form of the clipping in Bertin & Arnouts 1996, SExtractor, section 7.1). Holds while less than
    half of the frame is lit.
    """
    lit = checked_frame(frame) != 0
    values = (frame if 0 < 2 * np.count_nonzero(lit) < lit.size else frame[lit]).astype(np.float64)
    if values.size == 0:
        raise ImageContentError(
            "no background to measure",
            expected="pixels that are not zero",
            got="none",
            remedy="look whether the channel is the right one",
        )
    # half a count keeps frames of a single level from clipping themselves away
    least = 0.5 if frame.dtype.kind in "bui" else 0.0
    while True:
        centre = np.median(values)
        below = centre - values[values < centre]
        # 1.4826 turns the median deviation of a normal distribution into its standard deviation
        spread = max(1.4826 * float(np.median(below)) if below.size else 0.0, least)
        kept = values[values <= centre + CLIP_SDS * spread]
        if kept.size == values.size:
            return float(centre), spread
        values = kept


def lit_share(frame: Frame, area: Box, above: float) -> float:
    """Share of an area that is brighter than so many counts."""
    return float((frame[area.slices] > above).mean())


def highest_level(frame: Frame) -> float:
    """The highest level that the frame's number type can hold; infinite for fractions."""
    return float(np.iinfo(frame.dtype).max) if frame.dtype.kind in "ui" else float("inf")


def reaches(frame: Frame, boxes: Sequence[Box], level: float) -> NDArray[np.bool_]:
    """Whether a pixel of each box has this level, counts, or more."""
    return np.array([bool((frame[box.slices] >= level).any()) for box in boxes], dtype=np.bool_)


def eight_bit(frame: Frame, area: Box) -> Frame:
    """The frame in whole levels from 0 to 255, linear from the lowest to the highest in `area`.

    A frame's brightest pixel sets its scale, so that levels of several frames do not compare.
    """
    inside = frame[area.slices]
    low, high = float(inside.min()), float(inside.max())
    scaled = (frame.astype(np.float64) - low) * 255 / (high - low or 1.0)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def ratio(
    values: NDArray[Any], background_counts: float, offset_counts: float = 0.0
) -> NDArray[np.float64]:
    """``(values - offset) / (background - offset)``, free of gain and of the camera's offset."""
    if not background_counts > offset_counts:
        raise ImageContentError(
            "a background that is not above the camera's offset",
            expected=f"more than {offset_counts:g} counts",
            got=f"{background_counts:g}",
            remedy="give the offset of this camera, or decide on the mean instead of the ratio",
        )
    return (np.asarray(values, dtype=np.float64) - offset_counts) / (
        background_counts - offset_counts
    )


def log_ratio(
    values: NDArray[Any], background_counts: float, offset_counts: float = 0.0
) -> NDArray[np.float32]:
    """Natural logarithm of `ratio`, which counts as `LEAST_RATIO` below it."""
    found = ratio(values, background_counts, offset_counts)
    return np.log(np.maximum(found, LEAST_RATIO)).astype(np.float32)
