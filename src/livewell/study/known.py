"""What is known about images beside their pixels: from names, the files themselves and a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from livewell.errors import Fault, LayoutError, LivewellError, TableError
from livewell.images.formats import place_of
from livewell.names import picture_of
from livewell.progress import task
from livewell.study.layout import NamePattern, pictures
from livewell.study.metadata import FILE_COLUMNS, read_metadata
from livewell.study.platemap import join_metadata
from livewell.tables.schemas import FIELDS
from livewell.text import plural

SHOWN = 5
_PLACE = ("plate", "experiment", "replicate", "well", "position", "t0", "time_s")
"""Columns that tell two files apart, beside those that livewell has no name for."""
_REMEDY = (
    "tell them apart: name the plate (or position, or time) as a part of --pattern, such as"
    " {plate}/{well}.tif, and as a column of the table; or index them one by one"
)


def known_fields(
    files: Mapping[str, Path],
    pattern: NamePattern | None,
    metadata: Path | None,
    *,
    drop: bool,
) -> tuple[pd.DataFrame, list[str], bool]:
    """A row for every file with all that is known of it, and notes for a careful user.

    And whether wells are those that the files state, for which nobody asked.

    Columns ``image`` and ``path``, those of the pattern, well and position that the files state
    where nothing else does, and those of the table. With `drop`, files are left out that do not fit
    the pattern or have no row of the table.

    Raises
    ------
    LayoutError
        Files do not fit the pattern, or the table cannot be read or joined.
    TableError
        The table does not fit the files, with every fault.
    """
    notes: list[str] = []
    fields = pd.DataFrame({"image": list(files), "path": list(files)}, dtype="str")
    if pattern is not None:
        fields = _matched(fields, pattern, notes, drop=drop)
    table = None if metadata is None else read_metadata(metadata)
    columns = set() if table is None else set(table.table.columns)
    by_file = not columns.isdisjoint(FILE_COLUMNS)
    states = "well" not in fields and not (by_file and "well" in columns)
    if states:
        stated, found = stated_wells({image: files[image] for image in fields["image"]})
        stated = stated.dropna(axis="columns", how="all")
        stated = stated.drop(columns={"plate", "position"} & {*fields, *columns} & {*stated})
        fields = fields.merge(stated, on="image", how="left") if len(stated) else fields
        notes += found
        states = "well" in fields
    if table is not None:
        notes += table.notes
        known = join_metadata(fields, table, str(metadata), drop=drop, notes=notes)
        if len(known) < len(fields):
            notes.append(f"{len(fields) - len(known)} files without a row of metadata are left out")
        fields = known
    return fields, notes, states


def with_pictures(fields: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The fields, each with the picture that it was cut from, its own where it is none; and a note.

    Where nothing says it tiles are known by their names, see `livewell.names.picture_of`.
    """
    images = fields["image"].astype("str")
    said = fields["picture"] if "picture" in fields else pd.Series(None, fields.index, dtype="str")
    told = images.map(picture_of)
    named = pictures(pd.DataFrame({"path": images, "picture": told}), images.tolist())
    found = said.fillna(named.where(told != images, images))
    tiles = said.isna() & (found != images)
    if not tiles.any():
        return fields.assign(picture=found), []
    of = found[tiles].unique()
    whole = len(set(of) & set(images))
    note = (
        f"by their names {plural(int(tiles.sum()), 'file')} are tiles of"
        f" {plural(len(of), 'picture')}, such as {images[tiles].iloc[0]}: they have one name in the"
        " column picture, and a split never parts them"
    )
    more = f"; {whole} of these pictures {'lies' if whole == 1 else 'lie'} here whole as well"
    return fields.assign(picture=found), [note + more * bool(whole)]


