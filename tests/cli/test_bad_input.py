"""Bad input: a clear message with file, field and remedy, no traceback, and nothing lost."""

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import Result

from livewell.models import backends
from livewell.study.study import Study

Run = Callable[..., Result]
Words = tuple[object, ...]

KEPT_APART = {"cache", "images", "headers.parquet"}
PATTERN = "{well}_p{position:int}.ome.tif"
CLASSES = ("--negative", "healthy", "--positive", "sick")
LOOKS = ("--class", "healthy", "--class", "sick", "--others", "drop")
GRID = ("--by", "well", "--patch-px", 64)
BAD = "A03_p1.ome.tif"


def truncated(path: Path) -> None:
    """The last third is missing."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def nan(path: Path) -> None:
    """One pixel of every frame is not a number."""
    frames = tifffile.imread(path).astype(np.float32)
    frames[:, 5, 5] = np.nan
    rewrite(path, frames)


def two_stains(path: Path) -> None:
    """Two fluorescence channels and no transmitted light."""
    frames = np.stack([tifffile.imread(path)] * 2, axis=1)
    names = {"axes": "TCYX", "Channel": {"Name": ["DAPI", "PI"]}}
    tifffile.imwrite(path, frames, ome=True, photometric="minisblack", metadata=names)


def rewrite(path: Path, frames: np.ndarray) -> None:
    """Other pixels in a file of the same name."""
    metadata = {"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "TimeIncrement": 600}
    metadata |= {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, frames, ome=True, photometric="minisblack", metadata=metadata)


def mapped(*options: object) -> Callable[[Path], Words]:
    """A heat map of one movie with further options."""
    return lambda world: (
        *("heatmap", world / "images" / BAD, "--model", world / "run", "--out", world / "map"),
        *options,
    )


def without_openvino(world: Path) -> Words:
    """A machine on which the extra was not installed."""
    backends.find_spec = lambda name: None  # type: ignore[attr-defined]
    return mapped("--backend", "openvino")(world)


def relabelled(world: Path) -> tuple[object, ...]:
    """Sick and healthy change places after the split."""
    study = Study.open(world / "study")
    table, meta = study.labels("labels"), study.label_meta("labels")
    other = table["label"].map({"healthy": "sick", "sick": "healthy"})
    study.write_labels("labels", table.assign(label=other), meta)
    return ("train", world / "study", "--out", world / "new", "--profile", "tiny")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated TIFF": (truncated, "image-unreadable"),
    "text renamed to .tif": (lambda path: path.write_text("a letter\n" * 9), "image-unreadable"),
    "zero-byte file": (lambda path: path.write_bytes(b""), "image-unreadable"),
    "all-zero image": (lambda path: rewrite(path, np.zeros((3, 128, 192), "u2")), "image-content"),
    "NaN": (nan, "image-content"),
    "smaller than a patch": (
        lambda path: rewrite(path, tifffile.imread(path)[:, :50, :50]),
        "image-content",
    ),
    "missing channel": (two_stains, "image-content"),
}


def snapshot(folder: Path) -> dict[Path, bytes]:
    """What every result file holds; caches may grow."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not KEPT_APART & set(path.relative_to(folder).parts)
    }


def lost(before: dict[Path, bytes], after: dict[Path, bytes]) -> list[Path]:
    """Files that have gone or hold something else."""
    return [path for path, data in before.items() if after.get(path) != data]


@pytest.fixture
def spoil(world: Path) -> Callable[[str], None]:
    """Spoils one image of the world in a named way; the original, a hard link, stays as it is."""

    def spoil_one(name: str) -> None:
        path = world / "images" / BAD
        shutil.copy(path, path.with_suffix(".copy"))
        path.with_suffix(".copy").replace(path)
        SPOILT[name][0](path)

    return spoil_one


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_image_is_no_verdict(
    name: str, world: Path, livewell: Run, spoil: Callable[[str], None]
) -> None:
    """Judged among others, a spoilt image is told with its name and reason, the others as ever."""
    spoil(name)
    for path in (world / "images").glob("*0[2456]_p1*"):
        path.unlink()
    out = world / "new"
    made = livewell("assess", world / "images", "--model", world / "run", "--out", out)
    assert made.exit_code == 1
    failures = pd.read_csv(out / "failures.csv")
    assert set(failures["image"]) == {BAD}
    assert failures["error"].str.contains(SPOILT[name][1], regex=False).all()
    assert BAD in made.stderr
    table = pd.read_csv(out / "verdicts.csv")
    assert (table["image"] != BAD).sum() == 4 * 3


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_image_is_no_patch(
    name: str, world: Path, livewell: Run, spoil: Callable[[str], None]
) -> None:
    """A study with a spoilt image is not split: the image is named, and older splits stay."""
    spoil(name)
    study = world / "study"
    for words in (
        (
            "index",
            world / "images",
            "--out",
            study,
            "--pattern",
            PATTERN,
            "--metadata",
            world / "plate.csv",
        ),
        ("label", "column", study, *CLASSES, "--column", "look", *LOOKS),
    ):
        assert livewell(*words).exit_code == 0
    before = snapshot(world)
    made = livewell("split", study, *GRID)
    assert made.exit_code == 2
    assert made.stderr.count("error [") == 1
    assert BAD in made.stderr
    assert SPOILT[name][1] in made.stderr
    assert "What to do: " in made.stderr
    assert not lost(before, snapshot(world))


