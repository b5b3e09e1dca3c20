"""A table of wells is checked whole; summaries by dose let wells weigh alike."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.doses.wells import by_dose, check_wells
from livewell.errors import TableError


def table(**columns: object) -> pd.DataFrame:
    """Four good wells, with some columns replaced."""
    good = {
        "well": ["A1", "A2", "B1", "B2"],
        "dose": [0.0, 0.0, 5.0, 5.0],
        "positive": [1, 2, 3, 10],
        "patches": [10, 10, 10, 10],
    }
    return pd.DataFrame(good | columns)


def codes(rows: pd.DataFrame) -> set[str]:
    with pytest.raises(TableError) as caught:
        check_wells(rows)
    return {fault.code for fault in caught.value.faults}


def test_a_good_table_gets_fractions_and_plain_types():
    """Rows and further columns are kept, counts are whole, fraction is positive / patches."""
    found = check_wells(table(plate="P1", positive=[1.0, 2.0, 3.0, 10.0]))
    assert found["fraction"].tolist() == [0.1, 0.2, 0.3, 1.0]
    assert found["plate"].tolist() == ["P1"] * 4
    assert (found["positive"].dtype, found["dose"].dtype) == ("int64", "float64")


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"dose": ["0", 0.0, 5.0, 5.0]}, "dose-not-a-number"),
        ({"dose": ["none", 0.0, 5.0, 5.0]}, "dose-not-a-number"),
        ({"dose": [None, 0.0, 5.0, 5.0]}, "dose-missing"),
        ({"dose": [0.0, 0.0, -1.0, 5.0]}, "dose-negative"),
        ({"dose": [0.0, 0.0, np.inf, 5.0]}, "dose-infinite"),
        ({"dose": 0.0}, "one-dose"),
        ({"dose": [1.0, 1.0, 5.0, 5.0]}, "no-control"),
        ({"patches": [10, 0, 10, 10], "positive": [1, 0, 3, 10]}, "patches-too-few"),
        ({"patches": [10.5, 10, 10, 10]}, "patches-not-whole"),
        ({"patches": ["many", 10, 10, 10]}, "patches-not-whole"),
        ({"positive": [11, 2, 3, 10]}, "positive-out-of-range"),
        ({"positive": [-1, 2, 3, 10]}, "positive-out-of-range"),
        ({"positive": [None, 2, 3, 10]}, "positive-not-whole"),
        ({"well": ["A1", "A1", "B1", "B2"]}, "duplicate-well"),
        ({"well": [None, "A2", "B1", "B2"]}, "well-missing"),
        ({"well": [" ", "A2", "B1", "B2"]}, "well-missing"),
    ],
)
def test_every_fault_is_named(columns, code):
    """One thing wrong with the table is that one fault."""
    assert codes(table(**columns)) == {code}


@pytest.mark.parametrize("name", ["well", "dose", "positive", "patches"])
def test_a_missing_column_is_named(name):
    """Each needed column is asked for by name, and nothing else is said."""
    with pytest.raises(TableError, match=f"missing-column. {name}"):
        check_wells(table().drop(columns=name))
    assert codes(table().drop(columns=name)) == {"missing-column"}


def test_all_faults_come_at_once():
    """A table with five things wrong names all five."""
    found = codes(
        table(
            well=["A1", "A1", "B1", "B2"],
            dose=["x", 1.0, -5.0, np.inf],
            positive=[1, 20, 3, 4],
            patches=[0, 10, 10, 10],
        )
    )
    assert found >= {
        "duplicate-well",
        "dose-not-a-number",
        "dose-negative",
        "dose-infinite",
        "no-control",
        "patches-too-few",
        "positive-out-of-range",
    }


def test_an_empty_table_is_refused():
    """No rows is a fault of its own."""
    assert codes(table().iloc[:0]) == {"empty"}


def test_wells_weigh_alike():
    """A well of ten patches counts as much as one of a thousand."""
    found = by_dose(table(patches=[10, 1000, 10, 10], positive=[5, 0, 3, 10]), seed=0)
    assert found["fraction"].tolist() == [0.25, 0.65]
    assert found["wells"].tolist() == [2, 2]
    assert found["patches"].tolist() == [1010, 20]


def test_intervals_hold_their_figure_and_say_when_they_are_rough():
    """Few wells are called rough, one well leaves all from 0 to 1, equal ones an exact interval."""
    rows = pd.DataFrame(
        {
            "well": list("abcdefgh"),
            "dose": [0, 0, 0, 1, 2, 2, 2, 2],
            "positive": [0, 0, 0, 4, 5, 6, 7, 8],
            "patches": 10,
        }
    )
    found = by_dose(rows, seed=1).set_index("dose")
    assert found.loc[0.0, "method"] == "exact"
    assert found.loc[0.0, "high"] == pytest.approx(1 - 0.025 ** (1 / 3))
    assert found.loc[1.0, ["low", "high", "method"]].tolist() == [0, 1, "none"]
    assert "rough: 4 groups" in found.loc[2.0, "note"]
    assert found.loc[2.0, "low"] < 0.65 < found.loc[2.0, "high"]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_order_of_wells_says_nothing(seed):
    """Wells in any order give the same summary."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "well": [f"w{i}" for i in range(12)],
            "dose": np.repeat([0.0, 1.0, 7.5], 4),
            "positive": rng.integers(0, 21, 12),
            "patches": 20,
        }
    )
    mixed = rows.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(by_dose(rows, seed=3), by_dose(mixed, seed=3))
