"""``livewell mosaic``: from images to a data set of mosaics, by commands alone."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from livewell.models.files import find_model
from livewell.study.study import Study

pytestmark = pytest.mark.long

Run = Callable[..., Result]

CLASSES = ("--negative", "wild-type", "--positive", "kd", "--class", "wild-type", "--class", "kd")
CUT = ("--patch-px", 64, "--empty", "keep")


def labelled(livewell: Run, write_movie, folder: Path, states: Sequence[str], *words: str) -> Path:
    """Forty small images of five donors, labelled with `words` and split by donor."""
    rng = np.random.default_rng(0)
    rows = ["image,treatment,donor"]
    for i in range(40):
        number = i % len(states)
        noise = (1, 32, 48)
        frames = rng.normal(3000, (400, 40, 150)[number], noise).round().astype(np.uint16)
        name = write_movie(folder / "raw" / f"{states[number]}_{i:02}.ome.tif", frames).name
        rows.append(f"{name},{states[number]},d{i // 8}")
    (folder / "raw.csv").write_text("\n".join([*rows, ""]))
    made = folder / "study"
    steps = (
        ("index", folder / "raw", "--out", made, "--metadata", folder / "raw.csv"),
        ("label", "column", made, "--column", "treatment", *words),
        ("split", made, "--by", "donor", "--patch-px", 32, "--empty", "keep"),
    )
    for each in steps:
        done = livewell(*each)
        assert done.exit_code == 0, done.output
    return made


@pytest.fixture(scope="module")
def study(livewell: Run, write_movie, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two states."""
    folder = tmp_path_factory.mktemp("mosaic")
    return labelled(livewell, write_movie, folder, ("wild-type", "kd"), *CLASSES)


