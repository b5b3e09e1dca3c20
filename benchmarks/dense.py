"""Windows against dense maps: seconds a frame, what the answer loses, the machine's own speed."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from benchmarks.models import FORMS, TrainingResult, trained
from benchmarks.result import Result
from benchmarks.rivals import PlainWindows, monai_windows
from livewell.errors import MissingExtraError
from livewell.geometry import WindowGrid
from livewell.inference.dense import Dense
from livewell.inference.windows import BATCH, View, Windows
from livewell.models.backends import BACKENDS, Backend, require
from livewell.models.device import chosen_device
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.net import Net
from livewell.models.recipes import DEADNET_DENSE
from livewell.progress import task

PARTS = 4
"""Windows are timed on the first of so many parts of the map's rows, and the time multiplied."""
AUC_STEP = 4
"""For the AUC every so many-th cell in rows and columns of the map is taken."""
MATRIX, REPEATS = 2048, 3


def available() -> list[Backend]:
    """Backends that are installed here and not known to be slow; torch alone on a GPU.

    bfloat16 is slow where the machine has no instructions made for it.
    """
    if torch.cuda.is_available():
        fast = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        fast = any(bool(getattr(torch.cpu, name, bool)()) for name in names)
    found: list[Backend] = []
    for name in BACKENDS:
        here = name.startswith("torch") or chosen_device().type == "cpu"
        with suppress(MissingExtraError):
            require(name)
            found += [name] if here and (fast or not name.endswith("-bf16")) else []
    return found


def table(*, runs: Path, seed: int = 0) -> Result:
    """Every way of scoring one frame, for DeadNet in both forms."""
    rows: list[list[str]] = []
    notes: list[str] = []
    values: dict[str, Any] = {}
    for form, profile in FORMS.items():
        model = trained(runs, profile, seed=seed)
        found, said = _one_form(model)
        rows += [[form, *row] for row in found["rows"]]
        notes.append(f"{form.capitalize()}: {said}")
        values[form] = found["values"]
    if not torch.cuda.is_available():
        notes.append("No GPU here: its table is left out.")
    return Result(
        title="Dense maps against windows: DeadNet on 1344 x 1024, every 16 px",
        header="net | way | s a frame | times the fastest windows of its number type"
        " | times default float32 windows | 95% of |difference| in p | AUC | change of AUC",
        rows=rows,
        lead=f"Both forms trained on the simulated culture ({DEADNET_DENSE.fit.steps} steps),"
        f" unseen wells. 3,621 windows a frame. Medians of {REPEATS} runs by turns. Windows: plain"
        f" torch in batches of {BATCH}, timed on the first of {PARTS} parts of the map's rows and"
        " multiplied. MONAI: PatchInferer with SlidingWindowSplitter. Dense: from pixels to map,"
        " normalisation included. Differences are from float32 windows on one frame; AUC is of"
        f" every {AUC_STEP}th cell in rows and columns of every test frame.",
        notes=notes,
        values=values,
    )


def _one_form(model: TrainingResult) -> tuple[dict[str, Any], str]:
    view, grid = model.views[0], model.grid
    ways = _ways(model)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    rate: list[float] = []
    total = REPEATS * len(ways) + 1 + (len(ways) - 1) * len(model.views)
    with task("measuring", total) as tick, torch.inference_mode():
        for _ in range(REPEATS):
            rate.append(_matrix_rate())
            for name, way in ways.items():
                seconds[name].append(way.seconds())
                tick(1, f"{name} {seconds[name][-1]:.2f} s")
        _, logits = next(Windows(model.net).stream([view], grid))
        tick()
        probability = model.card.region_rule.probability
        reference = probability(logits)
        wanted = np.zeros(grid.shape, dtype=bool)
        wanted[::AUC_STEP, ::AUC_STEP] = True
        few = [replace(each, wanted=wanted) for each in model.views]
        truth = np.repeat(model.sick, int(wanted.sum()))
        areas: dict[str, float] = {}
        p95: dict[str, float] = {}
        for name, way in ways.items():
            if way.score is None:
                continue
            off = np.abs(probability(way.score(view)) - reference)
            p95[name] = float(np.nanpercentile(off, 95))
            scores = []
            for each in few:
                scores.append(way.score(each)[wanted].astype(np.float64))
                tick()
            areas[name] = float(roc_auc_score(truth, np.concatenate(scores)))
    return _told(model, ways, seconds, rate, areas, p95)


