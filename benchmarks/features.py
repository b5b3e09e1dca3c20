"""Features of a frozen backbone: seconds a field on every backend, and how far they agree."""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.dense import available
from benchmarks.models import HEIGHT, STRIDE, WIDTH
from benchmarks.result import Result
from livewell.classes import ClassNames
from livewell.geometry import Box, WindowGrid
from livewell.images.opening import open_image
from livewell.inference.dense import Dense
from livewell.inference.windows import View
from livewell.models.backends import Backend, maps_on
from livewell.models.building import build, net_of
from livewell.models.device import chosen_device
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.net import normalise
from livewell.models.recipes import FAST, FROZEN
from livewell.progress import task

REPEATS = 5
Way = Callable[[], list[Tensor]]


def table(data: Path, *, seed: int = 0) -> Result:
    """Seconds a field of the features of FROZEN, and of one dense pass of FAST beside it."""
    field = _field(data)
    ways = _features(field) | _dense(field, seed)
    prepared: dict[str, float] = {}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    made: dict[str, list[Tensor]] = {}
    with task("measuring", (REPEATS + 1) * len(ways)) as tick, torch.inference_mode():
        for name, way in ways.items():
            prepared[name], made[name] = _timed(way)
            tick()
        for _ in range(REPEATS):
            for name, way in ways.items():
                seconds[name].append(_timed(way)[0])
                tick()
    middle = {name: median(times) for name, times in seconds.items()}
    exact, fast = made["features, torch"], middle["FAST dense, torch"]
    apart = {name: _apart(maps, exact) for name, maps in made.items() if "features" in name}
    rows = [
        [
            name,
            f"{value:.2f}",
            f"{value / fast:.2f}",
            f"{prepared[name] - value:.1f}",
            f"{apart[name]:.1e}" if name in apart else "",
        ]
        for name, value in middle.items()
    ]
    zooms = " and ".join(map(str, FROZEN.net.model_dump()["zooms"]))
    return Result(
        title=f"Features of a frozen backbone: a field of {WIDTH} x {HEIGHT}",
        header="what | s a field | times FAST dense, torch | s once, made ready"
        " | error, share of the features' spread",
        rows=rows,
        lead=f"Backbone and head's maps of FROZEN at zooms {zooms}, without its head; FAST: one"
        f" dense pass, cells every {STRIDE} px, its weights random. {torch.get_num_threads()}"
        f" threads; medians of {REPEATS} runs by turns. A brightfield image of mcf7-pi, mirrored"
        " to that size.",
        notes=["Features are kept as float16, which alone rounds them by up to 5e-4 of each."],
        values={"seconds": seconds, "first": prepared, "error": apart},
    )


def _field(data: Path) -> NDArray[np.generic]:
    path = min((data / "mcf7-pi").glob("**/*.ome.tif"))
    with open_image(path) as image:
        frame = image.frame(0)
    return np.pad(frame, [(0, HEIGHT - frame.shape[0]), (0, WIDTH - frame.shape[1])], "symmetric")


def _features(field: NDArray[np.generic]) -> dict[str, Way]:
    """Maps of the field by every backend."""
    net = cast(FrozenNet, build(FROZEN))
    pixels = normalise(torch.from_numpy(field.astype(np.float32))[None], FROZEN.input.normalise)

    def way(backend: Backend) -> Way:
        trunk = lru_cache(lambda: maps_on(backend, net.trunk, chosen_device(), any_size=True))
        return lambda: [each.values for each in net.maps(pixels, 1.0, trunk())]

    return {f"features, {backend}": way(backend) for backend in available()}


def _dense(field: NDArray[np.generic], seed: int) -> dict[str, Way]:
    """A dense pass of FAST by every backend."""
    torch.manual_seed(seed)
    net = net_of(build(FAST).eval(), FAST, ClassNames(("healthy", "sick")), None)
    whole = Box.of(0, 0, *field.shape)
    grid = WindowGrid.over(whole, net.patch_px, STRIDE)
    view = View(field, whole, np.ones(grid.shape, dtype=bool))

    def way(backend: Backend) -> Way:
        engine = Dense(net, backend=backend)
        return lambda: [torch.from_numpy(found) for _, found in engine.stream([view], grid)]

    return {f"FAST dense, {backend}": way(backend) for backend in available()}


def _timed(way: Way) -> tuple[float, list[Tensor]]:
    began = time.perf_counter()
    made = way()
    return time.perf_counter() - began, made


def _apart(maps: list[Tensor], exact: list[Tensor]) -> float:
    """Root mean square of the difference over the standard deviation, of the worst map."""
    pairs = [(one.float(), two.float()) for one, two in zip(maps, exact, strict=True)]
    return max(float((a - b).square().mean().sqrt() / b.std()) for a, b in pairs)
