"""Studies of several channels from split to verdict: colour pictures, and phase with a stain."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray

from livewell.cli import main
from livewell.errors import SplitError
from livewell.labels.by_column import Column
from livewell.models.files import load_model
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.schemes import Holdout
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

pytestmark = pytest.mark.long

PROFILE = override(TINY, {"steps": 45, "steps_per_epoch": 15})
SIZE = (128, 192)
Painter = Callable[..., NDArray[np.uint16]]
RGB, TWO = ("red", "green", "blue"), ("phase", "PI")


def planes(paint: Painter, state: str, seed: int, channels: int) -> NDArray[np.uint16]:
    """(c, y, x): the same cells in all channels, whose grain tells the state in the last alone."""
    states = ["middle"] * (channels - 1) + [state]
    return np.concatenate([paint(each, seed, (1, *SIZE)) for each in states])


def write_colour(path: Path, pixels: NDArray[np.uint16]) -> None:
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    path.with_suffix(".png").write_bytes(imagecodecs.png_encode(picture))


def write_stained(path: Path, pixels: NDArray[np.uint16]) -> None:
    # the stain is the file's first channel: the model's order is another
    metadata: dict[str, Any] = {"axes": "CYX", "Channel": {"Name": list(TWO[::-1])}}
    tifffile.imwrite(
        path.with_suffix(".tif"),
        pixels[::-1],
        ome=True,
        photometric="minisblack",
        metadata=metadata,
    )


@dataclass
class Case:
    """A study, its model, and the channels that both look at."""

    study: Study
    run: Path
    model: Path
    channels: tuple[str, ...]


WRITERS: dict[tuple[str, ...], Callable[[Path, NDArray[np.uint16]], None]] = {
    RGB: write_colour,
    TWO: write_stained,
}


@pytest.fixture(scope="module", params=[RGB, TWO], ids=["colour", "phase and stain"])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, paint: Painter
) -> Case:
    """Ten images split and trained on with these channels; the study names none of its own."""
    channels, folder = request.param, tmp_path_factory.mktemp("channels")
    images = folder / "images"
    images.mkdir()
    for number in range(10):
        state = "sick" if number % 2 else "healthy"
        pixels = planes(paint, state, number, len(channels))
        WRITERS[channels](images / f"{state}-{number}", pixels)
    study = index(images, folder / "study", pattern="{treatment}-{replicate}.*").study
    label(study, Column("treatment", {"healthy": "healthy", "sick": "sick"}), ("healthy", "sick"))
    split(
        study,
        by="image",
        scheme=Holdout((0.4, 0.2, 0.4)),
        grid=Grid(64, 64, empty="keep"),
        channels=channels,
    )
    made = train(study, folder / "run", PROFILE, processes=0)
    return Case(study, folder / "run", made.run.model(0), channels)


def test_the_model_sees_the_splits_channels(case: Case) -> None:
    """Trained without naming channels, a net sees those of the split, and its card names them."""
    net, card = load_model(case.model)
    assert tuple(name.casefold() for name in card.channels) == tuple(
        name.casefold() for name in case.channels
    )
    first = next(net.module.parameters())
    assert first.shape[1] == len(case.channels)


def test_it_is_evaluated(case: Case) -> None:
    """What stands in the last channel alone is told on images that were held out."""
    made = evaluate(case.run, baselines=False)
    assert made.figures["roc_auc"].value > 0.9
    assert made.page.is_file()


def test_new_images_are_assessed_by_name(case: Case, paint: Painter, tmp_path: Path) -> None:
    """New images are judged by the model's channels, found by name whatever their order."""
    images = tmp_path / "images"
    images.mkdir()
    for number, state in enumerate(("healthy", "sick", "healthy", "sick")):
        pixels = planes(paint, state, 100 + number, len(case.channels))
        WRITERS[case.channels](images / f"{state}-{number}", pixels)
    made = assess(images, case.model, tmp_path / "out")
    assert made.failures.empty
    share = made.verdicts.set_index("image")["p_sick"]
    sick = share.index.str.startswith("sick")
    assert share[sick].min() > share[~sick].max()


def test_images_whose_channels_do_not_fit_are_told(
    case: Case, paint: Painter, tmp_path: Path
) -> None:
    """A grey image is no input for such a model, and both numbers of channels are told."""
    images = tmp_path / "images"
    images.mkdir()
    grey = planes(paint, "sick", 1, 1)[0]
    tifffile.imwrite(images / "grey.tif", grey, photometric="minisblack")
    made = assess(images, case.model, tmp_path / "out")
    (error,) = made.failures["error"]
    number = len(case.channels)
    assert f"another number of channels than the model's. Expected: {number}" in error
    assert "Got: 1: grey" in error


def test_training_on_fewer_channels_than_the_split_is_refused(case: Case, tmp_path: Path) -> None:
    """A split of several channels is not trained on with one of them, before any work."""
    with pytest.raises(SplitError, match=r"other channels than the split.*--channel"):
        train(case.study, tmp_path / "run", PROFILE, channels=case.channels[:1])
    assert not (tmp_path / "run").exists()


def test_colour_without_a_name_is_refused(case: Case, tmp_path: Path) -> None:
    """On the command line too: a colour study is not split unless channels are named."""
    if case.channels != RGB:
        pytest.skip("of colour only")
    asked = ["split", str(case.study.folder), "--by", "image", "--patch-px", "64"]
    asked += ["--stride-px", "64", "--name", "x"]
    made = CliRunner().invoke(main, asked)
    assert made.exit_code == 2
    assert "colour image" in made.output
    assert "--channel green" in made.output
    named = [part for name in RGB for part in ("--channel", name)]
    made = CliRunner().invoke(main, [*asked, "--empty", "keep", *named])
    assert made.exit_code == 0, made.output
    assert case.study.split("x")[2].channels == RGB
    table = pd.read_parquet(case.study.folder / "splits" / "x" / "patches.parquet")
    assert len(table) == 10 * 6
