"""A stain through every job: named when training, kept in the card, predicted of movies."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray

from livewell.cli import main
from livewell.errors import ModelFileError, OutputError, SpecError, TableError
from livewell.images.opening import open_image
from livewell.inference.model import Model
from livewell.labels.by_column import Column
from livewell.models.files import read_card, rewrite_card
from livewell.models.profile import override
from livewell.models.recipes import STAIN_UNET, TINY
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

RECIPE = override(
    STAIN_UNET,
    {
        **{"patch_px": 64, "input_px": 32, "stride_px": 64, "normalise_px": 0, "crop_px": 185},
        **{"batch": 4, "steps": 60, "steps_per_epoch": 30, "precision": "float32"},
        **{"stain_offset": 50, "balance": "class"},
    },
)
SIZE = (160, 192)


def dyed(seed: int, frames: int = 1) -> NDArray[np.uint16]:
    """(t, c, y, x): light and PI of round cells, of which the dark ones are dead and dyed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    light, stain = rng.normal(1000, 10, (frames, *SIZE)), rng.normal(100, 2, (frames, *SIZE))
    for number, (cy, cx) in enumerate(rng.uniform(10, 150, (14, 2))):
        disc = np.hypot(y - cy, x - cx) < 9
        dead = (seed + (number > 10)) % 2
        light[:, disc] = (600 if dead else 1400) + rng.normal(0, 60, (frames, disc.sum()))
        stain[:, disc] += 400 * dead
    return np.stack([light, stain], axis=1).clip(1, 60000).astype(np.uint16)


def write(path: Path, pixels: NDArray[np.uint16], names: tuple[str, ...] = ("phase", "PI")) -> Path:
    metadata: dict[str, Any] = {"axes": "TCYX", "Channel": {"Name": list(names)}}
    for axis in "XY":
        metadata |= {f"PhysicalSize{axis}": 0.5, f"PhysicalSize{axis}Unit": "µm"}
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.ascontiguousarray(pixels)
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=metadata)
    return path


def study_of(folder: Path, without: int = 0) -> Study:
    """Ten images, labelled by name and split; of the first ones the stain is missing."""
    for number in range(10):
        state, pixels = ("live", "dead")[number % 2], dyed(number)
        if number < without:
            write(folder / "images" / f"{state}-{number}.ome.tif", pixels[:, :1], ("phase",))
        else:
            write(folder / "images" / f"{state}-{number}.ome.tif", pixels)
    study = index(folder / "images", folder / "study", pattern="{treatment}-{replicate}.*").study
    label(study, Column("treatment", {"live": "live", "dead": "dead"}), ("live", "dead"))
    split(study, by="image", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64), channels="phase")
    return study


