"""What may happen to the bytes and the name of an image file."""

import random
import re
import struct
from dataclasses import dataclass

from tests.campaign import jpeg_bytes, png_bytes
from tests.campaign.image_sources import Source
from tests.campaign.tiff_bytes import SIZES, Layout, directories


@dataclass(frozen=True)
class Mutation:
    """A file that something happened to: its bytes, its name and what it was."""

    data: bytes
    name: str
    what: str


ODD = (0, 1, 2, 3, 7, 255, 256, 4000, 65535, 65536, 1 << 20, 1 << 30, (1 << 31) - 1, (1 << 32) - 1)
_SUFFIXES = (".tif", ".png", ".jpg", ".stk", ".ome.tif", ".TIFF", ".btf")


def mutated(source: Source, sources: list[Source], rng: random.Random) -> Mutation:
    """One thing that happens to a file."""
    ways = [_flip, _flip, _zero, _cut_end, _cut, _insert, _joined, _renamed]
    if source.data[:2] in (b"II", b"MM"):
        ways += [_tag, _tag, _tag, _entry, _description, _description, _next_page, _flip_head]
    elif source.data[:1] == b"\x89":
        ways += [_chunk, _chunk, _chunk, _png_header]
    else:
        ways += [_jpeg_header, _jpeg_header, _half_jpeg, _flip_head]
    other = rng.choice(sources)
    for _ in range(20):
        made = rng.choice(ways)(source, other, rng)
        if made is not None and (made.data, made.name) != (source.data, source.name):
            return made
    return _cut_end(source, other, rng)


def _made(source: Source, data: bytes, what: str) -> Mutation:
    return Mutation(bytes(data), source.name, f"{source.name}: {what}")


def _flip(source: Source, _: Source, rng: random.Random, end: int | None = None) -> Mutation:
    data, places = bytearray(source.data), []
    for _i in range(rng.choice((1, 1, 1, 2, 8))):
        at, bit = rng.randrange(end or len(data)), rng.randrange(8)
        data[at] ^= 1 << bit
        places.append(f"{at}.{bit}")
    return _made(source, data, f"bits {' '.join(places)} flipped")


def _flip_head(source: Source, other: Source, rng: random.Random) -> Mutation:
    return _flip(source, other, rng, min(400, len(source.data)))


def _span(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 40, 256, 1024)))


def _zero(source: Source, _: Source, rng: random.Random) -> Mutation:
    start, stop = _span(source.data, rng)
    data = source.data[:start] + bytes(stop - start) + source.data[stop:]
    return _made(source, data, f"bytes {start} to {stop} zeroed")


def _cut_end(source: Source, _: Source, rng: random.Random) -> Mutation:
    size = rng.choice((len(source.data) - 1 - rng.randrange(64), rng.randrange(len(source.data))))
    return _made(source, source.data[:size], f"cut after {size} of {len(source.data)} bytes")


def _cut(source: Source, _: Source, rng: random.Random) -> Mutation:
    start, stop = _span(source.data, rng)
    return _made(source, source.data[:start] + source.data[stop:], f"{start} to {stop} cut out")


def _insert(source: Source, _: Source, rng: random.Random) -> Mutation:
    start, stop = _span(source.data, rng)
    more = source.data[start:stop] if rng.random() < 0.5 else rng.randbytes(stop - start)
    data = source.data[:start] + more + source.data[start:]
    return _made(source, data, f"{len(more)} bytes put in at {start}")


def _joined(source: Source, other: Source, rng: random.Random) -> Mutation:
    if rng.random() < 0.5:
        return _made(source, source.data + other.data, f"{other.name} behind it")
    return _made(source, source.data + source.data, "twice, one behind the other")


def _renamed(source: Source, _: Source, rng: random.Random) -> Mutation:
    name = "renamed" + rng.choice(_SUFFIXES)
    return Mutation(source.data, name, f"{source.name}: named {name}")


