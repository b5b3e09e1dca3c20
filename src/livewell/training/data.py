"""Patches as a net takes them in: augmented for training, as they are for validation."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import cpu_count
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from livewell.image import PixelSource
from livewell.models.profile import Profile
from livewell.region import Region
from livewell.training.augment import augmented, generator
from livewell.training.draws import Draw, Draws


@dataclass(frozen=True)
class LabelledRegions:
    """Patches of one part of a split.

    Parameters
    ----------
    patches
        The keys.
    codes
        (n,) number of the class of each.
    groups
        Name of the group of each, never split.
    """

    patches: Sequence[Region]
    codes: NDArray[np.int64]
    groups: Sequence[str]


class TrainingCrops(Dataset[tuple[Tensor, int]]):
    """Augmented crops by draw; what a draw gives depends on seed, patch and draw alone."""

    def __init__(
        self, source: PixelSource, labelled: LabelledRegions, profile: Profile, seed: int
    ) -> None:
        self._source, self._labelled = source, labelled
        self._profile, self._seed = profile, seed

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        """(c, input_px, input_px) float32, normalised, or a whole frame; and its class."""
        return self.__getitems__([draw])[0]

    def __getitems__(self, draws: Sequence[Draw]) -> list[tuple[Tensor, int]]:
        """What `__getitem__` gives of each draw, all augmented together; loaders ask for this."""
        around = self._profile.input.radius_px
        pixels, rngs = [], []
        for draw in draws:
            patch = self._labelled.patches[draw.row]
            pixels.append(self._source.crop(patch.image, patch.t, patch.box.widened(around)))
            key = (patch.image, patch.t, patch.box.corners)
            rngs.append(generator(self._seed, key, draw.epoch, draw.number))
        crops = torch.from_numpy(augmented(np.stack(pixels), self._profile, rngs))
        classes = [int(self._labelled.codes[draw.row]) for draw in draws]
        return list(zip(crops, classes, strict=True))


class PlainCrops(Dataset[tuple[Tensor, int]]):
    """Patches as they are in the file, in order."""

    def __init__(self, source: PixelSource, patches: Sequence[Region], context: int = 0) -> None:
        self._source, self._patches, self._context = source, patches, context

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        """(c, edge, edge) float32 in grey levels, the patch with its context, and the row."""
        patch = self._patches[row]
        box = patch.box.widened(self._context)
        return torch.from_numpy(self._source.crop(patch.image, patch.t, box)), row


def workers() -> int:
    """How many processes cut and augment: one a core but for the one that trains, at most 8."""
    return min(max(int(cpu_count()) - 1, 1), 8)


@contextmanager
def beside(processes: int) -> Iterator[None]:
    """Leave one of four cores or more to the processes that cut and augment."""
    number = torch.get_num_threads()
    if processes and number >= 4:
        torch.set_num_threads(number - 1)
    try:
        yield
    finally:
        torch.set_num_threads(number)


def _yielding(_: int) -> None:
    """Let the net's threads go first: they wait for each other, so one held up holds up all."""
    if hasattr(os, "nice"):
        os.nice(19)


def training_loader(
    source: PixelSource, labelled: LabelledRegions, profile: Profile, seed: int, *, processes: int
) -> DataLoader[tuple[Tensor, int]]:
    """Batches of augmented crops for training, the same whatever the number of processes.

    Parameters
    ----------
    source
        Where the pixels come from.
    labelled
        Patches with classes and groups.
    profile
        Batch, augmentation, and how patches are drawn.
    seed
        Of the draws and of every augmentation.
    processes
        How many beside this one read and augment.

    Returns
    -------
    DataLoader
        Of (batch, c, input_px, input_px) float32, normalised, or of whole frames (batch, c, h, w);
        and classes; one epoch of ``steps_per_epoch`` batches each time it is gone through.
    """
    return DataLoader(
        TrainingCrops(source, labelled, profile, seed),
        batch_size=profile.fit.batch,
        sampler=Draws(labelled.codes, labelled.groups, profile, seed),
        **loader_settings(processes),
    )


def loader_settings(processes: int) -> dict[str, Any]:
    """How loaders of training data use processes."""
    return {
        "num_workers": processes,
        "persistent_workers": processes > 0,
        "prefetch_factor": 4 if processes else None,
        "worker_init_fn": _yielding if processes else None,
        "pin_memory": torch.cuda.is_available(),
    }


def plain_loader(
    source: PixelSource,
    patches: Sequence[Region],
    *,
    batch: int,
    processes: int = 0,
    context: int = 0,
) -> DataLoader[tuple[Tensor, int]]:
    """Batches of patches as they are, in order.

    Parameters
    ----------
    source
        Where the pixels come from.
    patches
        Which ones; beyond the valid area the picture is mirrored.
    batch
        How many together.
    processes
        How many beside this one read; none by default.
    context
        Pixels around every patch that are read with it.

    Returns
    -------
    DataLoader
        Of (batch, c, edge, edge) float32 in grey levels, and rows of `patches`.
    """
    return DataLoader(
        PlainCrops(source, patches, context),
        batch_size=batch,
        num_workers=processes,
        pin_memory=torch.cuda.is_available(),
    )
