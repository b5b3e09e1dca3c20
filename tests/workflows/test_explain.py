"""Looking inside a run: on unseen groups alone, the same each time, refused in plain words."""

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from numpy.typing import NDArray

from livewell.errors import OutputError, SpecError, SplitError, StudyError
from livewell.explain import crops
from livewell.explain.class_model import Ascent
from livewell.explain.crops import CropCam
from livewell.inference import evaluation_set as scores
from livewell.labels.by_dose import Dose
from livewell.models.files import load_model, rewrite_card
from livewell.models.profile import override
from livewell.models.recipes import TINY
from livewell.report.inside import Inside, Look
from livewell.splitting.schemes import Holdout, KFolds
from livewell.study.regions import Grid
from livewell.study.runs import Run
from livewell.study.study import Study
from livewell.workflows.explain import Explanation, explain
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

CLASSES = ("healthy", "sick")
BRIEF = override(TINY, {"steps": 3, "steps_per_epoch": 3})
QUICK = Look(patches=2, ascent=Ascent(steps=3))
BARE = Look(patches=1, fields=0, models=False)
SHARES = ("off_cells", "area_off_cells")


def results(made: Explanation) -> dict[str, object]:
    return json.loads((made.folder / "results.json").read_text())


def patches(made: Explanation) -> pd.DataFrame:
    return pd.read_csv(made.folder / "patches.csv")


def maps(made: Explanation) -> dict[str, NDArray[np.float32]]:
    return {path.name: tifffile.imread(path) for path in (made.folder / "fields").iterdir()}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inside")


@pytest.fixture(scope="module")
def made(trained: TrainingResult, out: Path) -> Explanation:
    """Both classes of the shared run; not to be changed."""
    return explain(trained.run.folder, out=out / "both", look=QUICK)


@pytest.fixture(scope="module")
def earlier(trained: TrainingResult, out: Path) -> dict[str, Explanation]:
    """By class weights and by crop weights, at a layer before the last; not to be changed."""
    looks = {
        kind: Look(layer="block2", weights=kind, patches=1, models=False)
        for kind in ("class", "crop")
    }
    return {
        kind: explain(trained.run.folder, out=out / kind, look=look) for kind, look in looks.items()
    }


@pytest.fixture(scope="module")
def folds(study: Study, out: Path) -> Run:
    """A run of two folds on that study."""
    split(study, by="well", scheme=KFolds(2), grid=Grid(64, 64), name="two-folds")
    return train(study, out / "folds", BRIEF, split="two-folds", processes=0).run


def test_what_was_found_is_on_file(made: Explanation) -> None:
    """results.json holds layer, scale, shares with intervals and disagreement, as returned."""
    found = results(made)
    assert found["kind"] == "explanation"
    assert found["layer"] == "block3"
    assert found["full_colour"] > 0
    assert set(found["background"]) == set(made.background) == set(CLASSES)
    for name, share in made.background.items():
        told = found["background"][name]["evidence"]
        assert (told["value"], told["low"]) == (share.evidence.value, share.evidence.low)
        assert told["low"] <= told["value"] <= told["high"]
        assert share.patches + share.without_cells == (patches(made)["evidence_for"] == name).sum()
    rows = [tuple(row.values()) for row in found["disagreement"]]
    assert rows == made.disagreement
    assert all(0 <= value <= 2**0.5 for row in rows for value in row[2:])


def test_shares_of_patches_lie_between_0_and_1(made: Explanation) -> None:
    """patches.csv has one row a patch and class, with shares; evidence is never below zero."""
    table = patches(made)
    assert set(table["evidence_for"]) == set(CLASSES)
    for name in SHARES:
        known = table[name].dropna()
        assert known.between(0, 1).all()
    assert (table["evidence"] >= 0).all()
    assert (table["off_cells"].isna() == (table["evidence"] == 0)).all()
    assert not table.duplicated(["image", "t", "y0", "x0", "evidence_for"]).any()
    lit = table[table["with_cells"]]
    for name, rows in lit.groupby("evidence_for"):
        share = (rows["off_cells"].fillna(0) * rows["evidence"]).sum() / rows["evidence"].sum()
        assert made.background[str(name)].evidence.value == pytest.approx(share)


def test_class_activation_maps_of_every_class(made: Explanation) -> None:
    """The page has a row for each class, and says what both maps are of such a net."""
    page = made.page.read_text("utf-8")
    section = page[page.index("Class activation maps, class by class") :]
    section = section[: section.index("Surest calls")]
    assert "Zhou et al. 2016" in section
    assert "cut at zero" in section
    for name in CLASSES:
        assert f"{name}: p " in section


