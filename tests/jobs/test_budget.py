"""The light budget of a study, end to end."""

from pathlib import Path

import pandas as pd
import pytest

from livewell.errors import OutputError, SpecError, TableError
from livewell.io.study import Study
from livewell.jobs.budget import Budgeted, budget
from livewell.jobs.dosed import Plan, doses_by_unit, highest_dose
from livewell.jobs.index import index

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
def made(doses: Study, tmp_path_factory: pytest.TempPathFactory, profile) -> Budgeted:
    """Its budget at a margin of 40 percentage points."""
    out = tmp_path_factory.mktemp("budget") / "budget"
    return budget(doses, out, PLAN, margin=0.4, profile=profile, processes=0)


def test_every_well_is_judged_by_a_model_that_never_saw_it(made: Budgeted, doses: Study) -> None:
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


def test_the_budget_ends_where_cells_look_sick(made: Budgeted) -> None:
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


def test_a_budget_goes_on_and_refuses_another_margin(made: Budgeted, doses: Study, profile) -> None:
    """The same command gives the same wells without training anew; other settings are refused."""
    weights = sorted((made.folder / "run").rglob("weights.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    again = budget(doses, made.folder, PLAN, margin=0.4, profile=profile, processes=0)
    pd.testing.assert_frame_equal(again.wells, made.wells)
    assert [path.stat().st_mtime_ns for path in weights] == before
    with pytest.raises(OutputError, match="margin"):
        budget(doses, made.folder, PLAN, margin=0.2, profile=profile, processes=0)


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
