"""Images of ellipses with a few circles among them, and the truth of every object."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.simulate.rules import must_hold

Ellipses = Literal["flat", "literal"]
"""Readings of what the paper leaves open: how flat an ellipse is.

``flat``: the long axis is 15 to 20 px, the short one 0.5 to 0.75 of it. ``literal``: both axes are
15 to 20 px, as its text says, and differ by 2 px at least.
"""
Pixels = NDArray[np.uint8]

OBJECTS = ["image", "kind", "y", "x", "a_px", "b_px", "angle_deg", "y0", "x0", "y1", "x1", "hidden"]
"""Columns of the truth, see `Picture`."""
_LEAST_DIFFERENCE_PX = 2.0
_FLATTEST, _ROUNDEST = 0.5, 0.75


@dataclass(frozen=True, slots=True)
class ShapeSpec:
    """What images of shapes are like.

    Parameters
    ----------
    ellipses
        How flat ellipses are, see `Ellipses`.
    images
        How many; every other one is positive.
    circle_share, circles
        Share of the objects of a positive image that are circles, rounded to a whole number, one at
        least; or how many there are of them instead.
    objects
        Least and greatest number of objects, at most one a cell of the grid.
    rows, columns, pitch_px
        The grid, and the distance from cell to cell.
    shift_px
        Least and greatest distance of an object's upper left corner from its cell's, downwards and
        to the right.
    size_px
        Least and greatest long axis, whole lengths; short axes of flat ellipses are shorter.
    background, noise_sd
        Grey level between objects, and standard deviation of the noise on everything.
    filled
        Whether objects are filled, or outlines of 2 px.
    seed
        Decides everything; image i is the same whatever `images` is.

    Notes
    -----
    Source: Sailem et al., section 3.1 (Sim. Data 1 and 2): 6 x 8 positions, 30 to 48 objects, shift
    of 1 to 20 px, sizes of 15 to 20 px, 10% or 20% circles, 210 x 280 px. Not in the paper, but
    livewell's own: the readings of an ellipse, that shifts point down and right, grey levels and
    noise.
    """

    ellipses: Ellipses = "flat"
    images: int = 4000
    circle_share: float = 0.1
    circles: int | None = None
    objects: tuple[int, int] = (30, 48)
    rows: int = 6
    columns: int = 8
    pitch_px: int = 35
    shift_px: tuple[int, int] = (1, 20)
    size_px: tuple[float, float] = (15.0, 20.0)
    grey: tuple[float, float] = (120.0, 220.0)
    background: float = 40.0
    noise_sd: float = 6.0
    filled: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        places = self.rows * self.columns
        low, high = self.objects
        (least, most), (small, large) = self.shift_px, self.size_px
        rules = {
            "ellipses is flat or literal": self.ellipses in ("flat", "literal"),
            "images >= 2": self.images >= 2,
            "rows and columns >= 1": min(self.rows, self.columns) >= 1,
            "0 < circle_share <= 1": 0 < self.circle_share <= 1,
            f"1 <= objects <= rows x columns = {places}, ascending": 1 <= low <= high <= places,
            "1 <= circles <= least number of objects": self.circles is None
            or 1 <= self.circles <= low,
            "0 <= shift_px <= pitch_px, ascending": 0 <= least <= most <= self.pitch_px,
            "4 <= size_px <= pitch_px, ascending": 4 <= small <= large <= self.pitch_px,
            "literal ellipses need 3 px between the ends of size_px": self.ellipses == "flat"
            or large - small >= _LEAST_DIFFERENCE_PX + 1,
            "0 <= background and grey <= 255, ascending": 0 <= self.grey[0] <= self.grey[1] <= 255
            and 0 <= self.background <= 255,
            "0 <= noise_sd <= 255": 0 <= self.noise_sd <= 255,
            "seed >= 0": self.seed >= 0,
        }
        must_hold("not a specification of shapes", self, rules)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of an image, pixels."""
        return self.rows * self.pitch_px, self.columns * self.pitch_px


@dataclass(frozen=True, slots=True)
class Picture:
    """One image (height, width) and what is in it.

    Objects are one a row, `OBJECTS` but for the image: kind (circle or ellipse), middle (y, x;
    pixel i covers [i, i + 1)), long and short axis, angle of the long axis (degrees from x towards
    y), bounding box (first row and column inside and beyond, pixels), and which share of it is
    hidden by objects drawn later.
    """

    number: int
    pixels: Pixels
    positive: bool
    objects: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Shape:
    """An object and its middle, pixels."""

    kind: str
    long_px: float
    short_px: float
    angle: float
    y: float = 0.0
    x: float = 0.0

    @property
    def half(self) -> tuple[float, float]:
        """Half of the bounding box's height and width."""
        sine, cosine = math.sin(self.angle), math.cos(self.angle)
        long, short = self.long_px / 2, self.short_px / 2
        return math.hypot(long * sine, short * cosine), math.hypot(long * cosine, short * sine)

    def corners(self, wider_px: float) -> tuple[int, int, int, int]:
        """Of the bounding box in whole pixels, so much wider on every side."""
        half_y, half_x = (half + wider_px for half in self.half)
        return (
            math.floor(self.y - half_y),
            math.floor(self.x - half_x),
            math.ceil(self.y + half_y),
            math.ceil(self.x + half_x),
        )


