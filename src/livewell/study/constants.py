"""Columns that hold one value for every image of a study."""

import pandas as pd

from livewell.errors import GeometryError, SpecError
from livewell.plate import Well
from livewell.tables.faults import listed

NAMING = ("image", "path", "picture")
"""Columns that name files and pictures: never one value for all."""


def constant(fields: pd.DataFrame, column: str, value: str) -> str:
    """The value that a constant column takes; what is known otherwise is never overwritten.

    Raises
    ------
    SpecError
        The column names files, `fields` have other values in it, or `value` is not the name of a
        well.
    """
    where = f"--column {column}={value}"
    if column in NAMING:
        raise SpecError(
            f"{column} cannot be set",
            where=where,
            expected="a column that does not name the files, such as cell_line",
            remedy="name files and pictures with --pattern or --metadata",
        )
    if column == "well":
        try:
            value = str(Well.parse(value))
        except GeometryError as error:
            remedy = "write a well, or name a column of its own"
            expected = error.expected
            raise SpecError(error.what, where=where, expected=expected, remedy=remedy) from error
    known = fields[column].dropna() if column in fields else pd.Series(dtype="str")
    same = known.astype("str") == value
    if pd.api.types.is_numeric_dtype(known):
        same = known == pd.to_numeric(pd.Series([value]), errors="coerce")[0]
    others = known[~same].astype("str").unique()
    if len(others):
        raise SpecError(
            f"the column {column} has other values from the file names or the table",
            where=where,
            got=listed(others),
            remedy="leave this --column out, or name a column of its own",
        )
    return value
