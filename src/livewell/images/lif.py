"""Leica LIF and LOF: each image of a file, each tile of a mosaic, is an image of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from logging import NullHandler, getLogger
from pathlib import Path
from xml.etree.ElementTree import Element

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images.lif_facts import (
    channel_names,
    frame_stamps,
    instrument,
    spectral_bands,
    stage_of,
    well_of_folders,
)
from livewell.images.lif_storage import COLOURS, Block, dimensions, storage_of
from livewell.images.plain import RGB, RGB_NOTE, damaged, plane_names, slices_note
from livewell.images.reference import field_names, one_field
from livewell.images.tiff.scale import LENGTH_UM, TIME_S, square, unit_name
from livewell.images.vendor import refused_axis

MAGIC = b"\x70\x00\x00\x00"
_TEST = 0x2A
"""Ninth byte of LIF and LOF files."""
_KNOWN = {"x", "y", "z", "t", "emission", "excitation", "tile"}


@dataclass(frozen=True, slots=True)
class _Field:
    """An image of the file, or a tile of one: its name, folders, and the XML that describes it."""

    name: str
    folders: tuple[str, ...]
    element: Element
    tile: int


@dataclass(frozen=True, slots=True)
class _Content:
    fields: tuple[_Field, ...]
    blocks: dict[str, Block]


def is_lif(path: Path, first: bytes) -> bool:
    """Whether the first bytes are those of a LIF or LOF file."""
    return first.startswith(MAGIC) and first[8:9] == bytes([_TEST])


def lif_fields(path: Path) -> tuple[str, ...]:
    """Names of the images, after those of their folders, in the file's order; none of only one."""
    names = tuple(field.name for field in _content(path).fields)
    return names if len(names) > 1 else ()


def lif_place(path: Path, field: str) -> tuple[None, str | None, str | None]:
    """Plate (never said), well and position of a field."""
    fields = _content(path).fields
    found = fields[one_field([each.name for each in fields], field, path)]
    return None, well_of_folders(found.folders), found.name


def lif_properties(path: Path, field: str) -> dict[str, str]:
    """Software, camera, objective and time of acquisition of a field, the first by default."""
    fields = _content(path).fields
    return instrument(next((each for each in fields if each.name == field), fields[0]).element)


class LifImage:
    """One image of a LIF or LOF file, its frames read one by one."""

    def __init__(self, path: Path, field: str = "") -> None:
        self.source = str(path / field)
        content = _content(path)
        self._field = content.fields[one_field([each.name for each in content.fields], field, path)]
        self._storage, tags = storage_of(
            path, self._field.name, self._field.element, content.blocks
        )
        self.header = self._header(sorted(tags) == COLOURS, len(content.fields))
        self._file = self._storage.path.open("rb")

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        of = self._storage.of
        channel, z = divmod(channel, of("z").size)
        bands = of("excitation").size * of("emission").size
        channel, band = divmod(channel, bands)
        sweep = "excitation" if of("excitation").size > 1 else "emission"
        at = {"t": t, "z": z, "tile": self._field.tile, sweep: band}
        return self._storage.plane(self._file, channel, at)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _header(self, colour: bool, fields: int) -> Header:
        storage, element, notes = self._storage, self._field.element, list[str]()
        for each in storage.dimensions:
            if each.size > 1 and each.axis not in _KNOWN:
                raise refused_axis(Path(self.source), each.axis, each.size)
        z, y, x = (storage.of(axis) for axis in "zyx")
        names = RGB if colour else channel_names(element, len(storage.channels), notes)
        notes += [RGB_NOTE] if colour else []
        bands = spectral_bands(storage, Path(self.source))
        if bands:
            names = tuple(
                band if len(names) == 1 else f"{name} {band}" for name in names for band in bands
            )
        channels = plane_names(names, z.size)
        step_um = abs(z.step) * LENGTH_UM.get(unit_name(z.unit), 0.0)
        notes += slices_note(z.size, step_um, channels)
        times, frame_s = self._times(notes)
        edges = [abs(each.step) or None for each in (x, y)]
        axes = ", ".join(f"{each.axis}: {each.size}" for each in storage.dimensions)
        return Header(
            frames=storage.of("t").size,
            channels=channels,
            height=y.size,
            width=x.size,
            dtype=storage.dtype,
            pixel_um=square(edges, [x.unit, y.unit], notes),
            frame_s=frame_s,
            notes=tuple(dict.fromkeys(notes)),
            well=well_of_folders(self._field.folders),
            position=self._field.name,
            account=(f"one of {fields} fields of the file; axes as stored ({axes})",),
            times_s=times,
            stage_um=stage_of(element, self._field.tile, storage.of("tile").size),
        )

    def _times(self, notes: list[str]) -> tuple[tuple[float, ...] | None, float | None]:
        times, frame_s = frame_stamps(self._field.element, self._storage, self._field.tile, notes)
        t = self._storage.of("t")
        unit = TIME_S.get(unit_name(t.unit))
        if times or t.size == 1 or not unit or not t.step > 0:
            return times, frame_s
        notes.append("the interval is that of the whole series; no times of frames are taken")
        return None, t.step * unit


def _content(path: Path) -> _Content:
    """What the file says; that of the last files is kept, for one may hold hundreds of fields."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, changed: int) -> _Content:
    import liffile  # opened on use

    log = getLogger("liffile")
    if not log.handlers:  # what it doubts is checked here
        log.addHandler(NullHandler())
        log.propagate = False
    with path.open("rb") as file, liffile.LifFile(file) as said:
        found = list(_images(said.xml_element, ()))
        blocks = {
            name: (path, block.offset, block.size) for name, block in said.memory_blocks.items()
        }
        if said.type.value not in ("LIF", "LOF"):
            raise ImageReadError(
                f"a Leica {said.type.value} file, which lists images that lie in other files",
                where=str(path),
                remedy="name the LOF or TIFF files beside it, or export it as LIF or OME-TIFF",
            )
    if not found:
        raise damaged(path, "a Leica file without an image")
    parts = []
    for folders, element in found:
        tiles = next((each.size for each in dimensions(path, element) if each.axis == "tile"), 1)
        parts += [(folders, element, tile, tiles) for tile in range(tiles)]
    names = field_names([_said(folders, tile, tiles) for folders, _, tile, tiles in parts])
    fields = [
        _Field(name, folders, element, tile)
        for name, (folders, element, tile, _) in zip(names, parts, strict=True)
    ]
    return _Content(tuple(fields), blocks)


def _said(folders: tuple[str, ...], tile: int, tiles: int) -> str:
    """What the file calls an image, and the number of a tile from 1."""
    width = max(2, len(str(tiles)))
    return "/".join((*folders, *([f"M{tile + 1:0{width}d}"] if tiles > 1 else [])))


def _images(
    element: Element, folders: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Element]]:
    """Every image with the names of the folders that it lies in, and its own; in file order."""
    for inside in (*element.findall("./Element"), *element.findall("./Children/Element")):
        here = (*folders, inside.get("Name", ""))
        if inside.find("./Data/Image") is not None:
            yield here, inside
            yield from _images(inside, here)
        else:
            # the project itself is no folder
            yield from _images(inside, here if folders or element.tag == "Element" else ())
