r"""Names of files: text that every table can hold, the way back, and what a table means by one.

A byte of a name that is not UTF-8 is written ``\xf6``. A name says where a file lies below a root,
its folders apart by ``/`` on every system.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from livewell.text import encodable

AnyPath = str | os.PathLike[str]
"""A path as text or as a path."""
Parts = tuple[str, ...]
Ends = dict[Parts, list[str]]
_SPELT = re.compile(rb"\\x([89a-f][0-9a-f])")
_DIGITS = re.compile(r"(\d+)")
_IMAGE = r".*[^/]\.(?:tiff?|btf|tf8|stk|png|jpe?g|bmp|gif)"
_TILE = re.compile(
    rf"({_IMAGE})_(\d{{2,}})_(\d{{2,}})(?:\.ome)?\.\w{{1,8}}", re.DOTALL | re.IGNORECASE
)
"""Name of a tile: the whole name of its image, row and column from 1, an ending."""
CASE_NOTE = "found although the letter case differs"
FOLDERS_NOTE = (
    "found by what comes after folders that were not indexed: look whether these are the same files"
)


def text_of(path: AnyPath) -> str:
    r"""A path as text that every file can hold, bytes that are not UTF-8 spelt ``\xf6``.

    It is the same on systems that read names in another encoding.
    """
    text = os.fspath(path)
    if text.isascii():
        return text
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # this text is no name of this system
        return encodable(text)


def name_of(path: AnyPath, root: AnyPath | None = None) -> str:
    """A file's name: where it lies below `root`, or what it is called there where ``None``."""
    path = Path(path)
    if root is None:
        return text_of(path.name or path.resolve().name)
    return text_of(path.relative_to(root).as_posix())


def path_of(root: AnyPath, name: AnyPath) -> Path:
    """The path below `root` of a name as `name_of` gives it: as it stands there, else unspelt."""
    text = os.fspath(name)
    if text.isascii() and "\\" not in text:
        return Path(root) / text
    raw = text.encode("utf-8", "surrogateescape")
    path = Path(root) / os.fsdecode(raw)
    if b"\\" not in raw or os.path.lexists(path):
        return path
    unspelt = Path(root) / os.fsdecode(
        _SPELT.sub(lambda byte: bytes.fromhex(byte[1].decode()), raw)
    )
    return unspelt if os.path.lexists(unspelt) else path


def tile_name(image: str, row: int, column: int, ending: str) -> str:
    """Name of an image's tile, by its row and column from 0; `picture_of` leads back."""
    return f"{image}_{row + 1:02}_{column + 1:02}{ending}"


def picture_of(name: str) -> str:
    """Name of the image that a file is a tile of by its name, ``a.png_01_02.png``; else its own.

    Tiles of tiles lead to the image that all are of.

    Notes
    -----
    Source: names that celldeath's tool gives to tiles (La Greca et al. 2021).
    """
    found = _TILE.fullmatch(name)
    return name if found is None else picture_of(found[1])


def fitted(name: str, most: int, *, end: bool = False) -> str:
    """The beginning of a name, or its end, of at most so many bytes."""
    while len(name.encode("utf-8", "surrogatepass")) > most:
        name = name[1:] if end else name[:-1]
    return name


def natural_key(text: str) -> tuple[object, ...]:
    """Sort key under which ``t2`` comes before ``t10``; letter case does not count."""
    pieces = _DIGITS.split(text.casefold())
    return tuple(int(p) if i % 2 else p for i, p in enumerate(pieces)), text


def parts_of(text: str) -> Parts:
    r"""What names are compared by: folders and file, ``\`` as ``/``, letters composed (NFC)."""
    composed = unicodedata.normalize("NFC", encodable(text)).replace("\\", "/")
    return tuple(part for part in composed.split("/") if part not in ("", "."))


@dataclass(frozen=True)
class Finder:
    """Finds the names that text means: a cell of a table, an option."""

    names: Collection[str]

    @cached_property
    def _stages(self) -> list[tuple[Callable[[str], Parts], Ends, Ends]]:
        """By how text is compared: names by all their parts, and by every end of their parts."""
        found: list[tuple[Callable[[str], Parts], Ends, Ends]] = []
        for stage in (parts_of, _loose):
            whole: Ends = {}
            ends: Ends = {}
            for name in self.names:
                parts = stage(name)
                whole.setdefault(parts, []).append(name)
                for start in range(len(parts)):
                    ends.setdefault(parts[start:], []).append(name)
            found.append((stage, whole, ends))
        return found

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    def twins(self, name: str) -> Parts:
        """Other names that end as this one does: files of the same name in further folders."""
        (stage, _, ends), *_ = self._stages
        return tuple(each for each in ends.get(stage(name), ()) if each != name)

    def find(self, text: str) -> tuple[Parts, str]:
        """Names that fit, none, one or several, and a note on how it was found, or empty.

        In this order, and the first that fits anything is the answer: the name itself; the same
        folders and file; names that end as the text does; the longest name that the text ends
        with, which has further folders before it; all this again whatever the letter case.
        """
        if text in self._known:
            return (text,), ""
        for number, (stage, whole, ends) in enumerate(self._stages):
            wanted = stage(text)
            fits = whole.get(wanted) or ends.get(wanted, [])
            notes = [CASE_NOTE] if number else []
            if not fits:
                shorter = (whole.get(wanted[start:]) for start in range(1, len(wanted)))
                fits = next(filter(None, shorter), [])
                notes.append(FOLDERS_NOTE)
            if fits:
                return tuple(fits), "; ".join(notes)
        return (), ""


def _loose(text: str) -> Parts:
    return tuple(part.casefold() for part in parts_of(text))
