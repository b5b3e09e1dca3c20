"""What a model has learnt from is told by content, whatever files and folders are called."""

import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import ModelFileError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.unseen import UNTOLD, candidates, scorers
from livewell.labels.by_column import Column
from livewell.models.files import load_model, rewrite_card
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.splitting.schemes import KFolds
from livewell.study.content import all_frames, first_frames
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

PATTERN = "{well}_p{position:int}.ome.tif"


def learnt(model: Path) -> set[str]:
    """Wells that the model was trained or calibrated on."""
    groups = load_model(model)[1].data["groups"]
    return {*groups["train"], *groups["validation"]}


def seen(study: Study, model: Path) -> set[str]:
    """Wells of the study that the model has learnt from."""
    table = scorers(study, candidates(model, study))
    return set(table.loc[table["seen"], "group"])


def test_the_study_that_was_learnt_from(study: Study, trained: TrainingResult) -> None:
    """Training and validation wells are seen, test wells and those in no part are not."""
    assert seen(study, trained.run.folder) == learnt(trained.run.model(0))
    assert candidates(trained.run.folder, study).same_study


def test_moved_renamed_and_copied_images_are_known_again(
    study: Study, trained: TrainingResult, tmp_path: Path
) -> None:
    """A copy of the images under other names, in a study of another name, is no other plate."""
    shutil.copytree(trained.run.model(0), tmp_path / "model")
    for image in study.fields()["image"]:
        (tmp_path / "images").mkdir(exist_ok=True)
        shutil.copy(study.path(image), tmp_path / "images" / f"Z{image[1:]}" if image[0] == "C"
                    else tmp_path / "images" / f"{image[0]}1{image[2:]}")  # fmt: skip
    copied = index(tmp_path / "images", tmp_path / "elsewhere", pattern=PATTERN).study
    old = {f"{well[0]}1{well[2:]}" for well in learnt(trained.run.model(0))}
    assert seen(copied, tmp_path / "model") == old


