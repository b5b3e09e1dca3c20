"""Whether there is any cell: how much of the area has cell-scale texture above the noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.borders import valid_area
from livewell.measure.noise import Noise, energies, fine_scale, grey_step, noise_of

RISE = 3.0
"""Texture counts as a cell's where its amplitude is this many times the noise's."""
LEAST_SHARE = 0.002
"""A field with less than this share of its area textured is empty (about one spread cell of
60 px in a frame of 1344 x 1024)."""


def textured(
    frame: Frame, pixel_um: float | None = None, floor: Noise | None = None
) -> NDArray[np.bool_]:
    """Where a frame has the texture of cells.

    The frame is band-passed at the scale of cell detail (difference of Gaussians, 0.5 and 1.5 um);
    a place counts where the local amplitude is `RISE` times the noise's. So neither gain nor offset
    nor a gradient of the light matters. Debris and lines of a counting chamber count as cells.

    Parameters
    ----------
    frame
        Shape (y, x), any number type.
    pixel_um
        Edge of a pixel, micrometres; if unknown, about 0.33 is assumed.
    floor
        Noise to compare with; by default the frame's own.

    Returns
    -------
    array of bool
        Shape (y, x); false in registration borders and all over a constant frame.

    Raises
    ------
    ImageContentError
        The array is not a (y, x), or all zero.
    """
    area = valid_area(frame)
    found = np.zeros(frame.shape, dtype=bool)
    picture = frame[area.slices]
    if picture.min() != picture.max():
        fine_px = floor.fine_px if floor else fine_scale(pixel_um)
        band, fine = energies(picture, fine_px)
        if floor is None:
            floor = noise_of(band, fine, grey_step(picture), fine_px, homogeneous=True)
        found[area.slices] = band > (RISE * floor.amplitude) ** 2
    return found


def occupancy(frame: Frame, pixel_um: float | None = None, floor: Noise | None = None) -> float:
    """Share of a frame's area, without registration borders, that has the texture of cells.

    Parameters
    ----------
    frame, pixel_um, floor
        As in `textured`.

    Returns
    -------
    float
        0 to 1; 0 for a constant frame.

    Raises
    ------
    ImageContentError
        The array is not a (y, x), or all zero.
    """
    return float(textured(frame, pixel_um, floor)[valid_area(frame).slices].mean())


def shares(mask: NDArray[np.bool_], boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Share of each box that a mask such as `textured` covers.

    Parameters
    ----------
    mask
        Shape (y, x).
    boxes
        They may reach beyond the mask; only what lies inside counts, 0 where nothing does.

    Returns
    -------
    array of float64
        Shape (n,), 0 to 1.
    """
    parts = [
        mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        for y0, x0, y1, x1 in (box.corners for box in boxes)
    ]
    return np.array([part.mean() if part.size else 0.0 for part in parts], dtype=np.float64)


def has_cells(
    frame: Frame, pixel_um: float | None = None, least_share: float = LEAST_SHARE
) -> bool:
    """Whether at least `least_share` of the frame's area has the texture of cells.

    Parameters
    ----------
    frame, pixel_um
        As in `occupancy`.
    least_share
        0 to 1.

    Raises
    ------
    ImageContentError
        The array is not a (y, x), or all zero.
    """
    return occupancy(frame, pixel_um) >= least_share


def occupancies(
    stack: NDArray[Any], pixel_um: float | None = None, floor: Noise | None = None
) -> NDArray[np.float64]:
    """Share of each patch's area that has the texture of cells.

    Parameters
    ----------
    stack
        Patches in grey levels of one frame or of frames taken alike, shape (n, h, w).
    pixel_um
        As in `occupancy`.
    floor
        Noise, best that of the whole frame (`noise`); by default that of all patches together.

    Returns
    -------
    array of float64
        Shape (n,), 0 to 1.

    Raises
    ------
    ImageContentError
        The array is not (n, h, w).
    """
    if stack.ndim != 3 or 0 in stack.shape[1:]:
        raise ImageContentError(
            "not a stack of patches", expected="shape (n, h, w)", got=f"shape {stack.shape}"
        )
    if len(stack) == 0:
        return np.zeros(0)
    fine_px = floor.fine_px if floor else fine_scale(pixel_um)
    pairs = [energies(patch, fine_px) for patch in stack]
    band = np.stack([pair[0] for pair in pairs])
    if floor is None:
        fine = np.stack([pair[1] for pair in pairs])
        floor = noise_of(band, fine, grey_step(stack), fine_px, homogeneous=False)
    found = (band > (RISE * floor.amplitude) ** 2).mean(axis=(1, 2))
    return np.asarray(found, dtype=np.float64)
