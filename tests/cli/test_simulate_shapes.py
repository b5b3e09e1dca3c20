"""``livewell simulate shapes``: its options, its output, and that its truth labels a study."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from PIL import Image

from livewell.simulate.shapes import ShapeSpec, picture
from livewell.study.study import Study

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker processes: starting them takes longer than six pictures."""
    monkeypatch.setattr("livewell.workflows.shapes.cpu_count", lambda: 1)


def shapes(livewell: Run, out: Path, *options: object) -> Result:
    """The command, for six pictures."""
    return livewell("simulate", "shapes", "--out", out, "--images", 6, *options)


def pixels(path: Path) -> np.ndarray:
    """A picture from its file."""
    with Image.open(path) as opened:
        return np.array(opened)


def test_the_papers_pictures_by_default(livewell: Run, tmp_path: Path) -> None:
    """Without options: 210 x 280 px, seed 0, the flat reading, a tenth circles."""
    done = shapes(livewell, tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    for name, file in (("images", "images"), ("labels", "images.csv"), ("objects", "objects.csv")):
        assert said[name] == str(tmp_path / "out" / file)
    np.testing.assert_array_equal(
        pixels(tmp_path / "out" / "images" / "00005.png"), picture(ShapeSpec(), 5).pixels
    )


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (("--seed", 7), {"seed": 7}),
        (("--ellipses", "literal"), {"ellipses": "literal"}),
        (("--circle-share", 0.2), {"circle_share": 0.2}),
        (("--circles", 9), {"circles": 9}),
        (("--objects", 10, 12), {"objects": (10, 12)}),
        (("--outlined",), {"filled": False}),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_every_option_reaches_the_pictures(
    livewell: Run, tmp_path: Path, options: tuple[object, ...], settings: dict[str, object]
) -> None:
    """Each option changes just its setting of the spec."""
    assert shapes(livewell, tmp_path / "out", *options).exit_code == 0
    found = pixels(tmp_path / "out" / "images" / "00003.png")
    np.testing.assert_array_equal(found, picture(ShapeSpec(**settings), 3).pixels)
    assert (found != picture(ShapeSpec(), 3).pixels).any()


def test_in_words_it_says_where_things_are(livewell: Run, tmp_path: Path) -> None:
    """The folder of images, the labels and the objects, a line each."""
    done = shapes(livewell, tmp_path / "out")
    for name in ("images", "images.csv", "objects.csv"):
        assert f"{tmp_path / 'out' / name}\n" in done.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--circle-share", 0), "circle_share"),
        (("--circle-share", "nan"), "circle_share"),
        (("--objects", 40, 60), "objects"),
        (("--circles", 40), "Got: circles = 40, objects = (30, 48)"),
        (("--images", 0), "--images"),
        (("--images", 1), "'--images': 1 is not in the range x>=2"),
        (("--ellipses", "round"), "--ellipses"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    livewell: Run, tmp_path: Path, options: tuple[object, ...], told: str
) -> None:
    """A value out of range ends with code 2, names itself, and makes no folder."""
    done = shapes(livewell, tmp_path / "out", *options)
    assert done.exit_code == 2
    assert told in done.output
    assert not (tmp_path / "out").exists()


def test_the_truth_labels_a_study(livewell: Run, tmp_path: Path) -> None:
    """Labels made of the objects' boxes are those of ``images.csv``; boxes fit their pictures."""
    out, study = tmp_path / "out", tmp_path / "study"
    steps = [
        ("simulate", "shapes", "--out", out, "--images", 6),
        ("index", out / "images", "--out", study, "--metadata", out / "images.csv"),
        (
            *("label", "boxes", study, "--csv", out / "objects.csv", "--state", "kind"),
            *("--corners", "y0,x0,y1,x1", "--negative", "ellipses", "--positive", "circles"),
            *("--class", "ellipse=ellipses", "--class", "circle=circles"),
        ),
    ]
    for words in steps:
        done = livewell(*words)
        assert done.exit_code == 0, done.output
    made = Study.open(study).labels("labels").set_index("image")["label"]
    said = pd.read_csv(out / "images.csv", dtype=str).set_index("image")["label"]
    assert made.to_dict() == said.to_dict()


def test_other_settings_in_the_same_folder_are_refused(livewell: Run, tmp_path: Path) -> None:
    """The same call goes on; another seed in the same folder ends with code 2."""
    assert shapes(livewell, tmp_path / "out").exit_code == 0
    assert shapes(livewell, tmp_path / "out").exit_code == 0
    done = shapes(livewell, tmp_path / "out", "--seed", 1)
    assert done.exit_code == 2
    assert "settings" in done.output
