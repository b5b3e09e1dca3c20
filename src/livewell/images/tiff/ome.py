"""What OME-XML says of the pages of a TIFF: one statement for each image that lies in the file."""

import math
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from livewell.errors import GeometryError
from livewell.images.tiff import scale
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.stage import stage_um
from livewell.images.tiff.statement import Place, Scale, Statement
from livewell.plate import Well

SOURCE = "the OME-XML"
MOST = 10**5
"""Planes of one image that are looked for in other files at most."""
ABSENT = "it is not beside this one"
MODULO = "an axis holds more than time, channel or depth"
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_TYPES = {"float": "float32", "double": "float64", "bit": "bool"}


def ome(text: str, pages: Sequence[Page], managed: Sequence[Statement]) -> list[Statement]:
    """Statements of the images that have pages here; `managed` know the pages better."""
    root = parsed(text)
    if root is None:
        return [*managed] or [Statement(SOURCE, broken="it is damaged and cannot be read")]
    if any(_name(each).startswith("ModuloAlong") for each in root.iter()):
        return [*managed] or [Statement(SOURCE, broken=MODULO)]
    wells = _wells(root)
    found = [
        replace(_Image(image, root, pages).statement(), well=wells.get(image.get("ID", "")))
        for image in _children(root, "Image")
    ]
    if CONTROL.search(text):
        note = f"{SOURCE} holds characters that XML may not; they are left out"
        found = [replace(each, notes=(*each.notes, note)) for each in found]
    here = [each for each in found if each.places is None or _own(each)]
    if managed:
        return [_both(each, _beside(each, managed, here or found)) for each in managed]
    if not here:
        here = _renamed(found, pages[0])
    if not here:
        elsewhere = any(True for _ in _children(root, "BinaryOnly"))
        broken = f"it {'lies in another file' if elsewhere else 'speaks of no page of this file'}"
        return [replace(found[0], broken=broken) if found else Statement(SOURCE, broken=broken)]
    away = len(found) - len(here)
    if away:
        line = f"{away} more images of {SOURCE} not read: they have no page in this file"
        here = [replace(each, account=(line,)) for each in here]
    return here


def parsed(text: str) -> Element | None:
    """The root of the XML; ``None`` where it is damaged, or defines entities.

    Control characters, which names of channels may hold and XML may not, are left out.
    """
    text = CONTROL.sub("", text)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return ElementTree.fromstring(text.encode())  # noqa: S314  (entities are refused)
    except ElementTree.ParseError:
        return None


def uuid_of(page: Page) -> str:
    """What a file calls itself in its OME-XML; empty where it does not."""
    root = parsed(page.text(270))
    return "" if root is None else root.get("UUID", "")


def _own(said: Statement) -> bool:
    return any(not file for file, _ in (said.places or {}).values())


def _renamed(found: Sequence[Statement], page: Page) -> list[Statement]:
    """Statements that all name one file that is not there: this one, under an older name."""
    names = {file for each in found for file, _ in (each.places or {}).values()}
    if len(names) != 1 or neighbour(page, min(names)) != ABSENT:
        return []
    note = f"the file has been renamed: {SOURCE} calls it {min(names)}"
    return [
        replace(
            each,
            places={place: ("", number) for place, (_, number) in (each.places or {}).items()},
            notes=(*each.notes, note),
        )
        for each in found
        if each.places
    ]


def _beside(
    managed: Statement, every: Sequence[Statement], found: Sequence[Statement]
) -> Statement:
    """What OME-XML says of the same pages as Micro-Manager; the latter where it says nothing."""
    if len(every) == 1:
        return next(iter(found), managed)
    own = set((managed.places or {}).values())
    fit = (each for each in found if own.intersection((each.places or {}).values()))
    return next(fit, managed)


def _both(managed: Statement, said: Statement) -> Statement:
    """Micro-Manager's pages, and what OME-XML says beside them."""
    own, other = managed.scale, said.scale
    merged = Scale(
        own.pixel_um or other.pixel_um,
        own.frame_s or other.frame_s,
        own.channels or other.channels,
        tuple(dict.fromkeys(own.notes + other.notes)),
    )
    return replace(
        managed,
        scale=merged,
        well=managed.well or said.well,
        position=managed.position or said.position,
        seconds=managed.seconds or said.seconds,
        stage_um=managed.stage_um or said.stage_um,
        name=managed.name or said.name,
    )


