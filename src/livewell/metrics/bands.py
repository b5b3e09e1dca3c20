"""The band of probabilities in which a verdict is left open."""

import numpy as np
from numpy.typing import ArrayLike

from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats

MAX_ERROR = 0.05
"""Highest share of wrong verdicts among decided pictures that a band is chosen for."""
LEAST_BAND = 0.1
"""The unsure band reaches at least so far to either side of the threshold."""


def narrowest_band(
    p: ArrayLike,
    y: ArrayLike,
    threshold: float,
    max_error: float = MAX_ERROR,
    *,
    weight: ArrayLike | None = None,
) -> tuple[float, float]:
    """The narrowest band around a threshold outside of which at most `max_error` are wrong.

    Parameters
    ----------
    p, y
        Probability and truth 0/1 of every validation picture.
    threshold
        Lies in the band, with `LEAST_BAND` to either side, so that pictures that happen to be told
        apart wholly do not leave an empty band; clipped to [0, 1].
    max_error
        Highest share of wrong ones among those with ``p < low`` or ``p > high``, in [0, 1).
    weight
        What each picture counts in that share; one each by default.

    Returns
    -------
    low, high
        Of equally narrow bands the one that decides most; (0, 1), with nothing decided, where no
        narrower one is good enough.

    Raises
    ------
    SpecError
        `max_error` out of range.
    """
    if not 0 <= max_error < 1:
        raise SpecError(
            "no such share", where="max_error", expected="in [0, 1)", got=str(max_error)
        )
    values, truth = np.asarray(p, dtype=float).ravel(), np.asarray(y).ravel() == 1
    floor, ceiling = max(0.0, threshold - LEAST_BAND), min(1.0, threshold + LEAST_BAND)
    lows = _thinned(np.unique(np.concatenate([[0.0, floor], values[values < floor]])))
    highs = _thinned(np.unique(np.concatenate([[ceiling, 1.0], values[values > ceiling]])))
    below = values[:, None] < lows
    above = values[:, None] > highs
    counts = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float).ravel()
    wrong = (counts[truth] @ below[truth])[:, None] + (counts[~truth] @ above[~truth])[None, :]
    decided = (counts @ below)[:, None] + (counts @ above)[None, :]
    good = wrong <= max_error * decided + 1e-9
    width = np.where(good, np.round(highs[None, :] - lows[:, None], 12), np.inf)
    candidates = np.argwhere(width == width.min())
    best = max(candidates, key=lambda place: decided[tuple(place)])
    return float(lows[best[0]]), float(highs[best[1]])


def _thinned(values: Floats, most: int = 400) -> Floats:
    """At most so many of the values, first and last among them."""
    if len(values) <= most:
        return values
    return np.asarray(values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))])
