"""Real commands in processes forked from this one, which has imported everything already."""

import contextlib
import hashlib
import importlib
import os
import re
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
import torch
from scipy import ndimage

from livewell.cli import main
from livewell.files import TEMPORARY

_FEW = "--set steps=6 --set steps_per_epoch=2"
_TINY = f"--profile TINY {_FEW} --set test_turns=false"
_CLASSES = "--negative healthy --positive sick"
CHAIN: dict[str, str] = {
    "index": "index images --out study --pattern {well}_p{position:int}.tif --metadata plate.csv"
    " --pixel-um 0.5 --frame-s 600",
    "label": f"label dose study {_CLASSES} --sick-from 30 --window-s 0 1800",
    "split": "split study --by well --patch-px 64 --stride-px 64 --empty keep",
    "train": f"train study --out run {_TINY}",
    "evaluate": "evaluate run",
    "assess": "assess images --model run --out verdicts",
    "heatmap": "heatmap images/A01_p1.tif --model run --out heatmap --stride-px 32",
    "timelapse": "timelapse study --model run --out timelapse --only A01_p1.tif --stride-px 64",
    "explain": "explain run --no-models --patches 1 --fields 0",
    "budget": f"budget study --out budget --margin 0.2 --folds 2 {_TINY}",
    "whole": f"label column study --column state --class healthy --class sick {_CLASSES}"
    " --name whole",
    "split-whole": "split study --by well --whole --labels whole --name whole",
    "train-whole": f"train study --out run-whole --split whole --profile WSCNN_FAST {_FEW}"
    " --set batch=4",
    "localise": "localise images --model run-whole --out places --figures 1 --least 0.02",
    "simulate": "simulate culture --out culture --dose 0 --dose 100 --wells-per-dose 1 --frames 1",
}
"""Every command of the work, in an order in which each finds what it needs."""
_VOLATILE = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::[\d.]+)?(?:[+-]\d\d:\d\d|Z)?"
    rb'|urn:uuid:[0-9a-f-]+|seconds": [\d.e-]+'
)
_TIMED = (".json", ".html", ".jsonl", ".tif")
GONE = re.compile(r"stopped; give the same command again")


@dataclass(frozen=True)
class Ending:
    """How a command ended: its exit code (negative: by that signal), and what it said."""

    code: int
    said: str


class Command:
    """A command at work in a folder, in a process of its own."""

    def __init__(self, words: str, folder: Path, log: Path | None = None) -> None:
        self._log = log or folder.with_name(f"{folder.name}-log.txt")
        self.pid = os.fork()
        if self.pid == 0:
            _become(words.split(), folder, self._log)

    def send(self, sent: signal.Signals) -> None:
        """A signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sent)

    def wait(self, seconds: float = 120) -> Ending:
        """Until it ends; one that does not is killed and has the code -9."""
        until = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                self.send(signal.SIGKILL)
            time.sleep(0.005)
        said = self._log.read_text("utf-8", "replace") if self._log.is_file() else ""
        return Ending(os.waitstatus_to_exitcode(status), said)


def _become(words: list[str], folder: Path, log: Path) -> None:
    """In the fork: be that command, and end as it does."""
    code = 70
    try:
        os.setpgid(0, 0)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        os.chdir(folder)
        os.environ["LIVEWELL_CACHE"] = str(folder / ".cache")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["livewell", *words]
        entry = importlib.import_module("livewell.cli")
        getattr(entry, "run", main)()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code)


def run(words: str, folder: Path) -> Ending:
    """A command from its begin to its end."""
    return Command(words, folder).wait()


def images_in(folder: Path) -> None:
    """A plate of eight wells, two frames of 128 px: cells of coarse (healthy) or fine texture."""
    (folder / "images").mkdir(parents=True)
    rows = ["well,dose,dose_unit,state"]
    for number in range(8):
        sick, rng = number % 2, np.random.default_rng(number)
        width = 1 if sick else 2.5
        grain = ndimage.gaussian_filter(rng.normal(size=(2, 128, 128)), (0, width, width))
        cells = np.zeros((128, 128))
        cells[32::64, 32::64] = 2 * np.pi * 81
        cells = ndimage.gaussian_filter(cells, 9)
        well = f"{'AB'[sick]}{number // 2 + 1:02}"
        noise = rng.normal(1000, 6, (2, 128, 128))
        frames = (noise + 120 * cells * grain / grain.std()).round().astype(np.uint16)
        path = folder / "images" / f"{well}_p1.tif"
        tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"})
        rows.append(f"{well},{30 * sick},s,{('healthy', 'sick')[sick]}")
    (folder / "plate.csv").write_text("\n".join([*rows, ""]))


def worked(folder: Path, last: str) -> Path:
    """`folder` with images, and what all commands up to `last` make of them."""
    warm()
    images_in(folder)
    for name, words in CHAIN.items():
        ending = run(words, folder)
        if ending.code:
            raise RuntimeError(f"{name} ended with {ending.code}: {ending.said[-2000:]}")
        if name == last:
            break
    return folder


def warm() -> None:
    """Import what commands import, so that a fork need not."""
    names = [words.split()[0] for words in CHAIN.values()]
    for name in (
        *(f"livewell.workflows.{name}" for name in dict.fromkeys(names)),
        *("torch", "lightning.pytorch", "torchvision", "matplotlib.pyplot"),
    ):
        importlib.import_module(name)


def digests(folder: Path, root: Path | None = None) -> dict[str, str]:
    """A digest of every file below `folder`, times and the place of all (`root`) left out.

    Caches, what tells of units of work and when, and unfinished files do not count.
    """
    left_out = re.compile(rf"(?:^|/)(?:\.?cache|units)/|{re.escape(TEMPORARY)}")
    return {
        name: hashlib.sha256(_content(folder / name, root or folder)).hexdigest()[:16]
        for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
        if (folder / name).is_file() and not left_out.search(name)
    }


def leftovers(folder: Path) -> list[str]:
    """Unfinished files and folders that lie there still."""
    return [str(path.relative_to(folder)) for path in folder.rglob(f"*{TEMPORARY}*")]


def _content(path: Path, root: Path) -> bytes:
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        return pd.util.hash_pandas_object(table.astype(str)).to_numpy().tobytes()
    if path.suffix == ".csv":
        table = path.read_text("utf-8", "replace").splitlines()
        heading = table[0].split(",") if table else []
        if "seconds" in heading:
            at = heading.index("seconds")
            table = [",".join(v for i, v in enumerate(r.split(",")) if i != at) for r in table]
        return "\n".join(table).encode()
    if path.suffix == ".ckpt":  # it holds times too; a damaged one is its bytes
        with contextlib.suppress(Exception):
            state = torch.load(path, weights_only=True)["state_dict"]
            return b"".join(weights.numpy().tobytes() for weights in state.values())
    data = path.read_bytes().replace(bytes(root), b"ROOT")
    return _VOLATILE.sub(b"TIME", data) if path.suffix in _TIMED else data


def copied(source: Path, target: Path) -> Path:
    """A copy of a world; images are linked."""
    shutil.copytree(source, target, copy_function=_copy)
    return target


def moved(source: Path, target: Path) -> Path:
    """A copy that speaks of its own place where the source speaks of its."""
    for path in copied(source, target).rglob("*.json*"):
        path.write_bytes(path.read_bytes().replace(bytes(source), bytes(target)))
    return target


def _copy(source: str, target: str) -> str:
    if "/images/" in source and Path(source).stat().st_dev == Path(target).parent.stat().st_dev:
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
