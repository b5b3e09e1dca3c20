"""Mosaics as files: from raw images to a data set that can be split, trained and measured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import (
    ImageContentError,
    LabelError,
    LeakError,
    OutputError,
    SpecError,
    SplitError,
    TableError,
)
from livewell.images.opening import open_image
from livewell.labels.by_column import Column
from livewell.labels.by_points import Points
from livewell.models.recipes import TINY
from livewell.papers.mosaic import Mosaics, mosaics
from livewell.progress import Tick, shown
from livewell.splitting.schemes import KFolds, Named
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.evaluate import evaluate
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

Writer = Callable[..., Path]

CLASSES = ("wild-type", "kd")
SHAPE = (32, 48)
DONORS = 9
"""Of four images of each class; the last two have one and three more of each."""
MORE = {7: 1, 8: 3}
TEST, VALIDATION = ("d6", "d7", "d8"), ("d4", "d5")
GRID = Grid(32, 32, empty="keep")


def donor_rows() -> Iterator[tuple[str, str, str]]:
    """Image, class and donor."""
    for donor in range(DONORS):
        for name in CLASSES:
            for i in range(4 + MORE.get(donor, 0)):
                yield f"{name}_d{donor}_{i}.ome.tif", name, f"d{donor}"


FEW = ("d0", "d4", "d6")
"""A donor of each part."""


def some(raw: Study, folder: Path, *, without: tuple[str, ...]) -> pd.DataFrame:
    """The table of the images of a few donors, linked into `folder` but for those to be changed."""
    table = pd.DataFrame(donor_rows(), columns=["image", "treatment", "donor"])
    table = table[table["donor"].isin(FEW)]
    (folder / "images").mkdir()
    for name in set(table["image"]) - set(without):
        (folder / "images" / name).symlink_to(raw.path(name))
    return table


def indexed(folder: Path, table: pd.DataFrame) -> Study:
    """A study of the images of a folder, labelled by treatment."""
    table.to_csv(folder / "raw.csv", index=False)
    made = index(folder / "images", folder / "study", metadata=folder / "raw.csv")
    label(made.study, Column("treatment", {name: name for name in CLASSES}), CLASSES)
    return made.study


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, write_movie: Writer) -> Study:
    """Small 16-bit images of nine donors, split by donor; not to be changed."""
    folder = tmp_path_factory.mktemp("raw")
    table = pd.DataFrame(donor_rows(), columns=["image", "treatment", "donor"])
    rng = np.random.default_rng(0)
    for name, state in zip(table["image"], table["treatment"], strict=True):
        spread = 40 if state == "kd" else 400
        frames = rng.normal(3000, spread, (1, *SHAPE)).clip(1).round().astype(np.uint16)
        write_movie(folder / "images" / name, frames, channel="anti-PDI")
    study = indexed(folder, table)
    split(study, by="donor", scheme=Named(TEST, VALIDATION), grid=GRID, channels="anti-PDI")
    return study


@pytest.fixture(scope="module")
def made(raw: Study, tmp_path_factory: pytest.TempPathFactory) -> Mosaics:
    """Mosaics as they are, each training image first in two; not to be changed."""
    return mosaics(raw, tmp_path_factory.mktemp("made") / "out", repeats=2, size_px=None)


def test_files_hold_their_four_images(raw: Study, made: Mosaics) -> None:
    """Each file is its four source images side by side, in their number type, with their scale."""
    table = pd.read_csv(made.table).set_index("image")
    assert sorted(path.name for path in made.images.iterdir()) == sorted(table.index)
    for name in ("train-kd-00001.ome.tif", table.index[-1]):
        sources = [table.loc[name, f"source_{cell}"] for cell in range(1, 5)]
        assert [Path(each).name[-10] for each in sources]
        frames = [tifffile.imread(raw.path(each)).reshape(SHAPE) for each in sources]
        found = tifffile.imread(made.images / name)
        np.testing.assert_array_equal(found, np.block([frames[:2], frames[2:]]))
        with open_image(made.images / name) as opened:
            assert opened.header.dtype == "uint16"
            assert opened.header.channels == ("anti-PDI",)
            assert opened.header.pixel_um == pytest.approx(0.5)


def test_the_table_says_what_is_in_them(raw: Study, made: Mosaics) -> None:
    """Label, part, mosaic group, and image, frame and donor of every cell stand in the table."""
    table = pd.read_csv(made.table)
    fields = raw.fields().set_index("image")
    parts = dict.fromkeys(TEST, "test") | dict.fromkeys(VALIDATION, "validation")
    for cell in range(1, 5):
        sources = fields.loc[table[f"source_{cell}"]]
        assert (sources["treatment"].to_numpy() == table["label"]).all()
        assert (sources["donor"].to_numpy() == table[f"group_{cell}"]).all()
        assert (table[f"group_{cell}"].map(parts).fillna("train") == table["part"]).all()
        assert (table[f"t_{cell}"] == 0).all()
    assert (table["picture"] == table["mosaic_group"]).all()
    held = set(table.loc[table["part"] != "train", "mosaic_group"])
    assert held == {"validation-d4", "validation-d5", "test-d6", "test-d7+d8"}


def test_what_is_told(made: Mosaics) -> None:
    """Counts of images and mosaics by part and class, and that groups were tied."""
    balance = made.balance.set_index(["part", "label"])
    assert balance.loc[("train", "kd")].to_dict() == {
        "raw_images": 16,
        "mosaics": 32,
        "mosaic_groups": 1,
        "left_out": 0,
    }
    assert balance.loc[("test", "kd"), ["raw_images", "mosaics"]].tolist() == [16, 4]
    assert len(made.notes) == 1
    assert "2 of 12 validation and test mosaics hold images of several groups" in made.notes[0]
    assert "5 groups became 4 mosaic groups" in made.notes[0]


@pytest.mark.long
def test_a_rest_is_left_out_and_counted(raw: Study, tmp_path: Path) -> None:
    """Images that fill no mosaic are told by part and class."""
    split(raw, by="donor", scheme=Named(("d7",), ("d4",)), grid=GRID, name="rest")
    found = mosaics(raw, tmp_path / "out", split="rest", repeats=1, size_px=None)
    assert "left out, too few to fill another mosaic: 1 of kd in test" in found.notes
    assert found.balance["left_out"].sum() == 2


@pytest.mark.long
def test_reduction_and_scale(raw: Study, tmp_path: Path) -> None:
    """Pixel sizes grow by the factors; where these differ both are kept, and it is said."""
    found = mosaics(raw, tmp_path / "square", repeats=1, size_px=(32, 48))
    with open_image(found.images / "train-kd-00001.ome.tif") as opened:
        assert (opened.header.height, opened.header.width) == (32, 48)
        assert opened.header.pixel_um == pytest.approx(1.0)
    assert not any("square" in note for note in found.notes)
    found = mosaics(raw, tmp_path / "flat", repeats=1, size_px=(32, 40))
    told = r"height shrinks 2\.000 times and width 2\.400.*1 x 1\.2 um.*--size 32x48 keeps them"
    assert pd.Series(found.notes).str.contains(told).sum() == 1
    path = found.images / "train-kd-00001.ome.tif"
    with tifffile.TiffFile(path) as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (1.0, pytest.approx(1.2))
    assert index(found.images, tmp_path / "s").study.headers()["pixel_um"].isna().all()


@dataclass
class StopsAfter:
    """A progress that stops the job after so many written mosaics."""

    mosaics: int

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """Count mosaics; other bars do not matter."""

        def tick(done: float = 1, note: str = "") -> None:
            self.mosaics -= what == "writing mosaics"
            if not self.mosaics:
                raise KeyboardInterrupt

        yield tick


def test_a_stopped_run_goes_on(raw: Study, made: Mosaics, tmp_path: Path) -> None:
    """Whole files are kept, missing ones made, and the end is that of a run never stopped."""
    with pytest.raises(KeyboardInterrupt), shown(StopsAfter(9)):
        mosaics(raw, tmp_path, repeats=2, size_px=None)
    begun = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    assert len(begun) == 9
    assert not (tmp_path / "mosaics.csv").exists()
    found = mosaics(raw, tmp_path, repeats=2, size_px=None)
    assert all(path.stat().st_mtime_ns == time for path, time in begun.items())
    assert found.table.read_bytes() == made.table.read_bytes()
    for path in made.images.iterdir():
        np.testing.assert_array_equal(
            tifffile.imread(found.images / path.name), tifffile.imread(path)
        )


def test_other_settings_and_other_folders_are_refused(raw: Study, made: Mosaics) -> None:
    """A folder of mosaics takes no others, and a folder of something else none at all."""
    with pytest.raises(OutputError, match=r"other settings.*seed=0.*seed=1"):
        mosaics(raw, made.table.parent, repeats=2, size_px=None, seed=1)
    with pytest.raises(OutputError, match="not a folder of mosaics"):
        mosaics(raw, raw.root, repeats=2, size_px=None)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"size_px": (65, 96)}, SpecError, r"--size: .*never enlarged.*at most 64x96.*65x96"),
        ({"size_px": (64, 97)}, SpecError, "never enlarged"),
        ({"grid": (5, 4)}, TableError, "part validation, class kd: 8 images; a mosaic needs 20"),
        ({"grid": (0, 4)}, SpecError, "no such mosaics"),
        ({"repeats": 0}, SpecError, "no such mosaics"),
        ({"fold": 1}, SplitError, "--fold: no such fold"),
        ({"channel": "DAPI"}, ImageContentError, "no channel 'DAPI'"),
        ({"split": "none"}, OSError, "no split named"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for(raw: Study, tmp_path: Path, changes, error, told) -> None:
    """Settings that fit neither images nor split are refused before anything is written."""
    with pytest.raises(error, match=told):
        mosaics(raw, tmp_path / "out", **{"size_px": None} | changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_one_fold_at_a_time(raw: Study, tmp_path: Path) -> None:
    """Of several folds the first is taken, or the one that is asked for."""
    split(raw, by="donor", scheme=KFolds(3), grid=GRID, name="folds")
    tested = []
    for fold, name in ((None, "first"), (2, "third")):
        found = mosaics(raw, tmp_path / name, split="folds", fold=fold, repeats=1, size_px=(32, 48))
        table = pd.read_csv(found.table)
        tested.append(set(table.loc[table["part"] == "test", "group_1"]))
    assert tested[0].isdisjoint(tested[1])


def test_images_of_several_kinds_are_named(raw: Study, tmp_path: Path, write_movie: Writer) -> None:
    """One image of another size and one of another number type are told by name."""
    rng = np.random.default_rng(1)
    odd = {"kd_d0_0.ome.tif": ((1, 40, 48), "u2"), "kd_d6_1.ome.tif": ((1, *SHAPE), "u1")}
    table = some(raw, tmp_path, without=tuple(odd))
    for name, (shape, kind) in odd.items():
        write_movie(tmp_path / "images" / name, rng.integers(1, 200, shape).astype(kind))
    study = indexed(tmp_path, table)
    split(study, by="donor", scheme=Named(("d6",), ("d4",)), grid=GRID)
    with pytest.raises(TableError, match=r"most: 32 x 48 px, uint16") as caught:
        mosaics(study, tmp_path / "out", size_px=None)
    assert {fault.where: fault.message for fault in caught.value.faults} == {
        "kd_d0_0.ome.tif": "40 x 48 px, uint16",
        "kd_d6_1.ome.tif": "32 x 48 px, uint8",
    }


def test_borders_of_zeros_are_told(raw: Study, tmp_path: Path, write_movie: Writer) -> None:
    """Registration borders would lie inside the mosaics: that is said, with a name."""
    table = some(raw, tmp_path, without=("kd_d0_0.ome.tif",))
    frames = tifffile.imread(raw.path("kd_d0_0.ome.tif")).reshape(1, *SHAPE)
    frames[:, :3] = 0
    write_movie(tmp_path / "images" / "kd_d0_0.ome.tif", frames)
    study = indexed(tmp_path, table)
    split(study, by="donor", scheme=Named(("d6",), ("d4",)), grid=Grid(24, 24, empty="keep"))
    found = mosaics(study, tmp_path / "out", repeats=1, size_px=(32, 48))
    assert any("borders of zeros: 1, such as kd_d0_0" in note for note in found.notes)


def test_labels_on_patches_are_refused(raw: Study, tmp_path: Path) -> None:
    """A mosaic's class is that of whole images; labels of single cells do not say it."""
    table = some(raw, tmp_path, without=())
    study = indexed(tmp_path, table)
    rows = [(image, 16, 20, state) for image, state, _ in table.itertuples(index=False)]
    points = pd.DataFrame(rows, columns=["image", "y", "x", "state"])
    points.to_csv(tmp_path / "cells.csv", index=False)
    route = Points(tmp_path / "cells.csv", {name: name for name in CLASSES}, 24)
    label(study, route, CLASSES)
    split(study, by="donor", scheme=Named(("d6",), ("d4",)))
    with pytest.raises(LabelError, match=r"on patches.*labels by points"):
        mosaics(study, tmp_path / "out", size_px=None)


