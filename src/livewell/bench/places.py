"""Where nets see circles in fresh pictures, held against the truth of every object."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from livewell.bench.shapes import Model, fresh
from livewell.evaluation.covered import CoveredCounts, covered, table3
from livewell.evaluation.detection import average_precision, counts_at, matched
from livewell.evaluation.froc import froc
from livewell.explain.places import Finder, Look, Places
from livewell.progress import Tick
from livewell.simulate.shapes import Picture, ShapeSpec
from livewell.tables import BOX

CIRCLE = "circle"
FLOOR = 8.0
"""How far below the threshold places are listed, log odds, so that curves are whole."""
TUNING = 2_000_000
"""Added to the seed for pictures on which smoothing and mask are chosen."""
LOOKS = tuple(
    Look(sigma_px=sigma, share=share, times_input=times)
    for times in (False, True)
    for sigma in (3.0, 4.0, 5.0, 6.0)
    for share in (0.1, 0.2, 0.3)
)
TOGETHER = 20


@dataclass
class Found:
    """What was found in some pictures.

    Parameters
    ----------
    detections, objects
        As `livewell.evaluation.detection.matched` takes them; objects are circles.
    shares, kinds
        Of every object of the positive pictures: how much of its box the mask covers.
    images
        Names of all pictures.
    """

    detections: list[pd.DataFrame] = field(default_factory=list)
    objects: list[pd.DataFrame] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def see(self, made: Picture, places: Places, least: float) -> None:
        """Take in one picture; the mask is of places that reach `least`."""
        name = str(len(self.images))
        self.images.append(name)
        self.detections.append(
            pd.DataFrame({"image": name, "y": places.y, "x": places.x, "score": places.score})
        )
        circles = made.objects[made.objects["kind"] == CIRCLE]
        self.objects.append(circles[["kind", *BOX]].assign(image=name))
        if made.positive:
            called = 1 + np.flatnonzero(places.score >= least)
            mask = np.isin(places.labels, called)
            self.shares += covered(mask, made.objects[BOX]).tolist()
            self.kinds += made.objects["kind"].tolist()

    def table3(self) -> CoveredCounts:
        """The paper's measure."""
        return table3(self.shares, self.kinds, CIRCLE)

    def usual(self, threshold: float) -> dict[str, float]:
        """Precision, recall, F1, average precision and FROC over all pictures."""
        objects = pd.concat(self.objects, ignore_index=True)
        images = pd.DataFrame({"image": self.images})
        table = matched(pd.concat(self.detections, ignore_index=True), objects, images)
        counts = counts_at(table, objects, images, threshold)
        return {
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
            "average_precision": average_precision(table, objects, images),
            "froc": froc(table, objects, images).score,
            "false_positives_per_image": counts.false_positives_per_image,
        }


def place_threshold(model: Model) -> float:
    """Log odds from which on a place is called: from labels of validation frames alone."""
    rule = model.card.place_rule
    if rule is None:
        raise ValueError("a net of whole frames has a rule for places")
    return rule.log_odds(rule.threshold)


def look_at(
    finder: Finder, pictures: Iterable[list[Picture]], least: float, tick: Tick | None = None
) -> Found:
    """What a finder sees in pictures; `least` decides which places are in the mask."""
    found = Found()
    for some in pictures:
        for first in range(0, len(some), TOGETHER):
            few = some[first : first + TOGETHER]
            pixels = torch.from_numpy(np.stack([made.pixels for made in few])).float()
            for made, places in zip(few, finder(pixels), strict=True):
                found.see(made, places, least)
            if tick:
                tick(len(few))
    return found


def chosen_look(model: Model, spec: ShapeSpec, images: int = 200) -> Look:
    """Smoothing and mask with the best F1 of the paper's measure on pictures for choosing."""
    least = place_threshold(model)
    some = list(fresh(spec, images, TUNING))
    scores = []
    for look in LOOKS:
        finder = Finder(model.net, replace(look, least=least - FLOOR))
        found = look_at(finder, some, least).table3()
        top = 2 * found.precision * found.recall / max(found.precision + found.recall, 1e-9)
        scores.append(np.nan_to_num(top))
    return replace(LOOKS[int(np.argmax(scores))], least=least - FLOOR)
