"""Five ways to label a study, each through the job and into the study's folder."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.errors import LabelError, TableError
from livewell.labels.by_column import Column
from livewell.labels.by_dose import Dose
from livewell.labels.by_points import Points
from livewell.labels.by_stain import Stain
from livewell.labels.by_words import Words
from livewell.labels.made import Labels, Request, Route
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label

Painter = Callable[..., NDArray[np.uint16]]

CLASSES = ("healthy", "sick")
LOOKS = {"healthy": "healthy", "sick": "sick"}
WORDS = {f"{row}0{i}": name for row, name in (("A", "healthy"), ("B", "sick")) for i in range(1, 6)}


@pytest.fixture
def copy(study: Study, tmp_path: Path) -> Study:
    """A copy of the study that a test may change; the images are the same."""
    shutil.copytree(study.folder, tmp_path / "study")
    return Study.open(tmp_path / "study")


@pytest.mark.parametrize(
    ("route", "rows", "whole_images"),
    [
        (Column("look", LOOKS, "drop"), 10, True),
        (Words(WORDS, "drop"), 10, True),
        (Dose(30, (600, 1800)), 20, False),
        (Dose(30, (600, 1800), healthy_any_time=True), 25, False),
    ],
    ids=["column", "words", "dose", "dose, healthy any time"],
)
def test_labels_of_images_and_frames(
    copy: Study, route: Route, rows: int, whole_images: bool
) -> None:
    """Every route finds row A healthy and row B sick and says how; C01 between is left out."""
    made = label(copy, route, CLASSES, name="mine")
    table, meta = copy.labels("mine"), copy.label_meta("mine")
    assert len(table) == rows
    assert table["t"].isna().all() == whole_images
    assert (table["label"] == table["image"].str[0].map({"A": "healthy", "B": "sick"})).all()
    assert meta == made.meta
    assert meta.class_names == ClassNames(CLASSES, "sick")
    assert meta.counts[0] == ("images", 11)
    assert meta.route == type(route).__name__.lower()


def test_any_time_is_noted(copy: Study) -> None:
    """Healthy frames that are not matched in time come with a note of warning."""
    matched = label(copy, Dose(30, (600, 1800)), CLASSES)
    free = label(copy, Dose(30, (600, 1800), healthy_any_time=True), CLASSES)
    assert not any("differ in time" in note for note in matched.meta.notes)
    assert any("differ in time" in note for note in free.meta.notes)


def test_points(copy: Study, tmp_path: Path) -> None:
    """A CSV of cells labels patches centred on them, also over the picture's edge."""
    csv = tmp_path / "cells.csv"
    csv.write_text("image,t,y,x,state\nA01_p1.ome.tif,0,40,50,alive\nB01_p1.ome.tif,0,2,3,dead\n")
    label(copy, Points(csv, {"alive": "healthy", "dead": "sick"}, 64), CLASSES, name="cells")
    table = copy.labels("cells")
    assert table[["y0", "x0", "y1", "x1"]].to_numpy(int).tolist() == [
        [8, 18, 72, 82],
        [-30, -29, 34, 35],
    ]
    assert table["label"].tolist() == ["healthy", "sick"]
    csv.write_text("image,t,y,x,state\nA01_p1.ome.tif,0,400,50,alive\nB07.tif,0,2,3,dead\n")
    with pytest.raises(TableError) as refused:
        label(copy, Points(csv, {"alive": "healthy", "dead": "sick"}, 64), CLASSES, name="cells")
    assert "B07.tif" in str(refused.value)
    assert str(csv) in str(refused.value)
    assert len(refused.value.faults) == 2
    assert copy.labels("cells").equals(table)