def picture(spec: ShapeSpec, number: int) -> Picture:
    """Draw one image; those with odd numbers are positive."""
    rng = np.random.default_rng([spec.seed, number])
    positive = number % 2 == 1
    low, high = spec.objects
    count = int(rng.integers(low, high + 1))
    circles = 0
    if positive:
        circles = spec.circles or max(round(spec.circle_share * count), 1)
    round_ones = set(rng.permutation(count)[:circles].tolist())
    places = np.sort(rng.permutation(spec.rows * spec.columns)[:count])
    height, width = spec.shape
    canvas = np.full(spec.shape, spec.background, dtype=np.float32)
    owner = np.full(spec.shape, -1, dtype=np.int32)
    shapes: list[_Shape] = []
    areas: list[int] = []
    for index, place in enumerate(places.tolist()):
        shape = _drawn(spec, index in round_ones, rng)
        half_y, half_x = shape.half
        low, high = spec.shift_px
        top, left = (
            cell * spec.pitch_px + int(rng.integers(low, high + 1))
            for cell in divmod(place, spec.columns)
        )
        # those of the last row and column are kept whole
        y, x = min(top + half_y, height - half_y), min(left + half_x, width - half_x)
        shapes.append(replace(shape, y=y, x=x))
        grey = float(rng.uniform(*spec.grey))
        areas.append(_paint(canvas, owner, index, shapes[-1], grey, filled=spec.filled))
    if spec.noise_sd:
        canvas += rng.normal(0, spec.noise_sd, size=canvas.shape).astype(np.float32)
    seen = np.bincount(owner[owner >= 0], minlength=count)
    rows = [
        (
            *(shape.kind, shape.y, shape.x, shape.long_px, shape.short_px),
            *(math.degrees(shape.angle), *shape.corners(-1e-9), 1 - int(shown) / max(area, 1)),
        )
        for shape, area, shown in zip(shapes, areas, seen, strict=True)
    ]
    pixels = canvas.round().clip(0, 255).astype(np.uint8)
    return Picture(number, pixels, positive, pd.DataFrame(rows, columns=OBJECTS[1:]))


def _drawn(spec: ShapeSpec, circle: bool, rng: np.random.Generator) -> _Shape:
    """A shape of random size and angle, not yet placed."""
    low, high = spec.size_px
    long = float(rng.uniform(low, high))
    angle = float(rng.uniform(0, math.pi))
    if circle:
        return _Shape("circle", long, long, angle)
    if spec.ellipses == "flat":
        return _Shape("ellipse", long, long * float(rng.uniform(_FLATTEST, _ROUNDEST)), angle)
    short = float(rng.uniform(low, high))
    while abs(long - short) < _LEAST_DIFFERENCE_PX:
        long, short = (float(number) for number in rng.uniform(low, high, size=2))
    return _Shape("ellipse", max(long, short), min(long, short), angle)


def _paint(
    canvas: NDArray[np.float32],
    owner: NDArray[np.int32],
    index: int,
    shape: _Shape,
    grey: float,
    *,
    filled: bool,
) -> int:
    """Draw one shape over what is there, its edge smooth over a pixel; returns its pixels."""
    y0, x0, y1, x1 = shape.corners(2)
    y0, y1 = max(y0, 0), min(y1, canvas.shape[0])
    x0, x1 = max(x0, 0), min(x1, canvas.shape[1])
    y = np.arange(y0, y1)[:, None] + 0.5 - shape.y
    x = np.arange(x0, x1)[None, :] + 0.5 - shape.x
    sine, cosine = math.sin(shape.angle), math.cos(shape.angle)
    u = (x * cosine + y * sine) / (shape.long_px / 2)
    v = (y * cosine - x * sine) / (shape.short_px / 2)
    radius = np.hypot(u, v)
    slope = np.hypot(u / (shape.long_px / 2), v / (shape.short_px / 2)) / np.maximum(radius, 1e-9)
    # distance to the edge, to first order, pixels; positive inside
    inside = (1 - radius) / np.maximum(slope, 1e-9)
    cover = np.clip(inside + 0.5, 0, 1)
    if not filled:
        cover = np.minimum(cover, np.clip(2.5 - inside, 0, 1))
    window = canvas[y0:y1, x0:x1]
    window += (cover * (grey - window)).astype(np.float32)
    own = cover >= 0.5
    owner[y0:y1, x0:x1][own] = index
    return int(own.sum())
