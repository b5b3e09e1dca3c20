"""Simulated shapes as files: pictures, labels and objects that agree, and go on where stopped."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from livewell.errors import OutputError
from livewell.simulate.shapes import OBJECTS, ShapeSpec, picture
from livewell.workflows.shapes import TOGETHER, simulate_shapes

SPEC = ShapeSpec(images=TOGETHER + 4, rows=2, columns=3, objects=(2, 6), seed=3)
"""Small pictures, and a second part of four."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished folder; not to be changed."""
    out = tmp_path_factory.mktemp("shapes") / "made"
    assert simulate_shapes(SPEC, out, workers=1) == out / "images"
    return out


def content(folder: Path) -> dict[str, bytes]:
    """All files that a user reads, by path."""
    files = [*folder.glob("images/*"), *folder.glob("*.csv")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


def test_every_picture_is_a_file(made: Path) -> None:
    """As many 8-bit PNGs as asked for, each with the pixels of its number, and nothing else."""
    names = sorted(path.name for path in (made / "images").iterdir())
    assert names == [f"{number:05d}.png" for number in range(SPEC.images)]
    for number in (0, 1, TOGETHER - 1, TOGETHER, SPEC.images - 1):
        with Image.open(made / "images" / f"{number:05d}.png") as opened:
            assert opened.mode == "L"
            np.testing.assert_array_equal(np.array(opened), picture(SPEC, number).pixels)


def test_labels_say_which_pictures_hold_circles(made: Path) -> None:
    """``images.csv`` has a row a picture, in order; circles are where the objects say so."""
    labels = pd.read_csv(made / "images.csv", dtype=str)
    assert list(labels) == ["image", "label"]
    assert labels["image"].tolist() == sorted(path.name for path in (made / "images").iterdir())
    objects = pd.read_csv(made / "objects.csv", dtype={"image": str})
    holding = set(objects.loc[objects["kind"] == "circle", "image"])
    assert set(labels.loc[labels["label"] == "circles", "image"]) == holding
    assert labels["label"].value_counts().to_dict() == dict.fromkeys(
        ("circles", "ellipses"), SPEC.images // 2
    )


def test_objects_are_the_truth(made: Path) -> None:
    """``objects.csv`` has a row an object, picture after picture, as drawn."""
    objects = pd.read_csv(made / "objects.csv", dtype={"image": str})
    assert list(objects) == OBJECTS
    assert objects["image"].is_monotonic_increasing
    assert objects["image"].nunique() == SPEC.images
    for number in (0, TOGETHER - 1, TOGETHER + 3):
        found = objects[objects["image"] == f"{number:05d}.png"].drop(columns="image")
        pd.testing.assert_frame_equal(
            found.reset_index(drop=True), picture(SPEC, number).objects, atol=1e-4
        )
    assert all(objects[name].dtype == np.int64 for name in ("y0", "x0", "y1", "x1"))


@pytest.mark.parametrize(
    ("gone", "untouched"),
    [
        (("images/00003.png", "objects.csv"), "images/00101.png"),
        (("parts/00100.parquet", "images.csv"), "images/00050.png"),
        (("objects.csv", "images.csv"), "images/00000.png"),
    ],
)
def test_what_is_missing_is_made_again(
    tmp_path: Path, made: Path, gone: tuple[str, ...], untouched: str
) -> None:
    """After files are deleted, the same call leaves all as it was, and what stood untouched."""
    out = tmp_path / "out"
    shutil.copytree(made, out)
    for name in gone:
        (out / name).unlink()
    before = (out / untouched).stat().st_mtime_ns
    simulate_shapes(SPEC, out, workers=1)
    assert content(out) == content(made)
    assert (out / untouched).stat().st_mtime_ns == before


def test_the_number_of_workers_does_not_matter(tmp_path: Path, made: Path) -> None:
    """Two processes write what one writes."""
    simulate_shapes(SPEC, tmp_path / "out", workers=2)
    assert content(tmp_path / "out") == content(made)


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"images": 6}, {"circle_share": 0.2}, {"filled": False}]
)
def test_other_settings_are_refused(made: Path, change: dict[str, object]) -> None:
    """A folder that holds shapes of other settings is refused and stays as it is."""
    before = content(made)
    with pytest.raises(OutputError):
        simulate_shapes(replace(SPEC, **change), made, workers=1)
    assert content(made) == before


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    """Nothing is written into a folder with other files."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError):
        simulate_shapes(SPEC, tmp_path, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_larger_set_begins_with_the_smaller_one(tmp_path: Path, made: Path) -> None:
    """More images of the same seed are the same images and some more."""
    few = ShapeSpec(**asdict(SPEC) | {"images": 5})
    simulate_shapes(few, tmp_path / "few", workers=1)
    for path in (tmp_path / "few" / "images").iterdir():
        assert path.read_bytes() == (made / "images" / path.name).read_bytes()
    rows = len(pd.read_csv(tmp_path / "few" / "objects.csv"))
    tables = [pd.read_csv(folder / "objects.csv").head(rows) for folder in (tmp_path / "few", made)]
    pd.testing.assert_frame_equal(*tables)
