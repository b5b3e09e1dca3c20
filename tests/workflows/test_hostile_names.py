"""Rows 18-21, M11, L8, L12: whatever files, classes and cells are called, nothing breaks."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from discs import blobs, save_by_hand
from hostile import BYTES, NAMES, check_folder, check_json, check_terminal, linux
from numpy.typing import NDArray

from livewell.cli import main
from livewell.labels.by_column import Column
from livewell.models.files import load_model, rewrite_card
from livewell.tables.columns import read_table
from livewell.workflows.label import label

Painter = Callable[..., NDArray[np.uint16]]
Writer = Callable[..., Path]
pytestmark = linux


def livewell(*words: object) -> Result:
    """``livewell`` with these words."""
    return CliRunner().invoke(main, [str(word) for word in words])


def safe(*words: object, code: int = 0) -> dict[str, object]:
    """Run a command for people and for machines; its JSON."""
    made = livewell(*words)
    assert isinstance(made.exception, SystemExit | None), made.output + str(made.exception)
    assert made.exit_code == code, made.output + str(made.exception)
    check_terminal(made.stdout)
    check_terminal(made.stderr)
    again = livewell(*words, "--json")
    assert isinstance(again.exception, SystemExit | None), again.output + str(again.exception)
    return check_json(again.stdout)


def file_name(text: str) -> str:
    """The text as the name of a file."""
    return text.replace("/", "_")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, write_movie: Writer) -> Path:
    """A folder of small images, and one broken file, whose names are all hostile."""
    folder = tmp_path_factory.mktemp("hostile") / file_name(NAMES["escape"] + NAMES["markup"])
    source = write_movie(folder.parent / "a.ome.tif", blobs()[None], channel=NAMES["escape"])
    folder.mkdir()
    for n, name in enumerate([*NAMES.values(), BYTES]):
        inner = folder / file_name([NAMES["markup"], BYTES][n % 2])
        inner.mkdir(exist_ok=True)
        shutil.copy(source, inner / f"{file_name(name)}.ome.tif")
    (folder / f"{NAMES['escape']}.tif").write_text("no image")
    (folder / f"x{NAMES['escape']}.oib").write_text("x")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of whole frames in a hostile folder, with hostile classes and channel."""
    folder = save_by_hand(tmp_path_factory.mktemp("m") / file_name(NAMES["lines"] + BYTES))
    _, card = load_model(folder)
    classes = NAMES["markup"] + NAMES["lines"], NAMES["escape"] + NAMES["dollars"]
    changed = {"classes": classes, "channels": (NAMES["escape"],)}
    changed |= {"image_rule": replace(card.image_rule, classes=classes)}
    rewrite_card(folder, card.model_copy(update=changed))
    return folder


def test_inspect(images: Path) -> None:
    """Rows 18 and M11: every file is inspected and told, the broken one is a failure."""
    for folder in [images, *filter(Path.is_dir, images.iterdir())]:
        safe("inspect", folder, code=1 if folder == images else 0)


def test_index(images: Path, tmp_path: Path) -> None:
    """Row 18: every file is indexed by a name that a table can hold, and found again by it."""
    table = tmp_path / f"{NAMES['turned']}.csv"
    study = tmp_path / file_name(NAMES["markup"] + BYTES)
    made = safe("index", images, "--out", study, "--column", f"{NAMES['rich']}={NAMES['escape']}")
    assert made["left_out"] == {"kind that livewell does not read .oib": 1}
    names = read_table(study / "fields.parquet")["image"].tolist()
    assert len(names) == len(NAMES) + 2
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = [[name, text] for name, text in zip(names, [*NAMES.values()] * 2, strict=False)]
        csv.writer(file).writerows([["image", "treatment"], *rows])
    safe("index", images, "--out", study, "--metadata", table)
    check_folder(study)


@pytest.mark.long
def test_localise(images: Path, model: Path, tmp_path: Path) -> None:
    """Rows 18 and 19: every image is searched, also those of long names, and the page is sound."""
    out = tmp_path / file_name(NAMES["turned"] + BYTES)
    made = safe("localise", images, "--model", model, "--out", out, "--figures", 30, code=1)
    assert made["pictures"] == len(NAMES) + 1
    pages = check_folder(out)
    assert NAMES["markup"] in pages["report.html"]
    assert "kind that livewell does not read (.oib 1)" in pages["report.html"]


@pytest.mark.long
def test_other_encodings(images: Path) -> None:
    """Row 20: whatever encoding the output has, names are printed, with replacements."""
    words = [sys.executable, "-m", "livewell", "inspect"]
    words.append(str(images / file_name(NAMES["markup"])))
    for encoding in ({"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}):
        env = {**os.environ, **encoding, "PYTHONCOERCECLOCALE": "0"}
        for json_too in ([], ["--json"]):
            made = subprocess.run([*words, *json_too], capture_output=True, env=env, check=False)
            assert made.returncode == 0, made.stderr
            if json_too:
                check_json(made.stdout.decode("ascii"))
            else:
                check_terminal(made.stdout.decode("ascii", "replace"))


@pytest.mark.long
def test_the_whole_way(plate: Path, tmp_path: Path) -> None:
    """Rows 18-20, M11, L8, L12: from index to maps, nothing a name holds breaks or steers."""
    images, study = tmp_path / file_name(NAMES["formula"]), tmp_path / file_name(NAMES["rich"])
    names, rows = list(NAMES.values()), []
    for n, path in enumerate(sorted((plate / "images").iterdir())):
        for copy, flip in enumerate((np.array, np.fliplr, np.flipud)):
            name = f"{n}{copy} {file_name(names[(3 * n + copy) % len(names)])}.ome.tif"
            frames = tifffile.imread(path)
            target = images / file_name(names[n % 2 * 3]) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            metadata = {"axes": "TYX", "Channel": {"Name": [NAMES["escape"]]}}
            metadata |= {f"PhysicalSize{axis}": 0.5 for axis in "XY"}
            shown = np.stack([flip(frame) for frame in frames])
            tifffile.imwrite(target, shown, ome=True, photometric="minisblack", metadata=metadata)
            state = NAMES["markup"] if path.name[0] == "A" else NAMES["escape"]
            group = f"{n} {names[n % len(names)]}"
            rows.append([f"{target.parent.name}/{name}", state, group, path.name[:3]])
    (images / os.fsdecode(b"\xf6.txt")).write_text("x")
    table = tmp_path / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        group = NAMES["quotes"]
        csv.writer(file).writerows([["image", "state", group, "well"], *rows])
    safe("index", images, "--out", study, "--metadata", table)
    # the command line has no option for a value with "=" in it
    classes = NAMES["markup"] + NAMES["lines"] + NAMES["dollars"], NAMES["formula"] + "\u202eno"
    states = {NAMES["markup"]: classes[0], NAMES["escape"]: classes[1]}
    label(study, Column("state", states), classes)
    safe("split", study, "--by", group, "--patch-px", 64, "--stride-px", 64)
    run = tmp_path / file_name(NAMES["escape"])
    safe("train", study, "--out", run, "--profile", "tiny", "--set", "steps=30")
    safe("evaluate", run)
    safe("explain", run, "--out", tmp_path / "explained")
    safe("assess", images, "--model", run, "--out", tmp_path / BYTES)
    safe("timelapse", study, "--model", run, "--out", tmp_path / "maps", "--only", rows[0][0])
    safe("heatmap", images / rows[4][0], "--model", run, "--out", tmp_path / f"map{BYTES}")
    pages = check_folder(tmp_path)
    assert len(pages) == 6