def near_study(study: Study, folder: Path, write_movie) -> Study:
    """The study's movies in 8 bits, turned and without two rows and columns."""
    for image in study.fields()["image"]:
        frames = np.rot90(tifffile.imread(study.path(image))[:, 2:, 2:], axes=(1, 2))
        write_movie(folder / "images" / image, (frames // 8).astype(np.uint8))
    fields = index(folder / "images", folder / "study", pattern=PATTERN).study.fields()
    fields = fields.assign(look=fields["well"].str[0].replace("C", "B"))
    made = Study.create(folder / "study", folder / "images", fields)
    label(made, Column("look", {"A": "healthy", "B": "sick"}), ("healthy", "sick"))
    return made


def test_near_copies_are_known_again(
    study: Study, trained: TrainingResult, tmp_path: Path, write_movie
) -> None:
    """Other grey levels, a turn and a crop hide nothing: what was learnt from is left out, said to
    be a near copy, and no verdict on it is evidence; a damaged file of likenesses is refused."""
    copied = near_study(study, tmp_path, write_movie)
    model = trained.run.model(0)
    assert seen(copied, model) == learnt(model)
    tested = EvaluationSet.of_study(model, copied)
    assert not set(tested.patches["image"].str[:3]) & learnt(model)
    assert any("look like near copies" in text for text in tested.meta.warnings)
    notes = assess(tmp_path / "images", model, tmp_path / "out").verdicts
    known = notes["note"].str.contains("a near copy")
    assert set(notes.loc[known, "image"].str[:3]) == learnt(model)
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model" / "learnt.safetensors").write_bytes(b"other")
    with pytest.raises(ModelFileError, match="has learnt from cannot be read"):
        seen(copied, tmp_path / "model")


def test_another_plate_with_the_same_wells_is_another_one(
    study: Study, trained: TrainingResult, tmp_path: Path, paint, write_movie
) -> None:
    """Names of wells alone make nothing seen."""
    for number, image in enumerate(study.fields()["image"]):
        write_movie(tmp_path / "images" / image, paint("healthy", 500 + number))
    other = index(tmp_path / "images", tmp_path / study.folder.name, pattern=PATTERN).study
    assert seen(other, trained.run.folder) == set()
    assert not candidates(trained.run.folder, other).same_study


def test_a_unit_is_seen_if_any_of_its_images_is(study: Study, trained: TrainingResult) -> None:
    """Where two wells count as one unit, a model that learnt from one of them has seen both."""
    found = candidates(trained.run.folder, study)
    rows = pd.Series([name[0] for name in study.fields()["image"]], study.fields()["image"])
    table = scorers(study, found, rows)
    assert table.groupby("group")["seen"].nunique().eq(1).all()
    assert set(table.loc[table["seen"], "group"]) == {
        well[0] for well in learnt(found.models[0].folder)
    }


def test_folds_finer_than_units_judge_no_unit_that_they_saw(
    tmp_path: Path, paint, write_movie
) -> None:
    """Of a run split by position, no fold scores a well one of whose positions it learnt from."""
    for seed, (row, column, position) in enumerate(product("AB", (1, 2), (1, 2))):
        frames = paint({"A": "healthy", "B": "sick"}[row], 90 + seed)
        write_movie(tmp_path / "images" / f"{row}{column:02}_p{position}.ome.tif", frames)
    study = index(tmp_path / "images", tmp_path / "study", pattern=PATTERN).study
    fields = study.fields().assign(treatment=lambda t: t["well"].str[0])
    study = Study.create(tmp_path / "study", study.root, fields)
    label(study, Column("treatment", {"A": "healthy", "B": "sick"}), ("healthy", "sick"))
    split(study, by="position", scheme=KFolds(2, 0.25), grid=Grid(64, 64))
    brief = override(TINY, {"steps": 3, "steps_per_epoch": 3})
    run = train(study, tmp_path / "run", brief, processes=0).run
    found = candidates(run.folder, study)
    wells = pd.Series(fields["well"].to_numpy(), index=fields["image"])
    table = scorers(study, found, wells)
    assert table.groupby("group")["model"].nunique().eq(1).all()
    for row in table[~table["seen"]].itertuples():
        images = table.loc[table["group"] == row.group, "image"]
        digests = frozenset().union(*(found.digests[image] for image in images))
        assert digests.isdisjoint(found.models[row.model].learnt)


def test_several_folds_of_other_images(study: Study, tmp_path: Path, paint, write_movie) -> None:
    """Of other images no fold is better than another, so the user must name one."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="two")
    brief = override(TINY, {"steps": 3, "steps_per_epoch": 3})
    run: Run = train(study, tmp_path / "run", brief, split="two", processes=0).run
    write_movie(tmp_path / "images" / "A01_p1.ome.tif", paint("healthy", 77))
    other = index(tmp_path / "images", tmp_path / "other", pattern=PATTERN).study
    with pytest.raises(ModelFileError, match="one a fold"):
        candidates(run.folder, other)
    assert seen(other, run.fold(1)) == set()


def test_near_copies_that_are_evaluated_are_not_said_to_be_left_out(
    study: Study, tmp_path: Path, write_movie
) -> None:
    """Near copies of what one fold learnt from are scored by the fold that did not, and no warning
    is needed."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="halves")
    brief = override(TINY, {"steps": 3, "steps_per_epoch": 3})
    run = train(study, tmp_path / "run", brief, split="halves", processes=0).run
    copied = near_study(study, tmp_path, write_movie)
    tested = EvaluationSet.of_study(run.folder, copied)
    assert set(tested.patches["image"]) == set(copied.labels("labels")["image"])
    assert not any("near copies" in text for text in tested.meta.warnings)


def test_a_card_that_does_not_say_is_told(
    study: Study, trained: TrainingResult, tmp_path: Path
) -> None:
    """A model of an older version knows nothing of what it learnt from, and a note says so."""
    shutil.copytree(trained.run.model(0), tmp_path / "old")
    _, card = load_model(tmp_path / "old")
    data = {name: value for name, value in card.data.items() if name != "learnt"}
    rewrite_card(tmp_path / "old", card.model_copy(update={"data": data}))
    assert candidates(tmp_path / "old", study).notes == (UNTOLD,)


def test_files_that_cannot_be_read_have_no_digest(study: Study, tmp_path: Path) -> None:
    """A broken file is no error here; equal pictures have equal digests, others not."""
    shutil.copytree(study.root, tmp_path / "images")
    first, second, *_ = sorted((tmp_path / "images").glob("*.tif"))
    first.write_bytes(b"II*\0 broken")
    shutil.copy(second, tmp_path / "images" / "Z09_p1.ome.tif")
    copied = Study.create(
        tmp_path / "study",
        tmp_path / "images",
        pd.DataFrame(
            {"image": [p.name for p in sorted((tmp_path / "images").glob("*.tif"))]}
        ).assign(path=lambda t: t["image"]),
    )
    found = first_frames(copied, copied.fields()["image"])
    assert not found[first.name]
    assert found[second.name] == found["Z09_p1.ome.tif"] != ""
    assert len(set(found.values())) == len(found) - 1


def test_blank_frames_make_no_two_movies_alike(tmp_path: Path, paint, write_movie) -> None:
    """Movies that begin with a black frame are told apart by their first picture, and one that is
    black throughout has no digest."""
    for number, name in enumerate(("A01", "A02", "A03")):
        frames = paint("healthy", number)
        frames[: 1 if number < 2 else None] = 0
        write_movie(tmp_path / "images" / f"{name}_p1.ome.tif", frames)
    study = index(tmp_path / "images", tmp_path / "study", pattern=PATTERN).study
    first, second, black = first_frames(study, sorted(study.fields()["image"])).values()
    assert first != second
    assert first
    assert second
    assert not black


def test_frames_that_cannot_be_used_hide_no_copy(tmp_path: Path, paint, write_movie) -> None:
    """A copy is known by its first usable frame, whatever a dye or a bad frame before it shows."""
    movie = paint("healthy", 3).astype(np.float32)
    movie[0, 0, 0] = np.nan
    dyed = np.stack([paint("healthy", 4), paint("sick", 4)], axis=1)
    dyed[0, 1] = 0
    images = tmp_path / "images"
    write_movie(images / "A01_p1.ome.tif", movie)
    said = {"axes": "TCYX", "Channel": {"Name": ["phase contrast", "dye"]}}
    path = images / "A02_p1.ome.tif"
    tifffile.imwrite(path, dyed, ome=True, photometric="minisblack", metadata=said)
    study = index(images, tmp_path / "study", pattern=PATTERN).study
    for channels in ("phase contrast", ("phase contrast", "dye")):
        names = ["A02_p1.ome.tif"] if isinstance(channels, tuple) else study.fields()["image"]
        pixels = StudyPixels(study, channels)
        first = first_frames(study, names, channels)
        for name, digests in first.items():
            assert digests & all_frames(study, pixels, [name]).digests
