"""Where only healthy wells are known: a model of healthy, and of what is unlike it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

from livewell.cli import main
from livewell.errors import LabelError, SpecError, SplitError
from livewell.inference.dosed import Plan
from livewell.inference.model import Model
from livewell.labels.by_column import Column
from livewell.labels.by_dose import Dose
from livewell.models.files import read_card
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN, HEALTHY_ONLY
from livewell.splitting.schemes import Holdout, Named
from livewell.study.pixels import StudyPixels
from livewell.study.regions import Grid
from livewell.study.study import Study
from livewell.workflows.assess import assess
from livewell.workflows.budget import budget
from livewell.workflows.compare import compare
from livewell.workflows.evaluate import Evaluation, evaluate
from livewell.workflows.explain import explain
from livewell.workflows.heatmap import heatmap
from livewell.workflows.index import index
from livewell.workflows.label import label
from livewell.workflows.split import split
from livewell.workflows.timelapse import timelapse
from livewell.workflows.train import TrainingResult, train

pytestmark = pytest.mark.long

SMALL = {"weights": "", "blocks": "2,4", "zooms": 1, "radii_px": "0,6", "axes": 2}
SMALL_HEAD = {name: value for name, value in SMALL.items() if name != "axes"}
EDGES = {"patch_px": 64, "input_px": 64, "stride_px": 64}
RECIPE: Profile = override(HEALTHY_ONLY, SMALL | EDGES)
PATTERN = "{well}_p{position:int}.ome.tif"


@pytest.fixture(scope="module")
def plates(plate: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The shared plate under three labels: of all wells, of healthy ones by dose and by column."""
    folder = tmp_path_factory.mktemp("healthy")
    table = pd.read_csv(plate / "plate.csv")
    table["light"] = np.where(table["dose"] == 0, "no", "yes")
    table.to_csv(folder / "plate.csv", index=False)
    study = index(
        plate / "images", folder / "study", pattern=PATTERN, metadata=folder / "plate.csv"
    ).study
    names = ("healthy", "sick")
    label(study, Dose(30, (0, 1800)), names)
    label(study, Dose(30, (0, 1800)), names, name="dose", healthy_only=True)
    route = Column("light", {"no": "healthy"}, others="drop")
    label(study, route, names, name="column", healthy_only=True)
    split(study, by="well", scheme=Named(("A05", "B04", "B05")), grid=Grid(64, 32))
    for name in ("dose", "column"):
        split(study, by="well", scheme=Holdout(), grid=Grid(64, 64), labels=name, name=name)
    return study


