"""Plates whose features are relative to those of their own untreated wells."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from livewell.cli import main
from livewell.errors import LeakError, OutputError, SpecError, TableError
from livewell.geometry import Box, WindowGrid
from livewell.inference.evaluation_set import EvaluationSet
from livewell.inference.model import Model
from livewell.inference.occupancy import ModelOccupancy
from livewell.inference.plates import on_plate
from livewell.inference.windows import View
from livewell.labels.by_column import Column
from livewell.models.files import read_card
from livewell.models.profile import Profile, override
from livewell.models.recipes import AUTO, FAST, FROZEN, FROZEN_IMAGES, HEALTHY_ONLY
from livewell.region import Region
from livewell.splitting.schemes import Named
from livewell.study.pixels import ArrayPixels, StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.tables.metadata import Anchor
from livewell.workflows.assess import assess
from livewell.workflows.evaluate import evaluate
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.timelapse import timelapse
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

LIGHT = {"blocks": "0,2", "zooms": "1", "radii_px": "0,12", "weight_decay": "0.1"}
RECIPE: Profile = override(FROZEN, LIGHT | {"patch_px": 48, "input_px": 48, "stride_px": 48})
ANCHOR = Anchor(by="plate", column="treatment", value="control")
CLASSES = ("healthy", "sick")
LABELS = {"control": "healthy", "medium": "healthy", "drug": "sick"}
EDGE_PX, WELLS = 144, ("control", "control", "medium", "medium", "drug", "drug")
CONTRAST = {"A": 0.5, "B": 1.0, "C": 1.7, "D": 2.6, "E": 0.8, "F": 2.1}
"""Plates differ in contrast by more than the drug makes of it."""
TEST = ("E", "F")
REGION = Region("a", 0, Box.of(0, 0, 48, 48))


def field(plate: str, number: int, contrast: float = 1.0) -> NDArray[np.uint16]:
    """A field with texture on half of it, of higher contrast under the drug."""
    rng = np.random.default_rng([ord(plate), number])
    contrast *= CONTRAST[plate] * (1.5 if WELLS[number] == "drug" else 1.0)
    texture, cells, noise = rng.normal(size=(3, EDGE_PX, EDGE_PX))
    texture = ndimage.gaussian_filter(texture, 1.5)
    texture *= (ndimage.gaussian_filter(cells, 8) > 0) / texture.std()
    return (1000 + 60 * contrast * texture + 2 * noise).astype(np.uint16)


def study_of(folder: Path, plates: Sequence[str], contrast: float = 1.0) -> Study:
    """A study of plates with the same wells, labelled by treatment."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for plate in plates:
        for number, treatment in enumerate(WELLS):
            name = f"{plate}{number}.tif"
            tifffile.imwrite(folder / "images" / name, field(plate, number, contrast))
            rows.append((name, plate, f"{plate}{number}", treatment))
    table = pd.DataFrame(rows, columns=["image", "plate", "culture", "treatment"])
    table.to_csv(folder / "plates.csv", index=False)
    made = index(
        folder / "images", folder / "study", metadata=folder / "plates.csv", pixel_um=0.31
    ).study
    label(made, Column("treatment", LABELS), CLASSES)
    return made


