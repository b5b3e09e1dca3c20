"""Test regions that several runs share: same cell, whatever the size of the patch."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LabelError, SpecError, SplitError, StudyError
from livewell.inference.common_regions import CommonRegions, matched, run_names
from livewell.region import centred
from livewell.study.runs import RUN, Run, split_hashes
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta, RunMeta, SplitMeta
from livewell.tables.schemas import key_table

GROUPS = {"g1": ("a.tif", 0), "g2": ("b.tif", 0), "g3": ("b.tif", 1)}


def points(seed: int = 0) -> dict[str, np.ndarray]:
    """Points (y, x) of each group, half pixels among them, no two near each other."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2) * 20.0 + 30
    return {group: grid + rng.integers(0, 8, grid.shape) / 2 for group in GROUPS}


def patches(size: int) -> pd.DataFrame:
    """Patches of one size round these points; labels by their number."""
    tables = []
    for group, where in points().items():
        image, t = GROUPS[group]
        table = key_table(centred(image, t, where, size))
        tables.append(table.assign(label=["healthy", "sick"] * 12 + ["sick"], group=group))
    return pd.concat(tables, ignore_index=True)


def make_run(
    folder: Path,
    table: pd.DataFrame,
    parts: dict[str, str],
    *,
    root: Path | None = None,
    classes: tuple[str, ...] = ("healthy", "sick"),
    by: str = "well",
) -> Path:
    """A study of two images with a split of these patches, and the folder of a run on it."""
    fields = pd.DataFrame({"image": ["a.tif", "b.tif"], "path": ["a.tif", "b.tif"]})
    fields = fields.assign(well=["A01", "B01"], plate="P")
    study = Study.create(folder / "study", root or folder.parent, fields)
    split = SplitMeta(
        classes=classes,
        labels="labels",
        label_meta=LabelMeta(route="points", classes=classes),
        by=by,
        scheme="named",
        patch_px=64,
        channels=("phase",),
        pixel_um=1.0,
    )
    folds = pd.DataFrame({"fold": 0, "group": list(parts), "part": list(parts.values())})
    study.write_split("split", table, folds, split)
    spec = RunMeta(
        classes=classes,
        study=str(study.folder),
        split="split",
        profile={"name": "TINY"},
        group=by,
        folds=(0,),
        inputs=split_hashes(study, "split"),
    )
    return Run.claim(folder / "run", spec).folder


ALL = dict.fromkeys(GROUPS, "test")


@pytest.mark.parametrize(("one", "other"), [(64, 64), (64, 65), (64, 66), (65, 113), (48, 112)])
def test_patches_round_one_point_are_the_same(one: int, other: int) -> None:
    """Whatever the sizes, each patch is matched with that round its own point, and no other."""
    first = patches(one)
    second = patches(other).sample(frac=1, random_state=1).rename_axis("number").reset_index()
    ours, theirs = matched(first, second)
    assert ours.tolist() == list(range(len(first)))
    assert second["number"].to_numpy()[theirs].tolist() == ours.tolist()


def test_other_frames_and_far_centres_do_not_match() -> None:
    """A patch two pixels away, of another frame or of another image is another region."""
    table = patches(64)
    for change in ({"y0": 2, "y1": 2}, {"t": 5}):
        moved = table.assign(**{name: table[name] + by for name, by in change.items()})
        assert len(matched(table, moved)[0]) == 0
    assert len(matched(table, table.assign(image="c.tif"))[0]) == 0


def test_what_both_hold_out_is_compared(tmp_path: Path) -> None:
    """Groups that one run trained on are left out; how many each run tested is known."""
    first = make_run(tmp_path / "a", patches(64), ALL)
    second = make_run(tmp_path / "b", patches(113), ALL | {"g2": "train"})
    common = CommonRegions.of([first, second])
    assert set(common.regions["group"]) == {"g1", "g3"}
    assert common.tested == {"a/run": 75, "b/run": 50}
    assert common.by == "well"
    for tested, size in zip(common.runs.values(), (64, 113), strict=True):
        kept = tested.part("test")
        assert len(kept) == len(common.regions) == 50
        assert (kept["y1"] - kept["y0"] == size).all()
        assert kept["row"].tolist() == list(range(50))
        assert kept["label"].tolist() == common.regions["label"].tolist()


