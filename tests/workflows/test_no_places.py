"""A fully connected head judges images and gives no detections, and every command says so."""

from pathlib import Path

import pytest

from livewell.errors import ModelFileError
from livewell.labels.by_boxes import Boxes
from livewell.models.files import load_model
from livewell.models.profile import override
from livewell.models.recipes import WSCNN_FAST
from livewell.simulate.shapes import ShapeSpec
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Whole
from livewell.study.study import Study
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.localise import localise
from livewell.workflows.shapes import simulate_shapes
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

CLASSES = ("ellipses", "circles")
SPEC = ShapeSpec(images=24, rows=2, columns=3, objects=(2, 5), seed=5)
CONNECTED = override(
    WSCNN_FAST,
    {
        "global_pool": "connected",
        "narrowing": "0,0",
        "steps": 3,
        "steps_per_epoch": 1,
        "batch": 4,
    },
)


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A run of three steps of a net with a fully connected head, on pictures with boxes."""
    folder = tmp_path_factory.mktemp("connected")
    images = simulate_shapes(SPEC, folder / "pictures")
    index(images, folder / "study", metadata=folder / "pictures" / "images.csv")
    study = Study.open(folder / "study")
    states = {"ellipse": CLASSES[0], "circle": CLASSES[1]}
    corners = ("y0", "x0", "y1", "x1")
    boxes = Boxes(folder / "pictures" / "objects.csv", states, state="kind", corners=corners)
    label(study, boxes, CLASSES)
    split(study, by="picture", scheme=Holdout((0.34, 0.33, 0.33)), grid=Whole())
    return train(study, folder / "run", CONNECTED, processes=0)


@pytest.mark.long
def test_evaluate_judges_images_and_says_that_there_are_no_places(
    connected: TrainingResult,
) -> None:
    """Figures of images, no table of detections despite boxes, and a note on the page."""
    made = evaluate(connected.run.folder, baselines=False)
    assert 0 <= made.figures["roc_auc"].value <= 1
    assert made.places.detections is None
    assert not (made.folder / "detections.csv").exists()
    said = "fully connected head does not tell where it sees class circles"
    assert said in made.page.read_text("utf-8")


def test_localise_refuses_it(connected: TrainingResult, tmp_path: Path) -> None:
    """An error that names the head and what to do instead; nothing is written."""
    _, card = load_model(connected.run.model(0))
    assert card.detection_rule is None
    images = connected.run.folder.parent / "pictures" / "images"
    with pytest.raises(ModelFileError, match=r"does not tell where.*`livewell evaluate`"):
        localise(images, connected.run.model(0), tmp_path / "out")
    assert not (tmp_path / "out").exists()
