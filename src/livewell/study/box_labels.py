"""Labels of images by the cells boxed in them, from a CSV to the study."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.detection.box_tables import box_faults, checked_boxes
from livewell.errors import Fault, TableError
from livewell.labels.by_boxes import Unboxed, by_boxes, classed
from livewell.labels.made import Labels, Others, listed
from livewell.study.boxes import BOXED_CELLS, CORNERS, read_boxes
from livewell.study.study import Study

_REMEDIES = {
    "several-frames": "index frames one by one, each a file of its own",
    "no-area": "correct boxes without area: a box ends beyond the row and column where it begins",
    "outside": "correct boxes outside their image, or their image's name",
    "beyond-edge": "correct boxes that reach beyond their image, or give --clip to cut them there",
}
"""What to do about faults that only the images can show, by their code."""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Label images by whether they hold a cell of the positive class (WSCNN's weak labels).

    Parameters
    ----------
    csv
        One row a cell: the image, its state and its box.
    classes
        Class of each state.
    image, state, corners
        Names of the columns; corners in the order of `livewell.study.boxes.CORNERS`, half-open.
    at_least
        So many cells of the positive class make an image positive.
    unboxed
        Images without any box: refused, negative, or left out.
    others
        Cells whose state is empty or has no class: refused, or left out.
    clip
        Boxes that reach beyond their image are cut at its edge instead of refused.
    """

    csv: Path
    classes: Mapping[str, str]
    image: str = "image"
    state: str = "state"
    corners: tuple[str, str, str, str] = CORNERS
    at_least: int = 1
    unboxed: Unboxed = "refuse"
    others: Others = "refuse"
    clip: bool = False


def sizes_of(headers: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """(height, width) of every image in pixels, by `schemas.HEADERS`."""
    rows = headers[["image", "height", "width"]].itertuples(index=False)
    return {str(image): (int(height), int(width)) for image, height, width in rows}


def label_boxes(
    study: Study, route: Boxes, classes: tuple[str, str]
) -> tuple[Labels, pd.DataFrame]:
    """Labels of a study's images, and the checked boxes that they were made from (`BOXED_CELLS`).

    Every fault of boxes, states and images is refused, also boxes without area or outside their
    image, and boxes on an image of several frames, for they do not say on which.
    """
    boxes = read_boxes(route.csv, image=route.image, state=route.state, corners=route.corners)
    headers = study.headers()
    sizes = sizes_of(headers)
    # images that the study has not are named by the labels, with what comes near
    placed = boxes["image"].isin(sizes)
    # an empty state is no fault of the box
    known = boxes[placed].fillna({"kind": "(empty)"})
    found = _movie_faults(boxes, headers) + box_faults(known, sizes, clip=route.clip)
    remedies = [text for code, text in _REMEDIES.items() if code in {fault.code for fault in found}]
    if not found:
        checked = checked_boxes(known, sizes, str(route.csv), clip=route.clip)
        boxes = pd.concat([checked.assign(kind=boxes.loc[placed, "kind"]), boxes[~placed]])
    try:
        labelled = by_boxes(
            study.fields(),
            boxes,
            route.classes,
            classes,
            at_least=route.at_least,
            unboxed=route.unboxed,
            others=route.others,
        )
    except TableError as error:
        found += error.faults
        remedies.append(error.remedy)
    where = str(route.csv)
    if found:
        raise TableError("no labels by boxes", found, where=where, remedy="; ".join(remedies))
    # two boxes may have become one where they were cut
    remedy, boxes = "leave one of them out", classed(boxes, route.classes)
    return labelled, BOXED_CELLS.check(boxes, where=where, remedy=remedy)


def _movie_faults(boxes: pd.DataFrame, headers: pd.DataFrame) -> list[Fault]:
    several = headers.loc[headers["frames"] > 1, "image"]
    boxed = several[several.isin(boxes["image"])].tolist()
    text = f"boxes do not say on which of several frames they lie: {listed(boxed)}"
    return [Fault("several-frames", "image", text)] if boxed else []
