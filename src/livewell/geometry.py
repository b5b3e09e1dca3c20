"""Spans and boxes in pixels; half-open, axis order (y, x)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from livewell.errors import GeometryError

Edge = Literal["drop", "shift", "exclusive"]
"""What a grid does with the rest of the image that a whole stride does not reach.

``drop``: left out, every tile lies on the stride (DeadNet, Pattarone).
``shift``: one more tile, moved back to end at the image's edge, so that every pixel is covered.
``exclusive``: as ``drop``, and a last tile that ends right at the image's edge is left out too. So
256 px crops every 128 px of 1344 x 1024 px come to 9 x 6 = 54, DeadNet's count, not 9 x 7 = 63.
"""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of pixels ``[start, stop)`` on one axis, at least one pixel long."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if self.stop <= self.start:
            raise GeometryError(
                "an empty span", expected="start < stop", got=f"[{self.start}, {self.stop})"
            )

    @property
    def size(self) -> int:
        """Length in pixels."""
        return self.stop - self.start

    @property
    def slice(self) -> slice:
        """The span as an index."""
        return slice(self.start, self.stop)

    def overlaps(self, other: "Span") -> bool:
        """Whether the two spans share a pixel."""
        return self.start < other.stop and other.start < self.stop

    def common(self, other: "Span") -> "Span":
        """The part that both share; a `GeometryError` where they share no pixel."""
        return Span(max(self.start, other.start), min(self.stop, other.stop))

    def to(self, other: "Span") -> "Span":
        """From the first pixel of this one to the last of `other`."""
        return Span(self.start, other.stop)

    def moved(self, by: int) -> "Span":
        """The span so many pixels further on."""
        return Span(self.start + by, self.stop + by)

    def contains(self, other: "Span") -> bool:
        """Whether `other` lies wholly inside."""
        return self.start <= other.start and other.stop <= self.stop


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """A rectangle of pixels; it may reach beyond the image when it is centred on a point."""

    y: Span
    x: Span

    @classmethod
    def of(cls, y0: int, x0: int, y1: int, x1: int) -> "Box":
        """Box from its first row and column inside and its first row and column beyond, pixels."""
        return cls(Span(int(y0), int(y1)), Span(int(x0), int(x1)))

    @property
    def corners(self) -> tuple[int, int, int, int]:
        """``(y0, x0, y1, x1)`` in pixels."""
        return self.y.start, self.x.start, self.y.stop, self.x.stop

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` in pixels."""
        return self.y.size, self.x.size

    @property
    def centre(self) -> tuple[float, float]:
        """``(y, x)`` of the middle; pixel i covers [i, i + 1)."""
        return (self.y.start + self.y.stop) / 2, (self.x.start + self.x.stop) / 2

    @property
    def slices(self) -> tuple[slice, slice]:
        """The box as an index ``[y, x]``; only where it lies inside the image."""
        return self.y.slice, self.x.slice

    def widened(self, by: int) -> "Box":
        """The box with so many pixels more on every side."""
        return Box(
            Span(self.y.start - by, self.y.stop + by), Span(self.x.start - by, self.x.stop + by)
        )

    def contains(self, other: "Box") -> bool:
        """Whether `other` lies wholly inside."""
        return self.y.contains(other.y) and self.x.contains(other.x)

    def common(self, other: "Box") -> "Box | None":
        """The box that both share; ``None`` where they share no pixel."""
        if not self.overlaps(other):
            return None
        return Box(self.y.common(other.y), self.x.common(other.x))

    def seen_in(self, window: "Box") -> "Box":
        """What a window shows of the box, counted from the window's first row and column."""
        y, x = self.y.common(window.y), self.x.common(window.x)
        return Box(y.moved(-window.y.start), x.moved(-window.x.start))

    def overlaps(self, other: "Box") -> bool:
        """Whether the two boxes share a pixel."""
        return self.y.overlaps(other.y) and self.x.overlaps(other.x)


def starts(length_px: int, size_px: int, stride_px: int, edge: Edge = "drop") -> list[int]:
    """Where tiles begin on one axis, ascending; none where it is shorter than one tile."""
    if size_px < 1 or stride_px < 1:
        raise GeometryError(
            "a tile size or stride below one pixel",
            expected="size_px >= 1 and stride_px >= 1",
            got=f"size_px={size_px}, stride_px={stride_px}",
        )
    found = list(range(0, length_px - size_px + (edge != "exclusive"), stride_px))
    if edge == "shift" and found and found[-1] + size_px < length_px:
        found.append(length_px - size_px)
    return found


