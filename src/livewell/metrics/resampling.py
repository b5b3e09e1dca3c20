"""Draw whole groups anew, within strata of the classes that they hold."""

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats, Outcomes


def draws(data: Outcomes, seed: int, resamples: int = 2000) -> Floats:
    """How often each group is drawn in each resample, shape (resamples, groups)."""
    if resamples < 1:
        raise SpecError("too few resamples", expected="at least 1", got=str(resamples))
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(data.names)))
    for members in strata_of(data):
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), share, size=resamples)
    return weights


def strata_of(data: Outcomes) -> list[NDArray[np.int64]]:
    """Numbers of the groups that are drawn for one another.

    Groups with negatives only, with positives only, and with both. A group that is alone of its
    kind joins another kind, for drawn from itself it would never vary; only a group that is the
    one holder of its class stays alone.
    """
    positive, negative = data.holders(1), data.holders(0)
    kinds = [positive & negative, negative & ~positive, positive & ~negative]
    mixed, *alone = (np.flatnonzero(kind) for kind in kinds)
    found = []
    for members in alone:
        if len(members) == 1 and len(mixed):
            mixed = np.append(mixed, members)
        elif len(members):
            found.append(members)
    if len(mixed) == 1 and found:
        largest = max(range(len(found)), key=lambda place: len(found[place]))
        found[largest] = np.append(found[largest], mixed)
    elif len(mixed):
        found.append(mixed)
    return found
