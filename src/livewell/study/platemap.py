"""What is known about the images beside their names: a table by file or by well."""

from collections.abc import Collection, Sequence
from operator import ne
from typing import cast

import pandas as pd

from livewell.errors import Fault, GeometryError, LayoutError, TableError
from livewell.names import Finder, picture_of
from livewell.plate import Well
from livewell.study.cells import number_faults, typed
from livewell.study.metadata import FILE_COLUMNS, Metadata
from livewell.study.naming import fits_several, found_otherwise
from livewell.tables.faults import listed
from livewell.text import plural

_Lines = dict[int, dict[str, str | None]]
"""Cells of a table by line and column; ``None`` where one is empty."""


def join_metadata(
    fields: pd.DataFrame,
    metadata: Metadata,
    where: str = "",
    *,
    drop: bool = False,
    notes: list[str] | None = None,
) -> pd.DataFrame:
    """The fields table with the columns of a metadata table, which fill what was empty.

    The table has a column ``image`` or ``file`` (full relative path or bare name), or a column
    ``well``, or ``row`` and ``column`` of wells (and ``plate`` where there are several). With
    `drop`, files that have no row are left out, and rows that no file belongs to, such as wells
    that were not imaged; at least one file must have a row. All faults are refused at once: row
    without file, file without row, duplicate rows, a name that fits several files, no well, text
    where a number belongs, a value that contradicts `fields`. How names were found is added to
    `notes`.
    """
    where = where or metadata.source
    table = metadata.table
    faults = number_faults(table)
    notes = [] if notes is None else notes
    table = _with_wells(table, faults, notes)
    lines = cast("_Lines", table.astype(object).where(table.notna(), None).to_dict("index"))
    file_column = next((name for name in FILE_COLUMNS if name in table), None)
    if file_column is not None:
        used = [file_column]
        rows = _by_file(fields, lines, file_column, faults, notes)
    elif "well" in table and "well" in fields:
        used = ["plate", "well"] if "plate" in table and "plate" in fields else ["well"]
        rows = _by_well(fields, lines, used, faults)
    else:
        raise LayoutError(
            "nothing to join the table by",
            where=where,
            expected="a column 'image' or 'file', or a column 'well' with the wells also known "
            "from the file names",
            got=listed(table.columns, 20),
        )
    unmatched = _unmatched(fields, lines, rows, used, faults)
    if not drop or not any(line is not None for line in rows):
        faults += unmatched
    else:
        left = [fault for fault in unmatched if fault.code == "row-without-file"]
        if left:
            rest = f"{plural(len(left), 'row')} of the table without a file left out"
            notes.append(f"{rest}, such as {left[0].where}: {left[0].message}")
    if faults:
        raise _refusal(faults, where)
    found = table.drop(columns=used).reindex(rows).reset_index(drop=True)
    before = fields.reset_index(drop=True)
    new = {
        name: _filled(before, str(name), typed(found[name], str(name)), faults) for name in found
    }
    if faults:
        raise _refusal(faults, where)
    old = before.drop(columns=[name for name in new if name in before])
    joined = pd.concat([old, pd.DataFrame(new, index=before.index)], axis=1)
    # columns that were there keep their place
    joined = joined[[*before.columns, *(name for name in new if name not in before)]]
    return joined[[line is not None for line in rows]].reset_index(drop=True)


def _refusal(faults: list[Fault], where: str) -> TableError:
    return TableError(
        "the table and the files do not fit",
        faults,
        where=where,
        remedy="correct the table (or the pattern that chose the files) and index again",
    )


def _with_wells(table: pd.DataFrame, faults: list[Fault], notes: list[str]) -> pd.DataFrame:
    """`table` with wells written canonically (b7 -> B07), also where it has a row and a column.

    Rows and columns of a table by file may be those of tiles: then all of them must make wells.
    """
    by_name = {str(name).casefold(): name for name in table}
    said: list[tuple[str, ...]]
    if "well" in table:
        said = [(name,) for name in table["well"]]
    elif "row" in by_name and "column" in by_name:
        said = list(zip(table[by_name["row"]], table[by_name["column"]], strict=True))
        if not table.columns.intersection(list(FILE_COLUMNS)).empty and not all(
            map(_is_well, said)
        ):
            return table
        notes.append("wells are made of the columns row and column of the table")
    else:
        return table
    wells: list[str | None] = []
    for line, parts in zip(table.index, said, strict=True):
        wells.append(None)
        if pd.isna(list(parts)).any():
            continue
        try:
            wells[-1] = str(Well.parse(*parts) if len(parts) == 1 else Well.of(*parts))
        except GeometryError:
            text = f"{' '.join(parts)!r} is no well such as B07"
            faults.append(Fault("not-a-well", f"line {line}", text))
    return table.assign(well=pd.Series(wells, index=table.index, dtype="str"))


def _is_well(parts: tuple[str, ...]) -> bool:
    try:
        return bool(Well.of(*parts))
    except (GeometryError, TypeError):  # an empty cell is no text
        return False


