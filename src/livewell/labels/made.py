"""What every route to labels gives back, and the checks that all routes share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import Fault, LabelError, TableError
from livewell.tables.schemas import LABELS

Others = Literal["refuse", "drop"]
"""What happens to rows that no class is said for: an error that lists them, or left out."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many things a step had or left: ``Count("live", 1968)``."""

    step: str
    count: int


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels made by one route.

    Parameters
    ----------
    table
        Schema `schemas.LABELS`; empty t or box means every frame or the whole frame.
    counts
        Every step, in order.
    notes
        What a careful user should know of these labels.
    """

    table: pd.DataFrame
    counts: tuple[Count, ...]
    notes: tuple[str, ...] = ()


def label_table(
    keys: pd.DataFrame, labels: Sequence[str], route: str, score: Iterable[float] | None = None
) -> pd.DataFrame:
    """A table of labels in the schema `schemas.LABELS`.

    Parameters
    ----------
    keys
        Column image, and t, y0, x0, y1, x1 where they are known.
    labels, score
        One class and one number a row.
    route
        How the labels were made.

    Returns
    -------
    DataFrame
        Every column of the schema, in its types.

    Raises
    ------
    TableError
        Two rows have one key.
    """
    table = pd.DataFrame(index=range(len(keys)), columns=LABELS.names, dtype="object")
    for name in ("image", "t", "y0", "x0", "y1", "x1"):
        table[name] = keys[name].to_numpy() if name in keys else pd.NA
    table["label"], table["route"] = list(labels), route
    table["score"] = float("nan") if score is None else list(score)
    return LABELS.check(table, where=f"labels by {route}")


def class_counts(table: pd.DataFrame, classes: Iterable[str] = ()) -> list[Count]:
    """One count a class of a table of labels, also for `classes` that got none."""
    found = table["label"].value_counts()
    names = list(dict.fromkeys([*classes, *found.index]))
    return [Count(str(name), int(found.get(name, 0))) for name in names]


def column_faults(table: pd.DataFrame, names: Iterable[str]) -> list[Fault]:
    """A fault for each column that is not there, with the names that come near."""
    return [
        Fault("missing-column", name, f"the table has no such column; {near(name, table.columns)}")
        for name in names
        if name not in table
    ]


def image_faults(fields: pd.DataFrame) -> list[Fault]:
    """Faults of the column image of a fields table: missing, empty, repeated."""
    if "image" not in fields:
        return column_faults(fields, ["image"])
    found = []
    empty = int(fields["image"].isna().sum())
    if empty:
        found.append(Fault("empty-value", "image", f"{empty} rows name no image"))
    named = fields["image"].dropna()
    twice = named[named.duplicated()].unique()
    if len(twice):
        found.append(Fault("duplicate-row", "image", f"{listed(twice)} stands in several rows"))
    return found


def class_faults(classes: Mapping[str, str] | Iterable[str]) -> list[Fault]:
    """A fault where fewer than two classes are meant, or one has no name."""
    names = {str(name) for name in (classes.values() if isinstance(classes, Mapping) else classes)}
    found = []
    if any(not name.strip() for name in names):
        found.append(Fault("class-name", "classes", "a class has an empty name"))
    if len(names) < 2:
        text = f"only {listed(sorted(names))} is said" if names else "no class is said"
        found.append(Fault("one-class", "classes", f"{text}; two classes are needed to tell apart"))
    return found


def two_classes(classes: ClassNames, route: str) -> tuple[str, str]:
    """The negative and the positive class, for a route whose rule gives no third one.

    Raises
    ------
    LabelError
        There are more.
    """
    if not classes.binary:
        raise LabelError(
            f"labels by {route} tell two classes apart",
            where=f"route {route}",
            expected="a negative and a positive class",
            got=str(classes),
            remedy="name two classes; for more label by a column, words in file names or points",
        )
    return classes[0], classes[1]


def refuse(faults: Sequence[Fault], route: str, remedy: str = "") -> None:
    """Raise all `faults` at once, if there are any.

    Raises
    ------
    TableError
        Holding every fault.
    """
    if faults:
        raise TableError(f"no labels by {route}", faults, where="labels", remedy=remedy)


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


def as_text(values: "pd.Series[Any]") -> "pd.Series[str]":
    """A column as text: whole numbers without ``.0``, no spaces around, empty as missing."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    texts = values.astype("str").str.strip()
    return texts.mask(values.isna() | (texts == ""))