@dataclass(frozen=True)
class Runs:
    """One study, and runs on it with and without an anchor."""

    study: Study
    anchored: TrainingResult
    plain: TrainingResult


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Trained on plates A to D; E and F are test plates."""
    folder = tmp_path_factory.mktemp("plates")
    study = study_of(folder, tuple(CONTRAST))
    split(study, by="plate", scheme=Named(TEST), grid=Grid(48, 48))
    anchored = train(study, folder / "anchored", RECIPE, anchor=ANCHOR)
    return Runs(study, anchored, train(study, folder / "plain", RECIPE))


def model_of(made: TrainingResult) -> Model:
    """The model of its one fold."""
    return Model.load(made.run.model(0), device="cpu")


def test_anchored_models_do_better_on_plates_that_differ(runs: Runs) -> None:
    """The anchored run tells the drug from plates of a higher contrast, the plain one does not."""
    anchored, plain = (
        evaluate(each.run.folder, baselines=False) for each in (runs.anchored, runs.plain)
    )
    beside = plain.scores[~plain.scores["image"].isin(controls(runs.study))]
    assert set(anchored.scores["image"]) == set(beside["image"])
    auc = [roc_auc_score(each["label"] == "sick", each["p"]) for each in (anchored.scores, beside)]
    assert auc[0] > auc[1] + 0.1, auc
    assert "A new plate needs such wells too" in anchored.page.read_text("utf-8")


def controls(study: Study) -> set[str]:
    """Images of the untreated wells."""
    fields = study.fields()
    return set(fields.loc[fields["treatment"] == "control", "image"])


def test_anchors_are_no_evidence(runs: Runs) -> None:
    """Regions of anchors are neither learnt from nor tested, and their images are told as known."""
    counts = pd.DataFrame(model_of(runs.anchored).card.data["counts"])
    whole = pd.DataFrame(model_of(runs.plain).card.data["counts"])
    sick = counts["label"] == "sick"
    assert counts.loc[sick, "patches"].tolist() == whole.loc[sick, "patches"].tolist()
    assert (counts.loc[~sick, "patches"] < whole.loc[~sick, "patches"]).all()
    assert model_of(runs.anchored).learnt == model_of(runs.plain).learnt


def test_the_card_says_the_anchor(runs: Runs) -> None:
    """The anchor is kept with run and model; a model without one has none."""
    assert read_card(runs.anchored.run.model(0)).anchor == ANCHOR
    assert runs.anchored.run.spec.anchor == ANCHOR
    assert model_of(runs.anchored).net.anchor == ANCHOR
    assert read_card(runs.plain.run.model(0)).anchor is None


def test_a_cell_of_the_map_is_the_region(runs: Runs) -> None:
    """On a plate the class map's cells are the logits of regions of the same centre."""
    model, pixels = model_of(runs.anchored), StudyPixels(runs.study)
    judge = on_plate(model, runs.study, "E4.tif")
    area = pixels.area("E4.tif", 0)
    for stride_px in (8, 48):
        grid = WindowGrid.over(area, 48, stride_px)
        boxes = [grid.box(*cell) for cell in np.ndindex(grid.shape)]
        regions = model.engine.regions(pixels, [Region("E4.tif", 0, box) for box in boxes])
        view = View(pixels.planes("E4.tif", 0), area, np.ones(grid.shape, dtype=bool))
        cells = judge.engine.scored(view, grid).reshape(2, -1).T
        np.testing.assert_allclose(cells, regions, atol=2e-4)
        assert np.ptp(regions, axis=0).min() > 0.1


def test_what_shifts_a_whole_plate_goes_away(runs: Runs, tmp_path: Path) -> None:
    """A plate of twice the contrast moves the plain model's logits, and the anchored one's less."""
    study = study_of(tmp_path, ("E",), contrast=2.0)
    moved = {}
    for name, made in (("anchored", runs.anchored), ("plain", runs.plain)):
        before, after = (
            EvaluationSet.of_study(made.run.model(0), each).scores()[0]
            for each in (runs.study, study)
        )
        before = before[before["image"].isin(after["image"])]
        moved[name] = abs(after["logit"].mean() - before["logit"].mean()) / before["logit"].std()
    assert moved["plain"] > 1
    assert moved["anchored"] < 0.7 * moved["plain"]


def test_verdicts_of_a_study_are_relative_to_its_plates(runs: Runs, tmp_path: Path) -> None:
    """`assess STUDY` judges all but the anchors, as evaluation does; verdicts tell the drug."""
    study = study_of(tmp_path, TEST)
    made = assess(study.folder, runs.anchored.run.model(0), tmp_path / "out", device="cpu")
    assert made.failures.empty
    table = made.verdicts.set_index("image")
    assert set(table.index) == set(study.fields()["image"]) - controls(study)
    assert any("4 images of the anchor" in text for text in made.warnings)
    scores, _ = EvaluationSet.of_study(runs.anchored.run.model(0), study).scores()
    p = scores.groupby("image")["called"].mean()
    np.testing.assert_allclose(table.loc[p.index, "sick_fraction"], p, atol=1e-6)


def test_a_time_lapse_leaves_anchors_out(runs: Runs, tmp_path: Path) -> None:
    """Every other position of a study is mapped relative to its plate."""
    study = study_of(tmp_path, ("E",))
    made = timelapse(study, runs.anchored.run.model(0), tmp_path / "out", device="cpu")
    assert made.failures.empty
    assert set(made.positions["image"]) == set(study.fields()["image"]) - controls(study)


