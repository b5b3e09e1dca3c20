"""Tables of points as programs write them: which columns hold place and frame, in which unit."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from livewell.errors import Fault
from livewell.names import Finder
from livewell.study.cells import pointed
from livewell.study.metadata import FILE_COLUMNS
from livewell.study.naming import images_of
from livewell.tables.faults import listed, near
from livewell.text import plural

Unit = Literal["px", "um"]
_UNITS = {
    **dict.fromkeys(("px", "pixel", "pixels"), "px"),
    **dict.fromkeys(("μm", "um", "micron", "microns", "micrometer", "micrometers"), "um"),
    **dict.fromkeys(("micrometre", "micrometres"), "um"),
}
"""Units as headings write them, after NFKC, which makes one sign of the two for micro."""
_UNIT = re.compile(r"[\s_\[(]+([^\s_\[\]()]+)[\])]*$")
_NAMES: Mapping[str, Unit | None] = {
    r"([xy])": "px",
    r"centroid[ _]([xy])": None,  # QuPath
    r"(?:.+_)?location_center_([xy])": "px",  # CellProfiler
    r"(?:.+_)?areashape_center_([xy])": "px",
    r"center of the object_([01])": "px",  # ilastik
    r"position_([xy])": None,  # TrackMate
    r"([XY])": None,  # ImageJ, calibrated where the image is
    r"([XY])M": None,
}
"""What columns of places are called, and their unit if it is always the same."""
_AXES = {"x": "x", "y": "y", "X": "x", "Y": "y", "0": "x", "1": "y"}
TRACKMATE = 3
"""Lines of further headings below the first, in tables of TrackMate."""
_FRAMES = ("t", "timestep", "frame", "frames", "timepoint", "time_point", "time_index", "slice")
_FILE = re.compile(r"filename_.+", re.IGNORECASE)
"""What CellProfiler calls the names of an image's files, one column a channel."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a heading says: `axis` x or y, by which of `_NAMES`, and the `unit` written in it.

    `usual` is the unit that such columns have where none is written; ``None`` where it varies.
    """

    axis: str
    form: str
    unit: str | None
    usual: str | None


@dataclass(frozen=True, slots=True)
class PointTable:
    """Points in pixels: the table with columns image, t, y, x; faults; how it was read."""

    table: pd.DataFrame
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]


def read_points(
    table: pd.DataFrame, headers: pd.DataFrame, y: str, x: str, unit: Unit | None
) -> PointTable:
    """Points of a table by any of the programs that are known, in pixels of the study's images.

    Parameters
    ----------
    table
        As `livewell.study.metadata.read_metadata` gives it.
    headers
        By `livewell.tables.schemas.HEADERS`, of all images.
    y, x
        Names of the columns; where these are not there, those of known programs.
    unit
        Of both, where headings do not say it.
    """
    said, table = _subheads(table)
    files, faults = _files(table, headers["image"])
    names, more = _columns(table, y, x)
    faults += more
    if files is None or names is None:
        return PointTable(table, tuple(faults), ())
    images, more, notes = images_of(files, headers["image"])
    faults += more
    pixels = pd.DataFrame({name: _numbers(table[name]) for name in names})
    found, more = _unit_of(names, said, unit)
    faults += more
    if found == "um":
        sizes = images.map(headers.set_index("image")["pixel_um"]).astype("float64")
        without = images[sizes.isna() & images.isin(headers["image"])].unique()
        if len(without):
            text = f"points are in micrometres, and {listed(without)} says no pixel size"
            remedy = "; index again with --pixel-um"
            faults.append(Fault("pixel-size", ", ".join(names), text + remedy))
        pixels = pixels.div(sizes, axis=0)
        notes.append(f"{names[0]} and {names[1]} are micrometres, divided by the pixel size")
    elif names != (y, x):
        notes.append(f"points lie at {names[0]} and {names[1]}, in pixels")
    frames, more, said_frames = _frames(table, images, headers)
    faults += more
    known: dict[str, pd.Series] = {"image": images, "t": frames}
    known |= dict(zip((y, x), (pixels[name] for name in names), strict=True))
    return PointTable(table.assign(**known), tuple(faults), (*notes, *said_frames))


def place_of(name: str) -> Place | None:
    """What a heading says of a place; ``None`` where it is no such column."""
    plain = unicodedata.normalize("NFKC", name).strip()
    tail = _UNIT.search(plain)
    unit = _UNITS.get(tail[1].lower()) if tail else None
    bare = plain[: tail.start()] if tail and unit else plain
    for form, usual in _NAMES.items():
        found = re.fullmatch(form, bare) or (len(bare) > 2 and re.fullmatch(form, bare.lower()))
        if found:
            return Place(_AXES[found[1]], form, unit, usual)
    # a unit that is not known, or whose letters were damaged on the way
    odd = re.fullmatch(r"(centroid[ _]([xy])) .+", plain.lower())
    return Place(_AXES[odd[2]], odd[1][:-1], None, None) if odd else None


def _files(
    table: pd.DataFrame, images: "pd.Series[str]"
) -> tuple["pd.Series[str] | None", list[Fault]]:
    """Which file every point lies in, as the table writes it, and what is wrong with that."""
    known = [name for name in FILE_COLUMNS if name in table][:1]
    cells = [table[name] for name in known or filter(_FILE.fullmatch, map(str, table))]
    if len(cells) == 1:
        return cells[0], []
    if "Label" in table and not cells:
        # ImageJ: the image, and behind colons what is measured and the name of the slice
        cells = [table["Label"].str.split(":").str[0]]
    finder = Finder(list(images))
    # files of channels that the study does not hold say nothing
    fitting = [each for each in cells if all(finder.find(n)[0] for n in each.dropna().unique())]
    if len(fitting) == 1:
        return fitting[0], []
    if len(fitting) > 1:
        names = listed([str(each.name) for each in fitting])
        text = f"{names} name files: call the right column image"
    else:
        text = f"which image a point lies in; {near('image', table.columns)}"
    return None, [Fault("missing-column", "image", text)]


def _columns(table: pd.DataFrame, y: str, x: str) -> tuple[tuple[str, str] | None, list[Fault]]:
    """Columns of y and x: those asked for, or else those of a program that is known."""
    if y in table and x in table:
        return (y, x), []
    text = f"the table has no such columns; {near(y, table.columns)}"
    if (y, x) == ("y", "x"):
        places = {str(name): place for name in table if (place := place_of(str(name)))}
        for form in dict.fromkeys(place.form for place in places.values()):
            for unit in {place.unit: None for place in places.values()}:
                fits = {n: p.axis for n, p in places.items() if (p.form, p.unit) == (form, unit)}
                ys, xs = ([n for n, axis in fits.items() if axis == want] for want in "yx")
                if len(ys) == len(xs) == 1:
                    return (ys[0], xs[0]), []
                if ys and xs:
                    text = f"{listed(ys)}: several places a row; say which with --y and --x"
                    return None, [Fault("several-columns", "y, x", text)]
    return None, [Fault("missing-column", f"{y}, {x}", text)]


def _unit_of(
    names: tuple[str, str], said: str, asked: Unit | None
) -> tuple[str | None, list[Fault]]:
    where, places = ", ".join(names), [place_of(name) for name in names]
    written = {(place.unit if place else None) or said or None for place in places}
    # a name of the user's own holds pixels, as the option says
    usual = {place.usual if place else "px" for place in places}
    if len(written) > 1 or len(usual) > 1:
        return None, [Fault("unit", where, "the two columns have different units")]
    stated, common = written.pop(), usual.pop()
    if asked and stated not in (None, asked):
        return None, [Fault("unit", where, f"the table says {stated}, --unit says {asked}")]
    unit = asked or stated or common
    text = "pixels or micrometres? the table does not say it: give --unit px or --unit um"
    return unit, [] if unit else [Fault("unit", where, text)]


def _subheads(table: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The unit that further lines of headings say (TrackMate), and the table without them."""
    column = next((name for name in table if str(name).lower() == "position_x"), None)
    if column is None:
        return "", table
    numbers = _numbers(table[column]).notna().to_numpy()
    count = int(numbers.argmax()) if numbers.any() else 0
    if count > TRACKMATE:
        return "", table
    texts = [unicodedata.normalize("NFKC", text) for text in table[column].iloc[:count].dropna()]
    units = [_UNITS.get(text.strip("()[] ").lower(), "") for text in texts]
    return next(filter(None, units), ""), table.iloc[count:]


