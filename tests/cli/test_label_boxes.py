"""``livewell label boxes``: images labelled by the cells boxed in them, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import Result

from livewell.study.study import Study

Run = Callable[..., Result]

HEADING = "image,state,xmin,ymin,xmax,ymax"
GOOD = (
    "a.tif,dead,1,2,11,12",
    "a.tif,living,20,20,40,30",
    "b.tif,living,0,0,60,40",
    "c.tif,dead,30,10,60,40",
    "c.tif,dead,3,3,9,9",
    "d.tif,living,5,5,9,9",
)
CLASSES = ("--negative", "living", "--positive", "dead")
STATES = ("--class", "dead", "--class", "living")


@pytest.fixture
def study(tmp_path: Path, livewell: Run) -> Path:
    """A study of four pictures of 40 x 60 pixels, named a to d."""
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for name in "abcd":
        picture = rng.integers(100, 200, (40, 60), np.uint16)
        tifffile.imwrite(images / f"{name}.tif", picture)
    assert livewell("index", images, "--out", tmp_path / "study").exit_code == 0
    return tmp_path / "study"


@pytest.fixture
def label(study: Path, livewell: Run) -> Callable[..., Result]:
    """Labels that study by boxes in the given lines of a CSV, with further options."""

    def run(lines: tuple[str, ...], *words: object, states: tuple[str, ...] = STATES) -> Result:
        (study.parent / "cells.csv").write_text("\n".join([HEADING, *lines]))
        csv = ("--csv", study.parent / "cells.csv")
        return livewell("label", "boxes", study, *csv, *CLASSES, *states, *words)

    return run


def kept(study: Path) -> dict[str, bytes]:
    """What the study holds, beside the cache of headers."""
    return {
        path.relative_to(study).as_posix(): path.read_bytes()
        for path in study.rglob("*")
        if path.is_file() and path.name != "headers.parquet"
    }


def test_labels_and_boxes_are_kept(study: Path, label: Callable[..., Result]) -> None:
    """Images with a dead cell are dead; labels, how they were made and the boxes are kept."""
    made = label(GOOD, "--name", "mil", "--json")
    assert made.exit_code == 0, made.stderr
    table = Study.open(study).labels("mil")
    assert table[["image", "label", "score"]].to_numpy().tolist() == [
        ["a.tif", "dead", 1],
        ["b.tif", "living", 0],
        ["c.tif", "dead", 2],
        ["d.tif", "living", 0],
    ]
    meta = Study.open(study).label_meta("mil")
    assert meta.model_dump(mode="json") == json.loads(made.stdout)
    assert meta.route == "boxes"
    assert meta.settings["corners"] == ["ymin", "xmin", "ymax", "xmax"]
    boxes = Study.open(study).boxes("mil")
    assert boxes[["image", "kind", "y0", "x0", "y1", "x1", "label"]].iloc[
        :2
    ].to_numpy().tolist() == [
        ["a.tif", "dead", 2, 1, 12, 11, "dead"],
        ["a.tif", "living", 20, 20, 30, 40, "living"],
    ]
    assert len(boxes) == len(GOOD)


def test_counts_are_told(label: Callable[..., Result]) -> None:
    """People see every step, and a warning where images without a box count as negative."""
    made = label(GOOD[:-1], "--unboxed", "negative")
    assert made.exit_code == 0
    lines = [line.split(None, 1) for line in made.stdout.splitlines()]
    told = {step: int(count) for count, step in lines}
    assert told["images without a box"] == 1
    assert (told["images"], told["boxes"], told["living"], told["dead"]) == (4, 5, 2, 2)
    assert "warning: 1 images without a box are taken for living" in made.stderr


def test_boxes_over_the_edge_may_be_clipped(study: Path, label: Callable[..., Result]) -> None:
    """With --clip a box that reaches beyond its image is kept as far as it lies inside."""
    made = label((*GOOD, "d.tif,living,50,30,70,44"), "--clip")
    assert made.exit_code == 0, made.stderr
    last = Study.open(study).boxes("labels").iloc[-1]
    assert last[["y0", "x0", "y1", "x1"]].tolist() == [30, 50, 40, 60]
    before = kept(study)
    same = label((*GOOD, "d.tif,living,50,30,70,44", "d.tif,living,50,30,71,44"), "--clip")
    assert same.exit_code == 2
    assert "duplicate-row] rows 8, 9" in same.stderr
    assert kept(study) == before


BAD: dict[str, tuple[tuple[str, ...], tuple[object, ...], tuple[str, ...]]] = {
    "outside the image": ((*GOOD, "d.tif,dead,50,30,61,40"), (), ("cells.csv", "d.tif", "--clip")),
    "no area": ((*GOOD, "d.tif,dead,9,9,9,12"), (), ("cells.csv", "d.tif")),
    "all of one class": (
        tuple(line.replace("living", "dead") for line in GOOD),
        ("--class", "dead"),
        ("one-class", "all 4 images hold a cell of class 'dead'", "take images with and without"),
    ),
    "none positive": (
        tuple(line.replace("dead", "living") for line in GOOD),
        (),
        ("unknown-value", "'dead'", "known: living", "or add images that hold such cells"),
    ),
    "image that is not in the study": (
        (*GOOD, "e1.tif,dead,1,2,11,12"),
        (),
        ("cells.csv", "unknown-image", "e1.tif", "rows 8", "correct the boxes"),
    ),
    "text for a number": (
        (*GOOD, "d.tif,dead,1,two,11,12"),
        (),
        ("cells.csv", "ymin, rows 8", "'two' is not a whole number", "correct these rows"),
    ),
    "NaN for a number": (
        (*GOOD, "d.tif,dead,1,NaN,11,12"),
        (),
        ("cells.csv", "ymin, rows 8", "'NaN' is not a whole number"),
    ),
    "unknown state": (
        (*GOOD, "d.tif,dieing,1,2,11,12"),
        (),
        ("unmapped-value", "no class is said for dieing", "--others drop"),
    ),
    "missing column": (GOOD, ("--state", "kind"), ("missing-column", "kind", "image, state, xmin")),
    "x before y": (GOOD, ("--corners", "xmin,ymin,xmax,ymax"), ("x before y", "ymin,xmin,ymax")),
    "three corners": (GOOD, ("--corners", "ymin,xmin,ymax"), ("--corners", "not four names")),
    "image without a box": (
        GOOD[:-1],
        (),
        ("no-box", "1 of 4 images have no box: d.tif", "--unboxed negative", "--unboxed drop"),
    ),
    "no rows": ((), (), ("cells.csv", "without rows")),
    "none at least": (GOOD, ("--at-least", 0), ("--at-least",)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_boxes(name: str, study: Path, label: Callable[..., Result]) -> None:
    """Refused in plain words with file, place and remedy; older labels stay, nothing is left."""
    assert label(GOOD).exit_code == 0
    before = kept(study)
    lines, words, told = BAD[name]
    states = () if "--class" in words else STATES
    made = label(lines, *words, states=states)
    assert made.exit_code == 2
    assert made.stdout == ""
    for text in told:
        assert text in made.stderr
    assert made.stderr.count("rror") == 1 or made.stderr.startswith("error [")
    assert "Traceback" not in made.stderr
    assert kept(study) == before


def test_all_faults_come_at_once(label: Callable[..., Result]) -> None:
    """Boxes outside or without area, unknown images, states and unboxed images in one error."""
    lines = ("d.tif,dead,50,30,61,40", "c.tif,dead,9,9,9,12", "x.tif,dead,1,2,3,4")
    made = label((*lines, "a.tif,blurred,1,2,3,4"), "--json")
    assert made.exit_code == 2
    told = json.loads(made.stdout)
    assert told["error"] == "table"
    for text in ("d.tif", "c.tif", "x.tif", "unmapped-value", "blurred", "no-box", "b.tif"):
        assert text in told["message"]
    assert told["message"].count("x.tif") == 1
    assert told["message"].count("What to do") == 1


def test_names_that_fit_no_image_are_one_fault_each(label: Callable[..., Result]) -> None:
    """Names without their ending are unknown images, and no fault is told that is none."""
    made = label(("a,dead,1,2,9,9", "b,living,1,2,9,9"), "--json")
    assert made.exit_code == 2
    told = json.loads(made.stdout)["message"]
    assert "unknown-image" in told
    assert "empty-value" not in told


def test_a_movie_is_refused(study: Path, label: Callable[..., Result]) -> None:
    """Boxes on an image of several frames do not say which they mean."""
    frames = np.random.default_rng(1).integers(1, 200, (3, 40, 60), np.uint16)
    metadata = {"axes": "TYX"}
    tifffile.imwrite(
        study.parent / "images" / "a.tif",
        frames,
        imagej=True,
        metadata=metadata,
    )
    made = label(GOOD)
    assert made.exit_code == 2
    assert "several-frames" in made.stderr
    assert "a.tif" in made.stderr
    assert "index frames one by one" in made.stderr
    assert not (study / "labels").exists()


def test_labels_of_another_route_take_the_boxes_away(
    study: Path, label: Callable[..., Result], livewell: Run
) -> None:
    """Boxes never outlive the labels made from them."""
    assert label(GOOD).exit_code == 0
    assert (study / "boxes" / "labels.parquet").is_file()
    words = ("--class", "a=living", "--class", "c=dead", "--others", "drop")
    assert livewell("label", "words", study, *CLASSES, *words).exit_code == 0
    assert not (study / "boxes" / "labels.parquet").exists()


def test_help_names_the_route(livewell: Run) -> None:
    """The route stands in the list of routes, and its options say what they mean."""
    assert "points, boxes, votes or merging" in livewell("label", "--help").stdout
    shown = livewell("label", "boxes", "--help").stdout
    for option in ("--csv", "--corners", "--unboxed", "--at-least", "--clip", "--others"):
        assert option in shown


def test_real_images_with_and_without_dead_cells(
    shared_data: Path, tmp_path: Path, livewell: Run
) -> None:
    """Of the haemocytometer's 900 images 323 hold a dead cell; 25 have no box at all."""
    folder = shared_data / "haemocytometer"
    assert livewell("index", folder, "--out", tmp_path / "study").exit_code == 0
    words = ("label", "boxes", tmp_path / "study", "--csv", folder / "cells.csv")
    words = (*words, *CLASSES, *STATES)
    refused = livewell(*words)
    assert refused.exit_code == 2
    assert "25 of 900 images have no box" in refused.stderr
    for unboxed, negative in (("negative", 577), ("drop", 552)):
        assert livewell(*words, "--unboxed", unboxed).exit_code == 0
        table = Study.open(tmp_path / "study").labels("labels")
        assert table["label"].value_counts().to_dict() == {"living": negative, "dead": 323}
    images = pd.read_csv(folder / "images.csv").set_index("image")
    score = table.set_index("image")["score"]
    assert score.eq(images["dead"].reindex(score.index)).all()
    assert len(Study.open(tmp_path / "study").boxes("labels")) == 2954