def test_labels_made_anew_are_refused(raw: Study, tmp_path: Path) -> None:
    """A split of labels that are no more is not made into mosaics."""
    study = indexed(tmp_path, some(raw, tmp_path, without=()))
    split(study, by="donor", scheme=Named(("d6",), ("d4",)), grid=GRID)
    turned = dict(zip(CLASSES, CLASSES[::-1], strict=True))
    label(study, Column("treatment", turned), CLASSES)
    with pytest.raises(SplitError, match="made anew"):
        mosaics(study, tmp_path / "out", size_px=None)


@pytest.fixture(scope="module")
def again(made: Mosaics, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of the mosaics, labelled by their column label."""
    folder = tmp_path_factory.mktemp("again")
    study = index(made.images, folder / "study", metadata=made.table).study
    label(study, Column("label", {name: name for name in CLASSES}), CLASSES)
    return study


@pytest.mark.long
def test_parts_are_found_again(again: Study, made: Mosaics) -> None:
    """Split by mosaic group with test and validation named, parts are those of the raw images."""
    fields = again.fields()
    named = {part: tuple(rows["mosaic_group"].unique()) for part, rows in fields.groupby("part")}
    scheme = Named(named["test"], named["validation"])
    split(again, by="mosaic_group", scheme=scheme, grid=Grid(64, 64, empty="keep"), name="group")
    patches, folds, _ = again.split("group")
    parts = patches.merge(folds, on="group").set_index("image")["part"]
    assert (parts == fields.set_index("image")["part"].loc[parts.index]).all()
    run = train(again, made.table.parent.parent / "run", TINY, split="group", processes=0)
    figure = evaluate(run.run.folder, baselines=False).figures["roc_auc"]
    assert figure.method != "none"


def test_by_part_works_without_intervals(again: Study) -> None:
    """Split by part, named test: the rest is train and validation; the test part is one group."""
    scheme = Named(("test",))
    made = split(again, by="part", scheme=scheme, grid=Grid(64, 64, empty="keep"), name="part")
    assert (made.folds["group"] == made.folds["part"]).all()
    assert made.warnings


def test_mosaics_that_share_images_are_never_parted(again: Study) -> None:
    """A split by single mosaics would have raw images in training and test: it is refused."""
    with pytest.raises(LeakError, match=r"image tears pictures.*train-d0"):
        split(again, by="image", scheme=KFolds(3), grid=Grid(64, 64, empty="keep"), name="torn")