def test_evidence_is_of_unseen_groups_only(
    made: Explanation, trained: TrainingResult, study: Study
) -> None:
    """No patch, field or gallery is of a well that the model was trained or tuned on."""
    _, parts, _ = study.split(trained.run.spec.split)
    unseen = set(parts.loc[parts["part"] == "test", "group"])
    table = patches(made)
    assert set(table["group"]) <= unseen
    assert (table["image"].str[:3] == table["group"]).all()
    assert {name[:3] for name in maps(made)} <= unseen
    text = made.page.read_text("utf-8")
    shown = set(re.findall(r"p \d\.\d\d, (\w+)", text))
    assert shown
    assert shown <= unseen


def test_a_patch_speaks_for_the_class_that_it_was_called(
    made: Explanation, trained: TrainingResult
) -> None:
    """Evidence for sick is measured on patches called sick, for healthy on the others."""
    table = patches(made)
    threshold = trained.cards[0].region_rule.threshold
    called = np.where(table["p"] >= threshold, "sick", "healthy")
    assert (table["evidence_for"] == called).all()


def test_fields_are_maps_of_the_frames_size(made: Explanation, study: Study) -> None:
    """One TIFF of 32-bit numbers a class, as large as the frame, nothing below zero."""
    found = maps(made)
    assert sorted(name.rsplit("-", 1)[1] for name in found) == ["healthy.tif", "sick.tif"]
    headers = study.headers().set_index("image")
    for name, values in found.items():
        header = headers.loc[f"{name.split('-')[0]}.ome.tif"]
        assert values.shape == (header["height"], header["width"])
        assert values.dtype == np.float32
        assert np.nanmin(values) >= 0
        assert np.nanmax(values) > 0
    for path in (made.folder / "fields").iterdir():
        with tifffile.TiffFile(path) as file:
            assert file.series[0].axes == "YX"


def test_the_rim_of_a_field_is_looked_at_too(made: Explanation) -> None:
    """Windows reach beyond the field on all sides, so that no pixel of it is left out."""
    assert all(np.isfinite(values).all() for values in maps(made).values())


def test_the_rim_is_looked_at_where_windows_fit(trained: TrainingResult, tmp_path: Path) -> None:
    """At a stride that divides the field no pixel is left out."""
    look = Look(patches=1, models=False, stride_px=8)
    fitting = explain(trained.run.folder, out=tmp_path / "out", look=look)
    assert all(np.isfinite(values).all() for values in maps(fitting).values())


@pytest.mark.long
def test_the_same_seed_gives_the_same_files(
    made: Explanation, trained: TrainingResult, out: Path
) -> None:
    """Patches, results and maps do not depend on when they were made; intervals on the seed."""
    again = explain(trained.run.folder, out=out / "again", look=QUICK)
    for name in ("patches.csv", "results.json"):
        assert (again.folder / name).read_bytes() == (made.folder / name).read_bytes()
    first, second = maps(made), maps(again)
    assert set(first) == set(second)
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
    other = explain(trained.run.folder, out=out / "seed", look=BARE, seed=1)
    for name, share in other.background.items():
        assert share.evidence.value == pytest.approx(made.background[name].evidence.value)
    assert other.background != made.background


def test_the_same_command_goes_on_and_another_is_refused(
    trained: TrainingResult, tmp_path: Path
) -> None:
    """The same settings give the same results again; others, and strange folders, are refused."""
    folder = tmp_path / "out"
    first = explain(trained.run.folder, out=folder, look=BARE)
    before = {path.name: path.read_bytes() for path in folder.glob("*.*")}
    assert explain(trained.run.folder, out=folder, look=BARE).background == first.background
    with pytest.raises(OutputError, match="patches=1") as caught:
        explain(trained.run.folder, out=folder, look=Look(patches=2, fields=0, models=False))
    assert "name a new folder" in str(caught.value)
    with pytest.raises(OutputError, match="seed"):
        explain(trained.run.folder, out=folder, look=BARE, seed=3)
    with pytest.raises(OutputError, match="not an explanation of livewell"):
        explain(trained.run.folder, out=trained.run.folder, look=BARE)
    assert {path.name: path.read_bytes() for path in folder.glob("*.*")} == before


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (Look(classes=("zombie",)), ["the model has no such class", "healthy or sick", "zombie"]),
        (Look(classes=("sick", "healty")), ["did you mean healthy?"]),
        (Look(layer="conv9_9"), ["no such layer", "block1, ", "conv9_9"]),
        (Look(layer="blok3"), ["did you mean block3?"]),
    ],
)
def test_a_class_or_layer_that_is_not_there(
    trained: TrainingResult, tmp_path: Path, look: Look, words: Sequence[str]
) -> None:
    """What the model lacks is told with what it has, before anything is written."""
    with pytest.raises(SpecError) as caught:
        explain(trained.run.folder, out=tmp_path / "out", look=look)
    assert all(word in str(caught.value) for word in words)
    assert not (tmp_path / "out").exists()


