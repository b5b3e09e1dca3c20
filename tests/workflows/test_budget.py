"""The light budget of a study, end to end."""

import html
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LeakError, OutputError, SpecError, SplitError, TableError
from livewell.inference.dosed import Plan, doses_by_unit, highest_dose
from livewell.labels.by_dose import Dose
from livewell.models.files import load_model, read_card, rewrite_card
from livewell.models.profile import override
from livewell.study.study import Study
from livewell.tables.metadata import AuditSummary
from livewell.workflows.audit import audit
from livewell.workflows.budget import BudgetResult, budget
from livewell.workflows.index import index
from livewell.workflows.label import label

pytestmark = pytest.mark.long

PATTERN = "{well}_p{position:int}.ome.tif"
LOOKS = {0: "healthy", 5: "healthy", 10: "middle", 30: "sick"}
PLAN = Plan(30, (0, 1800), folds=2)


@pytest.fixture(scope="module")
def doses(tmp_path_factory: pytest.TempPathFactory, paint, write_movie) -> Study:
    """Six wells at each of four doses; at the second one cells look as without light."""
    folder = tmp_path_factory.mktemp("doses")
    rows = ["well,dose,dose_unit"]
    for row, (dose, look) in zip("ABCD", LOOKS.items(), strict=True):
        for column in range(1, 7):
            well = f"{row}{column:02}"
            frames = paint(look, 100 * column + dose, (3, 128, 192))
            write_movie(folder / "images" / f"{well}_p1.ome.tif", frames)
            rows.append(f"{well},{dose},mJ/cm2")
    (folder / "plate.csv").write_text("\n".join([*rows, ""]))
    return index(
        folder / "images",
        folder / "study",
        pattern=PATTERN,
        metadata=folder / "plate.csv",
    ).study


@pytest.fixture(scope="module")
def made(doses: Study, tmp_path_factory: pytest.TempPathFactory, profile) -> BudgetResult:
    """Its budget at a margin of 40 percentage points."""
    out = tmp_path_factory.mktemp("budget") / "budget"
    return budget(doses, out, PLAN, margin=0.4, profile=profile, processes=0)


def test_every_well_is_judged_by_a_model_that_never_saw_it(
    made: BudgetResult, doses: Study
) -> None:
    """In its fold a well is a test well, or has no part; all doses are judged by both models."""
    _, folds, _ = doses.split("budget")
    part = folds.set_index(["fold", "group"])["part"]
    for row in made.wells.itertuples():
        assert part.get((row.fold, row.well), "none") in ("test", "none")
    assert set(made.wells["well"]) == {f"{row}{n:02}" for row in "ABCD" for n in range(1, 7)}
    assert (made.wells.groupby("dose")["fold"].nunique() == 2).all()
    scores = pd.read_parquet(made.folder / "scores.parquet")
    called = scores.groupby("well")["called"].mean()
    assert called.to_dict() == pytest.approx(made.wells.set_index("well")["fraction"].to_dict())


def test_the_budget_ends_where_cells_look_sick(made: BudgetResult) -> None:
    """The dose that does nothing passes, the highest is shown to harm, and the unit is told."""
    decisions = {test.dose: test.decision for test in made.budget.tests}
    assert decisions[5] == "not worse"
    assert decisions[30] in ("worse", "not tested")
    assert made.budget.verdict == "budget"
    assert made.budget.dose in (5, 10)
    assert made.sees.value > 0.9
    text = made.page.read_text("utf-8")
    assert "mJ/cm2" in text
    assert "40 percentage points" in text


