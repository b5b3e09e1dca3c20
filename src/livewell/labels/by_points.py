"""Labels of patches centred on given points, such as nuclei with a known state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from livewell.labels.point_columns import Unit, read_points
from livewell.names import AnyPath
from livewell.region import centred
from livewell.study.cells import pointed
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
        One row a point: columns image, `y`, `x`, `state`; t, from 0, where images have several
        frames, and `score`. Tables of QuPath, CellProfiler, ilastik, TrackMate and ImageJ are
        known too, once they have columns image and `state`.
    classes
        Class of each state.
    patch_px
        Edge of a patch; near an edge it reaches beyond the image.
    y, x, state, score
        Names of the columns; `score`, if named, becomes the labels' score.
    unit
        Of `y` and `x`, px or um, where the names of the columns do not say it. Micrometres are
        divided by the image's pixel size.
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
    unit: Unit | None = None

    def make(self, request: Request) -> Labels:
        """The labels, of the CSV and the sizes of the study's images."""
        headers, where = request.study.headers(), str(self.csv)
        table = read_metadata(self.csv).table
        if self.score is not None and self.score in table:
            table = table.assign(**{self.score: pointed(table[self.score])})
        points = read_points(table, headers, self.y, self.x, self.unit)
        if any(fault.code in ("missing-column", "several-columns") for fault in points.faults):
            refuse(points.faults, self.name, "name the columns as they stand in the file", where)
        sizes = sizes_of(headers)
        made = by_points(points.table, self, sizes, points.faults, where, request.least)
        return replace(made, notes=(*made.notes, *points.notes))


def by_points(
    points: pd.DataFrame,
    route: Points,
    sizes: Mapping[str, tuple[int, int]],
    faults: Sequence[Fault] = (),
    where: str = "labels",
    least: int = 2,
) -> Labels:
    """One label a patch; points of one class that share a patch give one label.

    `points` are in pixels; `sizes` holds (height, width) of every image in pixels; `faults` of the
    table are known already, and told with the others. There are `least` classes or more.
    """
    needed = ["image", route.y, route.x, route.state, *([route.score] if route.score else [])]
    if lacking := column_faults(points, needed):
        refuse([*faults, *lacking], route.name, "name the columns as they stand in the file", where)
    states, classes = as_text(points[route.state]), stripped(route.classes)
    labels = states.map(classes)
    found = [*faults, *class_faults(classes, least), *_position_faults(points, route, sizes)]
    found += state_faults(states, classes, "point", route.others)
    others = all(fault.code == "unmapped-value" for fault in found)
    remedy = (
        "say their class with --class, or --others drop"
        if others
        else "correct these rows, or the options"
    )
    refuse(found, route.name, remedy, where)
    patches = _patches(points[labels.notna()], labels.dropna(), route)
    clash = patches[patches.groupby(KEY)["label"].transform("nunique") > 1]
    found = [
        Fault(
            "two-classes", f"{image}, frame {t}", f"{rows['label'].nunique()} classes on one patch"
        )
        for (image, t, *_), rows in clash.groupby(KEY)
    ]
    refuse(found, route.name, "decide on one state, or drop these points", where)
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
    scores = points[route.score] if route.score else pd.Series(0.0, index=points.index)
    no_score = scores.notna() & pd.to_numeric(scores, errors="coerce").isna()
    for code, where, text, rows in (
        ("empty-value", "image", "rows {} name no image", points["image"].isna()),
        ("wrong-type", f"{route.y}, {route.x}", "not numbers in rows {}", no_number),
        ("wrong-type", str(route.score), "not numbers in rows {}", no_score),
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
