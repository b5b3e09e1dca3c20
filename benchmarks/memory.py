"""Memory of verdicts on a long movie: flat over the frames, or not."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.result import Result
from livewell.progress import task

HEIGHT, WIDTH = 1024, 1344
_CHILD = """
import json, sys, threading, time
from pathlib import Path
import torch, torchvision, lightning.pytorch
def rss():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"): return int(line.split()[1]) / 1024
torch.nn.Conv2d(1, 8, 3)(torch.zeros(1, 1, 64, 64))
base = rss()
from livewell.progress import shown
from livewell.workflows.assess import assess
seen = []
class Watch:
    def task(self, what, total):
        from contextlib import contextmanager
        @contextmanager
        def run():
            def tick(done=1, note=""):
                seen.append(rss())
            yield tick
        return run()
with shown(Watch()):
    assess(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
print(json.dumps({"base": base, "seen": seen}))
"""


def verdicts(model: Path, *, frames: int = 500, seed: int = 0) -> Result:
    """Resident memory while a movie of 16-bit frames of 1344 x 1024 is judged.

    Parameters
    ----------
    model
        A trained model, such as the demo's.
    frames
        Length of the movie.
    seed
        Of the movie's noise and blobs.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary, task("judging", 1) as tick:
        movie = Path(temporary) / "movie.ome.tif"
        write_movie(movie, frames, seed)
        command = [sys.executable, "-c", _CHILD, str(movie), str(model), f"{temporary}/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        found = json.loads(done.stdout.splitlines()[-1])
        tick()
    seen = np.array(found["seen"][:frames]) - found["base"]
    marks = [1, frames // 4, frames // 2, 3 * frames // 4, frames]
    return Result(
        "verdict-memory",
        f"Memory: verdicts for {frames} frames of {WIDTH} x {HEIGHT}, 16 bit",
        f"python -m benchmarks verdict-memory --model demo/run --frames {frames} --seed {seed}",
        seed,
        ["after frame", "resident memory beside torch's own, MiB"],
        [[str(mark), f"{seen[mark - 1]:.0f}"] for mark in marks] + [["peak", f"{seen.max():.0f}"]],
        "Resident memory of the process that judges, less that of a process which has imported"
        f" torch, torchvision and lightning and run one convolution ({found['base']:.0f} MiB).",
        time.monotonic() - began,
    )


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