def _frames(
    table: pd.DataFrame, images: "pd.Series[str]", headers: pd.DataFrame
) -> tuple["pd.Series[float]", list[Fault], list[str]]:
    """Frames from 0, what is wrong with them, and a note where they were counted from 1."""
    counts = images.map(headers.set_index("image")["frames"]).astype("float64")
    by_name = {str(name).lower().replace(" ", "_"): name for name in table}
    column = next((by_name[name] for name in _FRAMES if name in by_name), None)
    if column is None:
        movies = images[counts > 1].unique()
        text = f"several frames in {listed(movies)}, and no column says in which a point lies;"
        faults = [Fault("no-frame", "t", f"{text} add t, from 0")] if len(movies) else []
        return pd.Series(0.0, index=table.index), faults, []
    frames = _numbers(table[column])
    from_zero = column in ("t", "timestep") or any(
        name.startswith("position_x") for name in by_name
    )
    notes = []
    if not from_zero and frames.notna().any():
        if (frames == 0).any():
            notes.append(f"frames in {column} are counted from 0")
        elif (frames == counts).any() and not (frames > counts).any():
            frames -= 1
            notes.append(f"frames in {column} are counted from 1, for they reach the last one")
        else:
            text = f"begins at {frames.min():g}: counted from 0 or from 1? call it t, from 0"
            return frames, [Fault("frame-doubt", str(column), text)], []
    return frames, list(_beyond(frames, images, counts)), notes


def _numbers(texts: "pd.Series[str]") -> "pd.Series[float]":
    return pd.to_numeric(pointed(texts), errors="coerce").astype("float64")


def _beyond(
    frames: "pd.Series[float]", images: "pd.Series[str]", counts: "pd.Series[float]"
) -> Iterator[Fault]:
    for row in frames.index[frames >= counts]:
        has = plural(int(counts[row]), "frame")
        text = f"frame {frames[row]:g} is not in {images[row]}, which has {has}, counted from 0"
        yield Fault("outside", f"row {row}", text)
