"""Patches are dealt by whole groups, and no picture stands on two sides."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LabelError, LeakError, SplitError
from livewell.labels.by_column import Column
from livewell.labels.by_points import Points
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.copies import refuse_copies
from livewell.splitting.schemes import Holdout, KFolds, LeaveOneOut, Named, Scheme
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.training.split import TrainingSplit
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split

Writer = Callable[..., Path]

CLASSES = ("healthy", "sick")
LOOKS = {"healthy": "healthy", "sick": "sick"}
GRID = Grid(64, 64)
LEAST = Holdout((0.4, 0.3, 0.3))


@pytest.fixture
def copy(study: Study, tmp_path: Path) -> Study:
    """A copy of the study that a test may change; the images are the same."""
    shutil.copytree(study.folder, tmp_path / "study")
    return Study.open(tmp_path / "study")


def study_of(folder: Path, images: Path, table: str, files: str = "*") -> Study:
    """A study of `images` by a CSV, labelled by its column look."""
    (folder / "table.csv").write_text(table)
    made = index(images, folder / "study", metadata=folder / "table.csv", files=files)
    label(made.study, Column("look", LOOKS), CLASSES)
    return made.study


@pytest.mark.parametrize(
    ("scheme", "folds"),
    [
        (Holdout((0.6, 0.2, 0.2)), 1),
        (KFolds(3), 3),
        (LeaveOneOut(), 10),
        (Named(("A01", "B01")), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_groups_are_never_shared(copy: Study, scheme: Scheme, folds: int) -> None:
    """In every fold of every scheme a well plays one part, and every part holds both classes."""
    split(copy, by="well", scheme=scheme, grid=GRID, name="mine")
    patches, parts, meta = copy.split("mine")
    dealt = patches.merge(parts, on="group")
    assert parts["fold"].nunique() == folds
    assert dealt.groupby(["fold", "group"])["part"].nunique().max() == 1
    assert (patches["group"] == patches["image"].str[:3]).all()
    learnt = dealt[dealt["part"] != "test"].groupby(["fold", "part"])["label"]
    assert learnt.nunique().min() == 2
    if isinstance(scheme, Named):
        assert set(parts.loc[parts["part"] == "test", "group"]) == {"A01", "B01"}
    if isinstance(scheme, KFolds | LeaveOneOut):
        tested = parts[parts["part"] == "test"]
        assert sorted(tested["group"]) == sorted(patches["group"].unique())
    assert meta.by == "well"


def test_patches_and_what_is_written(study: Study) -> None:
    """Patches lie in their frames, wells between the doses have none, and the settings stand."""
    patches, _, meta = study.split("split")
    assert len(patches) == 10 * 3 * 6
    assert not patches["image"].str.startswith("C").any()
    assert patches["y1"].max() <= 128
    assert patches["x1"].max() <= 192
    assert meta.patch_px == 64
    assert meta.pixel_um == pytest.approx(0.5)
    assert meta.channels == ("phase contrast",)
    assert meta.counts["patches"] == len(patches)


def test_every_nth_frame(copy: Study) -> None:
    """Only every n-th frame is cut where the user says so."""
    made = split(copy, by="well", scheme=LEAST, grid=Grid(64, 64, every=2))
    assert set(made.patches["t"]) == {0, 2}


def test_no_such_group(copy: Study) -> None:
    """Without a column that names the groups nothing is dealt; the columns there are told."""
    with pytest.raises(SplitError, match=r"experiment: no such group.*well.*index with a pattern"):
        split(copy, by="experiment", scheme=LEAST, grid=GRID)


def test_group_missing(plate: Path, tmp_path: Path) -> None:
    """Labelled images without a group are refused by name."""
    names = sorted(path.name for path in (plate / "images").glob("[AB]*"))
    donors = {name: name[:3] for name in names} | {"B02_p1.ome.tif": ""}
    rows = [f"{n},{'healthy' if n < 'B' else 'sick'},{donors[n]}" for n in names]
    table = "\n".join(["image,look,donor", *rows])
    study = study_of(tmp_path, plate / "images", table, files="[AB]*")
    told = r"column donor: labelled images without a donor: 1.*B02_p1\.ome\.tif"
    with pytest.raises(SplitError, match=told):
        split(study, by="donor", scheme=LEAST, grid=GRID)
    assert study.split_names() == []


def test_labels_on_frames_need_a_grid(copy: Study) -> None:
    """Without a patch size, labels of frames cannot be cut, and it says so."""
    with pytest.raises(LabelError, match="need a grid"):
        split(copy, by="well", scheme=LEAST)


def plate_with(tmp_path: Path, plate: Path, twin: np.ndarray, write_movie: Writer) -> Study:
    """The plate's wells A01-A04 and B01-B04 once more, and `twin` as well B09, group by well."""
    images = tmp_path / "images"
    images.mkdir()
    for path in (plate / "images").glob("[AB]0[1234]*"):
        shutil.copy(path, images / path.name)
    write_movie(images / "B09_p1.ome.tif", twin)
    wells = sorted(path.name[:3] for path in images.iterdir())
    rows = [f"{well}_p1.ome.tif,{well},{'healthy' if well < 'B' else 'sick'}" for well in wells]
    return study_of(tmp_path, images, "\n".join(["image,well,look", *rows]))