def test_folds_that_are_not_there(trained: TrainingResult, tmp_path: Path) -> None:
    """A fold that the run lacks is told with those it has; a folder that is no run is told too."""
    with pytest.raises(SplitError, match="no such fold") as caught:
        explain(trained.run.folder, out=tmp_path / "out", look=BARE, folds=[0, 7, 9])
    assert "7, 9" in str(caught.value)
    with pytest.raises(StudyError):
        explain(tmp_path, out=tmp_path / "out", look=BARE)
    assert not (tmp_path / "out").exists()


def test_a_fold_that_is_not_trained_to_its_end(folds: Run, tmp_path: Path) -> None:
    """A run that was stopped says so; its finished fold can be looked into."""
    shutil.copytree(folds.folder, tmp_path / "run")
    (tmp_path / "run" / folds.model(1).relative_to(folds.folder) / "card.json").unlink()
    with pytest.raises(StudyError, match="fold 1 is not trained to its end") as caught:
        explain(tmp_path / "run", out=tmp_path / "out", look=BARE)
    assert "same training command" in str(caught.value)
    made = explain(tmp_path / "run", out=tmp_path / "out", look=BARE, folds=[0])
    assert set(patches(made)["fold"]) == {0}


@pytest.mark.long
def test_each_fold_looks_at_its_own_test_groups(folds: Run, study: Study, tmp_path: Path) -> None:
    """Of several folds each patch is looked at by the model that never saw its well."""
    _, parts, _ = study.split("two-folds")
    tested = parts[parts["part"] == "test"].set_index("group")["fold"]
    made = explain(folds.folder, out=tmp_path / "out", look=BARE)
    table = patches(made)
    assert set(table["fold"]) == {0, 1}
    assert (table["group"].map(tested) == table["fold"]).all()
    one = patches(explain(folds.folder, out=tmp_path / "one", look=BARE, folds=[1]))
    key = ["image", "t", "y0", "x0", "evidence_for"]
    both = table[table["fold"] == 1].sort_values(key).reset_index(drop=True)
    pd.testing.assert_frame_equal(one.sort_values(key).reset_index(drop=True), both, rtol=1e-4)


def test_a_split_made_anew_is_refused(study: Study, tmp_path: Path) -> None:
    """What a model was trained on must not be looked at as unseen after another split."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    run = train(copy, tmp_path / "run", BRIEF, processes=0).run
    split(copy, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64), seed=5)
    with pytest.raises(SplitError, match="made anew"):
        scores.EvaluationSet.of_run(run.folder)


def test_scores_are_of_test_patches(trained: TrainingResult, study: Study) -> None:
    """Every patch of the test wells is scored once, and none of another well."""
    tested = scores.EvaluationSet.of_run(trained.run.folder)
    table, models = tested.scores()
    patches_, parts, _ = study.split(trained.run.spec.split)
    unseen = parts.loc[parts["part"] == "test", "group"]
    assert len(table) == patches_["group"].isin(unseen).sum()
    assert set(table["group"]) == set(unseen)
    assert list(models) == [0]
    assert tuple(tested.classes) == CLASSES
    assert tested.part("test", 3).empty


def test_weights_of_the_class_are_not_those_of_crops(earlier: dict[str, Explanation]) -> None:
    """Before the last stage the maps differ; the disagreement of both kinds is told either way."""
    by_class, by_crop = (maps(earlier[kind]) for kind in ("class", "crop"))
    assert set(by_class) == set(by_crop)
    for name, values in by_class.items():
        assert not np.allclose(values, by_crop[name], equal_nan=True)
    assert earlier["class"].disagreement == earlier["crop"].disagreement
    for _, _, own, shared in earlier["class"].disagreement:
        assert own > shared > 0
    assert (
        "weights averaged over training patches of the class" in earlier["class"].page.read_text()
    )
    assert "weights of each crop." in earlier["crop"].page.read_text()


def test_at_the_last_stage_both_weights_are_one(made: Explanation) -> None:
    """Right before a mean over the map every crop has the same weights."""
    for _, _, own, shared in made.disagreement:
        assert own == pytest.approx(shared, rel=1e-4)


def test_weights_are_learnt_on_training_patches(
    trained: TrainingResult, study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Weights of a class come from training wells of that class, never from those looked at."""
    asked: dict[int, set[str]] = {}

    def noted(cam, source, wanted, number, **more):
        asked[number] = {patch.image[:3] for patch in wanted}
        return real(cam, source, wanted, number, **more)

    real = crops.class_weights
    monkeypatch.setattr(crops, "class_weights", noted)
    explain(trained.run.folder, out=tmp_path / "out", look=BARE)
    _, parts, _ = study.split(trained.run.spec.split)
    training = set(parts.loc[parts["part"] == "train", "group"])
    assert asked == {
        0: {w for w in training if w[0] == "A"},
        1: {w for w in training if w[0] == "B"},
    }


