"""What a run is worth on wells that it never saw, written for people and for machines."""

import json
import re
import shutil
from pathlib import Path
from typing import Never

import pandas as pd
import pytest

from livewell.errors import OutputError, SplitError, StudyError
from livewell.files import read_json
from livewell.labels.by_points import Points
from livewell.models.files import load_model
from livewell.models.recipes import TINY
from livewell.progress import shown
from livewell.splitting.schemes import Holdout, KFolds, Named
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.schemas import SCORES
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train


def refuse_constant(name: str) -> None:
    raise AssertionError(f"not strict JSON: {name}")


class NoWork:
    """Refuses every task."""

    def task(self, what: str, total: int) -> Never:
        raise AssertionError(what)


def test_scores(evaluated: Evaluation, study: Study) -> None:
    """Every patch of every test well has one score, and no other patch has."""
    scores = SCORES.check(pd.read_parquet(evaluated.folder / "scores.parquet"))
    patches, folds, _ = study.split("split")
    tested = patches.merge(folds[folds["part"] == "test"], on="group")
    keys = ["image", "t", "y0", "x0"]
    assert set(scores["part"]) == {"test"}
    assert len(scores) == len(tested) == len(scores.merge(tested, on=keys))
    assert scores["p"].between(0, 1).all()


def test_results_are_strict_json(evaluated: Evaluation) -> None:
    """Undefined figures are null, not NaN; every defined one lies in an interval of some width."""
    text = (evaluated.folder / "results.json").read_text()
    results = json.loads(text, parse_constant=refuse_constant)
    assert results["figures"]["within_auc"]["value"] is None
    for figure in results["figures"].values():
        if figure["value"] is not None:
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert figure["low"] < figure["high"]
    assert set(results["baselines"]) == {"this net", "trees on intensity", "trees on texture"}
    assert results["classes"] == ["healthy", "sick"]
    assert results["group"] == "well"
    assert results["patches"] == len(evaluated.scores)


def test_page_is_self_contained(evaluated: Evaluation) -> None:
    """The report opens without a network: pictures inside, nothing fetched, the figure shown."""
    page = evaluated.page.read_text("utf-8")
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)""", page)
    assert not re.search(r"@import|url\((?!['\"]?data:)", page)
    assert page.count("data:image/") >= 3 or page.count("<svg") >= 3
    assert f"{evaluated.figures['roc_auc'].value:.2f}" in page


def test_card_takes_the_results(evaluated: Evaluation, trained: TrainingResult) -> None:
    """After evaluation the model's card tells the figures with their intervals, hash unchanged."""
    _, card = load_model(trained.run.model(0))
    rows = {row["name"]: row for row in card.results}
    auc = evaluated.figures["roc_auc"]
    assert (rows["roc_auc"]["value"], rows["roc_auc"]["low"]) == (auc.value, auc.low)
    assert "within_auc" not in rows
    json.loads((trained.run.model(0) / "card.json").read_text(), parse_constant=refuse_constant)


@pytest.mark.long
def test_same_seed_same_figures(
    evaluated: Evaluation, trained: TrainingResult, tmp_path: Path
) -> None:
    """Measured again with the same seed, all figures are the same, also elsewhere."""
    again = evaluate(trained.run.folder, out=tmp_path / "again", baselines=False)
    assert {k: str(v) for k, v in again.figures.items()} == {
        k: str(v) for k, v in evaluated.figures.items()
    }
    assert (tmp_path / "again" / "report.html").is_file()
    assert not again.baselines


def test_a_foreign_folder_keeps_its_files(trained: TrainingResult, tmp_path: Path) -> None:
    """Images in the folder of the report, by mistake, are refused before any work, and stay."""
    (tmp_path / "image.tif").write_text("pixels")
    for out in (tmp_path, tmp_path / "image.tif"):
        with pytest.raises(OutputError), shown(NoWork()):
            evaluate(trained.run.folder, out=out)
    assert [path.name for path in tmp_path.iterdir()] == ["image.tif"]
    assert (tmp_path / "image.tif").read_text() == "pixels"


