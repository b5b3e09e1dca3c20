"""FROC: how many objects are found, at how many false alarms an image."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from livewell.detection.matching import precision_recall_curve
from livewell.detection.tables import DetectionArrays, Images

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives an image at which sensitivity is given (Setio et al. 2017, LUNA16)."""


@dataclass(frozen=True, slots=True, eq=False)
class Froc:
    """A free-response receiver operating characteristic.

    `curve` has the columns threshold, sensitivity, false_positives_per_image; from a threshold of
    infinity, where nothing is called, down to every score. Neither of the other two ever falls.
    `sensitivities` are those at each of `RATES`, `score` is their mean.
    """

    curve: pd.DataFrame
    sensitivities: dict[float, float]
    score: float


def froc(matched: pd.DataFrame, objects: pd.DataFrame, images: Images) -> Froc:
    """Sensitivity against false positives an image, over all images, and the mean at seven rates.

    The sensitivity at a rate is the highest of all thresholds that make no more false positives an
    image, so the curve is one of steps and each of its values can be reached; where even the lowest
    score makes fewer, the curve has ended and its last sensitivity holds. 0 where nothing is
    detected, NaN where there is no object.

    Source: Setio et al. 2017, Med. Image Anal. 42:1 (LUNA16), whose score is the mean of the same
    seven sensitivities. Two rules differ: there the curve is interpolated between its points, which
    never gives less; and a second detection on one object is left out there, here it is a false
    positive.
    """
    judged = DetectionArrays.of(matched, objects, images)
    points = precision_recall_curve(matched, objects, images)
    start = 0.0 if judged.objects else math.nan
    curve = pd.DataFrame(
        {
            "threshold": np.append(math.inf, points["threshold"]),
            "sensitivity": np.append(start, points["recall"]),
            "false_positives_per_image": np.append(0.0, points["false_positives"])
            / len(judged.group),
        }
    )
    made = curve["false_positives_per_image"].to_numpy(float)
    last = np.searchsorted(made, RATES, side="right") - 1
    reached = curve["sensitivity"].to_numpy(float)[last].tolist()
    return Froc(curve, dict(zip(RATES, reached, strict=True)), sum(reached) / len(RATES))
