"""Commands for patches refuse a model of whole frames, and name the command that takes it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from livewell.labels.by_dose import Dose
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

Run = Callable[..., Result]

SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2, "precision": "float32"})


@pytest.fixture(scope="module")
def frames(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of the plate and a run of a net of whole frames; not to be changed."""
    folder = tmp_path_factory.mktemp("frames")
    made = index(
        plate / "images",
        folder / "study",
        pattern="{well}_p{position:int}.ome.tif",
        metadata=plate / "plate.csv",
    )
    label(made.study, Dose(30, (0, 1800)), ("healthy", "sick"))
    split(made.study, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Whole(every=2))
    train(made.study, folder / "run", SHORT, processes=0)
    return folder


COMMANDS = {
    "heatmap": ("heatmap", "{plate}/images/A01_p1.ome.tif", "--model", "{run}", "--out", "{out}"),
    "assess": ("assess", "{plate}/images/A01_p1.ome.tif", "--model", "{run}", "--out", "{out}"),
    "timelapse": ("timelapse", "{study}", "--model", "{run}", "--out", "{out}"),
    "budget": ("budget", "{study}", "--model", "{run}", "--out", "{out}", "--margin", "0.1"),
    "budget of a recipe": (
        *("budget", "{study}", "--profile", "WSCNN_FAST", "--out", "{out}", "--margin", "0.1"),
        *("--set", "steps=3", "--set", "steps_per_epoch=3", "--folds", "2"),
    ),
    "explain": ("explain", "{run}", "--out", "{out}", "--steps", "3"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_models_of_frames_are_refused(
    livewell: Run, frames: Path, plate: Path, tmp_path: Path, name: str
) -> None:
    """Code 2, a sentence about whole frames and `livewell localise`, and nothing is written."""
    paths = {"plate": plate, "run": frames / "run", "study": frames / "study"}
    words = [word.format(**paths, out=tmp_path / "out") for word in COMMANDS[name]]
    done = livewell(*words)
    assert done.exit_code == 2, done.output
    assert "whole frames" in done.output
    assert "localise" in done.output
    assert not list((tmp_path / "out").rglob("*"))


def test_the_study_is_not_changed_by_a_refusal(livewell: Run, frames: Path, tmp_path: Path) -> None:
    """A budget that is refused for its model leaves labels and splits as they were."""
    before = Study.open(frames / "study")
    names = before.label_names(), before.split_names()
    done = livewell(
        *("budget", frames / "study", "--model", frames / "run", "--margin", 0.1),
        *("--out", tmp_path / "out"),
    )
    assert done.exit_code == 2
    assert (before.label_names(), before.split_names()) == names


def test_evaluate_takes_them(livewell: Run, frames: Path, tmp_path: Path) -> None:
    """The refusals' other remedy works: the run of a net of frames is evaluated."""
    done = livewell("evaluate", frames / "run", "--out", tmp_path / "out", "--no-baselines")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "report.html").is_file()
