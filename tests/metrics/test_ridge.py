"""A ridge regression with groups left out, and exact p values of permuted labels."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from livewell.metrics.ridge import PENALTY, among_units, areas, left_out, p_value, permuted


def _noise(n: int, features: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, features))


def test_a_group_is_scored_by_the_others_alone():
    """Scores are those of a ridge on the other groups, and of no label of the own one."""
    x, groups = _noise(12, 5, 0), np.repeat(list("abcd"), 3)
    y = np.arange(12) % 2
    hat = left_out(x, groups)
    for name in "abcd":
        out = groups == name
        assert not hat[np.ix_(out, out)].any()
        mean, sd = x[~out].mean(axis=0), x[~out].std(axis=0)
        scaled = (x - mean) / sd / np.sqrt(5)
        ridge = Ridge(alpha=PENALTY).fit(scaled[~out], y[~out])
        ours = hat[out] @ y
        assert np.allclose(ours, scaled[out] @ ridge.coef_)


def test_noise_is_told_as_chance_has_it():
    """Without an effect p is even, also with few wells and one batch after another."""
    y, batch = np.arange(16) % 2, np.repeat([0, 1], 8)
    found = []
    for seed in range(40):
        hat = left_out(_noise(16, 30, seed), np.arange(16))
        found.append(permuted(hat, y, among_units(range(16), batch), permutations=99).p_value)
    assert 0.35 < np.mean(found) < 0.65


def test_an_effect_is_told_of_each_class():
    """Of three classes the one that differs has the strongest area, with a low p value."""
    y = np.arange(30) % 3
    x = _noise(30, 4, 1)
    x[y == 2] += 2
    found = permuted(left_out(x, np.arange(30)), y, among_units(range(30)), permutations=199)
    assert found.strongest == 2
    assert found.areas[2] > 0.9
    assert found.p_value == pytest.approx(1 / 200)


def test_areas_are_those_of_the_roc_curve():
    """Ties count half, and one class alone has no area."""
    rng = np.random.default_rng(0)
    scores, held = rng.integers(0, 4, (20, 3)).astype(float), rng.random((20, 3)) < 0.5
    held[:, 2] = True
    found = areas(scores, held)
    for column in (0, 1):
        expected = roc_auc_score(held[:, column], scores[:, column])
        assert found[column] == pytest.approx(expected)
    assert np.isnan(found[2])


def test_p_values_count_the_labels_as_they_are():
    """The lowest p value of 99 permutations is 0.01."""
    assert p_value(1.0, np.zeros(99)) == pytest.approx(0.01)
    assert p_value(0.0, np.zeros(99)) == 1.0


def test_units_are_permuted_whole_and_within_their_batch():
    """Images of a well keep one label, and a batch keeps its number of each class."""
    units, labels = np.repeat(range(6), 2), np.repeat([0, 1, 0, 1, 1, 1], 2)
    batches = np.repeat([0, 1], 6)
    shuffle, rng = among_units(units, batches), np.random.default_rng(0)
    drawn = np.stack([shuffle(labels, rng) for _ in range(50)])
    assert (drawn[:, ::2] == drawn[:, 1::2]).all()
    assert (drawn[:, batches == 0].sum(axis=1) == 2).all()
    assert len(np.unique(drawn, axis=0)) == 3


def test_regions_of_mixed_images_are_permuted_within_their_image():
    """Where images hold several classes each keeps its own number of them."""
    units, labels = np.repeat([0, 1], 4), np.array([0, 0, 0, 1, 1, 1, 1, 0])
    shuffle, rng = among_units(units), np.random.default_rng(0)
    drawn = np.stack([shuffle(labels, rng) for _ in range(60)])
    assert (drawn[:, :4].sum(axis=1) == 1).all()
    assert (drawn[:, 4:].sum(axis=1) == 3).all()
    assert len(np.unique(drawn, axis=0)) == 16