def _tag(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Change type, count, value (or offset) or code of one entry."""
    layout, entry = Layout.of(source.data), rng.choice(rng.choice(directories(source.data)))
    data, order, field = bytearray(source.data), layout.order, rng.choice("tcvvvvb")
    place = entry.at + (12 if layout.big else 8)
    if field == "t":
        letter, at, value = "H", entry.at + 2, rng.choice(list(SIZES))
    elif field == "c":
        value = rng.choice((*ODD, entry.count + 1, max(entry.count - 1, 0)))
        letter, at = layout.word, entry.at + 4
    elif field == "b":
        letter, at = "H", entry.at
        value = rng.choice((254, 256, 257, 258, 273, 277, 279, 284, 317, 339, 65000))
    else:
        size = min(SIZES.get(entry.type, 1) * max(entry.count, 1), 8 if layout.big else 4)
        letter = "BHIQ"[min(size.bit_length() - 1, 3)]
        old, at = layout.read(letter, source.data, place), place
        new = rng.choice((*ODD, old + 1, old - 1, old * 2, old // 2, old ^ 1 << rng.randrange(31)))
        value = new % (1 << 8 * struct.calcsize("<" + letter))
    struct.pack_into(order + letter, data, at, value)
    what = {"t": "type", "c": "count", "v": "value or offset", "b": "code"}[field]
    return _made(source, data, f"{what} of tag {entry.code} at byte {entry.at} set to {value}")


def _entry(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Swap two entries of a page, or write one over another."""
    page = rng.choice(directories(source.data))
    one, two = rng.choice(page), rng.choice(page)
    size, data = (20 if Layout.of(source.data).big else 12), bytearray(source.data)
    first, second = data[one.at : one.at + size], data[two.at : two.at + size]
    data[one.at : one.at + size] = second
    if rng.random() < 0.5:
        data[two.at : two.at + size] = first
    return _made(source, data, f"tag {two.code} in the place of tag {one.code}")


def _next_page(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Let the page that follows be none, another, or nowhere."""
    layout, pages = Layout.of(source.data), directories(source.data)
    entry, data = (20 if layout.big else 12), bytearray(source.data)
    page = rng.choice(pages)
    begins = [other[0].at - (8 if layout.big else 2) for other in pages]
    value = rng.choice((0, 4, len(data) - 2, len(data) + 9, *begins))
    struct.pack_into(layout.order + layout.word, data, page[-1].at + entry, value)
    return _made(source, data, f"the page after that of byte {page[0].at} is at {value}")


_EDITS = (
    (rb'Size([TCZXY])="\d+"', (rb'Size\1="0"', rb'Size\1="1"', rb'Size\1="2"', rb'Size\1="7"',
     rb'Size\1="2000000000"', rb'Size\1="10000000000000"', rb'Size\1="-3"', rb'Size\1="x"')),
    (rb'DimensionOrder="\w+"', (rb'DimensionOrder="XYZTC"', rb'DimensionOrder="XYCTZ"',
     rb'DimensionOrder="XYTZC"', rb'DimensionOrder="YXCZT"', rb'DimensionOrder=""')),
    (rb' Type="\w+"', (rb' Type="uint8"', rb' Type="float"', rb' Type="int16"', rb' Type=""')),
    (rb'IFD="\d+"', (rb'IFD="-1"', rb'IFD="1"', rb'IFD="99"', rb'IFD="x"')),
    (rb'PlaneCount="\d+"', (rb'PlaneCount="0"', rb'PlaneCount="2000000000"', rb'PlaneCount="1"')),
    (rb'<TiffData[^>]*/>', (rb"", rb'<TiffData IFD="0"/>', rb'<TiffData FirstT="5" IFD="0"/>',
     rb'<TiffData IFD="0"><UUID FileName="pipe.tif">urn:uuid:1</UUID></TiffData>',
     rb'<TiffData IFD="0"><UUID FileName="/etc/hostname">urn:uuid:1</UUID></TiffData>',
     rb'<TiffData IFD="0"><UUID FileName="decoy.tif">urn:uuid:1</UUID></TiffData>')),
    (rb'PhysicalSize([XY])="[^"]*"', (rb'PhysicalSize\1="0"', rb'PhysicalSize\1="-1"',
     rb'PhysicalSize\1="1e-9"', rb'PhysicalSize\1="nan"', rb'PhysicalSize\1="0,65"',
     rb'PhysicalSize\1="650" PhysicalSize\1Unit="nm"', rb'PhysicalSize\1="65000"')),
    (rb"</?\w+", (rb"<", rb"</OME><OME", rb"<Image><Pixels")),
    (rb"(channels|slices|frames|images)=\d+", (rb"\1=0", rb"\1=1", rb"\1=2", rb"\1=9", rb"\1=-2",
     rb"\1=2000000000", rb"\1=x", rb"")),
    (rb"unit=\w+", (rb"unit=cm", rb"unit=", rb"unit=inch", rb"unit=nm", rb"unit=\\u00B5m")),
    (rb"hyperstack=true|mode=\w+", (rb"mode=color", rb"hyperstack=false", rb"")),
    (rb'"shape": \[[^\]]*\]', (rb'"shape": [1]', rb'"shape": [48, 41]', rb'"shape": [-1]')),
)  # fmt: skip


def _description(source: Source, _: Source, rng: random.Random) -> Mutation | None:
    """Edit the description of the first page, as a program might; it moves to the file's end."""
    layout = Layout.of(source.data)
    entry = next((it for it in directories(source.data)[0] if it.code == 270), None)
    if entry is None or entry.values is None:
        return None
    fitting = [edit for edit in _EDITS if re.search(edit[0], entry.values)]
    if not fitting:
        return None
    pattern, news = rng.choice(fitting)
    new, count = rng.choice(news), rng.choice((0, 1))
    text = re.sub(pattern, new, entry.values, count=count)
    data = bytearray(source.data) + b"\0" * (len(source.data) % 2)
    struct.pack_into(layout.order + layout.word, data, entry.at + 4, len(text) + 1)
    place = entry.at + (12 if layout.big else 8)
    struct.pack_into(layout.order + layout.word, data, place, len(data))
    changed = "first" if count else "every"
    return _made(source, data + text + b"\0", f"{changed} {pattern!r} becomes {new!r}")


def _chunk(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Swap, drop, double or edit chunks of a PNG; checksums hold."""
    parts = [(kind, content) for kind, content, _ in png_bytes.chunks(source.data)]
    i, j = rng.randrange(len(parts)), rng.randrange(len(parts))
    way = rng.choice(("swapped", "dropped", "doubled", "a byte changed in"))
    if way == "swapped":
        parts[i], parts[j] = parts[j], parts[i]
    elif way == "dropped":
        del parts[i]
    elif way == "doubled":
        parts.insert(j, parts[i])
    elif parts[i][1]:
        content = bytearray(parts[i][1])
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        parts[i] = parts[i][0], bytes(content)
    return _made(source, png_bytes.joined(parts), f"chunks {i} {j}: {way}")


def _png_header(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Change a number of the header; its checksum holds."""
    parts = [(kind, content) for kind, content, _ in png_bytes.chunks(source.data)]
    values = list(struct.unpack(">IIBBBBB", parts[0][1]))
    at = rng.randrange(7)
    size = rng.choice((*ODD, 47, 49, 400, 500_000))
    values[at] = size if at < 2 else rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    parts[0] = parts[0][0], struct.pack(">IIBBBBB", *values)
    return _made(source, png_bytes.joined(parts), f"header number {at} set to {values[at]}")


def _jpeg_header(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Change the size in the frame's header, a bit of any segment, or drop or double one."""
    parts = jpeg_bytes.segments(source.data)
    marker, at, content = rng.choice(parts)
    frame = next(part for part in parts if part[0] in (0xC0, 0xC1, 0xC2))
    data, way = bytearray(source.data), rng.choice(("size", "size", "drop", "double", "byte"))
    if way == "size":
        place = frame[1] + 5 + rng.choice((0, 2))
        value = rng.choice((1, 24, 39, 47, 49, 96, 400, 4000, 65500))
        struct.pack_into(">H", data, place, value)
        return _made(source, data, f"size at byte {place} set to {value}")
    if way == "byte" and content:
        data[at + 4 + rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return _made(source, data, f"a bit of segment {marker:02x} flipped")
    whole = source.data[at : at + 4 + len(content)]
    data[at : at + len(whole)] = b"" if way == "drop" else whole * 2
    return _made(source, data, f"segment {marker:02x}: {way}")


def _half_jpeg(source: Source, _: Source, rng: random.Random) -> Mutation:
    """Cut within the scan, with the end mark put behind."""
    start = jpeg_bytes.segments(source.data)[-1][1]
    at = rng.randrange(start, len(source.data) - 2)
    return _made(source, source.data[:at] + b"\xff\xd9", f"ended at byte {at}, with an end mark")
