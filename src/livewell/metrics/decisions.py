"""From probabilities to verdicts; every number here is chosen on validation data, never on test."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from livewell.errors import Fault, LabelError, SpecError, TableError
from livewell.metrics.bands import MAX_ERROR, narrowest_band
from livewell.metrics.calibration import fit_temperature, probability
from livewell.metrics.outcomes import Floats
from livewell.metrics.platt import fit_logistic, group_weight

UNSURE = "unsure"
WORSE, ABOVE = 0.01, 0.1
"""How the threshold of places is chosen, see `fit_place_rule`."""
LEAST_PICTURES = 4
"""With fewer validation pictures of a class the picture's probability is not fitted."""


def choose_threshold(p: ArrayLike, y: ArrayLike, group: ArrayLike) -> float:
    """Threshold with the best balanced accuracy when every group weighs alike in each class.

    A patch is called positive where ``p >= threshold``. All thresholds between two neighbouring
    probabilities call alike; of equally good ones the middle of the widest unbroken stretch is
    taken, and of equally wide stretches the one whose middle is nearest to 0.5.

    Parameters
    ----------
    p, y, group
        Probability, truth 0/1 and group of every validation patch (or picture).

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    LabelError
        Only one class, or probabilities outside [0, 1].
    """
    low, high = _stretch(p, y, group)
    middle = float((low + high) / 2)
    # Between neighbouring floats the middle may round down to the lower one, which is not called.
    return middle if middle > low else float(high)


def _stretch(
    p: ArrayLike, y: ArrayLike, group: ArrayLike, worse: float = 1e-9
) -> tuple[float, float]:
    """The widest stretch of thresholds as good as the best or so much worse; not its lower end.

    How good is sensitivity less false alarms.
    """
    values, truth, weight = _validated(p, y, group)
    signed = np.where(truth == 1, weight, -weight)
    levels, place = np.unique(values, return_inverse=True)
    # Raising the threshold over a level loses the positives at it and gains the negatives.
    gain = -np.bincount(place, signed)
    score = np.concatenate([[0.0], np.cumsum(gain)])
    lows, highs = np.concatenate([[0.0], levels]), np.concatenate([levels, [1.0]])
    best = score >= score.max() - worse
    edges = np.flatnonzero(np.diff(np.concatenate([[False], best, [False]]).astype(int)))
    stretches = [(lows[a], highs[b - 1]) for a, b in edges.reshape(-1, 2)]
    return max(stretches, key=lambda s: (round(s[1] - s[0], 12), -abs(s[0] + s[1] - 1)))


@dataclass(frozen=True, slots=True)
class PatchRule:
    """From a patch's logit to its probability and call.

    Parameters
    ----------
    temperature
        Divides the logit, see `livewell.metrics.calibration`.
    threshold
        A patch is called positive where its probability reaches it.
    """

    temperature: float
    threshold: float

    def probability(self, logit: ArrayLike) -> Floats:
        """Calibrated probability of the positive class."""
        return probability(logit, self.temperature)

    def called(self, logit: ArrayLike) -> NDArray[np.int64]:
        """1 where the patch is called positive, else 0."""
        return (self.probability(logit) >= self.threshold).astype(np.int64)

    def log_odds(self, p: float) -> float:
        """The uncalibrated logit that gets the probability `p`; finite for 0 and 1 too."""
        near = np.clip(p, 1e-12, 1 - 1e-12)
        return float(self.temperature * np.log(near / (1 - near)))


def fit_patch_rule(logit: ArrayLike, y: ArrayLike, group: ArrayLike) -> PatchRule:
    """Temperature and threshold from validation patches; raises as `choose_threshold`."""
    temperature = fit_temperature(logit, y)
    return PatchRule(temperature, choose_threshold(probability(logit, temperature), y, group))


def fit_place_rule(highest: ArrayLike, y: ArrayLike, group: ArrayLike) -> PatchRule:
    """Which places of a frame are called, from labels of frames alone.

    All places of a negative frame are false, so the threshold lies above the highest of nearly all
    negative frames. Of those that tell frames apart almost equally well, `WORSE` at most from the
    best, a low one is taken, for other objects of a positive frame are less sure than its surest:
    `ABOVE` of the way, in log odds, from the lowest of them to the highest.

    Parameters
    ----------
    highest
        Log odds of the highest place of every validation frame.
    y, group
        Label 0/1 and group of every frame.

    Raises
    ------
    LabelError
        Only one class.
    """
    rule = fit_patch_rule(highest, y, group)
    ends = _stretch(rule.probability(highest), y, group, WORSE)
    if ends[0] <= 0 or ends[1] >= 1:
        return rule
    low, high = (rule.log_odds(end) for end in ends)
    least = float(rule.probability(low + ABOVE * (high - low)))
    return PatchRule(rule.temperature, least) if least > ends[0] else rule


