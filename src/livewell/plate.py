"""Plates, wells and what was done to them."""

import re
from dataclasses import dataclass

from livewell.errors import GeometryError

_WELL = re.compile(r"^\s*([A-Za-z]{1,2})\s*0*([1-9][0-9]?)\s*$")


@dataclass(frozen=True, slots=True, order=True)
class Well:
    """A well by row and column, counted from 0: ``B07`` is (1, 6)."""

    row: int
    column: int

    @classmethod
    def parse(cls, name: str) -> "Well":
        """Read ``B07``, ``b7`` or ``AF48``; a `GeometryError` beyond a plate of 32 x 48 wells."""
        match = _WELL.match(name)
        if match:
            letters, digits = match[1].upper(), int(match[2])
            row = ord(letters[-1]) - ord("A") + (26 if len(letters) == 2 else 0)
            if (len(letters) == 1 or letters[0] == "A") and row < 32 and digits <= 48:
                return cls(row, digits - 1)
        raise GeometryError(
            "not the name of a well",
            expected="a row A-AF and a column 1-48, such as B07",
            got=repr(name),
        )

    def __str__(self) -> str:
        letters = chr(ord("A") + self.row) if self.row < 26 else "A" + chr(ord("A") + self.row - 26)
        return f"{letters}{self.column + 1:02d}"


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
