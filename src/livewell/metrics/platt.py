"""Platt scaling: a logistic curve from a score to a probability."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from livewell.metrics.outcomes import Floats


def fit_logistic(x: Floats, y: NDArray[np.int64], group: NDArray[Any]) -> tuple[float, float]:
    """Slope and intercept of Platt's (1999) logistic, section 2.2, slope at least 0.

    Parameters
    ----------
    x, y
        Score and truth 0/1 of every picture, both classes, shape (pictures,).
    group
        Groups weigh alike within a class, and are what the targets count: many frames of two wells
        are two witnesses.

    Returns
    -------
    slope, intercept
        Most likely ones for the smoothed targets ``(n1 + 1) / (n1 + 2)`` and ``1 / (n0 + 2)``,
        with n1 and n0 groups of each class.
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
