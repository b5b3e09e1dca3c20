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
from benchmarks.models import FORMS, HEIGHT, STRIDE, WIDTH, trained
from benchmarks.result import Result
from livewell.images.opening import open_image
from livewell.inference.dense import Dense
from livewell.inference.frames import fit_to
from livewell.inference.windows import Windows
from livewell.models.backends import Backend
from livewell.models.files import load_model
from livewell.models.recipes import DEADNET_DENSE
from livewell.outputs.sliding import MovieWindows
from livewell.progress import Tick, shown, task
from livewell.workflows.assess import assess
from livewell.workflows.heatmap import heatmap

EVERY = 2
"""Every so many-th window in rows and columns of a map is held against the dense one."""
ALONE = 40
"""Frames that are scored without reading and writing, to compare."""
_CHILD = """
import sys
import torch, torchvision, lightning.pytorch
torch.nn.Conv2d(1, 8, 3)(torch.zeros(1, 1, 64, 64))
status = open("/proc/self/status").read()
base = int(status.split("VmRSS:")[1].split()[0]) / 1024
import benchmarks.movies
getattr(benchmarks.movies, sys.argv[1])(base, *sys.argv[2:])
"""


def movie(*, runs: Path, frames: int = 500, seed: int = 0) -> Result:
    """A long movie from file to map and video: memory, time a frame, share of inference."""
    rows = []
    with TemporaryDirectory() as temporary:
        trained(runs, DEADNET_DENSE, seed=seed)
        path = Path(temporary) / "movie.ome.tif"
        write_movie(path, frames, seed)
        model = runs / DEADNET_DENSE.name
        asked: list[Backend] = ["torch", *[b for b in available() if b == "openvino-bf16"]]
        with task("mapping", len(asked)) as tick:
            for backend in asked:
                found = _child("mapped", path, model, f"{temporary}/out-{backend}", backend, ALONE)
                rows += _movie_rows(backend, found, frames)
                tick()
    return Result(
        title=f"A movie of {frames} frames of 1344 x 1024: memory and time from file to map and"
        " video",
        header="backend | what | value",
        rows=rows,
        lead=f"{DEADNET_DENSE.name}, every {STRIDE} px, 16-bit frames; resident memory of the"
        " process less that of one which has imported torch, torchvision and lightning and run one"
        f" convolution. Inference alone: {ALONE} of the frames in memory, same process, same"
        " backend, from pixels to log odds. End to end: read, judge, map and video written.",
    )


