"""Which patch is drawn when: decided by seed and epoch alone, so that a resumed run goes on."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from livewell.models.profile import Profile


class Draw(NamedTuple):
    """One draw: the patch's row, and what seeds its augmentation."""

    row: int
    epoch: int
    number: int


class Draws(Sampler[Draw]):
    """Draws the regions of one epoch, by class and by name of the group of each."""

    def __init__(
        self, codes: NDArray[np.int64], groups: Sequence[str], profile: Profile, seed: int
    ) -> None:
        self._count = profile.fit.batch * profile.fit.steps_per_epoch
        self._seed, self._regions = seed, len(codes)
        self.epoch = 0
        names = np.asarray(groups)
        rows = np.arange(len(codes))
        by_class = [rows[codes == code] for code in np.unique(codes)]
        both = names
        for members in by_class:
            both = np.intersect1d(both, names[members])
        paired = profile.fit.balance == "paired" and all(
            np.isin(names[members], both).mean() >= 0.5 for members in by_class
        )
        if profile.fit.balance == "none":
            self._pools = [[rows]]
        elif profile.fit.balance == "class":
            self._pools = [[members] for members in by_class]
        else:
            self._pools = [
                [
                    members[names[members] == name]
                    for name in (both if paired else np.unique(names[members]))
                ]
                for members in by_class
            ]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n,) share of the draws that every region gets; 0 for those that are never drawn."""
        shares = np.zeros(self._regions)
        for pool in self._pools:
            for members in pool:
                shares[members] += 1 / (len(self._pools) * len(pool) * len(members))
        return shares

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next (Lightning calls this)."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng([self._seed, self.epoch, 1])
        shares = _shuffled_shares(self._count, len(self._pools), rng)
        rows = np.empty(self._count, dtype=np.int64)
        for which, pool in enumerate(self._pools):
            places = np.flatnonzero(shares == which)
            groups = _shuffled_shares(len(places), len(pool), rng)
            for number, members in enumerate(pool):
                wanted = places[groups == number]
                rows[wanted] = _cycled(members, len(wanted), rng)
        for number, row in enumerate(rows):
            yield Draw(int(row), self.epoch, number)


def _shuffled_shares(count: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` numbers below `parts`, each as often as the others but for one."""
    order = rng.permutation(parts)
    return rng.permutation(order[np.arange(count) % parts])


def _cycled(members: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of `members`, each as often as the others but for one, in random order."""
    rounds = -(-count // len(members))
    return np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members])[:count]