def test_stain(tmp_path: Path) -> None:
    """A death stain labels patches; the middle is dropped and every step is counted."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(4):
        stack = rng.normal(200, 3, (2, 256, 256))
        for patch in range(16):
            y, x = divmod(patch, 4)
            dead = (patch + number) % 2
            level = rng.normal(900, 40) if dead else rng.normal(250, 15)
            stack[1, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64] += level
        tifffile.imwrite(
            tmp_path / "images" / f"e{number}.ome.tif",
            stack.astype(np.uint16),
            ome=True,
            photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": ["brightfield", "PI"]}},
        )
    study = index(tmp_path / "images", tmp_path / "study").study
    made = label(study, Stain("PI", 64, 64, on="mean", empty="keep"), ("live", "dead"))
    table = study.labels("labels")
    row = ((table["y0"] // 64) * 4 + table["x0"] // 64 + table["image"].str[1].astype(int)) % 2
    assert (table["label"] == row.map({0: "live", 1: "dead"})).all()
    assert 32 <= len(table) <= 64
    counts = dict(made.meta.counts)
    assert counts["patches"] == 64
    assert sum(counts[name] for name in ("live", "dead")) == len(table)
    (mixture,) = made.meta.mixtures.values()
    assert 200 < mixture["live_below"] < mixture["dead_above"] < 1200
    with pytest.raises(LabelError, match="experiment"):
        label(study, Stain("PI", 64, 64, per="experiment"), ("live", "dead"))


def test_stain_where_no_cells_are(tmp_path: Path, paint: Painter) -> None:
    """Empty patches are dark like living cells, and make no label; nor do borders of zeros."""
    rng = np.random.default_rng(1)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        cells, empty = paint("sick", number, (1, 256, 128)), paint("empty", number, (1, 256, 128))
        brightfield = np.concatenate([cells, empty], axis=2)[0]
        brightfield[:, :40] = 0
        stain = rng.normal(200, 3, (256, 256))
        for patch in range(8):
            y, x = divmod(patch, 2)
            level = rng.normal(900, 40) if (patch + number + y) % 2 else rng.normal(250, 15)
            stain[64 * y : 64 * y + 64, 64 * x : 64 * x + 64] += level
        tifffile.imwrite(
            images / f"e{number}.ome.tif",
            np.stack([brightfield, stain]).astype(np.uint16),
            ome=True,
            photometric="minisblack",
            metadata={"axes": "CYX", "Channel": {"Name": ["brightfield", "PI"]}},
        )
    study = index(images, tmp_path / "study", pixel_um=0.5).study
    made = label(study, Stain("PI", 64, 32, on="mean"), ("live", "dead"))
    counts = dict(made.meta.counts)
    assert counts["on the grid"] == counts["patches"] + counts["without cells, left out"]
    assert counts["without cells, left out"] > 0
    table = study.labels("labels")
    assert table["x0"].min() == 40
    assert table["x0"].max() < 128


@dataclass(frozen=True, slots=True)
class Rows(Route):
    """Label images by the row of their well."""

    sick: str

    def make(self, request: Request) -> Labels:
        """The labels, of the study's wells."""
        fields = request.study.fields()
        labels = [request.classes[well[0] == self.sick] for well in fields["well"]]
        return Labels.of(self.name, fields, labels, request.classes, {"images": len(fields)})


def test_a_new_route_is_a_class_of_its_own(copy: Study) -> None:
    """The job knows no route by name: settings that make labels are enough."""
    label(copy, Rows("B"), CLASSES, name="rows")
    table, meta = copy.labels("rows"), copy.label_meta("rows")
    assert ((table["label"] == "sick") == table["image"].str.startswith("B")).all()
    assert (meta.route, meta.settings) == ("rows", {"sick": "B"})
    assert meta.counts == (("images", 11), ("healthy", 6), ("sick", 5))


def test_wrong_names_of_classes_keep_older_labels(copy: Study) -> None:
    """Classes other than the route gives are refused, and labels made before stay."""
    before = copy.labels("labels")
    with pytest.raises(LabelError, match="other classes than said") as refused:
        label(copy, Column("look", LOOKS, "drop"), ("live", "dead"))
    assert "healthy, sick" in str(refused.value)
    assert copy.labels("labels").equals(before)