def test_mosaics_go_the_whole_way(livewell: Run, study: Path, tmp_path: Path) -> None:
    """Index, label and split take the folder that `mosaic` made, and parts stay what they were."""
    out, again = tmp_path / "mosaics", tmp_path / "study"
    made = livewell("mosaic", study, "--out", out, "--repeats", 3, "--size", "64x96", "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout)
    assert set(told) == {"images", "metadata", "balance", "notes"}
    balance = pd.DataFrame(told["balance"]).set_index(["part", "label"])
    train = balance.loc[("train", "kd")]
    assert train["mosaics"] == 3 * train["raw_images"]
    steps = (
        ("index", told["images"], "--out", again, "--metadata", told["metadata"]),
        ("label", "column", again, "--column", "label", *CLASSES),
        ("split", again, "--by", "part", "--scheme", "named", "--test", "test", *CUT),
    )
    for words in steps:
        done = livewell(*words)
        assert done.exit_code == 0, done.output
    folds = pd.read_parquet(again / "splits" / "split" / "folds.parquet")
    assert (folds["group"] == folds["part"]).all()


def test_the_commands_that_it_prints_train_a_net(
    livewell: Run, study: Path, tmp_path: Path
) -> None:
    """Copied as they stand, from a folder with a space, they keep the parts and end in a model."""
    out = tmp_path / "my mosaics"
    made = livewell("mosaic", study, "--out", out, "--repeats", 1, "--size", "64x96")
    lines = made.stdout.partition("to train on them:\n")[2].splitlines()
    steps = [shlex.split(line) for line in lines]
    assert [words[1] for words in steps] == ["index", "label", "split", "train"]
    for program, *words in steps:
        short = ("steps=4", "steps_per_epoch=2", "batch=4") if words[0] == "train" else ()
        done = livewell(*words, *(word for value in short for word in ("--set", value)))
        assert program == "livewell"
        assert done.exit_code == 0, done.output
    folds = pd.read_parquet(f"{out}-study/splits/split/folds.parquet").set_index("group")["part"]
    table = pd.read_csv(out / "mosaics.csv").drop_duplicates("mosaic_group")
    assert folds.to_dict() == table.set_index("mosaic_group")["part"].to_dict()
    assert find_model(Path(f"{out}-run")).is_dir()


def test_three_classes_are_all_in_the_printed_commands(
    livewell: Run, write_movie, tmp_path: Path
) -> None:
    """Mosaics of three states are indexed and labelled by the commands as they stand."""
    states = ("wild-type", "kd", "dead")
    words = [word for name in states for word in ("--class", name)]
    study, out = labelled(livewell, write_movie, tmp_path, states, *words), tmp_path / "mosaics"
    made = livewell("mosaic", study, "--out", out, "--grid", "1x2", "--size", "32x96")
    assert made.exit_code == 0, made.output
    lines = made.stdout.partition("to train on them:\n")[2].splitlines()
    for _, *command in [shlex.split(line) for line in lines][:3]:
        done = livewell(*command)
        assert done.exit_code == 0, done.output
    labels = Study.open(Path(f"{out}-study")).labels("labels")
    assert set(labels["label"]) == set(states)


def test_mosaic_groups_can_be_named(livewell: Run, study: Path, tmp_path: Path) -> None:
    """Test groups named one by one stay the test part; single mosaics are never dealt."""
    out, again = tmp_path / "mosaics", tmp_path / "study"
    few = ("--repeats", 1, "--size", "full", "--quiet")
    assert livewell("mosaic", study, "--out", out, *few).exit_code == 0
    livewell("index", out / "images", "--out", again, "--metadata", out / "mosaics.csv")
    livewell("label", "column", again, "--column", "label", *CLASSES)
    table = pd.read_csv(out / "mosaics.csv")
    tested = table.loc[table["part"] == "test", "mosaic_group"].unique()
    named = [word for group in tested for word in ("--test", group)]
    done = livewell("split", again, "--by", "mosaic_group", "--scheme", "named", *named, *CUT)
    assert done.exit_code == 0, done.output
    folds = pd.read_parquet(again / "splits" / "split" / "folds.parquet")
    assert set(folds.loc[folds["part"] == "test", "group"]) == set(tested)
    torn = livewell("split", again, "--by", "image", *CUT)
    assert torn.exit_code == 2
    assert "error [leak]: image tears pictures" in torn.stderr


def test_what_it_says_to_people(livewell: Run, study: Path, tmp_path: Path) -> None:
    """Counts by part and class, where the files are, and warnings on standard error."""
    made = livewell("mosaic", study, "--out", tmp_path / "out", "--repeats", 1, "--size", "64x72")
    assert made.exit_code == 0
    for word in ("raw_images", "mosaic_groups", "left_out", "validation", "mosaics.csv"):
        assert word in made.stdout
    assert "warning: height shrinks 1.000 times and width 1.333 times" in made.stderr
    other = livewell("mosaic", study, "--out", tmp_path / "out", "--repeats", 2, "--size", "64x72")
    assert other.exit_code == 2
    assert "begun with other settings" in other.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "356"), "'356' is not HEIGHTxWIDTH or full"),
        (("--size", "0x4"), "'0x4' is not HEIGHTxWIDTH or full"),
        (("--grid", "full"), "'full' is not ROWSxCOLUMNS"),
        (("--grid", "2x-2"), "'2x-2' is not ROWSxCOLUMNS"),
        (("--repeats", "0"), "--repeats"),
        ((), "never enlarged"),
        (("--size", "full", "--fold", "7"), "no such fold"),
        (("--size", "full", "--grid", "9x9"), "a mosaic needs 81"),
        (("--size", "full", "--split", "none"), "no split named 'none'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use(livewell: Run, study: Path, tmp_path: Path, words, told) -> None:
    """What cannot be is exit code 2 with a word on it, and nothing is written."""
    made = livewell("mosaic", study, "--out", tmp_path / "out", *words)
    assert made.exit_code == 2
    assert told in made.stderr
    assert not (tmp_path / "out").exists()