def test_images_without_a_plate_are_refused(runs: Runs, tmp_path: Path) -> None:
    """Files, arrays and movies have no plate: each is refused, and the text says what to do."""
    model, files = runs.anchored.run.model(0), runs.study.root
    with pytest.raises(SpecError, match=r"treatment = control, by plate.*livewell assess STUDY"):
        assess(files, model, tmp_path / "verdicts")
    with pytest.raises(SpecError, match="no plate is known"):
        heatmap(files / "E4.tif", model, tmp_path / "map")
    with pytest.raises(SpecError, match="no plate is known"):
        model_of(runs.anchored).predict(field("E", 4), pixel_um=0.31)
    with pytest.raises(SpecError, match="no plate is known"):
        ModelOccupancy(model_of(runs.anchored), ("",), 0.31)
    with pytest.raises(SpecError, match="no plate is known"):
        model_of(runs.anchored).embed(ArrayPixels({"a": field("E", 4)[None]}), [REGION])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("anchor", "text"),
    [
        ({"by": "dish"}, "no such column"),
        ({"column": "drug"}, "no such column"),
        ({"value": "contol"}, "no image has it; near it: control"),
        ({"by": "culture"}, "culture E2: no image where treatment = control"),
    ],
    ids=str,
)
def test_an_anchor_that_is_not_there_is_refused(
    anchor: dict[str, str], text: str, runs: Runs, tmp_path: Path
) -> None:
    """Columns, values and plates without an anchor are named."""
    with pytest.raises(TableError, match=text):
        train(runs.study, tmp_path / "run", RECIPE, anchor=ANCHOR.model_copy(update=anchor))
    assert not list(tmp_path.iterdir())


def test_a_new_plate_without_an_anchor_is_refused(runs: Runs, tmp_path: Path) -> None:
    """A study of a plate whose untreated wells are lacking is no study for the model."""
    study = study_of(tmp_path, ("E", "F"))
    fields = study.fields()
    fields.loc[fields["image"].isin(("F0.tif", "F1.tif")), "treatment"] = "medium"
    Study.create(study.folder, study.root, fields, pixel_um=0.31)
    with pytest.raises(TableError, match="plate F"):
        evaluate(runs.anchored.run.model(0), on=study, out=tmp_path / "out")


def test_an_anchor_that_says_the_label_is_refused(runs: Runs, tmp_path: Path) -> None:
    """Where the controls are all there is of a class, being one would be the label."""
    study = study_of(tmp_path, ("A", "B", "C", "E"))
    route = Column("treatment", {"control": "healthy", "drug": "sick"}, others="drop")
    label(study, route, CLASSES, name="leaky")
    split(study, by="plate", scheme=Named(("E",)), grid=Grid(48, 48), labels="leaky")
    with pytest.raises(LeakError, match=r"labelled healthy is of the anchor.*in a column of their"):
        train(study, tmp_path / "run", RECIPE, anchor=ANCHOR)
    with pytest.raises(LeakError, match="labelled healthy is of the anchor"):
        evaluate(runs.anchored.run.model(0), on=study, labels="leaky", out=tmp_path / "out")


def test_only_fixed_backbones_have_an_anchor(runs: Runs, tmp_path: Path) -> None:
    """Nets that learn their features are refused, also where they are one of several."""
    for recipe in (FAST, AUTO, FROZEN_IMAGES):
        with pytest.raises(SpecError, match="only features of a fixed backbone"):
            train(runs.study, tmp_path / "run", recipe, anchor=ANCHOR)


def test_a_run_is_not_gone_on_with_another_anchor(runs: Runs) -> None:
    """A run folder is of one anchor."""
    with pytest.raises(OutputError, match="anchor"):
        train(runs.study, runs.plain.run.folder, RECIPE, anchor=ANCHOR)


def test_both_options_are_given() -> None:
    """One without the other, or two conditions, are wrong use; the help names both."""
    words = ["train", "study", "--out", "run"]
    two = ["--anchor-by", "plate", "--anchor", "a=b", "--anchor", "c=d"]
    for wrong in (["--anchor-by", "plate"], ["--anchor", "a=b"], ["--anchor", "a"], two):
        made = CliRunner().invoke(main, [*words, *wrong])
        assert made.exit_code == 2
        assert "--anchor" in made.output


def test_healthy_alone_relative_to_an_anchor(runs: Runs, tmp_path: Path) -> None:
    """A distance from healthy is of features less those of the plate's own untreated wells."""
    edges = {"patch_px": 48, "input_px": 48, "stride_px": 48}
    small = {name: value for name, value in LIGHT.items() if name != "weight_decay"}
    recipe = override(HEALTHY_ONLY, small | edges | {"axes": 2})
    anchored = train(runs.study, tmp_path / "run", recipe, anchor=ANCHOR)
    found = evaluate(anchored.run.folder, baselines=False)
    assert not set(found.scores["image"]) & controls(runs.study)
    page = found.page.read_text("utf-8")
    assert "A new plate needs such wells too" in page
    assert "p is no probability" in page
    model, pixels = model_of(anchored), StudyPixels(runs.study)
    image = found.scores["image"].iloc[0]
    area, region = pixels.area(image, 0), Region(image, 0, Box.of(48, 48, 96, 96))
    judge = on_plate(model, runs.study, image)
    by_box = judge.engine.boxes(pixels.crop(image, 0, area), area, [region.box])
    np.testing.assert_allclose(by_box, model.engine.regions(pixels, [region]), atol=1e-3)