@pytest.fixture(scope="module")
def stained(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose images have a stain beside the light."""
    return study_of(tmp_path_factory.mktemp("stain"))


@pytest.fixture(scope="module")
def run(stained: Study, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A short run that learnt the stain beside the labels."""
    out = tmp_path_factory.mktemp("run") / "run"
    return train(stained, out, RECIPE, channels="phase", stain="pi", processes=0)


def test_run_and_card_name_the_stain(run: TrainingResult, tmp_path: Path) -> None:
    """Run and card say which channel was learnt; cards and runs without it still open."""
    model = Model.load(run.run.model(0), device="cpu")
    assert model.card.stain == model.need_stain() == "PI"
    assert model.card.channels == ("phase",)
    assert Run.open(run.run.folder).spec.stain == "PI"
    text = (run.run.model(0) / "card.json").read_text("utf-8")
    (tmp_path / "card.json").write_text(re.sub(r'\s*"stain": "PI",', "", text), "utf-8")
    assert read_card(tmp_path).stain is None
    rewrite_card(tmp_path, model.card)
    assert read_card(tmp_path) == model.card


def test_classes_are_told_too(run: TrainingResult) -> None:
    """The run is measured on its unseen images as any other."""
    assert evaluate(run.run.folder, baselines=False).figures["roc_auc"].value > 0.8


def test_a_movie_is_stained(run: TrainingResult, tmp_path: Path) -> None:
    """Map, stain and page are made; the stain goes with the real one, pixel by pixel."""
    movie = write(tmp_path / "movie.ome.tif", dyed(101, frames=2))
    made = heatmap(movie, run.run.model(0), tmp_path / "out", stain=True)
    assert made.stain is not None
    with open_image(tmp_path / "out" / "stain.ome.tif") as image:
        header, predicted = image.header, image.frame(1)
    assert header.shape == (2, 1, *SIZE)
    assert header.channels == ("predicted PI",)
    assert header.pixel_um == 0.5
    assert header.dtype == "float32"
    real = (dyed(101, frames=2)[1, 1] - 50.0) / 50
    r = np.corrcoef(np.log(predicted.ravel()), np.log(np.maximum(real, 0.5).ravel()))[0, 1]
    assert r > 0.6
    assert made.stain.r[1] == pytest.approx(r, abs=0.02)
    assert pd.read_csv(tmp_path / "out" / "curve.csv")["stain_r"].tolist() == pytest.approx(
        made.stain.r
    )
    page = made.page.read_text("utf-8")
    assert "Predicted PI" in page
    assert "real logarithms" in page
    with pytest.raises(OutputError, match="other settings"):
        heatmap(write(movie, dyed(101)), run.run.model(0), tmp_path / "out", stride_px=32)


def test_a_movie_without_the_stain(run: TrainingResult, tmp_path: Path) -> None:
    """Of light alone, at another pixel size, the stain is predicted and held against nothing."""
    pixels = dyed(102, frames=2)[:, :1].repeat(2, axis=2).repeat(2, axis=3)
    pixels[1] = 7
    movie = write(tmp_path / "movie.ome.tif", pixels, ("phase",))
    asked = ["heatmap", str(movie), "--model", str(run.run.model(0)), "--out"]
    asked += [str(tmp_path / "out"), "--stain", "--pixel-um", "0.25", "--json"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert "stain.ome.tif" in done.stdout
    with open_image(tmp_path / "out" / "stain.ome.tif") as image:
        assert image.header.shape == (2, 1, *SIZE)
        assert image.header.pixel_um == 0.5
        assert np.isfinite(image.frame(0)).all()
        assert np.isnan(image.frame(1)).all()
    assert "No channel PI of the movie" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert pd.read_csv(tmp_path / "out" / "curve.csv")["stain_r"].isna().all()


def test_python_gives_the_stain_of_an_array(run: TrainingResult) -> None:
    """A prediction holds the stain at the field's own pixels, made when it is first asked for."""
    model = Model.load(run.run.model(0), device="cpu")
    found = model.predict(dyed(103)[0, 0], pixel_um=0.5).stain_map
    assert found.shape == SIZE
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_a_model_without_stain_is_refused(
    trained: TrainingResult, plate: Path, tmp_path: Path
) -> None:
    """A model that learnt no stain says how to train one, before anything is made."""
    movie = sorted((plate / "images").iterdir())[0]
    with pytest.raises(ModelFileError, match=r"predicts no stain.*STAIN_UNET with --stain"):
        heatmap(movie, trained.run.model(0), tmp_path / "out", stain=True)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelFileError, match="predicts no stain"):
        _ = Model.load(trained.run.model(0)).predict(movie).stain_map


def test_stains_that_do_not_fit_the_recipe(stained: Study, tmp_path: Path) -> None:
    """A stain for a net without, a net with and no stain, and a stain that is seen are refused."""
    with pytest.raises(SpecError, match=r"no channel is named.*--stain"):
        train(stained, tmp_path / "a", RECIPE, channels="phase")
    with pytest.raises(SpecError, match=r"predicts no stain.*STAIN_UNET"):
        train(stained, tmp_path / "b", TINY, channels="phase", stain="PI")
    with pytest.raises(SpecError, match="nothing to predict"):
        train(stained, tmp_path / "c", RECIPE, channels="phase", stain="phase")
    assert not list(tmp_path.iterdir())


def test_images_without_the_stain_are_all_told(tmp_path: Path) -> None:
    """Every image that lacks the channel is named before training begins."""
    study = study_of(tmp_path, without=2)
    with pytest.raises(TableError) as told:
        train(study, tmp_path / "run", RECIPE, channels="phase", stain="PI", processes=0)
    assert "live-0.ome.tif" in str(told.value)
    assert "dead-1.ome.tif" in str(told.value)
    assert "no channel 'PI'" in str(told.value)