def _unmatched(
    fields: pd.DataFrame,
    lines: _Lines,
    rows: list[int | None],
    used: list[str],
    known: list[Fault],
) -> list[Fault]:
    """Faults of files without a row, and of rows without a file that no known fault is about."""
    found = [
        Fault("file-without-row", image, "no row of the table is its own")
        for image, line in zip(fields["image"], rows, strict=True)
        if line is None
    ]
    blamed, taken = {fault.where for fault in known}, set(rows)
    for line, cells in lines.items():
        if line not in taken and f"line {line}" not in blamed:
            named = ", ".join(f"{name} {cells[name]!r}" for name in reversed(used))
            found.append(Fault("row-without-file", f"line {line}", f"no file fits {named}"))
    return found


def _by_file(
    fields: pd.DataFrame, lines: _Lines, column: str, faults: list[Fault], notes: list[str]
) -> list[int | None]:
    """Line of the table for every file; tiles without one have that of their image."""
    images = [str(image) for image in fields["image"]]
    number = {image: i for i, image in enumerate(images)}
    finder = Finder(images)
    rows: list[int | None] = [None] * len(fields)
    how: dict[str, list[str]] = {}
    for line, cells in lines.items():
        at, name = f"line {line}", cells[column]
        if name is None:
            faults.append(Fault("empty-value", at, f"no file is named under {column!r}"))
            continue
        fits, note = finder.find(name)
        places = [number[image] for image in fits]
        how.setdefault(note, []).append(name)
        if len(fits) > 1:
            faults.append(Fault("ambiguous-file", at, f"{name!r} {fits_several(fits)}"))
            # these files have their row in mind; do not blame them too
            for i in places:
                rows[i] = line if rows[i] is None else rows[i]
        elif fits and rows[places[0]] is not None:
            message = f"{name!r} is {fits[0]}, which stands in line {rows[places[0]]}"
            faults.append(Fault("duplicate-row", at, message))
        elif fits:
            rows[places[0]] = line
    notes += found_otherwise(how)
    pictures = [picture_of(image) for image in images]
    of_pictures = _rows_of(set(pictures) - set(images), lines, column)
    of_pictures |= {images[i]: line for i, line in enumerate(rows) if line is not None}
    found = [
        of_pictures.get(picture) if line is None else line
        for picture, line in zip(pictures, rows, strict=True)
    ]
    if tiles := sum(map(ne, found, rows)):
        notes.append(f"{plural(tiles, 'tile')} took the table's row of their image")
    return found


def _rows_of(names: Collection[str], lines: _Lines, column: str) -> dict[str, int]:
    """Line of the table for names that are no files, where one line alone means each."""
    finder, found = Finder(names), dict[str, int]()
    for line, cells in lines.items():
        fits = finder.find(cells[column] or "")[0]
        found |= dict.fromkeys(fits if len(fits) == 1 else (), line)
    return found


def _by_well(
    fields: pd.DataFrame, lines: _Lines, used: Sequence[str], faults: list[Fault]
) -> list[int | None]:
    """Line of the table for every file, by its well (and plate)."""
    plates = list(fields["plate"].dropna().unique()) if "plate" in fields else []
    if len(plates) > 1 and "plate" not in used:
        named = listed(plates, 3)
        message = f"the files are of {len(plates)} plates ({named}) and the table names none"
        faults.append(Fault("missing-column", "plate", message))
    found: dict[tuple[str | None, ...], int] = {}
    blamed = {fault.where for fault in faults}
    for line, cells in lines.items():
        key = tuple(cells[name] for name in used)
        empty = [name for name in used if cells[name] is None]
        if empty:
            if f"line {line}" not in blamed:
                message = f"no {' and no '.join(empty)} is named"
                faults.append(Fault("empty-value", f"line {line}", message))
        elif key in found:
            several = "; if it is of several plates, name these in the table and in the pattern"
            more = "" if "plate" in used else several
            message = f"{' '.join(map(str, key))} stands in line {found[key]}{more}"
            faults.append(Fault("duplicate-row", f"line {line}", message))
        else:
            found[key] = line
    keys = zip(*([str(value) for value in fields[name]] for name in used), strict=True)
    return [found.get(key) for key in keys]


def _filled(fields: pd.DataFrame, name: str, said: pd.Series, faults: list[Fault]) -> pd.Series:
    """A column of `fields`, filled from the table where it is empty."""
    if name not in fields:
        return said
    before = fields[name]
    both = before.notna() & said.notna()
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(said):
        differs = both & (before != said)
    else:
        differs = both & (before.astype("str") != said.astype("str"))
    faults += [
        Fault(
            "contradiction",
            f"{fields['image'].iloc[i]}, {name}",
            f"{said.iloc[i]!r} in the table, {before.iloc[i]!r} by file names or files",
        )
        for i in fields.index[differs]
    ]
    return before.where(before.notna(), said)
