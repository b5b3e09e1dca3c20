"""How long after its last byte a frame of a running acquisition has a verdict, and what is lost."""

import heapq
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.result import Result
from livewell.progress import task

PATTERN = "{well}_p{position:int}[_t{t}].tif"
WELLS = ("A01", "B02", "C03")
MOVIE = "D04_p1.tif"
SHARES = {"at once": 0.35, "renamed": 0.2, "half": 0.2, "late": 0.1, "never": 0.05, "page": 0.1}
WORDS = {
    "at once": "written in one go",
    "renamed": "written under another name, and renamed",
    "half": "half written, the rest up to two intervals later",
    "late": "three to ten intervals late, out of order",
    "never": "never whole, or removed half-written",
    "page": "a page more of a movie",
}
SIDE_PX, UM = 256, 0.645
TARGET_S, FRAME_S = 3.0, 30.0
HELD = 24
"""Frames whose rows are held against those of `assess`."""
IDLE_S, GIVE_UP_S = 60, 30
_WRITER = "import sys, benchmarks.watch as watch; watch.write(*sys.argv[1:])"


@dataclass(frozen=True, slots=True)
class Written:
    """What the writer notes of a frame: when it was whole, seconds of the system's clock."""

    image: str
    t: int
    kind: str
    whole_s: float | None


def delays(
    *, model: Path, runs: Path, images: int = 500, interval_s: float = 1.2, seed: int = 0
) -> Result:
    """Frames by another process, one an interval, in all ways of writing; what `watch` made."""
    from livewell.models.files import find_model, read_card

    folder, notes = runs / "images", runs / "written.jsonl"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(runs / "out", ignore_errors=True)
    folder.mkdir(parents=True)
    words = [str(folder), str(notes), str(images), str(interval_s), str(seed)]
    watching = _watch(folder, model, runs / "out")
    told: dict[tuple[str, int], list[float]] = {}
    failures: list[str] = []
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(watching, told, failures, ready))
    reader.start()
    ready.wait()
    with task("writing", images) as tick:
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, *words])  # noqa: S603
        while writer.poll() is None:
            time.sleep(1)
            tick(0, f"{len(told)} of {images} judged")
        reader.join()
    lines = notes.read_text("utf-8").splitlines()
    written = [Written(**json.loads(line)) for line in lines]
    differing = _differing(folder, model, runs)
    never = {each.image for each in written if each.whole_s is None}
    left = {name for name in never - {*failures} if (folder / name).exists()}
    profile = read_card(find_model(model)).profile.name
    return _result(written, told, failures, differing, len(left), interval_s, profile)


def write(folder: str, notes: str, images: str, interval: str, seed: str) -> None:
    """The writer, a process of its own: writes frames, and notes when each was whole."""
    interval_s, chance = float(interval), random.Random(int(seed))
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=int(images))
    waiting: list[tuple[float, int, Iterator[float]]] = []
    with Path(notes).open("w", encoding="utf-8") as file:

        def note(**values: Any) -> None:
            file.write(json.dumps(values) + "\n")
            file.flush()

        for number, kind in enumerate(kinds):
            steps = _steps(Path(folder), number, kind, interval_s, chance.random(), note)
            heapq.heappush(waiting, (number * interval_s, number, steps))
        began = time.monotonic()
        while waiting:
            due_s, number, steps = heapq.heappop(waiting)
            time.sleep(max(began + due_s - time.monotonic(), 0))
            if (more := next(steps, None)) is not None:
                heapq.heappush(waiting, (due_s + more, number, steps))


def _steps(
    folder: Path, number: int, kind: str, interval_s: float, draw: float, note: Callable[..., None]
) -> Iterator[float]:
    """Writes a frame; gives how long to wait before it goes on."""
    well, frame = WELLS[number % len(WELLS)], _frame(number)
    path = folder / f"{well}_p1_t{number:04}.tif"
    scale: dict[str, Any] = {"resolution": (1e4 / UM, 1e4 / UM), "resolutionunit": "CENTIMETER"}
    if kind == "page":
        path, known = folder / MOVIE, _pages.setdefault(str(folder), [])
        known.append(number)
        tifffile.imwrite(path, frame, append=True, metadata=None, photometric="minisblack", **scale)
        note(image=path.name, t=len(known) - 1, kind=kind, whole_s=time.time())
        return
    whole = folder.parent / "whole.tif"
    tifffile.imwrite(whole, frame, photometric="minisblack", metadata=None, **scale)
    data = whole.read_bytes()
    if kind == "late":
        yield interval_s * (3 + 7 * draw)
    if kind == "renamed":
        temporary = folder / f"writing{number}.tif"
        temporary.write_bytes(data)
        temporary.rename(path)
    elif kind in ("half", "never"):
        with path.open("wb") as file:
            file.write(data[: int(len(data) * (0.1 + 0.8 * draw))])
            file.flush()
            yield interval_s * 2 * draw
            file.write(data[file.tell() :] if kind == "half" else b"")
        if kind == "never" and draw < 0.3:
            path.unlink()
    else:
        path.write_bytes(data)
    note(image=path.name, t=0, kind=kind, whole_s=None if kind == "never" else time.time())


_pages: dict[str, list[int]] = {}


def _frame(number: int) -> NDArray[np.uint16]:
    """One of a few textures, moved and otherwise bright, so that no two frames are the same."""
    return np.roll(_texture(number % 8), 7 * number, axis=1) + np.uint16(number)


