"""Whole frames as patches: one window for all, parts by a column, and what trains on them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LabelError, LeakError, SpecError, SplitError, TableError
from livewell.geometry import Box
from livewell.inference.wide_fields import windows
from livewell.labels.by_boxes import Boxes
from livewell.labels.by_column import Column
from livewell.labels.by_points import Points
from livewell.models.files import load_model
from livewell.models.profile import override
from livewell.models.recipes import TINY, WSCNN_FAST
from livewell.splitting.schemes import Holdout, Named, Parts
from livewell.study.regions import LEAST_OF_LARGEST, Grid, Whole
from livewell.study.study import Study
from livewell.tables.schemas import BOX
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import train

Writer = Callable[..., Path]

CLASSES = ("plain", "spotted")
PARTS = ["train", "train", "validation", "validation", "test", "test"]
SHORT = override(WSCNN_FAST, {"steps": 3, "steps_per_epoch": 3, "batch": 2, "precision": "float32"})


def frame(size: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 30, size).astype(np.uint16)


def study_of(
    folder: Path, sizes: Mapping[str, tuple[int, ...]], **columns: list[str] | list[float]
) -> Study:
    """A study of noise of these sizes; every other image is spotted; further columns as given."""
    (folder / "images").mkdir()
    for seed, (name, size) in enumerate(sizes.items()):
        tifffile.imwrite(folder / "images" / name, frame(size, seed), photometric="minisblack")
    table = pd.DataFrame({"image": list(sizes)} | columns)
    table["look"] = [CLASSES[n % 2] for n in range(len(table))]
    table.to_csv(folder / "table.csv", index=False)
    made = index(folder / "images", folder / "study", metadata=folder / "table.csv")
    label(made.study, Column("look", {name: name for name in CLASSES}), CLASSES)
    return made.study


def alike(folder: Path, **columns: list[str] | list[float]) -> Study:
    """Six images of 80 x 96 px."""
    return study_of(folder, {f"i{n}.tif": (80, 96) for n in range(6)}, **columns)


def boxes(patches: pd.DataFrame) -> dict[str, tuple[int, ...]]:
    """Corners by image."""
    rows = patches[["image", *BOX]].itertuples(index=False)
    return {str(row[0]): tuple(int(v) for v in row[1:]) for row in rows}


def test_every_frame_is_one_patch(tmp_path: Path) -> None:
    """Frames of one size are patches as they are; what is written says that there are no others."""
    study = alike(tmp_path, part=PARTS)
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole())
    assert boxes(made.patches) == {f"i{n}.tif": (0, 0, 80, 96) for n in range(6)}
    assert made.patches["label"].tolist() == list(CLASSES) * 3
    patches, _, meta = study.split("split")
    pd.testing.assert_frame_equal(patches, made.patches)
    assert (meta.patch_px, meta.frame_px) == (0, (80, 96))
    assert meta.grid == {"every": 1}
    assert meta.counts == {"frames": 6, "images mirrored at their edges": 0}


def test_a_grid_of_patches_has_no_frame_size(tmp_path: Path) -> None:
    """Splits of patches say so, as before."""
    study = alike(tmp_path, part=PARTS)
    split(study, by="picture", scheme=Parts("part"), grid=Grid(32, 32, empty="keep"))
    meta = study.split("split")[2]
    assert (meta.patch_px, meta.frame_px) == (32, None)


MIXED = {
    "i0.tif": (100, 80),
    "i1.tif": (76, 120),
    "i2.tif": (90, 100),
    "i3.tif": (75, 90),
    "i4.tif": (100, 120),
    "i5.tif": (88, 110),
}


def test_mixed_sizes_are_seen_through_one_window(tmp_path: Path) -> None:
    """As high as the highest and as wide as the widest, centred; three quarters are enough."""
    sizes = MIXED | {"i0.tif": (100, 90)}
    study = study_of(tmp_path, sizes, part=PARTS)
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole())
    for name, (y0, x0, y1, x1) in boxes(made.patches).items():
        height, width = sizes[name]
        assert (y1 - y0, x1 - x0) == (100, 120)
        assert abs((y0 + y1) - height) <= 1
        assert abs((x0 + x1) - width) <= 1
    meta = study.split("split")[2]
    assert meta.frame_px == (100, 120)
    assert meta.counts["images mirrored at their edges"] == 5


def test_images_too_small_are_refused_by_name(tmp_path: Path) -> None:
    """Below three quarters of the largest in height or width: all of them, with their sizes."""
    sizes = MIXED | {"i2.tif": (74, 120), "i5.tif": (20, 20)}
    study = study_of(tmp_path, sizes, part=PARTS)
    with pytest.raises(TableError, match="100 x 120 px") as caught:
        split(study, by="picture", scheme=Parts("part"), grid=Whole())
    told = str(caught.value)
    assert {name: name in told for name in sizes} == {
        name: min(height / 100, width / 120) < LEAST_OF_LARGEST
        for name, (height, width) in sizes.items()
    }
    assert "74 x 120 px" in told
    assert study.split_names() == []


def test_only_labelled_images_count(tmp_path: Path) -> None:
    """An image without a label is no part of the split, however small or large it is."""
    sizes = {f"i{n}.tif": (80, 96) for n in range(6)} | {"j.tif": (300, 20)}
    study = study_of(tmp_path, sizes, part=[*PARTS, "train"])
    table = study.labels("labels")
    study.write_labels("some", table[table["image"] != "j.tif"], study.label_meta("labels"))
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole(), labels="some")
    assert len(made.patches) == 6
    assert study.split("split")[2].frame_px == (80, 96)


@pytest.mark.parametrize(
    "size",
    [
        (96, 120),
        (95, 113),
    ],
)
def test_training_and_localising_see_the_same_window(tmp_path: Path, size: tuple[int, int]) -> None:
    """A smaller picture lies in the window where `look_over` lays it, to the pixel."""
    study = study_of(tmp_path, MIXED | {"i0.tif": (100, 90), "i2.tif": size}, part=PARTS)
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole())
    ((window, _),) = windows(size, Box.of(0, 0, *size), (100, 120), 57)
    assert boxes(made.patches)["i2.tif"] == window.corners


def test_movies_give_every_nth_frame(tmp_path: Path) -> None:
    """Labels of whole movies mean all frames; only every n-th is taken where asked for."""
    study = study_of(tmp_path, {f"i{n}.tif": (5, 80, 96) for n in range(6)}, part=PARTS)
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole(every=2))
    assert made.patches.groupby("image")["t"].apply(list).tolist() == [[0, 2, 4]] * 6
    with pytest.raises(SpecError, match="every >= 1"):
        Whole(0)


def test_parts_are_as_the_column_says(tmp_path: Path) -> None:
    """Every group plays the part that stands in the column, and the scheme is written."""
    study = alike(tmp_path, part=list(np.array(PARTS)[[4, 2, 0, 5, 3, 1]]), donor=[*"aabbcc"][::-1])
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole())
    said = study.fields().set_index("image")["part"]
    dealt = made.patches.merge(made.folds, on="group")
    assert dict(zip(dealt["image"], dealt["part"], strict=True)) == said.to_dict()
    meta = study.split("split")[2]
    assert (meta.scheme, meta.scheme_settings) == ("Parts", {"column": "part"})


def test_parts_of_groups_of_several_images(tmp_path: Path) -> None:
    """Donors of two images each keep both in the donor's part."""
    study = alike(tmp_path, part=PARTS, donor=["a", "a", "b", "b", "c", "c"])
    made = split(study, by="donor", scheme=Parts("part"), grid=Whole())
    assert dict(zip(made.folds["group"], made.folds["part"], strict=True)) == {
        "a": "train",
        "b": "validation",
        "c": "test",
    }


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"part": PARTS, "donor": ["a", "b", "a", "b", "c", "c"]}, "several for a"),
        ({"part": [*PARTS[:5], "hold out"]}, "'hold out'"),
        ({"part": [*PARTS[:5], ""]}, "''"),
        ({"part": [0.0, 1.0, 2.0, 0.0, 1.0, float("nan")]}, "1"),
        ({"other": PARTS}, "no such column"),
        ({"part": ["train"] * 6}, "held out"),
        ({"part": ["train"] * 3 + ["test"] * 3}, "validation part has no patch"),
        ({"part": ["validation"] * 3 + ["test"] * 3}, "train part has no patch"),
    ],
    ids=["torn", "word", "empty", "numbers", "absent", "no test", "no validation", "no train"],
)
def test_columns_that_give_no_parts_are_refused(
    tmp_path: Path, columns: dict[str, list[str]], told: str
) -> None:
    """Torn groups, other words, gaps, numbers, no column, or an empty part: nothing is made."""
    study = alike(tmp_path, **columns)
    with pytest.raises(SplitError, match=told):
        split(
            study,
            by="donor" if "donor" in columns else "picture",
            scheme=Parts("part"),
            grid=Whole(),
        )
    assert study.split_names() == []


