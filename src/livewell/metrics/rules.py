"""From logits to probabilities, calls and verdicts; the numbers come from validation data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.special import expit, softmax

from livewell.classes import UNSURE, ClassNames
from livewell.errors import SpecError
from livewell.metrics.calibration import probability
from livewell.metrics.outcomes import Floats
from livewell.tables.schemas import score_columns

UNLIKE = "unlike what the model learnt"
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(strict=True, ge=1)]
"""What rules hold, as it is checked where they are read from a file."""


def log_odds(logits: ArrayLike) -> Floats:
    """Log odds of the positive class from the logits of two, (..., 2) -> (...)."""
    values = np.asarray(logits, dtype=float)
    return np.asarray(values[..., 1] - values[..., 0])


@dataclass(frozen=True, slots=True)
class RegionRule:
    """From the logits of a region to its probabilities and the class that it is called.

    The temperature divides the logits, see `livewell.metrics.calibration`. Of two classes a region
    is called positive where its probability reaches the threshold; of more the class with the
    highest probability is called, where that reaches it, and none elsewhere.
    """

    temperature: Positive
    threshold: Share
    # cards refuse fields that they do not know, in their rules too
    __pydantic_config__ = {"extra": "forbid"}

    def probabilities(self, logits: ArrayLike) -> Floats:
        """Calibrated probabilities of all classes, (..., classes) -> (..., classes)."""
        values = np.asarray(logits, dtype=float)
        if values.shape[-1] == 2:
            p = self.probability(log_odds(values))
            return np.stack([1 - p, p], axis=-1)
        return np.asarray(softmax(values / self.temperature, axis=-1))

    def codes(self, logits: ArrayLike) -> NDArray[np.int64]:
        """Number of the class called, (..., classes) -> (...); -1 where none is."""
        return self.called_of(self.probabilities(logits))

    def called_of(self, probabilities: ArrayLike) -> NDArray[np.int64]:
        """As `codes`, from calibrated probabilities."""
        p = np.asarray(probabilities)
        if p.shape[-1] == 2:
            return (p[..., 1] >= self.threshold).astype(np.int64)
        if not p.size:
            return np.empty(p.shape[:-1], dtype=np.int64)
        return np.where(p.max(axis=-1) >= self.threshold, p.argmax(axis=-1), -1).astype(np.int64)

    def probability(self, log_odds: ArrayLike) -> Floats:
        """Calibrated probability of the positive class of two, from its log odds."""
        return probability(log_odds, self.temperature)

    def log_odds(self, p: float) -> float:
        """The uncalibrated log odds that get the probability `p`; finite for 0 and 1 too."""
        near = np.clip(p, 1e-12, 1 - 1e-12)
        return float(self.temperature * np.log(near / (1 - near)))


def scored(
    table: pd.DataFrame, logits: ArrayLike, rule: RegionRule, classes: ClassNames
) -> pd.DataFrame:
    """A table of regions with the columns of `schemas.SCORES` that logits (n, classes) decide.

    These are called, the number of the class; and logit (log odds of the positive class) and p of
    two classes, of more logit_<class> and p_<class> of each.
    """
    values, p = np.asarray(logits, dtype=float), rule.probabilities(logits)
    if classes.binary:
        values, p = log_odds(values)[:, None], p[:, 1:]
    columns = dict(zip(score_columns(classes, "logit"), values.T, strict=True))
    columns |= dict(zip(score_columns(classes, "p"), p.T, strict=True))
    return table.assign(**columns, called=rule.codes(logits))


@dataclass(frozen=True, slots=True)
class ImageRule:
    """From the mean logits of an image's regions to its verdict.

    Parameters
    ----------
    temperature, slope, intercept
        Of two classes ``p = 1 / (1 + exp(-(slope * mean log odds / temperature + intercept)))``; of
        more ``softmax(slope * mean logits / temperature)``.
    threshold
        Best on validation images; of more than two classes as `high`.
    low, high
        Of two classes an image with ``low <= p <= high`` is unsure; of more one whose highest
        probability is at most `high`.
    classes
        Names in the order of the logits, of two (negative, positive).
    note
        How the numbers came about, for the report.
    """

    temperature: Positive
    slope: Annotated[Number, Field(ge=0)]
    intercept: Number
    threshold: Share
    low: Share
    high: Share
    classes: tuple[str, ...]
    note: str = ""
    __pydantic_config__ = {"extra": "forbid"}

    def probabilities(self, mean_logits: ArrayLike) -> Floats:
        """Probabilities of all classes of an image, (..., classes) -> (..., classes)."""
        values = np.asarray(mean_logits, dtype=float)
        if values.shape[-1] == 2:
            p = self.probability(log_odds(values))
            return np.stack([1 - p, p], axis=-1)
        return np.asarray(softmax(self.slope * values / self.temperature, axis=-1))

    def verdict_of(self, probabilities: ArrayLike) -> str:
        """Name of the class, or ``unsure``, from (classes,) probabilities."""
        values = np.asarray(probabilities, dtype=float)
        if values.shape != (len(self.classes),):
            raise SpecError(
                "not the probabilities of these classes",
                expected=f"{len(self.classes)} numbers, one for each of {', '.join(self.classes)}",
                got=f"shape {values.shape}",
            )
        if len(values) == 2:
            return self.verdict(float(values[1]))
        best = int(values.argmax())
        return self.classes[best] if values[best] > self.high else UNSURE

    def probability(self, mean_log_odds: ArrayLike) -> Floats:
        """Probability of the positive class of two, from the regions' mean log odds."""
        scaled = np.asarray(mean_log_odds, dtype=float) / self.temperature
        return np.asarray(expit(self.slope * scaled + self.intercept))

    def verdict(self, p: float) -> str:
        """Name of one of two classes, or ``unsure``, from the positive one's probability."""
        if not 0 <= p <= 1:
            raise SpecError("not a probability", where="p", expected="in [0, 1]", got=str(p))
        if p < self.low:
            return self.classes[0]
        return self.classes[1] if p > self.high else UNSURE


@dataclass(frozen=True, slots=True)
class FamiliarityRule:
    """From the distance of a field, in features, to whether it is unlike what a model learnt.

    Parameters
    ----------
    limit
        Greatest distance of what is familiar: at most one in twenty fields of new groups of the
        kind that the model learnt from is expected beyond it.
    fields, groups
        Of how many fields and groups that the distances did not know it was chosen.
    """

    limit: Positive
    fields: Count
    groups: Count
    __pydantic_config__ = {"extra": "forbid"}

    def unlike(self, distance: float | None) -> bool:
        """Whether a field so far away is unlike what the model learnt; of others nobody knows."""
        return distance is not None and distance > self.limit

    def note(self, distance: float | None) -> str:
        """What to tell of a field; empty where it is familiar, or nobody knows."""
        if distance is None or not self.unlike(distance):
            return ""
        return (
            f"this image is {UNLIKE} ({self._beyond(distance)}): do not believe its verdict"
            " before you have looked"
        )

    def notes(self, distances: Sequence[float | None], noun: str) -> tuple[str, ...]:
        """What to tell of several fields, called so in the plural, if any is unlike."""
        far = [each for each in distances if each is not None and self.unlike(each)]
        if not far:
            return ()
        many = (
            f"{len(far)} of {len(distances)} {noun} are {UNLIKE} (up to {self._beyond(max(far))})"
        )
        return (f"{many}: do not believe what is said of them before you have looked",)

    def _beyond(self, distance: float) -> str:
        return f"distance {distance:.2f}, limit {self.limit:.2f}"
