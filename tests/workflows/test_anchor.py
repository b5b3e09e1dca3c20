"""Plates whose features are relative to those of their own untreated wells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from livewell.errors import LeakError, SpecError, TableError
from livewell.geometry import WindowGrid
from livewell.inference.model import Model
from livewell.inference.windows import View
from livewell.labels.by_column import Column
from livewell.models.files import read_card
from livewell.models.profile import Profile, override
from livewell.models.recipes import FAST, FROZEN
from livewell.region import Region
from livewell.splitting.schemes import Named
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.metadata import Anchor
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

LIGHT = {"blocks": "0,2", "zooms": "1", "radii_px": "0,12", "weight_decay": "0.1"}
RECIPE: Profile = override(FROZEN, LIGHT | {"patch_px": 48, "input_px": 48, "stride_px": 48})
ANCHOR = Anchor(by="plate", column="treatment", value="control")
CLASSES = ("healthy", "sick")
LABELS = {"control": "healthy", "medium": "healthy", "drug": "sick"}
EDGE_PX, WELLS = 144, ("control", "control", "medium", "medium", "drug", "drug")
BLUR_PX = {"A": 1.0, "B": 1.6, "C": 2.2, "D": 2.8, "E": 1.3, "F": 2.5}
"""Plates differ in focus by more than the drug does within one."""
TEST = ("E", "F")


def field(plate: str, number: int) -> NDArray[np.uint16]:
    """A field with texture on half of it; the drug makes it finer."""
    rng = np.random.default_rng([ord(plate), number])
    blur = BLUR_PX[plate] * (0.8 if WELLS[number] == "drug" else 1.0)
    texture, cells, noise = rng.normal(size=(3, EDGE_PX, EDGE_PX))
    texture = ndimage.gaussian_filter(texture, blur)
    texture *= (ndimage.gaussian_filter(cells, 8) > 0) / texture.std()
    return (1000 + 150 * texture + 3 * noise).astype(np.uint16)


def study_of(folder: Path, plates: Sequence[str]) -> Study:
    """A study of plates with the same wells, labelled by treatment."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for plate in plates:
        for number, treatment in enumerate(WELLS):
            name = f"{plate}{number}.tif"
            tifffile.imwrite(folder / "images" / name, field(plate, number))
            rows.append((name, plate, f"{plate}{number}", treatment))
    table = pd.DataFrame(rows, columns=["image", "plate", "culture", "treatment"])
    table.to_csv(folder / "plates.csv", index=False)
    made = index(
        folder / "images", folder / "study", metadata=folder / "plates.csv", pixel_um=0.31
    ).study
    label(made, Column("treatment", LABELS), CLASSES)
    return made


@dataclass(frozen=True)
class Runs:
    """One study, and runs on it with and without an anchor."""

    study: Study
    anchored: TrainingResult
    plain: TrainingResult


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Trained on plates A to D; E and F are test plates."""
    folder = tmp_path_factory.mktemp("plates")
    study = study_of(folder, tuple(BLUR_PX))
    split(study, by="plate", scheme=Named(TEST), grid=Grid(48, 48))
    anchored = train(study, folder / "anchored", RECIPE, anchor=ANCHOR)
    return Runs(study, anchored, train(study, folder / "plain", RECIPE))


def model_of(made: TrainingResult) -> Model:
    """The model of its one fold."""
    return Model.load(made.run.model(0), device="cpu")


def test_new(runs: Runs):
    a = evaluate(runs.anchored.run.folder, baselines=False)
    b = evaluate(runs.plain.run.folder, baselines=False)
    print(a.figures["roc_auc"], b.figures["roc_auc"], len(a.scores), len(b.scores))
    assert 0
