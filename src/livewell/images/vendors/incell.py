"""IN Cell Analyzer: a folder with an ``.xdce`` file."""

from collections.abc import Collection
from pathlib import Path

from livewell.images.planes import PlaneTable
from livewell.images.tiff import scale
from livewell.images.vendors.gathering import Gathering
from livewell.images.vendors.records import Record, read_records


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder in which these names lie is one of them."""
    return any(name[-5:].lower() == ".xdce" for name in names)


def read(folder: Path, files: Collection[str]) -> dict[str, PlaneTable]:
    """The images that the ``.xdce`` file names.

    Channels are called as in the names of the files: excitation, then emission.
    """
    path = min(path for path in folder.iterdir() if path.suffix.lower() == ".xdce")
    gathering = Gathering(files, lambda channel: f"wave {channel}")
    images: list[Record] = []
    waves: list[Record] = []

    def each(kind: str, record: Record) -> None:
        if kind == "Image":
            images.append({key: record[key] for key in _KEPT if key in record})
        else:
            waves.append(record)

    rest = read_records(path, ("Image", "Wavelength"), each)
    for number, record in enumerate(waves):
        _name(gathering, record.get(".index", str(number)), record)
    notes: list[str] = []
    edges = [rest.get(f"ObjectiveCalibration.pixel_{side}") for side in ("width", "height")]
    # the schema has no other unit, and older files do not name it
    unit = rest.get("ObjectiveCalibration.unit") or "um"
    gathering.said["pixel_um"] = scale.square(edges, [unit, unit], notes)
    gathering.said["plate"] = rest.get("Plate.name") or path.stem
    for record in images:
        _add(gathering, record)
    gathering.note(*notes)
    return gathering.tables()


_IDS = ("time_index", "field_index", "wave_index", "z_index")
_KEPT = (
    ".filename", ".acquisition_time_ms", "Row.number", "Column.number", "OffsetFromWellCenter.x",
    "OffsetFromWellCenter.y", "PlatePosition_um.x", "PlatePosition_um.y", "ExcitationFilter.name",
    "EmissionFilter.name", *(f"Identifier.{key}" for key in _IDS),
)  # fmt: skip


def _name(gathering: Gathering, number: str, record: Record) -> None:
    """Call a channel by its filters."""
    names = [record.get(f"{kind}Filter.name", "") for kind in ("Excitation", "Emission")]
    if number.isdecimal() and any(names):
        gathering.names.setdefault(int(number), " - ".join(filter(None, names)))


def _add(gathering: Gathering, record: Record) -> None:
    numbers = [record.get(f"Identifier.{key}", "") for key in _IDS]
    if not all(text.isdecimal() for text in numbers) or ".filename" not in record:
        gathering.unread("an image without its field, wave, slice or time")
        return
    time, field, channel, z = map(int, numbers)
    if channel not in gathering.names:
        _name(gathering, numbers[2], record)
    # a place on the plate has its unit in its name, an offset from the well's middle has none
    plate = [record.get(f"PlatePosition_um.{key}") for key in ("y", "x")]
    offset = [record.get(f"OffsetFromWellCenter.{key}") for key in ("y", "x")]
    at = (*plate, "um") if all(plate) else (*offset, None)
    milliseconds = scale.number(record.get(".acquisition_time_ms"))
    gathering.add(
        (record.get("Row.number", ""), record.get("Column.number", "")),
        ("f", field + 1),
        (time, channel, z),
        record[".filename"],
        None if milliseconds is None else milliseconds / 1000,
        stage_um=gathering.stage(*at),
    )
