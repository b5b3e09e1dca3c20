"""The dose-response curve: finds what it was made of, says what it cannot know."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.doses import dose_response
from livewell.doses.dose_response import fit_dose_response
from livewell.errors import SpecError, TableError

DOSES = np.array([0, 2.5, 5, 10, 20, 40, 80, 160])


def wells(
    lower: float = 0.08,
    upper: float = 0.9,
    ed50: float = 30.0,
    slope: float = 2.5,
    *,
    number: int = 6,
    seed: int | None = 0,
    patches: int = 40,
    doses: np.ndarray = DOSES,
) -> pd.DataFrame:
    """Beta-binomial wells on a log-logistic curve; without a seed exactly on it."""
    dose = np.repeat(doses, number).astype(float)
    with np.errstate(divide="ignore"):
        mean = lower + (upper - lower) / (1 + (ed50 / dose) ** slope)
    if seed is None:
        positive = np.round(mean * patches)
    else:
        rng = np.random.default_rng(seed)
        share = rng.beta(mean * 19, (1 - mean) * 19)
        positive = rng.binomial(patches, share)
    names = [f"w{i}" for i in range(len(dose))]
    return pd.DataFrame({"well": names, "dose": dose, "positive": positive, "patches": patches})


def test_the_curve_without_noise_is_found():
    """Wells on a curve give back its plateaus, ED50, slope and ED10."""
    found = fit_dose_response(wells(seed=None, patches=100_000))
    assert found.fitted
    assert (found.lower, found.upper) == pytest.approx((0.08, 0.9), abs=2e-3)
    assert found.ed50 == pytest.approx(30, rel=0.01)
    assert found.slope == pytest.approx(2.5, rel=0.02)
    assert found.doses[0.1].value == pytest.approx(30 * (1 / 9) ** 0.4, rel=0.02)
    assert found.doses[0.5].value == pytest.approx(found.ed50)
    np.testing.assert_allclose(found.curve([0, 30, 1e9]), [0.08, 0.49, 0.9], atol=5e-3)


@pytest.mark.parametrize(
    ("ed50", "slope"), [(30.0, 3.0), pytest.param(50.0, 1.5, marks=pytest.mark.long)]
)
def test_intervals_hold_the_truth(ed50, slope):
    """Over 60 plates the 95% intervals of ED10 and ED50 hold the truth in 85% or more."""
    held = np.zeros(2)
    truth = [ed50 * (1 / 9) ** (1 / slope), ed50]
    for seed in range(60):
        found = fit_dose_response(wells(ed50=ed50, slope=slope, seed=seed)).effective
        held += [each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]
    assert held.min() >= 0.85 * 60


def test_no_rise_is_called_no_rise():
    """Of 60 plates without an effect at most 7 show a curve; the others have open doses."""
    found = [fit_dose_response(wells(upper=0.08, seed=seed)) for seed in range(60)]
    flat = [each for each in found if not each.fitted]
    assert len(flat) >= 53
    for each in flat:
        assert each.note == dose_response.NO_RISE
        assert all(math.isnan(e.value) and (e.low, e.high) == (0, math.inf) for e in each.effective)
        assert np.ptp(each.curve(DOSES)) == 0


def test_a_fall_with_dose_is_no_rise():
    """Wells that get better with dose show no rise."""
    rows = wells()
    found = fit_dose_response(rows.assign(positive=rows["patches"] - rows["positive"]))
    assert found.note == dose_response.NO_RISE


def test_an_upper_plateau_out_of_reach_leaves_the_interval_open():
    """Where only the foot of the curve was tested ED50 may lie anywhere above."""
    found = fit_dose_response(wells(ed50=400, slope=1.5, number=4))
    each = found.doses[0.5]
    assert math.isinf(each.high)
    assert dose_response.BEYOND_HIGH in each.note
    assert each.low <= each.value


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (wells(doses=np.array([0, 40])), dose_response.FEW_DOSES),
        (wells(number=1, doses=np.array([0, 5, 10, 40])), dose_response.FEW_WELLS),
    ],
)
def test_too_little_for_a_curve_is_a_note(rows, note):
    """One dose beside the control, or four wells, give a note and no error."""
    found = fit_dose_response(rows)
    assert (found.fitted, found.note) == (False, note)
    assert [each.note for each in found.effective] == [note, note]


@pytest.mark.long
@given(st.integers(0, 1000), st.sampled_from([0.001, 60.0, 1000.0]), st.integers(2, 6))
@settings(max_examples=10, deadline=None)
def test_doses_scale_with_their_unit_and_order_says_nothing(seed, factor, number):
    """Other units multiply every dose and bound and leave the plateaus; wells in any order."""
    rows = wells(seed=seed, number=number)
    first = fit_dose_response(rows)
    mixed = rows.assign(dose=rows["dose"] * factor).sample(frac=1, random_state=seed)
    second = fit_dose_response(mixed)
    assert (second.lower, second.upper) == pytest.approx((first.lower, first.upper), abs=1e-4)
    for one, other in zip(first.effective, second.effective, strict=True):
        expected = np.array([one.value, one.low, one.high]) * factor
        np.testing.assert_allclose([other.value, other.low, other.high], expected, rtol=1e-3)


def test_a_nets_mistakes_leave_the_relative_doses():
    """False positives and misses, an affine map of the fractions, move ED10 and ED50 not at all."""
    clean = wells(0, 1, seed=None, patches=100_000)
    called = clean.assign(positive=np.round(0.1 * clean["patches"] + 0.7 * clean["positive"]))
    first, second = fit_dose_response(clean), fit_dose_response(called)
    assert (second.lower, second.upper) == pytest.approx((0.1, 0.8), abs=5e-3)
    for one, other in zip(first.effective, second.effective, strict=True):
        assert other.value == pytest.approx(one.value, rel=0.02)


@given(st.integers(0, 1000), st.floats(0, 0.5), st.floats(0, 0.5))
@settings(max_examples=15, deadline=None)
def test_curves_are_sane_whatever_the_data(seed, lower, more):
    """Plateaus in [0, 1] and in order, a curve that never falls, intervals that hold the dose."""
    found = fit_dose_response(wells(max(lower, 1e-3), lower + more + 2e-3, seed=seed, number=2))
    assert 0 <= found.lower <= found.upper <= 1
    assert (np.diff(found.curve(np.linspace(0, 200, 50))) >= -1e-12).all()
    for each in found.effective:
        assert each.low <= each.high
        if found.fitted:
            assert each.low <= each.value <= each.high


@pytest.mark.parametrize("options", [{"shares": (0.0, 0.5)}, {"shares": (1.0,)}])
def test_settings_out_of_range_are_refused(options):
    """Shares lie between 0 and 1."""
    with pytest.raises(SpecError, match=r"in \(0, 1\)"):
        fit_dose_response(wells(), **options)


def test_a_bad_table_is_refused():
    """The table is checked first."""
    with pytest.raises(TableError, match="positive-out-of-range"):
        fit_dose_response(wells().assign(positive=99))
