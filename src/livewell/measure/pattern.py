"""What images of different fields have in common: dust, rulings, a camera's pattern."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_IMAGES = 16
"""Images of one kind from which what most of them show is known."""
MOSTLY = 0.8
"""Correlation with the common pattern from which a frame shows little else."""


def without_pattern(
    thumbnails: NDArray[np.float32], kinds: Sequence[str], images: NDArray[Any]
) -> NDArray[np.float32]:
    """Thumbnails (n, y, x) without what most images of one kind have in common.

    The pattern is the median over images, of each the first frame; half of them may be copies of
    one. A frame that shows little else is left empty, and so like no other. Where most frames are
    such, the pattern is the field itself, and stays.

    Parameters
    ----------
    thumbnails, kinds, images
        One row a frame; what names its size and part, and the image it is of.
    """
    found = thumbnails.copy()
    for kind in sorted(set(kinds)):
        rows = np.flatnonzero(np.array(kinds) == kind)
        _, first = np.unique(images[rows].astype("str"), return_index=True)
        if len(first) < LEAST_IMAGES:
            continue
        pattern = np.median(thumbnails[rows[first]], axis=0)
        length = np.sqrt((thumbnails[rows] ** 2).sum(axis=(1, 2)) * (pattern**2).sum())
        alike = (thumbnails[rows] * pattern).sum(axis=(1, 2)) / np.maximum(length, 1e-6)
        mostly = alike >= MOSTLY
        if mostly[first].mean() <= 0.5:
            kept = thumbnails[rows] - pattern
            kept[mostly] = 0
            found[rows] = kept
    return found
