"""Where nets see circles in fresh pictures, held against the truth of every object."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import nan

import numpy as np
import pandas as pd
import torch

from benchmarks.result import percent
from benchmarks.shapes import Model, on_fresh
from livewell.detection.covered import covered, table3
from livewell.detection.froc import froc
from livewell.detection.intervals import detection_estimates
from livewell.detection.matching import CoveredCounts, counts_at, matched
from livewell.files import read_json, write_json
from livewell.inference.detections import Detections, Finder, Look
from livewell.models.nets.net import Net
from livewell.progress import Tick, task
from livewell.simulate.shapes import Picture, ShapeSpec
from livewell.tables.schemas import BOX

CIRCLE = "circle"
KIND = "places of fresh pictures"
WITH_INTERVAL = ("precision", "recall", "f1", "average_precision")
FLOOR = 8.0
"""How far below the threshold places are listed, log odds, so that curves are whole."""


@dataclass(frozen=True)
class Found:
    """What was found in some images: detections, objects, and the names of all images.

    Objects of positive images have the share of their box that the mask covers.
    """

    detections: pd.DataFrame
    objects: pd.DataFrame
    images: list[str]

    @classmethod
    def of(cls, parts: Sequence["Found"]) -> "Found":
        """All that was found in several parts."""
        return cls(
            pd.concat([part.detections for part in parts], ignore_index=True),
            pd.concat([part.objects for part in parts], ignore_index=True),
            [name for part in parts for name in part.images],
        )

    def table3(self) -> CoveredCounts:
        """The paper's measure."""
        seen = self.objects.dropna(subset=["share"])
        return table3(seen["share"].tolist(), seen["kind"].tolist(), CIRCLE)

    def usual(self, threshold: float) -> dict[str, float]:
        """Precision, recall, F1, average precision and FROC over all images.

        The first four with the ends of their 95% intervals (NAME_low, NAME_high), which draw whole
        images anew.
        """
        circles = self.objects[self.objects["kind"] == CIRCLE]
        objects = circles[["kind", *BOX, "image"]].reset_index(drop=True)
        images = pd.DataFrame({"image": self.images})
        table = matched(self.detections, objects, images)
        counts = counts_at(table, objects, images, threshold)
        figures = detection_estimates(table, objects, images, threshold, seed=0)
        told = {name: figures[name].value for name in WITH_INTERVAL}
        told |= {f"{name}_low": figures[name].low for name in WITH_INTERVAL}
        told |= {f"{name}_high": figures[name].high for name in WITH_INTERVAL}
        return told | {
            "froc": froc(table, objects, images).score,
            "false_positives_per_image": counts.false_positives_per_image,
        }


@dataclass(frozen=True)
class Told:
    """The figures of what was found: the paper's measure, and the usual ones."""

    paper: CoveredCounts
    usual: dict[str, float]


def told(model: Model, spec: ShapeSpec, images: int, what: str) -> Told:
    """How well a net finds the circles of fresh pictures.

    The figures are kept in the model's folder, with the threshold and the look that they are of,
    and not made again.
    """
    kept = model.kept(spec, images, "json")
    of = {
        "threshold": place_threshold(model),
        "look": asdict(Look()),
        "floor": FLOOR,
        "with_interval": list(WITH_INTERVAL),
    }
    found = read_json(kept, kind=KIND) if kept.is_file() else {}
    if found.get("of") != of:
        with task(what, total=images) as tick:
            places = look_at(model, spec, images, tick)
        usual = places.usual(place_threshold(model))
        write_json(kept, {"of": of, "paper": asdict(places.table3()), "usual": usual})
        found = read_json(kept, kind=KIND)
    usual = {name: nan if value is None else value for name, value in found["usual"].items()}
    return Told(CoveredCounts(**found["paper"]), usual)


def with_interval(usual: Mapping[str, float], name: str, digits: int) -> str:
    """A figure and its interval, percent, as tables print them."""
    value, low, high = (
        percent(usual[key], digits) for key in (name, f"{name}_low", f"{name}_high")
    )
    return f"{value} ({low}-{high})"


def place_threshold(model: Model) -> float:
    """Log odds from which on a place is called: from labels of validation frames alone."""
    rule = model.card.detection_rule
    if rule is None:
        raise ValueError("a net of whole frames has a rule for places")
    return rule.log_odds(rule.threshold)


def _table(places: Detections) -> pd.DataFrame:
    return pd.DataFrame({"y": places.y, "x": places.x, "score": places.score})


def look_at(model: Model, spec: ShapeSpec, images: int, tick: Tick) -> Found:
    """What a net sees in fresh images.

    Detections that are called, and their mask, are what `livewell localise` finds: those of a look
    at the threshold. Less sure ones come from a second look, for they would move the others' masks.
    """
    parts = []
    for part in on_fresh(partial(_seen, model.net, place_threshold(model)), spec, images):
        parts.append(part)
        tick(len(part.images))
    return Found.of(parts)


def _seen(net: Net, least: float, pictures: list[Picture]) -> Found:
    """What is found in a few images."""
    pixels = torch.from_numpy(np.stack([made.pixels for made in pictures])).float()[:, None]
    sure, low = (Finder(net, Look(least=at))(pixels) for at in (least, least - FLOOR))
    parts = []
    for made, called, less_sure in zip(pictures, sure, map(_table, low), strict=True):
        name, objects = str(made.number), made.objects[["kind", *BOX]]
        share = covered(called.labels > 0, objects[BOX]) if made.positive else nan
        both = pd.concat([_table(called), less_sure[less_sure["score"] < least]])
        objects = objects.assign(share=share, image=name)
        parts.append(Found(both.assign(image=name), objects, [name]))
    return Found.of(parts)
