"""Where pixels of stacks come from: thin-plate spline, rotation and scale, flips, crop.

Pure functions: (n, ..., h, w) float32 in and out, an item's channels between, with parameters an
item in pixels: all channels of an item move together.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn import functional

from livewell.geometry import Box

Pixels = NDArray[np.float32]
Points = NDArray[np.float64]

KEPT_NUMBERS = 2**24
"""Largest matrix of displacements that is kept: pixels times control points."""
BAND_NUMBERS = 2**20
"""How much of a larger one is looked at together."""


@lru_cache(maxsize=8)
def spline_points(height_px: int, width_px: int, grid_px: int) -> Points:
    """(points, 2) y and x of a spline's control points, pixels: 0, grid_px, ... and the far edge.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 1.
    """
    y, x = (
        np.unique(np.arange(0, edge + grid_px, grid_px).clip(max=edge)) * 1.0
        for edge in (height_px, width_px)
    )
    points = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    points.flags.writeable = False
    return points


def spline_shifts(height_px: int, width_px: int, grid_px: int, moves: Points) -> Pixels:
    """Displacements of thin-plate splines whose control points move.

    `moves` (n, points, 2) says how far every control point of an item (see `spline_points`) moves
    in y and in x, pixels; N(0, 10 px) in the paper. The displacements are (n, 2, height_px,
    width_px), in y and in x.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 1; kernel r^2 log r (Bookstein 1989).
    A patch's displacements are one product with a matrix that is kept; a full frame, whose matrix
    would fill the memory, is gone through in bands of rows.
    """
    count = len(moves)
    if height_px * width_px * moves.shape[1] <= KEPT_NUMBERS:
        effects = _spline_effects(height_px, width_px, grid_px)
        # torch's product keeps to the one thread that a loading process has; numpy's takes all
        # cores. A product for each item, of the same shape, rounds alike whatever n is.
        each = torch.from_numpy(moves.transpose(0, 2, 1).astype(np.float32))
        shift = torch.bmm(each, effects.expand(count, -1, -1))
        kept: Pixels = shift.reshape(count, 2, height_px, width_px).numpy()
        return kept
    result = np.empty((count, 2, height_px, width_px), dtype=np.float32)
    points, solution = _spline_solution(height_px, width_px, grid_px)
    weights = solution @ torch.from_numpy(np.ascontiguousarray(moves, dtype=np.float64))
    rows = max(BAND_NUMBERS // (width_px * len(points)), 1)
    for top in range(0, height_px, rows):
        terms = _spline_terms(points, top, min(top + rows, height_px), width_px)
        band = terms.expand(count, -1, -1).bmm(weights).transpose(1, 2)
        result[:, :, top : top + rows] = band.reshape(count, 2, -1, width_px).numpy()
    return result


@lru_cache(maxsize=8)
def _spline_effects(height_px: int, width_px: int, grid_px: int) -> torch.Tensor:
    """What a move of each control point by 1 px does to every pixel, (points, pixels) float32."""
    points, solution = _spline_solution(height_px, width_px, grid_px)
    # weights are linear in the moves, so one solution serves all of them
    effects = _spline_terms(points, 0, height_px, width_px) @ solution
    return effects.T.float().contiguous()


def _spline_solution(
    height_px: int, width_px: int, grid_px: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Control points, and the weights of `_spline_terms` when one of them moves by 1 px."""
    points = torch.from_numpy(spline_points(height_px, width_px, grid_px).copy())
    count = len(points)
    system = torch.zeros((count + 3, count + 3), dtype=torch.float64)
    system[:count, :count] = _kernel(points, points)
    system[:count, count] = 1
    system[:count, count + 1 :] = points
    system[count:, :count] = system[:count, count:].T.clone()
    moved = torch.eye(count + 3, dtype=torch.float64)[:, :count]
    return points, torch.linalg.solve(system, moved)


def _spline_terms(points: torch.Tensor, top: int, bottom: int, width_px: int) -> torch.Tensor:
    """(pixels, points + 3): kernels, 1, y and x at the middle of every pixel of some rows."""
    y = torch.arange(top, bottom, dtype=torch.float64) + 0.5
    x = torch.arange(width_px, dtype=torch.float64) + 0.5
    pixels = torch.cartesian_prod(y, x)
    ones = torch.ones((len(pixels), 1), dtype=torch.float64)
    return torch.hstack([_kernel(pixels, points), ones, pixels])


