"""Tables as Parquet files, whole and checked."""

from pathlib import Path

import pandas as pd

from livewell.errors import StudyError
from livewell.files import whole_file
from livewell.tables.schemas import Schema
from livewell.text import several


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, whole or not at all."""
    with whole_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_table(path: Path, schema: Schema) -> pd.DataFrame:
    """Read a Parquet table and check it; a `StudyError` where it is missing or not Parquet."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise StudyError(
            f"cannot be read as a table of {several(schema.name)}",
            where=str(path),
            got=str(error)[:200],
            remedy="make it again",
        ) from error
    return schema.check(table, where=str(path))