def test_the_column_of_images_gives_no_parts(tmp_path: Path) -> None:
    """``--parts image`` is refused in words as any other column of other values."""
    study = alike(tmp_path, part=PARTS)
    with pytest.raises(SplitError, match="does not give every group one part"):
        split(study, by="picture", scheme=Parts("image"), grid=Whole())


def test_merged_duplicates_keep_their_part(tmp_path: Path) -> None:
    """Two copies in the same part become one group of that part."""
    study = alike(tmp_path, part=PARTS)
    copy_of(study, "i4.tif", "i5.tif")
    made = split(study, by="picture", scheme=Parts("part"), grid=Whole(), merge_duplicates=True)
    assert set(made.folds["part"]) == {"train", "validation", "test"}


def copy_of(study: Study, one: str, other: str) -> None:
    """Make one image of a study a copy of another."""
    study.path(other).write_bytes(study.path(one).read_bytes())


def test_copies_in_two_parts_are_refused(tmp_path: Path) -> None:
    """The same picture in training and test is found, and nothing is made."""
    study = alike(tmp_path, part=PARTS)
    copy_of(study, "i0.tif", "i4.tif")
    with pytest.raises(LeakError, match=r"i0\.tif"):
        split(study, by="picture", scheme=Parts("part"), grid=Whole())
    assert study.split_names() == []


