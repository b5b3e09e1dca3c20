"""Labels of whole images by the cells boxed in them: at least one dead cell, or none."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from livewell.errors import Fault, SpecError
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
from livewell.tables.schemas import BOX

ROUTE = "boxes"

Unboxed = Literal["negative", "drop", "refuse"]
"""What an image without a box is: looked at and without a cell, left out, or an error.

A table of boxes alone cannot tell an image without a cell from one that nobody looked at.
"""


def by_boxes(
    fields: pd.DataFrame,
    boxes: pd.DataFrame,
    states: Mapping[str, str],
    classes: tuple[str, str],
    *,
    at_least: int = 1,
    unboxed: Unboxed = "refuse",
    others: Others = "refuse",
) -> Labels:
    """Label each image by whether it holds cells of the positive class.

    Parameters
    ----------
    fields
        Schema `schemas.FIELDS`, one row an image.
    boxes
        One row a cell: image, kind (its state), y0, x0, y1, x1.
    states
        Class of each state; some state has the positive one.
    classes
        ``(negative, positive)``.
    at_least
        So many cells of the positive class make an image positive.
    unboxed
        Images without any box: an error that lists them, negative, or left out.
    others
        Cells whose state is empty or has no class: refused (and listed), or left out. An image
        whose label hangs on such cells is then left out too: an unsure cell is no negative image.

    Returns
    -------
    Labels
        One label an image, for the whole of it; the score is the number of cells of the positive
        class.

    Raises
    ------
    TableError
        Holding every fault: column not there, image of a box not in `fields`, image without a box,
        state without a class or not in the table, one box of two classes, no state of the
        positive class, labels all of one class.
    SpecError
        `at_least` below one.

    Notes
    -----
    Source: Sailem et al. 2017 (WSCNN) train on whether an image holds a rare phenotype at all, and
    measure afterwards, with boxes, where the net looked.
    """
    if at_least < 1:
        raise SpecError("a count below one", where="at_least", expected=">= 1", got=f"{at_least}")
    found = image_faults(fields) + column_faults(boxes, ["image", "kind", *BOX])
    refuse(found, ROUTE)
    boxes = classed(boxes, states)
    found = class_faults(classes) + _state_faults(boxes, states, classes, others)
    found += _image_faults(fields, boxes, unboxed)
    lacking = "" if (boxes["label"] == classes[1]).any() else classes[1]
    refuse(found, ROUTE, _remedy({fault.code for fault in found}, lacking))

    images = fields["image"]
    cells = boxes["image"].value_counts().reindex(images, fill_value=0)
    sure, unsure = (
        boxes.loc[which, "image"].value_counts().reindex(images, fill_value=0)
        for which in (boxes["label"] == classes[1], boxes["label"].isna())
    )
    positive = sure >= at_least
    undecided = ~positive & (sure + unsure >= at_least)
    left_out = undecided | ((cells == 0) & (unboxed == "drop"))
    kept = ~left_out
    if positive[kept].nunique() < 2:
        refuse([_one_class(positive[kept], classes, at_least)], ROUTE, _remedy({"one-class"}))
    labels = positive[kept].map({False: classes[0], True: classes[1]})
    table = label_table(
        pd.DataFrame({"image": labels.index}), labels.tolist(), ROUTE, sure[kept].tolist()
    )
    counts = (
        Count("images", len(fields)),
        Count("boxes", len(boxes)),
        Count("state without a class, dropped", int(boxes["label"].isna().sum())),
        Count("images undecided without these, dropped", int(undecided.sum())),
        Count(
            "images without a box" + (", dropped" if unboxed == "drop" else ""),
            int((cells == 0).sum()),
        ),
        *class_counts(table, classes),
    )
    few = int(((sure > 0) & ~positive & kept).sum())
    empty = int(((cells == 0) & kept).sum())
    return Labels(table, counts, tuple(_notes(classes, at_least, few, empty)))


def classed(boxes: pd.DataFrame, states: Mapping[str, str]) -> pd.DataFrame:
    """`boxes` with a column label: the class of each cell's state, empty where none is said."""
    mapping = {str(value).strip(): str(name) for value, name in states.items()}
    return boxes.assign(label=as_text(boxes["kind"]).map(mapping).astype("str"))


