"""What a Zeiss CZI file says: scenes and tiles, their axes, channels, scale, stage and times."""

import math
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from livewell.errors import GeometryError, ImageReadError
from livewell.images.czi_pixels import checked
from livewell.images.czi_segments import Plane, Segments, read_directory
from livewell.images.plain import damaged
from livewell.images.reference import field_names
from livewell.images.tiff.scale import number, square
from livewell.images.vendor import named_channels, refused_axis, well_of
from livewell.plate import Well

_IMAGE = "./Metadata/Information/Image"
_AXES = {
    "R": "rotation", "I": "illumination", "H": "phase", "V": "view", "B": "block",
}  # fmt: skip
"""Axes that are no t, c, z, y or x, by their letters."""
_PLACES = ("T", "C", "Z")
MOST_ABSENT = 100
"""More places than this for every plane are no series that was stopped, but damage."""


@dataclass(frozen=True)
class CziField:
    """One scene, or one tile of it: its planes by t, c and z, and the sizes of these axes.

    `named` tells whether its name is the file's own.
    """

    name: str
    named: bool
    scene: int
    tile: str
    planes: dict[tuple[int, int, int], Plane]
    sizes: tuple[int, int, int]

    @property
    def first(self) -> Plane:
        """Its first plane."""
        return self.planes[min(self.planes)]


@dataclass(frozen=True)
class CziContent:
    """All fields of a file, and the XML that describes them."""

    fields: tuple[CziField, ...]
    xml: Element


def czi_content(path: Path) -> CziContent:
    """What the file says; that of the last files is kept, for one may hold hundreds of fields."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, changed: int) -> CziContent:
    directory = read_directory(path)
    if not directory.planes:
        raise damaged(path, "a CZI file without a plane")
    try:
        xml = fromstring(directory.xml)  # noqa: S314  # entities of expat are limited
    except ParseError:
        xml = Element("none")
    groups: dict[tuple[int, int], list[Plane]] = defaultdict(list)
    for plane in directory.planes:
        groups[plane.of("S"), plane.of("M")].append(plane)
    ordered = sorted(groups)
    tiles = [[m for s, m in ordered if s == scene] for scene, _ in ordered]
    labels = [
        f"M{all_of.index(m) + 1:0{max(2, len(str(len(all_of))))}d}" if len(all_of) > 1 else ""
        for (_, m), all_of in zip(ordered, tiles, strict=True)
    ]
    said = [
        "/".join(part for part in (_scene_name(xml, scene, ordered), label) if part)
        for (scene, _), label in zip(ordered, labels, strict=True)
    ]
    fields = [
        _field(path, (name, bool(own)), key[0], label, groups[key])
        for name, own, key, label in zip(field_names(said), said, ordered, labels, strict=True)
    ]
    return CziContent(tuple(fields), xml)


def _field(
    path: Path, name: tuple[str, bool], scene: int, tile: str, planes: list[Plane]
) -> CziField:
    """One scene or tile; refused where it has an axis of another kind."""
    for letter in sorted({axis for plane in planes for axis in plane.start} - set("SMTCZYX")):
        if (count := len({plane.of(letter) for plane in planes})) > 1:
            raise refused_axis(path, _AXES.get(letter, letter), count)
    starts = {axis: min(plane.of(axis) for plane in planes) for axis in _PLACES}
    found: dict[tuple[int, int, int], Plane] = {}
    for plane in planes:
        t, c, z = (plane.of(axis) - starts[axis] for axis in _PLACES)
        if (t, c, z) in found:
            raise ImageReadError(
                "a CZI file with two planes at one frame, channel and slice",
                where=str(path),
                got=f"frame {t}, channel {c}, slice {z} of {name[0]}",
                remedy="export it as OME-TIFF from ZEN",
            )
        found[t, c, z] = plane
    one = planes[0]
    checked(path, one)
    for plane in planes:
        same = (plane.pixel_type, plane.size["Y"], plane.size["X"])
        if same != (one.pixel_type, one.size["Y"], one.size["X"]):
            raise ImageReadError(
                "a CZI file whose channels differ in size or number type",
                where=str(path),
                remedy="export its channels one by one as OME-TIFF from ZEN",
            )
    frames, channels, slices = (max(place[i] for place in found) + 1 for i in range(3))
    if frames * channels * slices > MOST_ABSENT * len(found):
        what = f"{frames} frames, {channels} channels, {slices} slices, and {len(found)} planes"
        raise damaged(path, f"nearly all planes of {name[0]} are absent: {what}")
    return CziField(*name, scene, tile, found, (frames, channels, slices))


def _scene(xml: Element, scene: int) -> Element | None:
    return xml.find(f"{_IMAGE}/Dimensions/S/Scenes/Scene[@Index='{scene}']")


def _scene_name(xml: Element, scene: int, of: list[tuple[int, int]]) -> str:
    """A scene's name, after that of its array (such as a well) where it has one; else a number."""
    found = _scene(xml, scene)
    name = "" if found is None else found.get("Name", "").strip()
    array = "" if found is None else found.findtext("ArrayName", "").strip()
    name = f"{array}-{name}" if array and not name.startswith(array) else name
    return name or (f"S{scene + 1:02d}" if len({each for each, _ in of}) > 1 else "")


