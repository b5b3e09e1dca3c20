"""Boxes that somebody drew round objects: what is wrong with them, row by row."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.detection.tables import numbers
from livewell.errors import Fault, TableError, missing_columns
from livewell.metrics.outcomes import Floats
from livewell.tables.schemas import BOX

COLUMNS = {
    "image": "name of the image",
    "kind": "what the object is, such as circle or dead; empty if nobody says",
    "y0": "first row inside, pixels",
    "x0": "first column inside, pixels",
    "y1": "first row beyond, pixels",
    "x1": "first column beyond, pixels",
}
"""Columns of a table of objects, one row an object; boxes are half-open."""

Flags = NDArray[np.bool_]


def box_faults(
    objects: pd.DataFrame,
    sizes: Mapping[str, tuple[int, int]] | None = None,
    *,
    clip: bool = False,
) -> list[Fault]:
    """Everything that is wrong with a table of objects; a row may have several faults.

    Each fault names the row (its label in the index, from 0 in a plain table) and the image. Codes:
    ``missing-column``, ``empty-value`` (no name of the image), ``not-a-number`` (a corner is empty,
    text or infinite), ``not-whole``, ``no-area`` (y1 <= y0 or x1 <= x0), ``no-such-image``,
    ``outside`` (no pixel inside the image), ``beyond-edge`` (some outside). A kind may be empty.

    Parameters
    ----------
    sizes
        (height, width) of every image there is, pixels; ``None`` where the boxes are not held
        against images.
    clip
        Whether boxes may reach beyond their image, for they will be clipped to it; one without any
        pixel inside is a fault all the same.
    """
    missing = missing_columns(
        objects, {name: f"{doc}; the table has no such column" for name, doc in COLUMNS.items()}
    )
    if missing or objects.empty:
        return missing
    names, corners = _names(objects), _corners(objects)
    wrong: dict[str, Flags] = {
        "empty-value": names.isna().to_numpy(),
        "not-a-number": _any(np.isnan(corners)),
        "not-whole": _any(~np.isnan(corners) & (corners % 1 != 0)),
        "no-area": _any(corners[:, 2:] <= corners[:, :2]),
    }
    if sizes is not None:
        there = names.isin(list(sizes)).to_numpy()
        wrong["no-such-image"] = ~there & names.notna().to_numpy()
        wrong |= _outside(corners, _ends(names, sizes), clip)
    return list(_described(objects, wrong, sizes or {}))


def checked_boxes(
    objects: pd.DataFrame,
    sizes: Mapping[str, tuple[int, int]],
    where: str = "",
    *,
    clip: bool = False,
) -> pd.DataFrame:
    """A table of objects in plain types, once nothing is wrong with it.

    All rows and columns in their order, with their index; image and kind are text (kind missing
    where it was), corners int64. `where` is the file, for the error; the others as in `box_faults`.
    """
    faults = box_faults(objects, sizes, clip=clip)
    if faults:
        edge = any(fault.code == "beyond-edge" for fault in faults)
        more = "; boxes that reach beyond their image can be clipped to it (clip)" if edge else ""
        raise TableError(
            "boxes that cannot be",
            faults,
            where=where,
            remedy="give one row an object: image, kind and whole pixels y0 < y1, x0 < x1 inside"
            f" the image{more}",
        )
    names, corners = _names(objects), _corners(objects)
    if clip and len(objects):
        ends = _ends(names, sizes)
        corners = np.hstack([np.clip(corners[:, :2], 0, ends), np.clip(corners[:, 2:], 0, ends)])
    whole = dict(zip(BOX, corners.astype(np.int64).T, strict=True))
    return objects.assign(image=names, kind=objects["kind"].astype("str"), **whole)


def _names(objects: pd.DataFrame) -> "pd.Series[str]":
    """Names of the images as text; missing where there is none."""
    given = objects["image"]
    return given.astype("str").mask(given.isna() | (given.astype("str").str.strip() == ""))


def _corners(objects: pd.DataFrame) -> Floats:
    """Corners as numbers, shape (objects, 4); NaN where they are none or not finite."""
    found = np.column_stack([numbers(objects[name]) for name in BOX])
    return np.where(np.isfinite(found), found, np.nan)


def _ends(names: "pd.Series[str]", sizes: Mapping[str, tuple[int, int]]) -> Floats:
    """Height and width of every row's image, shape (objects, 2); NaN where it is not there."""
    unknown = (np.nan, np.nan)
    return np.array([sizes.get(name, unknown) for name in names], dtype=float).reshape(-1, 2)


def _outside(corners: Floats, ends: Floats, clip: bool) -> dict[str, Flags]:
    """Boxes wholly and partly outside; where a corner or the image is not known, neither."""
    # boxes without area too, as if their corners were swapped or a pixel apart: all faults at once
    low = np.minimum(corners[:, :2], corners[:, 2:])
    high = np.maximum(low + 1, np.maximum(corners[:, :2], corners[:, 2:]))
    known = ~np.isnan(ends)
    outside = _any(known & ((high <= 0) | (low >= ends)))
    beyond = _any(known & ((low < 0) | (high > ends))) & ~outside
    return {"outside": outside, "beyond-edge": beyond & (not clip)}


def _any(wrong: Flags) -> Flags:
    return np.asarray(wrong.any(axis=1))


def _described(
    objects: pd.DataFrame, wrong: dict[str, Flags], sizes: Mapping[str, tuple[int, int]]
) -> Iterator[Fault]:
    names, corners = _names(objects), _corners(objects)
    for row in np.flatnonzero(_any(np.column_stack(list(wrong.values())))).tolist():
        image = names.iloc[row]
        known = isinstance(image, str)
        where = f"row {objects.index[row]}, image {image if known else 'unnamed'}"
        size = " x ".join(f"{end:g}" for end in sizes.get(image, ())) if known else ""
        values = dict(zip(BOX, corners[row].tolist(), strict=True))
        box = "[{y0:g}, {y1:g}) x [{x0:g}, {x1:g})".format(**values)
        strange = [name for name in BOX if np.isnan(values[name])]
        broken = [name for name in BOX if name not in strange and values[name] % 1]
        texts = {
            "empty-value": "no name of the image",
            "not-a-number": _listed(objects[strange].iloc[row]) + ": not a number of pixels",
            "not-whole": _listed(objects[broken].iloc[row]) + ": whole pixels are needed",
            "no-area": f"rows x columns {box} have no area; y0 < y1 and x0 < x1 are needed",
            "no-such-image": "no such image",
            "outside": f"rows x columns {box} lie wholly outside of the {size} px",
            "beyond-edge": f"rows x columns {box} reach beyond the {size} px",
        }
        yield from (Fault(code, where, texts[code]) for code, rows in wrong.items() if rows[row])


def _listed(values: "pd.Series[float]") -> str:
    """What stands in some columns of a row."""
    return ", ".join(
        f"{name} is {'empty' if pd.isna(value) else value}" for name, value in values.items()
    )
