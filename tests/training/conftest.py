"""Small pictures in memory with an easy difference, and a recipe that learns it in a second."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from scipy import ndimage

from livewell.geometry import Box
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY
from livewell.region import RegionGrid
from livewell.study.pixels import ArrayPixels
from livewell.training.data import LabelledRegions

GROUPS = tuple(f"{look}{number}" for number in range(3) for look in ("coarse", "fine"))
SIZE_PX = 2 * TINY.input.patch_px


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """One thread: these nets are so small that threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def pixels() -> ArrayPixels:
    """One picture a group: coarse texture where negative, fine texture where positive."""
    rng = np.random.default_rng(0)
    pictures = {}
    for name in GROUPS:
        texture = rng.normal(size=(1, SIZE_PX, SIZE_PX))
        if name.startswith("coarse"):
            texture = ndimage.gaussian_filter(texture, (0, 3, 3))
        pictures[name] = (1000 + 100 * texture / texture.std()).astype(np.uint16)
    return ArrayPixels(pictures)


def labelled(groups: Sequence[str]) -> LabelledRegions:
    """Four patches of each of these groups."""
    grid, area = (
        RegionGrid(TINY.input.patch_px, TINY.input.patch_px),
        Box.of(0, 0, SIZE_PX, SIZE_PX),
    )
    patches = [patch for name in groups for patch in grid.patches(name, 0, area)]
    codes = np.array([int(patch.image.startswith("fine")) for patch in patches])
    return LabelledRegions(patches, codes, [patch.image for patch in patches])


@pytest.fixture(scope="session")
def parts() -> tuple[LabelledRegions, LabelledRegions]:
    """Training and validation patches, of different groups."""
    return labelled(GROUPS[:4]), labelled(GROUPS[4:])


@pytest.fixture(scope="session")
def recipe() -> Profile:
    """A few short epochs without what slows learning down."""
    plain = {"ema": 0, "dropout": 0, "mixup": 0, "label_smoothing": 0, "erase": 0}
    usual = {"lr": 0.003, "batch": 8, "balance": "class_and_group", "normalise": "patch"}
    length = {"steps": 12, "steps_per_epoch": 3, "patience": 0, "select": "best"}
    return override(TINY, plain | usual | length | {"precision": "float32"})
