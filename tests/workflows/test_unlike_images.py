"""A model with a fixed backbone says which images are unlike what it learnt, whoever asks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray

from livewell.inference.model import Model
from livewell.metrics.rules import UNLIKE
from livewell.models.profile import override
from livewell.models.recipes import FROZEN
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

SMALL = {"weights": "", "blocks": "2,4", "zooms": 1, "radii_px": "0,6"}
PROFILE = override(FROZEN, SMALL | {"patch_px": 64, "input_px": 64, "stride_px": 64})


@pytest.fixture(scope="module")
def run(study: Study, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A run of a small net that sees fields, on the shared study; not to be changed."""
    return train(study, tmp_path_factory.mktemp("unlike") / "run", PROFILE, processes=0)


@pytest.fixture(scope="module")
def strange() -> NDArray[np.uint16]:
    """Squares of a checkerboard on an even background."""
    y, x = np.mgrid[:256, :256]
    board = ((y // 4 + x // 4) % 2) * (y // 48 % 2) * (x // 48 % 2)
    noise = np.random.default_rng(0).normal(0, 10, board.shape)
    return (2000 + 1500 * board + noise).astype(np.uint16)


def test_a_prediction_says_so(
    run: TrainingResult, strange: NDArray[np.uint16], plate: Path
) -> None:
    """A checkerboard is unlike, an image of the plate is not; regions alone do not matter."""
    model = Model.load(run.run.model(0))
    rule = model.card.familiarity_rule
    assert rule is not None
    found = model.predict(strange)
    assert found.distance is not None
    assert found.distance > rule.limit
    assert found.notes[-1] == rule.note(found.distance)
    again = model.predict(strange, found.boxes[:1])
    assert again.distance == pytest.approx(found.distance, rel=1e-5)
    known = model.predict(sorted((plate / "images").iterdir())[0])
    assert known.distance is not None
    assert known.distance <= rule.limit
    assert UNLIKE not in " ".join(known.notes)


def test_verdicts_and_their_page_say_so(
    run: TrainingResult, strange: NDArray[np.uint16], plate: Path, tmp_path: Path
) -> None:
    """The table has distances, the strange image is marked, and the page says so."""
    images = tmp_path / "images"
    images.mkdir()
    tifffile.imwrite(images / "strange.tif", strange)
    known = sorted((plate / "images").iterdir())[0]
    (images / known.name).symlink_to(known)
    made = assess(images, run.run.folder, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "verdicts.csv")
    assert dict(zip(table["image"], table["unlike"], strict=True))["strange.tif"]
    assert table["unlike"].sum() == 1
    assert table["distance"].notna().all()
    assert UNLIKE in table.set_index("image")["note"]["strange.tif"]
    page = made.page.read_text("utf-8")
    assert f"1 of {len(table)} images are {UNLIKE}" in page


def test_heat_maps_say_so(run: TrainingResult, strange: NDArray[np.uint16], tmp_path: Path) -> None:
    """The movie's notes say how many of the frames looked at are unlike."""
    tifffile.imwrite(tmp_path / "movie.tif", np.stack([strange] * 2), photometric="minisblack")
    made = heatmap(tmp_path / "movie.tif", run.run.folder, tmp_path / "out")
    assert any(UNLIKE in text for text in made.warnings)


def test_evaluations_count_them(run: TrainingResult) -> None:
    """The share of test fields that are unlike stands in the results, with the AUC of others."""
    made = evaluate(run.run.folder, baselines=False)
    found = json.loads((made.folder / "results.json").read_text("utf-8"))["unlike"]
    assert found["fields"] > 0
    assert 0 <= found["unlike"] <= found["fields"]
    assert {"auc_familiar", "auc_unlike"} & set(found)
