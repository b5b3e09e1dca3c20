"""Which answers agreement is estimated from."""

import numpy as np
import pandas as pd
import pytest

from livewell.metrics.answer_matrix import by_chance

ROWS = pd.DataFrame(
    [
        ("a", 0, "random", 3.0),
        ("a", 1, "shared", 1.0),
        ("a", 2, "random", 2.0),
        ("b", 0, "uncertain", 4.0),
        ("b", 1, "control", 5.0),
        ("b", 2, "repeat", 6.0),
        ("c", 0, np.nan, 7.0),
        ("c", 1, "fixed", 8.0),
    ],
    columns=["item", "person", "reason", "time_s"],
)


def test_hard_and_known_items_are_left_out() -> None:
    """What a model or the owner chose says nothing of the others; quizzes and other tools do."""
    kept = by_chance(ROWS)
    assert kept["item"].tolist() == ["a", "a", "a", "c", "c"]


def test_with_a_stop_rule_the_first_two_count() -> None:
    """By time, whatever the order of rows, which stays."""
    kept = by_chance(ROWS, 2)
    assert kept[kept["item"] == "a"]["time_s"].tolist() == [1.0, 2.0]
    assert kept["item"].tolist() == ["a", "a", "c", "c"]


@pytest.mark.parametrize("column", ["reason", "time_s"])
def test_tables_of_other_tools_are_taken_as_they_are(column: str) -> None:
    """Without reasons all rows stay; without times the first rows count."""
    table = ROWS.drop(columns=column)
    assert len(by_chance(table)) == (8 if column == "reason" else 5)
    assert by_chance(table, 2)["person"].tolist()[:2] == ([1, 2] if column == "reason" else [0, 1])
