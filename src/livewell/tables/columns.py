"""What a table's columns hold, and the check that finds all faults of one at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_object_dtype, is_timedelta64_dtype

from livewell.errors import Fault, StudyError, TableError, missing_columns
from livewell.regular import regular
from livewell.text import few, several

Kind = Literal["text", "integer", "number"]
NOUNS: dict[Kind, str] = {"text": "text", "integer": "a whole number", "number": "a number"}


def read_table(path: Path) -> pd.DataFrame:
    """The table of a Parquet file, its sums checked, whatever its folder is called."""
    with regular(path).open("rb") as file:
        return pd.read_parquet(file, page_checksum_verification=True)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it holds, meaning and unit, and whether every row must have it.

    Numbers are `least` or more, text is `among` these, where these are given.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    least: int | None = None
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schema:
    """A table's columns and its key, which names one row; further columns are welcome and kept.

    Where there is no row at all, a table that is `never_empty` is refused.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    never_empty: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the known columns, in order."""
        return [column.name for column in self.columns]

    @property
    def kinds(self) -> dict[str, Kind]:
        """What the known columns hold, by name."""
        return {column.name: column.kind for column in self.columns}

    def read(self, path: Path) -> pd.DataFrame:
        """A checked table from a Parquet file; a `StudyError` where it is missing or no Parquet."""
        try:
            table = read_table(path)
        except Exception as error:  # whatever damaged bytes lead to
            raise StudyError(
                f"cannot be read as a table of {several(self.name)}",
                where=str(path),
                got=str(error)[:200],
                remedy="make it again",
            ) from error
        return self.check(table, where=str(path), remedy="make it again")

    def faults(self, table: pd.DataFrame) -> list[Fault]:
        """Every fault of `table`: missing and empty columns, wrong types, repeated keys."""
        nested = _nested(table)
        if nested:
            return nested
        required = {column.name: column.doc for column in self.columns if column.required}
        said = {name: f"{doc}; the table has no such column" for name, doc in required.items()}
        found = missing_columns(table, said)
        for column in self.columns:
            if column.name in table:
                found += _column_faults(table[column.name], column)
        if all(name in table for name in self.key):
            keys = pd.DataFrame({k: _comparable(table[k], self.kinds[k]) for k in self.key})
            twice = keys[keys.duplicated(keep=False)]
            for values, rows in twice.groupby(list(self.key), dropna=False, sort=False):
                named = ", ".join(f"{k}={v}" for k, v in zip(self.key, values, strict=True))
                where = f"rows {few(rows.index)}"
                found.append(Fault("duplicate-row", where, f"{named} stands twice"))
        if self.never_empty and table.empty and not found:
            found.append(Fault("no-rows", "the table", f"not one {self.name}"))
        return found

    def check(self, table: pd.DataFrame, *, where: str = "", remedy: str = "") -> pd.DataFrame:
        """`table` with known columns first and in their types; a `TableError` holds every fault."""
        found = self.faults(table)
        if found:
            raise TableError(
                f"not a table of {several(self.name)}", found, where=where, remedy=remedy
            )
        known = {c.name: typed(table[c.name], c.kind) for c in self.columns if c.name in table}
        rest = [name for name in table.columns if name not in known]
        return table[[*known, *rest]].assign(**known).reset_index(drop=True)


def typed(values: pd.Series, kind: Kind) -> pd.Series:
    """Values of a column in the type of its kind."""
    if kind == "text":
        return values.astype("str")
    # to_numeric first: astype alone stumbles over a column of numbers and their text
    return pd.to_numeric(values).astype("Int64" if kind == "integer" else "float64")


def _comparable(values: pd.Series, kind: Kind) -> pd.Series:
    """Key values as they will be once the table is checked: ``"01"`` and 1 are one number."""
    if kind == "text":
        return values.astype("str")
    if pd.api.types.is_numeric_dtype(values):
        return values
    numbers = pd.to_numeric(values, errors="coerce").astype(object)
    return numbers.where(numbers.notna(), values)


def _nested(table: pd.DataFrame) -> list[Fault]:
    """Faults of headings of several lines, and of columns whose cells are not single values."""
    if table.columns.nlevels > 1 or not table.columns.is_unique:
        return [Fault("headings", "the table", "one line of names is needed, each name once")]
    mixed = [name for name, kind in table.dtypes.items() if is_object_dtype(kind)]
    plain = {name: table[name].dropna() for name in mixed}
    return [
        Fault("nested", str(name), f"{kind.__name__}: a cell holds one value")
        for name, values in plain.items()
        for kind in dict.fromkeys(map(type, values))
        if not issubclass(kind, str) and hasattr(kind, "__len__")
    ]


def _column_faults(values: pd.Series, column: Column) -> list[Fault]:
    found = []
    if column.required and values.isna().any():
        rows = values.index[values.isna()]
        found.append(Fault("empty-value", f"{column.name}, rows {few(rows)}", column.doc))
    wrong = misfits(values, column.kind)
    if len(wrong):
        shown = ", ".join(repr(value) for value in wrong.unique()[:3])
        message = f"{shown} is not {NOUNS[column.kind]} ({column.doc})"
        found.append(Fault("wrong-type", f"{column.name}, rows {few(wrong.index)}", message))
    there = values.drop(wrong.index).dropna()
    odd = there[:0]
    if column.among:
        odd = there[~there.astype("str").isin(column.among)]
    elif column.least is not None:
        odd = there[pd.to_numeric(there).astype("float64") < column.least]
    if len(odd):
        shown = ", ".join(repr(value) for value in odd.unique()[:3])
        where = f"{column.name}, rows {few(odd.index)}"
        found.append(Fault("wrong-value", where, f"{shown}: {column.doc}"))
    return found


def misfits(values: pd.Series, kind: Kind) -> pd.Series:
    """The values that are neither of this kind nor empty, with their rows; anything is text."""
    if kind == "text":
        return values[:0]
    if is_datetime64_any_dtype(values) or is_timedelta64_dtype(values):
        return values.dropna()
    # as floats, so that truth values and small types compare with any bound
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    wrong = values.notna() & numbers.isna()
    if kind == "integer":
        wrong |= numbers.notna() & ((numbers % 1 != 0) | (numbers.abs() >= 2**63))
    return values[wrong]
