"""The segments of a Zeiss CZI file: its directory of planes, its XML, and the bytes of a plane.

Written from the description of the format that Zeiss publishes; readers of it in other packages are
under the GPL, and fill what is missing with zeros.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from livewell.errors import ImageReadError
from livewell.images.plain import damaged

MAGIC = b"ZISRAWFILE"
_SEGMENT = struct.Struct("<16sQQ")
_FILE = struct.Struct("<iiii16s16siqqiq")
_ENTRY = struct.Struct("<2siqii6si")
_AXIS = struct.Struct("<4siifi")
_BLOCK = struct.Struct("<iiq")
_HEAD = 256
"""Least bytes before the metadata of a plane."""
_DIRECTORY = 128
"""Bytes before the entries of the directory."""
_MOST_AXES = 20


@dataclass(frozen=True, slots=True)
class Plane:
    """One stored plane: where its segment is, how it is stored, and its place on each axis.

    `start` and `size` by the letters of the axes; y and x in pixels of the whole scan.
    """

    at: int
    pixel_type: int
    compression: int
    start: dict[str, int]
    size: dict[str, int]

    def of(self, axis: str) -> int:
        """Where it begins on an axis; 0 on one that it does not name."""
        return self.start.get(axis, 0)


@dataclass(frozen=True, slots=True)
class Directory:
    """Planes of full resolution, and the XML that describes the file."""

    planes: tuple[Plane, ...]
    xml: bytes


def read_directory(path: Path) -> Directory:
    """What a file holds; pixels are not read."""
    with path.open("rb") as file:
        segments = Segments(path, file)
        head = segments.read(0, MAGIC, _FILE.size)
        _, _, _, _, _, _, part, directory, metadata, pending, _ = _FILE.unpack(head)
        if part:
            raise ImageReadError(
                "part of an image that is spread over several CZI files",
                where=str(path),
                remedy="save it as one file in ZEN, or export it as OME-TIFF",
            )
        if pending:
            raise damaged(path, "it was not closed by the program that wrote it")
        planes = tuple(segments.planes(directory))
        return Directory(planes, segments.xml(metadata) if metadata else b"")


class Segments:
    """The segments of an open file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._size = file.seek(0, 2)

    def read(self, at: int, name: bytes, count: int, skip: int = 0) -> bytes:
        """So many bytes of a segment's data, which must be there by that name."""
        if not 0 <= at <= self._size - _SEGMENT.size:
            raise damaged(self._path, f"a part of it ({_text(name)}) lies beyond its end")
        self._file.seek(at)
        said, _, used = _SEGMENT.unpack(self._file.read(_SEGMENT.size))
        if said.rstrip(b"\0") != name:
            raise damaged(self._path, f"where {_text(name)} should be there is something else")
        start = at + _SEGMENT.size + skip
        if count < 0 or start + count > self._size or (used and skip + count > used):
            raise damaged(self._path, f"a part of it ({_text(name)}) is cut off")
        self._file.seek(start)
        return self._file.read(count)

    def whole(self, at: int, name: bytes) -> bytes:
        """All data of a segment."""
        self.read(at, name, 0)
        self._file.seek(at)
        _, allocated, used = _SEGMENT.unpack(self._file.read(_SEGMENT.size))
        return self.read(at, name, used or allocated)

    def xml(self, at: int) -> bytes:
        """The XML of the file."""
        size, _ = struct.unpack("<ii", self.read(at, b"ZISRAWMETADATA", 8))
        return self.read(at, b"ZISRAWMETADATA", size, _HEAD)

    def planes(self, at: int) -> Iterator[Plane]:
        """Every plane of full resolution in the file's directory."""
        data = self.whole(at, b"ZISRAWDIRECTORY")
        (count,) = struct.unpack_from("<i", data) if len(data) >= _DIRECTORY else (-1,)
        start = _DIRECTORY
        for _ in range(count):
            if start + _ENTRY.size > len(data):
                raise damaged(self._path, "its directory is cut off")
            _, pixel_type, place, part, compression, _, axes = _ENTRY.unpack_from(data, start)
            end = start + _ENTRY.size + axes * _AXIS.size
            if part or not 0 < axes <= _MOST_AXES or end > len(data):
                raise damaged(self._path, "its directory is not one")
            plane = _plane(place, pixel_type, compression, data[start + _ENTRY.size : end])
            start = end
            if plane is not None:
                yield plane
        if count < 0:
            raise damaged(self._path, "its directory cannot be so long", got=f"{count} planes")

    def block(self, plane: Plane, pixels: bool) -> bytes:
        """The compressed pixels of a plane, or the XML beside them."""
        name = b"ZISRAWSUBBLOCK"
        xml, _, size = _BLOCK.unpack(self.read(plane.at, name, _BLOCK.size))
        (axes,) = struct.unpack("<i", self.read(plane.at, name, 4, _BLOCK.size + _ENTRY.size - 4))
        if xml < 0 or not 0 < axes <= _MOST_AXES:
            raise damaged(self._path, "the description of a plane is not one")
        start = max(_HEAD, _BLOCK.size + _ENTRY.size + axes * _AXIS.size)
        if pixels:
            return self.read(plane.at, name, size, start + xml)
        return self.read(plane.at, name, xml, start)


def _plane(at: int, pixel_type: int, compression: int, data: bytes) -> Plane | None:
    """A plane; ``None`` of the smaller copies that a file keeps for looking at."""
    start, size = {}, {}
    for letters, first, count, _, stored in _AXIS.iter_unpack(data):
        axis = letters.rstrip(b"\0").decode("ascii", "replace")
        if axis in ("X", "Y") and stored not in (0, count):
            return None
        start[axis], size[axis] = first, count
    return Plane(at, pixel_type, compression, start, size)


def _text(name: bytes) -> str:
    return name.decode("ascii")
