"""Whether a probability means what it says, and how it is made so."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, log_softmax

from livewell.errors import LabelError, SpecError
from livewell.metrics.intervals import interval
from livewell.metrics.outcomes import Floats, Outcomes, equal_mass_bins
from livewell.metrics.resampling import draws
from livewell.metrics.weighted import ratio

LIMITS = (0.01, 100.0)
"""Lowest and highest temperature that is looked for."""


def fit_temperature(logits: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The temperature that makes logits calibrated on validation data, within `LIMITS`.

    Minimises the negative log likelihood of ``logits / T`` (Guo et al. 2017, On calibration of
    modern neural networks, section 4.2). The targets are Platt's (1999) smoothed ones instead of 0
    and 1, so that classes that are wholly separated do not drive T to 0. It is 1 where the logits
    are alike for all classes and say nothing.

    Parameters
    ----------
    logits, y
        Log odds of the positive class and truth 0/1, shape (n,); or logits of all classes,
        (n, classes), and the number of the class of each.
    weight
        Weight of each, at least 0; all alike where ``None``.
    """
    values, truth = np.asarray(logits, dtype=float), np.asarray(y).ravel().astype(int)
    if values.ndim == 1:
        values = np.stack([np.zeros_like(values), values], axis=1)
    weights = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float).ravel()
    if not len(values) == len(truth) == len(weights) or (weights < 0).any():
        raise SpecError(
            "logits, truths and weights do not fit together",
            expected="one of each a region, weights at least 0",
            got=f"shapes {values.shape}, {truth.shape}, {weights.shape}",
        )
    number = values.shape[1]
    known = ((truth >= 0) & (truth < number)).all()
    held = np.bincount(truth, weights, minlength=number) if known else np.zeros(number)
    if held.min() <= 0 or not np.isfinite(values).all():
        raise LabelError(
            "no temperature can be fitted",
            where="validation data",
            expected="finite logits, and every class",
            got=f"{', '.join(f'{each:g}' for each in held)} of each class,"
            f" {int((~np.isfinite(values)).any(axis=1).sum())} not finite",
            remedy="choose validation groups that hold every class",
        )
    if not np.ptp(values, axis=1).any():
        return 1.0
    # of two classes (n + 1) / (n + 2) and 1 / (n + 2), as Platt has it
    smoothed = (held + 1) / (held + 2)
    target = np.repeat(((1 - smoothed[truth]) / (number - 1))[:, None], number, axis=1)
    target[np.arange(len(truth)), truth] = smoothed[truth]

    def loss(log_temperature: float) -> float:
        each = (target * log_softmax(values / np.exp(log_temperature), axis=1)).sum(axis=1)
        return -float((weights * each).sum() / weights.sum())

    found = minimize_scalar(loss, bounds=np.log(LIMITS).tolist(), method="bounded")
    return float(np.exp(found.x))


def fit_logistic(x: Floats, y: NDArray[np.int64], group: NDArray[Any]) -> tuple[float, float]:
    """Slope and intercept of Platt's (1999) logistic, section 2.2, slope at least 0.

    The most likely ones for the smoothed targets ``(n1 + 1) / (n1 + 2)`` and ``1 / (n0 + 2)`` with
    n1 and n0 groups of each class. Groups weigh alike within a class, and are what the targets
    count: many frames of two wells are two witnesses.

    Parameters
    ----------
    x, y, group
        Score, truth 0/1 and group of every image, both classes, shape (images,).
    """
    positive, negative = (len(np.unique(group[y == truth])) for truth in (1, 0))
    target = np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weight = group_weight(y, group) * np.where(y == 1, positive, negative)
    # Solved in standard units, so that the search does not depend on the scale of the logits.
    centre, spread = x.mean(), x.std() or 1.0
    z = (x - centre) / spread

    def loss(line: Floats) -> tuple[float, Floats]:
        score = line[0] * z + line[1]
        each = target * log_expit(score) + (1 - target) * log_expit(-score)
        slip = weight * (expit(score) - target) / weight.sum()
        return -float((weight * each).sum() / weight.sum()), np.array([slip @ z, slip.sum()])

    start = np.array([1.0, 0.0])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    slope = float(found.x[0] / spread)
    return slope, float(found.x[1] - slope * centre)


def group_weight(y: NDArray[np.int64], group: NDArray[Any]) -> Floats:
    """Weights that sum to 1 in each class, where each group has the same part of that."""
    table = pd.DataFrame({"y": y, "group": group})
    size = table.groupby(["y", "group"])["y"].transform("size").to_numpy(float)
    groups = table.groupby("y")["group"].transform("nunique").to_numpy(float)
    return np.asarray(1 / (size * groups))


def probability(logit: ArrayLike, temperature: float) -> Floats:
    """Calibrated probability of the positive class, ``1 / (1 + exp(-logit / temperature))``."""
    return np.asarray(expit(np.asarray(logit, dtype=float) / temperature))


def expected_calibration_error(p: ArrayLike, y: ArrayLike, bins: int = 10) -> float:
    """Mean distance between probability and observed share, over bins that hold equally many.

    Naeini et al. 2015 define it with bins of equal width, most of which are nearly empty for a
    confident net; bins of equal mass are those of Nixon et al. 2019. Equal probabilities share a
    bin. NaN without patches.
    """
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if not len(values):
        return float("nan")
    gap = np.bincount(equal_mass_bins(values, bins), values - truth)
    return float(np.abs(gap).sum() / len(values))


def reliability(p: ArrayLike, y: ArrayLike, group: ArrayLike, bins: int = 10) -> pd.DataFrame:
    """Observed share of positives where the net says p, with intervals over groups.

    One row a bin of equal mass, fewer where probabilities repeat: p_low, p_high (lowest and highest
    probability in it), p (mean), observed, low, high, patches, groups.
    """
    frame = pd.DataFrame({"group": np.ravel(group), "y": np.ravel(y), "p": np.ravel(p)})
    data = Outcomes.of(frame.assign(called=0))
    weights = draws(data.held, 0, 1000)
    number = equal_mass_bins(data.p, bins)
    rows = []
    for bin_ in range(int(number.max()) + 1):
        inside = number == bin_
        hits, total = data.sums(inside * data.y), data.sums(inside)
        groups, within = int((total > 0).sum()), data.p[inside]
        value = float(hits.sum() / total.sum())
        found = interval(value, ratio(hits, total)(weights), groups)
        means = within.min(), within.max(), within.mean()
        rows.append((*means, found.value, found.low, found.high, int(inside.sum()), groups))
    names = ["p_low", "p_high", "p", "observed", "low", "high", "patches", "groups"]
    return pd.DataFrame(rows, columns=names)
