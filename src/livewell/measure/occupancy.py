"""Whether there is any cell: how much of the area has cell-scale texture above the noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livewell.geometry import Box, WindowGrid, cover
from livewell.image import Frame, mirrored
from livewell.measure.borders import valid_area
from livewell.measure.noise import energies, fine_scale, grey_step, noise_of

RISE = 3.0
"""Texture counts as a cell's where its amplitude is this many times the noise's."""
LEAST_SHARE = 0.002
"""A field with less than this share of its area textured is empty (about one spread cell of
60 px in a frame of 1344 x 1024)."""
WHOLE_PX, TILE_PX, SAMPLED = 2**25, 2048, 9
"""Images of more pixels are looked at in tiles; of so many of them the noise is taken."""


class Occupancy(Protocol):
    """Tells patches with cells from empty ones."""

    def holds(self, planes: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.bool_]:
        """Whether each box of a frame (channels, y, x), of which `area` holds image, has cells."""
        ...


@dataclass(frozen=True, slots=True)
class Texture:
    """Occupancy by texture in the first channel: `LEAST_SHARE` of a box has that of cells.

    But for a rim of `rim_px`, which does not count.
    """

    pixel_um: float | None = None
    rim_px: int = 0

    def holds(self, planes: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.bool_]:
        """As `Occupancy.holds`."""
        middles = [box.widened(-self.rim_px) for box in boxes]
        return shares(textured(planes[0], self.pixel_um), middles) >= LEAST_SHARE


def textured(frame: Frame, pixel_um: float | None = None) -> NDArray[np.bool_]:
    """Where a frame has the texture of cells: bool (y, x), false in registration borders.

    The frame is band-passed at the scale of cell detail (difference of Gaussians, 0.5 and 1.5 um;
    about 0.33 um a pixel is assumed where it is unknown); a pixel counts where the local amplitude
    is `RISE` times the frame's own noise. So neither gain nor offset nor a
    gradient of the light matters. Debris and lines of a counting chamber count as cells.
    """
    area = valid_area(frame)
    found = np.zeros(frame.shape, dtype=bool)
    image = frame[area.slices]
    if image.min() == image.max():
        return found
    fine_px = fine_scale(pixel_um)
    if image.size > WHOLE_PX:
        _textured_by_tiles(image, fine_px, found[area.slices])
        return found
    band, fine = energies(image, fine_px)
    noise = noise_of(band, fine, grey_step(image), fine_px)
    found[area.slices] = band > (RISE * noise) ** 2
    return found


def _textured_by_tiles(image: Frame, fine_px: float, found: NDArray[np.bool_]) -> None:
    """`textured` of an image too large for its filters, tile by tile into `found`.

    The noise is that of `SAMPLED` tiles spread over the image.
    """
    halo = round(20 * fine_px)
    edge = TILE_PX + 2 * halo
    down, across = (
        cover(-(-length // TILE_PX), window_px=TILE_PX, stride_px=TILE_PX, tile_px=TILE_PX)
        for length in image.shape
    )
    boxes = [Box(row.read, column.read) for row in down for column in across]
    whole = Box.of(0, 0, *image.shape)
    some = [boxes[i] for i in np.linspace(0, len(boxes) - 1, SAMPLED).astype(int)]
    pairs = [energies(mirrored(image, whole, box), fine_px) for box in some]
    bands, fine = (np.stack(each) for each in zip(*pairs, strict=True))
    noise = noise_of(bands, fine, grey_step(image), fine_px)
    for box in boxes:
        band, _ = energies(mirrored(image, whole, box.widened(halo)), fine_px)
        own = box.common(whole)
        if own is not None:
            inner = band[halo : edge - halo, halo : edge - halo][: own.y.size, : own.x.size]
            found[own.slices] = inner > (RISE * noise) ** 2


def occupancy(frame: Frame, pixel_um: float | None = None) -> float:
    """Share of a frame's area, without registration borders, that has the texture of cells."""
    return float(textured(frame, pixel_um)[valid_area(frame).slices].mean())


def shares(mask: NDArray[np.bool_], boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Share of each box that a mask such as `textured` covers; beyond the mask nothing counts."""
    parts = [
        mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        for y0, x0, y1, x1 in (box.corners for box in boxes)
    ]
    return np.array([part.mean() if part.size else 0.0 for part in parts], dtype=np.float64)


def grid_shares(mask: NDArray[np.bool_], grid: WindowGrid) -> NDArray[np.float64]:
    """Share of every window (rows, columns) that a mask covers, mirrored beyond its edges."""
    whole = Box.of(0, 0, *mask.shape)
    found = np.empty(grid.shape)
    starts = np.arange(grid.columns) * grid.stride_px
    for row in range(grid.rows):
        first, last = grid.box(row, 0), grid.box(row, grid.columns - 1)
        strip = mirrored(mask, whole, Box(first.y, first.x.to(last.x)))
        summed = np.concatenate([[0], strip.sum(axis=0, dtype=np.int64).cumsum()])
        found[row] = summed[starts + grid.size_px] - summed[starts]
    return found / grid.size_px**2


def has_cells(frame: Frame, pixel_um: float | None = None) -> bool:
    """Whether at least `LEAST_SHARE` of the frame's area has the texture of cells."""
    return occupancy(frame, pixel_um) >= LEAST_SHARE
