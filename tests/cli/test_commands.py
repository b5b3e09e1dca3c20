"""The commands from images to a verdict: what they print, and how they end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

import livewell

Run = Callable[..., Result]


def refuse_constant(name: str) -> None:
    raise AssertionError(f"not strict JSON: {name}")


def parsed(made: Result) -> dict[str, Any]:
    """The one JSON object on standard output."""
    found = json.loads(made.stdout, parse_constant=refuse_constant)
    assert isinstance(found, dict)
    return found


def test_from_images_to_a_model(chain: dict[str, Result]) -> None:
    """From index to assess each command ends with 0 and one JSON object."""
    results = {name: parsed(made) for name, made in chain.items()}
    assert results["index"]["images"] == 11
    assert {"well", "position", "dose"} <= set(results["index"]["columns"])
    assert results["label"]["classes"] == ["healthy", "sick"]
    assert {row["part"] for row in results["split"]["balance"]} == {"train", "validation", "test"}
    assert Path(results["train"]["models"]["0"], "card.json").is_file()
    assert Path(results["evaluate"]["report"]).is_file()
    assert results["evaluate"]["figures"]["within_auc"]["value"] is None
    assert {name: made.exit_code for name, made in chain.items()} == dict.fromkeys(chain, 0)


def test_undefined_figures_say_why(world: Path, livewell: Run) -> None:
    """A figure that is not defined is told with its reason, not as nan."""
    made = livewell("evaluate", world / "run", "--no-baselines")
    assert "nan" not in made.stdout
    (line,) = [line for line in made.stdout.splitlines() if line.startswith("within_auc")]
    assert len(line.split("not defined: ")[1]) > 10


def words_of(name: str, world: Path) -> tuple[object, ...]:
    image, study, run = world / "images" / "B01_p1.ome.tif", world / "study", world / "run"
    classes = ("--negative", "healthy", "--positive", "sick")
    return {
        "inspect": ("inspect", image, image),
        "index": ("index", world / "images", "--out", world / "other"),
        "label": (
            "label",
            "column",
            study,
            *classes,
            "--column",
            "look",
            "--others",
            "drop",
            "--class",
            "healthy",
            "--class",
            "sick",
        ),
        "split": (
            "split",
            study,
            "--by",
            "well",
            "--patch-px",
            64,
            "--scheme",
            "folds",
            "--folds",
            2,
            "--name",
            "two",
        ),
        "train": ("train", study, "--out", world / "new", "--profile", "tiny", "--set", "steps=9"),
        "evaluate": ("evaluate", run, "--no-baselines"),
        "assess": ("assess", image, "--model", run, "--out", world / "new"),
        "heatmap": ("heatmap", image, "--model", run, "--out", world / "heat"),
    }[name]


NAMES = ["inspect", "index", "label", "split", "train", "evaluate", "assess", "heatmap"]


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_three_ways_to_speak(name: str, world: Path, livewell: Run) -> None:
    """Lines for people by default, nothing with --quiet, one strict JSON object with --json."""
    plain = livewell(*words_of(name, world))
    quiet = livewell(*words_of(name, world), "--quiet")
    as_json = livewell(*words_of(name, world), "--json")
    assert [made.exit_code for made in (plain, quiet, as_json)] == [0, 0, 0]
    assert plain.stdout.strip()
    assert not plain.stdout.lstrip().startswith("{")
    assert quiet.stdout == ""
    assert all(line.startswith("warning: ") for line in quiet.stderr.splitlines())
    assert parsed(as_json)
    assert as_json.stderr == ""


def test_assess_counts_verdicts(world: Path, livewell: Run) -> None:
    """The printed counts are those of the table."""
    made = parsed(
        livewell(
            *("assess", world / "images", "--model", world / "run", "--out", world / "new"),
            *("--pattern", "{well}_p{position:int}.ome.tif", "--json"),
        )
    )
    table = pd.read_csv(world / "new" / "verdicts.csv")
    assert len(table) == 33
    assert made["verdicts"] == table["verdict"].value_counts().to_dict()
    assert made["failures"] == 0


def test_some_inputs_failed_is_exit_1(world: Path, livewell: Run) -> None:
    """With one bad file among good ones the exit code is 1, and the file is named."""
    (world / "images" / "bad.tif").write_text("no image")
    judged = livewell("assess", world / "images", "--model", world / "run", "--out", world / "new")
    assert judged.exit_code == 1
    assert f"not judged: [image-unreadable] {world / 'images' / 'bad.tif'}" in judged.stderr
    assert len(pd.read_csv(world / "new" / "verdicts.csv")) == 33
    good = world / "images" / "A01_p1.ome.tif"
    looked = livewell("inspect", world / "images" / "bad.tif", good)
    assert looked.exit_code == 1
    assert str(good) in looked.stdout
    assert looked.stderr.startswith("error [image-unreadable]: ")
    assert "bad.tif" in looked.stderr


def test_a_folder_of_movies_is_no_movie(world: Path, livewell: Run) -> None:
    """`inspect` tells a folder of movies as a table; `heatmap` refuses it in one sentence."""
    looked = livewell("inspect", world / "images")
    assert looked.exit_code == 0
    assert "11 of 11 files hold several frames each" in looked.stdout.splitlines()[0]
    assert len(looked.stdout.splitlines()) == 1 + 1 + 11
    mapped = livewell(
        "heatmap", world / "images", "--model", world / "run", "--out", world / "heat"
    )
    assert mapped.exit_code == 2
    assert mapped.stderr.count("frames of one") == 1
    assert f"name a file of it, such as {world / 'images' / 'A01_p1.ome.tif'}" in mapped.stderr


def test_errors_as_json(world: Path, livewell: Run) -> None:
    """With --json a refusal is one object with its code, and the text still on standard error."""
    made = livewell("split", world / "study", "--by", "donor", "--patch-px", 64, "--json")
    assert made.exit_code == 2
    assert parsed(made)["error"] == "split"
    assert "donor" in parsed(made)["message"]
    assert made.stderr.startswith("error [split]: donor")


def test_as_a_module() -> None:
    """``python -m livewell`` is the same program."""
    done = subprocess.run(
        [sys.executable, "-m", "livewell", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert livewell.__version__ in done.stdout
