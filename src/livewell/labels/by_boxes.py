"""Labels of whole images by the cells boxed in them: at least one dead cell, or none."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd

from livewell.detection.box_tables import box_faults, checked_boxes
from livewell.errors import Fault, SpecError, TableError
from livewell.labels.made import (
    Labels,
    Others,
    Request,
    Route,
    refuse,
    state_faults,
    stripped,
    two_classes,
)
from livewell.names import AnyPath
from livewell.study.boxes import BOXED_CELLS, CORNERS, read_boxes
from livewell.study.naming import images_of
from livewell.study.regions import BY_BOXES
from livewell.study.scale import sizes_of
from livewell.tables.faults import listed, near
from livewell.tables.schemas import BOX, as_text

Unboxed = Literal["negative", "drop", "refuse"]
"""What an image without a box is: looked at and without a cell, left out, or an error.

A table of boxes alone cannot tell an image without a cell from one that nobody looked at.
"""
_REMEDIES = {
    "ambiguous-file": "write the whole path of images whose names stand in several folders",
    "several-frames": "index frames one by one, each a file of its own",
    "no-area": "correct boxes without area: a box ends beyond the row and column where it begins",
    "outside": "correct boxes outside their image, or their image's name",
    "beyond-edge": "correct boxes that reach beyond their image, or give --clip to cut them there",
    **dict.fromkeys(
        ("unknown-value", "other-class", "no-positive", "two-classes", "unknown-image"),
        "correct the boxes, their images' names or the classes of states",
    ),
    "no-box": "give --unboxed negative if images without a box were looked at and hold no such"
    " cell, --unboxed drop if nobody looked at them",
    "unmapped-value": "name a class for every state, or give --others drop",
    "one-class": "take images with and without such cells, or another --at-least or --unboxed",
}
"""What to do about faults, by their code."""


@dataclass(frozen=True, slots=True)
class Boxes(Route):
    """Label images by whether they hold a cell of the positive class (WSCNN's weak labels).

    Parameters
    ----------
    csv
        One row a cell: the image, its state and its box.
    classes
        Class of each state; some state has the positive one.
    image, state, corners
        Names of the columns; corners in the order of `livewell.study.boxes.CORNERS`, half-open.
    at_least
        So many cells of the positive class make an image positive.
    unboxed
        Images without any box: refused, negative, or left out.
    others
        Cells whose state is empty or has no class: refused (and listed), or left out. An image
        whose label hangs on such cells is then left out too: an unsure cell is no negative image.
    clip
        Boxes that reach beyond their image are cut at its edge instead of refused.

    Notes
    -----
    Source: Sailem et al. 2017 (WSCNN) train on whether an image holds a rare phenotype at all, and
    measure afterwards, with boxes, where the net looked.
    """

    csv: AnyPath
    classes: Mapping[str, str]
    image: str = "image"
    state: str = "state"
    corners: tuple[str, str, str, str] = CORNERS
    at_least: int = 1
    unboxed: Unboxed = "refuse"
    others: Others = "refuse"
    clip: bool = False

    @property
    def name(self) -> str:
        """By which `livewell.study.regions` knows such labels."""
        return BY_BOXES

    def make(self, request: Request) -> Labels:
        """The labels, of the CSV and the study's images, with the checked boxes beside them."""
        classes = two_classes(request.classes, self.name)
        boxes = read_boxes(Path(self.csv), image=self.image, state=self.state, corners=self.corners)
        headers, where = request.study.headers(), str(self.csv)
        sizes = sizes_of(headers)
        # images that the study has not are named by the labels, with what comes near
        boxes["image"], twice, notes = images_of(boxes["image"], sizes)
        placed = boxes["image"].isin(sizes)
        # an empty state is no fault of the box
        known = boxes[placed].fillna({"kind": "(empty)"})
        found = twice + box_faults(known, sizes, clip=self.clip)
        movies = headers.loc[headers["frames"] > 1, "image"]
        boxed = movies[movies.isin(boxes["image"])]
        if len(boxed):
            text = f"boxes do not say on which of several frames they lie: {listed(boxed)}"
            found.insert(0, Fault("several-frames", "image", text))
        remedies = _remedies(found)
        if not found:
            checked = checked_boxes(known, sizes, where, clip=self.clip)
            boxes = pd.concat([checked.assign(kind=boxes.loc[placed, "kind"]), boxes[~placed]])
        try:
            labelled = by_boxes(request.study.fields(), boxes, self, classes)
        except TableError as error:
            found += error.faults
            remedies.append(error.remedy)
        if found:
            raise TableError(
                f"no labels by {self.name}", found, where=where, remedy="; ".join(remedies)
            )
        # two boxes may have become one where they were cut
        kept = BOXED_CELLS.check(
            classed(boxes, self.classes), where=where, remedy="leave one of them out"
        )
        return replace(labelled, boxes=kept, notes=(*labelled.notes, *notes))


def by_boxes(
    fields: pd.DataFrame, boxes: pd.DataFrame, route: Boxes, classes: tuple[str, str]
) -> Labels:
    """One label an image; the score is the number of cells of the positive class.

    `boxes` has one row a cell: image, kind (its state), y0, x0, y1, x1.
    """
    least = route.at_least
    if least < 1:
        raise SpecError("a count below one", where="at_least", expected=">= 1", got=f"{least}")
    negative, positive = classes
    boxes = classed(boxes, route.classes)
    found = [*_state_faults(boxes, route, classes), *_image_faults(fields["image"], boxes, route)]
    remedies = _remedies(found)
    if not (boxes["label"] == positive).any():
        remedies.append(
            f"no box is of class {positive!r}: check how its states are written, or add images that"
            " hold such cells, with their boxes"
        )
    refuse(found, route.name, "; ".join(remedies))

    images = fields["image"]
    cells, called, unsure = (
        boxes.loc[which, "image"].value_counts().reindex(images, fill_value=0)
        for which in (boxes["image"].notna(), boxes["label"] == positive, boxes["label"].isna())
    )
    enough = called >= least
    undecided = ~enough & (called + unsure >= least)
    drop = route.unboxed == "drop"
    kept = ~undecided & ((cells > 0) | (not drop))
    if enough[kept].nunique() < 2:
        found = [_one_class(enough[kept], classes, least)]
        refuse(found, route.name, "; ".join(_remedies(found)))
    labels = enough[kept].map({False: negative, True: positive})
    steps = {
        "images": len(fields),
        "boxes": len(boxes),
        "state without a class, dropped": int(boxes["label"].isna().sum()),
        "images undecided without these, dropped": int(undecided.sum()),
        "images without a box" + (", dropped" if drop else ""): int((cells == 0).sum()),
    }
    notes = {
        f"images without a box are taken for {negative}: right only if they were looked at and hold"
        " no such cell": int(((cells == 0) & kept).sum()),
        f"images with fewer than {least} cells of class {positive} are taken for {negative}": int(
            ((called > 0) & ~enough & kept).sum()
        ),
    }
    return Labels.of(
        route.name,
        pd.DataFrame({"image": labels.index}),
        labels.tolist(),
        classes,
        steps,
        score=called[kept].tolist(),
        notes=[f"{count} {text}" for text, count in notes.items() if count],
    )


def classed(boxes: pd.DataFrame, states: Mapping[str, str]) -> pd.DataFrame:
    """`boxes` with a column label: the class of each cell's state, empty where none is said."""
    return boxes.assign(label=as_text(boxes["kind"]).map(stripped(states)).astype("str"))


def _remedies(faults: list[Fault]) -> list[str]:
    codes = {fault.code for fault in faults}
    return list(dict.fromkeys(text for code, text in _REMEDIES.items() if code in codes))


def _state_faults(boxes: pd.DataFrame, route: Boxes, classes: tuple[str, str]) -> Iterator[Fault]:
    kinds = as_text(boxes["kind"])
    yield from state_faults(kinds, stripped(route.classes), "box", route.others)
    for value, name in route.classes.items():
        if name not in classes:
            text = f"class {name!r} is neither {classes[0]} (negative) nor {classes[1]} (positive)"
            yield Fault("other-class", f"states, {value!r}", text)
    if classes[1] not in route.classes.values():
        text = f"no state has the positive class {classes[1]!r}; states of the boxes: "
        yield Fault("no-positive", "states", text + listed(sorted(kinds.dropna().unique())))
    place = ["image", *BOX]
    known = boxes.dropna(subset=["label"])
    clash = known[known.groupby(place)["label"].transform("nunique") > 1]
    for (image, *corners), rows in clash.groupby(place, sort=False):
        at = ", ".join(f"{corner}" for corner in corners)
        text = f"({at}) is {' and '.join(rows['kind'].unique())} at once"
        yield Fault("two-classes", f"{image}, rows {listed(rows.index)}", text)


def _image_faults(images: "pd.Series[str]", boxes: pd.DataFrame, route: Boxes) -> Iterator[Fault]:
    unknown = boxes.loc[~boxes["image"].isin(images) & boxes["image"].notna(), "image"]
    for image, rows in unknown.groupby(unknown, sort=False):
        text = f"rows {listed(rows.index)}; the study has no such image; {near(image, images)}"
        yield Fault("unknown-image", str(image), text)
    without = images[~images.isin(boxes["image"])]
    if len(without) and route.unboxed == "refuse":
        text = f"{len(without)} of {len(images)} images have no box: {listed(without)}"
        yield Fault("no-box", "image", text)


def _one_class(enough: "pd.Series[bool]", classes: tuple[str, str], at_least: int) -> Fault:
    least = "a cell" if at_least == 1 else f"{at_least} cells"
    if enough.empty:
        return Fault("one-class", "boxes", "no image is left to label")
    which = f"all {len(enough)} images hold" if enough.all() else "no image holds"
    missing = classes[0] if enough.all() else classes[1]
    text = f"{which} {least} of class {classes[1]!r}, so that none is {missing}"
    return Fault("one-class", "boxes", f"{text}; two classes are needed to tell apart")
