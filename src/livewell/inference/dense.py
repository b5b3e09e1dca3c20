"""Whole frames at once, in tiles where memory asks for it: shared computation done once."""

import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livewell.errors import ImageContentError, SpecError
from livewell.geometry import Box, Tile, WindowGrid, cover
from livewell.image import mirrored
from livewell.inference.windows import View, batched
from livewell.models.backends import Backend, trunk_on
from livewell.models.device import device_of
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.net import Net, contrast, eight_turns, normalise
from livewell.models.nets.spectral import SpectralConv
from livewell.threads import ahead

MEMORY_GB = 2.0
"""What an engine may take by default on a processor, beside torch's own."""
GPU_SHARE = 0.5
"""What it may take by default of the memory that is free on a GPU."""
BATCH = 16
"""Most tiles computed together on a GPU; on a processor one by one is as fast."""
MEDIAN_STEP = 4
"""Every so many pixels are looked at for the median of a patch."""


@dataclass(frozen=True)
class _Plan:
    """How a grid is computed: as every `step`-th cell of a finer one of the net's own stride.

    A stride below the net's own is made by `shifts` of the pixels, stitched together.
    """

    grid: WindowGrid
    step: int
    shifts: int
    rows: list[Tile]
    columns: list[Tile]


@dataclass(frozen=True)
class _Part:
    """One tile of one view at one shift: what is read, and which cells it fills."""

    view: View
    last: bool
    pixels: Tensor | None
    kept: tuple[slice, slice]
    cells: tuple[slice, slice]


