"""Nuclei in a mask: where they are, and what is measured inside of them."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.borders import checked_frame

Numbers = NDArray[np.int64]


def numbered(mask: Frame, where: str = "") -> Numbers:
    """Which nucleus each pixel belongs to, (y, x): 1 to the number of nuclei; 0 is background.

    A mask of one value beside 0, such as of truth values, does not tell nuclei apart: pixels that
    touch, also at a corner, are one there. An `ImageContentError` for levels that are no numbers of
    nuclei.
    """
    levels = checked_frame(mask)
    if not (np.isfinite(levels).all() and (levels % 1 == 0).all() and levels.min() >= 0):
        raise ImageContentError(
            "not a mask of nuclei",
            where=where,
            expected="whole numbers: 0 outside of nuclei, the number of the nucleus inside",
            got=f"{levels.min():g} to {levels.max():g}, {levels.dtype}",
            remedy="name a mask, not an image of nuclei",
        )
    found, numbers = np.unique(levels, return_inverse=True)
    if len(found) - int(found[0] == 0) <= 1:
        return np.asarray(ndimage.label(levels, np.ones((3, 3)))[0], dtype=np.int64)
    return numbers.reshape(levels.shape) + int(found[0] != 0)


def centres(nuclei: Numbers) -> NDArray[np.float64]:
    """(n, 2): middle (y, x) of every nucleus, where pixel i covers [i, i + 1)."""
    each = np.arange(1, nuclei.max() + 1)
    found = ndimage.center_of_mass(nuclei > 0, nuclei, each)
    return np.array(found, dtype=np.float64).reshape(-1, 2) + 0.5


def medians(nuclei: Numbers, frame: Frame) -> NDArray[np.float64]:
    """(n,): median level inside every nucleus."""
    each = np.arange(1, nuclei.max() + 1)
    return np.array(ndimage.median(frame, nuclei, each), dtype=np.float64).reshape(-1)


def beyond(nuclei: Numbers, area: Box | None) -> NDArray[np.bool_]:
    """(n,): whether a pixel of every nucleus lies outside an area, such as in a border."""
    outside = np.ones(nuclei.shape, dtype=bool)
    if area is not None:
        outside[area.slices] = False
    return np.bincount(nuclei[outside], minlength=int(nuclei.max()) + 1)[1:] > 0
