"""Labels of patches centred on given points, such as nuclei with a known state."""

from collections.abc import Mapping

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import (
    Count,
    Labels,
    Others,
    as_text,
    class_counts,
    class_faults,
    column_faults,
    label_table,
    listed,
    near,
    refuse,
)
from livewell.region import centred
from livewell.tables.schemas import KEY, key_table

ROUTE = "points"


def by_points(
    points: pd.DataFrame,
    states: Mapping[str, str],
    shapes: Mapping[str, tuple[int, int]],
    size_px: int,
    *,
    others: Others = "refuse",
    y: str = "y",
    x: str = "x",
    state: str = "state",
    score: str | None = None,
) -> Labels:
    """Label a patch centred on each point by the point's state.

    Parameters
    ----------
    points
        One row a point: columns image, `y`, `x` (pixels), `state`; t where images have several
        frames (otherwise frame 0), and `score`.
    states
        Class of each state.
    shapes
        (height, width) of every image, pixels.
    size_px
        Edge of a patch; near an edge it reaches beyond the image.
    others
        Points whose state is empty or has no class: refused (and listed), or left out.
    y, x, state, score
        Names of the columns; `score`, if named, becomes the labels' score.

    Returns
    -------
    Labels
        One label a patch; points of one class that share a patch give one label.

    Raises
    ------
    TableError
        Holding every fault: column not there, image unknown, point not a number or outside its
        image, state without a class or not in the table, two classes on one patch.
    GeometryError
        Size below one pixel.
    """
    needed = ["image", y, x, state, *([score] if score else [])]
    refuse(column_faults(points, needed), ROUTE)
    points = points.reset_index(drop=True)
    texts = as_text(points[state])
    mapping = {str(value).strip(): str(name) for value, name in states.items()}
    labels = texts.map(mapping)
    found = class_faults(mapping) + _place_faults(points, shapes, y, x)
    found += [
        Fault("unknown-value", f"states, {value!r}", f"no point has it; {near(value, texts)}")
        for value in mapping
        if value not in set(texts.dropna())
    ]
    if others == "refuse" and labels.isna().any():
        without = listed(texts[labels.isna()].fillna("(empty)").unique())
        found.append(Fault("unmapped-value", state, f"no class is said for {without}"))
    refuse(found, ROUTE, "correct the points, or say that others are dropped")
    kept = points[labels.notna()].assign(label=labels[labels.notna()])
    patches = _patches(kept, size_px, y, x, score)
    clash = patches[patches.groupby(KEY)["label"].transform("nunique") > 1]
    found += [
        Fault("two-classes", f"{image}, frame {t}", f"{rows['label'].nunique()} at one place")
        for (image, t, *_), rows in clash.groupby(KEY)
    ]
    refuse(found, ROUTE, "decide on one state, or drop these points")
    once = patches.drop_duplicates(KEY)
    table = label_table(once, once["label"].tolist(), ROUTE, once["score"])
    counts = (
        Count("points", len(points)),
        Count("state without a class, dropped", int(labels.isna().sum())),
        Count("same patch as another point", len(patches) - len(once)),
        *class_counts(table, dict.fromkeys(mapping.values())),
    )
    return Labels(table, counts)


def _place_faults(
    points: pd.DataFrame, shapes: Mapping[str, tuple[int, int]], y: str, x: str
) -> list[Fault]:
    found = []
    unknown = [image for image in points["image"].dropna().unique() if image not in shapes]
    for image in unknown:
        found.append(Fault("unknown-image", str(image), near(image, shapes)))
    if points["image"].isna().any():
        rows = listed(points.index[points["image"].isna()])
        found.append(Fault("empty-value", "image", f"rows {rows} name no image"))
    numbers = points[[y, x]].apply(pd.to_numeric, errors="coerce").astype("float64")
    wrong = numbers.isna().any(axis=1)
    if wrong.any():
        rows = listed(points.index[wrong])
        found.append(Fault("wrong-type", f"{y}, {x}", f"not numbers in rows {rows}"))
    frames = pd.to_numeric(points["t"], errors="coerce") if "t" in points else pd.Series(0.0)
    wrong_t = frames.isna() | (frames % 1 != 0) | (frames < 0)
    if wrong_t.any():
        rows = listed(points.index[wrong_t])
        found.append(Fault("wrong-type", "t", f"not the number of a frame in rows {rows}"))
    for row, image, (at_y, at_x) in zip(
        points.index, points["image"], numbers.to_numpy(), strict=True
    ):
        height, width = shapes.get(image, (float("inf"), float("inf")))
        if at_y < 0 or at_x < 0 or at_y >= height or at_x >= width:
            text = f"({at_y:g}, {at_x:g}) is not in {image} of {height} x {width} pixels"
            found.append(Fault("outside", f"row {row}", text))
    return found


def _patches(points: pd.DataFrame, size_px: int, y: str, x: str, score: str | None) -> pd.DataFrame:
    frames = points["t"].astype("int64") if "t" in points else pd.Series(0, index=points.index)
    places = points[[y, x]].astype("float64").to_numpy()
    keys = key_table(
        patch
        for image, t, (at_y, at_x) in zip(points["image"], frames, places, strict=True)
        for patch in centred(str(image), int(t), [(float(at_y), float(at_x))], size_px)
    )
    keys["label"] = points["label"].tolist()
    keys["score"] = points[score].tolist() if score else float("nan")
    return keys
