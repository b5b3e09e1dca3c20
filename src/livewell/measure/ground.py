"""How an image was taken, by what cells cannot change: the ground where there are none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.geometry import Box
from livewell.image import Frame
from livewell.measure.noise import FINE_UM, energies, fine_scale, noise_of
from livewell.measure.occupancy import RISE

HALO_UM, HALO_PX = 8.0, 24
"""Ground begins so far from anything with the texture of cells, for haloes reach out from these;
the second where the pixel size is unknown."""
SMOOTH = 0.25
"""Ground has at most this share of the amplitude at the scale of whole cells that three quarters of
the frame stay below: between smooth cells of a dense layer there is none."""
LEAST_GROUND = 0.03
"""Share of a frame that has to be ground for anything to be measured there."""
BLOCK_PX = 8
"""Edge of the blocks that JPEG packs."""
GROUND = {
    "ground level": "brightness where no cells are",
    "ground noise": "noise where no cells are, of the brightness there",
    "ground grain": "how coarse the noise is where no cells are",
    "light down": "light rising from top to bottom where no cells are",
    "light across": "light rising from left to right where no cells are",
    "light to the rim": "light rising from the middle to the rim where no cells are",
    "ground blocks": "traces of JPEG's blocks where no cells are",
}
"""What is measured where no cells are, by name."""
WHOLE = {
    "brightness": "mean brightness",
    "contrast": "contrast (standard deviation)",
    "relative contrast": "contrast relative to brightness",
    "sharpness": "sharpness",
    "darkest": "brightness of the darkest 1%",
    "brightest": "brightness of the brightest 1%",
    "blocks": "traces of JPEG's blocks",
    "slope of light": "light rising from one side to the other",
    "area with cells": "area with the texture of cells",
}
"""What is measured on whole images, cells and all, by name."""
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6


def ground_of(
    image: Frame, cells: NDArray[np.bool_], pixel_um: float | None = None
) -> NDArray[np.bool_]:
    """Where no cell is, nor the halo of one: bool (y, x).

    Far from what has the texture of cells (`cells`, see `livewell.measure.occupancy.textured`), and
    smooth at the scale of whole cells too, by the frame's own noise or by `SMOOTH`.
    """
    halo = HALO_PX if pixel_um is None else HALO_UM / pixel_um
    far = np.ones_like(cells)
    if cells.any():
        far = np.asarray(ndimage.distance_transform_edt(~cells) > halo)
    rows, columns = (length // 2 * 2 for length in image.shape)
    half = image[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
    scale = 1.5 * fine_scale(pixel_um)
    band, fine = energies(half.mean(axis=(1, 3), dtype=np.float32), scale)
    noise = noise_of(band, fine, 0.0, scale)
    limit = max((RISE * noise) ** 2, SMOOTH**2 * float(np.quantile(band, 0.75)))
    smooth = np.zeros_like(cells)
    smooth[:rows, :columns] = np.kron(band < limit, np.ones((2, 2), dtype=bool))
    return far & smooth


def whole_measures(image: Frame, cells: NDArray[np.bool_]) -> dict[str, float]:
    """The numbers of `WHOLE` of a frame (y, x)."""
    pixels = image.astype(np.float32)
    mean, sd = float(pixels.mean()), float(pixels.std())
    fine = ndimage.convolve(pixels, _LAPLACIAN)
    low, high = np.percentile(pixels, (1, 99))
    down, across, _ = _light(pixels, np.ones(pixels.shape, dtype=bool))
    return {
        "brightness": mean,
        "contrast": sd,
        "relative contrast": sd / mean if mean > 0 else np.nan,
        "sharpness": float(fine.std()) / sd if sd > 0 else np.nan,
        "darkest": float(low),
        "brightest": float(high),
        "blocks": _blocks(pixels, np.ones(pixels.shape, dtype=bool)),
        "slope of light": float(np.hypot(down, across)),
        "area with cells": float(cells.mean()),
    }


def ground_measures(image: Frame, ground: NDArray[np.bool_]) -> dict[str, float]:
    """The numbers of `GROUND` of a frame (y, x); NaN where there is too little ground."""
    if ground.mean() < LEAST_GROUND:
        return dict.fromkeys(GROUND, np.nan)
    pixels = image.astype(np.float32)
    level = float(np.median(pixels[ground]))
    fine = ndimage.convolve(pixels, _LAPLACIAN)[ground]
    noise = 1.4826 * float(np.median(np.abs(fine - np.median(fine))))
    spread = float(fine.std())
    coarse = _differences(pixels, ground, 3)
    down, across, rim = _light(pixels, ground)
    unit = level if level > 0 else 1.0
    return {
        "ground level": level,
        "ground noise": (spread if noise == 0 else noise) / unit,
        "ground grain": spread / coarse if coarse > 0 else np.nan,
        "light down": down / unit,
        "light across": across / unit,
        "light to the rim": rim / unit,
        "ground blocks": _blocks(pixels, ground),
    }


def empty_boxes(ground: NDArray[np.bool_], edge_px: int, most: int) -> list[Box]:
    """At most so many boxes of a regular grid that hold ground only, spread over the frame."""
    rows, columns = (length // edge_px for length in ground.shape)
    if not rows * columns:
        return []
    inside = ground[: rows * edge_px, : columns * edge_px]
    free = inside.reshape(rows, edge_px, columns, edge_px).all(axis=(1, 3))
    at = np.argwhere(free) * edge_px
    chosen = at[np.unique(np.linspace(0, len(at) - 1, min(most, len(at))).astype(int))]
    return [Box.of(y, x, y + edge_px, x + edge_px) for y, x in chosen.tolist()]


def patch_edge(pixel_um: float | None) -> int:
    """Edge of an empty patch, pixels: 20 um, and 32 to 96 pixels."""
    return int(np.clip(round(40 * FINE_UM / (pixel_um or FINE_UM)), 32, 96))


def _light(pixels: NDArray[np.float32], where: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Rise of the light over the frame, down, across, and from the middle to the rim."""
    # a coarse grid of medians: a few bright specks do not tilt the plane
    size = max(min(pixels.shape) // 24, 1)
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    if rows < 3 or columns < 3:
        return np.nan, np.nan, np.nan

    def blocks(values: NDArray[Any]) -> NDArray[Any]:
        cut = values[: rows * size, : columns * size].reshape(rows, size, columns, size)
        return np.asarray(cut.sum(axis=(1, 3), dtype=np.float64))

    count = blocks(where)
    known = count >= size * size / 2
    if known.sum() < 12:
        return np.nan, np.nan, np.nan
    mean = blocks(np.where(where, pixels, 0))[known] / count[known]
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    y, x = y[known], x[known]
    design = np.column_stack([np.ones(len(mean)), y, x, x * x + y * y])
    (_, down, across, rim), *_ = np.linalg.lstsq(design, mean, rcond=None)
    return float(2 * down), float(2 * across), float(rim)


def _blocks(pixels: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """How much neighbours differ across the lines of a grid of `BLOCK_PX` more than between them.

    Logarithm of the greatest of eight mean differences, by where the grid begins, over their
    median, down and across together.
    """
    found = []
    for axis in (0, 1):
        step = np.abs(np.diff(pixels, axis=axis))
        both = np.logical_and(
            *(np.take(where, range(n, where.shape[axis] - 1 + n), axis) for n in (0, 1))
        )
        sums = (step * both).sum(axis=1 - axis, dtype=np.float64)
        counts = both.sum(axis=1 - axis)
        phase = np.arange(len(sums)) % BLOCK_PX
        many = np.bincount(phase, counts, BLOCK_PX)
        if (many == 0).any():
            return np.nan
        means = np.bincount(phase, sums, BLOCK_PX) / many
        middle = float(np.median(means))
        found.append(np.log(means.max() / middle) if middle > 0 else 0.0)
    return float(np.mean(found))


def _differences(pixels: NDArray[np.float32], where: NDArray[np.bool_], lag: int) -> float:
    """Standard deviation of pixels so far apart, of one value under white noise."""
    one, other = pixels[:, lag:], pixels[:, :-lag]
    both = where[:, lag:] & where[:, :-lag]
    if not both.any():
        return np.nan
    return float((one - other)[both].std()) / 2**0.5
