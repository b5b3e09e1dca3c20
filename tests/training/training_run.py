"""One real training from start to end, as a program of its own: `training_run.py FOLDER EPOCHS`."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from livewell.geometry import Box
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.region import RegionGrid
from livewell.study.pixels import ArrayPixels
from livewell.training.data import LabelledRegions
from livewell.training.fit import fit

STEPS = 4
"""Steps an epoch."""


def main(folder: Path, epochs: int) -> None:
    """Train with two loading processes and everything random; print the weights' hash."""
    torch.set_num_threads(1)
    random = {"ema": 0.9, "dropout": 0.3, "mixup": 0.4, "erase": 0.5, "noise_sd": "0,0.2"}
    length = {"steps": STEPS * epochs, "steps_per_epoch": STEPS, "batch": 8}
    size = TINY.input.patch_px
    rng = np.random.default_rng(0)
    pictures = {}
    for number in range(6):
        noise = rng.normal(size=(1, 2 * size, 2 * size))
        soft = ndimage.gaussian_filter(noise, (0, 2, 2)) if number % 2 else noise
        pictures[f"g{number}"] = (1000 + 100 * soft / soft.std()).astype(np.uint16)

    def labelled(names: list[str]) -> LabelledRegions:
        area = Box.of(0, 0, 2 * size, 2 * size)
        patches = [p for name in names for p in RegionGrid(size, size).patches(name, 0, area)]
        positive = np.array([int(patch.image[1:]) % 2 == 1 for patch in patches])
        return LabelledRegions(patches, positive, [patch.image for patch in patches])

    fitted = fit(
        override(TINY, random | length),
        ArrayPixels(pictures),
        labelled(["g0", "g1", "g2", "g3"]),
        labelled(["g4", "g5"]),
        folder,
        seed=5,
        processes=2,
    )
    digest = hashlib.sha256()
    for name, value in sorted(fitted.module.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
