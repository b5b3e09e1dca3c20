"""What a Nikon ND2 file says of all its positions: axes, channels, scale, stage."""

import math
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np

from livewell.errors import ImageReadError
from livewell.images.nd2_chunks import MAGIC, Nd2Chunks, PixelForm, frames_among
from livewell.images.plain import RGB, RGB_NOTE, damaged
from livewell.images.reference import field_names
from livewell.images.tiff.scale import square
from livewell.images.vendor import named_channels, refused_axis, wells_of

_AXES = {"TimeLoop": "t", "NETimeLoop": "t", "ZStackLoop": "z", "XYPosLoop": "p"}
_JULIAN_1970 = 2440587.5
_JULIAN = (_JULIAN_1970, _JULIAN_1970 + 50000)
"""Days that can be, as astronomers count them: 1970 to 2106."""
_COLOUR_NOTE = "blue stands before red in colour ND2 files, and is read so"


@dataclass(frozen=True)
class Nd2Content:
    """What a file says of all its positions; stage positions are (name, y um, x um)."""

    places: dict[bytes, int]
    recorded: frozenset[int]
    form: PixelForm
    channels: tuple[str, ...]
    colour: bool
    loops: tuple[tuple[str, int], ...]
    points: tuple[tuple[str, float, float], ...]
    pixel_um: float | None
    step_um: float | None
    period_s: float | None
    notes: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]

    def size(self, axis: str) -> int:
        """Size of an axis, 1 where it is absent."""
        return dict(self.loops).get(axis, 1)

    def number(self, **at: int) -> int:
        """Number of a frame in the order of acquisition, by t, z and p."""
        number = 0
        for axis, size in self.loops:
            number = number * size + at.get(axis, 0)
        return number

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """Names of the positions; ``XY01`` where the file gives none."""
        width = max(2, len(str(len(self.points))))
        said = [name.strip() or f"XY{i:0{width}d}" for i, (name, _, _) in enumerate(self.points, 1)]
        return field_names(said)

    @cached_property
    def wells(self) -> tuple[str | None, ...]:
        """Wells of the positions, by the names that the file gives them."""
        return wells_of([name for name, _, _ in self.points])


def nd2_content(path: Path) -> Nd2Content:
    """What the file says; that of the last files is kept, for one may hold hundreds of fields."""
    stat = path.stat()
    return _read(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, size: int, changed: int) -> Nd2Content:
    import nd2  # opened on use: it takes a while

    with path.open("rb") as file:
        if not file.read(len(MAGIC)).startswith(MAGIC):
            raise ImageReadError(
                "an ND2 file of the years before 2010, whose axes are only guessed by its readers",
                where=str(path),
                remedy="open it in NIS-Elements and save it again, or export it as OME-TIFF",
            )
    with closing(Nd2Chunks(path)) as chunks, nd2.ND2File(path) as said, catch_warnings():
        simplefilter("ignore")  # what it doubts is checked here
        return _understood(path, said, chunks.places)


def _understood(path: Path, said: Any, places: dict[bytes, int]) -> Nd2Content:
    attributes, raw = said.attributes, _picture(said)
    notes: list[str] = []
    recorded = frames_among(places)
    loops = _loops(path, said.experiment, recorded)
    form, colour = _form(path, attributes)
    names = _names(raw)
    if not colour and len(names) != form.components:
        raise damaged(path, f"it names {len(names)} channels and holds {form.components}")
    if colour:
        notes += [RGB_NOTE, _COLOUR_NOTE]
    return Nd2Content(
        places=places,
        recorded=recorded,
        form=form,
        channels=RGB if colour else names,
        colour=colour,
        loops=loops,
        points=_points(said.experiment, raw),
        pixel_um=_pixel_um(raw, notes),
        step_um=_step_um(said.experiment),
        period_s=_period_s(said.experiment),
        notes=tuple(notes),
        properties=_properties(said, raw),
    )


def _loops(path: Path, experiment: Any, recorded: frozenset[int]) -> tuple[tuple[str, int], ...]:
    """Axes over frames, the slowest first; refused where they cannot be those of the frames."""
    loops: list[tuple[str, int]] = []
    for loop in experiment:
        axis, size = _AXES.get(loop.type, ""), int(loop.count)
        if size > 1 and not axis:
            raise refused_axis(path, loop.type, size)
        if size > 1 and axis in dict(loops):
            raise refused_axis(path, f"a second {loop.type}", size)
        if size > 1 or axis == "p":
            loops.append((axis, size))
    explained = math.prod(size for _, size in loops)
    highest = max(recorded, default=-1)
    if highest < 0:
        raise damaged(path, "an ND2 file without a frame")
    if highest >= explained:
        raise ImageReadError(
            "the file holds more frames than its axes explain",
            where=str(path),
            expected=f"at most {explained}, by its loops over time, z and position",
            got=f"frame {highest + 1}",
            remedy="export it as OME-TIFF from NIS-Elements",
        )
    return tuple(loops)


