"""Dead cells by darkness alone: what a rule without learning finds in a counting chamber."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.morphology import disk, opening

from benchmarks.result import shown
from livewell.detection.intervals import detection_estimates
from livewell.detection.matching import best_threshold, counts_at, matched
from livewell.inference.evaluation_set import EvaluationSet
from livewell.measure.peaks import peaks, smoothed
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.progress import task
from livewell.tables.schemas import BOX

SIGMA_PX, APART_PX = 3.0, 8
"""Smoothing and distance of places: about a third of a cell."""
PLAIN = (0,)
OPENED = (3, 5, 7, 9)
"""Radii of the disks by which darkness is opened, pixels; 0 for none."""
RULES = {
    "darkness threshold": PLAIN,
    "darkness of broad spots, radius and threshold from validation": OPENED,
}
DARKNESS = (
    f"Darkness: background less grey level, smoothed by {SIGMA_PX:g} px; peaks. Broad spots: opened"
    f" by a disk first, of {', '.join(map(str, OPENED[:-1]))} or {OPENED[-1]} px, whichever has the"
    " highest F1 on the fold's validation boxes, so that thin lines and rims of cells do not count."
)


@dataclass(frozen=True)
class _Known:
    """The images of one part of a fold, and the dead cells in them."""

    images: pd.DataFrame
    objects: pd.DataFrame

    def judged(self, listed: pd.DataFrame) -> pd.DataFrame:
        """Their places, and which are right."""
        mine = listed[listed["image"].isin(self.images["image"])]
        return matched(mine, self.objects, self.images)

    def best(self, listed: pd.DataFrame) -> tuple[float, float]:
        """The highest F1 of these places, and its threshold; above all where none is right."""
        judged = self.judged(listed)
        least = best_threshold(judged, self.objects, self.images)
        none = float(listed["score"].max()) + 1
        return counts_at(judged, self.objects, self.images, least).f1, min(least, none)


def darkness(tested: EvaluationSet, dead: pd.DataFrame, seed: int) -> list[list[str]]:
    """Rows of the table: every rule, its settings from boxes of validation images."""
    frames = tested.patches["image"].tolist()
    objects = dead[["image", "kind", *BOX]].reset_index(drop=True)
    listed: dict[int, list[pd.DataFrame]] = {radius: [] for radius in (*PLAIN, *OPENED)}
    with task("darkness", total=len(frames)) as tick:
        for image in frames:
            frame = tested.pixels.frame(image, 0).astype(np.float32)
            for radius, tables in listed.items():
                tables.append(dark_spots(frame, radius).assign(image=image))
            tick()
    spots = {radius: pd.concat(tables, ignore_index=True) for radius, tables in listed.items()}
    return [
        _row(told, {radius: spots[radius] for radius in radii}, tested, objects, seed)
        for told, radii in RULES.items()
    ]


def _row(
    told: str,
    spots: dict[int, pd.DataFrame],
    tested: EvaluationSet,
    objects: pd.DataFrame,
    seed: int,
) -> list[str]:
    found, scores = [], []
    for fold in sorted(int(number) for number in tested.folds["fold"].unique()):
        held, part = tested.part("validation", fold), tested.part("test", fold)
        known = _Known(
            held[["image", "group"]],
            objects[objects["image"].isin(held["image"])].reset_index(drop=True),
        )
        best = {radius: known.best(listed) for radius, listed in spots.items()}
        radius = max(best, key=lambda each: best[each][0])
        least = best[radius][1]
        mine = spots[radius][spots[radius]["image"].isin(part["image"])]
        found.append(mine.assign(score=mine["score"] - least))
        tops = mine.groupby("image")["score"].max()
        p = part["image"].map(tops).fillna(0).to_numpy(float) - least
        y = (part["label"] == tested.classes[1]).to_numpy(int)
        scores.append(pd.DataFrame({"group": part["group"], "y": y, "p": p}))
    images = tested.part("test")[["image", "group"]]
    judged = matched(pd.concat(found, ignore_index=True), objects, images)
    figures = detection_estimates(judged, objects, images, 0.0, seed=seed)
    names = ("precision", "recall", "f1", "average_precision")
    auc = area(pd.concat(scores, ignore_index=True), seed)
    return [told, shown(auc), "from_boxes", *(shown(figures[name]) for name in names), ""]


def dark_spots(frame: NDArray[np.float32], radius: int) -> pd.DataFrame:
    """Where a frame is darker than its background, and by how much: columns y, x and score."""
    below: Any = np.maximum(np.median(frame) - frame, 0)
    if radius:
        below = opening(below, disk(radius))  # type: ignore[no-untyped-call]
    smooth = smoothed(below, SIGMA_PX)
    at = peaks(smooth, apart=APART_PX, least=1.0)
    score = smooth[at[:, 0], at[:, 1]].astype(float)
    return pd.DataFrame({"y": at[:, 0] + 0.5, "x": at[:, 1] + 0.5, "score": score})


def area(table: pd.DataFrame, seed: int) -> Estimate:
    """AUC over groups of scores that need not be probabilities."""
    ranks = table["p"].rank() / (len(table) + 1)
    return cluster_interval(
        table.assign(p=ranks, called=(ranks >= 0.5).astype(int)), "roc_auc", seed=seed
    )
