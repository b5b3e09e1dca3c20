"""``livewell localise``: from images labelled as a whole to places, by commands alone."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from livewell.cli import main
from livewell.workflows.localise import FIGURES, localise

Run = Callable[..., Result]

SHAPE = (64, 96)


@pytest.fixture(scope="module")
def world(livewell: Run, write_movie, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images with and without a bright disc, and a run of four steps on them."""
    folder = tmp_path_factory.mktemp("places")
    rng = np.random.default_rng(0)
    rows = ["image,kind,batch"]
    for i in range(24):
        frame = rng.normal(1000, 8, SHAPE)
        for disc in range(3):
            y, x = rng.integers(8, SHAPE[0] - 20), 8 + 30 * disc + rng.integers(0, 10)
            frame[y : y + 12, x : x + 12] += 900 if i % 2 and disc == 1 else 250
        frames = frame.round().astype(np.uint16)[None]
        name = write_movie(folder / "raw" / f"f{i:02}.ome.tif", frames).name
        rows.append(f"{name},{('dim', 'bright')[i % 2]},g{i // 4}")
    (folder / "raw.csv").write_text("\n".join([*rows, ""]))
    study, few = folder / "study", ("--set", "steps=4", "--set", "steps_per_epoch=2")
    classes = ("--negative", "dim", "--positive", "bright", "--class", "dim", "--class", "bright")
    steps = (
        ("index", folder / "raw", "--out", study, "--metadata", folder / "raw.csv"),
        ("label", "column", study, "--column", "kind", *classes),
        ("split", study, "--by", "batch", "--whole"),
        ("train", study, "--out", folder / "run", "--profile", "WSCNN_FAST", *few,
         "--set", "batch=4"),
    )  # fmt: skip
    for words in steps:
        done = livewell(*words)
        assert done.exit_code == 0, done.output
    return folder


@pytest.mark.long
def test_a_run_is_localised(world: Path, livewell: Run, tmp_path: Path) -> None:
    """The run's model judges images; the JSON names what was made, and counts it rightly."""
    out = tmp_path / "out"
    words = ("--out", out, "--least", 0.02, "--figures", 2, "--pattern", "f{position}.ome.tif")
    made = livewell("localise", world / "raw", "--model", world / "run", *words, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert made.stderr == ""
    pictures, detections = (pd.read_csv(told["tables"][n]) for n in ("pictures", "detections"))
    assert sum(told["verdicts"].values()) == told["pictures"] == len(pictures) == 24
    assert told["detections"] == len(detections) == pictures["found"].sum()
    assert told["pictures_with_places"] == (pictures["found"] > 0).sum()
    assert told["least"] == 0.02
    assert told["failures"] == 0
    assert Path(told["report"]).is_file()
    assert Path(told["figure3"]).is_file()
    assert len(list(Path(told["masks"]).iterdir())) == 24
    assert len(list(Path(told["overlays"]).iterdir())) == 2


def test_what_it_says_to_people(world: Path, livewell: Run, tmp_path: Path) -> None:
    """Verdicts, places and the report on standard output; a bad file is a warning and exit 1."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "bad.tif").write_text("no")
    (tmp_path / "new" / "f00.ome.tif").symlink_to(world / "raw" / "f00.ome.tif")
    words = ("--model", world / "run", "--out", tmp_path / "out", "--figures", 0)
    made = livewell("localise", tmp_path / "new", *words)
    assert made.exit_code == 1
    assert "detections of p" in made.stdout or "1 detection of p" in made.stdout
    assert "detections.csv" in made.stdout
    assert "report.html" in made.stdout
    assert "warning: not judged: bad.tif: [image-unreadable]" in made.stderr
    other = livewell("localise", tmp_path / "new", *words, "--least", 0.9)
    assert other.exit_code == 2
    assert "begun with other settings" in other.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--least", "0"), "--least"),
        (("--least", "1"), "--least"),
        (("--sigma-px", "-1"), "--sigma-px"),
        (("--share", "0"), "--share"),
        (("--figures", "-1"), "--figures"),
        (("--pixel-um", "nan"), "--pixel-um"),
        (("--pattern", "{well}-x.png"), "fits no image"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(world: Path, livewell: Run, tmp_path: Path, words, told: str) -> None:
    """What cannot be is exit code 2 with a word on it, and nothing is written."""
    usual = ("--model", world / "run", "--out", tmp_path / "out")
    made = livewell("localise", world / "raw", *usual, *words)
    assert made.exit_code == 2
    assert told in made.stderr
    assert not (tmp_path / "out").exists()


def test_models_of_frames_and_of_patches_are_told_apart(
    world: Path, livewell: Run, tmp_path: Path
) -> None:
    """A command that judges patches sends a model of whole frames to localise."""
    words = ("--model", world / "run", "--out", tmp_path / "out")
    made = livewell("assess", world / "raw", *words)
    assert made.exit_code == 2
    assert "livewell localise" in made.stderr


def test_help_tells_the_default_that_holds() -> None:
    """The default that the help tells is that of the job."""
    shown = " ".join(CliRunner().invoke(main, ["localise", "--help"]).stdout.split())
    assert f"[default: {FIGURES}; " in shown
    assert inspect.signature(localise).parameters["figures"].default == FIGURES
