"""Crops as a net takes them in: augmented for training, as they are for validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from livewell.image import PixelSource
from livewell.models.profile import Profile
from livewell.region import Region
from livewell.training.augment import augmented, generator
from livewell.training.draws import Draw


@dataclass(frozen=True)
class LabelledRegions:
    """Regions of one part of a split."""

    patches: Sequence[Region]
    codes: NDArray[np.int64]
    """(n,) number of the class of each."""
    groups: Sequence[str]
    """Name of the group of each, never split."""

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
