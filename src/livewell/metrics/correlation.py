"""How far scores of regions go with something measured on them, with intervals over groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from livewell.metrics.intervals import Estimate, signed_interval
from livewell.metrics.outcomes import Floats, Outcomes
from livewell.metrics.resampling import Weigh, draws, freedom
from livewell.metrics.weighted import once

TINY = 1e-9
"""Sums of squares below this, in standard deviations, are rounding errors."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Pearson's r over all regions, and within groups.

    The r within groups is that of the distances from each group's means (Bland and Altman 1995, BMJ
    310:446): that groups differ, in health as in brightness, adds nothing to it.
    """

    pooled: Estimate
    within: Estimate


def correlation(
    data: Outcomes, x: ArrayLike, y: ArrayLike, *, seed: int, resamples: int = 2000
) -> Correlation:
    """Pearson's r of two numbers a region, intervals from resamples of whole groups.

    `x` and `y` are in the order of the regions of `data`, which says what groups they are of.
    """
    across, up = _standard(x), _standard(y)
    moments = data.sums(across * across), data.sums(up * up), data.sums(across * up)
    sums = data.sums(np.ones(len(data.y))), data.sums(across), data.sums(up)
    n = np.maximum(sums[0], 1)
    pairs = ((1, 1), (2, 2), (1, 2))
    xx, yy, xy = (m - sums[a] * sums[b] / n for m, (a, b) in zip(moments, pairs, strict=True))
    telling = (xx > TINY) & (yy > TINY)
    inner = xx * telling, yy * telling, xy * telling

    def pooled(weights: Floats) -> Floats:
        total, *firsts = (weights @ each for each in sums)
        xx, yy, xy = (
            weights @ m - firsts[a - 1] * firsts[b - 1] / np.maximum(total, 1)
            for m, (a, b) in zip(moments, pairs, strict=True)
        )
        return _r(xx, yy, xy)

    def within(weights: Floats) -> Floats:
        return _r(*(weights @ each for each in inner))

    weights = draws(data.held, seed, resamples)
    every, few = len(data.names), int(telling.sum())
    free = freedom(data.held, pooled, weights)
    return Correlation(
        _estimate(pooled, weights, every, free, "all regions are alike"),
        _estimate(within, weights, few, few - 1, "within every group regions are alike"),
    )


def _standard(values: ArrayLike) -> Floats:
    """Distances from the mean in standard deviations: large numbers lose no digits in sums."""
    centred = np.asarray(values, dtype=float) - np.asarray(values, dtype=float).mean()
    return np.asarray(centred / max(centred.std(), np.finfo(float).tiny))


def _r(xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """Pearson's r from sums of squares and products of distances from the mean; NaN without any."""
    spread = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    unknown: Floats = np.full(len(xy), np.nan)
    found = np.divide(xy, spread, out=unknown, where=spread > TINY)
    return np.asarray(np.clip(found, -1, 1))


def _estimate(weigh: Weigh, weights: Floats, groups: int, free: float, reason: str) -> Estimate:
    value = once(weigh, weights.shape[1])
    return signed_interval(value, weigh(weights), groups, free=free, reason=reason)
