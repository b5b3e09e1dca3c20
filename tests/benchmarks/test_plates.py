"""Simulated wells have the means, spread and truth that they are said to have."""

import math

import numpy as np
import pytest

from benchmarks.plates import KINDS, PlateSpec, at_margin, simulate_plate


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_plate_is_a_table_of_wells_with_its_truth(kind):
    """One row a well, counts in range, the truth in attrs."""
    spec, found = KINDS[kind], simulate_plate(KINDS[kind], 0)
    assert len(found) == spec.wells * len(spec.doses_s)
    assert found["well"].is_unique
    assert found["positive"].between(0, found["patches"]).all()
    assert found["patches"].between(*spec.patches).all()
    assert sorted(found["dose"].unique()) == sorted(spec.doses_s)
    assert found.attrs["means"] == {d: pytest.approx(float(spec.mean(d))) for d in spec.doses_s}


def test_the_seed_decides():
    """One seed, one plate."""
    first, again, other = (simulate_plate(KINDS["smooth"], seed) for seed in (3, 3, 4))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("effect", ["none", "threshold", "smooth"])
@pytest.mark.parametrize("correlation", [0.0, 0.1])
def test_means_and_spread_are_as_said(effect, correlation):
    """Over 3,000 wells a dose: the mean, and the variance of a beta-binomial fraction."""
    spec = PlateSpec(effect, wells=3000, patches=(40, 40), correlation=correlation)
    found = simulate_plate(spec, 1)
    fraction = found["positive"] / found["patches"]
    for dose, values in fraction.groupby(found["dose"]):
        mean = found.attrs["means"][dose]
        variance = mean * (1 - mean) * (correlation + (1 - correlation) / 40)
        assert values.mean() == pytest.approx(mean, abs=4 * math.sqrt(variance / 3000))
        assert values.var() == pytest.approx(variance, rel=0.15)


@pytest.mark.parametrize("kind", ["threshold", "smooth"])
def test_true_doses_lie_on_the_true_curve(kind):
    """At the true ED10 and ED50 a tenth and half of the way are gone."""
    spec, truth = KINDS[kind], simulate_plate(KINDS[kind], 0).attrs
    for share, name in ((0.1, "ed10"), (0.5, "ed50")):
        expected = spec.lower + share * (spec.upper - spec.lower)
        assert float(spec.mean(truth[name])) == pytest.approx(expected)


def test_without_an_effect_there_is_no_true_dose():
    """ED10 and ED50 are NaN, all means are the control's."""
    truth = simulate_plate(KINDS["none"], 0).attrs
    assert math.isnan(truth["ed10"])
    assert set(truth["means"].values()) == {KINDS["none"].lower}


def test_a_threshold_does_nothing_below_itself():
    """Up to the threshold the mean is the control's, above it is higher."""
    spec = KINDS["threshold"]
    below, above = spec.mean([0, spec.threshold_s]), spec.mean(spec.threshold_s + 1)
    assert (below == spec.lower).all()
    assert above > spec.lower


def test_a_dose_at_the_margin_is_at_the_margin():
    """The one dose differs from the control by just the margin."""
    control, dose = at_margin(0.1).mean([0, 10])
    assert dose - control == pytest.approx(0.1)


def test_wells_beyond_row_z_have_names_of_their_own():
    """Thirty doses still give names that differ."""
    spec = PlateSpec(doses_s=tuple(float(d) for d in range(30)), wells=1)
    found = simulate_plate(spec, 0)["well"]
    assert found.iloc[[0, 25, 26, 29]].tolist() == ["A01", "Z01", "AA01", "AD01"]


def test_zero_and_one_stay_zero_and_one():
    """Plateaus of 0 and 1 leave no chance."""
    spec = PlateSpec("threshold", 0.0, 1.0, threshold_s=0.0, rise_s=1e-3, doses_s=(0.0, 5.0))
    found = simulate_plate(spec, 0)
    fraction = found["positive"] / found["patches"]
    assert set(np.round(fraction, 9)) == {0.0, 1.0}