def test_one_class_alone(trained: TrainingResult, tmp_path: Path) -> None:
    """Asked for sick alone without class models, the report holds neither healthy nor these."""
    look = Look(classes=("sick",), patches=1, models=False)
    made = explain(trained.run.folder, out=tmp_path / "out", look=look)
    assert set(made.background) == set(patches(made)["evidence_for"]) == {"sick"}
    assert {row[1] for row in made.disagreement} == {"sick"}
    text = made.page.read_text("utf-8")
    assert "Class models" not in text
    assert "of the evidence for healthy" not in text


def test_class_models_climb_from_zeros_and_from_the_other_class(
    made: Explanation, trained: TrainingResult
) -> None:
    """The report shows both ways for both classes, and says how far the score climbed."""
    tested = scores.EvaluationSet.of_run(trained.run.folder)
    table, _ = tested.scores()
    table = table.assign(y=(table["label"] == "sick").astype(int))
    look = Inside(tested, {0: CropCam(tested.model(0).net)}, QUICK, 0)
    picture = look.models(table, [0, 1])
    text = picture.data.decode()
    for words in ("from zeros, score", "from it, score", "a healthy patch", "a sick patch"):
        assert words in text
    assert text.count("what changed") == 2
    assert "Class models" in made.page.read_text("utf-8")


def test_a_model_that_calls_nothing_sick(trained: TrainingResult, tmp_path: Path) -> None:
    """Where no patch is called sick nothing is measured for it, and the report is still made."""
    shutil.copytree(trained.run.folder, tmp_path / "run")
    folder = tmp_path / "run" / trained.run.model(0).relative_to(trained.run.folder)
    card = load_model(folder)[1]
    rule = replace(card.region_rule, threshold=1.0)
    rewrite_card(folder, card.model_copy(update={"region_rule": rule}))
    made = explain(tmp_path / "run", look=BARE)
    # where no folder is named it stands in the run
    assert made.page.parent == tmp_path / "run" / "explanation"
    assert set(made.background) == {"healthy"}
    alone = Look(classes=("sick",), patches=1, fields=0, models=False)
    made = explain(tmp_path / "run", out=tmp_path / "sick", look=alone)
    assert made.background == {}
    assert "Where the evidence lies could not be measured." in made.page.read_text("utf-8")
    assert results(made)["background"] == {}


@pytest.fixture(scope="module")
def same_names(plate: Path, out: Path) -> Run:
    """A run on images that all have the same name, each in the folder of its well."""
    for path in sorted((plate / "images").iterdir()):
        folder = out / "wells" / path.name[:3]
        folder.mkdir(parents=True)
        os.link(path, folder / "p1.ome.tif")
    study = index(
        out / "wells",
        out / "study",
        pattern="{well}/p{position:int}.ome.tif",
        metadata=plate / "plate.csv",
    ).study
    label(study, Dose(30, (0, 1800)), CLASSES)
    split(study, by="well", scheme=Holdout((0.4, 0.2, 0.4)), grid=Grid(64, 64))
    return train(study, out / "same-run", BRIEF, processes=0).run


@pytest.mark.long
def test_maps_of_files_of_one_name_are_kept_apart(same_names: Run, tmp_path: Path) -> None:
    """Every field that was mapped has its file, also where each well has its own p1.ome.tif."""
    look = Look(patches=1, fields=4, models=False, stride_px=32)
    made = explain(same_names.folder, out=tmp_path / "out", look=look)
    assert len(maps(made)) == len(made.disagreement)
