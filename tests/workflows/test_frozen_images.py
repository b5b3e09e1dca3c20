"""Labels of whole images on a fixed backbone: one class map from training to detections."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.inference.detections import Look
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.map_detections import finder_of
from livewell.inference.model import Model
from livewell.inference.wide_fields import look_over
from livewell.labels.by_boxes import Boxes
from livewell.models.profile import override
from livewell.models.recipes import FROZEN_IMAGES
from livewell.simulate.shapes import ShapeSpec, picture
from livewell.splitting.schemes import KFolds
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.training.frozen_images import basis_of
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.localise import localise
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

STATES = {"ellipse": "ellipses", "circle": "circles"}
SPEC = ShapeSpec(images=32, rows=2, columns=3, objects=(2, 5), noise_sd=3.0, seed=11)
PROFILE = override(
    FROZEN_IMAGES,
    {
        "weights": "",
        "zooms": "1",
        "blocks": "2,4",
        "radii_px": "0",
        "components": 40,
        "batch": 8,
        "steps": 60,
        "steps_per_epoch": 20,
    },
)
"""A backbone whose weights were drawn, so that none need be installed."""


@dataclass(frozen=True)
class Case:
    """A study of shapes, a run of two folds on labels of images, and how good it is."""

    images: Path
    study: Study
    run: Path
    made: Evaluation

    def fold(self, number: int = 0) -> Path:
        return self.run / f"fold-{number:02d}"

    def model(self, fold: int = 0) -> Model:
        return Model.load(self.fold(fold) / "model", device="cpu")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("frozen-images")
    (folder / "images").mkdir()
    objects = []
    for number in range(SPEC.images):
        made, name = picture(SPEC, number), f"{number:02d}.png"
        Image.fromarray(made.pixels).save(folder / "images" / name)
        objects.append(made.objects.assign(image=name))
    pd.concat(objects).to_csv(folder / "objects.csv", index=False)
    study = index(folder / "images", folder / "study").study
    corners = ("y0", "x0", "y1", "x1")
    route = Boxes(folder / "objects.csv", STATES, state="kind", corners=corners)
    label(study, route, tuple(STATES.values()))
    split(study, by="picture", scheme=KFolds(2, 0.3), grid=Whole())
    run = train(study, folder / "run", PROFILE, processes=0).run
    return Case(folder / "images", study, run.folder, evaluate(run.folder, baselines=False))


def test_what_training_watched_is_what_the_model_says(case: Case) -> None:
    """The head is folded into one weight: the log's AUC of the kept epoch is the model's own."""
    log = pd.read_csv(case.fold() / "log.csv")
    assert list(log["step"]) == [20, 40, 60]
    tested = EvaluationSet.of_run(case.run)
    part = tested.part("validation", 0)
    said = case.model().scored(part, tested.pixels)
    auc = roc_auc_score(part["label"] == "circles", said["logit"])
    assert auc == pytest.approx(log["val_auc"][log["val_loss"].idxmin()], abs=0.02)


def test_an_image_is_the_pooled_class_map(case: Case) -> None:
    """The logits of a prediction are those that the evaluation has, and its map pools to them."""
    table = case.made.scores
    row = table.iloc[0]
    model = case.model(int(row["fold"]))
    prediction = model.predict(case.images / row["image"])
    maps = torch.from_numpy(prediction.class_map.logits)[None]
    pooled = model.net.module.get_submodule("head")(maps)[0]
    assert float(pooled[1] - pooled[0]) == pytest.approx(prediction.image_logits[1], abs=1e-4)
    assert prediction.image_probabilities[1] == pytest.approx(row["p"], abs=1e-4)


def test_detections_are_peaks_of_the_class_map(case: Case) -> None:
    """Every detection lies in the middle of a cell, is as sure as it, and holds its own pixels."""
    model, name = case.model(), sorted(case.images.iterdir())[0]
    frame = np.array(Image.open(name), dtype=np.float32)
    area = Box.of(0, 0, *frame.shape[-2:])
    found = look_over(model.finder(Look(least=-50)), frame, area)
    assert len(found.y) > 1
    cells = np.stack([found.y, found.x]).astype(int) // model.net.module.spec.cell_px
    np.testing.assert_allclose(found.score, found.odds[tuple(cells)], rtol=1e-5)
    rows, columns = found.y.astype(int), found.x.astype(int)
    np.testing.assert_array_equal(found.labels[rows, columns], np.arange(len(rows)) + 1)
    assert (found.score <= found.odds.max()).all()
    assert found.score[0] == found.odds.max()


def test_features_that_are_kept_find_the_same(case: Case) -> None:
    """A finder that keeps features in the study sees the class maps that one without them does."""
    tested = EvaluationSet.of_run(case.run)
    region = regions_of(tested.part("test", 0))[0]
    frame = tested.pixels.crop(region.image, region.t, region.box)
    frames, net = torch.from_numpy(frame)[None], case.model().net
    kept = finder_of(net, Look(), tested.pixels).odds(frames)
    np.testing.assert_array_equal(kept, finder_of(net, Look()).odds(frames))


@pytest.mark.long
def test_localise_finds_in_new_images(case: Case, tmp_path: Path) -> None:
    """`localise` lists detections and writes its page for a model on a fixed backbone."""
    localise(case.images, case.fold() / "model", tmp_path / "out")
    assert (tmp_path / "out" / "report.html").is_file()


def test_components_have_variance_one_and_do_not_go_together() -> None:
    """Features on scales far apart, one of them constant, become components on one scale."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4, 5, 30, 20)) * np.array([1, 100, 0.1, 5, 0])[:, None, None]
    mixed[:, 1] += 50 * mixed[:, 0]
    grids = [torch.from_numpy(one).float() for one in mixed]
    basis = basis_of(grids, 10)
    cells = torch.cat([one.flatten(1) for one in grids], dim=1).T
    made = ((cells - basis.mean) @ basis.axes).double()
    assert made.shape == (2400, 4)
    np.testing.assert_allclose((made.T @ made / len(made)).numpy(), np.eye(4), atol=1e-3)


def test_a_fully_connected_head_is_refused() -> None:
    """A head that weighs positions apart has no class map over images of any size."""
    with pytest.raises(SpecError, match="global_pool max, average or log_sum_exp"):
        override(FROZEN_IMAGES, {"global_pool": "connected"})
