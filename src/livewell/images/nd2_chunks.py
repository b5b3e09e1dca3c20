"""The chunks of a Nikon ND2 file: pixels and tables by name, each checked before it is believed.

Frames are read here and not by `nd2`, which fills frames that are missing or cut off with zeros.
"""

import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from livewell.image import Frame
from livewell.images.plain import damaged

MAGIC = b"\xda\xce\xbe\x0a"
"""First bytes of the file and of every chunk."""
_HEAD = struct.Struct("<4sIQ")
_MAP_AT = struct.Struct("<32sQ")
_ENTRY = struct.Struct("<QQ")
_MAP_NAME = b"ND2 FILEMAP SIGNATURE NAME 0001!"
_MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_FRAME = b"ImageDataSeq|"


@dataclass(frozen=True, slots=True)
class PixelForm:
    """How a frame lies in its chunk: rows of `row_bytes`, components side by side in a pixel."""

    height: int
    width: int
    components: int
    dtype: str
    row_bytes: int
    zipped: bool


class Nd2Chunks:
    """The chunks of an open file; where they are is read from it, unless it is known already."""

    def __init__(self, path: Path, places: dict[bytes, int] | None = None) -> None:
        self.path = path
        self._file = path.open("rb")
        try:
            self._size = self._file.seek(0, 2)
            self.places = self._map() if places is None else places
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def numbers(self, name: str, dtype: str) -> np.ndarray | None:
        """A table of numbers, ``None`` where the file has none of that name."""
        key = f"{name}!".encode()
        if key not in self.places:
            return None
        data = self._read(key)
        return np.frombuffer(data, dtype, len(data) // np.dtype(dtype).itemsize)

    def frame(self, number: int, form: PixelForm, component: int) -> Frame:
        """One component of a frame, shape (y, x)."""
        key = b"%s%d!" % (_FRAME, number)
        if key not in self.places:
            raise damaged(self.path, f"frame {number} of the file's list is not in it")
        needed = form.row_bytes * form.height
        data: bytes | memoryview = memoryview(self._read(key))[8:]  # after the time of the frame
        if form.zipped:
            data = zlib.decompressobj().decompress(data, needed + 1)
        if len(data) < needed or (form.zipped and len(data) > needed):
            raise damaged(
                self.path,
                f"frame {number} has not the bytes of its pixels",
                got=f"{len(data)} of {needed} bytes",
            )
        size = np.dtype(form.dtype).itemsize
        pixels: Frame = np.ndarray(
            (form.height, form.width),
            np.dtype(form.dtype).newbyteorder("<"),
            data,
            offset=component * size,
            strides=(form.row_bytes, form.components * size),
        )
        return pixels

    def _read(self, key: bytes) -> bytes:
        """The data of a chunk, which must be where the map says, and as long as it says itself."""
        return self._chunk(self.places[key], key)

    def _chunk(self, at: int, key: bytes) -> bytes:
        self._file.seek(at)
        head = self._file.read(_HEAD.size)
        magic, name_size, size = _HEAD.unpack(head) if len(head) == _HEAD.size else (b"", 0, 0)
        if magic != MAGIC or at + _HEAD.size + name_size + size > self._size:
            raise damaged(self.path, f"what it lists as {_text(key)} is not there, or cut off")
        if not self._file.read(name_size).startswith(key):
            raise damaged(self.path, f"where it lists {_text(key)} there is something else")
        data = self._file.read(size)
        if len(data) != size:
            raise damaged(self.path)
        return data

    def _map(self) -> dict[bytes, int]:
        """Where each chunk begins, by the list at the end of the file."""
        if self._size < _MAP_AT.size:
            raise damaged(self.path)
        self._file.seek(-_MAP_AT.size, 2)
        name, at = _MAP_AT.unpack(self._file.read(_MAP_AT.size))
        if name != _MAP_END or at > self._size:
            raise damaged(self.path, "the list of its parts, which ends the file, is missing")
        data, places, start = self._chunk(at, _MAP_NAME), {}, 0
        while (end := data.find(b"!", start) + 1) and data[start:end] != _MAP_END:
            if end + _ENTRY.size > len(data):
                break
            places[data[start:end]], _ = _ENTRY.unpack_from(data, end)
            start = end + _ENTRY.size
        else:
            if end:
                return places
        raise damaged(self.path, "the list of its parts is not whole")


def frames_among(places: Collection[bytes]) -> frozenset[int]:
    """Numbers of the frames among names of chunks."""
    keys = [key[len(_FRAME) : -1] for key in places if key.startswith(_FRAME)]
    return frozenset(int(key) for key in keys if key.isdigit())


def _text(key: bytes) -> str:
    return key.decode("ascii", "replace").rstrip("!")
