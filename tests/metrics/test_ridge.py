"""A ridge regression with groups left out, and exact p values of permuted labels."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from livewell.metrics.ridge import PENALTY, areas, left_out, p_value, permuted


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
        found.append(permuted(hat, y, range(16), batch, permutations=99).p_value)
    assert 0.35 < np.mean(found) < 0.65


def test_an_effect_is_told_of_each_class():
    """Of three classes the one that differs has the strongest area, with a low p value."""
    y = np.arange(30) % 3
    x = _noise(30, 4, 1)
    x[y == 2] += 2
    found = permuted(left_out(x, np.arange(30)), y, range(30), permutations=199)
    assert found.strongest == 2
    assert found.areas[2] > 0.9
    assert found.p_value == pytest.approx(1 / 200)


def test_areas_are_those_of_the_roc_curve():
    """Ties count half, and one class alone has no area."""
    rng = np.random.default_rng(0)
    scores, held = rng.integers(0, 4, (20, 3)).astype(float), rng.random((20, 3)) < 0.5
    held[:, 2] = True
    found = areas(scores, held, np.zeros(20, dtype=int))
    for column in (0, 1):
        expected = roc_auc_score(held[:, column], scores[:, column])
        assert found[column] == pytest.approx(expected)
    assert np.isnan(found[2])


def test_p_values_count_the_labels_as_they_are():
    """The lowest p value of 99 permutations is 0.01."""
    assert p_value(1.0, np.zeros(99)) == pytest.approx(0.01)
    assert p_value(0.0, np.zeros(99)) == 1.0


def test_areas_within_strata_compare_rows_of_one_stratum():
    """What plates differ in does not count: the area is that of pairs of one plate."""
    rng = np.random.default_rng(1)
    scores, held = rng.normal(size=(40, 1)), rng.random((40, 1)) < 0.5
    plate = np.arange(40) % 2
    each = [roc_auc_score(held[plate == n, 0], scores[plate == n, 0]) for n in (0, 1)]
    pairs = [held[plate == n].sum() * (~held[plate == n]).sum() for n in (0, 1)]
    expected = np.average(each, weights=pairs)
    assert areas(scores, held, plate)[0] == pytest.approx(expected)
    assert areas(scores + 100 * plate[:, None], held, plate)[0] == pytest.approx(expected)


def test_units_are_permuted_whole_and_within_their_stratum():
    """Labels of wells whose images differ are told by chance, for wells keep one label."""
    units, plate = np.repeat(range(12), 4), np.repeat([0, 1], 24)
    x = np.repeat(_noise(12, 6, 2), 4, axis=0) + 0.01 * _noise(48, 6, 3)
    y = np.repeat([0, 1] * 6, 4)
    torn = permuted(left_out(x, range(48)), y, units, plate, permutations=99)
    assert torn.areas.min() > 0.9
    assert torn.p_value > 0.2
    alone = permuted(left_out(x, range(48)), y, range(48), plate, permutations=99)
    assert alone.p_value == pytest.approx(0.01)


def test_a_stratum_keeps_its_number_of_each_class():
    """What differs between images that hold other shares of a class is no effect of the class."""
    image = np.repeat([0, 1, 2, 3], 10)
    y = np.concatenate([np.arange(10) < n for n in (2, 8, 3, 7)]).astype(int)
    x = _noise(40, 3, 5)
    x[:, 0] += 4 * np.isin(image, (1, 3))
    found = permuted(left_out(x, image), y, range(40), image, permutations=99)
    assert found.p_value > 0.05
    assert found.null.mean() == pytest.approx(0.5, abs=0.05)
