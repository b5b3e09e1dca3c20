"""A command that is stopped says so, to people and to schedulers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from livewell.errors import STOPPED

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]


def heed_interrupts() -> None:
    """Take Ctrl-C as a terminal's program does; what runs in the background ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="terminated", marks=pytest.mark.long),
    ],
)
def test_a_stopped_training(world: Path, tmp_path: Path, sent: signal.Signals, code: int) -> None:
    """In the midst of training both signals end with their exit code and one plain sentence."""
    words = ["train", world / "study", "--out", tmp_path / "run", "--profile", "tiny"]
    words += ["--set", "steps=100000", "--set", "steps_per_epoch=5", "--quiet"]
    command = [sys.executable, "-m", "livewell", *map(str, words)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not (tmp_path / "run" / "fold-00" / "last.ckpt").is_file():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(sent)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code
    assert told.strip().splitlines()[-1] == "stopped; give the same command again to go on"
    assert "Traceback" not in told


@pytest.mark.long
@pytest.mark.parametrize("engine", ["windows", "dense"])
def test_a_stopped_heat_map(
    world: Path, tmp_path: Path, engine: str, paint: Painter, write_movie: Writer
) -> None:
    """In the midst of a movie Ctrl-C ends reading, computing and writing; nothing half is left."""
    frames = np.tile(paint("sick", 0, (1, 256, 256)), (1200, 1, 1))
    movie = write_movie(tmp_path / "long.ome.tif", frames)
    out = tmp_path / "out"
    words = ["heatmap", movie, "--model", world / "run", "--out", out, "--engine", engine]
    command = [sys.executable, "-m", "livewell", *map(str, [*words, "--quiet"])]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not list(out.glob(".livewell-tmp-*")):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert [path.name for path in out.iterdir()] == ["heatmap.json"]


@pytest.mark.long
def test_a_stopped_simulation(tmp_path: Path) -> None:
    """Ctrl-C at a terminal reaches worker processes too; only the command tells of it, once."""
    words = ["simulate", "culture", "--out", tmp_path / "plate", "--frames", "30"]
    command = [sys.executable, "-m", "livewell", *map(str, words)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
        start_new_session=True,
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not list(tmp_path.glob("plate/images/*.tif")):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert told.strip() == STOPPED
