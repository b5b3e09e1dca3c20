"""``livewell split --whole`` and ``--scheme parts``, and ``train`` on what they make."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import Result

from livewell.study.study import Study

Run = Callable[..., Result]

PARTS = ["train", "train", "validation", "validation", "test", "test"]
WHOLE = ("--by", "picture", "--scheme", "parts", "--parts", "part", "--whole")


@pytest.fixture
def study(livewell: Run, tmp_path: Path) -> Path:
    """Six images, labelled in turn, with their part and their donor."""
    return made(livewell, tmp_path, {f"i{n}.tif": (80, 96) for n in range(6)})


def made(livewell: Run, folder: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """A labelled study of noise of these sizes."""
    (folder / "images").mkdir()
    rows = ["image,look,part,donor"]
    for number, (name, size) in enumerate(sizes.items()):
        pixels = np.random.default_rng(number).normal(1000, 30, size).astype(np.uint16)
        tifffile.imwrite(folder / "images" / name, pixels, photometric="minisblack")
        look, donor = ("plain", "spotted")[number % 2], "abcabc"[number]
        rows.append(f"{name},{look},{PARTS[number]},{donor}")
    (folder / "table.csv").write_text("\n".join([*rows, ""]))
    named = ("--negative", "plain", "--positive", "spotted", "--class", "plain", "--class")
    for words in (
        ("index", folder / "images", "--out", folder / "s", "--metadata", folder / "table.csv"),
        ("label", "column", folder / "s", "--column", "look", *named, "spotted"),
    ):
        done = livewell(*words)
        assert done.exit_code == 0, done.output
    return folder / "s"


def test_whole_frames_by_the_column_of_parts(livewell: Run, study: Path) -> None:
    """One patch a frame, in the part that the column says; the balance is told."""
    done = livewell("split", study, *WHOLE, "--json")
    assert done.exit_code == 0, done.output
    balance = json.loads(done.stdout)["balance"]
    assert {row["part"]: row["patches"] for row in balance} == {
        "train": 2,
        "validation": 2,
        "test": 2,
    }
    patches, folds, meta = Study.open(study).split("split")
    assert meta.frame_px == (80, 96)
    dealt = patches.merge(folds, on="group").sort_values("image")
    assert dealt["part"].tolist() == PARTS


def test_pairs_that_are_different_fields_are_kept_on_record(livewell: Run, study: Path) -> None:
    """Pairs are named one by one; an image that is not there is an error."""
    pairs = ["--different-fields", "i0.tif", "i1.tif", "--different-fields", "i2.tif", "i5.tif"]
    done = livewell("split", study, *WHOLE, *pairs)
    assert done.exit_code == 0, done.output
    found = Study.open(study).split("split")[2].different_fields
    assert found == (("i0.tif", "i1.tif"), ("i2.tif", "i5.tif"))
    wrong = livewell("split", study, *WHOLE, "--different-fields", "i0.tif", "i9.tif")
    assert wrong.exit_code == 2
    assert "i9.tif" in wrong.output


def test_other_schemes_take_whole_frames(livewell: Run, study: Path) -> None:
    """Named groups are held out as with patches."""
    held = ("--scheme", "named", "--test", "i4.tif", "--test", "i5.tif")
    done = livewell("split", study, "--by", "picture", "--whole", *held, "--every", 1)
    assert done.exit_code == 0, done.output
    folds = Study.open(study).split("split")[1]
    assert set(folds.loc[folds["part"] == "test", "group"]) == {"i4.tif", "i5.tif"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((*WHOLE, "--patch-px", 64), "--whole takes no --patch-px"),
        ((*WHOLE, "--stride-px", 64), "--stride-px is for patches of --patch-px"),
        ((*WHOLE, "--edge", "shift"), "--edge is for patches of --patch-px"),
        ((*WHOLE, "--empty", "keep"), "--empty is for patches of --patch-px"),
        (("--by", "picture", "--every", 2), "--every is for frames of --patch-px or --whole"),
        (("--by", "picture", "--whole", "--parts", "part"), "--parts is for --scheme parts"),
        (("--by", "picture", "--whole", "--scheme", "parts"), "needs --parts COLUMN"),
        ((*WHOLE, "--folds", 3), "--folds is for --scheme folds, not parts"),
        ((*WHOLE, "--test", "i0.tif"), "--test is for --scheme named, not parts"),
        ((*WHOLE[:5], "nothing", "--whole"), "no such column"),
        ((*WHOLE[:5], "look", "--whole"), "does not give every group one part"),
        (("--by", "donor", *WHOLE[2:]), "several for a"),
        (("--by", "picture"), "--whole for nets that see whole frames"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    livewell: Run, study: Path, words: tuple[object, ...], told: str
) -> None:
    """Options that do not go together, and columns without parts: code 2, nothing is made."""
    done = livewell("split", study, *words)
    assert done.exit_code == 2
    assert told in done.output.replace("\n", " ")
    assert Study.open(study).split_names() == []


def test_images_too_small_are_named(livewell: Run, tmp_path: Path) -> None:
    """An image below three quarters of the largest is refused by name and size."""
    sizes = {f"i{n}.tif": (80, 96) for n in range(5)} | {"i5.tif": (59, 96)}
    study = made(livewell, tmp_path, sizes)
    done = livewell("split", study, *WHOLE)
    assert done.exit_code == 2
    assert "i5.tif" in done.output
    assert "59 x 96 px" in done.output
    assert "i4.tif" not in done.output


def test_training_says_which_split_a_recipe_needs(
    livewell: Run, study: Path, tmp_path: Path
) -> None:
    """Frames and patches are told apart both ways, with the option to split again."""
    cut = ("--by", "picture", "--scheme", "parts", "--parts", "part", "--patch-px", 64)
    for words in ((*WHOLE,), (*cut, "--empty", "keep", "--name", "cut")):
        assert livewell("split", study, *words).exit_code == 0
    out = ("--out", tmp_path / "run")
    done = livewell("train", study, *out, "--profile", "wscnn_fast", "--split", "cut")
    assert done.exit_code == 2
    assert "split again with --whole" in done.output
    done = livewell("train", study, *out, "--profile", "tiny")
    assert done.exit_code == 2
    assert "--patch-px 64" in done.output
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_net_of_frames_is_trained_and_evaluated(
    livewell: Run, study: Path, tmp_path: Path
) -> None:
    """From whole frames to a report on unseen ones, without a word about patches' size."""
    assert livewell("split", study, *WHOLE).exit_code == 0
    short = ("--set", "steps=3", "--set", "steps_per_epoch=3", "--set", "batch=2")
    run = tmp_path / "run"
    done = livewell("train", study, "--out", run, "--profile", "WSCNN_FAST", *short, "--json")
    assert done.exit_code == 0, done.output
    assert Path(json.loads(done.stdout)["models"]["0"]).is_dir()
    done = livewell("evaluate", run, "--no-baselines", "--json")
    assert done.exit_code == 0, done.output
    assert Path(json.loads(done.stdout)["report"]).is_file()
