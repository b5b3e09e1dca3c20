"""Tables of results as CSV that a spreadsheet shows and does not run."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from livewell.files import whole_file
from livewell.text import printable

_FORMULA = re.compile(r"'*[=+\-@\t\n]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]inf", re.IGNORECASE)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index, whole or not at all.

    Text that a spreadsheet would take for a formula gets an apostrophe before it, and what steers a
    terminal is spelt out.
    """
    shown = table.rename(columns=_cell)
    for number, kind in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            shown.isetitem(number, table.iloc[:, number].map(_cell).array)
    with whole_file(path) as temporary:
        shown.to_csv(temporary, index=False)


def plain_cell(text: str) -> str:
    """A cell of `write_csv` without the apostrophe that keeps it from being a formula."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = printable(value)
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value