def _form(path: Path, said: Any) -> tuple[PixelForm, bool]:
    """How frames lie in the file, and whether they are in colour."""
    components, channels = int(said.componentCount), int(said.channelCount or 1)
    if said.tileWidthPx or said.compressionType not in (None, "none", "lossless"):
        kind = "in tiles" if said.tileWidthPx else f"with {said.compressionType} compression"
        raise ImageReadError(
            f"an ND2 file that stores frames {kind}, which livewell does not read",
            where=str(path),
            remedy="export it as OME-TIFF from NIS-Elements",
        )
    colour = components == 3 and channels == 1
    if not colour and components != channels:
        raise refused_axis(path, "components of a channel", max(components // channels, 2))
    bits = int(said.bitsPerComponentInMemory)
    dtype = {8: "uint8", 16: "uint16", 32: "float32"}.get(bits)
    row, width, height = int(said.widthBytes), int(said.widthPx or 0), int(said.heightPx)
    if dtype is None or row < width * components * bits // 8 or min(width, height) < 1:
        raise damaged(path, "its frames cannot be as it says", f"{width} x {height} px, {bits} bit")
    zipped = said.compressionType == "lossless"
    return PixelForm(height, width, components, dtype, row, zipped), colour


def _picture(said: Any) -> dict[str, Any]:
    """What the file says of its first frame, by the names that it uses itself."""
    key = "ImageMetadataSeqLV|0" if said.version >= (3, 0) else "ImageMetadataSeq|0"
    found = said.unstructured_metadata(strip_prefix=False, include={key}).get(key, {})
    found = found.get("SLxPictureMetadata", found)
    return found if isinstance(found, dict) else {}


def _names(raw: dict[str, Any]) -> tuple[str, ...]:
    """Names of the channels; read here, for `nd2` fails where one has no fluorescent probe."""
    said = raw.get("sPicturePlanes", {})
    planes = said.get("sPlaneNew") or said.get("sPlane") or {}
    return named_channels([str(plane.get("sDescription", "")) for plane in planes.values()])


def _pixel_um(raw: dict[str, Any], notes: list[str]) -> float | None:
    if not raw.get("bCalibrated") or raw.get("ePictureXAxis", 0) == 2:
        return None
    x, aspect = raw.get("dCalibration"), raw.get("dAspect", 1.0)
    y = x * aspect if x and aspect and aspect > 0 else x
    return square([x, y], ["um", "um"], notes)


def _points(experiment: Any, raw: dict[str, Any]) -> tuple[tuple[str, float, float], ...]:
    """Positions of the stage: name, y and x in micrometres, not numbers where not said."""
    for loop in experiment:
        if loop.type == "XYPosLoop" and loop.count:
            points = loop.parameters.points
            at = [point.stagePositionUm for point in points]
            return tuple(
                (point.name or "", float(place.y), float(place.x))
                for point, place in zip(points, at, strict=True)
            )
    return (("", float(raw.get("dYPos", math.nan)), float(raw.get("dXPos", math.nan))),)


def _step_um(experiment: Any) -> float | None:
    steps = [abs(loop.parameters.stepUm) for loop in experiment if loop.type == "ZStackLoop"]
    return next((float(step) for step in steps if np.isfinite(step) and step > 0), None)


def _period_s(experiment: Any) -> float | None:
    """The interval that was asked for, where it is one."""
    steps = [loop.parameters.periodMs for loop in experiment if loop.type == "TimeLoop"]
    return next((step / 1000 for step in steps if np.isfinite(step) and step > 0), None)


def _properties(said: Any, raw: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """What `properties.file_properties` gives; what is absent is left out."""
    text = said.text_info
    program = said.custom_data.get("AppInfo_V1_0", {})
    capturing = text.get("capturing", "").splitlines()
    found = {
        "software": f"{program.get('SWNameString', '')} {program.get('VersionString', '')}",
        "camera": capturing[0] if capturing else "",
        "objective": str(raw.get("wsObjectiveName") or text.get("optics", "")),
        "acquired": _acquired(raw) or str(text.get("date", "")),
    }
    return tuple((name, value.strip()) for name, value in found.items() if value.strip())


def _acquired(raw: dict[str, Any]) -> str:
    """Time of the first frame (UTC) by its Julian day, empty where not said."""
    day = raw.get("dTimeAbsolute", 0.0)
    if not (isinstance(day, float) and _JULIAN[0] < day < _JULIAN[1]):
        return ""
    since_1970 = round((day - _JULIAN_1970) * 86400)
    return f"{np.datetime64(since_1970, 's')}Z"
