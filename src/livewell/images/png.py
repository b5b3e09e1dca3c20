"""PNG files: every sum of theirs is checked, and what remains is decoded by imagecodecs."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.images.plain import PlainImage, damaged, palette_error, plain_header

MAGIC = b"\x89PNG\r\n\x1a\n"
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel in the file, by the type of colour."""
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)),
    *((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)),
)
"""Interlaced images: first row and column of a pass, and steps."""
_LARGE = 1 << 27
"""Bytes of pixels of which no second copy is made."""


def open_png(path: Path) -> PlainImage:
    """A PNG of 1 to 16 bits, grey or colour; alpha is left out and said so."""
    with path.open("rb") as file:
        chunks = list(_chunks(file.read(1 << 16)))
    before = {chunk.kind: chunk for chunk in chunks if chunk.kind not in (b"IDAT", b"IEND")}
    headed = chunks and chunks[0].kind == b"IHDR" and len(chunks[0].data) == 13
    if not headed or any(chunk.needed and not chunk.whole for chunk in before.values()):
        raise damaged(path, "a PNG whose header is spoilt")
    shape = _Shape.of(chunks[0].data)
    if b"acTL" in before:
        remedy = "save the frames as a TIFF movie"
        raise ImageReadError("an animated PNG", where=str(path), remedy=remedy)
    notes = []
    if shape.colour == 3:
        _refuse_colours(path, before[b"PLTE"].data if b"PLTE" in before else b"")
        notes.append("grey levels looked up in the file's palette")
    if shape.colour in (4, 6) or (shape.colour != 3 and b"tRNS" in before):
        notes.append("transparency (alpha) is left out")
    if shape.bits < 8 and shape.colour == 0:
        notes.append(f"{shape.bits}-bit grey, stretched to 8 bits")
    if any(not (chunk.needed or chunk.whole) for chunk in before.values()):
        notes.append("damaged beside its pixels, which are whole")
    samples = 3 if shape.colour in (2, 6) else 1
    header = plain_header(shape.height, shape.width, shape.bits, samples, notes)
    return PlainImage(path, header, _decode)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk of a PNG: four letters, its bytes, and whether their sum is right."""

    kind: bytes
    data: memoryview
    whole: bool

    @property
    def needed(self) -> bool:
        """Whether a reader must know it: its first letter is a capital."""
        return not self.kind[0] & 32


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the header says of the pixels."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: int

    @classmethod
    def of(cls, header: memoryview) -> "_Shape":
        """As the header's chunk says."""
        return cls(*struct.unpack(">IIBBxxB", header))

    @property
    def size(self) -> int:
        """Bytes of the pixels before they are compressed, a byte for the filter in every row."""
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        depth = self.bits * _SAMPLES.get(self.colour, 0)
        sizes = (
            (-(-(self.height - y) // dy), -(-(self.width - x) // dx)) for y, x, dy, dx in passes
        )
        return sum(rows * (1 + -(-columns * depth // 8)) for rows, columns in sizes if columns > 0)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Chunks of a PNG that lie in `data` from end to end."""
    at = len(MAGIC)
    view = memoryview(data)
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            return
        total = int.from_bytes(data[end : end + 4], "big")
        yield _Chunk(kind, view[at + 8 : end], zlib.crc32(view[at + 4 : end]) == total)
        if kind == b"IEND":
            return
        at = end + 4


def _decode(data: bytes) -> NDArray[Any]:
    """Pixels of a PNG whose sums are right, and which holds as many as its header says."""
    found: dict[bytes, list[memoryview]] = {b"IHDR": [], b"PLTE": [], b"IDAT": [], b"IEND": []}
    for kind, content, whole in ((c.kind, c.data, c.whole) for c in _chunks(data) if c.needed):
        if not whole or kind not in found:
            raise ValueError(f"its chunk {kind.decode('latin-1')!r} is spoilt")
        found[kind].append(content)
    header, packed = found[b"IHDR"][0], b"".join(found[b"IDAT"])
    rows = _unpacked(packed, _Shape.of(header).size)
    # the library need not unpack a second time, where there is memory for it
    packed = zlib.compress(rows, 0) if len(rows) < _LARGE else packed
    del rows
    # other chunks are left out: it warns of them on the terminal
    parts = [MAGIC, *_packed(b"IHDR", header)]
    for palette in found[b"PLTE"][:1]:
        parts += _packed(b"PLTE", palette)
    parts += [*_packed(b"IDAT", packed), *_packed(b"IEND", b"")]
    return np.asarray(imagecodecs.png_decode(b"".join(parts)))


def _packed(kind: bytes, content: bytes | memoryview) -> list[bytes | memoryview]:
    """The parts of a chunk: length, letters, content, sum."""
    total = zlib.crc32(content, zlib.crc32(kind))
    return [len(content).to_bytes(4, "big"), kind, content, total.to_bytes(4, "big")]


def _unpacked(packed: bytes, size: int) -> bytes:
    """The `size` bytes of a compressed stream whose own sum is right."""
    try:
        made = imagecodecs.deflate_decode(packed, out=size + 1)
    except imagecodecs.DeflateError as error:
        raise ValueError("its pixels are fewer or more than its header says, or spoilt") from error
    if len(made) != size:
        raise ValueError("it holds fewer pixels than its header says")
    return bytes(made)


def _refuse_colours(path: Path, palette: bytes | memoryview) -> None:
    colours = np.frombuffer(palette[: len(palette) // 3 * 3], "u1").reshape(-1, 3)
    if colours.size == 0 or (colours != colours[:, :1]).any():
        raise palette_error(path)
