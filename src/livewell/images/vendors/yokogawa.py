"""CellVoyager CV7000 and CV8000: a folder with ``MeasurementData.mlf``."""

import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from livewell.errors import LivewellError
from livewell.images.planes import PlaneTable
from livewell.images.tiff import scale
from livewell.images.vendors.gathering import Gathering
from livewell.images.vendors.opera import MIDDLE
from livewell.images.vendors.records import Record, read_records

DATA, DETAIL = "MeasurementData.mlf", "MeasurementDetail.mrf"


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder in which these names lie is one of them."""
    return DATA in names


def read(folder: Path, files: Collection[str]) -> dict[str, PlaneTable]:
    """The images that the records of the measurement name.

    Lengths are micrometres, as in all files of this schema (BTS 1.0). Shading correction is not
    applied. Records of errors are counted and not read.
    """
    gathering = Gathering(files, lambda channel: f"C{channel:02d}")
    gathering.note("the shading correction of the microscope is not applied")
    gathering.said["account"] = (MIDDLE,)
    _details(folder, gathering)

    def each(kind: str, record: Record) -> None:
        numbers = {key: record.get(f".{key}", "") for key in _NUMBERS}
        if record.get(".Type") != "IMG" or not record.get(""):
            gathering.unread(f"a record of type {record.get('.Type')}")
            return
        if not all(text.isdecimal() for text in numbers.values()):
            gathering.unread("a record without its well, field, slice, channel or time point")
            return
        time, field, z, channel = (int(numbers[key]) for key in _NUMBERS[2:])
        gathering.add(
            (numbers["Row"], numbers["Column"]),
            ("f", field),
            (time, channel, z),
            record[""],
            _seconds(record.get(".Time", "")),
            stage_um=gathering.stage(record.get(".Y"), record.get(".X"), "um"),
        )

    read_records(folder / DATA, ("MeasurementRecord",), each)
    return gathering.tables()


_NUMBERS = ("Row", "Column", "TimePoint", "FieldIndex", "ZIndex", "Ch")


def _details(folder: Path, gathering: Gathering) -> None:
    """Scale, plate and names of channels, as far as the files beside the records say them."""
    found: list[Record] = []
    try:
        rest = read_records(
            folder / DETAIL, ("MeasurementChannel",), lambda kind, record: found.append(record)
        )
    except (LivewellError, OSError) as error:
        gathering.note(f"{DETAIL} cannot be read, which says how large a pixel is ({error})")
        return
    notes: list[str] = []
    sizes = {
        (record.get(".HorizontalPixelDimension"), record.get(".VerticalPixelDimension"))
        for record in found
    }
    if len(sizes) == 1:
        gathering.said["pixel_um"] = scale.square([*sizes.pop()], ["um", "um"], notes)
    elif sizes:
        notes.append("the channels have pixels of several sizes; no pixel size is taken")
    gathering.note(*notes)
    gathering.said["plate"] = rest.get("MeasurementSamplePlate.Name") or None
    settings = folder / rest.get("MeasurementDetail.MeasurementSettingFileName", "")
    if settings.parent == folder and settings.is_file():
        _names(settings, gathering)


def _names(path: Path, gathering: Gathering) -> None:
    """Names of channels in the settings of the measurement."""

    def each(kind: str, record: Record) -> None:
        number, target = record.get(".Ch", ""), record.get(".Target", "")
        if number.isdecimal() and target:
            gathering.names[int(number)] = target

    try:
        read_records(path, ("Channel",), each)
    except (LivewellError, OSError):
        gathering.note(f"{path.name} cannot be read, which names the channels")


def _seconds(text: str) -> float | None:
    """Seconds of a time such as ``2023-09-18T13:58:39.4014935+02:00``."""
    try:
        # Python counts to the millionth
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()
    except ValueError:
        return None
