"""NDTiff of Micro-Manager and Pycro-Manager, versions 2 and 3: a folder whose index names planes.

The index says for every plane its axes, and in which file and at which byte its pixels lie; files
are TIFF of up to 4 GB each. https://github.com/micro-manager/NDStorage
"""

import json
import struct
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images.plain import RGB, RGB_NOTE, damaged, plane_names, slices_note
from livewell.images.reference import field_names, one_field
from livewell.images.tiff.ifd import TiffBytes
from livewell.images.tiff.micromanager import by_axes, nd_summary
from livewell.images.tiff.scale import steady
from livewell.images.tiff.stage import times_of
from livewell.images.tiff.statement import Statement
from livewell.text import plural

INDEX, WHOLE = "NDTiff.index", "Full resolution"
"""The index, and the folder in which it lies where there are smaller copies beside it."""
_NUMBERS = struct.Struct("<8I")
_TYPES = {0: "uint8", 1: "uint16", 2: "uint8", 3: "uint16", 4: "uint16", 5: "uint16", 6: "uint16"}
"""Number types by the index's number of them: 8 and 16 bits, RGB, 10, 12, 14 and 11 bits."""
_COLOUR = 2


class Entry(NamedTuple):
    """A plane as the index states it; ``kind`` is the number of its number type."""

    axes: Mapping[str, Any]
    file: str
    at: int
    width: int
    height: int
    kind: int
    packed: int
    metadata_at: int
    metadata_size: int


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder in which these names lie is a recording of NDTiff."""
    return INDEX in names or (WHOLE in names and (folder / WHOLE / INDEX).is_file())


def fields(folder: Path) -> tuple[str, ...]:
    """Names of the positions of a recording; none where it is one image."""
    said = _recording(folder).statements
    return field_names([each.name for each in said]) if len(said) > 1 else ()


def files(folder: Path) -> list[Path]:
    """The index of a recording, and the files that it names."""
    found = _recording(folder)
    names = dict.fromkeys(entry.file for entry in found.entries)
    return [found.folder / INDEX, *(_beside(found.folder, name) for name in names)]


class NdTiffImage:
    """One position of a recording; its files are open only while a plane is read."""

    def __init__(self, folder: Path, field: str = "") -> None:
        found = _recording(folder)
        names = field_names([each.name for each in found.statements])
        # one position is the whole recording, whatever it is called
        said = found.statements[one_field(names, field, folder)]
        self.source = str(folder / field)
        self._folder, self._entries, self._said = found.folder, found.entries, said
        if said.broken:
            raise ImageReadError(
                f"its index cannot be used: {said.broken}",
                where=self.source,
                remedy="export it again from the program that made it",
            )
        places = said.places or {}
        self._first = self._entries[places[min(places)][1]]
        if self._first.kind not in _TYPES or self._first.packed:
            raise ImageReadError(
                "planes of a kind that is not known",
                where=self.source,
                got=f"type {self._first.kind}, compression {self._first.packed}",
                remedy="export it as OME-TIFF from the program that made it",
            )
        self._colour = self._first.kind == _COLOUR
        self.header = self._header(found.notes)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        samples = 3 if self._colour else 1
        layer, sample = divmod(channel, samples)
        c, z = divmod(layer, self._said.size("Z"))
        place = (self._said.places or {}).get((t, c, z))
        if place is None:
            raise ImageReadError(
                f"frame {t} of channel {self.header.channels[channel]} is missing",
                where=self.source,
                expected="an entry of the index for every plane",
                remedy="leave this frame or position out",
            )
        entry = self._entries[place[1]]
        like = self._first.width, self._first.height, self._first.kind, self._first.packed
        if (entry.width, entry.height, entry.kind, entry.packed) != like:
            raise ImageReadError(
                f"frame {t} is not like the first one",
                where=self.source,
                expected=f"{like[0]} x {like[1]} px, type {like[2]}",
                got=f"{entry.width} x {entry.height} px, type {entry.kind}",
                remedy="leave this frame or position out",
            )
        dtype = np.dtype(_TYPES[entry.kind]).newbyteorder("<")
        shape = (entry.height, entry.width, samples)
        data = _read(self._folder, entry.file, entry.at, int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(data, dtype).reshape(shape)[..., sample]

    def close(self) -> None:
        """Nothing stays open."""

    def _header(self, more: tuple[str, ...]) -> Header:
        said, scale = self._said, self._said.scale
        frames, channels, slices = (said.size(letter) for letter in "TCZ")
        places = said.places or {}
        names = plane_names(scale.named(channels), slices)
        notes = [*more, *said.notes, *scale.notes, *slices_note(slices, None, names)]
        if self._colour:
            if len(names) > 1:
                raise ImageReadError(
                    "several channels or slices in colour",
                    where=self.source,
                    remedy="save one of them to a file of its own",
                )
            names = RGB
            notes.append(RGB_NOTE)
        lost = frames * channels * slices - len(places)
        if lost:
            notes.append(f"{lost} of {plural(len(places) + lost, 'plane')} missing in the index")
        times = None
        if frames > 1:
            firsts = [places.get((t, 0, 0), ("", -1)) for t in range(frames)]
            times = times_of(firsts, said.seconds, notes)
        return Header(
            frames=frames,
            channels=names,
            height=self._first.height,
            width=self._first.width,
            dtype=_TYPES[self._first.kind],
            pixel_um=scale.pixel_um,
            frame_s=scale.frame_s or steady(np.diff(times or ()).tolist(), notes),
            notes=tuple(dict.fromkeys(notes)),
            well=said.well,
            position=said.position,
            account=(f"{plural(len(places), 'plane')}, by {INDEX}",),
            times_s=times,
            stage_um=said.stage_um,
        )


class _Recording(NamedTuple):
    folder: Path
    entries: tuple[Entry, ...]
    statements: tuple[Statement, ...]
    notes: tuple[str, ...]


def _recording(folder: Path) -> _Recording:
    within = folder if (folder / INDEX).exists() else folder / WHOLE
    at = (within / INDEX).stat()
    return _read_recording(within, at.st_size, at.st_mtime_ns)


@lru_cache(maxsize=8)
def _read_recording(folder: Path, size: int, changed_ns: int) -> _Recording:
    """Entries of the index and what they say of positions, read once as long as it is the same."""
    entries, notes = _entries(folder / INDEX)
    if not entries:
        raise damaged(folder / INDEX, "an index without a plane")
    file = TiffBytes(_beside(folder, entries[0].file))
    with file.handle:
        summary = nd_summary(file)

    def metadata(i: int) -> Mapping[str, Any]:
        entry = entries[i]
        try:
            said = json.loads(_read(folder, entry.file, entry.metadata_at, entry.metadata_size))
        except (ValueError, RecursionError, ImageReadError, OSError):
            return {}
        return said if isinstance(said, dict) else {}

    axes = [entry.axes for entry in entries]
    statements = by_axes(INDEX, axes, range(len(entries)), summary, metadata)
    return _Recording(folder, entries, tuple(statements), notes)


def _entries(path: Path) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Entries of an index file, and a note where it ends within one; a plane's last one counts."""
    data, at = path.read_bytes(), 0
    found: dict[str, Entry] = {}
    try:
        while at < len(data):
            axes, at = _text(data, at)
            if not axes:
                break
            file, at = _text(data, at)
            numbers = _NUMBERS.unpack_from(data, at)
            at += _NUMBERS.size
            offset, width, height, kind, packed, metadata_at, metadata_size, _ = numbers
            said = json.loads(axes)
            if not isinstance(said, dict):
                raise ValueError(axes)
            found[json.dumps(said, sort_keys=True)] = Entry(
                said, file, offset, width, height, kind, packed, metadata_at, metadata_size
            )
    except struct.error:
        note = "the index ends within an entry; the recording may have been stopped"
        return tuple(found.values()), (note,)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"entry {len(found)} of its index is no such", str(error)) from error
    return tuple(found.values()), ()


def _text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<I", data, at)
    end = at + 4 + size
    if end > len(data):
        raise struct.error
    return data[at + 4 : end].decode(), end


def _beside(folder: Path, name: str) -> Path:
    """A file that the index names, which must lie beside it."""
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise damaged(folder / INDEX, "it names a file in another folder", repr(name))
    return folder / name


def _read(folder: Path, name: str, at: int, size: int) -> bytes:
    """Bytes of a file of the recording; an error that names it where it has fewer."""
    path = _beside(folder, name)
    with path.open("rb") as file:
        file.seek(at)
        data = file.read(size)
    if len(data) < size:
        raise damaged(path)
    return data
