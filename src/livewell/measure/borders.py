"""The part of a frame that holds an image, without the zeros that registration leaves at edges."""

import numpy as np

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame

BORDER_SHARE = 0.10
"""An edge row or column is border where more than this share of it is exactly zero."""


def valid_area(frame: Frame) -> Box:
    """The frame without registration borders.

    From the outside inwards, the edge row or column (of what is left) with the largest share of
    exact zeros is taken away as long as that share exceeds `BORDER_SHARE` + 2 * the share of zeros
    in the middle of the frame (half its height and width). So a dark image, whose zeros are
    everywhere, keeps its edges, and from 45% of zeros inside nothing is taken away at all. An
    `ImageContentError` where every pixel is zero.
    """
    zero = checked_frame(frame) == 0
    if zero.all():
        raise ImageContentError(
            "every pixel is zero",
            expected="an image",
            remedy="look whether the file or the channel is the right one",
        )
    if not (zero[[0, -1]].any() or zero[:, [0, -1]].any()):
        return Box.of(0, 0, *zero.shape)
    height, width = zero.shape
    middle = zero[height // 4 : height - height // 4, width // 4 : width - width // 4]
    return _trimmed(zero, BORDER_SHARE + 2 * float(middle.mean()))


def checked_frame(frame: Frame) -> Frame:
    """`frame` itself, if it is a non-empty (y, x) array of real numbers."""
    if frame.ndim != 2 or frame.size == 0 or frame.dtype.kind not in "buif":
        raise ImageContentError(
            "not one frame of one channel",
            expected="a non-empty (y, x) array of real numbers",
            got=f"shape {frame.shape}, type {frame.dtype}",
            remedy="take one time point and one channel",
        )
    return frame


def _trimmed(zero: np.ndarray, least: float) -> Box:
    y0, x0, (y1, x1) = 0, 0, zero.shape
    rows, columns = zero.sum(axis=1), zero.sum(axis=0)
    while y1 - y0 > 1 and x1 - x0 > 1:
        shares = (
            rows[y0] / (x1 - x0),
            rows[y1 - 1] / (x1 - x0),
            columns[x0] / (y1 - y0),
            columns[x1 - 1] / (y1 - y0),
        )
        side = int(np.argmax(shares))
        if shares[side] <= least:
            break
        if side == 0:
            columns -= zero[y0]
            y0 += 1
        elif side == 1:
            y1 -= 1
            columns -= zero[y1]
        elif side == 2:
            rows -= zero[:, x0]
            x0 += 1
        else:
            x1 -= 1
            rows -= zero[:, x1]
    return Box.of(y0, x0, y1, x1)
