"""How much is needed for the same: where a curve reaches a target."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.isotonic import IsotonicRegression

from livewell.metrics.outcomes import Floats


def rising(steps: ArrayLike, curve: ArrayLike) -> Floats:
    """The curve made monotone, so that it reaches a target once (isotonic regression)."""
    return np.asarray(IsotonicRegression().fit_transform(steps, curve), dtype=np.float64)


def needed(steps: ArrayLike, curve: Floats, target: float) -> float:
    """The step at which a rising curve first reaches a target, on straight lines between steps.

    Infinite where it does not; the first step where it begins above.
    """
    places = np.asarray(steps, dtype=np.float64)
    reached = np.flatnonzero(curve >= target - 1e-12)
    if not len(reached):
        return np.inf
    first = int(reached[0])
    if first == 0:
        return float(places[0])
    part = (target - curve[first - 1]) / (curve[first] - curve[first - 1])
    return float(places[first - 1] + part * (places[first] - places[first - 1]))
