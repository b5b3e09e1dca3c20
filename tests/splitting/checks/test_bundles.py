"""Whether numbers know the label, and what chance makes of it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from livewell.classes import ClassNames
from livewell.splitting.audit import tellable
from livewell.splitting.checks.bundles import Bundles

TWO = ClassNames(("healthy", "sick"), "sick")
STUDIES = 200


def bundles(labels: list[int], classes: ClassNames = TWO, seed: int = 0) -> Bundles:
    names = tuple(f"w{n}" for n in range(len(labels)))
    return Bundles(names, np.eye(len(classes))[labels], classes, seed)


def test_areas_are_those_of_scikit_learn():
    """Of pure units, with ties, and of mixed ones, whose regions count."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 5, 30).astype(float)
    pure = bundles([0, 1] * 15)
    area = pure.areas(values, pure.counts[None])[0, 0]
    assert area == pytest.approx(roc_auc_score([0, 1] * 15, values))
    counts = rng.integers(0, 4, (30, 2)).astype(float)
    mixed = Bundles(pure.names, counts, TWO)
    truth = np.repeat(np.tile([0, 1], 30), counts.ravel().astype(int))
    score = np.repeat(np.repeat(values, 2), counts.ravel().astype(int))
    assert mixed.areas(values, counts[None])[0, 0] == pytest.approx(roc_auc_score(truth, score))


def test_a_number_that_knows_the_label_is_told_with_its_direction():
    """Lower in sick wells, its area is said as 0.5 or more, and first among all."""
    rng = np.random.default_rng(1)
    labels = [0, 1] * 10
    table = pd.DataFrame({"noise": rng.normal(size=20), "light": -3.0 * np.array(labels)})
    table["light"] += rng.normal(size=20)
    told = bundles(labels).tell(table)
    assert told.p_value <= 0.005
    first = told.associations[0]
    assert (first.what, first.text) == ("light", "lower in sick")
    assert 0.5 <= first.low <= first.value <= first.high <= 1


def test_one_class_among_three_is_told_from_the_rest():
    """Every class is held against the rest, and the one that differs is named."""
    labels = [0, 1, 2] * 6
    classes = ClassNames(("healthy", "sick", "dead"))
    values = pd.DataFrame({"light": np.equal(labels, 2) + np.linspace(0, 0.5, 18)})
    told = bundles(labels, classes).tell(values)
    assert told.associations[0].text == "higher in dead"
    assert told.p_value <= 0.01


def test_what_cannot_be_told_is_left_out():
    """Columns of one value, and of too few units of a class, say nothing."""
    table = pd.DataFrame({"same": np.ones(8), "rare": [1.0, 2, 3, 4, np.nan, np.nan, 5, 6]})
    told = bundles([0, 0, 0, 0, 1, 1, 1, 1]).tell(table)
    assert told.associations == ()
    assert np.isnan(told.p_value)
    assert "sick in only 2" in bundles([0] * 5 + [1] * 2).scarce()


def test_units_too_few_for_a_low_p_value_are_said():
    """Four of each class, three of three classes, or four mixed ones are too few; six are not."""
    assert "too few to tell from chance: healthy in 4" in bundles([0, 1] * 4).scarce()
    assert "too few" in bundles([0, 1, 2] * 3, ClassNames(("a", "b", "c"))).scarce()
    assert "too few" in Bundles(tuple("abcd"), np.full((4, 2), 2.0), TWO).scarce()
    assert bundles([0, 1] * 6).scarce() == ""
    assert Bundles(tuple("abcdefgh"), np.full((8, 2), 2.0), TWO).scarce() == ""


def test_swapped_labels_count_twice_only_where_classes_are_as_many():
    """Of six in each class swapped labels are among the permuted ones, of four and nine not."""
    assert tellable(np.array([[6.0, 6.0]]), 2 / 924 + 1e-9)
    assert not tellable(np.array([[6.0, 6.0]]), 1 / 924 + 1e-9)
    assert tellable(np.array([[4.0, 9.0]]), 1 / 715 + 1e-9)
    assert not tellable(np.array([[4.0, 9.0]]), 1 / 715 + 1e-9, two_sided=True)


@pytest.mark.long
def test_p_values_of_many_numbers_are_those_of_chance(monkeypatch: pytest.MonkeyPatch):
    """Of ten numbers that know nothing p is 0.05 or less in one study of twenty."""
    monkeypatch.setattr("livewell.splitting.checks.bundles.PERMUTATIONS", 499)
    low = 0
    for seed in range(STUDIES):
        rng = np.random.default_rng([1, seed])
        table = pd.DataFrame(rng.normal(size=(16, 10)).cumsum(axis=1))
        low += bundles([0, 1] * 8, seed=seed).tell(table.add_prefix("n")).p_value <= 0.05
    assert low <= stats.binom.ppf(0.99, STUDIES, 0.05)
