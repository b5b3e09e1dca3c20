"""What is known about the images beside their names: a table by file or by well."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from livewell.errors import Fault, GeometryError, LayoutError, TableError
from livewell.plate import Well
from livewell.study.metadata import FILE_COLUMNS, KINDS, PLAIN_NUMBER, Metadata
from livewell.tables.schemas import NOUNS, misfits

_LINE = "line"


def join_metadata(
    fields: pd.DataFrame, metadata: Metadata, where: str = "", *, drop: bool = False
) -> pd.DataFrame:
    """The fields table with the columns of a metadata table, which fill what was empty.

    Parameters
    ----------
    metadata
        With a column ``image`` or ``file`` (full relative path or bare name), or a column
        ``well`` (and ``plate`` where there are several).
    drop
        Leave out files that have no row, and rows that no file belongs to, such as wells that
        were not imaged; at least one file must have a row.

    Raises
    ------
    TableError
        Holding every fault: row without file, file without row, duplicate rows, a name that fits
        several files, no well, text where a number belongs, a value that contradicts `fields`.
    LayoutError
        Neither a column for files nor one for wells.
    """
    where = where or metadata.source
    table = metadata.table
    faults = _number_faults(table)
    file_column = next((name for name in FILE_COLUMNS if name in table), None)
    if file_column is not None:
        used = [file_column]
        rows = _by_file(fields, table[file_column], faults)
        table = _canonical_wells(table, faults)
    elif "well" in table and "well" in fields:
        used = ["well", "plate"] if "plate" in table and "plate" in fields else ["well"]
        rows = _by_well(fields, table, faults)
    else:
        raise LayoutError(
            "nothing to join the table by",
            where=where,
            expected="a column 'image' or 'file', or a column 'well' with the wells also known "
            "from the file names",
            got=", ".join(str(name) for name in table),
        )
    if not drop or not any(line is not None for line in rows):
        faults += _unmatched(fields, table, rows, _keys(table, used), faults)
    joined = _joined(fields, table.drop(columns=used), rows, faults)
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
    table: pd.DataFrame,
    rows: list[int | None],
    keys: dict[int, str],
    known: list[Fault],
) -> list[Fault]:
    """Faults of files without a row, and of rows without a file that no known fault is about."""
    found = [
        Fault("file-without-row", image, "no row of the table is its own")
        for image, line in zip(fields["image"], rows, strict=True)
        if line is None
    ]
    taken, blamed = set(rows), {fault.where for fault in known}
    return found + [
        Fault("row-without-file", f"{_LINE} {line}", f"no file fits {keys[line]}")
        for line in table.index
        if line not in taken and f"{_LINE} {line}" not in blamed
    ]


def _number_faults(table: pd.DataFrame) -> list[Fault]:
    found = []
    for name in table:
        kind = KINDS.get(str(name), "text")
        found += [
            Fault("wrong-type", f"{_LINE} {line}, {name}", f"{value!r} is not {NOUNS[kind]}")
            for line, value in misfits(table[name], kind).items()
        ]
    return found


def _by_file(
    fields: pd.DataFrame, names: "pd.Series[str]", faults: list[Fault]
) -> list[int | None]:
    """Line of the table for every file."""
    by_path = {str(image): i for i, image in enumerate(fields["image"])}
    by_base: dict[str, list[int]] = {}
    for image, i in by_path.items():
        by_base.setdefault(PurePosixPath(image).name, []).append(i)
    rows: list[int | None] = [None] * len(fields)
    for line, name in _cells(names):
        at = f"{_LINE} {line}"
        if name is None:
            faults.append(Fault("empty-value", at, f"no file is named under {names.name!r}"))
            continue
        wanted = name.replace("\\", "/").removeprefix("./")
        fits = [by_path[wanted]] if wanted in by_path else by_base.get(wanted, [])
        if len(fits) > 1:
            listed = ", ".join(str(fields["image"].iloc[i]) for i in fits[:3])
            message = f"{name!r} fits {len(fits)} files ({listed} ...); write the whole path"
            faults.append(Fault("ambiguous-file", at, message))
            # these files have their row in mind; do not blame them too
            for i in fits:
                rows[i] = line if rows[i] is None else rows[i]
        elif fits and rows[fits[0]] is not None:
            faults.append(Fault("duplicate-row", at, f"{name!r} stands in {_LINE} {rows[fits[0]]}"))
        elif fits:
            rows[fits[0]] = line
    return rows


def _by_well(fields: pd.DataFrame, table: pd.DataFrame, faults: list[Fault]) -> list[int | None]:
    """Line of the table for every file, by its well (and plate)."""
    plates = list(fields["plate"].dropna().unique()) if "plate" in fields else []
    by_plate = "plate" in table and "plate" in fields
    if len(plates) > 1 and not by_plate:
        listed = ", ".join(str(plate) for plate in plates[:3])
        message = f"the files are of {len(plates)} plates ({listed} ...) and the table names none"
        faults.append(Fault("missing-column", "plate", message))
    lines: dict[tuple[str, ...], int] = {}
    plate_of = dict(_cells(table["plate"])) if by_plate else {}
    for line, name in _cells(table["well"]):
        at = f"{_LINE} {line}"
        well = _well(name, at, faults)
        if well is None:
            continue
        key = (str(plate_of[line]), well) if by_plate else (well,)
        if key in lines:
            faults.append(
                Fault("duplicate-row", at, f"{' '.join(key)} stands in {_LINE} {lines[key]}")
            )
        else:
            lines[key] = line
    return [lines.get(key) for key in _well_keys(fields, by_plate)]


def _canonical_wells(table: pd.DataFrame, faults: list[Fault]) -> pd.DataFrame:
    """The table with its wells written canonically (b7 -> B07); empty ones stay empty."""
    if "well" not in table:
        return table
    wells = [
        None if name is None else _well(name, f"{_LINE} {line}", faults)
        for line, name in _cells(table["well"])
    ]
    return table.assign(well=pd.Series(wells, index=table.index, dtype="str"))


def _well(value: object, at: str, faults: list[Fault]) -> str | None:
    try:
        return str(Well.parse(str(value)))
    except GeometryError:
        faults.append(Fault("not-a-well", at, f"{value!r} is no well such as B07"))
        return None


def _well_keys(fields: pd.DataFrame, by_plate: bool) -> Iterator[tuple[str, ...]]:
    for i in range(len(fields)):
        well = str(fields["well"].iloc[i])
        yield (str(fields["plate"].iloc[i]), well) if by_plate else (well,)


def _cells(values: "pd.Series[str]") -> list[tuple[int, str | None]]:
    """Line number and text of every cell; ``None`` where it is empty."""
    texts = (None if pd.isna(value) else str(value) for value in values)
    return list(zip(values.index.tolist(), texts, strict=True))


def _keys(table: pd.DataFrame, used: list[str]) -> dict[int, str]:
    """What every line calls its file or well, for messages."""
    columns = [[f"{name} {cell!r}" for _, cell in _cells(table[name])] for name in used]
    named = [", ".join(cells) for cells in zip(*columns, strict=True)]
    return dict(zip(table.index.tolist(), named, strict=True))


def _joined(
    fields: pd.DataFrame,
    table: pd.DataFrame,
    rows: list[int | None],
    faults: list[Fault],
) -> pd.DataFrame:
    joined = fields.reset_index(drop=True).copy()
    for name in table:
        cells = dict(_cells(table[name]))
        values = pd.Series([None if line is None else cells[line] for line in rows], dtype="str")
        typed = _typed(values, str(name))
        if name not in joined:
            joined[name] = typed
            continue
        before = joined[name]
        differs = before.notna() & typed.notna() & (before.astype("str") != typed.astype("str"))
        if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(typed):
            differs = before.notna() & typed.notna() & (before != typed)
        faults += [
            Fault(
                "contradiction",
                f"{joined['image'].iloc[i]}, {name}",
                f"{typed.iloc[i]!r} in the table, {before.iloc[i]!r} from the file name",
            )
            for i in joined.index[differs]
        ]
        joined[name] = before.where(before.notna(), typed)
    return joined


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