def tiles(area: Box, size_px: int, stride_px: int, edge: Edge = "drop") -> Iterator[Box]:
    """Square tiles that lie wholly in an area, row by row from its first pixel."""
    columns = starts(area.x.size, size_px, stride_px, edge)
    for y in starts(area.y.size, size_px, stride_px, edge):
        for x in columns:
            top, left = area.y.start + y, area.x.start + x
            yield Box.of(top, left, top + size_px, left + size_px)


@dataclass(frozen=True, slots=True)
class WindowGrid:
    """Square windows in rows and columns, at least one: where the cells of a map look.

    ``y0`` and ``x0`` are the first window's, pixels; negative where it begins before the frame.
    """

    y0: int
    x0: int
    rows: int
    columns: int
    size_px: int
    stride_px: int

    def __post_init__(self) -> None:
        if min(self.rows, self.columns, self.size_px, self.stride_px) < 1:
            raise GeometryError(
                "a grid of windows that cannot be",
                expected="rows, columns, size_px and stride_px of at least 1",
                got=f"{self.rows}, {self.columns}, {self.size_px}, {self.stride_px}",
            )

    @classmethod
    def over(cls, area: Box, size_px: int, stride_px: int) -> "WindowGrid":
        """All windows that lie wholly in `area`, the first at its first pixel."""
        rows, columns = (len(starts(span.size, size_px, stride_px)) for span in (area.y, area.x))
        return cls(area.y.start, area.x.start, rows, columns, size_px, stride_px)

    @property
    def shape(self) -> tuple[int, int]:
        """``(rows, columns)``."""
        return self.rows, self.columns

    def box(self, row: int, column: int) -> Box:
        """The window of one cell."""
        y, x = self.y0 + row * self.stride_px, self.x0 + column * self.stride_px
        return Box.of(y, x, y + self.size_px, x + self.size_px)

    def boxes(self) -> list[Box]:
        """Every window, row by row."""
        return [self.box(row, column) for row in range(self.rows) for column in range(self.columns)]

    def centred(self, size_px: int) -> "WindowGrid":
        """The same cells with windows of another size, about the same centres.

        A size of another parity lies half a pixel towards the first pixel.
        """
        off = (self.size_px - size_px) // 2
        return replace(self, y0=self.y0 + off, x0=self.x0 + off, size_px=size_px)


@dataclass(frozen=True, slots=True)
class Tile:
    """What one tile of an axis reads, and which of its windows are its own.

    ``read`` are pixels counted from the first window's first pixel; with a halo it begins before 0
    and ends beyond the last window. ``keep`` are windows that are no other tile's, counted from the
    tile's first one behind the halo; ``write`` are the same windows counted along the axis.
    """

    read: Span
    keep: Span
    write: Span


def cover(
    windows: int, *, window_px: int, stride_px: int, tile_px: int, halo_px: int = 0
) -> list[Tile]:
    """Tiles of one axis that together hold every window once, all of the same length.

    A tile reads at most `tile_px`, halo included: pixels beyond its windows that are read on both
    sides, so that nothing is felt of the tile's ends; a multiple of the stride.
    """
    if halo_px % stride_px or min(windows, window_px, stride_px) < 1 or halo_px < 0:
        raise GeometryError(
            "an axis that cannot be tiled",
            expected="windows, window_px and stride_px of at least 1, halo_px a multiple of stride",
            got=f"{windows}, {window_px}, {stride_px}, halo_px={halo_px}",
        )
    most = (tile_px - window_px - 2 * halo_px) // stride_px + 1
    if most < 1:
        raise GeometryError(
            "a tile that does not hold one window with its halo",
            expected=f"tile_px >= {window_px + 2 * halo_px}",
            got=str(tile_px),
        )
    number = -(-windows // most)
    each = -(-windows // number)
    found = []
    for begin in range(0, windows, each):
        # the last one is moved back, so that all read the same number of pixels
        first, end = min(begin, windows - each), min(begin + each, windows)
        last_px = (first + each - 1) * stride_px + window_px
        read = Span(first * stride_px - halo_px, last_px + halo_px)
        found.append(Tile(read, Span(begin - first, end - first), Span(begin, end)))
    return found
