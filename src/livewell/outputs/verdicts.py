"""Verdicts on frames as rows of a record and as a table."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from livewell.classes import ClassNames
from livewell.execution.frames import FileFrame
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.inference.prediction import Prediction
from livewell.inference.unseen import COPY, NEAR_COPY

LEARNT = {
    COPY: "the model was trained or calibrated on it, so its verdict is no evidence",
    NEAR_COPY: "a near copy (other grey levels, size, crop or format) of what the model was trained"
    " or calibrated on, so its verdict is no evidence",
}
"""Note on an image that a model has learnt from, by how it is known."""

PLACE = ("plate", "well", "position")
"""Columns that say where an image was taken."""


def judged_frame(
    judge: Model, frame: FileFrame, stride_px: int, occupancy: ModelOccupancy | None = None
) -> Prediction:
    """What a model says of a frame of a file, with a note where it has learnt from it."""
    seen = (LEARNT[frame.learnt],) if frame.learnt else ()
    field = replace(frame.field, notes=(*frame.field.notes, *seen))
    chosen = None if occupancy is None else judge.patches(field, stride_px, occupancy)
    return judge.judged(field, chosen, stride_px=stride_px)


def verdict_row(found: Prediction) -> dict[str, Any]:
    """What a prediction says of a frame, as plain values; no numbers where nothing was judged."""
    others = [note for note in found.notes if note != found.unlike]
    row: dict[str, Any] = {"n_patches": len(found.boxes), "note": "; ".join(others)}
    row |= {"verdict": found.verdict, "unlike": found.unlike, "distance": found.distance}
    for prefix, values in (("called", found.shares), ("p", found.image_probabilities)):
        for name, value in zip(found.classes, values, strict=True):
            row[f"{prefix}_{name}"] = float(value) if found.boxes else None
    return row


def verdict_table(
    rows: Sequence[dict[str, Any]], positions: pd.DataFrame, classes: ClassNames
) -> pd.DataFrame:
    """``verdicts.csv``: of two classes the share and probability of the positive one, else of each.

    `rows` are `verdict_row` with image and t; `positions` has well and position by image. Where the
    model knows how far fields are from those that it learnt from, distance and unlike say so. The
    plate stands in front of the well where it is known.
    """
    if classes.binary:
        numbers = {
            f"called_{classes.positive}": "sick_fraction",
            f"p_{classes.positive}": "p_sick",
        }
    else:
        numbers = {
            f"{kind}_{name}": f"{kind}_{name}" for kind in ("called", "p") for name in classes
        }
    told = ["verdict", "note"]
    if any(row["distance"] is not None for row in rows):
        told, numbers = ["verdict", "unlike", "note"], numbers | {"distance": "distance"}
        rows = [_with_warning(row) for row in rows]
    columns = ["image", "t", "n_patches", *numbers, *told]
    table = pd.DataFrame(rows, columns=columns).rename(columns=numbers)
    table = _placed(table, positions)
    plate = ["plate"] if table["plate"].notna().any() else []
    order = ["image", "t", *plate, "well", "position", "n_patches", *numbers.values(), *told]
    return table[order].astype({"t": "Int64"} | dict.fromkeys(numbers.values(), "float64"))


def placed_failures(failures: pd.DataFrame, positions: pd.DataFrame) -> pd.DataFrame:
    """``failures.csv`` of verdicts: with plate, well and position in front of the error, if known.

    Whoever counts wells learns so in which one an image was lost.
    """
    table = _placed(failures, positions)
    places = [name for name in PLACE if table[name].notna().any()]
    return table[["image", "t", *places, "error"]]


def _placed(table: pd.DataFrame, positions: pd.DataFrame) -> pd.DataFrame:
    """Rows of images with `PLACE`, missing where it is not known."""
    return table.merge(positions.reindex(columns=["image", *PLACE]), on="image", how="left")


def _with_warning(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose note begins with why its verdict is not to be believed."""
    notes = [note for note in (row["unlike"], row["note"]) if note]
    return row | {"unlike": bool(row["unlike"]), "note": "; ".join(notes)}
