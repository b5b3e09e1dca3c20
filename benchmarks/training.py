"""How much of a net's training speed is left when patches are read and augmented as it trains."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.models import CULTURE, culture_study
from benchmarks.result import Result
from livewell.models.building import build
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_2017, DEADNET_DENSE, FAST
from livewell.progress import task
from livewell.region import RegionGrid
from livewell.study.pixels import StudyPixels
from livewell.training.data import LabelledRegions
from livewell.training.fit import calm, chosen_precision
from livewell.training.loading import beside, training_loader, workers
from livewell.training.module import Classifier

WARM_UP, STEPS, REPEATS = 5, 40, 3
PROFILES = (DEADNET_2017, DEADNET_DENSE, FAST)


def speed(*, seed: int = 0) -> Result:
    """Crops a second of training from files with augmentation, and from memory without."""
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        pixels, names = _pictures(Path(temporary), seed)
        with task("training", 2 * REPEATS * len(PROFILES)) as tick:
            for profile in PROFILES:
                full, bare = [], []
                for _ in range(REPEATS):
                    full.append(_rate(profile, pixels, names, seed, augmented=True))
                    tick(1, profile.name)
                    bare.append(_rate(profile, pixels, names, seed, augmented=False))
                    tick(1, profile.name)
                shares = [f / b for f, b in zip(full, bare, strict=True)]
                rows.append(
                    [
                        profile.name,
                        chosen_precision(profile),
                        f"{median(full):.0f}",
                        f"{median(bare):.0f}",
                        f"{median(shares):.0%} ({min(shares):.0%}-{max(shares):.0%})",
                    ]
                )
    return Result(
        title="Training: crops a second with full augmentation, as a share of the net alone",
        header="profile | number type | crops/s, from files, augmented | from memory | share",
        rows=rows,
        lead=f"{STEPS} steps each after {WARM_UP} to warm up, {REPEATS} times by turns, medians"
        " (range of the share). From files: patches of 16-bit movies of 1344 x 1024 through the"
        " study's memory-mapped cache, every augmentation of the profile. From memory: the same net"
        " on batches that lie ready as the net takes them.",
        notes=[f"{workers()} processes cut and augment beside the one that trains."],
    )


def _pictures(folder: Path, seed: int) -> tuple[StudyPixels, list[tuple[str, int]]]:
    spec = replace(CULTURE, wells_per_dose=2, frames=3, frame_s=900.0, cells=140, seed=seed)
    study = culture_study(spec, folder)
    pixels = StudyPixels(study)
    pixels.prepare()
    return pixels, [(name, t) for name in study.fields()["image"] for t in range(spec.frames)]


def _rate(
    profile: Profile,
    pixels: StudyPixels,
    names: list[tuple[str, int]],
    seed: int,
    *,
    augmented: bool,
) -> float:
    """Crops a second."""
    steps = WARM_UP + STEPS
    short = override(profile, {"steps": 3 * steps, "steps_per_epoch": steps, "balance": "class"})
    patches = [
        patch
        for name, t in names
        for patch in RegionGrid(profile.input.patch_px, profile.input.stride_px).patches(
            name, t, pixels.area(name, t)
        )
    ]
    rng = np.random.default_rng(seed)
    part = LabelledRegions(patches, rng.integers(0, 2, len(patches)), ["one"] * len(patches))
    torch.manual_seed(seed)
    net = build(short)
    classifier = Classifier(net, short, seed)
    batches: Any
    if augmented:
        batches = training_loader(pixels, part, short, seed, processes=workers())
    else:
        shape = (short.fit.batch, 1, short.input.input_px, short.input.input_px)
        ready = [(torch.randn(shape), torch.arange(short.fit.batch) % 2) for _ in range(4)]
        batches = DataLoader(_Ready(ready, steps), batch_size=None)
    clock, crop = _Clock(), (1, short.seen_px, short.seen_px)
    processes = workers() if augmented else 0
    with calm(), beside(processes, net, crop), tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="auto",
            devices=1,
            precision="bf16-mixed" if chosen_precision(short) == "bfloat16" else "32-true",
            max_epochs=1,
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(classifier, batches)
    return STEPS * short.fit.batch / (clock.ends[-1] - clock.ends[WARM_UP - 1])


class _Ready(Dataset[tuple[Tensor, Tensor]]):
    """Batches that lie in memory."""

    def __init__(self, batches: list[tuple[Tensor, Tensor]], steps: int) -> None:
        self._batches, self._steps = batches, steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        return self._batches[step % len(self._batches)]


class _Clock(Callback):
    """When every step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())
