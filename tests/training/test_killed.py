"""Training that is killed and goes on ends as if nothing had happened."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

EPOCHS, KILLS = 30, 5
PROGRAM = Path(__file__).with_name("training_run.py")


def start(folder: Path) -> "subprocess.Popen[str]":
    """The training as a program, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(folder), str(EPOCHS)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(process: "subprocess.Popen[str]") -> str:
    """What the program prints at its end: the hash of its weights."""
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return out.strip()


def stamp(path: Path) -> int:
    """Time of the last change; 0 where there is no file."""
    return path.stat().st_mtime_ns if path.exists() else 0


def first_checkpoint(process: "subprocess.Popen[str]", last: Path, before: int) -> None:
    """Wait until this life of the training has written a checkpoint."""
    deadline = time.monotonic() + 300
    while stamp(last) == before:
        assert process.poll() is None, "the training ended before its first checkpoint"
        assert time.monotonic() < deadline, "no checkpoint in five minutes"
        time.sleep(0.002)


def killed(folder: Path, after_s: float) -> None:
    """Start or go on, and kill without warning so long after this life's first checkpoint."""
    before = stamp(folder / "last.ckpt")
    process = start(folder)
    try:
        first_checkpoint(process, folder / "last.ckpt", before)
        time.sleep(after_s)
        assert process.poll() is None, "the training ended before it was killed"
        process.kill()
        assert process.wait() == -signal.SIGKILL
    finally:
        # the loading processes notice only after some seconds that nobody reads from them
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.minutes
@pytest.mark.long
def test_a_training_killed_five_times_ends_with_the_same_weights(tmp_path: Path) -> None:
    """Killed (-9) at five random moments and resumed, weights and log are those of one run."""
    moments = random.Random(7)
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    process = start(undisturbed)
    first_checkpoint(process, undisturbed / "last.ckpt", 0)
    began = time.monotonic()
    whole = ended(process)
    epoch_s = (time.monotonic() - began) / (EPOCHS - 1)
    for _ in range(KILLS):
        killed(folder, moments.uniform(0, 1.5) * epoch_s)
    assert ended(start(folder)) == whole
    logs = [pd.read_csv(each / "log.csv") for each in (folder, undisturbed)]
    pd.testing.assert_frame_equal(*(log.drop(columns="seconds") for log in logs))
    assert len(logs[0]) == EPOCHS
