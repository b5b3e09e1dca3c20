"""Plates, wells and what was done to them."""

import re
from dataclasses import dataclass

from livewell.errors import GeometryError

_BETWEEN = r"[\s_:\-\u2010-\u2015]*"
_COUNT = rf"{_BETWEEN}0*([1-9][0-9]?)"
_WELL = re.compile(rf"\s*([A-Za-z]{{1,2}}){_COUNT}\s*")
_NUMBERED = re.compile(rf"\s*[Rr]{_COUNT}{_BETWEEN}[Cc]{_COUNT}\s*")
_ROW = re.compile(r"\s*(?:([A-Za-z]{1,2})|0*([1-9][0-9]?)(?:\.0)?)\s*")
_COLUMN = re.compile(r"\s*0*([1-9][0-9]?)(?:\.0)?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Well:
    """A well by row and column, counted from 0: ``B07`` is (1, 6)."""

    row: int
    column: int

    @classmethod
    def parse(cls, name: str) -> "Well":
        """Read ``B07``, ``b7``, ``B - 07``, ``B_07``, ``r02c07`` or ``AF48``.

        A `GeometryError` beyond a plate of 32 x 48 wells.
        """
        match = _WELL.fullmatch(name) or _NUMBERED.fullmatch(name)
        return _checked(match and _at(match[1], match[2]), name)

    @classmethod
    def of(cls, row: str, column: str) -> "Well":
        """The well of a row (``B``, or ``2``, from 1) and a column (from 1); errors as `parse`."""
        return _checked(_at(row, column), f"{row}, {column}")

    def __str__(self) -> str:
        letters = chr(ord("A") + self.row) if self.row < 26 else "A" + chr(ord("A") + self.row - 26)
        return f"{letters}{self.column + 1:02d}"


def _at(row: str, column: str) -> Well | None:
    rows, columns = _ROW.fullmatch(row), _COLUMN.fullmatch(column)
    if rows is None or columns is None:
        return None
    letters = (rows[1] or "").upper()
    if letters:
        number = ord(letters[-1]) - ord("A") + (26 if letters[:-1] == "A" else 0)
    else:
        number = int(rows[2]) - 1
    known = letters[:-1] in ("", "A") and number < 32 and int(columns[1]) <= 48
    return Well(number, int(columns[1]) - 1) if known else None


def _checked(well: Well | None, name: str) -> Well:
    if well is None:
        raise GeometryError(
            "not the name of a well",
            expected="a row A-AF and a column 1-48, such as B07",
            got=repr(name),
        )
    return well


@dataclass(frozen=True, slots=True)
class Plate:
    """A plate's format: its rows and columns of wells."""

    rows: int
    columns: int

    def wells(self) -> list[Well]:
        """Every well, row by row."""
        return [Well(row, column) for row in range(self.rows) for column in range(self.columns)]

    def __contains__(self, well: Well) -> bool:
        return 0 <= well.row < self.rows and 0 <= well.column < self.columns


_SIDES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
PLATES = {rows * columns: Plate(rows, columns) for rows, columns in _SIDES}
"""The usual plates by their number of wells (ANSI/SLAS formats)."""
