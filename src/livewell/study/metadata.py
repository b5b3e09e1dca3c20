"""Reading a table that a user wrote, whatever program saved it: the one place that does."""

import csv
import io
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import Fault, LayoutError, TableError
from livewell.names import AnyPath
from livewell.study.cells import KINDS, decimal_points, tidy
from livewell.study.decoding import read_text
from livewell.tables.faults import listed
from livewell.text import plural

FILE_COLUMNS = (
    *("image", "file", "filename", "file_name", "path"),
    *("image_name", "filepath", "file_path"),
)
"""Headings under which a file is named."""
_KNOWN = {*KINDS, *FILE_COLUMNS, "row", "column", "x", "y", "t", "state", "label", "sequence"}
_NAMING = {*FILE_COLUMNS, "well", "row", "sequence"}
"""Headings of what rows are about: a line without one is no heading, whatever else it holds."""
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAID = re.compile(r'"?sep=(.)"?[,;\t| ]*', re.IGNORECASE)
"""The first line with which spreadsheet programs are told the separator."""
_NOTHING = {"NA", "N/A", "NaN", "nan", "NULL", "null", "None"}
PREFACE = 50
"""Most lines that are looked at for the heading."""
_ERRORS = {"#N/A", "#NAME?", "#VALUE!", "#REF!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!"}

_Row = tuple[int, list[str]]
"""Number of a row in the file, from 1, and its cells."""


