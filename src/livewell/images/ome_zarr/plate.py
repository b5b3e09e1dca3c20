"""Plates of OME-Zarr: which fields their wells hold, and which well a field is of."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from livewell.errors import GeometryError, ImageReadError, LivewellError
from livewell.images.ome_zarr.groups import Json, ome
from livewell.images.plain import damaged
from livewell.plate import Well

_ENDINGS = (".zarr", ".ome")


@dataclass(frozen=True, slots=True)
class PlateWells:
    """A plate: its name, the wells by their paths, and where their places are said otherwise."""

    name: str
    wells: Mapping[str, Well | None]
    faults: Mapping[str, str] = field(default_factory=dict)


def fields(root: Path) -> tuple[str, ...]:
    """Names of the images in a store: those of a plate's wells, or of a series; none of one image.

    A well that cannot be read is named itself, so that whoever opens it is told what is wrong.
    """
    return fields_of(root, ome(root))


def fields_of(root: Path, said: Json) -> tuple[str, ...]:
    """The same, where it has been read what the group says."""
    plate = plate_wells(root) if "plate" in said else None
    if plate is not None:
        return tuple(name for well in plate.wells for name in _of_well(root, well))
    if "well" in said:
        return _images(root, said)
    if "multiscales" in said:
        return ()
    return _series(root, said)


def plate_wells(root: Path) -> PlateWells | None:
    """The wells of a plate, ``None`` where it is none; read once while its metadata do not change.

    Raises
    ------
    ImageReadError
        Its metadata are damaged.
    """
    for name in ("zarr.json", ".zattrs"):
        with suppress(OSError):
            return _plate_wells(root, (root / name).stat().st_mtime_ns)
    return None


@lru_cache(maxsize=16)
def _plate_wells(root: Path, changed_ns: int) -> PlateWells | None:
    plate = ome(root).get("plate")
    if plate is None:
        return None
    try:
        rows = [str(row["name"]) for row in plate["rows"]]
        columns = [str(column["name"]) for column in plate["columns"]]
        listed = [
            (str(well["path"]).strip("/"), int(well["rowIndex"]), int(well["columnIndex"]))
            for well in plate["wells"]
        ]
    except (TypeError, KeyError, ValueError) as error:
        raise damaged(root, "its metadata are not those of a plate", got=repr(error)) from error
    wells: dict[str, Well | None] = {}
    faults: dict[str, str] = {}
    for path, row, column in listed:
        wells[path] = _well(*path.partition("/")[::2])
        inside = 0 <= row < len(rows) and 0 <= column < len(columns)
        if not inside or wells[path] is None or wells[path] != _well(rows[row], columns[column]):
            faults[path] = f"row {row}, column {column} of the plate"
    return PlateWells(plate_name(root), wells, faults)


def _well(row: str, column: str) -> Well | None:
    try:
        return Well.of(row, column)
    except GeometryError:
        return None


def plate_name(root: Path) -> str:
    """What a plate is called: its folder, without the endings of a store."""
    name = root.name or root.resolve().name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


def place(image: Path) -> tuple[str | None, str | None, str | None]:
    """Plate, well and position of an image by where it lies; all ``None`` outside a plate.

    Raises
    ------
    ImageReadError
        Its well is not there, or the plate calls it by another name than its path does.
    """
    well = image.parent
    root = well.parent.parent
    plate, path = plate_wells(root), f"{well.parent.name}/{well.name}"
    if plate is None:
        return None, None, None
    if path in plate.faults:
        raise damaged(
            image,
            f"the plate's metadata call the well {path} by another name",
            got=plate.faults[path],
        )
    if path not in plate.wells:
        return plate.name, None, image.name
    return plate.name, str(plate.wells[path]), image.name


def missing_well(path: Path) -> ImageReadError:
    """The error for a well that a plate names and the store does not hold."""
    return ImageReadError(
        "a well that the plate names and that is not there",
        where=str(path),
        remedy="copy the plate again; where the well was never written, take it out of the plate's"
        " metadata",
    )


def _of_well(root: Path, well: str) -> tuple[str, ...]:
    try:
        return tuple(f"{well}/{name}" for name in _images(root / well, ome(root / well))) or (well,)
    except LivewellError:
        return (well,)


def _images(folder: Path, said: Json) -> tuple[str, ...]:
    well = said.get("well")
    try:
        return tuple(dict.fromkeys(str(image["path"]) for image in well["images"]))  # type: ignore[index]
    except (TypeError, KeyError) as error:
        raise damaged(folder, "its metadata are not those of a well", got=repr(error)) from error


def _series(root: Path, said: Json) -> tuple[str, ...]:
    """Images of a store that Bio-Formats wrote, by the list in its group OME or their numbers."""
    if "bioformats2raw.layout" not in said:
        return ()
    listed = ome(root / "OME").get("series")
    if isinstance(listed, list) and all(isinstance(name, str) and name for name in listed):
        return tuple(listed)
    numbers = sorted(int(each.name) for each in root.iterdir() if each.name.isdecimal())
    return tuple(map(str, numbers))