def _state_faults(
    boxes: pd.DataFrame, states: Mapping[str, str], classes: tuple[str, str], others: Others
) -> list[Fault]:
    kinds = as_text(boxes["kind"])
    known = sorted(kinds.dropna().unique())
    found = [
        Fault("unknown-value", f"states, {value!r}", f"no box has it; {near(value, known)}")
        for value in (str(state).strip() for state in states)
        if value not in known
    ]
    for value, name in states.items():
        if name not in classes:
            text = f"class {name!r} is neither {classes[0]} (negative) nor {classes[1]} (positive)"
            found.append(Fault("other-class", f"states, {value!r}", text))
    if classes[1] not in states.values():
        text = f"no state has the positive class {classes[1]!r}; states of the boxes: "
        found.append(Fault("no-positive", "states", text + listed(known)))
    if others == "refuse" and boxes["label"].isna().any():
        without = listed(kinds[boxes["label"].isna()].fillna("(empty)").unique())
        found.append(Fault("unmapped-value", "kind", f"no class is said for {without}"))
    placed = boxes.dropna(subset=["label"])
    places = ["image", *BOX]
    clash = placed[placed.groupby(places)["label"].transform("nunique") > 1]
    for (image, *corners), rows in clash.groupby(places, sort=False):
        at = ", ".join(f"{corner}" for corner in corners)
        text = f"({at}) is {' and '.join(rows['kind'].unique())} at once"
        found.append(Fault("two-classes", f"{image}, rows {listed(rows.index)}", text))
    return found


def _image_faults(fields: pd.DataFrame, boxes: pd.DataFrame, unboxed: Unboxed) -> list[Fault]:
    images = fields["image"].tolist()
    found = []
    empty = boxes.index[boxes["image"].isna()]
    if len(empty):
        found.append(Fault("empty-value", "image", f"rows {listed(empty)} name no image"))
    unknown = boxes.loc[~boxes["image"].isin(images) & boxes["image"].notna(), "image"]
    for image, rows in unknown.groupby(unknown, sort=False):
        text = f"rows {listed(rows.index)}; the study has no such image; {near(image, images)}"
        found.append(Fault("unknown-image", str(image), text))
    without = [image for image in images if image not in set(boxes["image"])]
    if without and unboxed == "refuse":
        text = f"{len(without)} of {len(images)} images have no box: {listed(without)}"
        found.append(Fault("no-box", "image", text))
    return found


def _one_class(positive: "pd.Series[bool]", classes: tuple[str, str], at_least: int) -> Fault:
    least = "a cell" if at_least == 1 else f"{at_least} cells"
    if positive.empty:
        return Fault("one-class", "boxes", "no image is left to label")
    which = f"all {len(positive)} images hold" if positive.all() else "no image holds"
    missing = classes[0] if positive.all() else classes[1]
    text = f"{which} {least} of class {classes[1]!r}, so that none is {missing}"
    return Fault("one-class", "boxes", f"{text}; two classes are needed to tell apart")


def _remedy(codes: set[str], lacking: str = "") -> str:
    """What to do about faults of these codes, and about a class that no box has."""
    parts = {
        "no-box": "give --unboxed negative if images without a box were looked at and hold no such"
        " cell, --unboxed drop if nobody looked at them",
        "unmapped-value": "name a class for every state, or give --others drop",
        "one-class": "take images with and without such cells, or another --at-least or --unboxed",
    }
    said = [text for code, text in parts.items() if code in codes]
    if codes - set(parts):
        said.insert(0, "correct the boxes, their images' names or the classes of states")
    if lacking:
        said.append(
            f"no box is of class {lacking!r}: check how its states are written, or add images that"
            " hold such cells, with their boxes"
        )
    return "; ".join(said)


def _notes(classes: tuple[str, str], at_least: int, few: int, empty: int) -> list[str]:
    found = []
    if empty:
        found.append(
            f"{empty} images without a box are taken for {classes[0]}: right only if they were"
            " looked at and hold no such cell"
        )
    if few:
        found.append(
            f"{few} images with fewer than {at_least} cells of class {classes[1]} are taken for"
            f" {classes[0]}"
        )
    return found
