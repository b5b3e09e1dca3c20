"""What is known about the images beside their names: a table by file or by well."""

from pathlib import PurePosixPath
from typing import cast

import pandas as pd

from livewell.errors import Fault, GeometryError, LayoutError, TableError
from livewell.plate import Well
from livewell.study.metadata import FILE_COLUMNS, KINDS, PLAIN_NUMBER, Metadata
from livewell.tables.schemas import NOUNS, misfits

_Lines = dict[int, dict[str, str | None]]
"""Cells of a table by line and column; ``None`` where one is empty."""


def join_metadata(
    fields: pd.DataFrame, metadata: Metadata, where: str = "", *, drop: bool = False
) -> pd.DataFrame:
    """The fields table with the columns of a metadata table, which fill what was empty.

    The table has a column ``image`` or ``file`` (full relative path or bare name), or a column
    ``well`` (and ``plate`` where there are several). With `drop`, files that have no row are left
    out, and rows that no file belongs to, such as wells that were not imaged; at least one file
    must have a row. All faults are refused at once: row without file, file without row, duplicate
    rows, a name that fits several files, no well, text where a number belongs, a value that
    contradicts `fields`.
    """
    where = where or metadata.source
    table = metadata.table
    lines = cast("_Lines", table.astype(object).where(table.notna(), None).to_dict("index"))
    faults = _number_faults(table)
    file_column = next((name for name in FILE_COLUMNS if name in table), None)
    if file_column is not None:
        used = [file_column]
        rows = _by_file(fields, lines, file_column, faults)
        for line, cells in lines.items():
            if cells.get("well") is not None:
                cells["well"] = _well(cells["well"], line, faults)
    elif "well" in table and "well" in fields:
        used = ["plate", "well"] if "plate" in table and "plate" in fields else ["well"]
        rows = _by_well(fields, lines, used, faults)
    else:
        raise LayoutError(
            "nothing to join the table by",
            where=where,
            expected="a column 'image' or 'file', or a column 'well' with the wells also known "
            "from the file names",
            got=", ".join(str(name) for name in table),
        )
    if not drop or not any(line is not None for line in rows):
        faults += _unmatched(fields, lines, rows, used, faults)
    joined = fields.reset_index(drop=True).copy()
    for name in table.columns.drop(used):
        texts = [None if line is None else lines[line][name] for line in rows]
        joined[name] = _filled(joined, name, _typed(pd.Series(texts, dtype="str"), name), faults)
    if faults:
        raise TableError(
            "the table and the files do not fit",
            faults,
            where=where,
            remedy="correct the table (or the pattern that chose the files) and index again",
        )
    return joined[[line is not None for line in rows]].reset_index(drop=True)


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


def _number_faults(table: pd.DataFrame) -> list[Fault]:
    found = []
    for name in table:
        kind = KINDS.get(str(name), "text")
        found += [
            Fault("wrong-type", f"line {line}, {name}", f"{value!r} is not {NOUNS[kind]}")
            for line, value in misfits(table[name], kind).items()
        ]
    return found


def _by_file(
    fields: pd.DataFrame, lines: _Lines, column: str, faults: list[Fault]
) -> list[int | None]:
    """Line of the table for every file."""
    by_path = {str(image): i for i, image in enumerate(fields["image"])}
    by_base: dict[str, list[int]] = {}
    for image, i in by_path.items():
        by_base.setdefault(PurePosixPath(image).name, []).append(i)
    rows: list[int | None] = [None] * len(fields)
    for line, cells in lines.items():
        at, name = f"line {line}", cells[column]
        if name is None:
            faults.append(Fault("empty-value", at, f"no file is named under {column!r}"))
            continue
        wanted = name if name in by_path else name.replace("\\", "/").removeprefix("./")
        fits = [by_path[wanted]] if wanted in by_path else by_base.get(wanted, [])
        if len(fits) > 1:
            listed = ", ".join(str(fields["image"].iloc[i]) for i in fits[:3])
            message = f"{name!r} fits {len(fits)} files ({listed} ...); write the whole path"
            faults.append(Fault("ambiguous-file", at, message))
            # these files have their row in mind; do not blame them too
            for i in fits:
                rows[i] = line if rows[i] is None else rows[i]
        elif fits and rows[fits[0]] is not None:
            faults.append(Fault("duplicate-row", at, f"{name!r} stands in line {rows[fits[0]]}"))
        elif fits:
            rows[fits[0]] = line
    return rows


def _by_well(
    fields: pd.DataFrame, lines: _Lines, used: list[str], faults: list[Fault]
) -> list[int | None]:
    """Line of the table for every file, by its well (and plate)."""
    plates = list(fields["plate"].dropna().unique()) if "plate" in fields else []
    if len(plates) > 1 and "plate" not in used:
        listed = ", ".join(str(plate) for plate in plates[:3])
        message = f"the files are of {len(plates)} plates ({listed} ...) and the table names none"
        faults.append(Fault("missing-column", "plate", message))
    found: dict[tuple[str, ...], int] = {}
    for line, cells in lines.items():
        well = _well(cells["well"], line, faults)
        if well is None:
            continue
        key = (*(str(cells[name]) for name in used[:-1]), well)
        if key in found:
            message = f"{' '.join(key)} stands in line {found[key]}"
            faults.append(Fault("duplicate-row", f"line {line}", message))
        else:
            found[key] = line
    keys = zip(*([str(value) for value in fields[name]] for name in used), strict=True)
    return [found.get(key) for key in keys]


def _well(name: str | None, line: int, faults: list[Fault]) -> str | None:
    """A well written canonically (b7 -> B07)."""
    try:
        return str(Well.parse(str(name)))
    except GeometryError:
        faults.append(Fault("not-a-well", f"line {line}", f"{name!r} is no well such as B07"))
        return None


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
            f"{said.iloc[i]!r} in the table, {before.iloc[i]!r} from the file name",
        )
        for i in fields.index[differs]
    ]
    return before.where(before.notna(), said)


def _typed(values: "pd.Series[str]", name: str) -> pd.Series:
    """Numbers where livewell's table holds numbers, or where an unknown column has nothing else."""
    kind = KINDS.get(name)
    there = values.dropna()
    if kind is None and len(there) and there.str.fullmatch(PLAIN_NUMBER).all():
        kind = "number"
    if kind in ("number", "integer"):
        numbers = pd.to_numeric(values, errors="coerce")
        whole = numbers.dropna() % 1 == 0
        return numbers.astype("Int64" if kind == "integer" and whole.all() else "float64")
    return values
