"""A net of fields through every job: trained, measured, looked into, mapped and applied."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livewell.explain.class_model import Ascent
from livewell.inference.model import Model
from livewell.models.nets.field import MARGIN_PX
from livewell.models.profile import override
from livewell.models.recipes import FAST_FIELDS
from livewell.outputs.heatmaps import read_map
from livewell.report.inside import Look
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.tables.schemas import KEY, regions_of
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.explain import explain
from livewell.workflows.heatmap import heatmap
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

SIZES = {"patch_px": 64, "input_px": 32, "stride_px": 64, "normalise_px": 0, "batch": 4}
LENGTH = {"steps": 30, "steps_per_epoch": 10, "precision": "float32"}
RECIPE = override(FAST_FIELDS, SIZES | LENGTH)


@pytest.fixture(scope="module")
def run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A short run on the shared study."""
    return train(study, tmp_path_factory.mktemp("fields") / "run", RECIPE, processes=0)


def test_it_is_measured_and_read_back(run: TrainingResult, study: Study) -> None:
    """Card and net agree on what is seen, and the unseen wells are told apart."""
    measured = evaluate(run.run.folder, random=False)
    assert measured.page.is_file()
    model = Model.load(run.run.model(0), device="cpu")
    assert model.card.input_px == 32
    assert model.net.input_px == 32 + 2 * MARGIN_PX
    assert model.card.profile.dense_is_exact
    patches, _, _ = study.split("split")
    logits = model.engine.regions(StudyPixels(study), regions_of(patches[KEY].iloc[:5]))
    assert np.isfinite(logits).all()


def test_maps_are_dense_and_verdicts_are_given(
    run: TrainingResult, plate: Path, tmp_path: Path
) -> None:
    """A heat map is made of the whole frame at once, and images get their verdicts."""
    movie = sorted((plate / "images").iterdir())[0]
    made = heatmap(movie, run.run.model(0), tmp_path / "map", stride_px=16)
    assert made.used.engine == "dense"
    windows = heatmap(movie, run.run.model(0), tmp_path / "w", stride_px=16, engine="windows")
    both = [read_map(each.map)[0] for each in (made, windows)]
    np.testing.assert_allclose(*both, atol=1e-5)
    assess(movie, run.run.model(0), tmp_path / "verdicts")
    assert len(pd.read_csv(tmp_path / "verdicts" / "verdicts.csv"))


@pytest.mark.long
def test_it_is_looked_into(run: TrainingResult, tmp_path: Path) -> None:
    """Grad-CAM, field maps and class models are made of it."""
    look = Look(patches=1, fields=1, ascent=Ascent(steps=2))
    made = explain(run.run.folder, out=tmp_path / "inside", look=look)
    assert (made.folder / "patches.csv").is_file()
    assert list((made.folder / "fields").iterdir())
