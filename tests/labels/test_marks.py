"""Marks of several persons in one frame, joined to cells."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import TableError
from livewell.labels.marks import joined_cells


def answered(**marks: object) -> pd.DataFrame:
    """Answers of persons about one frame; marks as (class, y, x), or an answer without any."""
    rows = []
    for person, said in marks.items():
        text = None
        if not isinstance(said, str):
            text = json.dumps([{"class": c, "y": y, "x": x} for c, y, x in said])
        rows.append(("f", person, said if isinstance(said, str) else "done", "a.tif", 3, text))
    return pd.DataFrame(rows, columns=["item", "person", "answer", "image", "t", "marks"])


def said(table: pd.DataFrame) -> list[str]:
    """What all persons said of each cell, from top to bottom."""
    return [" ".join(rows["answer"]) for _, rows in table.groupby("item", sort=False)]


def test_near_marks_are_one_cell_and_no_mark_says_none() -> None:
    """Marks up to the distance are joined at their mean; who did not mark a cell says none."""
    found = joined_cells(
        answered(
            ann=[("live", 10, 10), ("dead", 50, 50)],
            bob=[("live", 14, 10), ("dead", 90, 90)],
            cyd=[],
        ),
        near_px=5,
    )
    assert said(found) == ["live live none", "dead none none", "none dead none"]
    assert found[["y", "x"]].iloc[0].tolist() == [12, 10]
    assert found["t"].unique().tolist() == [3]


def test_the_best_pairing_is_taken() -> None:
    """A mark between two cells goes to the one that leaves a partner for the other mark."""
    found = joined_cells(
        answered(ann=[("a", 0, 0), ("b", 0, 8)], bob=[("b", 0, 5), ("b", 0, 12)]), near_px=6
    )
    assert said(found) == ["a b", "b b"]


def test_two_marks_of_one_person_are_two_cells() -> None:
    """However near they are."""
    found = joined_cells(answered(ann=[("a", 0, 0), ("a", 0, 1)], bob=[("a", 0, 0)]), near_px=9)
    assert said(found) == ["a a", "a none"]


def test_who_was_unsure_of_a_frame_did_not_do_it() -> None:
    """Such a person says nothing of its cells; boxes count by their middle."""
    table = answered(ann=[("a", 5, 5)], bob="unsure")
    box = json.dumps([{"class": "a", "y": 0, "x": 0, "y1": 10, "x1": 10}])
    table.loc[len(table)] = ["f", "cyd", "done", "a.tif", 3, box]
    assert said(joined_cells(table, near_px=1)) == ["a a"]


@given(st.integers(0, 2**32 - 1))
def test_all_marks_are_kept_and_persons_may_come_in_any_order(seed: int) -> None:
    """Every mark is in one cell; the order of rows does not matter."""
    rng = np.random.default_rng(seed)
    marks = {
        name: [("a", *rng.uniform(0, 60, 2)) for _ in range(rng.integers(0, 8))] for name in "wxyz"
    }
    table = answered(**marks)
    found = joined_cells(table, near_px=8)
    count = found[found["answer"] != "none"].groupby("person").size()
    assert all(count.get(name, 0) == len(each) for name, each in marks.items())
    shuffled = table.sample(frac=1, random_state=seed % 1000)
    pd.testing.assert_frame_equal(joined_cells(shuffled, near_px=8), found)


def test_faults_of_marks_at_once() -> None:
    """Marks that are no JSON, lack a place or lie nowhere are all named."""
    table = answered(ann=[], bob=[("a", 1, float("nan"))], cyd=[])
    table.loc[0, "marks"] = "no"
    table.loc[2, "marks"] = json.dumps([{"class": "a", "y": 2}])
    with pytest.raises(TableError) as caught:
        joined_cells(table, near_px=5)
    assert len(caught.value.faults) == 3
    with pytest.raises(TableError, match="marks"):
        joined_cells(table.drop(columns="marks"), near_px=5)
