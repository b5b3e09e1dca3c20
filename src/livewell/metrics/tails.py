"""Where an interval is cut from resamples: expanded, Student's, bias-corrected."""

import numpy as np
from scipy import stats
from scipy.special import expit, logit

from livewell.metrics.outcomes import Floats


def expanded_tails(level: float, free: float) -> tuple[float, float]:
    """Tails of an expanded percentile interval (Hesterberg 2015, Am. Stat. 69:371).

    Resampling n groups makes the spread too small by ``sqrt((n - 1) / n)``, and quantiles ignore
    that the spread is itself estimated: the tails are where a normal so shrunk has Student's t.

    Parameters
    ----------
    level
        Coverage, in (0, 1).
    free
        Degrees of freedom, ``n - 1``.
    """
    t = stats.t.ppf((1 - level) / 2, free)
    tail = max(float(stats.norm.cdf(np.sqrt((free + 1) / free) * t)), 1e-12)
    return tail, 1 - tail


def students(value: float, known: Floats, free: float, level: float) -> tuple[float, float]:
    """Student's t interval around the log odds of a figure in (0, 1).

    Parameters
    ----------
    value, known
        The figure and its resamples, whose standard deviation is the error, widened for `free`
        degrees of freedom and carried to log odds by the delta method.
    free, level
        As in `expanded_tails`.
    """
    spread = known.std() * np.sqrt((free + 1) / free) / (value * (1 - value))
    half = stats.t.ppf((1 + level) / 2, free) * spread
    low, high = expit(logit(value) + half * np.array([-1, 1]))
    return float(low), float(high)


def bca_tails(
    value: float, known: Floats, jackknife: Floats, tails: tuple[float, float]
) -> tuple[float, float] | None:
    """Tails moved for bias and acceleration (Efron 1987, JASA 82:171, section 4).

    Parameters
    ----------
    value, known
        The figure and its resamples.
    jackknife
        The figure with each group left out in turn.
    tails
        Of the percentile interval.

    Returns
    -------
    tuple or None
        ``None`` where all resamples lie on one side of the figure or no group moves it.
    """
    below = (np.sum(known < value) + np.sum(known == value) / 2) / len(known)
    left = jackknife[np.isfinite(jackknife)]
    spread = left.mean() - left if len(left) else left
    if not 0 < below < 1 or not len(left) or not spread.any():
        return None
    bias = stats.norm.ppf(below)
    acceleration = (spread**3).sum() / (6 * (spread**2).sum() ** 1.5)
    z = bias + stats.norm.ppf(np.array(tails))
    low, high = stats.norm.cdf(bias + z / (1 - acceleration * z))
    return (float(low), float(high)) if low < high else None
