"""Runs compared on what all of them hold out, for people and for machines."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livewell.errors import OutputError, SpecError
from livewell.metrics.paired import COMPARED, SHOWN
from livewell.models.profile import Profile
from livewell.models.recipes import TINY
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.compare import CompareResult, compare
from livewell.workflows.evaluate import Evaluation
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train


@pytest.fixture(scope="module")
def short(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shorter run on the same split."""
    out = tmp_path_factory.mktemp("short") / "short"
    return train(study, out, TINY, processes=0, seed=1).run.folder


@pytest.fixture(scope="module")
def made(
    trained: TrainingResult, short: Path, tmp_path_factory: pytest.TempPathFactory
) -> CompareResult:
    """The two compared."""
    out = tmp_path_factory.mktemp("compared") / "out"
    return compare([trained.run.folder, short], out, min_each=1)


def test_figures_are_those_of_the_evaluation(made: CompareResult, evaluated: Evaluation) -> None:
    """On the same test groups a run's figures and scores are those that `evaluate` gives."""
    figures = made.found.figures["run"]
    assert {k: str(figures[k]) for k in SHOWN} == {k: str(evaluated.figures[k]) for k in SHOWN}
    both = made.scores["run"].merge(evaluated.scores, on=["image", "t", "y0", "x0"])
    assert len(both) == len(evaluated.scores)
    np.testing.assert_allclose(both["p_x"], both["p_y"], atol=1e-6)


def test_tables_and_page_say_the_same(made: CompareResult, short: Path) -> None:
    """CSVs hold the figures, differences and every region by every run; the page the sentences."""
    folder = made.page.parent
    apart = pd.read_csv(folder / "differences.csv").set_index("figure")
    assert list(apart.index) == list(COMPARED)
    assert set(apart["run"]) == {"short"}
    found = made.found.differences["short"]["roc_auc"]
    assert apart.loc["roc_auc", "value"] == pytest.approx(found.value)
    assert len(pd.read_csv(folder / "figures.csv")) == 2 * len(SHOWN)
    runs = pd.read_csv(folder / "runs.csv").set_index("run")
    assert runs["compared"].tolist() == [len(made.scores["run"])] * 2
    assert (runs["seconds"] > 0).all()
    every = pd.read_csv(folder / "scores.csv")
    assert (every.groupby("run").size() == runs["compared"]).all()
    page = made.page.read_text("utf-8")
    assert len(made.sentences) == 1
    assert made.sentences[0] in page
    assert json.loads((folder / "comparison.json").read_text())["kind"] == "comparison"
    assert str(short) in page


def test_a_copy_of_a_run_differs_by_nothing(trained: TrainingResult, tmp_path: Path) -> None:
    """A run and its copy: every defined difference is exactly 0, from 0 to 0."""
    shutil.copytree(trained.run.folder, tmp_path / "copy")
    made = compare([trained.run.folder, tmp_path / "copy"], tmp_path / "out", min_each=1)
    defined = [d for d in made.found.differences["copy"].values() if d.method != "undefined"]
    assert len(defined) == 2
    assert {(d.value, d.low, d.high) for d in defined} == {(0.0, 0.0, 0.0)}
    assert "both give the same answers" in made.sentences[0]


def test_the_reference_is_named(trained: TrainingResult, short: Path, tmp_path: Path) -> None:
    """Another reference turns the sign; one that is no run is refused before any work."""
    runs = [trained.run.folder, short]
    made = compare(runs, tmp_path / "out", reference=short, min_each=1)
    assert made.found.reference == "short"
    assert set(made.found.differences) == {"run"}
    with pytest.raises(SpecError, match="none of the runs"):
        compare(runs, tmp_path / "none", reference=tmp_path)
    assert not (tmp_path / "none").exists()
    with pytest.raises(OutputError, match="other settings"):
        compare(runs, tmp_path / "out", min_each=1)


def test_one_run_is_refused(trained: TrainingResult, tmp_path: Path) -> None:
    """There is nothing to compare a single run with, nor a run with itself."""
    for runs in ([trained.run.folder], [trained.run.folder] * 2, []):
        with pytest.raises(SpecError, match="two training runs or more"):
            compare(runs, tmp_path / "out")


@pytest.mark.long
def test_folds_against_one_split(
    study: Study, trained: TrainingResult, profile: Profile, tmp_path: Path
) -> None:
    """A run of two folds is compared on what the other holds out, each well by its own fold, and
    the page warns that they learnt from different wells."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    folds = split(copy, by="well", scheme=KFolds(2, 0.4), grid=Grid(64, 64), name="folds").folds
    run = train(copy, tmp_path / "two", TINY, split="folds", processes=0).run.folder
    made = compare([trained.run.folder, run], tmp_path / "out", min_each=1)
    scores = made.scores["two"]
    tested = folds[folds["part"] == "test"].set_index("group")["fold"]
    assert (scores["fold"] == scores["group"].map(tested)).all()
    assert len(scores) == len(made.scores["run"]) < made.runs.set_index("run").loc["two", "tested"]
    assert any("different wells" in text for text in made.warnings)
    assert any("of two" in text for text in made.warnings)