def test_other_schemes_deal_whole_frames_too(tmp_path: Path) -> None:
    """Shares and named groups deal frames as they deal patches."""
    study = alike(tmp_path, part=PARTS)
    for scheme in (Holdout((0.34, 0.33, 0.33)), Named(("i4.tif", "i5.tif"))):
        made = split(study, by="picture", scheme=scheme, grid=Whole())
        assert len(made.patches) == made.folds["group"].nunique() == 6


def test_labels_on_patches_are_refused(tmp_path: Path) -> None:
    """Points are patches already: they are not made whole frames."""
    study = alike(tmp_path, part=PARTS)
    rows = [f"i{n}.tif,40,40,{CLASSES[n % 2]}" for n in range(6)]
    (tmp_path / "cells.csv").write_text("\n".join(["image,y,x,state", *rows]))
    route = Points(tmp_path / "cells.csv", {name: name for name in CLASSES}, 32)
    label(study, route, CLASSES, name="cells")
    with pytest.raises(LabelError, match=r"labels on patches take no grid.*--whole"):
        split(study, by="picture", scheme=Parts("part"), grid=Whole(), labels="cells")


def test_labels_by_boxes_take_no_grid(tmp_path: Path) -> None:
    """A patch of an image that holds a cell somewhere need not hold it."""
    study = alike(tmp_path, part=PARTS)
    rows = [f"i{n}.tif,{CLASSES[n % 2]},4,4,20,20" for n in range(6)]
    (tmp_path / "boxes.csv").write_text("\n".join(["image,state,xmin,ymin,xmax,ymax", *rows]))
    route = Boxes(tmp_path / "boxes.csv", {name: name for name in CLASSES})
    label(study, route, CLASSES, name="boxed")
    with pytest.raises(LabelError, match=r"not each of its patches.*--whole"):
        split(study, by="picture", scheme=Parts("part"), grid=Grid(32, 32), labels="boxed")


def test_labels_on_frames_need_a_grid_or_whole(tmp_path: Path) -> None:
    """Without either it names both."""
    with pytest.raises(LabelError, match=r"--patch-px.*--whole"):
        split(alike(tmp_path, part=PARTS), by="picture", scheme=Parts("part"))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of mixed sizes with a split of whole frames and one of patches."""
    study = study_of(tmp_path_factory.mktemp("mixed"), MIXED | {"i0.tif": (100, 90)}, part=PARTS)
    split(study, by="picture", scheme=Parts("part"), grid=Whole(), name="whole")
    grid = Grid(64, 64, empty="keep")
    split(study, by="picture", scheme=Parts("part"), grid=grid, name="cut")
    return study


@pytest.mark.parametrize(
    ("profile", "name", "told"),
    [
        (SHORT, "cut", r"WSCNN_FAST: the split holds patches.*patches of 64 px.*--whole"),
        (override(SHORT, {"net": "wscnn4"}), "cut", "sees whole frames"),
        (TINY, "whole", r"TINY: .*Got: whole frames.*--patch-px 64"),
    ],
)
def test_recipe_and_split_must_fit(
    mixed: Study, tmp_path: Path, profile: object, name: str, told: str
) -> None:
    """Nets of frames are not trained on patches, nor nets of patches on frames; no run is begun."""
    with pytest.raises(SpecError, match=told):
        train(mixed, tmp_path / "run", profile, split=name, processes=0)
    assert not (tmp_path / "run").exists()


def test_a_net_of_frames_is_trained_and_kept(mixed: Study, tmp_path: Path) -> None:
    """The card holds the frame size and a rule for places; called again it trains nothing."""
    made = train(mixed, tmp_path / "run", SHORT, split="whole", processes=0)
    net, card = load_model(made.run.model(0))
    assert card.frame_px == net.frame_px == (100, 120)
    assert (card.patch_px, card.input_px, card.stride_px) == (0, 0, 0)
    assert card.detection_rule is not None
    assert 0 < card.detection_rule.threshold < 1
    assert card.data["groups"]["test"] == ["i4.tif", "i5.tif"]
    before = (made.run.model(0) / "weights.safetensors").stat().st_mtime_ns
    again = train(mixed, tmp_path / "run", SHORT, split="whole", processes=0)
    assert again.cards[0] == card
    assert (made.run.model(0) / "weights.safetensors").stat().st_mtime_ns == before


def test_a_net_too_deep_for_the_frames_is_refused(mixed: Study, tmp_path: Path) -> None:
    """Frames that a body leaves no class map of are refused in words."""
    study = study_of(tmp_path, {f"i{n}.tif": (30, 40) for n in range(6)}, part=PARTS)
    split(study, by="picture", scheme=Parts("part"), grid=Whole())
    with pytest.raises(SpecError, match="too small for the net"):
        train(study, tmp_path / "run", override(SHORT, {"net": "wscnn4"}), processes=0)
