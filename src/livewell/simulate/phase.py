"""From cells to the phase that light gathers on its way through them, in radians."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from livewell.simulate.dose import Floats
from livewell.simulate.outline import ANGLES, Outline

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FrameSize:
    """The frame of a camera, and by how much phase maps are wider on each side."""

    height_px: int
    width_px: int
    pixel_um: float
    pad_px: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frame, pixels."""
        return self.height_px, self.width_px

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width of a phase map, pixels."""
        return self.height_px + 2 * self.pad_px, self.width_px + 2 * self.pad_px


_REACH = 260  # px; no outline is longer
_Y, _X = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1].astype(np.float32)
_RADIUS = np.hypot(_Y, _X)
_DIRECTION = (np.round(np.arctan2(_Y, _X) / (2 * np.pi) * ANGLES).astype(np.int16)) % ANGLES


def draw_grain(rng: np.random.Generator, grain_px: float, depth: float) -> Map:
    """Unevenness of cytoplasm as a factor around 1 with standard deviation `depth`."""
    noise = rng.standard_normal(_RADIUS.shape)
    fine = gaussian_filter(noise, grain_px, mode="wrap")
    broad = gaussian_filter(noise, 3 * grain_px, mode="wrap")
    grain = fine / fine.std() + broad / broad.std()
    return np.asarray(1 + depth * (grain - grain.mean()) / grain.std(), np.float32)


def _around(
    shape: tuple[int, ...], y: float, x: float, reach: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """The part of a map within `reach` of a point, and of `_RADIUS` that lies on it, if any."""
    edge = min(reach, _REACH)
    here, there = [], []
    for centre, length in zip((round(y), round(x)), shape, strict=True):
        start, stop = max(centre - edge, 0), min(centre + edge + 1, length)
        if start >= stop:
            return None
        here.append(slice(start, stop))
        there.append(slice(start - centre + _REACH, stop - centre + _REACH))
    return (here[0], here[1]), (there[0], there[1])


def footprint(
    labels: NDArray[np.uint16], y: float, x: float, outline: Outline, i: int, number: int
) -> None:
    """Write `number` wherever cell `i` lies, processes and fibres too; its middle is (y, x)."""
    parts = _around(labels.shape, y, x, int(outline.margin[i].max()) + 1)
    if parts is not None:
        here, window = parts
        labels[here][_RADIUS[window] <= outline.margin[i][_DIRECTION[window]]] = number


class Canvas:
    """A phase map and what is put on it; places are pixels of the frame, and may lie outside."""

    def __init__(self, view: FrameSize, grain: Map) -> None:
        self.view, self.grain = view, grain
        self.phase: Map = np.zeros(view.padded, np.float32)

    def body(self, y: float, x: float, outline: Outline, i: int, flat: float, dome: float) -> None:
        """Add the body of a cell: a thin margin of phase `flat`, and a dome on it, radians."""
        at = round(y) + self.view.pad_px, round(x) + self.view.pad_px
        parts = _around(self.phase.shape, *at, int(outline.margin[i].max()) + 3)
        if parts is None:
            return
        here, window = parts
        way, radius = _DIRECTION[window], _RADIUS[window]
        deep = (outline.margin[i][way] - radius) * outline.steepness[i][way]
        top = 1 - (radius * (1 / (0.95 * outline.body[i]))[way]) ** 2
        edge = np.clip(deep * 0.6 + 0.5, 0, 1) * (
            0.45 + 0.55 * np.clip(deep * (self.view.pixel_um / 3.2), 0, 1)
        )
        grain = self.grain[window]
        mine = flat * edge * grain + dome * np.maximum(top, 0)
        under = self.phase[here]
        # Where two cells meet, they share the room: less than the sum of both, more than one.
        self.phase[here] = np.maximum(under, mine) + 0.2 * np.minimum(under, mine)

    def discs(
        self,
        y: Floats,
        x: Floats,
        radius: Floats,
        phase: Floats,
        soft: float = 1.0,
        long: float = 1.0,
        angle: Floats | None = None,
    ) -> None:
        """Add small discs or ellipses; `y`, `x`, `radius` and `phase` broadcast to one shape.

        `soft` is the width of the edge, pixels; `long` and `angle` are length over width of
        ellipses, and the direction of their long axes, shape as `y`.
        """
        turn = np.zeros(1) if angle is None else angle
        y, x, radius, phase, turn = (
            a.ravel() for a in np.broadcast_arrays(y, x, radius, phase, turn)
        )
        height, width = self.phase.shape
        y, x = y + self.view.pad_px, x + self.view.pad_px
        reach = np.ceil(radius * np.sqrt(long) + soft).astype(int)
        inside = (y > -reach) & (y < height + reach) & (x > -reach) & (x < width + reach)
        inside &= np.abs(phase) > 1e-3
        ladder = [2, 3, 5, 9, 14, 20, 30, 60]
        for low, high in zip([0, *ladder[:-1]], ladder, strict=True):
            some = np.flatnonzero(inside & (reach > low) & (reach <= high))
            if len(some):
                grid = _Grid.around(y[some], x[some], high)
                away = grid.distance(long, turn[some])
                edge = (radius[some, None, None].astype(np.float32) - away) / np.float32(soft)
                value = np.clip(edge + 0.5, 0, 1) * phase[some, None, None].astype(np.float32)
                grid.add(value, self.phase)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Square windows of pixels around points; arrays of shape (points, window)."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    dy: Map
    dx: Map

    @classmethod
    def around(cls, y: Floats, x: Floats, reach: int) -> "_Grid":
        step = np.arange(-reach, reach + 1)
        rows = np.round(y).astype(np.intp)[:, None] + step
        columns = np.round(x).astype(np.intp)[:, None] + step
        dy, dx = rows - y[:, None], columns - x[:, None]
        return cls(rows, columns, dy.astype(np.float32), dx.astype(np.float32))

    def distance(self, long: float, angle: Floats) -> Map:
        """From each pixel to its point, shape (points, window, window), along an ellipse's axes."""
        dy, dx = self.dy[:, :, None], self.dx[:, None, :]
        if long == 1:
            return np.asarray(np.sqrt(dy**2 + dx**2))
        sin, cos = (f(angle)[:, None, None].astype(np.float32) for f in (np.sin, np.cos))
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        return np.asarray(np.sqrt(along**2 / np.float32(long) + across**2 * np.float32(long)))

    def add(self, value: Map, onto: Map) -> None:
        """Add values of shape (points, window, window) to a map; what lies beyond it is lost."""
        height, width = onto.shape
        value *= ((self.rows >= 0) & (self.rows < height))[:, :, None]
        value *= ((self.columns >= 0) & (self.columns < width))[:, None, :]
        at = np.clip(self.rows, 0, height - 1)[:, :, None] * width
        at = at + np.clip(self.columns, 0, width - 1)[:, None, :]
        total = np.bincount(at.ravel(), value.ravel(), minlength=onto.size)
        onto += total.reshape(onto.shape).astype(np.float32)
