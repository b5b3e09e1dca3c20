"""Assign whole groups to parts so that every part gets its share of every class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
"""Patches by group and class, shape (groups, classes)."""
Assignment = NDArray[np.int64]
"""Part of every group, shape (groups,)."""

_TOLERANCE = 1e-12
_GROUP_WEIGHT = 0.1


def can_cover(counts: Counts, parts: int) -> bool:
    """Whether whole groups can give each of `parts` parts at least one group of every class.

    With two classes a part needs one group that holds both, or one of each kind. With more
    classes the answer is whether a greedy cover finds a way.
    """
    holds = counts > 0
    if holds.shape[1] == 2:
        mixed = int(holds.all(axis=1).sum())
        alone = [int(n) - mixed for n in holds.sum(axis=0)]
        return mixed + min(alone) >= parts
    return any(
        (_Draft.start(counts, np.full(parts, 1 / parts), np.random.default_rng(seed)).covered())
        for seed in range(20)
    )


def assignments(counts: Counts, fractions: NDArray[np.float64], seed: int) -> list[Assignment]:
    """Good ways to assign groups to parts, the best first; every part holds every class.

    `counts` are patches by group and class, `fractions` the share of each part, sum 1. No way may
    be found. The deviation that is kept small is the squared difference between a part's share of
    each class and its fraction, over the fraction; shares of the *groups* that hold the class count
    a tenth beside it.
    """
    tries = int(np.clip(400 // max(len(counts), 1), 2, 12))
    found = []
    for rng in np.random.default_rng(seed).spawn(tries):
        draft = _Draft.start(counts, fractions, rng)
        if draft.covered():
            draft.fill(rng)
            draft.improve()
            found.append((draft.cost(), draft.part))
    return [part for _, part in sorted(found, key=lambda pair: pair[0])]


@dataclass
class _Draft:
    """One attempt: `part` is -1 where a group has none yet."""

    share: Counts
    holds: NDArray[np.int64]
    fractions: NDArray[np.float64]
    part: Assignment

    @classmethod
    def start(
        cls, counts: Counts, fractions: NDArray[np.float64], rng: np.random.Generator
    ) -> "_Draft":
        """Give every part the classes it lacks, groups with the most classes first."""
        holds = (counts > 0).astype(np.int64)
        of_patches = counts / np.maximum(counts.sum(axis=0), 1)
        of_groups = holds / np.maximum(holds.sum(axis=0), 1)
        share = np.hstack([of_patches, np.sqrt(_GROUP_WEIGHT) * of_groups])
        draft = cls(share, holds, fractions, np.full(len(counts), -1, dtype=np.int64))
        lacks = np.ones((len(fractions), holds.shape[1]), dtype=bool)
        order = rng.permutation(len(counts))
        for group in order[np.argsort(-holds[order].sum(axis=1), kind="stable")]:
            gain = (lacks & (holds[group] > 0)).sum(axis=1)
            if gain.max() > 0:
                best = rng.choice(np.flatnonzero(gain == gain.max()))
                draft.part[group] = best
                lacks[best] &= holds[group] == 0
        return draft

    def covered(self) -> bool:
        """Whether every part holds every class."""
        return bool((self._groups() > 0).all())

    def cost(self) -> float:
        """Deviation of the parts' shares from their fractions."""
        return float((self._excess() ** 2 / self.fractions[:, None]).sum())

    def fill(self, rng: np.random.Generator) -> None:
        """Assign the rest, big groups first, each to where it brings the shares closest."""
        rest = rng.permutation(np.flatnonzero(self.part < 0))
        excess = self._excess()
        weight = 1 / self.fractions
        jitter = rng.uniform(0.7, 1.3, len(rest))
        for group in rest[np.argsort(-self.share[rest].max(axis=1) * jitter)]:
            step = weight * (2 * excess @ self.share[group] + (self.share[group] ** 2).sum())
            best = int(step.argmin())
            self.part[group] = best
            excess[best] += self.share[group]

    def improve(self, most: int = 300) -> None:
        """Move one group or swap two while that lowers the cost and leaves every part covered."""
        for _ in range(most):
            if not (self._move() or (len(self.part) <= 150 and self._swap())):
                return

    def _groups(self) -> NDArray[np.int64]:
        member = self.part[None, :] == np.arange(len(self.fractions))[:, None]
        return np.asarray(member.astype(np.int64) @ self.holds)

    def _excess(self) -> Counts:
        member = self.part[None, :] == np.arange(len(self.fractions))[:, None]
        full = self.share.sum(axis=0)
        return np.asarray(member.astype(float) @ self.share - self.fractions[:, None] * full)

    def _move(self) -> bool:
        excess, groups, weight = self._excess(), self._groups(), 1 / self.fractions
        size = (self.share**2).sum(axis=1)
        along = self.share @ excess.T
        own = along[np.arange(len(self.part)), self.part]
        change = weight * (2 * along + size[:, None])
        change += (weight[self.part] * (size - 2 * own))[:, None]
        change[np.arange(len(self.part)), self.part] = 0
        change[((groups[self.part] - self.holds) < 1).any(axis=1)] = 0
        group, part = np.unravel_index(change.argmin(), change.shape)
        if change[group, part] >= -_TOLERANCE:
            return False
        self.part[group] = part
        return True

    def _swap(self) -> bool:
        excess, groups, weight = self._excess(), self._groups(), 1 / self.fractions
        # Row i gives itself to the part of column j and takes j: the change of i's part is j - i.
        gain = self.share[None, :, :] - self.share[:, None, :]
        size = (gain**2).sum(axis=2)
        along = (gain * excess[self.part][:, None, :]).sum(axis=2)
        half = weight[self.part][:, None] * (2 * along + size)
        change = half + half.T
        left = groups[self.part][:, None, :] - self.holds[:, None, :] + self.holds[None, :, :]
        broken = (left < 1).any(axis=2)
        change[broken | broken.T | (self.part[:, None] == self.part[None, :])] = 0
        one, other = np.unravel_index(change.argmin(), change.shape)
        if change[one, other] >= -_TOLERANCE:
            return False
        self.part[one], self.part[other] = self.part[other], self.part[one]
        return True
