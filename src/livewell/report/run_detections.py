"""Whether the detections of a run's nets are right, on frames that they never learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.detection.matching import best_threshold
from livewell.detection.places import FROM_LABELS, MatchedDetections, held, place_figures
from livewell.errors import StudyError
from livewell.files import write_json
from livewell.geometry import Box
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.inference.run_detections import STEPS, found_in, seen
from livewell.progress import task
from livewell.report.galleries import MarkedFrame
from livewell.report.page import Note, Section, info
from livewell.report.places import PlacesResults, headline, places_sections
from livewell.study.runs import label_hash
from livewell.tables.results import write_csv
from livewell.tables.schemas import BOX, KEY
from livewell.text import printable

PLACES_FILES = ("places.json", "detections.csv")
BY_LOT, WORST = 4, 2
"""Frames shown: drawn by lot among those with objects, and those with the most errors."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameFigure:
    """One frame (h, w) in the file's number type and what is called in it, in pixels of the image.

    `places` (n, 2) are rows and columns of all that reach their model's threshold, `mask` (h, w)
    their pixels.
    """

    grey: NDArray[Any]
    places: NDArray[np.float64]
    mask: NDArray[np.bool_]


def pictured(
    tested: EvaluationSet, models: Mapping[int, Model], rows: pd.DataFrame
) -> dict[object, FrameFigure]:
    """Frames and what their own fold's model calls in them, by label of the row.

    Rows have columns fold and `schemas.KEY`, and an index of different labels.
    """
    found: dict[object, FrameFigure] = {}
    for fold, part in rows.groupby("fold", sort=True):
        model = models[int(str(fold))]
        for each in seen(tested, model, part[KEY]):
            row = part.iloc[each.row]
            grey = tested.pixels.frame(str(row["image"]), int(row["t"]))
            called = each.inside & (each.found.score >= model.least())
            peaks = np.stack([each.found.y, each.found.x], axis=1)[called]
            mask = _in_image(each.mask(model.least()), each.found.window, grey.shape)
            found[part.index[each.row]] = FrameFigure(grey, peaks, mask)
    return found


