"""Which crops are drawn when, and crops as a net takes them in: augmented, or as they are.

Draws depend on seed and epoch alone, so that a resumed run goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from livewell.image import PixelSource
from livewell.models.profile import Profile
from livewell.region import Region
from livewell.training.augment import augmented, generator


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
        self._independent = profile.fit.balance == "class_with_replacement"
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
        elif profile.fit.balance in ("class", "class_with_replacement"):
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
        for number, row in enumerate(self._rows(rng)):
            yield Draw(int(row), self.epoch, number)

    def _rows(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """The regions of one epoch, in the order of their draws."""
        if self._independent:
            return rng.choice(self._regions, self._count, p=self.shares)
        shares = _shuffled_shares(self._count, len(self._pools), rng)
        rows = np.empty(self._count, dtype=np.int64)
        for which, pool in enumerate(self._pools):
            positions = np.flatnonzero(shares == which)
            groups = _shuffled_shares(len(positions), len(pool), rng)
            for number, members in enumerate(pool):
                wanted = positions[groups == number]
                rows[wanted] = _cycled(members, len(wanted), rng)
        return rows


def _shuffled_shares(count: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` numbers below `parts`, each as often as the others but for one."""
    order = rng.permutation(parts)
    return rng.permutation(order[np.arange(count) % parts])


def _cycled(members: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of `members`, each as often as the others but for one, in random order."""
    rounds = -(-count // len(members))
    return np.concatenate([rng.permutation(members) for _ in range(rounds)] or [members])[:count]


@dataclass(frozen=True)
class LabelledRegions:
    """Regions of one part of a split."""

    patches: Sequence[Region]
    codes: NDArray[np.int64]
    """(n,) number of the class of each."""
    groups: Sequence[str]
    """Name of the group of each, never split."""

    def with_more(self, other: "LabelledRegions") -> "LabelledRegions":
        """These and others."""
        return LabelledRegions(
            [*self.patches, *other.patches],
            np.concatenate([self.codes, other.codes]),
            [*self.groups, *other.groups],
        )

    def generator(self, draw: Draw, seed: int) -> np.random.Generator:
        """What decides everything random about one draw in a run of that seed."""
        patch = self.patches[draw.row]
        key = (patch.image, patch.t, patch.box.corners)
        return generator(seed, key, draw.epoch, draw.number)


class TrainingCrops(Dataset[tuple[Tensor, int]]):
    """Augmented crops by draw; what a draw gives depends on seed, patch and draw alone."""

    def __init__(
        self, source: PixelSource, labelled: LabelledRegions, profile: Profile, seed: int
    ) -> None:
        self._source, self._labelled = source, labelled
        self._profile, self._seed = profile, seed

    def __getitems__(self, draws: Sequence[Draw]) -> list[tuple[Tensor, int]]:
        """(c, input_px, input_px) float32, normalised, or a whole frame; and its class."""
        around = self._profile.input.radius_px
        patches = [self._labelled.patches[draw.row] for draw in draws]
        pixels = [
            self._source.crop(patch.image, patch.t, patch.box.widened(around)) for patch in patches
        ]
        rngs = [self._labelled.generator(draw, self._seed) for draw in draws]
        crops = torch.from_numpy(augmented(np.stack(pixels), self._profile, rngs))
        classes = [int(self._labelled.codes[draw.row]) for draw in draws]
        return list(zip(crops, classes, strict=True))


class PlainCrops(Dataset[tuple[Tensor, int]]):
    """Patches as they are in the file with `context` pixels around them, in order."""

    def __init__(
        self,
        source: PixelSource,
        patches: Sequence[Region],
        context: int = 0,
        codes: Sequence[int] | None = None,
    ) -> None:
        self._source, self._patches, self._context = source, patches, context
        self._numbers = range(len(patches)) if codes is None else codes

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        """(c, edge, edge) float32 in grey levels; and the patch's row, or its class."""
        patch = self._patches[row]
        crop = self._source.crop(patch.image, patch.t, patch.box.widened(self._context))
        return torch.from_numpy(crop), self._numbers[row]


def plain_loader(
    source: PixelSource, patches: Sequence[Region], *, batch: int, context: int = 0
) -> DataLoader[tuple[Tensor, int]]:
    """Batches of (batch, c, edge, edge) in grey levels with the rows of `patches`, in order.

    Beyond the valid area the image is mirrored.
    """
    return DataLoader(
        PlainCrops(source, patches, context),
        batch_size=batch,
        pin_memory=torch.cuda.is_available(),
    )
