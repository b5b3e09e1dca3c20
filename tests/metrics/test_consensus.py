"""Dawid and Skene's consensus of several persons."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import SpecError, TableError
from livewell.metrics.answer_matrix import NOTHING, AnswerMatrix, checked_answers
from livewell.metrics.consensus import (
    consensus,
    dawid_skene,
)

ANAESTHETISTS = """
111 1 1 1 1|333 4 3 3 4|112 2 1 2 2|222 3 1 2 1|222 3 2 2 2|222 3 3 2 2|122 2 1 1 1|333 3 4 3 3
222 2 2 2 3|232 2 2 2 3|444 4 4 4 4|222 3 3 4 3|111 1 1 1 1|222 3 2 1 2|121 1 1 1 1|111 2 1 1 1
111 1 1 1 1|111 1 1 1 1|222 2 2 2 1|222 1 3 2 2|222 2 2 2 2|222 2 2 2 1|222 3 2 2 2|221 2 2 2 2
111 1 1 1 1|111 1 1 1 1|232 2 2 2 2|111 1 1 1 1|111 1 1 1 1|112 1 1 2 1|111 1 1 1 1|333 3 2 3 3
111 1 1 1 1|222 2 2 2 2|222 3 2 3 2|433 4 3 4 3|221 2 2 3 2|232 3 2 3 3|333 3 4 3 2|111 1 1 1 1
111 1 1 1 1|121 2 1 1 1|232 2 2 2 2|121 1 1 1 1|222 2 2 2 2
"""
"""Dawid and Skene 1979, Table 1: fitness of 45 patients for anaesthesia, by five observers, of whom
the first looked three times."""


def patients() -> np.ndarray:
    """Table 1 with each answer of the first observer as one of a person of its own."""
    rows = ANAESTHETISTS.replace("\n", "|").strip("|").split("|")
    return np.array([[int(c) - 1 for c in row.replace(" ", "")] for row in rows if row.strip()])


def simulated(rng: np.random.Generator, items: int, skills: list[float], asked: float = 1.0):
    """Truth and answers of persons who are right with these chances."""
    truth = (rng.random(items) < 0.4).astype(int)
    right = rng.random((items, len(skills))) < skills
    codes = np.where(right, truth[:, None], 1 - truth[:, None])
    return truth, np.where(rng.random(codes.shape) < asked, codes, NOTHING)


def test_the_paper_s_patients() -> None:
    """Classes and shares of Table 4 and 3: 40% class 1, 42% class 2, 11% class 3, 7% class 4."""
    found = dawid_skene(patients(), 4)
    assert found.converged
    assert found.prior == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.03)
    called = found.called + 1
    # patients who the paper is all but sure of
    assert called[[0, 1, 10, 12, 7, 31]].tolist() == [1, 3, 4, 1, 3, 3]
    assert (found.posterior.max(axis=1) > 0.9).mean() > 0.9


def test_skills_are_found_and_the_consensus_beats_the_majority() -> None:
    """One good person among poor ones is believed; matrices come near the true chances."""
    rng = np.random.default_rng(3)
    skills = [0.95, 0.6, 0.6, 0.6, 0.65]
    truth, codes = simulated(rng, 4000, skills)
    found = dawid_skene(codes, 2)
    diagonal = found.confusion[:, [0, 1], [0, 1]].mean(axis=1)
    assert diagonal == pytest.approx(skills, abs=0.04)
    majority = (codes.mean(axis=1) > 0.5).astype(int)
    assert (found.called == truth).mean() > (majority == truth).mean() + 0.1


def test_probabilities_mean_what_they_say() -> None:
    """Of items called with a mean probability p, about p are called rightly."""
    truth, codes = simulated(np.random.default_rng(5), 6000, [0.8, 0.75, 0.85, 0.7], asked=0.6)
    found = dawid_skene(codes, 2)
    sure = found.posterior.max(axis=1)
    right = found.called == truth
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1.0)):
        inside = (sure >= low) & (sure < high)
        assert right[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.04)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 4))
def test_small_numbers_do_not_diverge(seed: int, items: int, persons: int) -> None:
    """However few answers there are, probabilities are finite, add up to 1, and none is certain."""
    codes = np.random.default_rng(seed).integers(-1, 3, (items, persons))
    found = dawid_skene(codes, 2, 3)
    assert np.isfinite(found.posterior).all()
    assert found.posterior.sum(axis=1) == pytest.approx(np.ones(items))
    assert found.confusion.sum(axis=2) == pytest.approx(np.ones((persons, 2)))
    assert found.confusion.min() > 0


@given(st.integers(0, 2**32 - 1))
def test_names_do_not_matter(seed: int) -> None:
    """Other orders of persons and of classes give the same probabilities."""
    rng = np.random.default_rng(seed)
    _, codes = simulated(rng, 60, [0.9, 0.8, 0.7], asked=0.8)
    found = dawid_skene(codes, 2)
    order = rng.permutation(3)
    assert dawid_skene(codes[:, order], 2).posterior == pytest.approx(found.posterior)
    swapped = np.where(codes < 0, codes, 1 - codes)
    assert dawid_skene(swapped, 2).posterior[:, ::-1] == pytest.approx(found.posterior)


def test_known_truth_stays_and_teaches() -> None:
    """Controls keep their class, and unmask two persons who are always wrong together."""
    rng = np.random.default_rng(7)
    truth, codes = simulated(rng, 400, [0.9, 0.15, 0.15])
    known = np.where(np.arange(400) < 80, truth, NOTHING)
    found = dawid_skene(codes, 2, known=known)
    assert (found.called[:80] == truth[:80]).all()
    assert (found.called == truth).mean() > 0.9
    assert (dawid_skene(codes, 2).called == truth).mean() < 0.3


def test_nobody_is_believed_at_once() -> None:
    """One answer of somebody whom nobody knows yet makes no posterior of 0.95."""
    assert dawid_skene([[1], [0]], 2, 3).posterior.max() < 0.95


def test_a_large_task_is_fitted_whole() -> None:
    """10,000 items by 50 persons of unequal skill are called right, with sparse answers."""
    rng = np.random.default_rng(11)
    truth, codes = simulated(rng, 10_000, list(rng.uniform(0.6, 0.95, 50)), asked=0.1)
    found = dawid_skene(codes, 2)
    assert (found.called == truth).mean() > 0.9


def test_a_table_of_answers_becomes_a_matrix() -> None:
    """Repeats and the studied part of a quiz stay out; unsure is an answer of its own."""
    rows = [
        ("b", "ann", "sick", 0, None),
        ("a", "ann", "healthy", 0, None),
        ("a", "ann", "sick", 1, None),
        ("a", "bob", "unsure", 0, None),
        ("c", "bob", "sick", 0, "study"),
    ]
    table = pd.DataFrame(rows, columns=["item", "person", "answer", "round", "part"])
    made = AnswerMatrix.of(checked_answers(table), ("healthy", "sick"))
    assert made.items == ("a", "b")
    assert made.answers == ("healthy", "sick", "unsure")
    assert made.codes.tolist() == [[0, 2], [1, -1]]
    assert made.without_unsure.codes.tolist() == [[0, -1], [1, -1]]
    assert consensus(made, {"a": 1}).posterior[0].tolist() == [0, 1]
    grouped = AnswerMatrix.of(checked_answers(table), ("healthy", "sick"), {"a": "A1", "b": "A1"})
    assert (grouped.groups, grouped.sums(np.ones(2)).tolist()) == (1, [[2.0]])


def test_faults_of_answers_in_plain_words() -> None:
    """Columns that lack, an item answered twice in a round, two tasks, unknown answers."""
    table = pd.DataFrame({"item": ["a", "a"], "person": ["p", "p"], "answer": ["x", "y"]})
    with pytest.raises(TableError, match="twice"):
        checked_answers(table)
    with pytest.raises(TableError, match="answer"):
        checked_answers(table.drop(columns="answer"))
    with pytest.raises(TableError, match="several-tasks"):
        checked_answers(table.assign(task=["s", "t"]))
    with pytest.raises(TableError, match="x"):
        AnswerMatrix.of(checked_answers(table.head(1)), ("healthy", "sick"))
    with pytest.raises(SpecError, match="beyond"):
        dawid_skene([[3]], 2)
