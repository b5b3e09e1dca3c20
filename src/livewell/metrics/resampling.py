"""Draw whole groups anew, within strata of the classes that they hold.

`held` says whether each group holds patches of each class, shape (classes, groups).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats

Weigh = Callable[[Floats], Floats]
"""From weights, shape (resamples, groups), to values, shape (resamples,); NaN where undefined."""


def draws(held: NDArray[np.bool_], seed: int, resamples: int = 2000) -> Floats:
    """How often each group is drawn in each resample, shape (resamples, groups)."""
    if resamples < 1:
        raise SpecError("too few resamples", expected="at least 1", got=str(resamples))
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, held.shape[1]))
    for members in strata_of(held):
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), share, size=resamples)
    return weights


def strata_of(held: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Numbers of the groups that are drawn for one another.

    Groups that hold one class only, class by class, and groups that hold several. A group that is
    alone of its kind joins another kind, for drawn from itself it would never vary; only a group
    that is the one holder of its class stays alone.
    """
    several = held.sum(axis=0) > 1
    mixed, *alone = (np.flatnonzero(kind) for kind in (several, *(held & ~several)))
    found = []
    for members in alone:
        if len(members) == 1 and len(mixed):
            mixed = np.append(mixed, members)
        elif len(members):
            found.append(members)
    if len(mixed) == 1 and found:
        largest = max(range(len(found)), key=lambda stratum: len(found[stratum]))
        found[largest] = np.append(found[largest], mixed)
    elif len(mixed):
        found.append(mixed)
    return found


def freedom(held: NDArray[np.bool_], weigh: Weigh, weights: Floats) -> float:
    """Degrees of freedom of a spread that adds up from strata (Satterthwaite 1946).

    Each stratum counts by the spread that it makes; one group alone in its stratum, whose spread
    nobody knows, leaves none.
    """
    strata, groups = strata_of(held), int(held.shape[1])
    if len(strata) == 1:
        return groups - 1
    if min(len(members) for members in strata) < 2:
        return 0
    above = below = 0.0
    for members in strata:
        alone = np.ones_like(weights)
        alone[:, members] = weights[:, members]
        values = weigh(alone)
        spread = float(np.nanvar(values)) if np.isfinite(values).any() else 0.0
        above, below = above + spread, below + spread**2 / (len(members) - 1)
    return above**2 / below if below > 0 else groups - len(strata)
