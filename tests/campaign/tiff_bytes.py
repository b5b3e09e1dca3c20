"""TIFF at the level of bytes: where its tags are, and whether it fits together, by no reader."""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from tests.campaign.jpeg_bytes import sound_jpeg

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_DECODERS: dict[int, Callable[[bytes], bytes]] = {
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    32773: imagecodecs.packbits_decode,
    50000: imagecodecs.zstd_decode,
}


@dataclass(frozen=True)
class Entry:
    """One tag: its place in the file, type, count and values (integers and text only)."""

    at: int
    code: int
    type: int
    count: int
    values: Any


@dataclass(frozen=True)
class Layout:
    """How the file counts: struct's byte order, and sizes of what an IFD is made of."""

    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> "Layout":
        """By the first four bytes."""
        return cls("<" if data[:2] == b"II" else ">", data[2:4] in (b"+\0", b"\0+"))

    @property
    def word(self) -> str:
        """Struct's letter of an offset or a count."""
        return "Q" if self.big else "I"

    def read(self, letter: str, data: bytes, at: int) -> int:
        """One number."""
        return int(struct.unpack_from(self.order + letter, data, at)[0])


def directories(data: bytes) -> list[list[Entry]]:
    """Entries of every page in turn; raises ValueError or struct.error where they cannot be."""
    layout, found, seen = Layout.of(data), list[list[Entry]](), set[int]()
    head, entry = (8, 20) if layout.big else (2, 12)
    at = layout.read(layout.word, data, 8 if layout.big else 4)
    while at:
        if at in seen or at >= len(data):
            raise ValueError("pages go round or beyond the file")
        seen.add(at)
        count = layout.read("Q" if layout.big else "H", data, at)
        found.append([_entry(data, at + head + entry * i, layout) for i in range(min(count, 999))])
        at = layout.read(layout.word, data, at + head + entry * count)
    return found


def _entry(data: bytes, at: int, layout: Layout) -> Entry:
    code, kind = struct.unpack_from(layout.order + "HH", data, at)
    count = layout.read(layout.word, data, at + 4)
    place, inside = (at + 12, 8) if layout.big else (at + 8, 4)
    if SIZES.get(kind, 1) * count > inside:
        place = layout.read(layout.word, data, place)
    values: Any = None
    if kind == 2 and place + count <= len(data):
        values = data[place : place + count].split(b"\0")[0]
    elif kind in _INTEGERS and count < 1 << 16:
        if place + count * SIZES[kind] > len(data):
            raise ValueError("values beyond the file")
        values = struct.unpack_from(f"{layout.order}{count}{_INTEGERS[kind]}", data, place)
    return Entry(at, code, kind, count, values)


def faults(data: bytes) -> str:
    """What does not fit together in a TIFF, or nothing: all that a careful reader can notice."""
    try:
        pages = directories(data)
        if not pages:
            return "no page"
        known = [_page(data, page) for page in pages]
        if len(set(known)) > 1:
            return "pages of several kinds"
        return _words(pages, *known[0])
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _page(data: bytes, entries: list[Entry]) -> tuple[int, int, int, int, int]:
    """Height, width, samples, bits and number format of a page whose pixels fit its tags."""
    codes = [entry.code for entry in entries]
    if len(set(codes)) < len(codes):
        raise ValueError("a tag stands twice")
    tags = {entry.code: entry.values for entry in entries}

    def one(code: int, usual: int | None = None) -> int:
        values = tags.get(code, None if usual is None else (usual,))
        if not values or len(set(values)) != 1:
            raise ValueError(f"tag {code}: {values}")
        return int(values[0])

    height, width, samples = one(257), one(256), one(277, 1)
    bits, form, codec = one(258, 1), one(339, 1), one(259, 1)
    if len(tags.get(258, (1,))) not in (1, samples) or bits not in (8, 12, 16, 32, 64):
        raise ValueError(f"bits {tags.get(258)}")
    if form not in (1, 2, 3) or not min(height, width, samples) > 0 or one(317, 1) > 3:
        raise ValueError("a number that cannot be")
    fitting = _segments(data, tags, one, (height, width, samples, bits, codec))
    if fitting:
        raise ValueError(fitting)
    return height, width, samples, bits, form


def _segments(
    data: bytes,
    tags: dict[int, Any],
    one: Callable[[int, int | None], int],
    shape: tuple[int, int, int, int, int],
) -> str:
    """What is wrong with the strips or tiles of a page, or nothing."""
    height, width, samples, bits, codec = shape
    tiled = 322 in tags
    rows, across = (
        (one(323, None), one(322, None)) if tiled else (min(one(278, height), height), width)
    )
    planes, depth = (samples, 1) if one(284, 1) == 2 else (1, samples)
    offsets, counts = tags[324 if tiled else 273], tags[325 if tiled else 279]
    down = -(-height // rows)
    if not len(offsets) == len(counts) == planes * down * -(-width // across):
        return "not so many segments"
    for number, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        if offset < 8 or not count or offset + count > len(data):
            return "a segment beyond the file, or nowhere"
        last = not tiled and number % down == down - 1
        high = height - rows * (down - 1) if last else rows
        segment = data[offset : offset + count]
        if codec in (6, 7):
            _jpeg(segment, (high, across, depth))
        elif len(_decoded(codec, segment)) != high * -(-across * depth * bits // 8):
            return "a segment of another length"
    return ""


def _decoded(codec: int, segment: bytes) -> bytes:
    return segment if codec == 1 else bytes(_DECODERS[codec](segment))


def _jpeg(segment: bytes, shape: tuple[int, int, int]) -> None:
    wrong = sound_jpeg(segment)
    found = np.atleast_3d(imagecodecs.jpeg_decode(segment)).shape
    if wrong or found != shape:
        raise ValueError(wrong or f"a JPEG of {found}")


def _words(pages: list[list[Entry]], height: int, width: int, *_: int) -> str:
    """Where the description says other axes than the pages have."""
    first = {entry.code: entry.values for entry in pages[0]}
    text = (first.get(270) or b"").decode("latin-1") if 33629 not in first else ""
    if text.lstrip().startswith("<") or "<OME" in text:
        sizes = {axis: int(n) for axis, n in re.findall(r' Size([XYZCT])="([^"]*)"', text)}
        tifffile.xml2dict(text)
        planes = sizes["Z"] * sizes["C"] * sizes["T"]
        if (sizes["Y"], sizes["X"]) != (height, width) or planes != len(pages):
            return f"OME-XML says {sizes}, there are {len(pages)} pages"
        named = [int(n) for n in re.findall(r'IFD="([^"]*)"', text)]
        if len(set(named)) < len(named) or set(named) - set(range(planes)) or "FileName" in text:
            return f"OME-XML names pages {named}"
        return ""
    if text.startswith("ImageJ="):
        said = dict(re.findall(r"(\w+)=(\d+)", text))
        planes = 1
        for axis in ("channels", "slices", "frames"):
            planes *= int(said.get(axis, 1))
        if int(said.get("images", 1)) != planes or len(pages) not in (1, planes):
            return f"ImageJ says {said}, there are {len(pages)} pages"
    return ""