class Dense:
    """Scores every window of a frame in one pass of the net's dense form.

    Tiles may take `memory_gb` (1e9 bytes) beside torch's own and the frame; by default `MEMORY_GB`,
    on a GPU `GPU_SHARE` of what is free there. `dtype` is the number type of pixels and head.
    """

    def __init__(
        self,
        net: Net,
        *,
        backend: Backend = "torch",
        memory_gb: float | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.net, self.backend = net, backend
        self.failed: dict[int, ImageContentError] = {}
        self._device = device_of(net.module) if backend.startswith("torch") else torch.device("cpu")
        self.form = DenseForm(net).to(dtype)
        self._trunk = trunk_on(backend, self.form.trunk, self._device)
        self._head = self.form.head.to(self._device)
        self._dtype = dtype
        if memory_gb is None and self._device.type == "cuda":
            memory_gb = GPU_SHARE * torch.cuda.mem_get_info(self._device)[0] / 1e9
        room = (MEMORY_GB if memory_gb is None else memory_gb) * 1e9 - self._fixed_bytes()
        self._most_px = room / self._bytes_a_px()

    def stream(
        self, views: Iterable[View], grid: WindowGrid
    ) -> Generator[tuple[View, NDArray[np.float32]]]:
        """As `livewell.inference.windows.Scorer.stream`."""
        plan = self._plan(grid)
        number_type = np.float64 if self._dtype == torch.float64 else np.float32
        shape = (len(self.net.classes), *plan.grid.shape)
        found = np.full(shape, np.nan, dtype=number_type)
        with closing(ahead(self._parts(views, plan))) as parts:
            for batch in batched(parts, self._batch(plan)):
                pixels = [part.pixels for part in batch if part.pixels is not None]
                scores = iter(self._score(torch.stack(pixels)) if pixels else ())
                for part in batch:
                    if part.pixels is not None:
                        own = next(scores)[:, *part.kept]
                        cells = found[:, *part.cells]
                        # a shifted grid may be a row or column shorter
                        cells[...] = own[:, : cells.shape[1], : cells.shape[2]]
                    if part.last:
                        wanted = part.view.wanted & (part.view.t not in self.failed)
                        coarse = found[:, :: plan.step, :: plan.step]
                        yield part.view, np.where(wanted, coarse, np.float32(np.nan))
                        found = np.full(shape, np.nan, dtype=number_type)

    def check(self, grid: WindowGrid) -> None:
        """Refuse a grid that cannot be done, for its stride or too little memory."""
        self._plan(grid)

    def _batch(self, plan: _Plan) -> int:
        """How many tiles are computed together: one on a processor, as many as fit on a GPU."""
        if self._device.type != "cuda":
            return 1
        pixels = plan.rows[0].read.size * plan.columns[0].read.size
        return max(1, min(BATCH, int(self._most_px / pixels)))

    def _plan(self, grid: WindowGrid) -> _Plan:
        step, shifts = self._steps(grid.stride_px)
        fine = replace(
            grid,
            rows=(grid.rows - 1) * step + 1,
            columns=(grid.columns - 1) * step + 1,
            stride_px=grid.stride_px // step,
        )
        return _Plan(fine, step, shifts, *self._tiles(*(-(-n // shifts) for n in fine.shape)))

    def _steps(self, stride_px: int) -> tuple[int, int]:
        """Every how many cells are kept, and into how many shifts a cell is divided."""
        own = self.form.reach.stride_px
        if stride_px % own == 0:
            return stride_px // own, 1
        if own % stride_px == 0:
            return 1, own // stride_px
        raise SpecError(
            f"a stride of {stride_px} px, which the dense engine cannot make",
            where=f"--stride-px {stride_px}",
            expected=f"a multiple of this net's own stride, {own} px, or one that divides it",
            remedy=f"take {max(own, round(stride_px / own) * own)}, or --engine windows",
        )

    def _tiles(self, rows: int, columns: int) -> tuple[list[Tile], list[Tile]]:
        stride_px, halo_px = self.form.reach.stride_px, self.form.halo_px
        window_px = self.net.input_px
        least = window_px + 2 * halo_px
        if least**2 > self._most_px:
            needed = (least**2 * self._bytes_a_px() + self._fixed_bytes()) / 1e9
            raise SpecError(
                "too little memory for one window",
                where="--memory-gb",
                expected=f"at least {needed:.2f} for a tile of {least} px",
                got=f"room for {max(self._most_px, 0):,.0f} pixels",
                remedy="allow more memory, or take --engine windows",
            )
        # as square as the memory allows, for least is read twice then
        whole_height, whole_width = (least + (n - 1) * stride_px for n in (rows, columns))
        width = min(whole_width, max(least, math.isqrt(int(self._most_px))))
        height = min(whole_height, int(self._most_px / width))
        width = min(whole_width, int(self._most_px / height))
        down, across = (
            cover(n, tile_px=px, window_px=window_px, stride_px=stride_px, halo_px=halo_px)
            for n, px in ((rows, height), (columns, width))
        )
        return down, across

    def _parts(self, views: Iterable[View], plan: _Plan) -> Iterator[_Part]:
        """Every tile of every view, normalised; only where something is wanted."""
        for view in views:
            try:
                yield from self._parts_of(view, plan)
            except ImageContentError as error:
                self.failed[view.t] = error
                nothing = slice(0, 0), slice(0, 0)
                yield _Part(view, True, None, nothing, nothing)

    def _parts_of(self, view: View, plan: _Plan) -> Iterator[_Part]:
        grid, step, shifts = plan.grid, plan.step, plan.shifts
        inner = grid.centred(self.net.input_px)
        wanted = np.zeros(grid.shape, dtype=bool)
        wanted[::step, ::step] = view.wanted
        levels = None
        if self.net.how == "background" and view.wanted.any():
            levels = self._levels(view, grid)
        number = shifts**2 * len(plan.rows) * len(plan.columns)
        for y, x, row, column in product(range(shifts), range(shifts), plan.rows, plan.columns):
            number -= 1
            lines, files = (
                slice(shift + tile.write.start * shifts, shift + tile.write.stop * shifts, shifts)
                for shift, tile in ((y, row), (x, column))
            )
            pixels = None
            if wanted[lines, files].any():
                box = Box(
                    row.read.moved(inner.y0 + y * grid.stride_px),
                    column.read.moved(inner.x0 + x * grid.stride_px),
                )
                pixels = self._pixels(view, box, grid, levels)
            kept = row.keep.slice, column.keep.slice
            yield _Part(view, number == 0, pixels, kept, (lines, files))

    def _pixels(
        self, view: View, box: Box, grid: WindowGrid, levels: NDArray[np.float32] | None
    ) -> Tensor:
        """(channels, h, w) of `box`, normalised; by surroundings where windows do it alone."""
        how = self.net.how
        around = self.net.patch_px // 2 if how == "patch" else self.net.radius_px
        wide = mirrored(view.frame, view.area, box.widened(around))
        numbers = np.ascontiguousarray(wide, dtype=np.float32)
        pixels = torch.from_numpy(numbers).to(self._dtype)
        if levels is not None:
            level = _between(levels, grid, box)
            return contrast(pixels, torch.from_numpy(level).to(self._dtype))
        return normalise(pixels, "local" if how == "patch" else how, around)

    def _levels(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """The median of every patch, as windows are normalised by: (channels, rows, columns)."""
        found = np.empty((len(view.frame), *grid.shape), dtype=np.float32)
        for row in range(grid.rows):
            first, last = grid.box(row, 0), grid.box(row, grid.columns - 1)
            strip = Box(first.y, first.x.to(last.x))
            pixels = mirrored(view.frame, view.area, strip)[:, ::MEDIAN_STEP]
            patches = np.lib.stride_tricks.sliding_window_view(pixels, grid.size_px, axis=2)
            chosen = patches[:, :, :: grid.stride_px, ::MEDIAN_STEP]
            found[:, row] = np.median(chosen, axis=(1, 3))
        return found

    def _score(self, pixels: Tensor) -> NDArray[Any]:
        """Logits of the windows of (n, channels, h, w) tiles, their halo left out."""
        with torch.inference_mode():
            views = eight_turns(pixels) if self.net.turns else [pixels]
            maps = []
            for turn, view in enumerate(views):
                scores = self._head(self._trunk(view.contiguous()).to(self._device))
                maps.append(_unturned(self._own(scores, view), turn))
            result: NDArray[Any] = torch.stack(maps).mean(dim=0).cpu().numpy()
        return result

    def _own(self, scores: Tensor, pixels: Tensor) -> Tensor:
        """The scores of windows that lie in a tile with their halo."""
        reach, halo = self.form.reach, self.form.halo_px
        first = halo // reach.stride_px
        rows, columns = (
            (edge - 2 * halo - self.net.input_px) // reach.stride_px + 1
            for edge in pixels.shape[-2:]
        )
        return scores[..., first : first + rows, first : first + columns]

    def _fixed_bytes(self) -> float:
        """Weights, and the spectrum of a large kernel."""
        weights = sum(part.numel() * part.element_size() for part in self.form.parameters())
        large = [part for part in self.form.head if isinstance(part, SpectralConv)]
        return float(weights + sum(part.spectrum_bytes for part in large))

    def _bytes_a_px(self) -> float:
        """Most that lives at a time for one pixel of a tile: two maps of the widest layer, twice.

        Twice because a library may keep a reordered copy; normalisation needs less.
        """
        size = 8 if self._dtype == torch.float64 else 4
        return 2 * 2 * size * _widest(self.form.trunk) + 64


def _widest(trunk: nn.Module) -> float:
    """Numbers a pixel in the widest map of a trunk."""
    widest, stride = 1.0, 1
    for part in trunk.modules():
        if isinstance(part, nn.MaxPool2d):
            stride *= int(np.max(part.stride))
        elif isinstance(part, nn.Conv2d) and part.kernel_size != (1, 1):
            stride *= part.stride[0]
            widest = max(widest, part.out_channels / stride**2)
    return widest


def _unturned(maps: Tensor, turn: int) -> Tensor:
    """The inverse of turn number `turn` of `eight_turns`, for maps (..., rows, columns)."""
    plain = maps.flip(-1) if turn >= 4 else maps
    return torch.rot90(plain, -(turn % 4), dims=(-2, -1))


def _between(levels: NDArray[np.float32], grid: WindowGrid, box: Box) -> NDArray[np.float32]:
    """Levels of patches at the pixels of `box`: bilinear between centres, the outer beyond."""
    weights: list[NDArray[np.float32]] = []
    for span, origin, count in (
        (box.y, grid.y0, levels.shape[-2]),
        (box.x, grid.x0, levels.shape[-1]),
    ):
        centre = np.arange(span.start, span.stop) + 0.5 - origin - grid.size_px / 2
        place = np.clip(centre / grid.stride_px, 0, count - 1)
        low = np.minimum(place.astype(int), max(count - 2, 0))
        share = (place - low).astype(np.float32)
        matrix = np.zeros((span.size, count), dtype=np.float32)
        lines = np.arange(span.size)
        matrix[lines, low] += 1 - share
        matrix[lines, np.minimum(low + 1, count - 1)] += share
        weights.append(matrix)
    return np.asarray(weights[0] @ levels @ weights[1].T, dtype=np.float32)
