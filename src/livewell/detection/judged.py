"""Images that were judged, what was found in them and what is there, checked whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import Fault, TableError
from livewell.metrics.outcomes import Floats

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
_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class JudgedImages:
    """Matched detections beside the objects, as arrays.

    Parameters
    ----------
    score, right, place
        Of every detection its score, whether it is right, and the number of its image; shape
        (detections,).
    sought
        Number of objects in every image, shape (images,).
    group
        Name of every image's group, shape (images,).
    """

    score: Floats
    right: NDArray[np.bool_]
    place: NDArray[np.int64]
    sought: NDArray[np.int64]
    group: NDArray[np.str_]

    @classmethod
    def of(cls, matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> "JudgedImages":
        """From what `livewell.detection.matching.matched` gave, and the tables that it was given.

        Raises
        ------
        TableError
            Holding every fault: detections that were not matched with these objects, objects of
            several kinds, images that were not judged, stand twice or have no group.
        """
        listed = listed_images(images)
        faults = detection_faults(matched, listed, ("image", "score", "right"))
        faults += object_faults(objects, listed)
        if faults:
            raise TableError("not matched detections", faults)
        number = pd.Index(listed["image"])
        place, held = (
            number.get_indexer(pd.Index(table["image"].astype("str"))).astype(np.int64)
            for table in (matched, objects)
        )
        right = matched["right"].to_numpy(bool)
        sought = np.bincount(held, minlength=len(number)).astype(np.int64)
        if (np.bincount(place[right], minlength=len(number)) > sought).any():
            text = "more right detections than objects in an image: these are other objects"
            raise TableError("not matched detections", [Fault("not-matched", "right", text)])
        group = listed["group"].to_numpy(str)
        return cls(numbers(matched["score"]), right, place, sought, group)

    @property
    def objects(self) -> int:
        """Number of all objects."""
        return int(self.sought.sum())


def listed_images(images: Images) -> pd.DataFrame:
    """Columns image and group of all images, as text.

    Raises
    ------
    TableError
        Holding every fault: no image at all, an image without a name or twice, an empty group.
    """
    given = images if isinstance(images, pd.DataFrame) else pd.DataFrame({"image": list(images)})
    if "image" not in given:
        raise TableError(
            "not a table of images", [Fault("missing-column", "image", "name of the image")]
        )
    table = given[["image", "group"]] if "group" in given else given[["image"]]
    faults = [
        Fault("empty-value", name, f"{int(table[name].isna().sum())} images without")
        for name in table.columns.tolist()
        if table[name].isna().any()
    ]
    table = table.astype("str").reset_index(drop=True)
    twice = table["image"][table["image"].duplicated()].dropna().unique().tolist()
    if twice:
        faults.append(Fault("duplicate-row", "image", f"{_some(twice)} stand more than once"))
    if faults or table.empty:
        raise TableError(
            "not a table of images", faults or [Fault("empty", "rows", "no image was judged")]
        )
    return table if "group" in table else table.assign(group=table["image"])


def detection_faults(
    detections: pd.DataFrame, listed: pd.DataFrame, needed: Iterable[str] = tuple(DETECTIONS)
) -> list[Fault]:
    """Columns that are missing or no finite numbers, and images that were not judged.

    Parameters
    ----------
    detections
        Columns `DETECTIONS`.
    listed
        What `listed_images` gave.
    needed
        Columns that have to be there.
    """
    faults = [
        Fault(
            "missing-column",
            name,
            DETECTIONS.get(name, "made by livewell.detection.matching.matched"),
        )
        for name in needed
        if name not in detections
    ]
    for name in [name for name in ("y", "x", "score") if name in detections and name in needed]:
        wrong = ~np.isfinite(numbers(detections[name]))
        if wrong.any():
            rows = _some(detections.index[wrong].tolist())
            faults.append(Fault("not-a-number", f"detections, {name}, rows {rows}", "not finite"))
    return faults + _unjudged(detections, listed, "detections")


def object_faults(objects: pd.DataFrame, listed: pd.DataFrame) -> list[Fault]:
    """Images that were not judged, several kinds, and an index that cannot name objects.

    A missing column is told by `livewell.detection.box_tables.box_faults`.
    """
    faults = _unjudged(objects, listed, "objects") if "image" in objects else []
    if "kind" in objects and len(kinds := objects["kind"].unique().tolist()) > 1:
        faults.append(
            Fault(
                "several-kinds",
                "objects, kind",
                f"{_some(kinds)}; keep the kind sought, such as"
                f" objects[objects['kind'] == {kinds[0]!r}]",
            )
        )
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
    named = _some(strange.astype("str").unique().tolist())
    return [Fault("no-such-image", f"{noun}, image", f"{named}: not among the images judged")]


def _some(values: list[object]) -> str:
    more = f", ... ({len(values)} in all)" if len(values) > _SHOWN else ""
    return ", ".join(str(value) for value in values[:_SHOWN]) + more
