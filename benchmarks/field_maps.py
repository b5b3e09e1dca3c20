"""Heat maps of FAST's relatives: the whole frame at once against windows, seconds a frame."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import median

import numpy as np
import torch

from benchmarks.mcf7 import PADDED
from benchmarks.models import HEIGHT, STRIDE, WIDTH
from benchmarks.result import Result
from livewell.classes import ClassNames
from livewell.geometry import Box, WindowGrid
from livewell.inference.dense import Dense
from livewell.inference.windows import View, Windows
from livewell.models.building import build, net_of
from livewell.models.profile import Profile
from livewell.models.recipes import FAST, FAST_FIELDS
from livewell.progress import task

PROFILES = (FAST, FAST_FIELDS, PADDED)
PARTS = 4
"""Windows are timed on the first of so many parts of the map's rows, and the time multiplied."""


def table(
    *,
    profiles: Iterable[Profile] = PROFILES,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
    repeats: int = 3,
    seed: int = 0,
) -> Result:
    """Seconds a frame of the dense engine and of windows, and how far they differ."""
    profiles = list(profiles)
    rows, values = [], {}
    with task("measuring", 2 * repeats * len(profiles)) as tick:
        for profile in profiles:
            dense, windows, apart = _measured(profile, shape, repeats, seed, tick)
            values[profile.name] = {"dense": dense, "windows": windows, "difference": apart}
            ratio = median(windows) / median(dense)
            rows.append(
                [
                    profile.name,
                    f"{median(windows):.2f}",
                    f"{median(dense):.3f}",
                    f"{ratio:.0f}",
                    f"{apart:.0e}",
                ]
            )
    return Result(
        title=f"Heat maps of {shape[1]} x {shape[0]} every {STRIDE} px: dense against windows",
        header="profile | windows, s a frame | dense, s a frame | ratio | largest difference",
        rows=rows,
        lead=f"Random weights, float32, {torch.get_num_threads()} threads. Medians of {repeats}"
        f" runs by turns. Windows are timed on the first of {PARTS} parts of the map's rows and"
        " multiplied. The difference is that of logits in these rows; FAST of version 0.1 pads"
        " its maps, and so is not exact.",
        values=values,
    )


def _measured(
    profile: Profile, shape: tuple[int, int], repeats: int, seed: int, tick: Callable[[], object]
) -> tuple[list[float], list[float], float]:
    """Seconds of the dense engine and of windows, and the largest difference of a logit."""
    torch.manual_seed(seed)
    net = net_of(build(profile).eval(), profile, ClassNames(("healthy", "sick")), None)
    frame = np.random.default_rng(seed).normal(1000, 100, shape).clip(1).astype(np.uint16)
    whole = Box.of(0, 0, *shape)
    grid = WindowGrid.over(whole, net.patch_px, STRIDE)
    view = View(frame, whole, np.ones(grid.shape, dtype=bool))
    part = replace(grid, rows=-(-grid.rows // PARTS))
    few = replace(view, wanted=view.wanted[: part.rows])
    engine, windows = Dense(net), Windows(net)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        began = time.perf_counter()
        ((_, dense),) = engine.stream([view], grid)
        seconds[0].append(time.perf_counter() - began)
        tick()
        began = time.perf_counter()
        ((_, each),) = windows.stream([few], part)
        seconds[1].append((time.perf_counter() - began) * grid.rows / part.rows)
        tick()
    return *seconds, float(np.abs(dense[:, : part.rows] - each).max())
