"""A patch is a key (image, t, box), never pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from livewell.errors import GeometryError
from livewell.geometry import Box, Edge, tiles


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """The key of one patch.

    Parameters
    ----------
    image
        The image's name in its study.
    t
        Frame, counted from 0 within the image's file.
    box
        Pixels of the frame; beyond its valid area, where a box centred on a point may reach, they
        are mirrored from inside (``numpy.pad`` mode ``reflect``).
    """

    image: str
    t: int
    box: Box


@dataclass(frozen=True, slots=True)
class RegionGrid:
    """Square patches on a grid."""

    size_px: int
    stride_px: int
    edge: Edge = "drop"

    def patches(self, image: str, t: int, area: Box) -> Iterator[Region]:
        """Every patch of one frame; none where the area is smaller than a patch."""
        for box in tiles(area, self.size_px, self.stride_px, self.edge):
            yield Region(image, t, box)


def centred(
    image: str, t: int, points: Iterable[tuple[float, float]], size_px: int
) -> Iterator[Region]:
    """Patches round points (y, x), rounded to the nearest box; they may reach beyond the frame."""
    if size_px < 1:
        raise GeometryError("a patch below one pixel", expected="size_px >= 1", got=str(size_px))
    for y, x in points:
        top, left = round(y - size_px / 2), round(x - size_px / 2)
        yield Region(image, t, Box.of(top, left, top + size_px, left + size_px))
