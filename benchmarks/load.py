"""Time and memory of many small files: index, label, split and assess, and names alone."""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.result import Result

SIZE_PX, POSITIONS, PATCH_PX = 128, 4, 112
PROFILE = "FAST"
SETTINGS = {"patch_px": PATCH_PX, "stride_px": PATCH_PX, "steps": 20, "steps_per_epoch": 20}
NAMES = 100_000
"""Names that are indexed without a table."""
_MEASURED = """
import resource, sys
from livewell.cli import main
try:
    main(sys.argv[1:])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def load(*, runs: Path, images: int = 10_000, seed: int = 0) -> Result:
    """Seconds and peak memory of each command for a quarter, a half and all of the images."""
    counts = [images // 4, images // 2, images]
    steps = [_steps(runs, count, seed) for count in counts]
    names = _measured("index", _named(runs / "names"), "--out", runs / "names-study")
    rows = [
        [name, *(f"{found[name][0]:.1f} s, {found[name][1]:,} MB" for found in steps)]
        for name in steps[0]
    ]
    return Result(
        title="Many small files",
        header="command | " + " | ".join(f"{count:,} images" for count in counts),
        rows=[*rows, [f"`index` of {NAMES:,} names", "", "", f"{names[0]:.1f} s, {names[1]:,} MB"]],
        lead=f"TIFFs of {SIZE_PX} x {SIZE_PX} px, 16 bit, {POSITIONS} a well, in folders of plates:"
        " seconds with the start of the process, and peak memory.",
        notes=[
            f"`assess` with a net of {PROFILE}, hardly trained: what it says is of no interest."
        ],
        values={"steps": dict(zip(map(str, counts), steps, strict=True)), "names": names},
    )


def _steps(runs: Path, count: int, seed: int) -> dict[str, tuple[float, int]]:
    images, study = _written(runs / f"images-{count}", count, seed), runs / f"study-{count}"
    pattern = "{plate}/{well}_{treatment}_p{position:int}.tif"
    classes = ("--class", "drug=sick", "--class", "none=healthy", "--positive", "sick")
    column = ("--column", "treatment", *classes, "--negative", "healthy")
    halves = ("--by", "well", "--whole", "--seed", seed)
    model = runs / "model"
    found = {
        "`index`": _measured("index", images, "--pattern", pattern, "--out", study),
        "`label column`": _measured("label", "column", study, *column),
        "`split --whole`, first": _measured("split", study, *halves),
        "`split --whole`, again": _measured("split", study, *halves),
    }
    if not model.is_dir():
        patches = ("--patch-px", PATCH_PX, "--empty", "keep", "--name", "patches")
        _measured("split", study, "--by", "well", *patches, "--seed", seed)
        brief = [("--set", f"{name}={value}") for name, value in SETTINGS.items()]
        profile = ("--profile", PROFILE, *chain.from_iterable(brief))
        _measured("train", study, "--split", "patches", *profile, "--out", model)
    judged = _measured("assess", images, "--model", model, "--out", runs / f"out-{count}")
    return found | {"`assess`": judged}


def _written(folder: Path, count: int, seed: int) -> Path:
    """Images of plates of 384 wells; treated wells are a little brighter."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        well, position = divmod(number, POSITIONS)
        plate, place = divmod(well, 384)
        row, column = divmod(place, 24)
        treatment = "drug" if column % 2 else "none"
        pixels = rng.normal(2000 + 100 * (column % 2), 60, (SIZE_PX, SIZE_PX))
        at = folder / f"plate {plate + 1}"
        at.mkdir(parents=True, exist_ok=True)
        name = f"{chr(ord('A') + row)}{column + 1:02}_{treatment}_p{position + 1}.tif"
        tifffile.imwrite(at / name, np.clip(pixels, 0, 65535).astype(np.uint16))
    return folder


def _named(folder: Path) -> Path:
    """A folder of empty files, which `index` does not open."""
    for number in range(NAMES):
        at = folder / f"{number // 1000:03}"
        at.mkdir(parents=True, exist_ok=True)
        (at / f"t{number:06}.tif").touch()
    return folder


def _measured(*command: object) -> tuple[float, int]:
    """Seconds and peak memory (MB) of one command, in a process of its own."""
    began = time.perf_counter()
    words: Sequence[str] = [sys.executable, "-c", _MEASURED, *map(str, command), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{json.dumps(words[3:])}: {done.stderr[-2000:]}")
    return seconds, int(done.stdout.splitlines()[-1])