def _kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(a, b): half of r^2 log r^2 between each of `a` and each of `b`, 0 where they are one."""
    squared = (a[:, None, 0] - b[:, 0]).square_() + (a[:, None, 1] - b[:, 1]).square_()
    return squared.clamp_min(1e-12).log_().mul_(squared).mul_(0.5)


def turn_and_scale(
    height_px: int, width_px: int, angles_deg: ArrayLike, scales: ArrayLike
) -> Pixels:
    """Displacements (n, 2, height_px, width_px) that rotate and enlarge about the middle."""
    angles, factors = np.deg2rad(angles_deg), np.asarray(scales, dtype=np.float64)
    along, across = (np.cos(angles) / factors - 1)[:, None], (np.sin(angles) / factors)[:, None]
    rows, columns = (np.arange(edge) - (edge - 1) / 2 for edge in (height_px, width_px))
    result = np.empty((len(along), 2, height_px, width_px), dtype=np.float32)
    down, aside = (along * rows)[:, :, None], (across * columns)[:, None, :]
    np.subtract(down, aside, out=result[:, 0], casting="same_kind")
    down, aside = (across * rows)[:, :, None], (along * columns)[:, None, :]
    np.add(down, aside, out=result[:, 1], casting="same_kind")
    return result


def warp(patches: Pixels, shifts: Pixels) -> Pixels:
    """Patches read at every pixel plus a shift, bilinearly, mirrored at the edges.

    `shifts` are (n, 2, h, w), in y and in x, pixels.
    """
    count, *_, height, width = patches.shape
    moved = torch.from_numpy(np.ascontiguousarray(shifts))
    grid = torch.empty((count, height, width, 2))
    axes = (torch.arange(height, dtype=torch.float32)[:, None], torch.arange(width).float())
    for axis, (start, edge) in enumerate(zip(axes, (height, width), strict=True)):
        # torch counts from -1 to 1 between the centres of the outermost pixels, x first
        at = moved[:, axis] + start
        torch.sub(at.mul_(2 / max(edge - 1, 1)), 1, out=grid[..., 1 - axis])
    source = torch.from_numpy(np.ascontiguousarray(patches)).reshape(count, -1, height, width)
    found = functional.grid_sample(
        source, grid, mode="bilinear", padding_mode="reflection", align_corners=True
    )
    result: Pixels = found.reshape(patches.shape).numpy()
    return result


def turned(patches: Pixels, which: ArrayLike) -> Pixels:
    """Each patch in one of its eight flips and right-angle rotations.

    `which` (n,) is 0-3 for right angles anticlockwise, 4-7 for the same and then mirrored left to
    right. Of patches that are not square all are rotated by a right angle, or none.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 2.
    """
    views = []
    for patch, number in zip(patches, np.asarray(which).tolist(), strict=True):
        view = np.rot90(patch, number % 4, axes=(-2, -1))
        views.append(view[..., ::-1] if number >= 4 else view)
    # not np.stack, which would lay a single transposed view down by columns
    result = np.empty((len(views), *views[0].shape), dtype=np.float32)
    for patch, view in zip(result, views, strict=True):
        patch[:] = view
    return result


def before(box: Box, turn: int, height_px: int, width_px: int) -> Box:
    """Where the pixels of `box` came from in a frame of that size, before `turn` (see `turned`)."""
    y0, x0, y1, x1 = box.corners
    sizes = (height_px, width_px) if turn % 2 == 0 else (width_px, height_px)
    if turn >= 4:
        x0, x1 = sizes[1] - x1, sizes[1] - x0
    for _ in range(turn % 4):
        # a right angle back: rows were columns counted from the other end
        height = sizes[0]
        y0, x0, y1, x1 = x0, height - y1, x1, height - y0
        sizes = (sizes[1], sizes[0])
    return Box.of(y0, x0, y1, x1)


def corner(
    edge_px: int, size_px: int, shift_px: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(2,) first row and column of a random square inside a larger one, see `cropped`.

    It lies at most `shift_px` from the middle on each axis; anywhere if that is negative.
    """
    room = edge_px - size_px
    low, high = 0, room
    if shift_px >= 0:
        low, high = max(round(room / 2 - shift_px), 0), min(round(room / 2 + shift_px), room)
    return rng.integers(low, high + 1, size=2)


def cropped(patches: Pixels, corners: ArrayLike, size_px: int) -> Pixels:
    """A square of each patch, at the first row and column that `corners` (n, 2) say; a copy.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.4 (220 px of 256 px).
    """
    result = np.empty((*patches.shape[:-2], size_px, size_px), dtype=np.float32)
    for square, patch, (top, left) in zip(result, patches, np.asarray(corners), strict=True):
        square[:] = patch[..., top : top + size_px, left : left + size_px]
    return result
