"""Killing a training and going on: the same weights as if nothing had happened, or not."""

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from livewell.bench.result import Result
from livewell.io.models import WEIGHTS
from livewell.io.study import Study
from livewell.progress import SILENT, Progress

KILLS = 5


def training(
    study: Path, *, seed: int = 0, steps: int = 200, progress: Progress = SILENT
) -> Result:
    """Kill a training with SIGKILL at five random moments and compare the weights.

    Parameters
    ----------
    study
        A study with a split, such as the demo's.
    seed
        Of the moments and of the training.
    steps
        Length of the training.
    progress
        Where to report.
    """
    began = time.monotonic()
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary, progress.task("killing", KILLS + 2) as tick:
        folder = Path(temporary)
        start = time.monotonic()
        _train(study, folder / "whole", seed, steps).wait()
        whole = time.monotonic() - start
        tick()
        rows = []
        for number in range(1, KILLS + 1):
            process = _train(study, folder / "killed", seed, steps)
            time.sleep(moments.uniform(0.3, 0.42) * whole)
            process.kill()
            ended = process.wait() == 0
            log = folder / "killed" / "fold-00" / "log.csv"
            epochs = len(log.read_text().splitlines()) - 1 if log.is_file() else 0
            rows.append([str(number), "had ended" if ended else "killed", str(epochs)])
            tick()
        _train(study, folder / "killed", seed, steps).wait()
        tick()
        hashes = [_hash(folder / name) for name in ("whole", "killed")]
    rows.append(["end", "same weights" if hashes[0] == hashes[1] else "OTHER WEIGHTS", ""])
    return Result(
        "killed-training",
        "Killing: a training killed five times ends with the weights of an undisturbed one",
        f"livewell bench killed-training --study demo/study --seed {seed}",
        seed,
        ["kill", "what happened", "epochs in the log"],
        rows,
        f"FAST, {steps} steps, killed (-9) at random moments and started again by the same command;"
        f" sha256 of the weights: undisturbed {hashes[0][:16]}, killed {hashes[1][:16]}.",
        time.monotonic() - began,
    )


def _train(study: Path, out: Path, seed: int, steps: int) -> "subprocess.Popen[bytes]":
    patch_px = Study.open(study).split("split")[2]["patch_px"]
    settings = [f"steps={steps}", "steps_per_epoch=10", f"patch_px={patch_px}"]
    command = [sys.executable, "-m", "livewell", "train", str(study), "--out", str(out), "--quiet"]
    command += ["--seed", str(seed), *(part for each in settings for part in ("--set", each))]
    return subprocess.Popen(command)  # noqa: S603


def _hash(run: Path) -> str:
    return hashlib.sha256((run / "fold-00" / "model" / WEIGHTS).read_bytes()).hexdigest()
