"""Incucyte: exported folders, known by strict names alone."""

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from livewell.images.planes import GREY, PlaneTable
from livewell.images.vendors.gathering import Gathering
from livewell.images.vendors.naming import all_fit

NAME = re.compile(
    r"(?P<vessel>.+)_(?P<well>[A-P]\d{1,2})_(?P<site>\d{1,3})_"
    r"(?:(?P<date>\d{4}y\d{2}m\d{2}d_\d{2}h\d{2}m)"
    r"|(?P<days>\d{2,3})d(?P<hours>\d{2})h(?P<minutes>\d{2})m)\.(?:tiff?|png|jpe?g)",
    re.IGNORECASE,
)
"""Names of planes: vessel or channel, well, position, and when, on the clock or since the start."""
BY_NAMES = (
    "known by its file names alone, as Incucyte writes them: wells, positions and times are those"
    " of the names"
)


def name_of(vessel: str, well: str, site: int, minutes: int, start: datetime | None = None) -> str:
    """The name of a plane's file, so many minutes after the start; by the clock where known."""
    if start:
        at = f"{start + timedelta(minutes=minutes):%Yy%mm%dd_%Hh%Mm}"
    else:
        at = f"{minutes // 1440:02d}d{minutes // 60 % 24:02d}h{minutes % 60:02d}m"
    return f"{vessel}_{well}_{site}_{at}.tif"


def fits(folder: Path, names: Collection[str]) -> bool:
    """Whether all images among these names are of such an export, and some of one position."""
    return all_fit(NAME, ("vessel", "well", "site"), names)


def read(folder: Path, files: Collection[str]) -> dict[str, PlaneTable]:
    """The images of the files; what stands before the well tells vessels apart.

    Frames are numbered by the times that the whole folder has.
    """
    found = [(file, match, minutes_of(match)) for file in files if (match := NAME.fullmatch(file))]
    gathering = Gathering(files, str, "the folder")
    gathering.note(BY_NAMES)
    rank = {at: i for i, at in enumerate(sorted({at for _, _, at in found}))}
    for file, match, at in found:
        site, plane = ("f", int(match["site"])), (rank[at], GREY, None)
        gathering.add(match["well"], site, plane, file, at * 60.0, match["vessel"])
    return gathering.tables()


def minutes_of(match: re.Match[str]) -> int:
    """Minutes of a name on its clock, of which only differences mean something."""
    if match["date"]:
        at = datetime.strptime(match["date"], "%Yy%mm%dd_%Hh%Mm")
        return (at - datetime(2000, 1, 1)) // timedelta(minutes=1)
    return (int(match["days"]) * 24 + int(match["hours"])) * 60 + int(match["minutes"])
