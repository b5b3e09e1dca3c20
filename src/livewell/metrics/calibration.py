"""Whether a probability means what it says."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax

from livewell.errors import LabelError, SpecError
from livewell.metrics.intervals import interval
from livewell.metrics.outcomes import Floats, Outcomes, equal_mass_bins
from livewell.metrics.resampling import draws

LIMITS = (0.01, 100.0)
"""Lowest and highest temperature that is looked for."""


def fit_temperature(logits: ArrayLike, y: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The temperature that makes logits calibrated on validation data.

    Minimises the negative log likelihood of ``logits / T`` (Guo et al. 2017, On calibration of
    modern neural networks, section 4.2). The targets are Platt's (1999) smoothed ones instead of 0
    and 1, so that classes that are wholly told apart do not drive T to 0.

    Parameters
    ----------
    logits, y
        Log odds of the positive class and truth 0/1, shape (n,); or logits of all classes,
        (n, classes), and the number of the class of each.
    weight
        Weight of each, at least 0; all alike where ``None``.

    Returns
    -------
    float
        Within `LIMITS`; 1 where the logits are alike for all classes and say nothing.

    Raises
    ------
    LabelError
        A class is missing, or logits are not finite.
    SpecError
        Shapes that differ or weights below 0.
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
    sure = (held + 1) / (held + 2)
    target = np.repeat(((1 - sure[truth]) / (number - 1))[:, None], number, axis=1)
    target[np.arange(len(truth)), truth] = sure[truth]

    def loss(log_temperature: float) -> float:
        each = (target * log_softmax(values / np.exp(log_temperature), axis=1)).sum(axis=1)
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
