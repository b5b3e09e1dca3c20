"""Killing a training and going on: the same weights as if nothing had happened, or not."""

import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.result import Result
from livewell.models.folders import WEIGHTS
from livewell.progress import task
from livewell.study.study import Study

KILLS = 5


def training(study: Path, *, seed: int = 0, steps: int = 200) -> Result:
    """Kill a training with SIGKILL at five random moments and compare the weights."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary, task("killing", KILLS + 2) as tick:
        folder = Path(temporary)
        _train(study, folder / "whole", seed, steps).wait()
        tick()
        epoch_s = pd.read_csv(_log(folder / "whole"))["seconds"].median()
        rows = []
        for number in range(1, KILLS + 1):
            process = _train(study, folder / "killed", seed, steps)
            _wait_for(
                process, folder / "killed", _epochs(folder / "killed") + moments.randint(0, 2)
            )
            time.sleep(moments.uniform(0, 1) * epoch_s)
            process.kill()
            ended = process.wait() == 0
            written = _epochs(folder / "killed")
            rows.append([str(number), "had ended" if ended else "killed", str(written)])
            tick()
        _train(study, folder / "killed", seed, steps).wait()
        tick()
        hashes = [_hash(folder / name) for name in ("whole", "killed")]
    rows.append(["end", "same weights" if hashes[0] == hashes[1] else "OTHER WEIGHTS", ""])
    return Result(
        title="Killing: a training killed five times ends with the weights of an undisturbed one",
        header="kill | what happened | epochs done",
        rows=rows,
        lead=f"FAST, {steps} steps, killed (-9) at random moments of the training and started again"
        " by the same command; sha256 of the weights: undisturbed"
        f" {hashes[0][:16]}, killed {hashes[1][:16]}.",
    )


def _train(study: Path, out: Path, seed: int, steps: int) -> "subprocess.Popen[bytes]":
    patch_px = Study.open(study).split("split")[2].patch_px
    settings = [f"steps={steps}", "steps_per_epoch=10", f"patch_px={patch_px}"]
    command = [sys.executable, "-m", "livewell", "train", str(study), "--out", str(out), "--quiet"]
    command += ["--seed", str(seed), *(part for each in settings for part in ("--set", each))]
    return subprocess.Popen(command)  # noqa: S603


def _log(run: Path) -> Path:
    return run / "fold-00" / "log.csv"


def _epochs(run: Path) -> int:
    return len(pd.read_csv(_log(run))) if _log(run).is_file() else 0


def _wait_for(process: "subprocess.Popen[bytes]", run: Path, epochs: int) -> None:
    """Wait until it trains beyond this many epochs, or has ended."""
    while process.poll() is None and _epochs(run) <= epochs:
        time.sleep(0.1)


def _hash(run: Path) -> str:
    return hashlib.sha256((run / "fold-00" / "model" / WEIGHTS).read_bytes()).hexdigest()
