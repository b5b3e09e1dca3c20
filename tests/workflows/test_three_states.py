"""Three states of cells from the simulated plate to verdicts, and as two classes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import ModelFileError
from livewell.inference.dosed import Plan
from livewell.labels.by_column import Column
from livewell.labels.by_merging import Merge
from livewell.models.profile import override
from livewell.models.recipes import TINY, WSCNN_FAST
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid, Whole
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.budget import budget
from livewell.workflows.evaluate import evaluate
from livewell.workflows.explain import explain
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.simulate import PATTERN, simulate_culture
from livewell.workflows.split import split
from livewell.workflows.timelapse import timelapse
from livewell.workflows.train import train

STATES = ("healthy", "sick", "dead")
PLATE = CultureSpec(
    doses_s=(0.0, 80.0, 1000.0), wells_per_dose=4, positions_per_well=1, frames=2,
    height_px=256, width_px=256, cells=10, start_s=20700.0,
)  # fmt: skip
SHORT = {"steps": 6, "steps_per_epoch": 3, "batch": 6}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Labelled by the state of most cells, and again with sick and dead taken together."""
    folder = tmp_path_factory.mktemp("states")
    images = simulate_culture(PLATE, folder / "plate")
    index(images, folder / "study", pattern=PATTERN, metadata=folder / "plate" / "images.csv")
    study = Study.open(folder / "study")
    label(study, Column("state", {name: name for name in STATES}, others="drop"), STATES)
    ill = {"healthy": "healthy", "sick": "ill", "dead": "ill"}
    label(study, Merge("labels", ill), ("healthy", "ill"), name="two")
    return study


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_patches_of_three_classes_end_to_end(study: Study, tmp_path: Path) -> None:
    """Evaluation, verdicts, class maps and Grad-CAM name all three classes."""
    split(study, by="well", scheme=Holdout((0.5, 0.25, 0.25)), grid=Grid(64, 64))
    run = train(study, tmp_path / "run", override(TINY, SHORT), processes=0).run
    made = evaluate(run.folder, baselines=False)
    assert 0 <= made.figures["roc_auc"].value <= 1
    p = made.scores[[f"p_{name}" for name in STATES]]
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    image = study.path(study.fields()["image"].iloc[0])
    verdicts = assess(image, run.folder, tmp_path / "verdicts").verdicts
    assert set(verdicts["verdict"]) <= {*STATES, "unsure"}
    found = heatmap(image, run.folder, tmp_path / "map", stride_px=48)
    assert tifffile.imread(found.folder / "map.ome.tif").shape[-3] == len(STATES)
    curve = pd.read_csv(found.folder / "curve.csv")
    assert {f"mean_p_{name}" for name in STATES} <= set(curve)
    assert set(explain(run.folder).background) <= set(STATES)
    with pytest.raises(ModelFileError, match=r"two classes.*label merge"):
        timelapse(study, run.folder, tmp_path / "courses")
    with pytest.raises(ModelFileError, match=r"two classes.*label merge"):
        budget(study, tmp_path / "budget", Plan(80.0), margin=0.2, model=run.folder)


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_the_same_study_as_two_classes(study: Study, tmp_path: Path) -> None:
    """Merged labels split, train and evaluate as any two classes."""
    split(
        study, by="well", scheme=Holdout((0.5, 0.25, 0.25)), grid=Grid(64, 64), labels="two",
        name="two",
    )  # fmt: skip
    run = train(study, tmp_path / "run", override(TINY, SHORT), split="two", processes=0).run
    made = evaluate(run.folder, baselines=False)
    assert 0 <= made.figures["roc_auc"].value <= 1
    assert set(made.scores["label"]) == {"healthy", "ill"}


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_whole_frames_of_three_classes(study: Study, tmp_path: Path) -> None:
    """Nets of whole frames take three classes too; detections are left to two classes."""
    split(study, by="well", scheme=Holdout((0.5, 0.25, 0.25)), grid=Whole(), name="whole")
    small = override(WSCNN_FAST, SHORT)
    run = train(study, tmp_path / "run", small, split="whole", processes=0).run
    made = evaluate(run.folder, baselines=False)
    assert 0 <= made.figures["roc_auc"].value <= 1
    assert made.places.detections is None
