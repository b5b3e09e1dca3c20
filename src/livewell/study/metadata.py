"""Reading a metadata CSV, whatever program wrote it."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import Fault, LayoutError, TableError
from livewell.regular import regular
from livewell.tables.schemas import FIELDS

FILE_COLUMNS = ("image", "file", "filename", "file_name", "path")
"""Headings under which a file is named."""
KINDS = FIELDS.kinds
"""What livewell's own columns hold: text, integer or number."""
PLAIN_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|[+-]?0?\.\d+")
"""A number without leading zeros, which would make it a name (007)."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Metadata:
    """A metadata table as read from a CSV: text everywhere, empty cells missing, rows by line.

    Notes say how it was read: encoding, separator, decimal commas.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    source: str


def read_metadata(path: Path | str) -> Metadata:
    """Read a CSV of any usual kind: commas, semicolons or tabs; UTF-8, UTF-16 or Windows-1252.

    With semicolons or tabs, a comma between digits is taken for a decimal point in columns that
    hold nothing else; what was decided is in the notes.
    """
    path = Path(path)
    text, encoding = _decode(path)
    separator = _separator(text)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        remedy = "look for a quote that is never closed"
        what = "cannot be read as a table"
        raise LayoutError(what, where=str(path), got=str(error), remedy=remedy) from error
    named = {",": "commas", ";": "semicolons", "\t": "tabs"}[separator]
    filled = [(i, row) for i, row in enumerate(lines, 1) if any(cell.strip() for cell in row)]
    if len(filled) < 2:
        raise LayoutError(
            "a metadata table without rows",
            where=str(path),
            expected="a line of column names and a line for every file or well",
            remedy="export the table as CSV with its heading",
        )
    heading = [_heading(cell) for cell in filled[0][1]]
    while heading and not heading[-1]:
        heading.pop()
    faults = [
        Fault("duplicate-column", name or "(no name)", "two columns have this name")
        for name in dict.fromkeys(heading)
        if heading.count(name) > 1
    ]
    for i, row in filled[1:]:
        if any(cell.strip() for cell in row[len(heading) :]):
            faults.append(Fault("long-row", f"line {i}", "more cells than the heading has"))
    if faults:
        raise TableError(
            "not a readable table",
            faults,
            where=str(path),
            remedy="correct these lines of the table; a cell with a separator needs quotes",
        )
    cells = [
        [cell.strip() or None for cell in (row + [""] * len(heading))[: len(heading)]]
        for _, row in filled[1:]
    ]
    table = pd.DataFrame(cells, columns=heading, index=[i for i, _ in filled[1:]], dtype="str")
    notes = [f"read as {encoding}, cells separated by {named}"]
    if separator != ",":
        for name in table:
            values = table[name].dropna()
            commas = values.str.fullmatch(_DECIMAL_COMMA)
            plain = values.str.fullmatch(PLAIN_NUMBER)
            number = KINDS.get(str(name), "text") != "text"
            if commas.any() and (number or (commas | plain).all()):
                pointed = table[name].str.replace(",", ".", regex=False)
                table[name] = table[name].where(~table[name].isin(values[commas]), pointed)
                notes.append(f"decimal commas in {name} read as points")
    return Metadata(table, tuple(notes), str(path))


def _decode(path: Path) -> tuple[str, str]:
    try:
        data = regular(path).read_bytes()
    except OSError as error:
        raise LayoutError(
            "cannot be read", where=str(path), got=str(error.strerror), remedy="check the path"
        ) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), "UTF-16"
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "Windows-1252 (it is not UTF-8)"


def _separator(text: str) -> str:
    """The separator that the heading holds most often outside quotes."""
    heading = re.sub(r'"[^"]*"', "", next(iter(text.strip().splitlines()), ""))
    return max(",;\t", key=heading.count)


def _heading(cell: str) -> str:
    """A column's name; names that livewell knows are recognised whatever their letter case."""
    name = cell.strip()
    plain = name.lower().replace(" ", "_")
    return plain if plain in KINDS or plain in FILE_COLUMNS else name