@pytest.mark.parametrize("name", ["truncated TIFF", "text renamed to .tif", "zero-byte file"])
def test_spoilt_image_is_inspected(
    name: str, world: Path, livewell: Run, spoil: Callable[[str], None]
) -> None:
    """`inspect` tells a broken file by its path and what to do."""
    spoil(name)
    made = livewell("inspect", world / "images" / BAD)
    told = made.stdout + made.stderr
    assert str(world / "images" / BAD) in told
    assert "What to do: " in told


@dataclass(frozen=True)
class Case:
    """One kind of bad input.

    Parameters
    ----------
    prepare
        Makes the command from the world's folder, and whatever is bad in it.
    told
        What the message must hold: file or field, and remedy.
    """

    prepare: Callable[[Path], Words]
    told: tuple[str, ...]


def plate_csv(change: Callable[[list[str]], list[str]]) -> Callable[[Path], Words]:
    """Indexing over the study with a changed plate.csv; the heading is line 1."""

    def prepare(world: Path) -> Words:
        lines = (world / "plate.csv").read_text().split()
        (world / "bad.csv").write_text("\n".join(change(lines)))
        return (
            *("index", world / "images", "--out", world / "study", "--pattern", PATTERN),
            *("--metadata", world / "bad.csv"),
        )

    return prepare


def without_donor(world: Path) -> Words:
    """One labelled well has no donor."""
    lines = (world / "plate.csv").read_text().split()
    donors = ["donor", *("d1" if line[:3] != "A02" else "" for line in lines[1:])]
    text = "\n".join(f"{line},{donor}" for line, donor in zip(lines, donors, strict=True))
    (world / "donors.csv").write_text(text)
    from livewell.workflows.index import index

    index(world / "images", world / "study", pattern=PATTERN, metadata=world / "donors.csv")
    return ("split", world / "study", "--by", "donor", "--patch-px", 64)


def blocked(world: Path) -> Path:
    """A folder that cannot be made, as a file stands in its way; holds for root as well."""
    (world / "taken").write_text("a file")
    return world / "taken" / "out"


