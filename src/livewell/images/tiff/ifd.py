"""The pages of a TIFF file as its bytes state them: tags, sizes, where the pixels lie."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

from livewell.images.plain import damaged
from livewell.images.tiff.form import Form

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_TAGS = 4096
_KINDS = {
    1: "B", 2: "c", 3: "H", 4: "I", 5: "2I", 6: "b", 7: "c", 8: "h", 9: "i", 10: "2i", 11: "f",
    12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
_SIZES = {kind: struct.calcsize("<" + code) for kind, code in _KINDS.items()}
_WHOLE = frozenset({1, 3, 4, 7, 13, 16, 18})
STRUCTURE = frozenset((
    254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338,
    339, 347, 32997,
))  # fmt: skip
"""Tags that say how the pixels of a page are to be read: each may stand once."""
_SEGMENTS = ((273, 324), (279, 325))
_FORM = STRUCTURE - {code for codes in _SEGMENTS for code in codes}
_FLAVOURS = frozenset((270, 33628, 33629, 34361, 34412, 51123))


class Tag(NamedTuple):
    """One entry of a page: number of its type, how many values, where they lie, and their bytes.

    ``raw`` is empty where the values lie elsewhere in the file.
    """

    kind: int
    many: int
    at: int
    size: int
    raw: bytes


@dataclass(slots=True, eq=False)
class Page:
    """What the tags of one page say; `number` counts from 0 along the chain.

    ``faults`` are sentences on tags that cannot be: a page that has one is not read. ``offsets``
    and ``counts`` say where its segments lie. A second description is kept as tag -270.
    """

    file: "TiffBytes"
    number: int
    at: int
    end: int
    tags: Mapping[int, Tag]
    form: Form
    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    faults: tuple[str, ...]

    def values(self, code: int) -> tuple[Any, ...]:
        """Values of a tag, empty where it is absent or of an unknown type."""
        tag = self.tags.get(code)
        return self.file.values(tag) if tag else ()

    def text(self, code: int) -> str:
        """Text of a tag, as UTF-8 or else as Windows writes it; empty where it is absent."""
        return self.file.text(self.tags.get(code))


class TiffBytes:
    """An open TIFF file: its byte order, and tags out of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle: BufferedReader = path.open("rb")
        self.size = path.stat().st_size
        first = self.read(0, 16).ljust(16, b"\0")
        self.order = "<" if first[:1] == b"I" else ">"
        self.big = first[2:4] in (b"+\0", b"\0+")
        self.first = struct.unpack(self.order + ("Q" if self.big else "I"),
                                   first[8:16] if self.big else first[4:8])[0]  # fmt: skip
        self._entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        words = ("Q", "Q") if self.big else ("H", "I")
        self._words = [struct.Struct(self.order + code) for code in words]
        self._forms: dict[Any, Form] = {}

    @contextmanager
    def reopened(self) -> Iterator[None]:
        """Open the file again for the block, where it is closed."""
        if not self.handle.closed:
            yield
            return
        with self.path.open("rb") as self.handle:
            yield

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
        many = f"{tag.many * 2}{code[1]}" if code[0] == "2" else f"{tag.many}{code}"
        return struct.unpack(self.order + many, data)

    def text(self, tag: Tag | None) -> str:
        """Text of a tag, empty where there is none, see `Page.text`."""
        if tag is None or _SIZES.get(tag.kind) != 1:
            return ""
        data = (tag.raw or self.read(tag.at, tag.size)).split(b"\0")[0]
        try:
            return data.decode("utf-8").strip()
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace").strip()

    def pages(self) -> list[Page]:
        """Every page of the chain; an error where the chain leads nowhere."""
        return list(self._chain(self.first))

    def page(self, at: int, number: int) -> tuple[Page, int]:
        """The page at a place, and where the next one is (0 for none)."""
        tags, faults, end, following = self.directory(at, number)
        form = self._form(tags)
        offsets, counts = (self._whole(tags, codes[bool(form.tile)]) for codes in _SEGMENTS)
        if not counts and form.compression == 1 and len(offsets) == 1 and form.rows:
            counts = (form.segment_bytes(0),)
        return Page(self, number, at, end, tags, form, offsets, counts, tuple(faults)), following

    def directory(self, at: int, number: int) -> tuple[dict[int, Tag], list[str], int, int]:
        """Tags of the page at a place, its faults, where it ends, and where the next one is."""
        word, pointer = self._words
        head = self.read(at, word.size).ljust(word.size, b"\0")
        (count,) = word.unpack(head)
        if not 0 < count <= _MOST_TAGS:
            raise damaged(self.path, "its list of pages points nowhere", f"page {number} at {at}")
        start, length = at + word.size, count * self._entry.size
        data = self.read(start, length + pointer.size)
        if len(data) < length + pointer.size:
            raise damaged(self.path, "the file ends too early, within its list of pages")
        tags, faults = self._tags(data[:length], start)
        (following,) = pointer.unpack(data[length:])
        return tags, faults, start + len(data), following

    def _tags(self, data: bytes, start: int) -> tuple[dict[int, Tag], list[str]]:
        """Tags of a page, and what is wrong with those that matter."""
        pointer, step = self._words[1], self._entry.size
        tags: dict[int, Tag] = {}
        faults: list[str] = []
        place = start + step - pointer.size
        for code, kind, many, inline in self._entry.iter_unpack(data):
            size, at, raw = many * _SIZES.get(kind, 1), place, inline
            place += step
            if size > pointer.size:
                (at,), raw = pointer.unpack(inline), b""
            known = code in STRUCTURE
            if at + size > self.size or (known and (many == 0 or kind not in _WHOLE)):
                if known or code in _FLAVOURS:
                    faults.append(f"tag {code} is damaged or points nowhere")
            elif code not in tags:
                tags[code] = Tag(kind, many, at, size, raw[:size])
            elif known:
                faults.append(f"tag {code} stands twice")
            elif code == 270:
                tags[-270] = Tag(kind, many, at, size, raw[:size])
        return tags, faults

    def _form(self, tags: Mapping[int, Tag]) -> Form:
        """The form of a page, the same one for all pages whose tags say the same."""
        said = tuple(
            (code, tag.kind, tag.raw or self.read(tag.at, tag.size))
            for code, tag in tags.items()
            if code in _FORM
        )
        if said not in self._forms:
            self._forms[said] = Form({code: self.values(tags[code]) for code, _, _ in said})
        return self._forms[said]

    def _whole(self, tags: Mapping[int, Tag], code: int) -> tuple[int, ...]:
        tag = tags.get(code)
        return self.values(tag) if tag else ()

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
