"""What OME-Zarr says of images, labels, wells and plates, as plain values for its JSON files.

Source: OME-NGFF 0.4 (Zarr 2) and 0.5 (Zarr 3), https://ngff.openmicroscopy.org.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from livewell.errors import StudyError
from livewell.files import json_text, read_json, write_text
from livewell.names import natural_key
from livewell.plate import Well

Ngff = Literal["0.4", "0.5"]
"""Versions of OME-Zarr: 0.4 is kept as Zarr 2, 0.5 as Zarr 3."""
Values = dict[str, Any]
OURS = "livewell"
"""Name of what we say beside what OME-Zarr asks for."""
AXES: dict[str, Values] = {
    "t": {"name": "t", "type": "time"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space"},
    "y": {"name": "y", "type": "space"},
    "x": {"name": "x", "type": "space"},
}
GROUP_FILES: dict[Ngff, str] = {"0.5": "zarr.json", "0.4": ".zattrs"}
"""File of a group that holds its attributes."""
_VERSIONED = frozenset({"plate", "well", "omero", "image-label"})
MEAN = {
    "type": "mean",
    "metadata": {
        "description": "each level is the mean of 2 x 2 pixels of the level before it, rounded to"
        " the nearest number of the same type; pixels of level 0 are those of the source",
    },
}
"""How levels of an image are made."""
NEAREST = {
    "type": "nearest",
    "metadata": {"description": "each level takes every second pixel of the level before it"},
}
"""How levels of labels are made."""


@dataclass(frozen=True, slots=True)
class Space:
    """Where the pixels of an array lie in the field of view, and when its frames were taken.

    Parameters
    ----------
    pixel_um, frame_s
        Edge of a pixel of the field (micrometres) and seconds from frame to frame; ``None`` where
        unknown: then the scale is 1 and has no unit.
    stage_um
        Where the field lies (y, x; micrometres): the centre of its first pixel is said to be there.
        ``None`` where unknown; not said without a pixel size.
    step_px, origin_px
        Edge of a pixel of this array and centre of its first one (y, x), in pixels of the field
        counted from the centre of the field's first.
    """

    pixel_um: float | None = None
    frame_s: float | None = None
    stage_um: tuple[float, float] | None = None
    step_px: float = 1.0
    origin_px: tuple[float, float] = (0.0, 0.0)

    def axes(self, axes: str) -> list[Values]:
        """Axes with the units that are known."""
        units = {"t": self.frame_s and "second"}
        units |= dict.fromkeys("yx", self.pixel_um and "micrometer")
        return [AXES[a] | ({"unit": units[a]} if units.get(a) else {}) for a in axes]

    def transforms(self, axes: str, factor: int) -> list[Values]:
        """Scale and translation of a level whose pixels are `factor` of the array's."""
        um, step = self.pixel_um or 1.0, self.step_px * factor
        scale = {"t": self.frame_s or 1.0} | dict.fromkeys("yx", step * um)
        found: list[Values] = [{"type": "scale", "scale": [scale.get(a, 1.0) for a in axes]}]
        shift = self.step_px * (factor - 1) / 2
        stage = (self.pixel_um and self.stage_um) or (0.0, 0.0)
        start = [at + (px + shift) * um for at, px in zip(stage, self.origin_px, strict=True)]
        if any(start):
            by_axis = dict(zip("yx", start, strict=True))
            moved = [by_axis.get(a, 0.0) for a in axes]
            found.append({"type": "translation", "translation": moved})
        return found


def attributes(version: Ngff, ome: Mapping[str, Any], **ours: Any) -> Values:
    """Attributes of a group: what OME-Zarr asks for in this version, and our own."""
    own = {OURS: ours} if ours else {}
    if version == "0.5":
        # what reads plates warns where they do not say it again
        again = {"plate": {**ome["plate"], "version": version}} if "plate" in ome else {}
        return {"ome": {"version": version, **ome, **again}, **own}
    return {name: _versioned(name, value) for name, value in ome.items()} | own


def put_group(folder: Path, version: Ngff, ome: Mapping[str, Any], **ours: Any) -> None:
    """Write what a group says of itself, in a store that becomes whole in another way."""
    put_values(folder, version, attributes(version, ome, **ours))


