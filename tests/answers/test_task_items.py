"""Items of a task: regions of the study, each once, spread over images, controls among them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from livewell.answers.items import ItemChoice, draw_items
from livewell.errors import LabelError, SpecError
from livewell.study.study import Study
from livewell.workflows.index import index


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three movies of 24 frames of noise, the right half without texture; one is broken."""
    folder = tmp_path_factory.mktemp("movies")
    (folder / "images").mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        frames = rng.normal(1000, 5, (24, 128, 128))
        grain = rng.normal(0, 150, (24, 32, 10)).repeat(4, 1).repeat(4, 2)
        frames[:, :, :40] += grain
        path = folder / "images" / f"A0{number + 1}.tif"
        tifffile.imwrite(
            path, frames.astype(np.uint16), photometric="minisblack", metadata={"axes": "TYX"}
        )
    study = index(folder / "images", folder / "study").study
    (folder / "images" / "A03.tif").write_bytes(b"II*\0broken")
    return study


def names(study: Study) -> list[str]:
    return [str(name) for name in study.fields()["image"]]


def test_items_are_regions_each_once(movies: Study) -> None:
    """Boxes of a grid through frames that do not overlap; a broken file costs its own items."""
    choice = ItemChoice(kind="sequence", count=16, size_px=64, occupied=False)
    drawn = draw_items(movies, choice, names(movies))
    table = drawn.table
    assert [Path(fault.where).stem for fault in drawn.faults] == ["A03"]
    assert len(table) == 16
    assert not table.duplicated(["image", "t", "y0", "x0"]).any()
    assert set(table["t"]) == {0, 10}
    assert (table["y1"] - table["y0"]).tolist() == [64] * 16
    assert table["image"].value_counts().tolist() == [8, 8]


def test_boxes_without_cells_are_left_out(movies: Study) -> None:
    """Only the half with texture is drawn from, where empty boxes are to be left out."""
    choice = ItemChoice(kind="patch", count=30, size_px=64)
    table = draw_items(movies, choice, names(movies)[:2]).table
    assert set(table["x0"]) == {0}
    assert len(table) == 30


def test_controls_have_their_truth(movies: Study) -> None:
    """The share of controls is of images whose class is known, and all others have no truth."""
    choice = ItemChoice(kind="patch", count=40, size_px=64, occupied=False)
    first, second, _ = names(movies)
    table = draw_items(movies, choice, [first, second], {first: "healthy"}, 0.25).table
    controls = table[table["truth"].notna()]
    assert len(controls) == 10
    assert set(controls["image"]) == {first}
    assert set(controls["truth"]) == {"healthy"}
    assert not table.duplicated(["image", "t", "y0", "x0"]).any()


def test_the_same_seed_draws_the_same(movies: Study) -> None:
    """Which items a task has follows from its seed alone."""
    tables = [
        draw_items(movies, ItemChoice(kind="frame", count=9, seed=seed), names(movies)[:2]).table
        for seed in (1, 1, 2)
    ]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])
    assert tables[0]["y0"].isna().all()


def test_what_cannot_be_drawn_is_told(movies: Study) -> None:
    """Boxes larger than any image, and controls without a known class, are refused."""
    with pytest.raises(LabelError, match="not a single item"):
        draw_items(movies, ItemChoice(kind="patch", size_px=256), names(movies))
    with pytest.raises(SpecError, match="no image's class is known"):
        draw_items(movies, ItemChoice(kind="patch"), names(movies), {}, 0.1)
