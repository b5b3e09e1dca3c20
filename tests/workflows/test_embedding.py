"""Maps of features: of unseen groups alone, the same each time, refused in plain words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livewell.errors import OutputError, SpecError, SplitError
from livewell.explain.embedding import EmbeddingSettings
from livewell.inference.model import Model
from livewell.models.profile import override
from livewell.models.recipes import FROZEN, TINY
from livewell.splitting.schemes import KFolds
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.tables.schemas import regions_of
from livewell.workflows.embedding import EmbeddingResult, embed
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedding")


@pytest.fixture(scope="module")
def made(trained: TrainingResult, out: Path) -> EmbeddingResult:
    """The shared run; not to be changed."""
    return embed(trained.run.folder, out=out / "made")


@pytest.fixture(scope="module")
def folds(study: Study, out: Path) -> Run:
    """A run of two folds on that study, whose models see patches from eight sides."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="two-folds-seen")
    brief = override(TINY, {"steps": 3, "steps_per_epoch": 3, "test_time_augmentation": True})
    return train(study, out / "folds", brief, split="two-folds-seen", processes=0).run


def test_only_unseen_regions_are_mapped(
    made: EmbeddingResult, trained: TrainingResult, study: Study
) -> None:
    """Every region of test and validation wells stands in regions.csv, and none of training."""
    patches, parts, _ = study.split(trained.run.spec.split)
    part = parts.set_index("group")["part"]
    table = pd.read_csv(made.folder / "regions.csv")
    assert (table["group"].map(part) == table["part"]).all()
    assert set(table["part"]) == {"test", "validation"}
    assert len(table) == patches["group"].map(part).isin(["test", "validation"]).sum()
    places = table[["pca_x", "pca_y", "tsne_x", "tsne_y"]].to_numpy()
    assert np.isfinite(places).all()


@pytest.mark.long
def test_a_head_on_a_fixed_backbone_shows_test_groups_alone(study: Study, out: Path) -> None:
    """It has learnt from validation groups too, so these are not shown; features are its own."""
    sizes = {"patch_px": 64, "input_px": 64, "stride_px": 64}
    light = {"weights": "", "blocks": "2,4", "zooms": "1", "radii_px": "0,8"}
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="fixed")
    run = train(study, out / "fixed", override(FROZEN, sizes | light), split="fixed").run
    made = embed(run.folder, out=out / "fixed-map")
    assert set(made.regions["part"]) == {"test"}
    assert np.isfinite(made.regions[["pca_x", "tsne_y"]].to_numpy()).all()


def test_test_groups_alone(trained: TrainingResult, out: Path) -> None:
    """Without validation groups only test groups are shown, and the page says nothing of others."""
    settings = EmbeddingSettings(validation=False)
    found = embed(trained.run.folder, out=out / "test", settings=settings)
    assert set(found.regions["part"]) == {"test"}
    assert "Validation wells" not in found.page.read_text("utf-8")


def test_figures_are_on_file(made: EmbeddingResult) -> None:
    """results.json holds the verdict and the figures of the page, and how maps were made."""
    found = json.loads((made.folder / "results.json").read_text())
    assert found["verdict"] == made.verdict
    assert found["by_class"]["value"] == made.neighbours.by_class.value
    assert found["group"] == "well"
    (model,) = found["models"]
    assert model["regions"] == model["of"] == len(made.regions)
    assert 1 < model["perplexity"] <= 30
    assert model["components"] <= min(50, model["features"])
    assert made.verdict in made.page.read_text("utf-8")
    settings = json.loads((made.folder / "embedding.json").read_text())
    assert (settings["seed"], settings["folds"]) == (0, [0])


def test_a_net_that_tells_classes_apart_puts_them_apart(made: EmbeddingResult) -> None:
    """On painted cells, whose classes differ in grain alone, patches lie by class."""
    assert made.neighbours.by_class.value > 0.6


def test_maps_are_of_the_features_of_embed(made: EmbeddingResult, trained: TrainingResult) -> None:
    """Regions whose features `Model.embed` gives alike lie at one place."""
    study, model = Study.open(Path(trained.run.spec.study)), Model.load(trained.run.model(0))
    features = model.embed(StudyPixels(study), regions_of(made.regions))
    scaled = (features - features.mean(axis=0)) / np.where(
        features.std(axis=0), features.std(axis=0), 1
    )
    away = np.linalg.norm(scaled - scaled[0], axis=1)
    pca = made.regions[["pca_x", "pca_y"]].to_numpy()
    near = np.linalg.norm(pca - pca[0], axis=1)
    assert (near <= away + 1e-3).all()
    assert np.corrcoef(near, away)[0, 1] > 0.6


@pytest.mark.long
def test_the_same_seed_gives_the_same_files(
    made: EmbeddingResult, trained: TrainingResult, out: Path
) -> None:
    """Regions, results and page do not depend on when they were made; what is drawn on the seed."""
    again = embed(trained.run.folder, out=out / "again")
    for name in ("regions.csv", "results.json", "report.html"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()
    few = [
        embed(
            trained.run.folder,
            out=out / f"few-{seed}",
            settings=EmbeddingSettings(regions=20, seed=seed),
        )
        for seed in (0, 1)
    ]
    assert [len(each.regions) for each in few] == [20, 20]
    assert not few[0].regions.equals(few[1].regions)
    assert "20 of" in few[0].page.read_text("utf-8")
    counts = few[0].regions["group"].value_counts()
    assert counts.max() - counts.min() <= 1


@pytest.mark.long
def test_the_first_fold_is_shown_unless_others_are_named(folds: Run, out: Path) -> None:
    """One map a model: the first fold's, one that is named, or all, which share the regions."""
    first = embed(folds.folder, out=out / "first")
    assert set(first.regions["fold"]) == {0}
    assert "1 model of 2 shown" in first.page.read_text("utf-8")
    second = embed(folds.folder, out=out / "second", folds=[1])
    assert set(second.regions["fold"]) == {1}
    settings = EmbeddingSettings(regions=40)
    both = embed(folds.folder, out=out / "both", all_folds=True, settings=settings)
    assert both.regions["fold"].value_counts().to_dict() == {0: 20, 1: 20}
    assert len(json.loads((both.folder / "results.json").read_text())["models"]) == 2


def test_what_cannot_be_mapped_is_refused(trained: TrainingResult, tmp_path: Path) -> None:
    """A fold that is not there, too few regions, folds named and all: told before it is begun."""
    folder = trained.run.folder
    with pytest.raises(SplitError, match="no such fold"):
        embed(folder, out=tmp_path / "out", folds=[4])
    with pytest.raises(SpecError, match="some folds and all folds"):
        embed(folder, out=tmp_path / "out", folds=[0], all_folds=True)
    with pytest.raises(SpecError, match="too few regions"):
        embed(folder, out=tmp_path / "out", settings=EmbeddingSettings(regions=5))
    assert not (tmp_path / "out").exists()


def test_other_settings_are_refused(made: EmbeddingResult, trained: TrainingResult) -> None:
    """A folder begun with another seed is not written over."""
    with pytest.raises(OutputError, match="seed"):
        embed(trained.run.folder, out=made.folder, settings=EmbeddingSettings(seed=1))