@pytest.fixture(scope="module")
def run(plates: Study, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """A healthy-only run on the split of all wells; not to be changed."""
    return train(plates, tmp_path_factory.mktemp("run") / "run", RECIPE)


@pytest.fixture(scope="module")
def evaluated(run: TrainingResult) -> Evaluation:
    """That run on its unseen wells."""
    return evaluate(run.run.folder)


def test_healthy_wells_alone_are_learnt_from(run: TrainingResult, plates: Study) -> None:
    """No sick image is learnt from, and the card knows healthy and what is unlike it."""
    card = run.cards[0]
    assert card.classes == ("healthy", "unlike healthy")
    assert card.healthy_only
    assert card.familiarity_rule is None
    table = pd.DataFrame(card.data["counts"])
    assert set(table.loc[table["part"] != "test", "label"]) == {"healthy"}
    assert set(card.data["groups"]["train"]) | set(card.data["groups"]["validation"]) == {
        "A01",
        "A02",
        "A03",
        "A04",
    }
    assert "healthy images of 4 groups" in card.image_rule.note


def test_one_healthy_patch_in_twenty_lies_beyond_the_threshold(
    run: TrainingResult, plates: Study
) -> None:
    """Of what was learnt few regions are called, for the threshold is of unseen healthy wells."""
    patches, _, _ = plates.split("split")
    known = patches[patches["group"].isin(("A01", "A02", "A03", "A04"))]
    model = Model.load(run.run.model(0))
    table = model.scored(known, StudyPixels(plates))
    assert table["called"].mean() <= 0.05
    assert table["p"].median() == pytest.approx(0.05, abs=0.05)


def test_a_region_and_the_cell_of_a_map_agree(run: TrainingResult, plate: Path) -> None:
    """Map cells, regions and the mean over an image are one function of the distance."""
    model = Model.load(run.run.model(0))
    found = model.predict(sorted((plate / "images").iterdir())[0], stride_px=32)
    where = found.class_map
    box = found.boxes[0]
    row, column = (
        round((at - first) / where.stride_px)
        for at, first in zip(box.centre, where.origin_px, strict=True)
    )
    assert where.logits[:, row, column] == pytest.approx(found.logits[0], abs=1e-3)


def test_evaluation_is_of_healthy_against_the_rest(evaluated: Evaluation) -> None:
    """Unseen wells of all classes are scored; nothing is said of calibrated probabilities."""
    assert set(evaluated.scores["label"]) == {"healthy", "unlike healthy"}
    assert 0 <= evaluated.figures["roc_auc"].value <= 1
    assert not {"brier", "calibration_error"} & set(evaluated.figures)
    assert not evaluated.baselines
    page = evaluated.page.read_text()
    assert "p is no probability" in page
    assert "Do probabilities mean what they say?" not in page


def test_verdicts_maps_and_their_pages_say_what_p_means(
    run: TrainingResult, plate: Path, tmp_path: Path
) -> None:
    """A checkerboard is unlike healthy; pages of verdicts and maps say that p is no probability."""
    (tmp_path / "images").mkdir()
    y, x = np.mgrid[:256, :256]
    board = ((y // 4 + x // 4) % 2) * (y // 48 % 2) * (x // 48 % 2)
    noise = np.random.default_rng(0).normal(0, 10, board.shape)
    strange = tmp_path / "images" / "strange.tif"
    tifffile.imwrite(strange, (2000 + 1500 * board + noise).astype(np.uint16))
    made = assess(tmp_path / "images", run.run.model(0), tmp_path / "verdicts", pixel_um=0.645)
    assert made.verdicts["verdict"].tolist() == ["unlike healthy"]
    movie = sorted((plate / "images").iterdir())[0]
    mapped = heatmap(movie, run.run.model(0), tmp_path / "map", stride_px=32)
    for page in (made.page, mapped.page):
        assert "p is no probability" in page.read_text()


def test_a_time_lapse_is_of_what_is_unlike_healthy(
    run: TrainingResult, plates: Study, tmp_path: Path
) -> None:
    """Its curves are of the area unlike healthy, which the page says is not one of sick cells."""
    images = ["A05_p1.ome.tif", "B05_p1.ome.tif"]
    made = timelapse(plates, run.run.folder, tmp_path / "out", only=images, stride_px=64)
    page = made.page.read_text("utf-8")
    assert "Unlike healthy area at" in page
    assert "says what is unlike healthy, not what is sick" in page
    assert "probability of unlike" not in page


def test_a_budget_is_of_patches_unlike_healthy(
    run: TrainingResult, plates: Study, tmp_path: Path
) -> None:
    """Classes are those of the model that judges; wells that it has learnt from are left out."""
    found = budget(plates, tmp_path / "out", Plan(30), margin=0.4, model=run.run.folder)
    assert set(found.wells["well"]) == {"A05", "C01", *(f"B{n:02}" for n in range(1, 6))}
    assert any("4 of 11 wells are left out" in text for text in found.warnings)
    page = found.page.read_text("utf-8")
    assert "Unlike healthy patches against dose" in page
    assert "says what is unlike healthy, not what is sick" in page
    assert "called sick" not in page


def test_runs_of_healthy_alone_are_compared_with_each_other(
    run: TrainingResult, plates: Study, tmp_path: Path
) -> None:
    """Without a calibration error, for p is no probability; a run of two classes is refused."""
    other = train(plates, tmp_path / "other", override(RECIPE, {"axes": 3})).run.folder
    made = compare([run.run.folder, other], tmp_path / "out", min_each=1)
    assert set(made.found.figures["other"]) == {"roc_auc", "within_auc", "balanced_accuracy"}
    page = made.page.read_text("utf-8")
    assert "p is no probability" in page
    assert "alibration error" not in page
    two = train(plates, tmp_path / "two", override(FROZEN, SMALL_HEAD | EDGES)).run.folder
    with pytest.raises(SpecError, match="of healthy alone only with others"):
        compare([run.run.folder, two], tmp_path / "no")


@pytest.mark.parametrize("name", ["dose", "column"])
def test_labels_of_healthy_wells_alone_are_enough(name: str, plates: Study, tmp_path: Path) -> None:
    """Where only healthy is labelled, a model is trained, and measuring it is refused with why."""
    assert set(plates.labels(name)["label"]) == {"healthy"}
    made = train(plates, tmp_path / "run", RECIPE, split=name)
    assert made.cards[0].classes == ("healthy", "unlike healthy")
    with pytest.raises(LabelError, match="nothing to measure: all labels are 'healthy'"):
        evaluate(tmp_path / "run")
    with pytest.raises(SpecError, match=r"only 'healthy' is labelled.*--healthy-only"):
        train(plates, tmp_path / "two", override(FROZEN, EDGES), split=name)


def test_the_healthy_class_can_be_named(plates: Study, tmp_path: Path) -> None:
    """With --healthy another class is learnt; no such class, or a recipe of two, is refused."""
    made = train(plates, tmp_path / "run", RECIPE, healthy="sick")
    assert made.cards[0].classes == ("sick", "unlike sick")
    with pytest.raises(LabelError, match="no such class for healthy-only"):
        train(plates, tmp_path / "no", RECIPE, healthy="helthy")
    with pytest.raises(SpecError, match="learns from two classes"):
        train(plates, tmp_path / "two", override(FROZEN, EDGES), healthy="sick")


def test_too_few_healthy_wells_are_refused(plates: Study, tmp_path: Path) -> None:
    """Of two healthy wells nobody knows how far healthy ones lie from each other."""
    scheme = Named(("A03", "A04", "A05", "B05"), ("A02", "B04"))
    split(plates, by="well", scheme=scheme, grid=Grid(64, 64), name="few")
    with pytest.raises(SplitError, match="too few healthy groups"):
        train(plates, tmp_path / "run", RECIPE, split="few")


def test_evidence_of_a_distance_is_refused(run: TrainingResult, tmp_path: Path) -> None:
    """A distance is not linear in the maps, so no exact evidence of a place is drawn."""
    with pytest.raises(SpecError, match="a distance from healthy"):
        explain(run.run.folder, out=tmp_path / "why")


def test_the_command_takes_healthy_only(plates: Study, tmp_path: Path) -> None:
    """`train --healthy-only` is HEALTHY_ONLY, and takes no other recipe beside it."""
    settings = [
        each for item in (SMALL | EDGES).items() for each in ("--set", "{}={}".format(*item))
    ]
    asked = ["train", str(plates.folder), "--out", str(tmp_path / "run"), "--healthy-only"]
    made = CliRunner().invoke(main, [*asked, *settings])
    assert made.exit_code == 0, made.output
    assert read_card(tmp_path / "run" / "fold-00" / "model").profile.name == "HEALTHY_ONLY"
    refused = CliRunner().invoke(main, [*asked, "--profile", "FROZEN"])
    assert refused.exit_code == 2
    assert "a recipe of its own" in refused.output


def test_the_command_labels_healthy_alone(plates: Study) -> None:
    """`label --healthy-only` asks for the healthy class, and leaves all else out by itself."""
    asked = ["label", "column", str(plates.folder), "--column", "light", "--name", "alone"]
    made = CliRunner().invoke(main, [*asked, "--healthy-only", "--negative", "no"])
    assert made.exit_code == 0, made.output
    table, meta = plates.labels("alone"), plates.label_meta("alone")
    assert set(table["label"]) == {"no"}
    assert meta.classes == ("no", "unlike no")
    assert CliRunner().invoke(main, [*asked, "--healthy-only"]).exit_code == 2
