"""Whole movies and very large images through `heatmap`: memory, time a frame, and what is lost."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tifffile

from benchmarks.dense import available
from benchmarks.memory import write_movie
from benchmarks.models import FORMS, trained
from benchmarks.result import Result
from livewell.images.opening import open_image
from livewell.inference.backends import Backend
from livewell.inference.dense import Dense
from livewell.inference.frames import fit_to
from livewell.inference.windows import Windows
from livewell.models.files import load_model
from livewell.models.recipes import DEADNET_DENSE
from livewell.outputs.sliding import Sliding
from livewell.progress import Tick, shown, task
from livewell.workflows.heatmap import heatmap

STRIDE = 16
ALONE = 40
"""Frames that are scored without reading and writing, to compare."""
_CHILD = """
import sys
import torch, torchvision, lightning.pytorch
torch.nn.Conv2d(1, 8, 3)(torch.zeros(1, 1, 64, 64))
status = open("/proc/self/status").read()
base = int(status.split("VmRSS:")[1].split()[0]) / 1024
from benchmarks.movies import child
child(base, *sys.argv[1:])
"""


def movie(*, runs: Path | None = None, frames: int = 500, seed: int = 0) -> Result:
    """A long movie from file to map and video: memory, time a frame, share of inference.

    Parameters
    ----------
    runs
        As in `benchmarks.dense.table`.
    frames
        Length of the movie.
    seed
        Of model and movie.
    """
    began = time.monotonic()
    rows = []
    with TemporaryDirectory() as temporary:
        folder = runs or Path(temporary)
        trained(folder, DEADNET_DENSE, seed=seed)
        path = Path(temporary) / "movie.ome.tif"
        write_movie(path, frames, seed)
        model = folder / DEADNET_DENSE.name
        asked: list[Backend] = ["torch", *[b for b in available() if b == "openvino-bf16"]]
        with task("mapping", len(asked)) as tick:
            for backend in asked:
                found = _run(path, model, Path(temporary) / f"out-{backend}", backend)
                rows += _movie_rows(backend, found, frames)
                tick()
    return Result(
        "movie",
        f"A movie of {frames} frames of 1344 x 1024: memory and time from file to map and video",
        f"python -m benchmarks movie --frames {frames} --seed {seed}",
        seed,
        ["backend", "what", "value"],
        rows,
        f"{DEADNET_DENSE.name}, every {STRIDE} px, 16-bit frames; resident memory of the process"
        " less that of one which has imported torch, torchvision and lightning and run one"
        f" convolution. Inference alone: {ALONE} of the frames in memory, same process, same"
        " backend, from pixels to log odds. End to end: read, judge, map and video written.",
        time.monotonic() - began,
    )


def _movie_rows(backend: str, found: dict[str, Any], frames: int) -> list[list[str]]:
    memory = np.array([row[1] for row in found["seen"]]) - found["base"]
    when = np.array([row[0] for row in found["seen"]])
    took = np.diff(when)
    quarters = [part.mean() for part in np.array_split(took, 4)]
    whole = float((when[-1] - when[0]) / (len(when) - 1))
    marks = [1, frames // 4, frames // 2, 3 * frames // 4, frames]
    return [
        [backend, "inference alone, s a frame", f"{found['alone']:.3f}"],
        [backend, "end to end, s a frame", f"{whole:.3f}"],
        [backend, "end to end / inference alone", f"{whole / found['alone']:.2f}"],
        [backend, "s a frame by quarter of the movie", ", ".join(f"{q:.3f}" for q in quarters)],
        [
            backend,
            f"MiB after frame {', '.join(map(str, marks))}",
            ", ".join(f"{memory[mark - 1]:.0f}" for mark in marks),
        ],
        [backend, "peak, MiB", f"{found['peak'] - found['base']:.0f}"],
    ]


def large_image(*, runs: Path | None = None, side_px: int = 20_000, seed: int = 0) -> Result:
    """One very large image: peak memory of the whole process.

    Parameters
    ----------
    runs, seed
        As in `movie`.
    side_px
        Height and width.
    """
    began = time.monotonic()
    with TemporaryDirectory() as temporary:
        folder = runs or Path(temporary)
        model = trained(folder, DEADNET_DENSE, seed=seed)
        path = Path(temporary) / "large.ome.tif"
        small = model.views[0].frame[0]
        whole = tifffile.memmap(
            path, shape=(side_px, side_px), dtype=np.uint16, photometric="minisblack"
        )
        for y in range(0, side_px, small.shape[0]):
            for x in range(0, side_px, small.shape[1]):
                part = whole[y : y + small.shape[0], x : x + small.shape[1]]
                part[...] = small[: part.shape[0], : part.shape[1]]
        whole.flush()
        del whole
        with task("mapping", 1) as tick:
            found = _run(path, folder / DEADNET_DENSE.name, Path(temporary) / "out", "torch", 0)
            tick()
    rows = [
        ["peak resident memory of the process, MiB", f"{found['peak']:.0f}"],
        ["of which torch, torchvision and lightning, MiB", f"{found['base']:.0f}"],
        ["from file to map and page, s", f"{found['total']:.0f}"],
        ["windows", f"{(side_px - 256) // STRIDE + 1:,} x {(side_px - 256) // STRIDE + 1:,}"],
    ]
    return Result(
        "large-image",
        f"An image of {side_px:,} x {side_px:,} px: memory",
        f"python -m benchmarks large-image --seed {seed}",
        seed,
        ["what", "value"],
        rows,
        f"{DEADNET_DENSE.name} on one 16-bit image of {side_px**2 * 2 / 1e9:.1f} GB, tiles of at"
        " most 2 GB (the default), backend torch; page and video show one pixel in five.",
        time.monotonic() - began,
    )


def _run(movie: Path, model: Path, out: Path, backend: str, alone: int = ALONE) -> dict[str, Any]:
    command = [sys.executable, "-c", _CHILD, str(movie), str(model), str(out), backend, str(alone)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(base: float, movie: str, model: str, out: str, backend: Backend, alone: str) -> None:
    """What `movie` and `large_image` run in a process of its own; prints one JSON object.

    Parameters
    ----------
    base
        Resident memory before livewell was imported, MiB.
    movie, model, out
        Paths.
    backend
        Of the dense engine.
    alone
        Frames scored without reading and writing.
    """
    seconds = _alone(Path(movie), Path(model), backend, int(alone)) if int(alone) else 0.0
    watch = Watch()
    began = time.perf_counter()
    with shown(watch):
        heatmap(
            Path(movie), Path(model), Path(out), stride_px=STRIDE, engine="dense", backend=backend
        )
    total = time.perf_counter() - began
    watch.stop()
    print(  # this is how a child answers
        json.dumps(
            {
                "base": base,
                "alone": seconds,
                "seen": watch.seen,
                "peak": watch.peak,
                "total": total,
            }
        )
    )


def _alone(movie: Path, model: Path, backend: Backend, frames: int) -> float:
    """Seconds a frame of the engine on frames that lie in memory."""
    net, card = load_model(model)
    engine = Dense(net, backend=backend)
    with open_image(movie) as image:
        fit = fit_to(card, image.header, None, str(movie))
        sliding = Sliding(image, card, fit, STRIDE, 0)
        views = list(sliding.views(range(min(frames, image.header.frames))))
    next(engine.stream(views[:1], sliding.grid))
    times = []
    for _ in range(3):
        began = time.perf_counter()
        for _ in engine.stream(views, sliding.grid):
            pass
        times.append((time.perf_counter() - began) / len(views))
    return median(times)


def resident_mib() -> float:
    """Resident memory of this process, MiB."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Watch:
    """Notes time and memory at every step of the longest task, and the peak between them."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []
        self.peak = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, resident_mib())

    def stop(self) -> None:
        """End the sampling."""
        self._done.set()
        self._thread.join()

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Steps of the task that slides over frames."""

        def tick(done: float = 1, note: str = "") -> None:
            if what == "sliding over frames":
                self.seen.append((time.perf_counter(), resident_mib()))

        yield tick


