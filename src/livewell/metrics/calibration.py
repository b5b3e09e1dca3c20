"""Whether a probability means what it says."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit

from livewell.errors import LabelError, SpecError
from livewell.metrics.intervals import interval
from livewell.metrics.outcomes import Floats, Outcomes, equal_mass_bins
from livewell.metrics.resampling import draws

LIMITS = (0.01, 100.0)
"""Lowest and highest temperature that is looked for."""


def fit_temperature(logit: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The temperature that makes logits calibrated on validation patches.

    Minimises the negative log likelihood of ``logit / T`` (Guo et al. 2017, On calibration of
    modern neural networks, section 4.2). The targets are Platt's (1999) smoothed ones instead of 0
    and 1, so that classes that are wholly told apart do not drive T to 0.

    Parameters
    ----------
    logit, y
        Log odds of the positive class and truth 0/1, shape (patches,).
    weight
        Weight of every patch, at least 0; all alike where ``None``.

    Returns
    -------
    float
        Within `LIMITS`; 1 where the logits are all 0 and say nothing.

    Raises
    ------
    LabelError
        Only one class, or logits that are not finite.
    SpecError
        Shapes that differ or weights below 0.
    """
    values, truth = np.asarray(logit, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    weights = np.ones_like(values) if weight is None else np.asarray(weight, dtype=float).ravel()
    if not values.shape == truth.shape == weights.shape or (weights < 0).any():
        raise SpecError(
            "logits, truths and weights do not fit together",
            expected="one of each a patch, weights at least 0",
            got=f"shapes {values.shape}, {truth.shape}, {weights.shape}",
        )
    positive, negative = weights[truth == 1].sum(), weights[truth == 0].sum()
    if positive <= 0 or negative <= 0 or not np.isfinite(values).all():
        raise LabelError(
            "no temperature can be fitted",
            where="validation patches",
            expected="finite logits of both classes",
            got=f"{positive:g} positive, {negative:g} negative,"
            f" {int((~np.isfinite(values)).sum())} not finite",
            remedy="choose validation groups that hold both classes",
        )
    if not values.any():
        return 1.0
    target = np.where(truth == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        each = target * log_expit(scaled) + (1 - target) * log_expit(-scaled)
        return -float((weights * each).sum() / weights.sum())

    found = minimize_scalar(loss, bounds=np.log(LIMITS).tolist(), method="bounded")
    return float(np.exp(found.x))


def probability(logit: ArrayLike, temperature: float) -> Floats:
    """Calibrated probability of the positive class, ``1 / (1 + exp(-logit / temperature))``."""
    return np.asarray(expit(np.asarray(logit, dtype=float) / temperature))


def expected_calibration_error(p: ArrayLike, y: ArrayLike, bins: int = 10) -> float:
    """Mean distance between probability and observed share, over bins that hold equally many.

    Naeini et al. 2015 define it with bins of equal width, most of which are nearly empty for a
    sure net; bins of equal mass are those of Nixon et al. 2019. Equal probabilities share a bin.

    Parameters
    ----------
    p, y
        Probability of the positive class and truth 0/1, shape (patches,).
    bins
        Number of bins, at least 1.

    Returns
    -------
    float
        In [0, 1]; NaN without patches.
    """
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    _check_bins(bins)
    if not len(values):
        return float("nan")
    gap = np.bincount(equal_mass_bins(values, bins), values - truth)
    return float(np.abs(gap).sum() / len(values))


def reliability(
    p: ArrayLike,
    y: ArrayLike,
    group: ArrayLike,
    bins: int = 10,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Observed share of positives where the net says p, with intervals over groups.

    Parameters
    ----------
    p, y, group
        Probability, truth 0/1 and group of every patch, shape (patches,).
    bins
        Number of bins of equal mass; fewer come back where probabilities repeat.
    seed, resamples, level
        As in `livewell.metrics.intervals.cluster_interval`.

    Returns
    -------
    DataFrame
        One row a bin: p_low, p_high (lowest and highest probability in it), p (mean), observed,
        low, high, patches, groups.

    Raises
    ------
    TableError
        Probabilities outside [0, 1], truths that are not 0/1, or no patch.
    """
    _check_bins(bins)
    frame = pd.DataFrame({"group": np.ravel(group), "y": np.ravel(y), "p": np.ravel(p)})
    data = Outcomes.of(frame.assign(called=0))
    weights = draws(data, seed, resamples)
    number = equal_mass_bins(data.p, bins)
    rows = []
    for place in range(int(number.max()) + 1):
        inside = number == place
        hits, total = data.sums(inside * data.y), data.sums(inside)
        below = weights @ total
        known = np.divide(weights @ hits, below, out=np.full(len(below), np.nan), where=below > 0)
        groups = int((total > 0).sum())
        found = interval(float(hits.sum() / total.sum()), known, groups, level)
        within = data.p[inside]
        means = within.min(), within.max(), within.mean()
        rows.append((*means, found.value, found.low, found.high, int(inside.sum()), groups))
    names = ["p_low", "p_high", "p", "observed", "low", "high", "patches", "groups"]
    return pd.DataFrame(rows, columns=names)


def _check_bins(bins: int) -> None:
    if bins < 1:
        raise SpecError("too few bins", where="bins", expected="at least 1", got=str(bins))
