"""The pages of a TIFF file as its bytes state them: tags, sizes, where the pixels lie."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from livewell.images.plain import damaged

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_TAGS = 4096
_KINDS = {
    1: "B", 2: "c", 3: "H", 4: "I", 5: "2I", 6: "b", 7: "c", 8: "h", 9: "i", 10: "2i", 11: "f",
    12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
_SIZES = {kind: struct.calcsize("<" + code) for kind, code in _KINDS.items()}
_WHOLE = frozenset({1, 3, 4, 13, 16, 18})
STRUCTURE = frozenset((
    254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338,
    339, 347, 32997,
))  # fmt: skip
"""Tags that say how the pixels of a page are to be read: each may stand once."""
_FLAVOURS = frozenset((270, 33628, 33629, 34361, 34412, 51123))


@dataclass(frozen=True, slots=True)
class Tag:
    """One entry of a page: number of its type, how many values, where they lie, and their bytes.

    ``raw`` is empty where the values lie elsewhere in the file.
    """

    kind: int
    count: int
    at: int
    size: int
    raw: bytes


@dataclass(frozen=True)
class Page:
    """What the tags of one page say; `number` counts from 0 along the chain.

    ``faults`` are sentences on tags that cannot be: a page that has one is not read. A second
    description is kept as tag -270.
    """

    file: "TiffBytes"
    number: int
    at: int
    end: int
    tags: Mapping[int, Tag]
    faults: tuple[str, ...] = field(default=())

    def values(self, code: int) -> tuple[Any, ...]:
        """Values of a tag, empty where it is absent or of an unknown type."""
        tag = self.tags.get(code)
        return self.file.values(tag) if tag else ()

    def number_of(self, code: int, usual: int) -> int:
        """First whole number of a tag, or what the standard says where it is absent."""
        tag = self.tags.get(code)
        return int(self.file.values(tag)[0]) if tag and tag.kind in _WHOLE else usual

    def text(self, code: int) -> str:
        """Text of a tag, as UTF-8 or else as Windows writes it; empty where it is absent."""
        tag = self.tags.get(code)
        if tag is None or _SIZES.get(tag.kind) != 1:
            return ""
        data = (tag.raw or self.file.read(tag.at, tag.size)).split(b"\0")[0]
        try:
            return data.decode("utf-8").strip()
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace").strip()

    @cached_property
    def width(self) -> int:
        """Pixels in a row."""
        return self.number_of(256, 0)

    @cached_property
    def height(self) -> int:
        """Rows."""
        return self.number_of(257, 0)

    @cached_property
    def samples(self) -> int:
        """Numbers in a pixel."""
        return self.number_of(277, 1)

    @cached_property
    def bits(self) -> int:
        """Bits of a sample, 0 where samples differ in it."""
        return _one(self.values(258), 1)

    @cached_property
    def format(self) -> int:
        """1 whole, 2 signed, 3 real numbers; 5 and 6 complex; 0 where samples differ in it."""
        said = _one(self.values(339), 1)
        return 1 if said == 4 else said

    @cached_property
    def photometric(self) -> int | None:
        """How samples are meant: 0 and 1 grey, 2 colour, 3 a palette; ``None`` if not said."""
        return self.number_of(262, 1) if 262 in self.tags else None

    @cached_property
    def compression(self) -> int:
        """1 for none."""
        return self.number_of(259, 1)

    @cached_property
    def planar(self) -> bool:
        """Whether each sample has a plane of its own."""
        return self.samples > 1 and self.number_of(284, 1) == 2

    @cached_property
    def extras(self) -> tuple[int, ...]:
        """Meaning of samples beyond the colours: 1 and 2 are transparency."""
        return tuple(int(value) for value in self.values(338))

    @cached_property
    def reduced(self) -> bool:
        """Whether the page says that it is a smaller copy, or the mask of another page."""
        return bool(self.number_of(254, 0) & 5) or self.photometric == 4

    @cached_property
    def tile(self) -> tuple[int, int] | None:
        """Rows and columns of a tile; none where the pixels are in strips."""
        if 322 not in self.tags:
            return None
        return self.number_of(323, 0), self.number_of(322, 0)

    @cached_property
    def rows(self) -> int:
        """Rows in a strip or tile."""
        if self.tile:
            return self.tile[0]
        return min(self.number_of(278, self.height) or self.height, self.height)

    @cached_property
    def grid(self) -> tuple[int, int, int]:
        """Segments (planes of samples, down, across)."""
        width = self.tile[1] if self.tile else self.width
        down, across = -(-self.height // max(self.rows, 1)), -(-self.width // max(width, 1))
        return self.samples if self.planar else 1, down, across

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Where each segment begins in the file."""
        return self._whole(324 if self.tile else 273)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Bytes of each segment; where not said and there is one without compression, its size."""
        found = self._whole(325 if self.tile else 279)
        if found.size == 0 and self.compression == 1 and self.offsets.size == 1:
            found = np.array([self.segment_bytes(0)])
        return found

    def _whole(self, code: int) -> NDArray[np.int64]:
        tag = self.tags.get(code)
        values = self.file.values(tag) if tag and tag.kind in _WHOLE else ()
        return np.array([min(value, 2**62) for value in values], np.int64)

    @cached_property
    def dtype(self) -> np.dtype[Any] | None:
        """Type of the pixels in native byte order; none where it is not one of plain numbers."""
        if self.format == 1 and 1 <= self.bits <= 64:
            size = next(size for size in (8, 16, 32, 64) if size >= self.bits)
            return np.dtype("?" if self.bits == 1 else f"u{size // 8}")
        kind, sizes = {2: ("i", (8, 16, 32, 64)), 3: ("f", (16, 32, 64))}.get(self.format, ("", ()))
        return np.dtype(f"{kind}{self.bits // 8}") if self.bits in sizes else None

    @property
    def key(self) -> tuple[Any, ...]:
        """What pages of one series have in common."""
        size = self.height, self.width, self.samples, self.planar
        return *size, self.bits, self.format, self.photometric

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels as they are stored: (y, x), (y, x, sample) or (sample, y, x)."""
        size = self.height, self.width
        if self.samples == 1:
            return size
        return (self.samples, *size) if self.planar else (*size, self.samples)

    def segment_rows(self, down: int) -> int:
        """Rows in the strips or tiles number `down` from the top."""
        return self.rows if self.tile else min(self.rows, self.height - down * self.rows)

    def segment_bytes(self, down: int) -> int:
        """Bytes that a segment needs without compression."""
        width = self.tile[1] if self.tile else self.width
        bits = width * (1 if self.planar else self.samples) * self.bits
        return self.segment_rows(down) * -(-bits // 8)

    @property
    def plane_bytes(self) -> int:
        """Bytes of all pixels without compression."""
        planes, down, across = self.grid
        return planes * across * sum(self.segment_bytes(row) for row in range(down))

    def __str__(self) -> str:
        samples = f" x {self.samples} samples" if self.samples > 1 else ""
        kind = {1: "whole", 2: "signed", 3: "real"}.get(self.format, "other")
        return f"{self.height} x {self.width} px{samples}, {self.bits}-bit {kind} numbers"


def _one(values: Sequence[Any], usual: int) -> int:
    return (int(values[0]) if len(set(values)) == 1 else 0) if values else usual


class TiffBytes:
    """An open TIFF file: its byte order, and tags out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle: BinaryIO = path.open("rb")
        self.size = path.stat().st_size
        first = self.read(0, 16).ljust(16, b"\0")
        self.order = "<" if first[:1] == b"I" else ">"
        self.big = first[2:4] in (b"+\0", b"\0+")
        self.first = struct.unpack(self.order + ("Q" if self.big else "I"),
                                   first[8:16] if self.big else first[4:8])[0]  # fmt: skip
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self._words = ("Q", "Q") if self.big else ("H", "I")

    def read(self, at: int, size: int) -> bytes:
        """Bytes from a place on, fewer where the file ends."""
        self.handle.seek(at)
        return self.handle.read(size)

    def values(self, tag: Tag) -> tuple[Any, ...]:
        """Values of a tag."""
        code = _KINDS.get(tag.kind)
        if code is None:
            return ()
        data = tag.raw or self.read(tag.at, tag.size)
        many = f"{tag.count * 2}{code[1]}" if code[0] == "2" else f"{tag.count}{code}"
        return struct.unpack(self.order + many, data)

    def pages(self) -> list[Page]:
        """Every page of the chain; an error where the chain leads nowhere."""
        return list(self._chain(self.first))

    def page(self, at: int, number: int) -> tuple[Page, int]:
        """The page at a place, and where the next one is (0 for none)."""
        word, pointer = (struct.Struct(self.order + code) for code in self._words)
        head = self.read(at, word.size).ljust(word.size, b"\0")
        (count,) = word.unpack(head)
        if not 0 < count <= _MOST_TAGS:
            raise damaged(self.path, "its list of pages points nowhere", f"page {number} at {at}")
        start, length = at + word.size, count * self._entry.size
        data = self.read(start, length + pointer.size)
        if len(data) < length + pointer.size:
            raise damaged(self.path, "the file ends too early, within its list of pages")
        tags: dict[int, Tag] = {}
        faults = []
        for i, (code, kind, many, raw) in enumerate(self._entry.iter_unpack(data[:length])):
            size, place = many * _SIZES.get(kind, 1), start + (i + 1) * self._entry.size - len(raw)
            if size > len(raw):
                (place,), raw = pointer.unpack(raw), b""
            known = code in STRUCTURE
            if place + size > self.size or (known and (many == 0 or kind not in _SIZES)):
                if known or code in _FLAVOURS:
                    faults.append(f"tag {code} points nowhere")
            elif code not in tags:
                tags[code] = Tag(kind, many, place, size, raw[:size])
            elif known:
                faults.append(f"tag {code} stands twice")
            elif code == 270:
                tags[-270] = Tag(kind, many, place, size, raw[:size])
        (following,) = pointer.unpack(data[length:])
        return Page(self, number, at, start + len(data), tags, tuple(faults)), following

    def _chain(self, at: int) -> Iterator[Page]:
        seen: set[int] = set()
        while at:
            if at in seen:
                raise damaged(self.path, "its list of pages goes round in a circle")
            if at >= self.size:
                raise damaged(
                    self.path,
                    "the file ends too early or points nowhere",
                    f"{self.size} bytes, page {len(seen)} at byte {at}",
                )
            seen.add(at)
            page, at = self.page(at, len(seen) - 1)
            yield page