def test_groups_may_be_named_by_a_column(tmp_path: Path) -> None:
    """With `by` runs whose splits took other columns are compared, on groups of that column."""
    first = make_run(tmp_path / "a", patches(64), ALL)
    renamed = patches(64).assign(group="plate")
    second = make_run(tmp_path / "b", renamed, {"plate": "test"}, by="plate")
    with pytest.raises(SplitError, match=r"different columns.*--by"):
        CommonRegions.of([first, second])
    common = CommonRegions.of([first, second], by="well")
    assert set(common.regions["group"]) == {"P/A01", "P/B01"}
    third = make_run(tmp_path / "c", renamed, {"plate": "test"})
    with pytest.raises(SplitError, match=r"in other groups.*75 of 75 differ.*--by"):
        CommonRegions.of([first, third])


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    """Runs that hold out different groups share no region."""
    first = make_run(tmp_path / "a", patches(64), ALL | {"g1": "train"})
    second = make_run(tmp_path / "b", patches(64), {"g1": "test", "g2": "train", "g3": "train"})
    with pytest.raises(SplitError, match=r"no region is held out in all.*50 in a/run, 25 in b/run"):
        CommonRegions.of([first, second])


def test_other_labels_are_refused(tmp_path: Path) -> None:
    """One region that is healthy here and sick there is enough, and is named."""
    table = patches(64)
    table.loc[25, "label"] = "sick"
    runs = [make_run(tmp_path / "a", patches(64), ALL), make_run(tmp_path / "b", table, ALL)]
    with pytest.raises(LabelError, match=r"1 of 75 differ, such as b.tif, frame 0: healthy"):
        CommonRegions.of(runs)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    """Runs whose positive class is another cannot be compared."""
    turned = make_run(tmp_path / "b", patches(64), ALL, classes=("sick", "healthy"))
    with pytest.raises(SpecError, match="different classes"):
        CommonRegions.of([make_run(tmp_path / "a", patches(64), ALL), turned])


def test_groups_tested_twice_are_refused(tmp_path: Path) -> None:
    """A group that two folds test has two answers, and none of them counts."""
    run = make_run(tmp_path / "a", patches(64), ALL)
    twice = make_run(tmp_path / "b", patches(64), ALL)
    study = Study.open(tmp_path / "b" / "study")
    table, folds, meta = study.split("split")
    study.write_split("split", table, pd.concat([folds, folds.assign(fold=1)]), meta)
    told = RunMeta.read(twice / RUN)
    again = {"folds": (0, 1), "inputs": split_hashes(study, "split")}
    told.model_copy(update=again).write(twice / RUN)
    with pytest.raises(SplitError, match="tested in more than one fold"):
        CommonRegions.of([run, twice])


def test_other_images_of_the_same_name_are_refused(tmp_path: Path) -> None:
    """Copies of the images elsewhere are the same regions; other pixels under a name are not."""
    rng = np.random.default_rng(0)
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, rng.integers(0, 99, (200, 200), np.uint16))
    shutil.copytree(tmp_path, tmp_path / "copy")
    shutil.copytree(tmp_path / "copy", tmp_path / "other")
    tifffile.imwrite(tmp_path / "other" / "b.tif", rng.integers(0, 99, (200, 200), np.uint16))
    first = make_run(tmp_path / "x", patches(64), ALL)
    copy = make_run(tmp_path / "y", patches(64), ALL, root=tmp_path / "copy")
    other = make_run(tmp_path / "z", patches(64), ALL, root=tmp_path / "other")
    assert len(CommonRegions.of([first, copy]).regions) == 75
    with pytest.raises(StudyError, match=r"hold something else.*b.tif"):
        CommonRegions.of([first, other])


def test_short_names_tell_runs_apart(tmp_path: Path) -> None:
    """A run goes by its folder's name, with the folder above it where two have the same."""
    assert list(run_names([tmp_path / "x" / "one", tmp_path / "two"])) == ["one", "two"]
    assert list(run_names([tmp_path / "x" / "run", tmp_path / "y" / "run"])) == ["x/run", "y/run"]
    with pytest.raises(SpecError, match="two training runs or more"):
        run_names([tmp_path / "one"])
    with pytest.raises(SpecError, match="given twice"):
        run_names([tmp_path / "one", tmp_path / "x" / ".." / "one"])
