"""Maps of a fixed backbone over a field: how their cells lie, and means of squares of them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from livewell.models.nets.lite0 import Layer

ZOOM_STEP = 4
"""Zooms are whole numbers of 1 / `ZOOM_STEP`, so that parts of a field can share one grid."""
GRID_PX = 32 * ZOOM_STEP
"""Pixels of the field after which all grids of cells of all zooms meet again."""


class FieldMap(NamedTuple):
    """The map of one layer over a part of a field, and how its cells lie."""

    values: Tensor
    """(channels, rows, columns)."""
    zoom: float
    layer: Layer

    def corners(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows and columns (4, n) of the cells around places (n, 2), and their shares, bilinear.

        Places are pixels of the part from its corner; beyond the outermost cells nothing changes.
        """
        cells = (places * self.zoom - self.layer.first_px) / self.layer.stride_px
        most = torch.tensor(self.values.shape[-2:], device=places.device) - 1
        cells = torch.minimum(cells.clamp_min(0), most)
        low = cells.floor().long()
        high = torch.minimum(low + 1, most)
        (y, x), (y0, x0), (y1, x1) = (cells - low).T, low.T, high.T
        rows, columns = torch.stack([y0, y0, y1, y1]), torch.stack([x0, x1, x0, x1])
        shares = torch.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x])
        return rows, columns, shares

    def squares(self, places: Tensor, edge: int) -> tuple[Tensor, Tensor]:
        """Shares of every row (n, rows) and column (n, columns) in squares around places.

        Of `edge` cells around the cells of `corners`, of those within the map, bilinear between.
        """
        rows, columns, shares = self.corners(places)
        height, width = self.values.shape[-2:]
        down = _lines(
            rows[::2], torch.stack([shares[0] + shares[1], shares[2] + shares[3]]), height, edge
        )
        across = _lines(
            columns[:2], torch.stack([shares[0] + shares[2], shares[1] + shares[3]]), width, edge
        )
        return down, across


def stepped(zoom: float) -> float:
    """The zoom that is taken for this one."""
    return max(round(zoom * ZOOM_STEP), 1) / ZOOM_STEP


def zoomed(field: Tensor, zoom: float) -> Tensor:
    """(channels, h, w) -> (1, channels, h', w'), mirrored up to whole cells of 32 px."""
    pixels = field[None]
    least = math.ceil(1 / zoom)
    short = [max(least - size, 0) for size in pixels.shape[-2:]]
    if any(short):
        pixels = functional.pad(pixels, (0, short[1], 0, short[0]), mode="replicate")
    if zoom != 1:
        pixels = functional.interpolate(
            pixels,
            scale_factor=zoom,
            mode="bilinear",
            antialias=zoom < 1,
            recompute_scale_factor=False,
        )
    height, width = pixels.shape[-2:]
    pad = (0, -width % 32, 0, -height % 32)
    pixels = functional.pad(pixels, pad, mode="reflect" if min(height, width) > 32 else "replicate")
    return pixels.contiguous(memory_format=torch.channels_last)


def corner_sums(values: Tensor) -> Tensor:
    """Sums of everything above and left of every corner of the cells, (channels, rows + 1, ...)."""
    sums = values.double().cumsum(-1).cumsum(-2)
    return functional.pad(sums, (1, 0, 1, 0))


def square_means(
    sums: Tensor, edge: int, rows: Tensor | None = None, columns: Tensor | None = None
) -> Tensor:
    """Means of squares of `edge` cells around cells, of those within the map, (channels, ...).

    Around every cell, or those in `rows` and `columns`.
    """
    height, width = (size - 1 for size in sums.shape[-2:])
    half = edge // 2
    ends = [torch.arange(size, device=sums.device) for size in (height, width)]
    y, x = ends if rows is None or columns is None else (rows, columns)
    (top, bottom), (left, right) = (
        ((at - half).clamp_min(0), (at + half + 1).clamp_max(size))
        for at, size in ((y, height), (x, width))
    )
    if rows is None:
        wide = functional.pad(sums[None], (half, half, half, half), mode="replicate")[0]
        strips = wide[:, edge:] - wide[:, :height]
        total = (strips[..., edge:] - strips[..., :width]).float()
        return total / ((bottom - top)[:, None] * (right - left))
    total = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left]
    return (total + sums[:, top, left]).float() / ((bottom - top) * (right - left))


def _lines(cells: Tensor, shares: Tensor, size: int, edge: int) -> Tensor:
    """Shares (n, size) of a line's cells in pieces of `edge` around two cells (2, n) each."""
    line = torch.arange(size, device=cells.device)
    inside = ((line - cells[..., None]).abs() <= edge // 2).float()
    return (inside / inside.sum(dim=-1, keepdim=True) * shares[..., None]).sum(dim=0)


def rooted(values: Tensor) -> Tensor:
    """Signed square roots: large values count less."""
    return values.abs().sqrt().copysign(values)