@pytest.mark.long
def test_a_budget_goes_on_and_tells_every_margin_tried(
    made: BudgetResult, doses: Study, profile
) -> None:
    """The same command trains nothing anew; another margin may be asked, and is told; another seed
    is refused."""
    weights = sorted((made.folder / "run").rglob("weights.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    again = budget(doses, made.folder, PLAN, margin=0.4, profile=profile, processes=0)
    pd.testing.assert_frame_equal(again.wells, made.wells)
    assert not any("margins tried" in text for text in again.warnings)
    other = budget(doses, made.folder, PLAN, margin=0.2, profile=profile, processes=0)
    assert [path.stat().st_mtime_ns for path in weights] == before
    assert any("margins tried on this experiment: 0.4, 0.2" in text for text in other.warnings)
    with pytest.raises(OutputError, match="seed"):
        budget(doses, made.folder, PLAN, margin=0.4, profile=profile, processes=0, seed=9)


@pytest.mark.long
def test_labels_of_a_killed_budget_are_its_own(
    doses: Study, tmp_path: Path, profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at any moment after it first wrote labels, the budget takes them for its own."""
    shutil.copytree(doses.folder, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    real = Study.write_labels

    def killed(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    asked = {"margin": 0.4, "profile": profile, "processes": 0, "name": "other"}
    monkeypatch.setattr(Study, "write_labels", killed)
    with pytest.raises(KeyboardInterrupt):
        budget(study, tmp_path / "budget", PLAN, **asked)
    monkeypatch.setattr(Study, "write_labels", real)
    budget(study, tmp_path / "budget", PLAN, **asked)
    assert study.label_meta("other").plan


def test_each_dose_is_judged_by_all_models_alike(made: BudgetResult) -> None:
    """Six wells a dose and two models: three of each dose by each, learnt doses and others."""
    counts = made.wells.groupby(["dose", "fold"]).size()
    assert set(counts) == {3}


@pytest.mark.parametrize(
    ("low", "says"),
    [
        (0.8, "of its own images the model tells"),
        (0.4, "not shown to see harm"),
        (None, "never evalu"),
    ],
)
def test_a_model_of_other_images_may_judge(
    doses: Study, model: Path, tmp_path: Path, low: float | None, says: str
) -> None:
    """What it reached on unseen groups of its own decides whether it is believed."""
    shutil.copytree(model, tmp_path / "model")
    _, card = load_model(model)
    area = {"name": "roc_auc", "value": 0.9, "low": low, "high": 1.0, "groups": 12, "method": "t"}
    rows = [] if low is None else [area]
    rewrite_card(tmp_path / "model", card.model_copy(update={"results": rows}))
    found = budget(doses, tmp_path / "out", PLAN, margin=0.4, model=tmp_path / "model")
    assert not (tmp_path / "out" / "run").exists()
    assert found.budget.verdict in ("budget", "no harm found")
    text = found.page.read_text("utf-8")
    assert says in text
    assert ("says nothing yet" in text) == (low != 0.8)


def test_the_own_folds_may_judge_and_a_model_judges_no_well_that_it_saw(
    made: BudgetResult, doses: Study, tmp_path: Path
) -> None:
    """The run of a budget gives the same wells again; one of its models alone those new to it."""
    again = budget(doses, tmp_path / "again", PLAN, margin=0.4, model=made.folder / "run")
    ends, names = made.wells["dose"].isin([0, 30]), ["well", "fold", "positive"]
    pd.testing.assert_frame_equal(again.wells[ends][names], made.wells[ends][names])
    one = made.folder / "run" / "fold-00"
    found = budget(doses, tmp_path / "one", PLAN, margin=0.4, model=one)
    parts = read_card(one / "model").data["groups"]
    learnt = {*parts["train"], *parts["validation"]}
    assert set(found.wells["well"]) == set(made.wells["well"]) - learnt
    assert any(f"{len(learnt)} of 24 wells are left out" in text for text in found.warnings)
    assert not any(test.lost for test in found.budget.tests)


def test_wells_that_are_near_copies_of_what_a_model_learnt_are_left_out(
    doses: Study, model: Path, plate: Path, tmp_path: Path, write_movie
) -> None:
    """As `evaluate` leaves them out, with a warning; a dose of no other wells is refused."""
    shutil.copytree(doses.root, tmp_path / "images")
    well = read_card(model).data["groups"]["train"][0]
    frames = tifffile.imread(plate / "images" / f"{well}_p1.ome.tif")

    def copied(*columns: int) -> Study:
        for column in columns:
            near = (frames[:, 2:, 2:] // 8).astype(np.uint8)
            write_movie(tmp_path / "images" / f"A{column:02}_p1.ome.tif", near)
        folder = tmp_path / f"study{len(columns)}"
        return Study.create(folder, tmp_path / "images", doses.fields())

    found = budget(copied(1), tmp_path / "out", PLAN, margin=0.4, model=model)
    assert "A01" not in set(found.wells["well"])
    assert found.budget.control_wells == 5
    assert any("1 image looks like a near copy" in text for text in found.warnings)
    with pytest.raises(SplitError, match=r"every well of dose 0.*near copies.*leave --model out"):
        budget(copied(*range(1, 7)), tmp_path / "none", PLAN, margin=0.4, model=model)
    assert not list((tmp_path / "none").glob("*"))


def test_a_failed_audit_stands_on_the_page(doses: Study, model: Path, tmp_path: Path) -> None:
    """That of the labels of a model that judges: nothing on the page is good."""
    shutil.copytree(model, tmp_path / "model")
    audit = AuditSummary(state="fails", headline="Brightness tells the classes.")
    card = read_card(model)
    rewrite_card(tmp_path / "model", card.model_copy(update={"audit": audit}))
    found = budget(doses, tmp_path / "out", PLAN, margin=0.4, model=tmp_path / "model")
    assert found.as_json()["audit"]["state"] == "fails"
    assert "nothing here is sound. Brightness tells" in found.page.read_text("utf-8")


@pytest.mark.long
def test_the_audit_of_the_labels_that_a_budget_made_is_on_its_page(
    made: BudgetResult, doses: Study, profile
) -> None:
    """Audited after a first call, they are no staler for being made anew by the second."""
    assert made.audit.state == "none"
    ended = audit(doses, labels="budget", learning=False)
    again = budget(doses, made.folder, PLAN, margin=0.4, profile=profile, processes=0)
    shutil.rmtree(ended.page.parent)
    assert again.audit == ended.meta.summary
    assert again.audit.headline in html.unescape(again.page.read_text("utf-8"))


def test_wells_without_a_cell_left_stop_the_testing(
    doses: Study, model: Path, tmp_path: Path, paint, write_movie
) -> None:
    """A dose whose wells are bare is not left out: nothing above it is named safe."""
    shutil.copytree(doses.root, tmp_path / "images")
    for column in range(1, 7):
        write_movie(
            tmp_path / "images" / f"B{column:02}_p1.ome.tif", paint("bare", column, (3, 128, 192))
        )
    bare = Study.create(tmp_path / "study", tmp_path / "images", doses.fields())
    found = budget(bare, tmp_path / "out", PLAN, margin=0.4, model=model)
    assert found.budget.dose is None
    assert found.budget.stopped_at == 5
    assert "no cell is left to judge in any of its 6 wells" in found.budget.why
    assert any("dose 5" in text and "wholly sick" in text for text in found.warnings)


def test_copies_of_learnt_pictures_are_refused(doses: Study, tmp_path: Path, profile) -> None:
    """A well whose pictures are copies of a control's is not judged by that one's model."""
    shutil.copytree(doses.root, tmp_path / "images")
    for column in range(1, 7):
        name = f"{column:02}_p1.ome.tif"
        shutil.copy(tmp_path / "images" / f"A{name}", tmp_path / "images" / f"B{name}")
    copied = Study.create(tmp_path / "study", tmp_path / "images", doses.fields())
    brief = override(profile, {"steps": 3, "steps_per_epoch": 3})
    with pytest.raises(LeakError, match="same image under another name"):
        budget(copied, tmp_path / "out", PLAN, margin=0.4, profile=brief, processes=0)


def test_near_copies_of_learnt_pictures_are_told(
    doses: Study, tmp_path: Path, profile, write_movie
) -> None:
    """A near copy is a judgement: wells like a control's are judged, and the page says it."""
    shutil.copytree(doses.root, tmp_path / "images")
    for column in range(1, 7):
        name = f"{column:02}_p1.ome.tif"
        frames = tifffile.imread(tmp_path / "images" / f"A{name}")
        write_movie(tmp_path / "images" / f"B{name}", (frames[:, 2:, 2:] // 8).astype(np.uint8))
    copied = Study.create(tmp_path / "study", tmp_path / "images", doses.fields())
    brief = override(profile, {"steps": 3, "steps_per_epoch": 3})
    made = budget(copied, tmp_path / "out", PLAN, margin=0.4, profile=brief, processes=0)
    text = next(text for text in made.warnings if "near copies" in text)
    assert "B0" in text
    assert "near copies" in made.page.read_text("utf-8")


def test_labels_that_something_else_made_are_kept(doses: Study, tmp_path: Path) -> None:
    """Labels of the user's that bear the budget's name are not written over."""
    label(doses, Dose(30, (0, 1800)), ("healthy", "sick"), name="mine")
    before = doses.labels("mine")
    with pytest.raises(SpecError, match="--name mine"):
        budget(doses, tmp_path / "out", PLAN, margin=0.4, name="mine")
    pd.testing.assert_frame_equal(doses.labels("mine"), before)
    assert not list((tmp_path / "out").glob("*"))


def test_doses_that_differ_in_time_and_plate_are_told(
    doses: Study, model: Path, tmp_path: Path, paint, write_movie
) -> None:
    """A dose judged at other times than the control, on a plate of its own, is warned about."""
    shutil.copytree(doses.root, tmp_path / "images")
    fields = doses.fields()
    fields["plate"] = ["P2" if dose in (5, 10) else "P1" for dose in fields["dose"]]
    for image in fields.loc[fields["dose"].isin([5, 10]), "image"]:
        write_movie(tmp_path / "images" / image, paint("healthy", len(image), (1, 128, 192)))
    apart = Study.create(tmp_path / "study", tmp_path / "images", fields)
    plan = Plan(30, None, folds=2)
    found = budget(apart, tmp_path / "out", plan, margin=0.4, model=model)
    assert any("may be one of time" in text for text in found.warnings)
    assert any("plate" in text and "confounded" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"dose": None}, "no position has dose 0|dose-missing"),
        ({"dose": -1.0}, "dose-negative"),
        ({"dose": float("inf")}, "dose-infinite"),
    ],
)
def test_doses_that_cannot_be(doses: Study, tmp_path: Path, change, says: str) -> None:
    """Missing, negative and infinite doses are told before anything is trained."""
    fields = doses.fields()
    fields.loc[3, "dose"] = change["dose"]
    bad = Study.create(tmp_path / "study", doses.root, fields)
    with pytest.raises(TableError, match=says):
        budget(bad, tmp_path / "out", PLAN, margin=0.1)
    assert not (tmp_path / "out").exists()


def test_all_faults_of_doses_at_once(doses: Study, tmp_path: Path) -> None:
    """One dose only, no control, none high enough, and wells with two doses are told together."""
    fields = doses.fields().assign(dose=7.0)
    bad = Study.create(tmp_path / "one", doses.root, fields)
    with pytest.raises(TableError) as caught:
        doses_by_unit(bad, PLAN)
    assert {f.code for f in caught.value.faults} == {"one-dose", "no-control", "no-high-dose"}
    fields = doses.fields().assign(well="A01")
    bad = Study.create(tmp_path / "two", doses.root, fields)
    with pytest.raises(TableError, match="several-doses"):
        doses_by_unit(bad, PLAN)
    bare = Study.create(tmp_path / "none", doses.root, doses.fields().drop(columns="dose"))
    with pytest.raises(TableError, match="have no dose"):
        doses_by_unit(bare, PLAN)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_margins_that_cannot_be(doses: Study, tmp_path: Path, margin: float) -> None:
    """A margin is a share above 0 and below 1."""
    with pytest.raises(SpecError, match="--margin"):
        budget(doses, tmp_path / "out", PLAN, margin=margin)


def test_the_highest_dose_is_found(doses: Study) -> None:
    """Where nobody says which doses are sick, the highest is."""
    assert highest_dose(doses) == 30
