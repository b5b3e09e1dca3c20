"""Images that were judged, what was found in them and what is there: tables, checked whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import Fault, TableError, missing_columns
from livewell.metrics.outcomes import Floats
from livewell.text import few

DETECTIONS = {
    "image": "name of the image",
    "y": "row of the peak, pixels; pixel i covers [i, i + 1)",
    "x": "column of the peak, pixels",
    "score": "how sure the detection is; higher is surer",
}
"""Columns of a table of detections, one row a detection."""

Images = Sequence[str] | pd.DataFrame
"""All images that were judged, those without objects too: names, or a frame with the column image
and perhaps the column group. Without groups every image is a group of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionArrays:
    """Matched detections beside the objects, as arrays.

    `score`, `right` and `image` are of every detection its score, whether it is right, and the
    number of its image; `sought` and `group` are of every image the number of its objects and the
    name of its group.
    """

    score: Floats
    right: NDArray[np.bool_]
    image: NDArray[np.int64]
    sought: NDArray[np.int64]
    group: NDArray[np.str_]

    @classmethod
    def of(cls, matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> "DetectionArrays":
        """From what `livewell.detection.matching.matched` gave, and the tables that it was given.

        Refuses, all faults at once, detections that were not matched with these objects, objects of
        several kinds, and images that were not judged, stand twice or have no group.
        """
        listed = listed_images(images)
        faults = detection_faults(matched, listed, ("image", "score", "right"))
        faults += object_faults(objects, listed)
        if faults:
            raise TableError("not matched detections", faults)
        number = pd.Index(listed["image"])
        image, held = (
            number.get_indexer(pd.Index(table["image"].astype("str"))).astype(np.int64)
            for table in (matched, objects)
        )
        right = matched["right"].to_numpy(bool)
        sought = np.bincount(held, minlength=len(number)).astype(np.int64)
        if (np.bincount(image[right], minlength=len(number)) > sought).any():
            text = "more right detections than objects in an image: these are other objects"
            raise TableError("not matched detections", [Fault("not-matched", "right", text)])
        group = listed["group"].to_numpy(str)
        return cls(numbers(matched["score"]), right, image, sought, group)

    @property
    def objects(self) -> int:
        """Number of all objects."""
        return int(self.sought.sum())


def listed_images(images: Images) -> pd.DataFrame:
    """Columns image and group of all images, as text; every image is named, once, and grouped."""
    given = images if isinstance(images, pd.DataFrame) else pd.DataFrame({"image": list(images)})
    if faults := missing_columns(given, {"image": "name of the image"}):
        raise TableError("not a table of images", faults)
    table = given[["image", "group"]] if "group" in given else given[["image"]]
    faults = [
        Fault("empty-value", name, f"{int(table[name].isna().sum())} images without")
        for name in table.columns.tolist()
        if table[name].isna().any()
    ]
    table = table.astype("str").reset_index(drop=True)
    twice = table["image"][table["image"].duplicated()].dropna().unique().tolist()
    if twice:
        faults.append(Fault("duplicate-row", "image", f"{few(twice)} stand more than once"))
    if faults or table.empty:
        raise TableError(
            "not a table of images", faults or [Fault("empty", "rows", "no image was judged")]
        )
    return table if "group" in table else table.assign(group=table["image"])


def detection_faults(
    detections: pd.DataFrame, listed: pd.DataFrame, needed: Iterable[str] = tuple(DETECTIONS)
) -> list[Fault]:
    """Columns that are missing or no finite numbers, and images that are not listed."""
    made = "made by livewell.detection.matching.matched"
    faults = missing_columns(detections, {name: DETECTIONS.get(name, made) for name in needed})
    for name in [name for name in ("y", "x", "score") if name in detections and name in needed]:
        wrong = ~np.isfinite(numbers(detections[name]))
        if wrong.any():
            rows = few(detections.index[wrong])
            faults.append(Fault("not-a-number", f"detections, {name}, rows {rows}", "not finite"))
    return faults + _unjudged(detections, listed, "detections")


def object_faults(objects: pd.DataFrame, listed: pd.DataFrame) -> list[Fault]:
    """Images that are not listed, several kinds, and an index that cannot name objects.

    A missing column is a fault of `livewell.detection.box_tables.box_faults`.
    """
    faults = _unjudged(objects, listed, "objects") if "image" in objects else []
    if "kind" in objects and len(kinds := objects["kind"].unique().tolist()) > 1:
        text = (
            f"{few(kinds)}; keep the kind sought, such as objects[objects['kind'] == {kinds[0]!r}]"
        )
        faults.append(Fault("several-kinds", "objects, kind", text))
    labels = objects.index
    whole = pd.api.types.is_integer_dtype(labels.dtype) and labels.is_unique
    if len(objects) and not (whole and labels.min() >= 0):
        faults.append(Fault("wrong-index", "objects", "an index of different whole numbers from 0"))
    return faults


def numbers(values: "pd.Series[float]") -> Floats:
    """A column as floats; NaN where there is no number."""
    return np.asarray(pd.to_numeric(values, errors="coerce").astype("float64"), dtype=np.float64)


def _unjudged(table: pd.DataFrame, listed: pd.DataFrame, noun: str) -> list[Fault]:
    if "image" not in table:
        return [Fault("missing-column", f"{noun}, image", "name of the image")]
    strange = table["image"][~table["image"].astype("str").isin(listed["image"])]
    if strange.empty:
        return []
    named = few(strange.astype("str").unique())
    return [Fault("no-such-image", f"{noun}, image", f"{named}: not among the images judged")]