class _Image:
    """One image of OME-XML, beside the pages of the file that holds it."""

    def __init__(self, image: Element, root: Element, pages: Sequence[Page]) -> None:
        self._image, self._root, self._pages = image, root, pages
        self._pixels = next(_children(image, "Pixels"), Element("Pixels"))
        self._notes: list[str] = []
        self._uuids: dict[str, str] = {}

    def statement(self) -> Statement:
        """What it says."""
        pixels = self._pixels
        order = pixels.get("DimensionOrder", "")
        if sorted(order) != sorted("XYZCT") or order[:2] != "XY":
            return Statement(SOURCE, broken=f"its order of axes is {order!r}")
        sizes = {letter: _whole(pixels.get(f"Size{letter}"), 0) for letter in "XYZCT"}
        if min(sizes.values()) < 1:
            return Statement(SOURCE, broken="a size of its axes is missing or below one")
        samples = self._samples()
        if sizes["C"] % samples:
            return Statement(SOURCE, broken="its channels and samples do not fit each other")
        sizes["C"] //= samples
        axes = tuple((letter, sizes[letter]) for letter in reversed(order[2:]))
        kind = pixels.get("Type", "")
        position = next((label.get("Name") for label in _children(self._image, "StageLabel")), None)
        named = re.search(r"_MMStack_(.+?)(?:\.ome)?$", self._image.get("Name", ""))
        name = named[1] if named else ""
        places, stage = self._places(axes), self._stage()
        return Statement(
            SOURCE,
            axes,
            places,
            self._uuids,
            height=sizes["Y"],
            width=sizes["X"],
            dtype=_TYPES.get(kind, kind),
            scale=scale.by_ome(pixels, [*_children(pixels, "Channel")]),
            position=position or name or None,
            notes=tuple(self._notes),
            name=name or self._image.get("Name", ""),
            seconds=self._seconds(places),
            stage_um=stage,
        )

    def _seconds(self, places: Mapping[Place, tuple[str, int]]) -> dict[tuple[str, int], float]:
        """When planes were taken, by file and page."""
        found = {}
        for plane in _children(self._pixels, "Plane"):
            t, c, z = (_whole(plane.get(f"The{letter}"), 0) for letter in "TCZ")
            seconds = scale.number(plane.get("DeltaT", ""))
            unit = scale.factor(plane.get("DeltaTUnit", "s"), scale.TIME_S)
            if seconds is not None and unit and (t, c, z) in places:
                found[places[t, c, z]] = seconds * unit
        return found

    def _stage(self) -> tuple[float, float] | None:
        """Where the stage stood for the first plane that says so."""
        for plane in _children(self._pixels, "Plane"):
            units = {plane.get(f"Position{axis}Unit") for axis in "XY"}
            unit = units.pop() if len(units) == 1 else None
            at = plane.get("PositionY"), plane.get("PositionX")
            if all(at):
                return stage_um(*at, None if unit == "reference frame" else unit, self._notes)
        return None

    def _samples(self) -> int:
        """Samples of a pixel that count as channels; those that are not said are the page's."""
        said = {_whole(c.get("SamplesPerPixel"), 0) for c in _children(self._pixels, "Channel")}
        samples = self._pages[0].form.samples
        if samples not in said and samples == _whole(self._pixels.get("SizeC"), 0):
            return samples
        return max(said.pop(), 1) if len(said) == 1 else 1

    def _places(self, axes: Sequence[tuple[str, int]]) -> dict[Place, tuple[str, int]]:
        """File and page of each plane that is named; places that cannot be are left out, noted."""
        total = math.prod(size for _, size in axes)
        found: dict[Place, tuple[str, int]] = {}
        wrong = 0
        for block in [*_children(self._pixels, "TiffData")] or [Element("TiffData")]:
            start, page, many = self._block(block, axes)
            file = self._file_of(block)
            most = min(many, total - start, MOST if file else len(self._pages) - page)
            if start < 0 or page < 0 or many < 0:
                wrong += 1
                continue
            wrong += most < many and block.get("PlaneCount") is not None
            for i in range(most):
                place = _place(start + i, axes)
                if place in found or len(found) >= max(MOST, len(self._pages)):
                    wrong += 1
                    break
                found[place] = file, page + i
        if wrong:
            self._notes.append(
                f"{wrong} entries of {SOURCE} name pages or planes that are not there, or twice"
            )
        return found

    def _block(self, block: Element, axes: Sequence[tuple[str, int]]) -> tuple[int, int, int]:
        """First plane (-1 where it is not one of the image), first page and number of pages."""
        usual = 1 if block.get("IFD") is not None else len(self._pages)
        many = _whole(block.get("PlaneCount"), _whole(block.get("NumPlanes"), usual))
        start = 0
        for letter, size in axes:
            index = _whole(block.get(f"First{letter}"), 0)
            start = start * size + index if 0 <= index < size and start >= 0 else -1
        return start, _whole(block.get("IFD"), 0), many

    def _file_of(self, block: Element) -> str:
        """Name of the file that a block lies in, empty for this one."""
        uuid = next(_children(block, "UUID"), None)
        if uuid is None:
            return ""
        own = self._pages[0].file.path.name
        name = uuid.get("FileName", "")
        same = uuid.text is not None and uuid.text == self._root.get("UUID")
        if same or not name or name.casefold() == own.casefold():
            return ""
        self._uuids[name] = (uuid.text or "").strip()
        return name


def _wells(root: Element) -> dict[str, str]:
    """Wells of plates, by the ID of each image whose sample lies in them."""
    found = {}
    for well in (each for each in root.iter() if _name(each) == "Well"):
        row, column = _whole(well.get("Row"), -1), _whole(well.get("Column"), -1)
        for image in (each for each in well.iter() if _name(each) == "ImageRef"):
            with suppress(GeometryError):
                found[image.get("ID", "")] = str(Well.of(str(row + 1), str(column + 1)))
    return found


def neighbour(page: Page, name: str) -> str:
    """Why a file that OME-XML names is not read, empty where it may be.

    Only regular files beside this one are, which are named by their bare name.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        return "only files in the same folder are read"
    try:
        kind = (page.file.path.parent / name).lstat().st_mode
    except OSError:
        return ABSENT
    return "" if stat.S_ISREG(kind) else "it is no regular file"


def _place(index: int, axes: Sequence[tuple[str, int]]) -> Place:
    at = {}
    for letter, size in reversed(axes):
        index, at[letter] = divmod(index, size)
    return at["T"], at["C"], at["Z"]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _whole(value: str | None, usual: int) -> int:
    """A whole number; `usual` where there is none, -1 where it is not one."""
    if value is None:
        return usual
    try:
        return int(value) if len(value) < 20 else -1
    except ValueError:
        return -1
