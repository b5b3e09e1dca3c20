"""Designs as items: which labelled rows take part, and which groups test."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from livewell.errors import LabelError, SpecError, SplitError
from livewell.splitting.design_rows import DesignPlan, labelled_rows, question_of
from livewell.splitting.designs import DESIGNS, DesignItem, items_of, keyed
from livewell.tables.schemas import LABELS

LINES = ("A", "B", "C")


def study(groups: int = 4, *, shared: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fields and labels of three lines; a dish holds one line and treatment, or all if `shared`."""
    rows = []
    for line in LINES:
        for treatment in ("DMSO", "CPT"):
            for number in range(groups):
                image = f"{line}-{treatment}-{number}"
                dish = f"day {number}" if shared else image
                dose = 0 if treatment == "DMSO" else 1 + number % 2
                died = np.nan if treatment == "DMSO" else 2.5
                rows.append((image, dish, line, treatment, dose, number % 3, died))
    names = ["image", "dish", "cell_line", "treatment", "dose", "hours", "died"]
    fields = pd.DataFrame(rows, columns=names)
    labels = pd.DataFrame(columns=LABELS.names).assign(
        image=fields["image"], label=fields["treatment"], route="column"
    )
    return fields, labels


def rows_and_plan(**settings: object) -> tuple[pd.DataFrame, DesignPlan]:
    """Labelled rows of separate dishes, and a plan of two folds."""
    plan = replace(DesignPlan("dish", folds=2), **settings)
    fields, labels = study()
    times = pd.DataFrame({"image": fields["image"], "t": 0, "time_s": 0.0})
    return labelled_rows(fields, labels, plan, times), plan


def sides(item: DesignItem, rows: pd.DataFrame, plan: DesignPlan) -> pd.DataFrame:
    """The rows of an item with the part that they play in every fold."""
    part = rows.loc[item.rows]
    folds = item.scheme(rows, plan).assign(part, plan.seed)
    return part.merge(folds, on="group")


def test_groups_are_never_split_whatever_the_design():
    """In every fold of every item each group plays one part, and each class is learnt."""
    rows, plan = rows_and_plan()
    for item in items_of(
        [name for name in DESIGNS if name not in ("hours", "repeats")], rows, plan
    ):
        table = sides(item, rows, plan)
        assert table.groupby(["fold", "group"])["part"].nunique().max() == 1
        for part in ("train", "validation"):
            held = table[table["part"] == part].groupby("fold")["label"].nunique()
            assert (held == 2).all()


def test_a_line_that_is_left_out_is_tested_alone():
    """All its dishes test, and none of them trains or validates."""
    rows, plan = rows_and_plan()
    for item in items_of(["leave-line-out"], rows, plan):
        table = sides(item, rows, plan)
        assert set(table.loc[table["part"] == "test", "line"]) == {item.name}
        assert item.name not in set(table.loc[table["part"] != "test", "line"])
        assert (table["part"] == "test").sum() == (rows["line"] == item.name).sum()


def test_where_lines_share_groups_a_line_is_left_out_in_folds():
    """Neither the line nor the day that tests is learnt from, and every image tests once."""
    plan = DesignPlan("dish", folds=4)
    rows = labelled_rows(*study(shared=True), plan)
    items = [item for item in items_of(["leave-line-out"], rows, plan) if item.name == "B"]
    assert len(items) == 4
    tested = []
    for item in items:
        table = sides(item, rows, plan)
        test, learnt = table[table["part"] == "test"], table[table["part"] != "test"]
        assert set(test["line"]) == {"B"}
        assert "B" not in set(learnt["line"])
        assert set(test["group"]).isdisjoint(learnt["group"])
        tested += test["image"].tolist()
    assert sorted(tested) == sorted(rows.loc[rows["line"] == "B", "image"])


def test_classes_of_a_line_left_out_are_unknown():
    """With a class for each line and treatment, those of the line left out are only tested."""
    rows, plan = rows_and_plan()
    rows = rows.assign(label=rows["line"] + "-" + rows["label"])
    item = items_of(["leave-line-out"], rows, plan)[0]
    assert item.unknown == ("A-CPT", "A-DMSO")
    table = sides(item, rows, plan)
    assert set(table.loc[table["part"] == "train", "label"]) == {
        f"{line}-{treatment}" for line in "BC" for treatment in ("CPT", "DMSO")
    }


