"""Detections of several models held against boxes together: one table, one set of figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from livewell.detection.covered import table3_by_image
from livewell.detection.froc import Froc, froc
from livewell.detection.intervals import detection_estimates, froc_estimate, table3_estimates
from livewell.detection.matching import (
    DetectionCounts,
    counts_at,
    matched,
    precision_recall_curve,
)
from livewell.metrics.intervals import Estimate
from livewell.tables.schemas import BOX

FROM_LABELS, FROM_BOXES = "from_labels", "from_boxes"
"""How thresholds were chosen: on labels of validation frames alone, or on their boxes."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchedDetections:
    """Detections held against boxes.

    Parameters
    ----------
    places
        What `livewell.detection.matching.matched` gave: image names the frame, score is the
        relative one; file is the image and log_odds the net's own score.
    objects, images
        What it was given: boxes of the class sought, and all frames with their groups.
    others
        How many boxes of another class these frames hold.
    unknown
        How many detections lie on cells without a class: neither right nor wrong, they are left
        out.
    """

    places: pd.DataFrame
    objects: pd.DataFrame
    images: pd.DataFrame
    others: int
    unknown: int


def held(
    places: pd.DataFrame, frames: pd.DataFrame, boxes: pd.DataFrame, positive: str
) -> MatchedDetections:
    """Hold detections against the boxes of the positive class.

    Parameters
    ----------
    places
        Columns image, t, y, x (pixels of the image), score (log odds of the net), relative
        (calibrated log odds less those of the model's threshold); others are kept.
    frames
        All frames that were looked at, one row each: image, t, group.
    boxes
        Columns image, label and the corners of `schemas.BOX`: cells on frame 0 of an image.
        Those of other images are left out.
    """
    images = pd.DataFrame({"image": frame_names(frames), "group": frames["group"].to_numpy()})
    mine = boxes[boxes["image"].isin(images["image"])]
    sought, nameless = mine["label"] == positive, mine["label"].isna()
    objects = mine[sought].assign(kind=positive).reset_index(drop=True)
    named = places.rename(columns={"image": "file", "score": "log_odds"})
    named = named.assign(
        image=frame_names(places).to_numpy(), score=places["relative"].astype("float64")
    )
    found = matched(named, objects, images)
    doubtful = ~found["right"] & _lie_in(found, mine[nameless])
    rest = found[~doubtful].reset_index(drop=True)
    return MatchedDetections(
        rest, objects, images, int((~sought & ~nameless).sum()), int(doubtful.sum())
    )


def frame_names(table: pd.DataFrame) -> "pd.Series[str]":
    """What every frame is called: its image (columns image and t), and its number if not 0."""
    image, t = table["image"].astype("str"), table["t"].astype("int64")
    return image.where(t == 0, image + ", frame " + t.astype("str"))


def _lie_in(places: pd.DataFrame, boxes: pd.DataFrame) -> "pd.Series[bool]":
    inside = pd.Series(False, index=places.index)
    for image, y0, x0, y1, x1 in boxes[["image", *BOX]].itertuples(index=False):
        here = (places["image"] == image) & places["y"].between(y0, y1, inclusive="left")
        inside |= here & places["x"].between(x0, x1, inclusive="left")
    return inside


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Precision, recall and f1 of the detections that reach their model's threshold."""

    estimates: Mapping[str, Estimate]
    counts: DetectionCounts


@dataclass(frozen=True, slots=True, eq=False)
class PlaceFigures:
    """How well objects are found.

    Parameters
    ----------
    thresholds
        By `FROM_LABELS` and, where a model found anything right in validation, `FROM_BOXES`.
    curve
        As `livewell.detection.matching.precision_recall_curve` makes it; threshold is relative.
    froc
        As `livewell.detection.froc.froc` makes it, relative too.
    covered
        accuracy, precision and recall of the paper's Table 3, by the pixels of detections that
        reach the threshold from labels; recall alone where no other objects have boxes.
    """

    thresholds: Mapping[str, AtThreshold]
    average_precision: Estimate
    froc_score: Estimate
    curve: pd.DataFrame
    froc: Froc
    covered: Mapping[str, Estimate]

    def as_json(self) -> dict[str, Any]:
        """As plain values for a JSON file, without the curves."""
        return {
            "thresholds": {
                name: {figure: asdict(known) for figure, known in each.estimates.items()}
                | asdict(each.counts)
                for name, each in self.thresholds.items()
            },
            "average_precision": asdict(self.average_precision),
            "froc_score": asdict(self.froc_score),
            "sensitivity_at": {f"{rate:g}": at for rate, at in self.froc.sensitivities.items()},
            "table3": {name: asdict(known) for name, known in self.covered.items()},
        }


def place_figures(
    held: MatchedDetections,
    moved: Mapping[int, float],
    shares: pd.DataFrame,
    positive: str,
    *,
    seed: int,
) -> PlaceFigures:
    """All figures of detections on frames that no model has learnt from.

    The models of several folds have thresholds and scales of their own: detections are put in one
    order by their relative score.

    Parameters
    ----------
    held
        Detections in test frames, with the column fold.
    moved
        By fold, the relative score from which on detections are called by the threshold that boxes
        of validation frames chose; infinity where none was right there, which calls nothing.
    shares
        Columns image, kind (its class) and share: how much of every box of the positive frames the
        pixels of called detections cover, see `livewell.detection.covered.covered`.
    """
    above = held.places["score"] - held.places["fold"].map(dict(moved)).astype(float)
    tables = {FROM_LABELS: held.places}
    if np.isfinite(list(moved.values())).any():
        tables[FROM_BOXES] = held.places.assign(score=above)[np.isfinite(above)]
    known, thresholds = {}, {}
    for name, table in tables.items():
        given = (table, held.objects, held.images, 0.0)
        known[name] = detection_estimates(*given, seed=seed)
        three = {figure: known[name][figure] for figure in ("precision", "recall", "f1")}
        thresholds[name] = AtThreshold(three, counts_at(*given))
    all_of = (held.places, held.objects, held.images)
    by_image = table3_by_image(shares["share"], shares["kind"], shares["image"], positive)
    covered = table3_estimates(by_image, held.images, seed=seed)
    if (shares["kind"] == positive).all():
        covered = {"recall": covered["recall"]}
    return PlaceFigures(
        thresholds,
        known[FROM_LABELS]["average_precision"],
        froc_estimate(*all_of, seed=seed),
        precision_recall_curve(*all_of),
        froc(*all_of),
        covered,
    )
