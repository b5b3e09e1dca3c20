"""ImageXpress: folders of MetaXpress, with an ``.HTD`` file or known by strict names alone."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from livewell.errors import LivewellError
from livewell.images.planes import PlaneTable
from livewell.images.tiff.reader import TiffImage
from livewell.images.vendors.gathering import PROJECTION, Gathering
from livewell.images.vendors.naming import all_fit, files_in
from livewell.plate import Well

FOLDER = re.compile(r"(TimePoint|ZStep)_(\d{1,6})", re.IGNORECASE)
"""Folders of one time point or slice, one within the other."""
NAME = re.compile(
    r"(?P<plate>.+?)_(?P<well>[A-P][0-2]\d|A[A-F][0-4]\d|[Q-Z][0-4]\d)"
    r"(?:_s(?P<site>\d{1,4}))?(?:_w(?P<wave>\d{1,2}))?"
    r"(?P<guid>[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.tiff?",
    re.IGNORECASE,
)
"""Names of planes: plate, well, site, wavelength, and a number of the data base."""
BY_NAMES = (
    "known by its file names alone, as MetaXpress writes them: there is no HTD file that says which"
    " wells, sites and wavelengths belong to the plate"
)


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether an HTD file is among these names."""
    return any(name[-4:].upper() == ".HTD" for name in names)


def fits_by_names(folder: Path, names: Collection[str]) -> bool:
    """Whether all images are named as planes are, those in folders of time points and slices too.

    In one folder two of them must be of one image.
    """
    if any(FOLDER.fullmatch(name) for name in names):
        names = [file.rpartition("/")[2] for file in files_in(folder, FOLDER)]
        return all_fit(NAME, (), names)
    return all_fit(NAME, ("plate", "well", "site"), names)


def name_of(well: str, site: int, wave: int, plate: str = "plate", guid: str = "") -> str:
    """The name of a plane's file; sites and wavelengths are counted from 1."""
    return f"{plate}_{well}_s{site}_w{wave}{guid}.tif"


def read(folder: Path, files: Collection[str]) -> dict[str, PlaneTable]:
    """The images of the files: what lies there counts, and the HTD says what is missing of it."""
    said = _htd(folder, files)
    gathering = Gathering(files, lambda wave: f"w{wave}", "the folder")
    found = [(file, match) for file in files if (match := _match(file))]
    if not said:
        gathering.notes.append(BY_NAMES)
    names = {int(key[8:]): value[0] for key, value in said.items() if key.startswith("WaveName")}
    gathering.names |= names or _by_tiff(folder, found)
    for file, match in found:
        time, z = _where(file)
        wave = int(match["wave"] or 1)
        site, plane = ("s", int(match["site"] or 1)), (time, wave, z)
        gathering.add(match["well"], site, plane, file, plate=match["plate"])
    gathering.note(*_absent(said, {str(Well.parse(match["well"])) for _, match in found}))
    return gathering.tables()


def _match(file: str) -> re.Match[str] | None:
    return NAME.fullmatch(file.rpartition("/")[2])


def _where(file: str) -> tuple[int, int]:
    """Time point and slice by the folders of a file; what lies in none is no slice of a stack."""
    at = {"timepoint": 1, "zstep": PROJECTION}
    for part in file.split("/")[:-1]:
        if match := FOLDER.fullmatch(part):
            at[match[1].lower()] = int(match[2])
    # exports give the projection as slice 0
    return at["timepoint"], at["zstep"] or PROJECTION


def _htd(folder: Path, files: Collection[str]) -> dict[str, list[str]]:
    """Lines of the HTD file by their first word; none where there is no such file."""
    within = {folder / file.rpartition("/")[0] for file in files if "/" in file}
    for place in (folder, *sorted(within)):
        for path in sorted(place.glob("*.[Hh][Tt][Dd]")):
            text = path.read_bytes().decode("cp1252", "replace")
            lines = ([part.strip().strip('"') for part in line.split(",")]
                     for line in text.splitlines() if "," in line)  # fmt: skip
            return {key: values for key, *values in lines}
    return {}


def _absent(said: dict[str, list[str]], wells: Collection[str]) -> list[str]:
    """Notes on wells that the HTD selects and that have no file, and the other way round."""
    if not said:
        return []
    selected = {
        str(Well(row, column))
        for row in range(32)
        for column, value in enumerate(said.get(f"WellsSelection{row + 1}", ()))
        if value.upper() == "TRUE"
    }
    notes = []
    for what, lost in (
        ("the HTD file selects wells that have no file", selected - set(wells)),
        ("there are files of wells that the HTD file does not select", set(wells) - selected),
    ):
        if lost and selected:
            notes.append(f"{what}: {', '.join(sorted(lost)[:8])}{', ...' * (len(lost) > 8)}")
    return notes


def _by_tiff(folder: Path, found: Iterable[tuple[str, re.Match[str]]]) -> dict[int, str]:
    """Names of wavelengths as the first file of each says them."""
    first: dict[int, str] = {}
    for file, match in found:
        wave = int(match["wave"] or 1)
        first[wave] = min(first.get(wave, file), file)
    names = {}
    for wave, file in sorted(first.items()):
        try:
            image = TiffImage(folder / file)
        except (LivewellError, OSError):
            continue
        image.close()
        if image.header.channels != ("grey",) and len(image.header.channels) == 1:
            names[wave] = image.header.channels[0]
    return names