def stated_wells(paths: Mapping[str, Path]) -> tuple[pd.DataFrame, list[str]]:
    """Plate, well and position that files state (by the name of the image), and a note.

    Where the first file that can be opened states no well, no other one is, and there are no rows.
    """
    none = pd.DataFrame({name: [] for name in ("image", "plate", "well", "position")}, dtype="str")
    first = next(filter(None, map(_stated, paths.values())), None)
    if first is None or first[1] is None:
        return none, []
    rows = []
    with task("reading wells", len(paths)) as tick:
        for image, path in paths.items():
            rows.append((image, *(_stated(path) or (None, None, None))))
            tick()
    table = pd.DataFrame(rows, columns=list(none)).astype("str")
    without = table.loc[table["well"].isna(), "image"]
    note = "wells and positions are those that the files state"
    if len(without):
        note += f"; {plural(len(without), 'file')} states none, such as {without.iloc[0]}"
    return table, [note]


def _stated(path: Path) -> tuple[str | None, str | None, str | None] | None:
    """Plate, well and position; ``None`` where the file cannot be opened."""
    try:
        return place_of(path)
    except LivewellError:
        return None


def refuse_twins(fields: pd.DataFrame, where: str = "", *, stated: bool = False) -> list[str]:
    """Refuse several files of one plate, well, position and time; a note on those without a time.

    Files of one picture are no twins, nor files of a folder whose positions have no name. Those
    without a time are refused in different folders, which may be different plates; where wells are
    only `stated` by the files, for nobody asked for them, a note is enough.
    """
    names = [str(name) for name in fields]
    keys = [name for name in names if name in _PLACE or name not in FIELDS.kinds]
    if "well" not in keys:
        return []
    rows = fields[fields["well"].notna()].drop_duplicates([*keys, "picture"])
    rows = rows[rows.duplicated(keys, keep=False)]
    faults, untimed = [], []
    for _, twins in rows.groupby(keys, dropna=False, sort=False):
        first = twins.iloc[0]
        said = [f"{name} {first[name]}" for name in keys if pd.notna(first[name])]
        apart = {PurePosixPath(path).parent for path in twins["path"]}
        timed = any(name in keys and pd.notna(first[name]) for name in ("t0", "time_s"))
        a, b = twins["image"].iloc[:2]
        if timed or len(apart) > 1:
            more = f" and {len(twins) - 2} more" if len(twins) > 2 else ""
            text = f"are all of {', '.join(said)}, and nothing says what they differ in"
            faults.append(Fault("same-place", f"{a}, {b}{more}", text))
        elif "position" in keys and pd.notna(first["position"]):
            untimed.append(f"{a} and {b}")
    if faults and not stated:
        raise TableError(
            "several files of one well, position and time", faults, where=where, remedy=_REMEDY
        )
    notes = [f"{fault.where} {fault.message}" for fault in faults[:1]]
    if not untimed:
        return notes
    return [
        *notes,
        f"{plural(len(untimed), 'position')} with several files that say no time, such as"
        f" {untimed[0]}: what goes by time will refuse them (name the time in the pattern: t, or"
        " time_s:duration for 00d60h00m)",
    ]


def _matched(
    fields: pd.DataFrame, pattern: NamePattern, notes: list[str], *, drop: bool
) -> pd.DataFrame:
    parts, rest = pattern.match_all(fields["image"])
    if rest and not drop:
        shown: Sequence[str] = [f"{name} ({hint})" for name, hint in list(rest.items())[:SHOWN]]
        raise LayoutError(
            f"{len(rest)} of {len(fields)} files do not fit the pattern",
            where=pattern.text,
            got="; ".join(shown) + ("; ..." if len(rest) > SHOWN else ""),
            remedy="correct the pattern, choose files by name, or say that unmatched are dropped",
        )
    pattern.check_maps(fields["image"])
    if rest:
        notes.append(f"{len(rest)} files that do not fit the pattern are left out")
    if pattern.makes_wells:
        notes.append("wells are made of the parts row and column of the pattern")
    return parts
