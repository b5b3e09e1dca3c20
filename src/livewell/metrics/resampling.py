"""Draw whole groups anew, within strata of the classes that they hold."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats


class Grouped(Protocol):
    """Scored patches in groups, of any number of classes."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the groups."""
        ...

    @property
    def held(self) -> NDArray[np.bool_]:
        """Whether each group holds patches of each class, shape (classes, groups)."""
        ...


def draws(data: Grouped, seed: int, resamples: int = 2000) -> Floats:
    """How often each group is drawn in each resample, shape (resamples, groups)."""
    if resamples < 1:
        raise SpecError("too few resamples", expected="at least 1", got=str(resamples))
    rng = np.random.default_rng(seed)
    weights = np.zeros((resamples, len(data.names)))
    for members in strata_of(data):
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(len(members), share, size=resamples)
    return weights


def strata_of(data: Grouped) -> list[NDArray[np.int64]]:
    """Numbers of the groups that are drawn for one another.

    Groups that hold one class only, class by class, and groups that hold several. A group that is
    alone of its kind joins another kind, for drawn from itself it would never vary; only a group
    that is the one holder of its class stays alone.
    """
    held = data.held
    several = held.sum(axis=0) > 1
    mixed, *alone = (np.flatnonzero(kind) for kind in (several, *(held & ~several)))
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
