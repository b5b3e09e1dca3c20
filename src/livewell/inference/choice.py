"""Which backend is fastest here and agrees with torch: measured once, remembered."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray

from livewell.errors import LivewellError
from livewell.files import read_json, write_json
from livewell.geometry import WindowGrid
from livewell.inference.backends import Backend, available
from livewell.inference.dense import Dense
from livewell.inference.engine import View
from livewell.models.nets.net import Net
from livewell.progress import SILENT, Progress

AGREE = 0.005
"""Most that the 95th percentile of differences in probability from torch's float32 may be."""
WORTH_FRAMES = 30
"""Shorter movies are over before measuring has paid; they take what is remembered, or torch."""
RUNS = 2

Probability = Callable[[NDArray[Any]], NDArray[Any]]
"""Calibrated probabilities of log odds."""


@dataclass(frozen=True)
class Choice:
    """The backend that was chosen, and why.

    Parameters
    ----------
    backend
        Its name.
    seconds
        Seconds a frame of every backend that was measured; empty where none was.
    differences
        95th percentile of differences in probability from torch in float32, on the user's frame.
    remembered
        Whether the seconds are of an earlier run.
    """

    backend: Backend
    seconds: Mapping[str, float]
    differences: Mapping[str, float]
    remembered: bool = False


def memory_file() -> Path:
    """Where choices are remembered; ``LIVEWELL_CACHE`` names another folder."""
    folder = os.environ.get("LIVEWELL_CACHE") or platformdirs.user_cache_dir("livewell", False)
    return Path(folder) / "backends.json"


def choose(
    net: Net,
    view: View,
    grid: WindowGrid,
    probability: Probability,
    *,
    weights: str,
    frames: int,
    memory_gb: float | None,
    progress: Progress = SILENT,
) -> Choice:
    """The fastest backend whose probabilities agree with torch's on a frame of the user's.

    Parameters
    ----------
    net
        The trained net.
    view, grid
        A frame of the movie, and its windows.
    probability
        Of log odds.
    weights
        Hash of the net's weights: what was measured for others does not count.
    frames
        Length of the movie, see `WORTH_FRAMES`.
    memory_gb
        As in `Dense`.
    progress
        Where to report.

    Returns
    -------
    Choice
        ``torch`` where nothing is faster, or the movie too short to find out.
    """
    names = available()
    key = _key(names, weights, view.frame.shape, grid)
    known = _recall(key)
    if known is not None and known.backend in names:
        pair: list[Backend] = ["torch", known.backend]
        again = _compared(net, view, grid, probability, pair, memory_gb, runs=0)
        if again.differences.get(known.backend, np.inf) <= AGREE:
            return Choice(known.backend, known.seconds, again.differences, remembered=True)
    elif frames < WORTH_FRAMES:
        return Choice("torch", {}, {})
    found = _compared(net, view, grid, probability, names, memory_gb, progress)
    _remember(key, found)
    return found


def _compared(
    net: Net,
    view: View,
    grid: WindowGrid,
    probability: Probability,
    names: list[Backend],
    memory_gb: float | None,
    progress: Progress = SILENT,
    runs: int = RUNS,
) -> Choice:
    """Every one of `names` on one frame; the first is torch, which the others are held against."""
    seconds: dict[str, float] = {}
    differences: dict[str, float] = {}
    reference: NDArray[Any] | None = None
    with progress.task("measuring backends", len(names)) as tick:
        for name in names:
            try:
                logits, seconds[name] = _timed(
                    Dense(net, backend=name, memory_gb=memory_gb), view, grid, runs
                )
            except Exception:
                if name == "torch":
                    raise
                # an optional backend that is broken here is one that cannot be chosen
                tick(1, f"{name} does not work here")
                continue
            p = probability(logits[view.wanted])
            reference = p if reference is None else reference
            differences[name] = float(np.percentile(np.abs(p - reference), 95))
            tick(1, f"{name} {seconds[name]:.2f} s a frame")
    agreeing = [name for name in names if differences.get(name, np.inf) <= AGREE]
    quickest: list[Backend] = sorted(agreeing, key=lambda name: seconds[name])
    best: Backend = quickest[0] if quickest else "torch"
    return Choice(best, seconds, differences)


def _timed(engine: Dense, view: View, grid: WindowGrid, runs: int) -> tuple[NDArray[Any], float]:
    """Log odds of a frame, and the seconds of the quickest of `runs` after the first."""
    _, logits = next(engine.stream([view], grid))
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        next(engine.stream([view], grid))
        took.append(time.perf_counter() - began)
    return logits, min(took, default=float("nan"))


def _key(names: list[Backend], weights: str, shape: tuple[int, ...], grid: WindowGrid) -> str:
    """What a measurement is good for: machine, versions, threads, net and size of frames."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    facts = [
        platform.processor() or platform.machine(),
        _processor(),
        torch.get_num_threads(),
        gpu,
        [_version(name) for name in ("torch", "onnxruntime", "openvino")],
        names,
        weights,
        [int(edge) for edge in shape],
        asdict(grid),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("model name")), "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _recall(key: str) -> Choice | None:
    """What was remembered; nothing where the file is missing, damaged or of another time."""
    try:
        entry = read_json(memory_file(), kind="measured backends")["choices"][key]
        return Choice(entry["backend"], entry["seconds"], entry["differences"], remembered=True)
    except (LivewellError, KeyError, TypeError):
        return None


def _remember(key: str, found: Choice) -> None:
    """Add a choice to the file; where it cannot be written, it is measured again next time."""
    path = memory_file()
    try:
        known = dict(read_json(path, kind="measured backends")["choices"])
    except (LivewellError, KeyError, TypeError):
        known = {}
    entry = {name: value for name, value in asdict(found).items() if name != "remembered"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"kind": "measured backends", "choices": {**known, key: entry}})
    except (LivewellError, OSError):
        return
