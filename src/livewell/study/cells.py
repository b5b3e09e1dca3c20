"""What the cells of a user's table mean: text, or a number however it is written."""

import re

import pandas as pd

from livewell.errors import Fault
from livewell.tables.columns import NOUNS, misfits
from livewell.tables.schemas import FIELDS, shortest

KINDS = FIELDS.kinds
"""What livewell's own columns hold: text, integer or number."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_DOTTED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)
_UNSEEN = "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_AROUND = _UNSEEN + "".join(filter(str.isspace, map(chr, range(0x3001))))


def tidy(cell: str) -> str:
    """A cell without spaces and letters that cannot be seen around it."""
    return cell.strip(_AROUND)


def decimal_points(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str], list[Fault]]:
    """A table of text with points for decimal commas, and a note on every such column.

    Of columns that livewell knows only those that hold numbers are changed, of others those with
    nothing but numbers that stay written as they are, but for the comma. And a fault for every
    column of numbers whose points may be those of thousands, as commas are decimals elsewhere.
    """
    changed = {}
    for name in table:
        kind, old = KINDS.get(str(name)), table[name]
        new = old if kind == "text" else pointed(old)
        if new is not old and (kind is not None or as_numbers(new) is not new):
            changed[str(name)] = new
    notes = [f"decimal commas in {name} read as points" for name in changed]
    faults = [
        Fault(
            "wrong-type",
            str(name),
            f"{dotted.iloc[0]!r}: a decimal point, or thousands? {next(iter(changed))} has decimal"
            " commas; write numbers without points",
        )
        for name in table
        if changed and name not in changed and KINDS.get(str(name), "text") != "text"
        for dotted in [table[name].dropna()[lambda cells: cells.str.contains(".", regex=False)]]
        if len(dotted) and dotted.str.fullmatch(_DOTTED).all()
    ]
    return table.assign(**changed) if changed else table, notes, faults


def pointed(values: "pd.Series[str]") -> "pd.Series[str]":
    """Text of numbers with points for decimal commas; `values` itself where there are none.

    What could be thousands (``1,234``) is changed only where another cell of the column cannot be.
    """
    there = values.dropna()
    if not any("," in text for text in there.tolist()):
        return values
    commas = there.str.fullmatch(_COMMA)
    if not commas.any() or there[commas].str.fullmatch(_THOUSANDS).all():
        return values
    return there.where(~commas, there.str.replace(",", ".", regex=False)).reindex(values.index)


def as_numbers(values: "pd.Series[str]") -> pd.Series:
    """Numbers where all `values` are numbers that are written back just so; else `values` itself.

    So 1.10, 007 and 1e5 stay text, as names of clones, treatments and samples must.
    """
    texts = values.dropna().tolist()
    if not texts or not all(map(_NUMBER.fullmatch, texts)):
        return values
    if any(shortest(float(text)) != text for text in texts):
        return values
    return pd.to_numeric(values).astype("float64")


def number_faults(table: pd.DataFrame) -> list[Fault]:
    """A fault for every cell of livewell's columns of numbers that holds none."""
    found = []
    for name in table:
        kind = KINDS.get(str(name), "text")
        if kind == "text":
            continue
        texts = table[name].dropna()
        finite = pd.to_numeric(texts, errors="coerce").abs() < float("inf")
        wrong = texts[~texts.str.fullmatch(_NUMBER) | ~finite]
        wrong = pd.concat([wrong, misfits(texts.drop(wrong.index), kind)]).sort_index()
        for line, value in wrong.items():
            text = f"{value!r} is not {NOUNS[kind]}"
            if _THOUSANDS.fullmatch(value):
                text += ": a decimal comma, or thousands? write it without a comma"
            found.append(Fault("wrong-type", f"line {line}, {name}", text))
    return found


def typed(values: "pd.Series[str]", name: str) -> pd.Series:
    """A checked column in its type: livewell's own by their kinds, others as they are written."""
    kind = KINDS.get(name)
    if kind is None:
        return as_numbers(values)
    if kind == "text":
        return values
    return pd.to_numeric(values).astype("Int64" if kind == "integer" else "float64")