def test_unfinished_run(trained: TrainingResult, tmp_path: Path) -> None:
    """A run without its model is refused with the way on."""
    shutil.copytree(trained.run.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "fold-00" / "model")
    with pytest.raises(StudyError, match=r"fold 0 is not trained.*same training command"):
        evaluate(tmp_path / "run")
    with pytest.raises(StudyError, match="no training run here"):
        evaluate(tmp_path / "absent")


@pytest.mark.long
def test_every_fold_is_tested_by_its_own_model(study: Study, tmp_path: Path) -> None:
    """With several folds each test well is scored by the model that did not see it."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    made = split(copy, by="well", scheme=KFolds(2, 0.4), grid=Grid(64, 64), name="folds")
    run = train(copy, tmp_path / "run", TINY, split="folds", processes=0).run
    scores = evaluate(run.folder, baselines=False).scores
    tested = made.folds[made.folds["part"] == "test"].set_index("group")["fold"]
    assert (scores["fold"] == scores["group"].map(tested)).all()
    assert len(scores) == len(made.patches)
    page = (run.folder / "evaluation" / "report.html").read_text("utf-8")
    assert "fold 1" in page.lower()


@pytest.mark.long
def test_one_class_in_the_test_part(study: Study, tmp_path: Path) -> None:
    """With healthy wells only to test on, figures of both classes are undefined, and it says so."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    split(copy, by="well", scheme=Named(("A01", "A02")), grid=Grid(64, 64), name="one")
    run = train(copy, tmp_path / "run", TINY, split="one", processes=0).run
    made = evaluate(run.folder, random=False)
    results = json.loads((made.folder / "results.json").read_text(), parse_constant=refuse_constant)
    assert results["figures"]["roc_auc"]["value"] is None
    assert results["figures"]["specificity"]["value"] is not None
    assert made.page.is_file()


@pytest.mark.long
def test_a_split_made_anew_is_refused(study: Study, tmp_path: Path) -> None:
    """Wells that were trained on are not tested on after the split was dealt again."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    run = train(copy, tmp_path / "run", TINY, processes=0).run
    split(copy, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64), seed=5)
    with pytest.raises(SplitError, match=r"made anew since this run was trained.*train again"):
        evaluate(run.folder)
    assert not (run.folder / "evaluation").exists()


@pytest.mark.long
def test_wells_of_both_classes_are_judged_within(study: Study, tmp_path: Path) -> None:
    """Where wells hold both classes, the headline is what tells cells of one well apart."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    images = sorted(set(copy.split("split")[0]["image"]))
    rows = [
        f"{image},0,{y},{x},{state}"
        for image in images
        for y, x, state in ((40, 40, "live"), (40, 100, "dead"), (90, 90, "live"))
    ]
    (tmp_path / "cells.csv").write_text("\n".join(["image,t,y,x,state", *rows]))
    route = Points(tmp_path / "cells.csv", {"live": "live", "dead": "dead"}, 64)
    label(copy, route, ("live", "dead"), name="cells")
    split(copy, by="well", scheme=Holdout((0.4, 0.2, 0.4)), labels="cells", name="cells")
    run = train(copy, tmp_path / "run", TINY, split="cells", processes=0).run
    made = evaluate(run.folder, random=False)
    assert json.loads((made.folder / "results.json").read_text())["headline"] == "within_auc"
    page = made.page.read_text("utf-8")
    assert re.search(r"cannot be told apart with confidence: AUC within one well 0\.\d\d", page)


def test_the_papers_interval_stands_beside_ours(evaluated: Evaluation) -> None:
    """Accuracy over virtual batches is in results and page, and said to be too narrow."""
    found = read_json(evaluated.folder / "results.json", kind="evaluation")["virtual_batches"]
    assert found["method"] == "virtual batches"
    assert found["value"] == pytest.approx(evaluated.figures["balanced_accuracy"].value, abs=0.1)
    text = evaluated.page.read_text("utf-8")
    assert "balanced accuracy over virtual batches" in text
    assert "too narrow" in text