@dataclass(frozen=True, slots=True)
class PictureRule:
    """From the logits of a picture's patches to its verdict.

    Parameters
    ----------
    temperature, slope, intercept
        ``p = 1 / (1 + exp(-(slope * mean_logit / temperature + intercept)))``.
    threshold
        Best on validation pictures.
    low, high
        A picture with ``low <= p <= high`` is unsure.
    classes
        (negative, positive).
    note
        How the numbers came about, for the report.
    """

    temperature: float
    slope: float
    intercept: float
    threshold: float
    low: float
    high: float
    classes: tuple[str, str]
    note: str = ""

    def probability(self, mean_logit: ArrayLike) -> Floats:
        """Probability that a picture is of the positive class, from its patches' mean logit."""
        scaled = np.asarray(mean_logit, dtype=float) / self.temperature
        return np.asarray(expit(self.slope * scaled + self.intercept))

    def verdict(self, p: float) -> str:
        """Name of the class, or ``unsure``.

        Raises
        ------
        SpecError
            Not a probability.
        """
        if not 0 <= p <= 1:
            raise SpecError("not a probability", where="p", expected="in [0, 1]", got=str(p))
        if p < self.low:
            return self.classes[0]
        return self.classes[1] if p > self.high else UNSURE

    def as_json(self) -> dict[str, Any]:
        """As plain values for a JSON file."""
        return asdict(self) | {"classes": list(self.classes)}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "PictureRule":
        """Back from `as_json`.

        Raises
        ------
        SpecError
            A field is missing or unknown.
        """
        try:
            return cls(**{**values, "classes": tuple(values["classes"])})
        except (TypeError, KeyError) as error:
            fields = ", ".join(cls.__dataclass_fields__)
            raise SpecError("not a picture rule", expected=fields, got=str(error)) from error


def fit_picture_rule(
    pictures: pd.DataFrame,
    temperature: float,
    classes: tuple[str, str],
    max_error: float = MAX_ERROR,
) -> PictureRule:
    """Probability, threshold and unsure band from validation pictures.

    The mean calibrated patch logit goes through Platt's (1999, Probabilistic outputs for support
    vector machines, section 2.2) logistic with smoothed targets, slope at least 0; groups
    count, not pictures. The unsure band around the threshold is
    `livewell.metrics.bands.narrowest_band`.

    Parameters
    ----------
    pictures
        Columns group, y and mean_logit, as `livewell.metrics.pictures.by_picture` makes them
        from validation scores.
    temperature
        Of the patches' logits.
    classes
        (negative, positive).
    max_error
        Highest share of wrong verdicts among decided validation pictures, groups weighing alike.

    Raises
    ------
    TableError
        Columns are missing.
    LabelError
        No validation picture.
    """
    absent = [name for name in ("group", "y", "mean_logit") if name not in pictures]
    if absent:
        raise TableError(
            "not a table of validation pictures",
            [Fault("missing-column", name, "needed to fit verdicts") for name in absent],
        )
    y, x = pictures["y"].to_numpy(int), pictures["mean_logit"].to_numpy(float) / temperature
    if not len(y):
        raise LabelError("no validation picture to fit verdicts on")
    counts = [int((y == 0).sum()), int((y == 1).sum())]
    held = " and ".join(f"{n} {name}" for n, name in zip(counts, classes, strict=True))
    notes = [f"chosen on {held} validation pictures of {pictures['group'].nunique()} groups"]
    slope, intercept = 1.0, 0.0
    if min(counts) >= LEAST_PICTURES:
        slope, intercept = fit_logistic(x, y, pictures["group"].to_numpy())
    else:
        notes.append(
            f"fewer than {LEAST_PICTURES} of a class: the picture's probability is that of its"
            " patches' mean logit, not fitted"
        )
    p = np.asarray(expit(slope * x + intercept))
    threshold = choose_threshold(p, y, pictures["group"]) if min(counts) else 0.5
    # a well of many frames counts no more than one of few
    weight = 1 / pictures.groupby("group")["y"].transform("size").to_numpy(float)
    low, high = narrowest_band(p, y, threshold, max_error, weight=weight)
    decided = (p < low) | (p > high)
    wrong = int((decided & ((p > high) != (y == 1))).sum())
    notes.append(f"{wrong} of {int(decided.sum())} decided ones wrong")
    if slope < 1e-6:
        notes.append("the net says nothing about validation pictures")
    return PictureRule(
        temperature, slope, intercept, threshold, low, high, classes, "; ".join(notes)
    )


def _validated(
    p: ArrayLike, y: ArrayLike, group: ArrayLike
) -> tuple[Floats, NDArray[np.int64], Floats]:
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y).ravel().astype(np.int64)
    if set(np.unique(truth)) != {0, 1} or not ((values >= 0) & (values <= 1)).all():
        raise LabelError(
            "no threshold can be chosen",
            where="validation data",
            expected="probabilities in [0, 1] of both classes",
            got=f"{int((truth == 1).sum())} positive, {int((truth != 1).sum())} negative,"
            f" {int((~((values >= 0) & (values <= 1))).sum())} outside [0, 1]",
            remedy="choose validation groups that hold both classes",
        )
    return values, truth, group_weight(truth, np.asarray(group).ravel())
