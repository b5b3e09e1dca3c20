"""What an image shows: a digest that turning, mirroring and number type do not change, a likeness.

Equal digests prove the same content; likenesses (`livewell.measure.likeness`) find copies in other
grey levels, with other edges, or through a lossy format.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.image import Frame
from livewell.measure.borders import checked_frame
from livewell.measure.likeness import likeness

Layout = tuple[int, int]
"""Rows and columns of equal tiles that an image is cut into."""

LAYOUTS: tuple[Layout, ...] = ((1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (2, 4), (4, 2))
"""Images in 2, 4, 6 and 8 tiles."""
WHOLE = "whole"
"""The part that is a frame."""
COLUMNS = ["image", "t", "part", "height", "width", "digest", "likeness"]
"""Columns of a content table; `part` is ``whole`` or e.g. ``2x2:0,1`` (row 0, column 1), `likeness`
as `likeness.Likeness.packed` gives it."""
ALIKE = 1.2
"""A frame may be a copy of a tile whose sides are longer or shorter by less than this factor."""


Row = tuple[str, int, str, int, int, str | None, bytes | None]
"""A row of a content table."""


def content_rows(
    image: str, t: int, frame: Frame, shapes: Iterable[tuple[int, int]]
) -> Iterator[Row]:
    """Rows of a content table on a frame, and on its tiles where some frame is about as large.

    Two rows with one digest show the same image; the digest is missing where all pixels are equal,
    and the likeness where a part shows nothing but noise. `shapes` are those of every frame that
    the table is to be compared with. Where all are one, as in most studies, this costs one hash and
    one thumbnail a frame.
    """
    values = _canonical_type(checked_frame(frame))
    whole = [(WHOLE, values)]
    tiles = (_tiles(values, layout) for layout in _compared(values.shape, shapes))
    for part, pixels in chain(whole, *tiles):
        digest = _digest(pixels)
        seen = None if digest is None else likeness(pixels)
        yield image, t, part, *_size(pixels), digest, seen.packed() if seen else None


def table_of(rows: Iterable[Row]) -> pd.DataFrame:
    """A content table."""
    texts = dict.fromkeys(("image", "part", "digest"), "str") | {"likeness": "object"}
    kinds = dict.fromkeys(COLUMNS, "Int64") | texts
    return pd.DataFrame(rows, columns=COLUMNS).astype(kinds)


def frame_digest(frame: Frame) -> str | None:
    """The digest of a whole frame; none where all pixels are equal."""
    return _digest(_canonical_type(checked_frame(frame)))


def tile_digests(frame: Frame) -> frozenset[str]:
    """The digests of the tiles of all `LAYOUTS`."""
    values = _canonical_type(checked_frame(frame))
    high = [layout for layout in LAYOUTS if min(_tile_shape(values.shape, layout)) > 0]
    tiles = (tile for layout in high for _, tile in _tiles(values, layout))
    return frozenset(filter(None, map(_digest, tiles)))


def parts(shape: tuple[int, ...], shapes: Iterable[tuple[int, int]]) -> list[str]:
    """Parts of which a frame of this shape has rows, compared with frames of these shapes."""
    layouts = _compared(shape, shapes)
    tiles = [_part(layout, *at) for layout in layouts for at in np.ndindex(layout)]
    return [WHOLE, *tiles]


def _compared(shape: tuple[int, ...], shapes: Iterable[tuple[int, int]]) -> list[Layout]:
    """Layouts that cut a frame of this shape into tiles about as large as some frame."""
    known = {_either_way(other) for other in shapes}
    return [layout for layout in LAYOUTS if any(_near(shape, layout, other) for other in known)]


def _near(shape: tuple[int, ...], layout: Layout, other: tuple[int, int]) -> bool:
    tile = _either_way(_tile_shape(shape, layout))
    return all(
        one < ALIKE * two and two < ALIKE * one for one, two in zip(tile, other, strict=True)
    )


def _size(values: Frame) -> tuple[int, int]:
    return values.shape[0], values.shape[1]


def _part(layout: Layout, row: int, column: int) -> str:
    return f"{layout[0]}x{layout[1]}:{row},{column}"


def _either_way(shape: tuple[int, ...]) -> tuple[int, int]:
    return min(shape), max(shape)


def _tile_shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, int]:
    return shape[0] // layout[0], shape[1] // layout[1]


def _tiles(values: Frame, layout: Layout) -> Iterator[tuple[str, Frame]]:
    height, width = _tile_shape(values.shape, layout)
    for row, column in np.ndindex(layout):
        top, left = row * height, column * width
        yield _part(layout, row, column), values[top : top + height, left : left + width]


def _canonical_type(frame: Frame) -> NDArray[Any]:
    """The frame in one number type for equal numbers: 16-bit, else 64-bit whole, else float64."""
    if frame.dtype.kind == "f" and not (np.isfinite(frame).all() and (frame % 1 == 0).all()):
        return frame.astype("<f8")
    low, high = frame.min().item(), frame.max().item()
    if low >= 0 and high <= 65535:
        return frame.astype("<u2", copy=False)
    whole = low >= -(2.0**63) and high < 2.0**63
    return frame.astype("<i8" if whole else "<f8", copy=False)


def _digest(values: NDArray[Any]) -> str | None:
    if values.min() == values.max():
        return None
    data = _canonical_bytes(values)
    hashed = blake2b(f"{_either_way(values.shape)} {values.dtype.str} ".encode(), digest_size=16)
    hashed.update(data)
    return hashed.hexdigest()


def _canonical_bytes(values: NDArray[Any]) -> bytes:
    """Bytes of that one of the eight orientations whose first row, then whole, sorts first.

    Choosing by the first row alone decides nearly always, so a frame is copied and hashed once
    instead of eight times.
    """
    turned = [np.rot90(side, k) for side in (values, values[:, ::-1]) for k in range(4)]
    firsts = [view[0].tobytes() for view in turned]
    least = min(firsts)
    return min(view.tobytes() for view, first in zip(turned, firsts, strict=True) if first == least)