def verdicts(model: Path, *, frames: int = 500, seed: int = 0) -> Result:
    """Resident memory while a movie of 16-bit frames of 1344 x 1024 is judged."""
    with TemporaryDirectory() as temporary, task("judging", 1) as tick:
        movie = Path(temporary) / "movie.ome.tif"
        write_movie(movie, frames, seed)
        found = _child("judged", movie, model, f"{temporary}/out")
        tick()
    seen = np.array([row[1] for row in found["seen"][:frames]]) - found["base"]
    marks = [1, frames // 4, frames // 2, 3 * frames // 4, frames]
    return Result(
        title=f"Memory: verdicts for {frames} frames of {WIDTH} x {HEIGHT}, 16 bit",
        header="after frame | resident memory beside torch's own, MiB",
        rows=[[str(mark), f"{seen[mark - 1]:.0f}"] for mark in marks]
        + [["peak", f"{seen.max():.0f}"]],
        lead="Resident memory of the process that judges, less that of a process which has imported"
        f" torch, torchvision and lightning and run one convolution ({found['base']:.0f} MiB).",
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


def large_image(*, runs: Path, side_px: int = 20_000, seed: int = 0) -> Result:
    """One very large image: peak memory of the whole process."""
    with TemporaryDirectory() as temporary:
        model = trained(runs, DEADNET_DENSE, seed=seed)
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
            found = _child(
                "mapped", path, runs / DEADNET_DENSE.name, f"{temporary}/out", "torch", 0
            )
            tick()
    rows = [
        ["peak resident memory of the process, MiB", f"{found['peak']:.0f}"],
        ["of which torch, torchvision and lightning, MiB", f"{found['base']:.0f}"],
        ["from file to map and page, s", f"{found['total']:.0f}"],
        ["windows", f"{(side_px - 256) // STRIDE + 1:,} x {(side_px - 256) // STRIDE + 1:,}"],
    ]
    return Result(
        title=f"An image of {side_px:,} x {side_px:,} px: memory",
        header="what | value",
        rows=rows,
        lead=f"{DEADNET_DENSE.name} on one 16-bit image of {side_px**2 * 2 / 1e9:.1f} GB, tiles of"
        " at most 2 GB (the default), backend torch; page and video show one pixel in five.",
    )


def _child(work: str, *arguments: object) -> dict[str, Any]:
    """What a function of this module prints in a process of its own."""
    command = [sys.executable, "-c", _CHILD, work, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def mapped(base: float, movie: str, model: str, out: str, backend: Backend, alone: str) -> None:
    """What `movie` and `large_image` run in a process of its own; prints one JSON object."""
    seconds = _alone(Path(movie), Path(model), backend, int(alone)) if int(alone) else 0.0
    with _watched(base, "sliding over frames", alone=seconds):
        heatmap(movie, model, out, stride_px=STRIDE, engine="dense", backend=backend)


def judged(base: float, movie: str, model: str, out: str) -> None:
    """What `verdicts` runs in a process of its own; prints one JSON object."""
    with _watched(base, ""):
        assess(movie, model, out)


@contextmanager
def _watched(base: float, what: str, **more: float) -> Iterator[None]:
    watch = Watch(what)
    began = time.perf_counter()
    with shown(watch):
        yield
    total = time.perf_counter() - began
    watch.stop()
    found = {"base": base, "seen": watch.seen, "peak": watch.peak, "total": total}
    print(json.dumps(found | more))  # this is how a child answers


def _alone(movie: Path, model: Path, backend: Backend, frames: int) -> float:
    """Seconds a frame of the engine on frames that lie in memory."""
    net, card = load_model(model)
    engine = Dense(net, backend=backend)
    with open_image(movie) as image:
        fit = fit_to(card, image.header, None, str(movie))
        sliding = MovieWindows(image, card, fit, STRIDE, 0)
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
    """Notes time and memory at every step of a task (of any by default), and the peak between."""

    def __init__(self, what: str = "") -> None:
        self.what = what
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
        """Steps of the task."""

        def tick(done: float = 1, note: str = "") -> None:
            if self.what in ("", what):
                self.seen.append((time.perf_counter(), resident_mib()))

        yield tick


def real_images(data: Path, *, runs: Path, models: tuple[Path, ...] = (), seed: int = 0) -> Result:
    """How far dense maps are from windows' on real images."""
    rows = []
    for profile in FORMS.values():
        trained(runs, profile, seed=seed)
    paths = [runs / profile.name for profile in FORMS.values()] + list(models)
    images = {
        "t98g-movie": [(data / "t98g-movie", t) for t in (0, 4, 9)],
        "mcf7-pi": [(path, 0) for path in sorted((data / "mcf7-pi").glob("*.ome.tif"))[::8]],
    }
    total = len(paths) * sum(map(len, images.values()))
    with task("comparing", total) as tick:
        for path in paths:
            for name, frames in images.items():
                rows.append(_deviation(path, name, frames, tick))
    return Result(
        title="Real images: dense maps against windows one by one",
        header="model | images | windows | exact | r of maps | 95% of |difference| in p | largest",
        rows=rows,
        lead=f"Dense float32 against float32 windows, every {EVERY}nd window in rows and columns of"
        f" the map with {STRIDE} px steps, where there are cells. Models of the simulated culture"
        " (and those named in the command), judged here only for whether both ways say the same.",
    )


def _deviation(path: Path, name: str, frames: list[tuple[Path, int]], tick: Tick) -> list[str]:
    net, card = load_model(path)
    dense, windows = Dense(net), Windows(net)
    pairs = []
    for file, t in frames:
        with open_image(file, pixel_um=card.pixel_um) as image:
            fit = fit_to(card, image.header, None, str(file))
            sliding = MovieWindows(image, card, fit, STRIDE, 0)
            (view,) = sliding.views([t])
        thinned = np.zeros_like(view.wanted)
        thinned[::EVERY, ::EVERY] = view.wanted[::EVERY, ::EVERY]
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


def write_movie(path: Path, frames: int, seed: int) -> None:
    """Write a movie of 16-bit frames with blobs that drift."""
    rng = np.random.default_rng(seed)
    base = rng.normal(2000, 60, (HEIGHT, WIDTH))
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    for cy, cx in rng.uniform(0, (HEIGHT, WIDTH), (80, 2)):
        base += 900 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 200)
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as writer:
        writer.write(
            (np.roll(base, 3 * t, axis=1).clip(0, 65535).astype(np.uint16) for t in range(frames)),
            shape=(frames, HEIGHT, WIDTH),
            dtype=np.uint16,
            photometric="minisblack",
            metadata={"axes": "TYX", "PhysicalSizeX": 0.645, "PhysicalSizeY": 0.645},
        )
