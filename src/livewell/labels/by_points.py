"""Labels of patches centred on given points, such as nuclei with a known state."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import (
    Labels,
    Others,
    Request,
    Route,
    class_faults,
    refuse,
    state_faults,
    stripped,
)
from livewell.names import AnyPath
from livewell.region import centred
from livewell.study.metadata import read_metadata
from livewell.study.scale import sizes_of
from livewell.tables.faults import column_faults, listed, near
from livewell.tables.schemas import KEY, as_text, key_table


@dataclass(frozen=True, slots=True)
class Points(Route):
    """Label a patch centred on each point of a CSV by the point's state.

    Parameters
    ----------
    csv
        One row a point: columns image, `y`, `x` (pixels), `state`; t where images have several
        frames (otherwise frame 0), and `score`.
    classes
        Class of each state.
    patch_px
        Edge of a patch; near an edge it reaches beyond the image.
    y, x, state, score
        Names of the columns; `score`, if named, becomes the labels' score.
    others
        Points whose state is empty or has no class: refused (and listed), or left out.
    """

    csv: AnyPath
    classes: Mapping[str, str]
    patch_px: int
    y: str = "y"
    x: str = "x"
    state: str = "state"
    score: str | None = None
    others: Others = "refuse"

    def make(self, request: Request) -> Labels:
        """The labels, of the CSV and the sizes of the study's images."""
        return by_points(
            read_metadata(Path(self.csv)).table, self, sizes_of(request.study.headers())
        )


def by_points(points: pd.DataFrame, route: Points, sizes: Mapping[str, tuple[int, int]]) -> Labels:
    """One label a patch; points of one class that share a patch give one label.

    `sizes` holds (height, width) of every image in pixels.
    """
    needed = ["image", route.y, route.x, route.state, *([route.score] if route.score else [])]
    refuse(column_faults(points, needed), route.name)
    states, classes = as_text(points[route.state]), stripped(route.classes)
    labels = states.map(classes)
    found = class_faults(classes) + _position_faults(points, route, sizes)
    found += state_faults(states, classes, "point", route.others)
    refuse(found, route.name, "correct the points, or say that others are dropped")
    patches = _patches(points[labels.notna()], labels.dropna(), route)
    clash = patches[patches.groupby(KEY)["label"].transform("nunique") > 1]
    found = [
        Fault(
            "two-classes", f"{image}, frame {t}", f"{rows['label'].nunique()} classes on one patch"
        )
        for (image, t, *_), rows in clash.groupby(KEY)
    ]
    refuse(found, route.name, "decide on one state, or drop these points")
    once = patches.drop_duplicates(KEY)
    steps = {
        "points": len(points),
        "state without a class, dropped": int(labels.isna().sum()),
        "same patch as another point": len(patches) - len(once),
    }
    return Labels.of(route.name, once, once["label"], classes.values(), steps, score=once["score"])


def _position_faults(
    points: pd.DataFrame, route: Points, sizes: Mapping[str, tuple[int, int]]
) -> list[Fault]:
    found = [
        Fault("unknown-image", str(image), near(image, sizes))
        for image in points["image"].dropna().unique()
        if image not in sizes
    ]
    numbers = points[[route.y, route.x]].apply(pd.to_numeric, errors="coerce").astype("float64")
    frames = pd.to_numeric(points["t"], errors="coerce") if "t" in points else pd.Series(0.0)
    no_frame = frames.isna() | (frames % 1 != 0) | (frames < 0)
    no_number = numbers.isna().any(axis=1)
    for code, where, text, rows in (
        ("empty-value", "image", "rows {} name no image", points["image"].isna()),
        ("wrong-type", f"{route.y}, {route.x}", "not numbers in rows {}", no_number),
        ("wrong-type", "t", "not the number of a frame in rows {}", no_frame),
    ):
        if rows.any():
            found.append(Fault(code, where, text.format(listed(rows.index[rows]))))
    for row, image, (y, x) in zip(points.index, points["image"], numbers.to_numpy(), strict=True):
        height, width = sizes.get(image, (float("inf"), float("inf")))
        if y < 0 or x < 0 or y >= height or x >= width:
            text = f"({y:g}, {x:g}) is not in {image} of {height} x {width} pixels"
            found.append(Fault("outside", f"row {row}", text))
    return found


def _patches(points: pd.DataFrame, labels: "pd.Series[str]", route: Points) -> pd.DataFrame:
    numbers = points["t"] if "t" in points else pd.Series(0, index=points.index)
    frames = pd.to_numeric(numbers).astype("int64")
    middles = points[[route.y, route.x]].astype("float64").to_numpy()
    keys = key_table(
        patch
        for image, t, (y, x) in zip(points["image"], frames, middles, strict=True)
        for patch in centred(str(image), int(t), [(float(y), float(x))], route.patch_px)
    )
    keys["label"] = labels.tolist()
    keys["score"] = points[route.score].tolist() if route.score else float("nan")
    return keys
