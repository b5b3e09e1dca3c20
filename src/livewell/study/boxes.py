"""Boxes round cells whose state is known, read from a CSV."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from livewell.errors import SpecError, TableError
from livewell.study.cells import pointed
from livewell.study.metadata import read_metadata
from livewell.tables.columns import Column, Schema
from livewell.tables.faults import column_faults
from livewell.tables.schemas import BOX

CORNERS = ("ymin", "xmin", "ymax", "xmax")
"""Usual names of the columns with a box's corners, in livewell's order: rows before columns."""

_MEANING = ("first row", "first column", "first row beyond", "first column beyond")
BOXED_CELLS = Schema(
    "boxed cell",
    (
        Column("image", "text", "name of the image in the study", required=True),
        Column("kind", "text", "state of the cell, as its table names it"),
        *(
            Column(name, "integer", f"{what} of the box, pixels", required=True)
            for name, what in zip(BOX, _MEANING, strict=True)
        ),
        Column("label", "text", "class of that state; empty where none is said"),
    ),
    key=("image", "kind", *BOX),
)
"""One row a cell in its box, half-open, in pixels of its image."""


def read_boxes(
    path: Path | str,
    *,
    image: str = "image",
    state: str = "state",
    corners: tuple[str, str, str, str] = CORNERS,
) -> pd.DataFrame:
    """Read boxes of cells from a CSV, one row a cell, and check the whole file.

    A box is half-open: of ``ymin`` 3 and ``ymax`` 5 it is two rows high. Programs that count the
    last pixel into a box have to have one added. Columns image, kind (text; empty where no state is
    said) and `BOX` (int64); the index, named row, counts rows as the file and spreadsheets do, the
    heading being row 1. Whether boxes have an area and lie in their image is not checked here.
    """
    names = _checked_names(image, state, corners)
    read = read_metadata(path)
    table = read.table.rename(columns=_as_asked(names, read.table.columns))
    table = table.assign(**{name: pointed(table[name]) for name in names[2:] if name in table})
    # in the file's own words, so that faults name its columns and rows
    columns = zip(names, BOXED_CELLS.columns, strict=False)
    asked = Schema(BOXED_CELLS.name, tuple(replace(c, name=name) for name, c in columns), names)
    found = column_faults(table, names)
    found += [fault for fault in asked.faults(table) if fault.code != "missing-column"]
    if found:
        raise TableError(
            "boxes that cannot be used",
            found,
            where=str(path),
            remedy="correct these rows (corners are whole pixels), or name the columns of image,"
            " state and corners",
        )
    table = table[list(names)].set_axis(["image", "kind", *BOX], axis=1).rename_axis("row")
    # by way of floats, for whole numbers are also written 3.0
    return table.astype(dict.fromkeys(BOX, "float64")).astype(dict.fromkeys(BOX, "int64"))


def _checked_names(image: str, state: str, corners: tuple[str, ...]) -> tuple[str, ...]:
    names = (image, state, *corners)
    if len(corners) != 4 or len(set(names)) != len(names) or not all(map(str.strip, names)):
        raise SpecError(
            "columns of boxes that cannot be",
            where="corners",
            expected="four names, apart from each other and from those of image and state",
            got=", ".join(names),
        )
    starts = [name.strip().lower()[0] for name in corners]
    # a nearly square image would hide that x and y were exchanged
    if "x" in starts[::2] or "y" in starts[1::2]:
        raise SpecError(
            "corners named with x before y",
            where="corners",
            expected="first row, first column, row beyond, column beyond, "
            f"such as {','.join(CORNERS)}",
            got=",".join(corners),
            remedy="name them in this order, whatever the order in the file",
        )
    return names


def _as_asked(names: tuple[str, ...], columns: pd.Index) -> dict[str, str]:
    """Columns by other letters, as `read_metadata` writes names that it knows, to `names`."""
    folded = {str(column).lower().replace(" ", "_"): str(column) for column in columns}
    found = {}
    for name in names:
        like = folded.get(name.strip().lower().replace(" ", "_"))
        if name not in columns and like is not None and like not in names:
            found[like] = name
    return found