def real_images(
    data: Path,
    *,
    runs: Path | None = None,
    models: tuple[Path, ...] = (),
    every: int = 2,
    seed: int = 0,
) -> Result:
    """How far dense maps are from windows' on real images.

    Parameters
    ----------
    data
        Folder that holds ``t98g-movie`` and ``mcf7-pi``.
    runs
        As in `movie`.
    models
        Further models.
    every
        Every so many-th window in rows and columns of the 16 px map is scored one by one.
    seed
        As in `movie`.
    """
    began = time.monotonic()
    rows = []
    with TemporaryDirectory() as temporary:
        folder = runs or Path(temporary)
        for profile in FORMS.values():
            trained(folder, profile, seed=seed)
        paths = [folder / profile.name for profile in FORMS.values()] + list(models)
        images = {
            "t98g-movie": [(data / "t98g-movie", t) for t in (0, 4, 9)],
            "mcf7-pi": [(path, 0) for path in sorted((data / "mcf7-pi").glob("*.ome.tif"))[::8]],
        }
        total = len(paths) * sum(map(len, images.values()))
        with task("comparing", total) as tick:
            for path in paths:
                for name, frames in images.items():
                    rows.append(_deviation(path, name, frames, every, tick))
    return Result(
        "dense-real",
        "Real images: dense maps against windows one by one",
        " ".join(
            [
                f"python -m benchmarks dense-real --data ../shared/data --seed {seed}",
                *(f"--model {path}" for path in models),
            ]
        ),
        seed,
        ["model", "images", "windows", "exact", "r of maps", "95% of |difference| in p", "largest"],
        rows,
        f"Dense float32 against float32 windows, every {every}nd window in rows and columns of the"
        f" map with {STRIDE} px steps, where there are cells. Models of the simulated culture (and"
        " those named in the command), judged here only for whether both ways say the same.",
        time.monotonic() - began,
    )


def _deviation(
    path: Path, name: str, frames: list[tuple[Path, int]], every: int, tick: Tick
) -> list[str]:
    net, card = load_model(path)
    dense, windows = Dense(net), Windows(net)
    pairs = []
    for file, t in frames:
        with open_image(file, pixel_um=card.pixel_um) as image:
            fit = fit_to(card, image.header, None, str(file))
            sliding = Sliding(image, card, fit, STRIDE, 0)
            (view,) = sliding.views([t])
        thinned = np.zeros_like(view.wanted)
        thinned[::every, ::every] = view.wanted[::every, ::every]
        view = replace(view, wanted=thinned)
        both = [next(e.stream([view], sliding.grid))[1][:, view.wanted].T for e in (windows, dense)]
        pairs.append(np.stack([card.region_rule.probabilities(each)[..., 1] for each in both]))
        tick(1, f"{card.profile.name}, {name}")
    found = np.concatenate(pairs, axis=1)
    difference = np.abs(found[0] - found[1])
    return [
        card.profile.name,
        f"{len(frames)} frames of {name}",
        f"{found.shape[1]:,}",
        "yes" if dense.form.reach.exact else "; ".join(dense.form.reach.because),
        f"{np.asarray(np.corrcoef(found))[0, 1]:.4f}",
        f"{np.percentile(difference, 95):.2g}",
        f"{difference.max():.2g}",
    ]
