"""Tables of answers in files: CSV of any usual kind, or Parquet."""

from pathlib import Path

import pandas as pd

from livewell.errors import StudyError
from livewell.metrics.answer_matrix import checked_answers
from livewell.names import AnyPath
from livewell.study.metadata import read_metadata
from livewell.tables.columns import read_table

PARQUET = ".parquet"


def read_answers(path: AnyPath) -> pd.DataFrame:
    """Answers of one task (`schemas.ANSWERS`) from a file, checked.

    Raises
    ------
    StudyError, LayoutError
        No such file, or none that can be read.
    TableError
        Not a table of answers, see `livewell.metrics.answer_matrix.checked_answers`.
    """
    path = Path(path)
    if path.suffix.lower() != PARQUET:
        return checked_answers(read_metadata(path).table, str(path))
    try:
        table = read_table(path)
    except Exception as error:  # whatever damaged bytes lead to
        raise StudyError(
            "cannot be read as a table of answers",
            where=str(path),
            got=str(error)[:200],
            remedy="check the path, or export the answers anew",
        ) from error
    return checked_answers(table, str(path))