def well(xml: Element, scene: int) -> str | None:
    """The well of a scene, by the row and column of its carrier, else by the name of its array."""
    found = _scene(xml, scene)
    if found is None:
        return None
    row, column = found.findtext("Shape/RowIndex"), found.findtext("Shape/ColumnIndex")
    with suppress(GeometryError):
        return (
            str(Well.of(row, column))
            if row and column
            else well_of(found.findtext("ArrayName", ""))
        )
    return None


def channels(xml: Element, count: int) -> tuple[str, ...]:
    """Names of the channels, with the way of contrast where that is transmitted light."""
    said = xml.findall(f"{_IMAGE}/Dimensions/Channels/Channel")
    return named_channels(
        [each.get("Name", "") for each in said] if len(said) == count else [""] * count
    )


def pixel_um(xml: Element, notes: list[str]) -> float | None:
    """Edge of a pixel in micrometres; the file gives it in metres."""
    return square([_distance(xml, axis) for axis in "XY"], ["um", "um"], notes)


def step_um(xml: Element) -> float | None:
    """Distance of slices in micrometres."""
    return _distance(xml, "Z")


def _distance(xml: Element, axis: str) -> float | None:
    metres = number(xml.findtext(f"./Metadata/Scaling/Items/Distance[@Id='{axis}']/Value"))
    return metres / 1e-6 if metres and metres > 0 else None


def interval_s(xml: Element) -> float | None:
    """The interval of frames where the file gives one for all of them."""
    seconds = number(xml.findtext(f"{_IMAGE}/Dimensions/T/Positions/Interval/Increment"))
    return seconds if seconds and seconds > 0 else None


def stamps(segments: Segments, field: CziField) -> list[float]:
    """When the first plane of each frame was taken, in seconds; not a number where not said."""
    found = [math.nan] * field.sizes[0]
    # of each frame the first one stays
    first = {place[0]: field.planes[place] for place in sorted(field.planes, reverse=True)}
    for t, plane in first.items():
        with suppress(ValueError):
            found[t] = datetime.fromisoformat(_tag(segments, plane, "AcquisitionTime")).timestamp()
    return found


def stage(segments: Segments, field: CziField, xml: Element) -> tuple[float, float] | None:
    """Where the stage stood at the first plane, else the middle of a scene of one tile; (y, x)."""
    y, x = (number(_tag(segments, field.first, f"Stage{axis}Position")) for axis in "YX")
    if y is not None and x is not None:
        return y, x
    scene = _scene(xml, field.scene)
    if field.tile or scene is None:
        return None
    middle = [number(each) for each in scene.findtext("CenterPosition", "").split(",")]
    if len(middle) != 2 or middle[0] is None or middle[1] is None:
        return None
    return middle[1], middle[0]


def _tag(segments: Segments, plane: Plane, name: str) -> str:
    """A tag of a plane's own XML, empty where it has none."""
    try:
        return fromstring(segments.block(plane, pixels=False)).findtext(f".//{name}", "")  # noqa: S314
    except ParseError:
        return ""
