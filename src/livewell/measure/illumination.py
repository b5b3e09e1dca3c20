"""How evenly a frame is lit."""

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.image import Frame
from livewell.measure.borders import valid_area

BLOCKS = 8
"""Blocks a side whose medians stand for the background."""


def unevenness(frame: Frame, offset_counts: float = 0.0) -> float:
    """Brightest over darkest background of a frame.

    The background is a surface of second order through the medians of `BLOCKS` x `BLOCKS` blocks,
    which single cells do not move.

    Parameters
    ----------
    frame
        Shape (y, x), any number type; registration borders are left out.
    offset_counts
        What the camera gives in the dark.

    Returns
    -------
    float
        At least 1; infinite where the surface falls to the offset or below.

    Raises
    ------
    ImageContentError
        The frame is all zero, or smaller than one pixel a block.
    """
    picture = frame[valid_area(frame).slices]
    if min(picture.shape) < BLOCKS:
        raise ImageContentError(
            "too small to measure its illumination",
            expected=f"at least {BLOCKS} px a side",
            got=f"shape {picture.shape}",
        )
    medians = np.array(
        [
            [np.median(block) for block in np.array_split(row, BLOCKS, axis=1)]
            for row in np.array_split(picture, BLOCKS, axis=0)
        ]
    )
    middle = 1 - 1 / BLOCKS
    weights, *_ = np.linalg.lstsq(_terms(middle), medians.ravel() - offset_counts, rcond=None)
    surface = _terms(1.0) @ weights
    return float(surface.max() / surface.min()) if surface.min() > 0 else float("inf")


def _terms(reach: float) -> NDArray[np.float64]:
    """Terms of a surface of second order, on a grid from -reach to reach (1: the frame's edge)."""
    y, x = np.mgrid[-reach : reach : BLOCKS * 1j, -reach : reach : BLOCKS * 1j]
    return np.stack([np.ones_like(y), y, x, y * y, x * y, x * x], axis=-1).reshape(-1, 6)
