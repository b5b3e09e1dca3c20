"""Labels from one or several columns of the fields table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import (
    Labels,
    Others,
    Request,
    Route,
    class_faults,
    refuse,
    stripped,
)
from livewell.tables.faults import column_faults, listed, near
from livewell.tables.schemas import as_text


@dataclass(frozen=True, slots=True)
class Column(Route):
    """Label images by the values of a column of the fields table, such as treatment, or of several.

    Parameters
    ----------
    column
        Column that decides, or several: then a value is theirs joined by spaces, in this order,
        such as ``MCF7 CPT``, and empty where one of them is. Values are compared as text, letter
        by letter.
    classes
        Class of each value; where none is named every value is a class (`every_value`).
    others
        Images whose value is empty or has no class: refused (and listed), or left out.

    Notes
    -----
    Source: celldeath (La Greca et al. 2021) labels whole images by treatment, or by cell line and
    treatment (14 classes), read from file names; here both are columns.
    """

    column: str | Sequence[str]
    classes: Mapping[str, str] = field(default_factory=dict)
    others: Others = "refuse"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that decide."""
        return (self.column,) if isinstance(self.column, str) else tuple(self.column)

    def make(self, request: Request) -> Labels:
        """The labels, of the study's fields."""
        return by_column(request.study.fields(), self, request.least)


def by_column(fields: pd.DataFrame, route: Column, least: int = 2) -> Labels:
    """One label an image, for all its frames; no score. There are `least` classes or more."""
    texts = _values(fields, route.columns)
    column = str(texts.name)
    values = sorted(texts.dropna().unique())
    classes = stripped(route.classes) or {value: value for value in values}
    found = class_faults(classes, least)
    found += [
        Fault("unknown-value", f"classes, {value!r}", f"not in {column}; {near(value, values)}")
        for value in classes
        if value not in values
    ]
    labels = texts.map(classes)
    if route.others == "refuse":
        found += _left_out(fields["image"], texts, labels)
    elif labels.nunique() < least:
        found.append(Fault("one-class", column, "images of fewer than two classes are left"))
    refuse(found, route.name, _remedy({fault.code for fault in found}, texts, labels, classes))
    kept = labels.notna()
    steps = {
        "images": len(fields),
        f"without a value in {column}": int(texts.isna().sum()),
        "value without a class, dropped": int((texts.notna() & ~kept).sum()),
    }
    return Labels.of(route.name, fields[kept][["image"]], labels[kept], classes.values(), steps)


def every_value(fields: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Every value of the columns, joined as in `Column`, as a class of its own name, sorted.

    Raises
    ------
    TableError
        A column is not there, or two combinations of values read alike once joined.
    """
    return {value: value for value in sorted(_values(fields, columns).dropna().unique())}


def _values(fields: pd.DataFrame, columns: Sequence[str]) -> "pd.Series[str]":
    """The value of every image, named as the columns; empty where a column is."""
    refuse(column_faults(fields, list(columns)), "column")
    each = pd.DataFrame({name: as_text(fields[name]) for name in columns})
    texts = each[columns[0]]
    for name in columns[1:]:
        texts = texts + " " + each[name]
    pairs = each.assign(value=texts).dropna().drop_duplicates()
    found = [
        Fault("same-name", f"class {value!r}", f"stands for {listed(map(repr, told), 3)}")
        for value, rows in pairs.groupby("value")
        if len(told := [" and ".join(row) for row in rows[list(columns)].to_numpy()]) > 1
    ]
    refuse(found, "column", "give one of these values a name without spaces")
    return texts.rename(" and ".join(columns))


def _left_out(
    images: "pd.Series[str]", texts: "pd.Series[str]", labels: "pd.Series[str]"
) -> list[Fault]:
    found = []
    empty = images[texts.isna()]
    if len(empty):
        found.append(Fault("empty-value", str(texts.name), f"no value for {listed(empty)}"))
    unmapped = texts[texts.notna() & labels.isna()]
    for value, rows in unmapped.groupby(unmapped):
        text = f"no class is said: {listed(images[rows.index], 3)}"
        found.append(Fault("unmapped-value", f"{texts.name}, {value!r}", text))
    return found


def _remedy(
    codes: set[str],
    texts: "pd.Series[str]",
    labels: "pd.Series[str]",
    classes: Mapping[str, str],
) -> str:
    said = [_second_class(texts, labels, classes)] if labels.nunique() < 2 else []
    if "unknown-value" in codes:
        said.append("write values as they stand in the column, and leave out those that do not")
    if codes & {"unmapped-value", "empty-value"}:
        said.append("name a class for every value, or say that others are dropped")
    return "; ".join(said)


def _second_class(
    texts: "pd.Series[str]", labels: "pd.Series[str]", classes: Mapping[str, str]
) -> str:
    """How labels of fewer than two classes come to have two."""
    there = set(labels.dropna())
    lacking = [name for name in dict.fromkeys(classes.values()) if name not in there]
    wanted = f"class {' or '.join(lacking)}" if lacking else "another class"
    values, free = (sorted(found.dropna().unique()) for found in (texts, texts[labels.isna()]))
    if free:
        other = f"name the value of {texts.name} that is of {wanted}"
        other += f" (without a class: {listed(free)})"
    elif len(values) > 1:
        other = f"name {wanted} for one of the values {listed(values)}"
    else:
        other = "label by a column whose values differ"
    return f"two classes are needed: add images of {wanted}, or {other}"