@pytest.mark.parametrize(
    ("source", "cut"),
    [
        ("A01", np.s_[:]),
        ("B01", np.s_[:, ::-1]),
        ("A01", np.s_[:, 64:, :96]),
        ("B02", np.s_[1:2, :, 96:]),
    ],
    ids=["same picture", "mirrored", "one of four tiles", "half of one frame"],
)
def test_same_content_is_found(
    plate: Path, tmp_path: Path, write_movie: Writer, source: str, cut: tuple[slice, ...]
) -> None:
    """A picture that stands in two wells, whole, turned or as a tile, is found and refused."""
    original = f"{source}_p1.ome.tif"
    twin = tifffile.imread(plate / "images" / original)[cut]
    study = plate_with(tmp_path, plate, twin, write_movie)
    sides = Named((source,))
    with pytest.raises(LeakError) as refused:
        split(study, by="well", scheme=sides, grid=Grid(32, 32, empty="keep"))
    assert original in str(refused.value)
    assert "B09_p1.ome.tif" in str(refused.value)
    assert "merge-duplicates" in str(refused.value)
    assert study.split_names() == []


@pytest.mark.long
def test_near_copies_are_found(plate: Path, tmp_path: Path, write_movie: Writer) -> None:
    """8 bits of a cropped and mirrored movie in another well are refused as a judgement, which
    whoever sees different fields can overrule, on the record; in one group they may stay."""
    pair = "A01_p1.ome.tif", "B09_p1.ome.tif"
    movie = tifffile.imread(plate / "images" / pair[0])[:, ::-1]
    study = plate_with(tmp_path, plate, (movie[:, 3:, 5:] // 8).astype(np.uint8), write_movie)
    asked: dict[str, Any] = {"by": "well", "scheme": Named(("A01",)), "grid": GRID}
    with pytest.raises(LeakError, match="near copies on two sides") as refused:
        split(study, **asked)
    assert all(name in str(refused.value) for name in (*pair, "near copy", "--different-fields"))
    split(study, **asked, different_fields=[pair])
    patches, folds, meta = study.split("split")
    assert meta.different_fields == (pair,)
    refuse_copies(study, "split", StudyPixels(study))
    made = split(study, by="well", scheme=KFolds(3), grid=GRID, merge_duplicates=True)
    assert set(made.patches.loc[made.patches["image"].isin(pair), "group"]) == {"A01+B09"}
    with pytest.raises(SplitError, match="no such images"):
        split(study, **asked, different_fields=[(pair[0], "Z01.tif")])
    old = meta.model_copy(update={"different_fields": (), "without_copies": ""})
    study.write_split("old", patches, folds, old)
    with pytest.raises(LeakError, match="near copies"):
        TrainingSplit.of(study, "old", override(TINY, {})).prepare()


def test_duplicates_can_be_united(plate: Path, tmp_path: Path, write_movie: Writer) -> None:
    """On demand two wells that show the same become one group, which plays one part."""
    twin = tifffile.imread(plate / "images" / "B01_p1.ome.tif")
    study = plate_with(tmp_path, plate, twin, write_movie)
    made = split(study, by="well", scheme=KFolds(3), grid=GRID, merge_duplicates=True)
    groups = made.patches.drop_duplicates("image").set_index("image")["group"]
    assert groups["B01_p1.ome.tif"] == groups["B09_p1.ome.tif"] == "B01+B09"
    assert groups["A01_p1.ome.tif"] == "A01"
    assert study.split("split")[2].merge_duplicates is True


def test_digests_are_kept(copy: Study) -> None:
    """A second split compares pictures by the digests of the first."""
    kept = next((copy.folder / "cache").glob("content-*.parquet"))
    before = pd.read_parquet(kept)
    split(copy, by="well", scheme=KFolds(3), grid=GRID, name="other")
    assert pd.read_parquet(kept).equals(before)


def test_ties_are_told(plate: Path, tmp_path: Path) -> None:
    """A batch that knows the label is told as a warning, in the split as well."""
    names = sorted(path.name for path in (plate / "images").glob("[AB]*"))
    rows = [f"{n},{n[:3]},{'healthy' if n < 'B' else 'sick'},r{n[0]}{int(n[2]) % 2}" for n in names]
    table = "\n".join(["image,well,look,replicate", *rows])
    study = study_of(tmp_path, plate / "images", table, files="[AB]*")
    made = split(study, by="well", scheme=LEAST, grid=GRID)
    assert any("replicate" in warning for warning in made.warnings)
    assert study.split("split")[2].warnings == made.warnings


def two_positions(plate: Path, tmp_path: Path, write_movie: Writer, place: str = "well") -> Study:
    """Eight wells, each of two frames of a movie by itself; one look a `place`."""
    images = tmp_path / "images"
    images.mkdir()
    rows = [f"image,{place},position,look"]
    for source in sorted((plate / "images").glob("[AB]0[1234]*")):
        well, movie = source.name[:3], tifffile.imread(source)
        for position in (1, 2):
            name = f"{well}_{position}.ome.tif"
            write_movie(images / name, movie[position - 1 : position])
            rows.append(f"{name},{well},{position},{'healthy' if well < 'B' else 'sick'}")
    return study_of(tmp_path, images, "\n".join(rows))


@pytest.mark.long
def test_positions_of_a_well(plate: Path, tmp_path: Path, write_movie: Writer) -> None:
    """Single positions as groups tear wells, which is warned of; a well's label confounds none."""
    study = two_positions(plate, tmp_path, write_movie)
    warnings = split(study, by="well", scheme=LEAST, grid=GRID).warnings
    assert not [text for text in warnings if "confounded" in text or "stand in several" in text]
    warnings = split(study, by="position", scheme=LEAST, grid=GRID).warnings
    assert [text for text in warnings if "8 wells stand in several groups, such as A01" in text]


def test_tiles_stay_with_their_picture(plate: Path, tmp_path: Path, write_movie: Writer) -> None:
    """Tiles that are known to be of one picture cannot be dealt singly."""
    study = two_positions(plate, tmp_path, write_movie, "picture")
    with pytest.raises(LeakError, match=r"image tears pictures.*split by picture"):
        split(study, by="image", scheme=LEAST, grid=GRID)
    split(study, by="picture", scheme=LEAST, grid=GRID)


def test_every_picture_mostly_live(plate: Path, tmp_path: Path) -> None:
    """Pictures of both classes, most cells of all of them live: split, as nothing is confounded."""
    names = sorted(path.name for path in (plate / "images").glob("[AB]*"))
    study = study_of(
        tmp_path,
        plate / "images",
        "\n".join(
            ["image,well,look", *(f"{n},{n[:3]},{'healthy' if n < 'B' else 'sick'}" for n in names)]
        ),
        files="[AB]*",
    )
    places = [(40, 40, "live"), (40, 90, "live"), (80, 90, "dead")]
    cells = [f"{n},0,{y},{x},{state}" for n in names for y, x, state in places]
    (tmp_path / "cells.csv").write_text("\n".join(["image,t,y,x,state", *cells]))
    route = Points(tmp_path / "cells.csv", {"live": "live", "dead": "dead"}, 64)
    label(study, route, ("live", "dead"), name="cells")
    made = split(study, by="well", scheme=LEAST, labels="cells")
    assert made.warnings == ()
    assert made.patches.groupby("image")["label"].nunique().eq(2).all()


def test_a_blank_frame_is_left_out_and_told(
    tmp_path: Path, plate: Path, write_movie: Writer
) -> None:
    """Row 25: one frame of zeros in one of ten movies costs its own patches alone."""
    shutil.copytree(plate / "images", tmp_path / "images")
    name = "A01_p1.ome.tif"
    movie = tifffile.imread(tmp_path / "images" / name)
    movie[1] = 0
    write_movie(tmp_path / "images" / name, movie)
    pattern = "{look}{column:int}_p{position}.ome.tif"
    made = index(tmp_path / "images", tmp_path / "study", pattern=pattern, unmatched="drop")
    label(made.study, Column("look", {"A": "healthy", "B": "sick"}, others="drop"), CLASSES)
    found = split(made.study, by="image", scheme=LEAST, grid=GRID)
    frames = found.patches.groupby("image")["t"].agg(lambda t: sorted(set(t)))
    assert frames[name] == [0, 2]
    assert all(each == [0, 1, 2] for image, each in frames.items() if image != name)
    assert sum(f"{name}, frame 1" in text for text in found.warnings) == 1
