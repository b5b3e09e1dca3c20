"""Spans and boxes in pixels; half-open, axis order (y, x)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from livewell.errors import GeometryError

Edge = Literal["drop", "shift"]
"""What a grid does with the rest of the image that a whole stride does not reach.

``drop``: left out, every tile lies on the stride (DeadNet, Pattarone).
``shift``: one more tile, moved back to end at the image's edge, so that every pixel is covered.
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
        """The part that both share.

        Raises
        ------
        GeometryError
            They share no pixel.
        """
        return Span(max(self.start, other.start), min(self.stop, other.stop))

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
        """Box from its corners.

        Parameters
        ----------
        y0, x0
            First row and column inside, pixels.
        y1, x1
            First row and column beyond, pixels.

        Raises
        ------
        GeometryError
            Less than one pixel high or wide.
        """
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

    def contains(self, other: "Box") -> bool:
        """Whether `other` lies wholly inside."""
        return self.y.contains(other.y) and self.x.contains(other.x)

    def common(self, other: "Box") -> "Box | None":
        """The box that both share; ``None`` where they share no pixel."""
        if not self.overlaps(other):
            return None
        return Box(self.y.common(other.y), self.x.common(other.x))

    def overlaps(self, other: "Box") -> bool:
        """Whether the two boxes share a pixel."""
        return self.y.overlaps(other.y) and self.x.overlaps(other.x)


def starts(length_px: int, size_px: int, stride_px: int, edge: Edge = "drop") -> list[int]:
    """Where tiles begin on one axis.

    Parameters
    ----------
    length_px, size_px, stride_px
        Length of the axis, of a tile, and from tile to tile; pixels.
    edge
        See `Edge`.

    Returns
    -------
    list of int
        Ascending and distinct; empty where the axis is shorter than one tile.

    Raises
    ------
    GeometryError
        Size or stride below one pixel.
    """
    if size_px < 1 or stride_px < 1:
        raise GeometryError(
            "a tile size or stride below one pixel",
            expected="size_px >= 1 and stride_px >= 1",
            got=f"size_px={size_px}, stride_px={stride_px}",
        )
    found = list(range(0, length_px - size_px + 1, stride_px))
    if edge == "shift" and found and found[-1] + size_px < length_px:
        found.append(length_px - size_px)
    return found


def tiles(area: Box, size_px: int, stride_px: int, edge: Edge = "drop") -> Iterator[Box]:
    """Square tiles of an area, row by row.

    Parameters
    ----------
    area
        The rectangle to tile, e.g. the image without its registration borders.
    size_px, stride_px, edge
        As in `starts`; the grid begins at the area's first pixel.

    Yields
    ------
    Box
        Wholly inside `area`.
    """
    columns = starts(area.x.size, size_px, stride_px, edge)
    for y in starts(area.y.size, size_px, stride_px, edge):
        for x in columns:
            top, left = area.y.start + y, area.x.start + x
            yield Box.of(top, left, top + size_px, left + size_px)
