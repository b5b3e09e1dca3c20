"""Loaders of training and validation data, and the processes that they use."""

import copy
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import cpu_count
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from livewell import errors
from livewell.errors import LivewellError, OutputError, TableError
from livewell.image import PixelSource
from livewell.models.profile import Profile
from livewell.training.data import Draws, LabelledRegions, PlainCrops, TrainingCrops
from livewell.training.fields import FieldBatch, FieldCrops, PlainFields
from livewell.training.stain import StainTargets

HEAVY = 5_000
"""Operations a pixel from which training is faster with all cores for the net: on two cores
WSCNN_FAST (8,700) by 1.5 and DEADNET_2017 (26,000) by 1.7 times, FAST (3,000) slower by a tenth."""
VALIDATION_PATCHES = 2048
"""At most so many validation patches are scored each epoch, drawn once, groups alike."""


def workers() -> int:
    """How many processes crop and augment: one a core but for the one that trains, 2 to 8.

    On two cores two of them beside one thread of a light net are 1.7 times as fast as one of them
    beside two threads.
    """
    return min(max(int(cpu_count()) - 1, 2), 8)


@contextmanager
def beside(processes: int, net: nn.Module, crop: tuple[int, int, int]) -> Iterator[None]:
    """Leave one core to the processes that crop and augment, where the net does not need it.

    A net that computes much for every pixel of a `crop` (channels, h, w) sets the pace by itself:
    loading, which lets it go first, takes what it leaves.
    """
    number = torch.get_num_threads()
    if processes and number > 1 and operations_a_pixel(net, crop) < HEAVY:
        torch.set_num_threads(number - 1)
    try:
        yield
    finally:
        torch.set_num_threads(number)


@contextmanager
def plainly() -> Iterator[None]:
    """Raise what a loading process raised as itself, not as the traceback that torch makes."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if "DataLoader worker" not in text:
            raise
        said = re.search(r".*\blivewell\.errors\.(\w+): (.*)", text, re.DOTALL)
        if said:
            kind = getattr(errors, said[1], LivewellError)
            kind = LivewellError if issubclass(kind, TableError) else kind
            raise kind(said[2].strip().rstrip(".")) from error
        if not re.search("shared memory|unable to (resize|write|allocate)|bus error", text):
            raise
        raise OutputError(
            "no room in shared memory for the processes that load images",
            got=text.strip().splitlines()[-1],
            remedy="give the machine more of it (docker run --shm-size=2g); then give the same"
            " command again, which goes on",
        ) from error


def operations_a_pixel(net: nn.Module, crop: tuple[int, int, int]) -> float:
    """Floating-point operations of a forward pass over one `crop` (channels, h, w), a pixel."""
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        copy.deepcopy(net).eval()(torch.zeros(1, *crop))
    return float(counted.get_total_flops()) / (crop[1] * crop[2])


def _yielding(_: int) -> None:
    """Let the net's threads go first: they wait for each other, so one held up holds up all."""
    if hasattr(os, "nice"):
        os.nice(19)


def _only(batches: list[FieldBatch]) -> FieldBatch:
    (batch,) = batches
    return batch


def training_loader(
    source: PixelSource,
    labelled: LabelledRegions,
    profile: Profile,
    seed: int,
    *,
    processes: int,
    stain: StainTargets | None = None,
) -> DataLoader[Any]:
    """Batches of augmented crops for training, the same whatever the number of `processes`.

    Crops (batch, c, input_px, input_px) or whole frames (batch, c, h, w), float32, normalised, and
    their classes; of nets of fields `FieldBatch`. One epoch each time it is gone through.
    """
    fields = profile.net.learns_from_fields
    crops: Dataset[Any] = (
        FieldCrops(source, labelled, profile, seed, stain)
        if fields
        else TrainingCrops(source, labelled, profile, seed)
    )
    return DataLoader(
        crops,
        batch_size=profile.fit.batch,
        sampler=Draws(labelled.codes, labelled.groups, profile, seed),
        collate_fn=_only if fields else None,
        num_workers=processes,
        persistent_workers=processes > 0,
        prefetch_factor=4 if processes else None,
        worker_init_fn=_yielding if processes else None,
        pin_memory=torch.cuda.is_available(),
    )


def validation_loader(
    source: PixelSource,
    part: LabelledRegions,
    profile: Profile,
    seed: int,
    stain: StainTargets | None = None,
) -> DataLoader[Any]:
    """Validation patches; where there are too many, a draw that takes groups alike."""
    rows = np.arange(len(part.patches))
    if len(rows) > VALIDATION_PATCHES:
        order = np.random.default_rng([seed, 2]).permutation(rows)
        groups = pd.Series(np.asarray(part.groups)[order])
        turn = groups.groupby(groups).cumcount().to_numpy()
        rows = np.sort(order[np.argsort(turn, kind="stable")[:VALIDATION_PATCHES]])
    patches, codes = [part.patches[row] for row in rows.tolist()], part.codes[rows].astype(np.int64)
    if profile.net.learns_from_fields:
        fields = PlainFields(source, patches, codes, profile, stain)
        return DataLoader(fields, batch_size=1, collate_fn=_only)
    crops = PlainCrops(source, patches, profile.input.radius_px, codes.tolist())
    return DataLoader(crops, batch_size=2 * profile.fit.batch)