@dataclass(frozen=True)
class Metadata:
    """A metadata table as read from a CSV: text everywhere, empty cells missing, rows by line.

    Notes say how it was read: encoding, separator, lines before the heading, decimal commas.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]
    source: str


def read_metadata(path: AnyPath) -> Metadata:
    """Read a table of text of any usual separator and encoding, and say which these were.

    A line ``sep=;``, comments (``#``) and titles may stand before the heading. Cells come as they
    are written, without spaces around. A comma between digits is taken for a decimal point in
    columns that hold nothing but numbers (`livewell.study.cells.decimal_points`). What was decided
    is in the notes.

    Raises
    ------
    LayoutError
        No file of text, or no rows.
    TableError
        Columns of one name or without any, rows of more cells than the heading, errors of a
        spreadsheet in cells, quotes that do not close.
    """
    path = Path(path)
    text, encoding = read_text(path)
    rows, separator = _rows(text, str(path))
    at = _heading_at(rows)
    if len(rows) < at + 2:
        raise LayoutError(
            "a metadata table without rows",
            where=str(path),
            expected="a line of column names and a line for every file or well",
            remedy="export the table as CSV with its heading",
        )
    heading = [_heading(cell) for cell in rows[at][1]]
    while heading and not heading[-1]:
        heading.pop()
    body = rows[at + 1 :]
    faults = _faults(heading, body)
    if faults:
        raise TableError(
            "not a readable table",
            faults,
            where=str(path),
            remedy="correct these lines of the table; a cell with a separator needs quotes",
        )
    padding = [""] * len(heading)
    cells = [[cell or None for cell in (row + padding)[: len(heading)]] for _, row in body]
    table = pd.DataFrame(cells, [number for number, _ in body], heading, dtype="str")
    notes = [f"read as {encoding}, cells separated by {_SEPARATORS[separator]}"]
    if at:
        skipped = rows[0][1][0]
        notes.append(f"{plural(at, 'line')} before the heading left out, such as {skipped!r}")
    if "" in table:
        if table[""].notna().any():
            notes.append("a column without a name that counts the rows is left out")
        table = table.drop(columns="")
    table, commas, faults = decimal_points(table)
    if faults:
        raise TableError("not a readable table", faults, where=str(path))
    return Metadata(table, (*notes, *_doubtful(table), *commas), str(path))


def _doubtful(table: pd.DataFrame) -> list[str]:
    """Notes on cells that other programs write for nothing, and on columns with some empty ones."""
    found = []
    for name in table:
        words = sorted(set(table[name].dropna()) & _NOTHING)
        if words:
            found.append(f"{listed(words)} in {name} is text here, not an empty cell")
    counts = {str(name): int(table[name].isna().sum()) for name in table}
    some = [f"{name} {count}" for name, count in counts.items() if 0 < count < len(table)]
    if some:
        found.append(f"of {plural(len(table), 'row')} some cells are empty: {listed(some)}")
    return found


def _rows(text: str, where: str) -> tuple[list[_Row], str]:
    """Rows with a filled cell, without the line that says the separator, and the separator."""
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    said = _SAID.fullmatch(re.split(r"[\r\n]", text, maxsplit=1)[0].strip("\ufeff "))
    if said and said[1] in _SEPARATORS:
        return _parsed(text, said[1], where)[1:], said[1]
    best = max(_SEPARATORS, key=lambda separator: _fit(text, separator))
    return _parsed(text, best, where), best


def _fit(text: str, separator: str) -> tuple[int, int]:
    """How well a separator fits the heading: known names of columns, and their number."""
    lines = itertools.islice(io.StringIO(text, newline=""), PREFACE)
    try:
        rows = _tidied(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return 0, 0
    heading = rows[_heading_at(rows)][1] if rows else []
    return _known(heading), len(heading)


def _parsed(text: str, separator: str, where: str) -> list[_Row]:
    try:
        lines = io.StringIO(text, newline="")
        return _tidied(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        raise TableError(
            "not a readable table",
            [Fault("quotes", "the whole table", str(error))],
            where=where,
            remedy="look for a quote that is never closed, or stands inside a quoted cell alone",
        ) from error


def _tidied(rows: Iterable[list[str]]) -> list[_Row]:
    """Rows with a filled cell."""
    tidied = ((i, [tidy(cell) for cell in row]) for i, row in enumerate(rows, 1))
    return [(i, row) for i, row in tidied if any(row)]


def _heading_at(rows: list[_Row]) -> int:
    """Number of the row with the names of the columns; before it are comments and titles."""
    first = 0
    while first < len(rows) and _comment(rows[first][1]):
        first += 1
    if first == len(rows):
        return 0
    most = 0
    for place, (_, cells) in enumerate(rows[first : first + PREFACE], first):
        names = not _NAMING.isdisjoint(map(_plain, cells))
        if names and (place == first or (_known(cells) > 1 and _filled(cells) >= most)):
            return place
        most = max(most, _filled(cells))
    return first


def _comment(row: list[str]) -> bool:
    return row[0].startswith("#") and _known([row[0].lstrip("# "), *row[1:]]) < 2


def _filled(row: list[str]) -> int:
    return sum(map(bool, row))


def _known(row: list[str]) -> int:
    return sum(_plain(cell) in _KNOWN for cell in row)


def _plain(cell: str) -> str:
    return unicodedata.normalize("NFC", cell).lower().lstrip("# ").replace(" ", "_")


def _heading(cell: str) -> str:
    """A column's name; names that livewell knows are recognised whatever their letter case."""
    plain = _plain(cell)
    return plain if plain in KINDS or plain in FILE_COLUMNS else unicodedata.normalize("NFC", cell)


def _faults(heading: list[str], body: list[_Row]) -> list[Fault]:
    width = len(heading)
    found = [
        Fault("duplicate-column", name, "two columns have this name")
        for name, count in Counter(heading).items()
        if name and count > 1
    ]
    for place in [i for i, name in enumerate(heading) if not name]:
        cells = [row[place] if place < len(row) else "" for _, row in body]
        counted = [[str(i + start) for i in range(len(body))] for start in (0, 1)]
        if any(cells) and cells not in counted:
            text = f"column {place + 1} has no name and holds {listed(filter(None, cells), 3)}"
            found.append(Fault("missing-heading", f"column {place + 1}", text))
    if len(body) > 1 and all(len(row) == width + 1 and row[width] for _, row in body):
        text = "every line has one cell more than the heading, as R writes names of rows"
        found.append(Fault("row-names", "the heading", f"{text}: write with row.names = FALSE"))
        width += 1
    for i, row in body:
        if any(row[width:]):
            found.append(Fault("long-row", f"line {i}", "more cells than the heading has"))
        wrong = sorted(_ERRORS.intersection(row))
        if wrong:
            text = f"{listed(wrong)} is an error of a spreadsheet, no value; empty the cell"
            found.append(Fault("spreadsheet-error", f"line {i}", text))
    return found
