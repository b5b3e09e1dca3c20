"""Looking inside a net on a fixed backbone: the same files, words that are true of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import SpecError
from livewell.explain.crops import CropCam
from livewell.explain.places import PlaceCam
from livewell.inference.evaluation_set import EvaluationSet
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.report.inside import Look, cams_of
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows.explain import Explanation, explain
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long
SIZES = {"patch_px": 64, "input_px": 64, "stride_px": 64}
LIGHT = {"weights": "", "blocks": "2,4", "zooms": "1", "radii_px": "0,8"}


@pytest.fixture(scope="module")
def fixed(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two folds of a small fixed backbone; not to be changed."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="explained")
    folder = tmp_path_factory.mktemp("fixed") / "run"
    return train(study, folder, override(FROZEN, SIZES | LIGHT), split="explained").run


@pytest.fixture(scope="module")
def made(fixed: Run) -> Explanation:
    """Both classes of that run; not to be changed."""
    return explain(fixed.folder, look=Look(patches=2))


def test_patches_and_fields_of_unseen_groups(made: Explanation, study: Study) -> None:
    """Rows of test groups, each by its fold's model; a map of a field of each class."""
    table = pd.read_csv(made.folder / "patches.csv")
    _, parts, _ = study.split("explained")
    tested = parts[parts["part"] == "test"].set_index("group")["fold"]
    assert (table["group"].map(tested) == table["fold"]).all()
    assert set(table["evidence_for"]) == set(made.background) == {"healthy", "sick"}
    assert (table["evidence"] >= 0).all()
    assert table["off_cells"].dropna().between(0, 1).all()
    files = sorted((made.folder / "fields").iterdir())
    assert [path.stem.rsplit("-", 1)[1] for path in files] == ["healthy", "sick"]
    assert all(np.nanmax(tifffile.imread(path)) > 0 for path in files)


def test_the_page_says_what_is_true_of_such_nets(made: Explanation) -> None:
    """Blocks in place of a layer, units of places, and that class models are not made."""
    text = made.page.read_text("utf-8")
    for words in (
        "block2, block4 of the fixed backbone",
        "judges all of a patch",
        "--layer block2",
        "of this one there are none",
        "class activation map (CAM) of this net is exact",
    ):
        assert words in text
    for words in ("cell of the layer", "overlapping crops", "Class models</h", "weights of"):
        assert words not in text
    found = json.loads((made.folder / "results.json").read_text())
    assert (found["layer"], found["disagreement"]) == ("block2, block4", [])
    assert made.disagreement == []


def test_one_block_of_one_fold(fixed: Run, tmp_path: Path) -> None:
    """A block and a fold by name; the first block needs no warning of what lies far."""
    look = Look(layer="block2", patches=1, fields=0, models=False)
    made = explain(fixed.folder, out=tmp_path / "out", look=look, folds=[1])
    assert set(pd.read_csv(made.folder / "patches.csv")["fold"]) == {1}
    text = made.page.read_text("utf-8")
    assert "What each cell of block2 of the fixed backbone" in text
    assert "--layer" not in text
    assert "Class models" not in text
    with pytest.raises(SpecError, match="no such layer"):
        explain(fixed.folder, out=tmp_path / "none", look=Look(layer="block3"))
    assert not (tmp_path / "none").exists()


def test_folds_of_both_kinds_are_refused(fixed: Run, trained: TrainingResult) -> None:
    """Maps of crops and of places have no common scale; one kind at a time is looked at."""
    tested = EvaluationSet.of_run(fixed.folder)
    assert isinstance(cams_of(tested, [0, 1], Look())[1], PlaceCam)
    tested = replace(tested, folders={0: fixed.model(0), 1: trained.run.model(0)})
    assert isinstance(cams_of(tested, [1], Look())[1], CropCam)
    with pytest.raises(SpecError, match="no common scale") as caught:
        cams_of(tested, [0, 1], Look())
    assert "fold 0" in str(caught.value)
    assert "--fold" in str(caught.value)
