"""Temperatures, calibration errors and reliability."""

import numpy as np
import pytest
from scipy.special import expit

from livewell.errors import LabelError, SpecError, TableError
from livewell.metrics.calibration import (
    LIMITS,
    expected_calibration_error,
    fit_temperature,
    probability,
    reliability,
)


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(truth):
    """From 20,000 labels drawn at a known temperature it comes back within 5%."""
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 3, 20_000)
    y = rng.random(20_000) < expit(logit / truth)
    assert fit_temperature(logit, y) == pytest.approx(truth, rel=0.05)


def test_wholly_separated_classes_do_not_freeze_it():
    """Perfect logits of forty patches leave probabilities short of 0 and 1."""
    logit = np.repeat([-5.0, 5.0], 20)
    temperature = fit_temperature(logit, logit > 0)
    assert LIMITS[0] < temperature < LIMITS[1]
    assert 0.9 < probability(5.0, temperature) < 0.99


def test_logits_that_say_nothing_or_the_opposite_are_damped():
    """All-zero logits leave T at 1; logits that point the wrong way make it as high as allowed."""
    assert fit_temperature(np.zeros(8), [0, 1] * 4) == 1
    assert fit_temperature([4, -4] * 50, [0, 1] * 50) > 50


def test_weights_count_as_repeats():
    """A weight of three is three patches."""
    rng = np.random.default_rng(1)
    logit, y = rng.normal(size=60), rng.integers(0, 2, 60)
    weight = rng.integers(1, 4, 60)
    repeated = fit_temperature(np.repeat(logit, weight), np.repeat(y, weight))
    assert fit_temperature(logit, y, weight) == pytest.approx(repeated, rel=1e-3)


@pytest.mark.parametrize(
    ("logit", "y", "error"),
    [
        ([1.0, 2.0], [1, 1], LabelError),
        ([1.0, np.nan], [0, 1], LabelError),
        ([1.0, 2.0, 3.0], [0, 1], SpecError),
    ],
)
def test_what_cannot_be_fitted_is_refused(logit, y, error):
    """One class, logits that are no numbers and lengths that differ are refused."""
    with pytest.raises(error):
        fit_temperature(logit, y)


def test_calibration_error_by_hand():
    """Two bins of two, each off by 0.1 and 0.4, make 0.25; constant p is one bin."""
    p, y = [0.1, 0.1, 0.9, 0.9], [0, 0, 1, 0]
    assert expected_calibration_error(p, y, bins=2) == pytest.approx((0.1 + 0.4) / 2)
    assert expected_calibration_error([0.5] * 4, [0, 1, 1, 1], bins=10) == pytest.approx(0.25)
    assert np.isnan(expected_calibration_error([], []))


def test_calibrated_probabilities_have_a_small_error():
    """Labels drawn from the probabilities have an error near 0, overconfident ones do not."""
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 2, 20_000)
    y = rng.random(20_000) < expit(logit)
    assert expected_calibration_error(expit(logit), y) < 0.02
    assert expected_calibration_error(expit(4 * logit), y) > 0.1


def test_reliability_bins_hold_everything_once(scored):
    """Bins are ordered, hold all patches, nearly equally many, and intervals hold what is seen."""
    table = scored(np.random.default_rng(0), 20, 50)
    rows = reliability(table["p"], table["y"], table["group"], 8)
    assert rows["patches"].sum() == 1000
    assert rows["patches"].between(120, 130).all()
    assert (rows["p_low"].to_numpy()[1:] > rows["p_high"].to_numpy()[:-1]).all()
    assert ((rows["low"] <= rows["observed"]) & (rows["observed"] <= rows["high"])).all()
    assert (rows["high"] > rows["low"]).all()


def test_reliability_of_few_values_and_one_group(scored):
    """Probabilities that repeat share a bin; one group leaves the interval open."""
    rows = reliability([0.2] * 3 + [0.8] * 3, [0, 0, 1, 1, 1, 0], ["a"] * 6, 10)
    assert rows["patches"].tolist() == [3, 3]
    assert rows[["low", "high"]].to_numpy().tolist() == [[0, 1], [0, 1]]
    with pytest.raises(TableError):
        reliability([1.2], [1], ["a"])