def test_training_sets_grow_and_the_test_stays():
    """Each set of training groups holds the smaller ones; draws differ, test groups do not."""
    rows, plan = rows_and_plan(repeats=2)
    items = items_of(["wells"], rows, plan)
    tests = {item.tests for item in items}
    assert len(tests) == 1
    for draw in (0, 1):
        mine = [set(rows.loc[item.rows, "group"]) for item in items if item.repeat == draw]
        assert [len(groups) for groups in mine] == sorted(len(groups) for groups in mine)
        assert all(one < other for one, other in pairwise(mine))
    first = [set(rows.loc[item.rows, "group"]) for item in items if item.x == 4]
    assert first[0] != first[1]


def test_doses_hours_and_experiments_choose_their_rows():
    """Each dose stands beside none; each full hour alone; each group tests in turn or is named."""
    rows, plan = rows_and_plan()
    assert [set(rows.loc[item.rows, "dose"]) for item in items_of(["doses"], rows, plan)] == [
        {0, 1}, {0, 2},
    ]  # fmt: skip
    hours = items_of(["hours"], rows, plan)
    assert [(item.name, item.x) for item in hours] == [("0 h", 0), ("1 h", 1), ("2 h", 2)]
    assert all(set(rows.loc[item.rows, "hours"]) == {item.x} for item in hours)
    (each,) = items_of(["experiment"], rows, plan)
    assert len(each.scheme(rows, plan).tests) == rows["group"].nunique()
    named = replace(plan, test=("A-CPT-0", "A-DMSO-0"))
    (one,) = items_of(["experiment"], rows, named)
    assert one.scheme(rows, named).tests == (named.test,)


def test_no_frame_after_death_is_early():
    """Frames of the dead are left out, and survivors are those of the other class."""
    fields, labels = study()
    plan = DesignPlan("dish", death="died")
    times = pd.DataFrame(
        [(image, t, 3600.0 * t) for image in fields["image"] for t in range(5)],
        columns=["image", "t", "time_s"],
    )
    rows = labelled_rows(fields.drop(columns="hours"), labels, plan, times)
    assert rows.loc[rows["label"] == "CPT", "hours"].max() == 2
    assert rows.loc[rows["label"] == "DMSO", "hours"].max() == 4
    early = items_of(["hours"], rows, plan)[-1]
    table = rows.loc[early.rows]
    assert early.name == "early warning"
    assert (table["before_death"].isna() == (table["label"] == "DMSO")).all()
    assert (table["before_death"].dropna() > 0).all()


def test_repeats_are_as_many_as_asked_for_and_five_by_themselves():
    """`repeats` alone has five seeds; a number given is taken by every design."""
    rows, plan = rows_and_plan()
    assert len(items_of(["repeats"], rows, plan)) == 5
    assert len(items_of(["repeats", "all-lines"], rows, replace(plan, repeats=3))) == 6


def test_items_have_names_of_files_of_their_own():
    """Lines whose names are alike without their odd letters are told apart."""
    items = [DesignItem("each-line", name, pd.Index([])) for name in ("a/b", "a b", "\u00e9")]
    names = list(keyed(items))
    assert names == ["each-line-00-a-b-s0", "each-line-01-a-b-s0", "each-line-02-s0"]


def test_a_column_says_what_classes_are_asked():
    """Each class has the value of its images; one with two values is refused."""
    fields, labels = study()
    rows = labelled_rows(fields, labels.assign(label=fields["cell_line"] + fields["treatment"]),
                         DesignPlan("dish"))  # fmt: skip
    question = question_of(rows, fields, "treatment", "CPT")
    assert question.into["BCPT"] == "CPT"
    assert question.positive == "CPT"
    with pytest.raises(LabelError, match="0, 1"):
        question_of(rows.assign(label="all"), fields, "dose", "1")
    with pytest.raises(SpecError, match="no such column"):
        question_of(rows, fields, "other", "1")


def test_what_a_study_does_not_say_is_an_error():
    """A design of no such name, lines or doses that nobody named, and groups that are missing."""
    rows, plan = rows_and_plan()
    with pytest.raises(SpecError, match="no such design"):
        items_of(["every-line"], rows, plan)
    with pytest.raises(SpecError, match="line"):
        items_of(["each-line"], rows.drop(columns="line"), plan)
    fields, labels = study()
    with pytest.raises(SplitError, match="without a dish"):
        labelled_rows(fields.assign(dish=None), labels, plan)
    with pytest.raises(SpecError, match="death"):
        rows_and_plan(death="when")
    with pytest.raises(SplitError, match="too few groups"):
        items_of(["wells"], rows[rows["group"].isin(["A-CPT-0", "A-DMSO-0"])], plan)