def _in_image(mask: NDArray[np.bool_], window: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """A window's mask in pixels of the image that it shows."""
    whole = np.zeros(shape, dtype=bool)
    shared = window.common(Box.of(0, 0, *shape))
    if shared is not None:
        y0, x0, y1, x1 = shared.corners
        top, left = window.y.start, window.x.start
        whole[shared.slices] = mask[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole


@dataclass(frozen=True, slots=True)
class Where:
    """What is known of where a run's nets see the positive class, for tables, JSON and the page.

    `detections` are those in test frames, `inference.run_detections.FOUND`, and whether each is
    right (0 or 1); ``None`` where nothing could be held against boxes.
    """

    detections: pd.DataFrame | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Defined figures at the threshold from labels, as a card has them."""
        found = self.figures["thresholds"][FROM_LABELS] if self.figures else {}
        names = ("precision", "recall", "f1")
        rows = [{"name": f"place_{name}", **found[name]} for name in names if found]
        return [row for row in rows if not np.isnan(row["value"])]

    def write(self, folder: Path) -> None:
        """Write `PLACES_FILES`, where detections were held against boxes."""
        if self.detections is not None:
            write_json(folder / PLACES_FILES[0], self.figures)
            write_csv(folder / PLACES_FILES[1], self.detections)


def where(tested: EvaluationSet, models: Mapping[int, Model], noun: str, *, seed: int) -> Where:
    """Hold the detections in all test frames against boxes, where the labels were made from boxes.

    Nothing is said of patches, nor of another study: thresholds come from validation groups. There
    are no models where the nets give no detections. The seed is of resampling, and of the frames
    shown.
    """
    positive = tested.classes[1]
    if tested.run is None or tested.meta.patch_px:
        return Where()
    if not models:
        text = f"A net with a fully connected head does not tell where it sees class {positive}."
        if not tested.classes.binary:
            text = "Detections are of one class against another; here there are more classes."
        return Where(notes=(info(text),))
    boxes = _boxes(tested)
    if isinstance(boxes, str):
        text = (
            f"Detections of class {positive} are not checked: {boxes}. Box some cells and label"
            " with livewell label boxes to have them measured."
        )
        return Where(notes=(info(text),))
    names = ("validation", "test")
    parts = {(fold, name): tested.part(name, fold) for fold in models for name in names}
    tables, shares, moved = [], [], {}
    looks = len(STEPS) * sum(len(part) for part in parts.values())
    with task("looking for detections", total=looks) as tick:
        for fold, model in models.items():
            known, part = parts[fold, "validation"], parts[fold, "test"]
            places, _ = found_in(tested, fold, model, known, boxes[:0], tick)
            judged = held(places, known, boxes, positive)
            moved[fold] = best_threshold(judged.places, judged.objects, judged.images)
            of = part.loc[(part["label"] == positive) & (part["t"] == 0), "image"]
            inside = boxes[boxes["image"].isin(of) & boxes["label"].notna()]
            places, covered = found_in(tested, fold, model, part, inside, tick)
            tables.append(places)
            shares.append(covered)
    frames = pd.concat([parts[fold, "test"] for fold in models], ignore_index=True)
    covered = pd.concat(shares)
    judged = held(pd.concat(tables, ignore_index=True), frames, boxes, positive)
    figures = place_figures(judged, moved, covered, positive, seed=seed)
    holding = judged.objects["image"].nunique()
    remarks = [
        f"Detections were looked for down to {STEPS[-1]:g} below the first threshold in calibrated"
        " log odds; there the curves end."
    ]
    if judged.unknown:
        unknown = f"{judged.unknown:,} detections on cells whose state is not known"
        remarks.append(f"{unknown} are neither right nor wrong.")
    results = PlacesResults(
        positive=positive,
        noun=noun,
        group_name=tested.meta.by.replace("_", " "),
        images=len(judged.images),
        holding=holding,
        objects=len(judged.objects),
        others=judged.others,
        folds=len(models),
        figures=figures,
        frames=_shown(tested, models, judged, frames, seed),
        remarks=remarks,
        by_lot=min(BY_LOT, holding),
        unmarked=float((covered["kind"] != positive).mean()),
    )
    said = {
        "kind": "places",
        "positive": positive,
        "images": results.images,
        "images_with_objects": holding,
        "objects": results.objects,
        "other_boxes": results.others,
        "places_on_unknown_cells": judged.unknown,
        "looked_below_threshold": STEPS[-1],
        "log_odds": [
            {"fold": fold, "from_labels": model.least(), "from_boxes": model.least(-moved[fold])}
            for fold, model in models.items()
        ],
        **figures.as_json(),
    }
    # detections as they are written, in pixels of the image
    table = judged.places.drop(columns=["image", "score", "object"])
    table = table.rename(columns={"file": "image", "log_odds": "score"})
    table = table.assign(right=table["right"].astype(int))
    return Where(table, said, tuple(places_sections(results)), (info(headline(results)),))


def _boxes(tested: EvaluationSet) -> pd.DataFrame | str:
    """The boxes that the labels were made from, or why there are none."""
    name = tested.meta.labels
    try:
        boxes = tested.study.boxes(name)
    except StudyError:
        return f"the labels {name!r} were not made from boxes"
    if label_hash(tested.study, name) != tested.meta.labels_sha256:
        return f"the labels {name!r} and their boxes were made anew after the split"
    return boxes


def _shown(
    tested: EvaluationSet,
    models: Mapping[int, Model],
    judged: MatchedDetections,
    frames: pd.DataFrame,
    seed: int,
) -> list[MarkedFrame]:
    """Some frames with what is right, wrong and missed at the first threshold."""
    named = frames.set_index(judged.images["image"].to_numpy())
    called = judged.places[judged.places["called"] == 1]
    seen = set(called.loc[called["right"], "object"])
    missed = judged.objects[~judged.objects.index.isin(seen)]
    errors = called.loc[~called["right"], "image"].value_counts()
    errors = errors.add(missed["image"].value_counts(), fill_value=0)
    errors = errors.sort_index().sort_values(ascending=False, kind="stable")
    holding = np.sort(judged.objects["image"].unique())
    by_lot = np.random.default_rng(seed).permutation(holding)[:BY_LOT].tolist()
    chosen = by_lot + [name for name in errors.index if name not in by_lot][:WORST]
    drawn = pictured(tested, models, named.loc[chosen])
    made = []
    for name in chosen:
        mine = called[called["image"] == name]
        boxes = judged.objects[judged.objects["image"] == name]
        found, right = boxes.index.isin(seen), mine["right"].to_numpy(bool)
        corners, peaks = boxes[BOX].to_numpy(np.int64), mine[["y", "x"]].to_numpy(float)
        counts = f"{right.sum()} right, {(~right).sum()} wrong, {(~found).sum()} missed"
        marks: dict[str, Any] = {"right": peaks[right], "wrong": peaks[~right]}
        marks |= {"found": corners[found], "missed": corners[~found], "mask": drawn[name].mask}
        made.append(MarkedFrame(drawn[name].grey, f"{printable(name)}\n{counts}", **marks))
    return made
