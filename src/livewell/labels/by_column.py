"""Labels from a column of the fields table."""

from collections.abc import Mapping

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import (
    Count,
    Labels,
    Others,
    as_text,
    class_counts,
    class_faults,
    column_faults,
    image_faults,
    label_table,
    listed,
    near,
    refuse,
)

ROUTE = "column"


def by_column(
    fields: pd.DataFrame,
    column: str,
    classes: Mapping[str, str] | None = None,
    *,
    others: Others = "refuse",
) -> Labels:
    """Label images by the values of a column, such as treatment.

    Parameters
    ----------
    fields
        Schema `schemas.FIELDS`, one row an image.
    column
        Column that decides. Values are compared as text, letter by letter.
    classes
        Class of each value; ``None``: every value is a class of its own name.
    others
        Images whose value is empty or has no class: refused (and listed), or left out.

    Returns
    -------
    Labels
        One label an image, for all its frames; no score.

    Raises
    ------
    TableError
        Holding every fault: column not there, value named that does not occur, value or image
        without a class, fewer than two classes.

    Notes
    -----
    Source: celldeath (La Greca et al. 2021) labels whole pictures by treatment, read from file
    names; here the treatment is a column.
    """
    found = image_faults(fields) + column_faults(fields, [column])
    if found:
        refuse(found, ROUTE)
    fields = fields.reset_index(drop=True)
    texts = as_text(fields[column])
    values = sorted(texts.dropna().unique())
    mapping = {value: value for value in values}
    if classes is not None:
        mapping = {str(value).strip(): str(name) for value, name in classes.items()}
    found += class_faults(mapping)
    found += [
        Fault("unknown-value", f"classes, {value!r}", f"not in {column}; {near(value, values)}")
        for value in mapping
        if value not in values
    ]
    labels = texts.map(mapping)
    if others == "refuse":
        found += _left_out(fields, texts, labels, column)
    elif labels.nunique() < 2:
        found.append(Fault("one-class", column, "images of fewer than two classes are left"))
    refuse(found, ROUTE, _remedy({fault.code for fault in found}, column, texts, mapping))
    kept = labels.notna()
    table = label_table(fields.loc[kept, ["image"]], labels[kept].tolist(), ROUTE)
    counts = (
        Count("images", len(fields)),
        Count(f"without a value in {column}", int(texts.isna().sum())),
        Count("value without a class, dropped", int((texts.notna() & ~kept).sum())),
        *class_counts(table, dict.fromkeys(mapping.values())),
    )
    return Labels(table, counts)


def _left_out(
    fields: pd.DataFrame, texts: "pd.Series[str]", labels: "pd.Series[str]", column: str
) -> list[Fault]:
    found = []
    empty = fields.loc[texts.isna(), "image"]
    if len(empty):
        found.append(Fault("empty-value", column, f"no value for {listed(empty)}"))
    unmapped = texts[texts.notna() & labels.isna()]
    for value, rows in unmapped.groupby(unmapped):
        images = listed(fields.loc[rows.index, "image"], 3)
        found.append(Fault("unmapped-value", f"{column}, {value!r}", f"no class is said: {images}"))
    return found


def _remedy(
    codes: set[str], column: str, texts: "pd.Series[str]", mapping: Mapping[str, str]
) -> str:
    labels = texts.map(mapping)
    said = [_second_class(column, texts, labels, mapping)] if labels.nunique() < 2 else []
    if "unknown-value" in codes:
        said.append("write values as they stand in the column, and leave out those that do not")
    if codes & {"unmapped-value", "empty-value"}:
        said.append("name a class for every value, or say that others are dropped")
    return "; ".join(said)


def _second_class(
    column: str, texts: "pd.Series[str]", labels: "pd.Series[str]", mapping: Mapping[str, str]
) -> str:
    """How labels of fewer than two classes come to have two."""
    there = set(labels.dropna())
    lacking = [name for name in dict.fromkeys(mapping.values()) if name not in there]
    wanted = f"class {' or '.join(lacking)}" if lacking else "another class"
    values, free = (sorted(found.dropna().unique()) for found in (texts, texts[labels.isna()]))
    if free:
        other = f"name the value of {column} that is of {wanted} (without a class: {listed(free)})"
    elif len(values) > 1:
        other = f"name {wanted} for one of the values {listed(values)}"
    else:
        other = "label by a column whose values differ"
    return f"two classes are needed: add images of {wanted}, or {other}"