def put_values(folder: Path, version: Ngff, values: Mapping[str, Any]) -> None:
    """Write the attributes of a group, as `put_group`."""
    for name, text in _group_files(version, values).items():
        (folder / name).write_text(text, "utf-8")


def write_group(folder: Path, version: Ngff, ome: Mapping[str, Any], **ours: Any) -> None:
    """Write what a group says of itself, whole or not at all, in place of what it said."""
    write_values(folder, version, attributes(version, ome, **ours))


def write_values(folder: Path, version: Ngff, values: Mapping[str, Any]) -> None:
    """Write the attributes of a group, as `write_group`."""
    for name, text in _group_files(version, values).items():
        write_text(folder / name, text)


def _group_files(version: Ngff, values: Mapping[str, Any]) -> dict[str, str]:
    if version == "0.4":
        return {".zgroup": json_text({"zarr_format": 2}), GROUP_FILES[version]: json_text(values)}
    whole = {"zarr_format": 3, "node_type": "group", "attributes": values}
    return {GROUP_FILES[version]: json_text(whole)}


def read_group(folder: Path) -> tuple[Ngff, Values]:
    """Version of a group, and what it says of itself; a `StudyError` where there is none."""
    for version, file in GROUP_FILES.items():
        if (folder / file).is_file():
            found = read_json(folder / file, kind="group of an OME-Zarr")
            found = found.get("attributes", {}) if version == "0.5" else found
            return version, found if isinstance(found, dict) else {}
    raise StudyError(
        "no group of an OME-Zarr here",
        where=str(folder),
        expected=" or ".join(GROUP_FILES.values()),
        remedy="check the path",
    )


def _versioned(name: str, value: Any) -> Any:
    if name in _VERSIONED:
        return {**value, "version": "0.4"}
    return [{**each, "version": "0.4"} for each in value] if name == "multiscales" else value


def multiscales(
    name: str, axes: str, space: Space, factors: Sequence[int], made: Mapping[str, Any]
) -> list[Values]:
    """The one multiscale of an image: its levels ``0``, ``1``, ... by their factors."""
    datasets = [
        {"path": str(level), "coordinateTransformations": space.transforms(axes, factor)}
        for level, factor in enumerate(factors)
    ]
    return [{"name": name, "axes": space.axes(axes), "datasets": datasets, **made}]


@dataclass(frozen=True, slots=True)
class Display:
    """How a channel is shown: its name, colour (RRGGBB), least and greatest value, and window."""

    label: str
    color: str
    limits: tuple[float, float]
    window: tuple[float, float]

    def values(self) -> Values:
        """As OMERO has it."""
        keys = ("min", "max", "start", "end")
        window = dict(zip(keys, map(float, (*self.limits, *self.window)), strict=True))
        return {
            "label": self.label,
            "color": self.color,
            "active": True,
            "window": window,
            "wavelength_id": self.label,
        }


def omero(name: str, channels: Sequence[Display]) -> Values:
    """How an image is shown."""
    model = "greyscale" if len(channels) == 1 else "color"
    shown = [channel.values() for channel in channels]
    return {"name": name, "channels": shown, "rdefs": {"model": model, "defaultT": 0}}


def well_path(well: Well) -> str:
    """Where a well lies in its plate: ``B/03``."""
    name = str(well)
    return f"{name[:-2]}/{name[-2:]}"


def plate_values(name: str, wells: Mapping[Well, int], description: str) -> Values:
    """A plate of those wells, each with its number of fields.

    Rows and columns are those that occur, in their order: nothing says which others the plate has.
    """
    found = sorted(wells)
    rows = list(dict.fromkeys(well_path(well).split("/")[0] for well in found))
    columns = sorted({well_path(well).split("/")[1] for well in found}, key=natural_key)
    most = max(wells.values())
    acquisition = {"id": 0, "name": name, "maximumfieldcount": most, "description": description}
    return {
        "name": name,
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": [
            {"path": path, "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
            for path in map(well_path, found)
            for row, column in [path.split("/")]
        ],
        "acquisitions": [acquisition],
        "field_count": most,
    }


def well_values(fields: Sequence[str]) -> Values:
    """A well with those fields of view."""
    return {"images": [{"path": field, "acquisition": 0} for field in fields]}
