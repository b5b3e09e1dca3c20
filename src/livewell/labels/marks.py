"""Cells that several persons marked in one frame, joined to items that all of them answered."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from livewell.errors import Fault, TableError
from livewell.metrics.answer_matrix import UNSURE
from livewell.tables.faults import column_faults, listed

NONE = "none"
"""What a person says of a cell who did its frame and did not mark it."""
COLUMNS = ["item", "person", "answer", "image", "t", "y", "x"]
"""Of a table of cells: one row a cell and person; y and x are means over those who marked it."""
Floats = NDArray[np.float64]


def joined_cells(answers: pd.DataFrame, near_px: float) -> pd.DataFrame:
    """Cells and what everybody says of each who did its frame, columns `COLUMNS`.

    Marks of different persons are one cell where the best pairing (Hungarian method: most pairs,
    then shortest distances) finds them at most `near_px` from the mean of those joined before; two
    marks of one person never are. Persons are taken in turn, who marked most first.

    Parameters
    ----------
    answers
        One row a person and frame (`schemas.ANSWERS` with marks), first answers only; a person who
        was unsure of a whole frame did not do it.
    near_px
        In pixels of the image.

    Raises
    ------
    TableError
        Columns lacking, or marks that cannot be read; all at once.
    """
    faults = column_faults(answers, ["item", "person", "answer", "image", "t", "marks"])
    if faults:
        raise TableError("marks that cannot be read", faults)
    done = answers[answers["marks"].notna() | (answers["answer"] != UNSURE)]
    read = [_marks(row, faults) for row in done.to_dict("records")]
    if faults:
        raise TableError("marks that cannot be read", faults, remedy="export the answers anew")
    rows: list[tuple[Any, ...]] = []
    for item, places in done.reset_index(drop=True).groupby("item", sort=True).groups.items():
        frame = done.iloc[list(places)]
        marked = {str(frame["person"].iloc[n]): read[at] for n, at in enumerate(places)}
        image, t = str(frame["image"].iloc[0]), int(frame["t"].iloc[0])
        for number, (middle, said) in enumerate(_cells(marked, near_px)):
            for person in sorted(marked):
                answer = said.get(person, NONE)
                rows.append((f"{item}#{number}", person, answer, image, t, *middle.tolist()))
    return pd.DataFrame(rows, columns=COLUMNS)


def _cells(
    marked: dict[str, list[tuple[str, float, float]]], near_px: float
) -> Iterator[tuple[Floats, dict[str, str]]]:
    """Middle (y, x) of each cell, and what each person said who marked it, from top to bottom."""
    sums: list[Floats] = []
    said: list[dict[str, str]] = []
    for person in sorted(marked, key=lambda name: (-len(marked[name]), name)):
        places = np.array([mark[1:] for mark in marked[person]], dtype=float).reshape(-1, 2)
        middles = np.array([total / len(of) for total, of in zip(sums, said, strict=True)])
        partner = _pairs(middles.reshape(-1, 2), places, near_px)
        for number, (answer, *place) in enumerate(marked[person]):
            if number in partner:
                cell = partner[number]
                sums[cell] = sums[cell] + np.array(place)
                said[cell][person] = answer
            else:
                sums.append(np.array(place, dtype=float))
                said.append({person: answer})
    found = [(total / len(of), of) for total, of in zip(sums, said, strict=True)]
    yield from sorted(found, key=lambda cell: (cell[0][0], cell[0][1]))


def _pairs(middles: Floats, places: Floats, near_px: float) -> dict[int, int]:
    """Number of the cell of each place that is one of the cells known already."""
    if not len(middles) or not len(places):
        return {}
    far = np.linalg.norm(places[:, None] - middles[None], axis=2)
    # one pair more is worth more than all distances together
    cost = np.where(far <= near_px, far, 2 * near_px * (min(far.shape) + 1) + 1)
    first, second = linear_sum_assignment(cost)
    return {int(a): int(b) for a, b in zip(first, second, strict=True) if far[a, b] <= near_px}


def _marks(row: dict[Any, Any], faults: list[Fault]) -> list[tuple[str, float, float]]:
    """Class, y and x of the marks of one answer; of a box its middle."""
    where = f"{row['item']} by {row['person']}"
    if row["marks"] is None or pd.isna(row["marks"]):
        return []
    try:
        marks = json.loads(row["marks"])
        found = []
        for mark in marks:
            y, x = (
                (float(mark[name]) + float(mark.get(f"{name}1", mark[name]))) / 2 for name in "yx"
            )
            found.append((str(mark["class"]), y, x))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        text = f"marks are not a list of class, y and x: {listed([str(error)])}"
        faults.append(Fault("wrong-type", where, text))
        return []
    if not all(np.isfinite([y, x]).all() for _, y, x in found):
        faults.append(Fault("wrong-value", where, "marks at places that are no numbers"))
    return found