@cache
def _texture(seed: int) -> NDArray[np.uint16]:
    """Noise with round blobs of texture: what it costs to judge does not depend on what it is."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    frame = rng.normal(1000, 8, (SIDE_PX, SIDE_PX))
    for cy, cx in rng.uniform(0, SIDE_PX, (20, 2)):
        near = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 11**2))
        frame += 160 * near * rng.normal(0, 1, frame.shape)
    return np.clip(frame, 1, 65535).astype(np.uint16)


def _watch(folder: Path, model: Path, out: Path) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "livewell", "watch", folder, "--model", model, "--out", out]
    words += ["--pattern", PATTERN, "--until-idle", f"{IDLE_S}s", "--json"]
    words += ["--give-up-after", f"{GIVE_UP_S}s"]
    return subprocess.Popen(  # noqa: S603
        [str(word) for word in words], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )


def _read(
    watching: "subprocess.Popen[str]",
    told: dict[tuple[str, int], list[float]],
    failures: list[str],
    ready: threading.Event,
) -> None:
    """Note when each line of the watch came, which is after it was on the disk."""
    assert watching.stdout is not None  # noqa: S101  # a pipe
    for text in watching.stdout:
        now_s, line = time.time(), json.loads(text)
        if line.get("kind") == "begin":
            ready.set()
        if line.get("kind") == "frame":
            told.setdefault((line["image"], line["t"]), []).append(now_s)
        if line.get("kind") == "failure":
            failures.append(line["image"])
    ready.set()
    watching.wait()


def _differing(folder: Path, model: Path, runs: Path) -> int:
    """How many of some frames have another row in `assess` than in `watch`."""
    import pandas as pd

    from livewell.workflows.assess import assess

    watched = pd.read_csv(runs / "out" / "verdicts.csv")
    chosen = watched[watched["image"] != MOVIE]["image"].unique()
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(HELD, len(chosen))).round().astype(int)]
    again = runs / "again"
    shutil.rmtree(again, ignore_errors=True)
    again.mkdir()
    for name in chosen:
        shutil.copy(folder / name, again)
    shutil.rmtree(runs / "assessed", ignore_errors=True)
    assess(again, model, runs / "assessed", pattern=PATTERN)
    assessed = pd.read_csv(runs / "assessed" / "verdicts.csv")
    ours = watched[watched["image"].isin(assessed["image"])].reset_index(drop=True)
    return int((ours.fillna("") != assessed.fillna("")).any(axis=1).sum())


def _result(
    written: list[Written],
    told: dict[tuple[str, int], list[float]],
    failures: list[str],
    differing: int,
    left: int,
    interval_s: float,
    profile: str,
) -> Result:
    whole = {(each.image, each.t): each for each in written if each.whole_s is not None}
    never = {each.image for each in written if each.whole_s is None}
    first = {key: told[key][0] - (whole[key].whole_s or 0.0) for key in whole if key in told}
    rows = []
    for kind, words in WORDS.items():
        found = [delay for key, delay in first.items() if whole[key].kind == kind]
        count = sum(each.kind == kind for each in written)
        rows.append([words, str(count), str(len(found)), *_figures(found)])
    rows.append(["all", str(len(written)), str(len(first)), *_figures(list(first.values()))])
    unseen = len(never - {*failures}) - left
    doubled = sum(len(times) > 1 for times in told.values())
    values: dict[str, Any] = {
        "p95_s": float(np.percentile(list(first.values()), 95)),
        "written": len(written),
        "judged": len(first),
        "lost": len(whole) - len(first),
        "doubled": doubled,
        "invented": len(told.keys() - whole.keys()),
        "never_whole": len(never),
        "failures": len(failures),
        "failures_twice": len(failures) - len({*failures}),
        "failures_wrong": len({*failures} - never),
        "never_listed": left,
        "unseen": unseen,
        "profile": profile,
        "differing": differing,
        "interval_s": interval_s,
    }
    load = os.getloadavg()[2] if hasattr(os, "getloadavg") else float("nan")
    return Result(
        title="A running acquisition: from the last byte of a frame to its verdict",
        header="how frames were written | frames | with a verdict | median, s | 95th percentile, s"
        " | longest, s",
        rows=rows,
        lead=f"`livewell watch`, a look every 0.5 s, while another process wrote {len(written)}"
        f" frames of {SIDE_PX} x {SIDE_PX} px for a model {profile}, one every"
        f" {interval_s:g} s in place of the {FRAME_S:g} s of an acquisition, in all ways of"
        " writing. A delay is from when the writer had written the last byte"
        " until the frame's line was read from the watch's standard"
        f" output, after it was on the disk. Wanted: 95% within {TARGET_S:g} s, a tenth of"
        f" {FRAME_S:g} s.",
        notes=[
            f"Whole frames without a verdict: {values['lost']}; with two: {doubled}; verdicts on"
            f" what was never whole: {values['invented']}.",
            f"Files that were never whole: {len(never)}, as failures {len(failures)} lines, of"
            f" {len({*failures} & never)} of them. Removed again before a look saw them: {unseen};"
            f" never listed: {left}.",
            f"Of {HELD} frames {differing} had another row in `assess`.",
            f"Load of the machine over the last 15 minutes: {load:.1f} (processes that want to"
            " run).",
        ],
        values=values,
    )


def _figures(delays_s: list[float]) -> list[str]:
    if not delays_s:
        return ["", "", ""]
    return [f"{value:.2f}" for value in np.percentile(delays_s, [50, 95, 100])]
