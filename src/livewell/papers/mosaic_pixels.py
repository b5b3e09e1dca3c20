"""Frames side by side in one, and a frame made smaller by averaging areas."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize_local_mean

from livewell.errors import GeometryError, ImageContentError
from livewell.image import Frame
from livewell.measure.borders import checked_frame


def mosaic(frames: Sequence[Frame], rows: int, columns: int) -> Frame:
    """Frames in a grid, filled row by row.

    Parameters
    ----------
    frames
        As many as `rows` x `columns`, each of shape (h, w), of one shape and number type.
    rows, columns
        Of the grid, at least 1.

    Returns
    -------
    ndarray
        Shape (rows h, columns w), in the frames' number type.

    Raises
    ------
    GeometryError
        Another number of frames than the grid has places.
    ImageContentError
        A frame is not a non-empty (h, w), or they differ in shape or number type.

    Notes
    -----
    Source: Sailem et al. 2017, section 3.1: a 2 x 2 grid of images of a class.
    """
    if min(rows, columns) < 1 or len(frames) != rows * columns:
        raise GeometryError(
            "frames that do not fill the grid",
            expected=f"a grid of 1 x 1 or more, and {max(rows * columns, 1)} frames",
            got=f"{rows} x {columns}, and {len(frames)} frames",
        )
    kinds = [f"{checked_frame(f).shape[0]} x {f.shape[1]} px, {f.dtype.name}" for f in frames]
    if len(set(kinds)) > 1:
        raise ImageContentError(
            "frames of several sizes or number types make no mosaic",
            expected="one shape and one number type",
            got="; ".join(f"frame {number}: {kind}" for number, kind in enumerate(kinds)),
        )
    return np.block([list(frames[row * columns : (row + 1) * columns]) for row in range(rows)])


def reduced(frame: Frame, shape: tuple[int, int]) -> Frame:
    """A frame made smaller: each new pixel is the mean of the area that it covers.

    Parameters
    ----------
    frame
        Shape (y, x), whole numbers or floats.
    shape
        Height and width to reach, pixels; neither larger than the frame's. The two may shrink by
        different factors, and by factors that are not whole.

    Returns
    -------
    ndarray
        Shape `shape`, in the frame's number type. The mean stays what it was, but for rounding of
        whole numbers (half a grey level at most); no detail finer than the new pixels is folded
        into coarser ones, as sampling would.

    Raises
    ------
    GeometryError
        `shape` is larger than the frame, or empty.
    ImageContentError
        The array is not a non-empty (y, x), or not of numbers.
    """
    height, width = checked_frame(frame).shape
    if not (1 <= shape[0] <= height and 1 <= shape[1] <= width):
        raise GeometryError(
            "a frame is made smaller, never larger",
            expected=f"a height of 1 to {height} and a width of 1 to {width} px",
            got=f"{shape[0]} x {shape[1]}",
            remedy="ask for a smaller size",
        )
    if frame.dtype.kind not in "uif":
        raise ImageContentError("not an image of numbers", got=frame.dtype.name)
    if shape == (height, width):
        return frame.copy()
    # scikit-image says nothing of its types
    resize: Callable[..., NDArray[np.float64]] = resize_local_mean
    means = resize(frame.astype(np.float64), shape, preserve_range=True)
    if frame.dtype.kind in "ui":
        limits = np.iinfo(frame.dtype)
        means = np.clip(np.rint(means), limits.min, limits.max)
    smaller: Frame = means.astype(frame.dtype)
    return smaller