def pickled(world: Path) -> Words:
    """A checkpoint of another program."""
    (world / "model.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    return assess(world, world / "model.pt")


def assess(world: Path, model: Path) -> Words:
    """Judging the plate into the folder of older verdicts."""
    return ("assess", world / "images", "--model", model, "--out", world / "verdicts")


def pickle_as_weights(world: Path) -> Words:
    """A pickle under the name of the weights."""
    model = world / "run" / "fold-00" / "model"
    (model / "weights.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    return assess(world, model)


def other_hash(world: Path) -> Words:
    """A card of other weights."""
    card = world / "run" / "fold-00" / "model" / "card.json"
    said = json.loads(card.read_text())
    card.write_text(json.dumps(said | {"weights_sha256": "0" * 64}))
    return assess(world, card)


def broken_card(world: Path) -> Words:
    """A card cut off in its middle."""
    card = world / "run" / "fold-00" / "model" / "card.json"
    card.write_text(card.read_text()[:200])
    return assess(world, card)


def fields_cut_off(world: Path) -> Words:
    """The study's table of images lacks its end."""
    truncated(world / "study" / "fields.parquet")
    return ("train", world / "study", "--out", world / "new", "--profile", "tiny")


def label(*words: object) -> Callable[[Path], Words]:
    """Labelling by a column anew, under the name of older labels."""
    return lambda world: ("label", "column", world / "study", *CLASSES, *words)


def train(*words: object) -> Callable[[Path], Words]:
    """Training into the folder of the older run."""
    return lambda world: ("train", world / "study", "--out", world / "run", *words)


CASES = {
    "row without file": Case(
        plate_csv(lambda lines: [*lines, "H12,5,s,sick"]),
        ("bad.csv", "line 13", "H12", "row-without-file", "correct the table"),
    ),
    "file without row": Case(
        plate_csv(lambda lines: lines[:-1]),
        ("bad.csv", "C01_p1.ome.tif", "file-without-row", "correct the table"),
    ),
    "duplicate rows": Case(
        plate_csv(lambda lines: [*lines, lines[1]]),
        ("bad.csv", "line", "A01", "duplicate-row", "correct the table"),
    ),
    "dose that is no number": Case(
        plate_csv(lambda lines: [*lines[:-1], "C01,much,s,middle"]),
        ("bad.csv", "line 12, dose", "'much' is not a number", "correct the table"),
    ),
    "metadata file absent": Case(
        lambda world: (
            (
                "index",
                world / "images",
                "--out",
                world / "study",
                "--metadata",
                world / "absent.csv",
            )
        ),
        ("absent.csv", "check the path"),
    ),
    "one class only": Case(
        label("--column", "look", "--class", "healthy", "--others", "drop"),
        ("look", "class"),
    ),
    "other classes than said": Case(
        label("--column", "look", "--class", "healthy=well", "--class", "sick", "--others", "drop"),
        (
            "set of labels 'labels'",
            "healthy (negative) and sick (positive)",
            "sick, well",
            "check the",
        ),
    ),
    "label column misspelt": Case(label("--column", "loook", *LOOKS), ("loook", "look")),
    "class of a value that is not there": Case(
        label("--column", "look", "--class", "helthy=healthy", *LOOKS), ("helthy", "healthy")
    ),
    "no such group": Case(
        lambda world: ("split", world / "study", "--by", "donor", "--patch-px", 64),
        ("donor", "no such group", "well", "index with a pattern or a CSV"),
    ),
    "group missing in one row": Case(
        without_donor, ("column donor", "A02_p1.ome.tif", "fill the column")
    ),
    "no such label set": Case(
        lambda world: ("split", world / "study", *GRID, "--labels", "mine"),
        ("mine", "labels", "livewell label"),
    ),
    "not a study": Case(
        lambda world: ("split", world / "images", *GRID), ("study.json", "check the path")
    ),
    "index into a folder that cannot be written": Case(
        lambda world: ("index", world / "images", "--out", blocked(world)),
        ("taken/out", "cannot be written", "name a folder that you may write"),
    ),
    "train into a folder that cannot be written": Case(
        lambda world: ("train", world / "study", "--out", blocked(world), "--profile", "tiny"),
        ("taken/out", "cannot be written", "name a folder that you may write"),
    ),
    "evaluate into a folder that cannot be written": Case(
        lambda world: ("evaluate", world / "run", "--no-baselines", "--out", blocked(world)),
        ("taken/out", "cannot be written", "name a folder that you may write"),
    ),
    "assess into a folder that cannot be written": Case(
        lambda world: (
            ("assess", world / "images", "--model", world / "run", "--out", blocked(world))
        ),
        ("taken/out", "cannot be written", "name a folder that you may write"),
    ),
    "heatmap into a folder that cannot be written": Case(
        lambda world: (
            ("heatmap", world / "images" / BAD, "--model", world / "run", "--out", "/proc/livewell")
        ),
        ("/proc/livewell", "cannot be written", "name a folder that you may write"),
    ),
    "a folder of something else": Case(
        lambda world: ("index", world / "images", "--out", world / "run"),
        ("world/run", "not a study", "name a new folder"),
    ),
    "model is a pickle": Case(pickled, ("model.pt", "pickle", "safetensors")),
    "weights are a pickle": Case(
        pickle_as_weights, ("weights.safetensors", "sha256", "copy the model folder again")
    ),
    "card of another hash": Case(
        other_hash, ("weights.safetensors", "sha256 0000000000", "copy the model folder again")
    ),
    "card cut off": Case(
        broken_card, ("card.json", "card cannot be read", "copy the model folder again")
    ),
    "pixel size without end": Case(
        lambda world: ("index", world / "images", "--out", world / "study", "--pixel-um", "inf"),
        ("--pixel-um", "not a finite number"),
    ),
    "index of one file": Case(
        lambda world: ("index", world / "images" / BAD, "--out", world / "study"),
        (BAD, "a file, not a folder", "--files"),
    ),
    "frames cut without a patch size": Case(
        lambda world: ("split", world / "study", "--by", "well"), ("need a grid", "--patch-px")
    ),
    "long row": Case(
        plate_csv(lambda lines: [*lines, "C01,5,s,sick,more"]),
        ("bad.csv", "long-row", "more cells than the heading has.\nWhat to do: correct"),
    ),
    "dose of all that is no number": Case(
        lambda world: (
            "index",
            world / "images",
            "--out",
            world / "study",
            "--column",
            "dose=much",
        ),
        ("wrong-type", "'much' is not a number", "\nWhat to do: correct --column"),
    ),
    "assess into a folder of something else": Case(
        lambda world: (
            "assess",
            world / "images",
            "--model",
            world / "run",
            "--out",
            world / "study",
        ),
        ("not an assessment of livewell", "name a new folder"),
    ),
    "fields table cut off": Case(
        fields_cut_off, ("fields.parquet", "cannot be read as a table of fields", "What to do")
    ),
    "no model there": Case(lambda world: assess(world, world / "study"), ("study", "card.json")),
    "profile setting that does not exist": Case(
        train("--profile", "tiny", "--set", "learning_rat=3", "--set", "batch=none"),
        ("learning_rat", "batch", "steps_per_epoch"),
    ),
    "profile that does not exist": Case(train("--profile", "fats"), ("fats", "FAST")),
    "run of other settings": Case(
        train("--profile", "tiny", "--seed", 4), ("world/run", "seed=4", "name a new folder")
    ),
    "patches of another size": Case(
        lambda world: (
            (
                "train",
                world / "study",
                "--out",
                world / "new",
                "--profile",
                "tiny",
                "--set",
                "patch_px=80",
            )
        ),
        ("profile TINY", "80 px", "64 px", "--patch-px 80"),
    ),
    "no such channel": Case(
        lambda world: (
            (
                "assess",
                world / "images" / BAD,
                "--model",
                world / "run",
                "--out",
                world / "new",
                "--channel",
                "PI",
            )
        ),
        ("PI", "phase contrast", "--channel"),
    ),
    "test groups of a split that holds none out": Case(
        lambda world: ("split", world / "study", *GRID, "--test", "B02"),
        ("--test", "--scheme named"),
    ),
    "folds of a split without folds": Case(
        lambda world: ("split", world / "study", *GRID, "--folds", 3),
        ("--folds", "--scheme folds"),
    ),
    "every no frame": Case(
        lambda world: ("split", world / "study", *GRID, "--every", 0), ("--every", "x>=1")
    ),
    "seed below zero": Case(train("--seed", -1), ("--seed", "x>=0")),
    "heat map at no speed": Case(
        lambda world: (
            "heatmap",
            world / "images" / BAD,
            *("--model", world / "run", "--out", world / "map", "--fps", "nan"),
        ),
        ("--fps", "finite"),
    ),
    "heat map by an engine at a stride that it cannot make": Case(
        mapped("--engine", "dense", "--stride-px", 9),
        ("--stride-px 9", "16 px", "--engine windows"),
    ),
    "heat map with too little memory for one window": Case(
        mapped("--engine", "dense", "--memory-gb", 0.001),
        ("--memory-gb", "too little memory", "at least"),
    ),
    "heat map by a backend that does not exist": Case(
        mapped("--backend", "tensorrt"), ("--backend", "tensorrt", "onnxruntime")
    ),
    "heat map by a backend that is not installed": Case(
        without_openvino, ("--backend", "openvino", "pip install 'livewell[openvino]'")
    ),
    "held-out group that is not there": Case(
        lambda world: ("split", world / "study", *GRID, "--scheme", "named", "--test", "Z99"),
        ("Z99", "A01"),
    ),
    "labels made anew after the split": Case(relabelled, ("made anew", "split again")),
    "pixel size of zero": Case(
        lambda world: ("index", world / "images", "--out", world / "study", "--pixel-um", 0),
        ("--pixel-um", "x>0"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refusal(name: str, world: Path, livewell: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends with 2 (1 if only inputs failed), tells what to do, and loses nothing."""
    # put back what a case takes away
    monkeypatch.setattr(backends, "find_spec", backends.find_spec)
    case = CASES[name]
    words = case.prepare(world)
    before = snapshot(world)
    made = livewell(*words)
    assert made.exit_code == (1 if name == "no such channel" else 2)
    for text in case.told:
        assert text in made.stderr, made.stderr
    assert "Traceback" not in made.output
    assert made.stderr.count("Got: ") <= 1
    assert "\n." not in made.stderr
    assert not lost(before, snapshot(world))
