"""Examples of an evaluation: what stands below a frame, and how many folds were scored."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import livewell.report.examples as module
from livewell.classes import ClassNames
from livewell.report.examples import LONGEST, Examples
from livewell.report.run_detections import FrameFigure
from livewell.tables.schemas import BOX

CLASSES = ClassNames(("living", "dead"))
LONG = "plate_1/" + "x" * 60 + ".tif"


def outcomes() -> pd.DataFrame:
    """Four frames of two groups; the last two are called wrongly."""
    table = pd.DataFrame(
        {
            "image": ["a.tif", "movie.tif", LONG, "d.tif"],
            "t": [0, 3, 0, 0],
            "group": ["g1", "g1", "g2", "g2"],
            "fold": 0,
            "y": [1, 0, 1, 0],
            "called": [1, 0, 0, 1],
            "p": [0.9998, 0.1, 0.2, 0.7],
            "part": "test",
        }
    )
    corners = dict(zip(BOX, (0, 0, 8, 8), strict=True))
    return table.assign(label=[CLASSES[y] for y in table["y"]], **corners)


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A run of one of three folds; its frames are grey and hold one place."""

    def pictured(tested: object, models: object, rows: pd.DataFrame) -> dict[object, FrameFigure]:
        grey, place = np.arange(64.0).reshape(8, 8), np.array([[4.0, 4.0]])
        return {row: FrameFigure(grey, place, np.zeros((8, 8), bool)) for row in rows.index}

    monkeypatch.setattr(module, "pictured", pictured)
    folds = pd.DataFrame({"fold": [0, 1, 2]})
    study = SimpleNamespace(split=lambda name: (None, folds, {}))
    more = pd.DataFrame({"image": ["a.tif", "movie.tif", LONG, "d.tif", "e.tif", "f.tif"]})
    return SimpleNamespace(
        classes=CLASSES,
        study=study,
        run=SimpleNamespace(spec=SimpleNamespace(split="split")),
        folds=folds.head(1),
        patches=more,
        pixels=SimpleNamespace(crop=lambda image, t, box: np.arange(64.0).reshape(1, 8, 8)),
    )


def test_calls_of_frames_name_the_image(tested: SimpleNamespace) -> None:
    """Below a frame stand its image and, in a movie, its number; below a patch its group."""
    right, wrong = Examples(tested, {0: None}).calls(outcomes())
    assert right.title == "Surest right calls"
    assert list(right.captions) == ["living, p 0.10\nmovie.tif, frame 3", "dead, p >0.99\na.tif"]
    name = wrong.captions[1].split("\n")[1]
    assert len(name) == LONGEST
    assert name.startswith("...")
    assert name.endswith("x.tif")
    right, _ = Examples(tested, {}).calls(outcomes())
    assert list(right.captions) == ["living, p 0.10\ng1", "dead, p >0.99\ng1"]


def test_suspects_tell_folds_that_were_not_trained(tested: SimpleNamespace) -> None:
    """Images of other folds have no score because nobody trained these, not for want of folds."""
    _, section = Examples(tested, {0: None}).suspects(outcomes())
    assert "Only 4 of the 6 labelled images were scored" in section.lead
    assert "of 1 of 3 folds. Train the other folds too" in section.lead
    assert "Split into folds" not in section.lead