def _told(
    model: TrainingResult,
    ways: dict[str, "_Way"],
    seconds: dict[str, list[float]],
    rate: list[float],
    areas: dict[str, float],
    p95: dict[str, float],
) -> tuple[dict[str, Any], str]:
    """Rows of the table, and what is said below it."""
    middle = {name: median(times) for name, times in seconds.items()}
    plain = {
        half: min(v for n, v in middle.items() if n.startswith("windows") and ways[n].half == half)
        for half in (False, True)
    }
    base = middle["windows, default layout, float32"]
    true_auc = areas["windows, channels-last, float32"]
    rows = [
        [
            name,
            f"{value:.3f}",
            f"{plain[ways[name].half] / value:.0f}",
            f"{base / value:.0f}",
            f"{p95[name]:.1e}" if name in p95 else "",
            f"{areas[name]:.4f}" if name in areas else "",
            f"{areas[name] - true_auc:+.5f}" if name in areas else "",
        ]
        for name, value in middle.items()
    ]
    operations = direct_operations(model.net, model.grid)
    whole = [name for name in middle if name.startswith("dense") and not ways[name].half]
    best = min(whole, key=lambda name: middle[name])
    share, share_best = (
        median(operations / s / r for s, r in zip(seconds[name], rate, strict=True))
        for name in ("dense, torch float32", best)
    )
    said = (
        f"{operations / 1e9:.0f} GFLOP a frame counted as direct convolutions; a {MATRIX} x"
        f" {MATRIX} float32 matrix product reached {median(rate) / 1e9:.0f} GFLOP/s in the same"
        f" run, dense torch float32 {share:.0%} of that rate, {best}"
        f" {share_best:.0%} (the fully connected layer goes through Fourier space, which"
        " takes fewer operations than are counted)."
    )
    return {"rows": rows, "values": {"seconds": seconds, "auc": areas, "p95": p95}}, said


@dataclass(frozen=True)
class _Way:
    """One way of scoring: how long a frame takes, and what comes out."""

    seconds: Callable[[], float]
    half: bool = False
    score: Callable[[View], NDArray[Any]] | None = None


def _ways(model: TrainingResult) -> dict[str, _Way]:
    found: dict[str, _Way] = {}
    view, grid = model.views[0], model.grid
    rows = replace(grid, rows=-(-grid.rows // PARTS))
    share = grid.rows / rows.rows
    for layout in ("default layout", "channels-last"):
        for half in (False, True):
            name = f"windows, {layout}, {'bfloat16' if half else 'float32'}"
            plain = PlainWindows(model.net, layout == "channels-last", half=half)
            found[name] = _Way(
                lambda plain=plain: share * _timed(lambda: plain(view, rows)),  # type: ignore[misc]
                half,
                (lambda v, plain=plain: plain(v, grid)) if layout == "channels-last" else None,  # type: ignore[misc]
            )
    monai = monai_windows(model.net, view, rows)
    found["windows, MONAI PatchInferer, float32"] = _Way(lambda: share * _timed(monai))
    for backend in available():
        engine = Dense(model.net, backend=backend)
        half = backend.endswith("-bf16")
        title = f"dense, {backend.removesuffix('-bf16')} {'bfloat16' if half else 'float32'}"
        found[title] = _Way(
            lambda engine=engine: _dense_seconds(engine, view, grid),  # type: ignore[misc]
            half,
            lambda v, engine=engine: next(engine.stream([v], grid))[1],  # type: ignore[misc]
        )
    return found


def _dense_seconds(engine: Dense, view: View, grid: WindowGrid, frames: int = 4) -> float:
    next(engine.stream([view], grid))
    return _timed(lambda: list(engine.stream([view] * frames, grid))) / frames


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _matrix_rate(runs: int = 10) -> float:
    """Operations a second of a float32 product of two square matrices."""
    a, b = (torch.randn(MATRIX, MATRIX, device=chosen_device()) for _ in range(2))
    a @ b
    return 2 * MATRIX**3 / median(_timed(lambda: a @ b) for _ in range(runs))


def direct_operations(net: Net, grid: WindowGrid) -> float:
    """Operations of the dense form on one frame, every convolution counted as plain sums."""
    form = DenseForm(net)
    edges = [(count - 1) * grid.stride_px + net.input_px for count in grid.shape]
    counted = 0.0

    def count(layer: nn.Conv2d, given: Any, made: Tensor) -> None:
        nonlocal counted
        kernel = layer.weight[0].numel()
        counted += 2.0 * kernel * made.numel()

    handles = [
        part.register_forward_hook(count)
        for part in form.trunk.modules()
        if isinstance(part, nn.Conv2d)
    ]
    with torch.inference_mode():
        form.trunk(torch.zeros(1, 1, *edges))
    for handle in handles:
        handle.remove()
    places = float(np.prod(grid.shape))
    counted += sum(2.0 * part.numel() * places for part in form.head.parameters() if part.ndim > 1)
    return counted
