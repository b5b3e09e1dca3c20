"""Faults of tables that users wrote, with what was perhaps meant."""

from collections.abc import Iterable
from difflib import get_close_matches

import pandas as pd

from livewell.errors import Fault, missing_columns


def column_faults(table: pd.DataFrame, names: Iterable[str]) -> list[Fault]:
    """A fault for each column that is not there, with the names that come near."""
    said = {name: f"the table has no such column; {near(name, table.columns)}" for name in names}
    return missing_columns(table, said)


def near(name: object, known: Iterable[object]) -> str:
    """What was perhaps meant by `name`, as half a sentence."""
    names = [str(other) for other in known]
    folded = {other.casefold(): other for other in names}
    close = get_close_matches(str(name).casefold(), list(folded), n=3)
    if close:
        return f"near it: {', '.join(folded[match] for match in close)}"
    return f"known: {listed(names, 8)}"


def listed(values: Iterable[object], most: int = 5) -> str:
    """The first of `values`, and how many there are if that is more."""
    texts = [str(value) for value in values]
    more = f" ... ({len(texts)} in all)" if len(texts) > most else ""
    return (", ".join(texts[:most]) or "none") + more
