"""Opera Phenix and Operetta: a folder ``Images`` with ``Index.idx.xml``, of Harmony 4 to 6."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from livewell.images.planes import PlaneTable
from livewell.images.tiff import scale
from livewell.images.vendors.gathering import Gathering
from livewell.images.vendors.records import Record, read_records

INDEX = ("Index.idx.xml", "Index.xml", "Index.ref.xml")
"""Names of the index; the first that is there is read."""
FLAT_FIELD = "the flat-field correction of Harmony is not applied: pixels are as they were recorded"
MIDDLE = "stage positions are counted from the middle of the well"


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder in which these names lie is one of them."""
    return INDEX[0] in names or (INDEX[1] in names and any("p01-ch" in name for name in names))


def read(folder: Path, files: Collection[str]) -> dict[str, PlaneTable]:
    """The images that the index names.

    A plane is named by its row, column, field, plane, time point and channel in the index, never by
    the name of its file. What Harmony 6 says once a channel is taken for all of its planes.
    """
    path = next(folder / name for name in INDEX if (folder / name).exists())
    images: list[Record] = []
    channels: dict[str, Record] = {}

    def each(kind: str, record: Record) -> None:
        if kind == "Image":
            # an empty list of wells also holds elements of this name
            if "URL" in record:
                images.append({key: record[key] for key in _KEPT if key in record})
            known = channels.setdefault(record.get("ChannelID", ""), {})
            if "ChannelName" not in known:
                known.update(record)
        else:
            channels.setdefault(record.get(".ChannelID", ""), {}).update(record)

    rest = read_records(path, ("Image", "Entry"), each)
    gathering = Gathering(files, lambda channel: f"ch{channel}")
    gathering.notes.append(FLAT_FIELD)
    gathering.said["plate"] = rest.get("Name") or rest.get("PlateID")
    gathering.said["account"] = (MIDDLE,)
    facts = {channel: _facts(record, gathering) for channel, record in channels.items()}
    for record in images:
        _add(gathering, record, channels, facts)
    return gathering.tables()


_KEPT = (
    "URL", "Row", "Col", "FieldID", "PlaneID", "TimepointID", "ChannelID", "PositionX", "PositionY",
    "PositionX.Unit", "MeasurementTimeOffset", "MeasurementTimeOffset.Unit",
)  # fmt: skip


def _add(
    gathering: Gathering,
    record: Record,
    channels: dict[str, Record],
    facts: dict[str, dict[str, Any]],
) -> None:
    numbers = [
        int(text) if text.isdecimal() else None
        for text in (record.get(key, "") for key in ("TimepointID", "ChannelID", "PlaneID"))
    ]
    time, channel, plane = numbers
    site = record.get("FieldID", "")
    if channel is None or not site.isdecimal():
        gathering.unread("an entry without its field or channel")
        return
    key = record.get("ChannelID", "")
    if name := channels.get(key, {}).get("ChannelName"):
        gathering.names[channel] = name
    at = [record.get(part) for part in ("PositionY", "PositionX", "PositionX.Unit")]
    seconds = scale.number(record.get("MeasurementTimeOffset"))
    factor = scale.factor(record.get("MeasurementTimeOffset.Unit", ""), scale.TIME_S)
    gathering.add(
        (record.get("Row", ""), record.get("Col", "")),
        ("f", int(site)),
        (time or 0, channel, plane),
        record["URL"],
        seconds * factor if seconds is not None and factor else None,
        stage_um=gathering.stage(*at),
        **facts.get(key, {}),
    )


def _facts(channel: Record, gathering: Gathering) -> dict[str, Any]:
    """Size and scale of the planes of a channel."""
    notes: list[str] = []
    edges = [channel.get(f"ImageResolution{axis}") for axis in "XY"]
    units = [channel.get(f"ImageResolution{axis}.Unit", "") for axis in "XY"]
    sizes = [channel.get(f"ImageSize{axis}", "") for axis in "YX"]
    known = all(size.isdecimal() for size in sizes)
    pixel_um = scale.square(edges, units, notes)
    gathering.note(*notes)
    return {
        "pixel_um": pixel_um,
        "height": int(sizes[0]) if known else 0,
        "width": int(sizes[1]) if known else 0,
    }
