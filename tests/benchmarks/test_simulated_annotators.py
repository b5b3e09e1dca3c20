"""Simulated annotators: what is dealt, how answers saved and agreement are counted."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import annotation
from benchmarks.annotation import (
    CREWS,
    STOPS,
    Annotators,
    accuracy,
    agreement,
    by_number,
    by_rule,
    campaign,
    compared,
    observed,
    table,
)
from benchmarks.needed import needed, rising
from livewell.answers.settings import TaskSettings


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of 40 items, 4 people."""
    for name, value in {"ITEMS": 40, "PEOPLE": 4, "SEEDS": 2, "RESAMPLES": 50}.items():
        monkeypatch.setattr(annotation, name, value)


def test_without_a_stop_everybody_answers_everything_once() -> None:
    """Every pair of item and person stands once among the answers."""
    _, answers, _ = CREWS["70 to 95% right"].draw(0)
    made = campaign(answers, TaskSettings(repeats=0))
    pairs = set(zip(made.items.tolist(), made.people.tolist(), strict=True))
    assert len(pairs) == len(made.items) == answers.size
    assert np.array_equal(made.revealed(answers), answers)


def test_with_a_stop_every_item_has_two_answers_and_few_have_all() -> None:
    """Good people settle most items by two answers."""
    _, answers, _ = Annotators((0.95, 0.95)).draw(1)
    made = campaign(answers, TaskSettings(repeats=0, stop_at=0.95))
    given = (made.revealed(answers) >= 0).sum(axis=1)
    assert given.min() == 2
    assert given.mean() < 3


def test_skills_are_as_said() -> None:
    """The majority of perfect people is right from the first answer on, all are by the rule."""
    truth, answers, hard = Annotators((1.0, 1.0)).draw(2)
    assert not hard.any()
    assert [majority for _, majority in by_number(truth, answers, 0)] == [1.0] * 4
    assert by_rule(truth, answers, 0.95, 0)[1] == 1.0
    assert accuracy(truth, 1 - answers) == 0.0


def test_hard_items_are_answered_worse() -> None:
    """Of hard items the skill is the one of these."""
    truth, answers, hard = Annotators((1.0, 1.0), hard=0.5, hard_skill=0.0).draw(3)
    assert np.array_equal((answers != truth[:, None]).all(axis=1), hard)


def test_answers_saved_are_counted_at_the_same_accuracy() -> None:
    """Three answers where fixed numbers need four save a quarter, in all crews alike."""
    fixed = np.array([[(0.7, 0.6), (0.7, 0.8), (0.9, 0.8), (1.0, 0.9)]] * 3)
    stopped = np.full((3, len(STOPS), 2), (3.0, 1.0))
    rows, values = compared(fixed, stopped, 0)
    assert rows[0] == [
        "0.9",
        "3.00 (3.00 to 3.00)",
        "100.0% (100.0% to 100.0%)",
        "4.00 (4.00 to 4.00)",
        "25% (25% to 25%)",
    ]
    assert values["accuracy of fixed numbers"]["majority"] == pytest.approx([0.6, 0.8, 0.8, 0.9])


def test_ties_are_right_by_half() -> None:
    """One right answer of two."""
    truth, answers = np.array([0, 1]), np.array([[0, 1], [0, 1]])
    assert by_number(truth, answers, 0)[1][1] == 0.5


def test_agreement_is_the_share_of_pairs_that_are_alike() -> None:
    """Mean over items with two answers; of the first two by chance others do not count."""
    rows = [
        (0, 0, "sick", "random"),
        (0, 1, "sick", "shared"),
        (0, 2, "healthy", "random"),
        (1, 0, "sick", "random"),
        (1, 1, "healthy", "uncertain"),
        (2, 1, "healthy", "shared"),
        (2, 2, "sick", "random"),
    ]
    given = pd.DataFrame(rows, columns=["item", "person", "answer", "reason"])
    assert observed(given) == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert observed(given, 2) == pytest.approx((1 + 0) / 2)


def test_agreement_of_people_who_are_always_right_is_whole() -> None:
    """However it is estimated."""
    _, answers, hard = Annotators((1.0, 1.0)).draw(4)
    assert agreement(answers, hard, 0) == (1.0, 1.0, 1.0)


def test_the_table_has_a_row_a_crew_and_posterior() -> None:
    """Rows are as long as the header, and what agreement is taken from is told of each crew."""
    made = table(seed=1)
    assert len(made.rows) == len(CREWS) * len(STOPS)
    assert {len(row) for row in made.rows} == {len(made.columns)}
    assert sum("Agreement of pairs" in note for note in made.notes) == len(CREWS)


def test_where_a_curve_reaches_a_target() -> None:
    """Between steps on a straight line; at the first where it begins above; else never."""
    steps, curve = [10, 20, 30], np.array([0.5, 0.7, 0.8])
    assert needed(steps, curve, 0.6) == pytest.approx(15)
    assert needed(steps, curve, 0.8) == pytest.approx(30)
    assert needed(steps, curve, 0.4) == 10
    assert needed(steps, curve, 0.81) == np.inf


def test_curves_are_made_to_rise() -> None:
    """What falls becomes level at its mean."""
    assert rising([1, 2, 3], [0.5, 0.9, 0.7]) == pytest.approx([0.5, 0.8, 0.8])
