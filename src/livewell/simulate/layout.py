"""Which wells of a plate are used and which of them gets which dose."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.plate import PLATES, Well

DEALS = 2000
"""Random deals among which the best balanced one is taken."""

Floats = NDArray[np.floating[Any]]


def sites(count: int) -> list[Well]:
    """Wells to use: a block inside the rim, where evaporation is least, if it is large enough.

    Parameters
    ----------
    count
        How many, at most 1536.
    """
    for size in (96, 384, 1536):
        plate = PLATES[size]
        inner = [
            well
            for well in plate.wells()
            if 0 < well.row < plate.rows - 1 and 0 < well.column < plate.columns - 1
        ]
        if count <= len(inner):
            wide = max(1, round(np.sqrt(count * 1.6)))
            block = [well for well in inner if well.column <= wide]
            return (block if count <= len(block) else inner)[:count]
    return PLATES[1536].wells()[:count]


def deal(doses: Floats, looks: Floats, rng: np.random.Generator) -> Floats:
    """Deal doses out over wells at random, without tying them to what the wells look like.

    Rerandomisation: of many random deals the one whose doses differ least in their wells' mean
    looks is taken.

    Parameters
    ----------
    doses
        Shape (wells,), one entry a well to be had.
    looks
        Shape (wells, covariates), known before any dose is given.
    rng
        Source of chance.

    Returns
    -------
    numpy.ndarray
        `doses` in the order of the wells.

    References
    ----------
    Morgan and Rubin 2012, Rerandomization to improve covariate balance in experiments.
    """
    scaled = (looks - looks.mean(0)) / np.maximum(looks.std(0), 1e-9)
    deals = [rng.permutation(doses) for _ in range(DEALS)]
    return min(deals, key=lambda dealt: _imbalance(scaled, dealt))


def _imbalance(scaled: Floats, dealt: Floats) -> float:
    """How far the doses' mean looks lie apart, summed over looks and doses."""
    groups = [dealt == dose for dose in np.unique(dealt)]
    means = np.array([scaled[group].mean(0) * np.sqrt(group.sum()) for group in groups])
    return float(np.square(means).sum())
