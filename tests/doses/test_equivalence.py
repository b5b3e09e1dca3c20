"""The light budget: right on clear plates, at its level at the margin, the same in any unit."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.doses.equivalence import light_budget
from livewell.doses.noninferiority import Group, p_values
from livewell.errors import SpecError, TableError

DOSES = (0.0, 5.0, 10.0, 20.0, 40.0)


def plate(
    means: list[float], wells: int = 8, *, seed: int = 0, patches: int = 60, spread: float = 0.02
) -> pd.DataFrame:
    """Beta-binomial wells with these means at `DOSES`."""
    rng = np.random.default_rng(seed)
    dose = np.repeat(DOSES[: len(means)], wells)
    mean, scale = np.repeat(means, wells), 1 / spread - 1
    share = rng.beta(mean * scale, (1 - mean) * scale)
    return pd.DataFrame(
        {
            "well": [f"w{i}" for i in range(len(dose))],
            "dose": dose,
            "positive": rng.binomial(patches, share),
            "patches": patches,
        }
    )


def exact(fractions: dict[float, list[int]], patches: int = 50) -> pd.DataFrame:
    rows = [
        (f"{d}-{i}", d, n, patches) for d, all_n in fractions.items() for i, n in enumerate(all_n)
    ]
    return pd.DataFrame(rows, columns=["well", "dose", "positive", "patches"])


def test_no_harm_is_found_where_there_is_none():
    """Equal wells at every dose pass to the end."""
    found = light_budget(exact({d: [4, 5, 6, 5, 4, 6, 5, 5] for d in DOSES}), 0.1)
    assert (found.verdict, found.dose, found.stopped_at, found.why) == (
        "no harm found",
        40.0,
        None,
        "",
    )
    assert {test.decision for test in found.tests} == {"not worse"}
    assert "no harm was found" in found.told("s")
    assert "Up to 40 s" in found.told("s")


def test_the_budget_ends_before_the_first_harmful_dose():
    """A threshold between 10 and 20: the budget is 10, what comes after 20 is not tested."""
    found = light_budget(plate([0.05, 0.05, 0.05, 0.6, 0.9], wells=12), 0.15)
    assert (found.verdict, found.dose, found.stopped_at) == ("budget", 10.0, 20.0)
    assert [t.decision for t in found.tests] == ["not worse", "not worse", "worse", "not tested"]
    assert found.tests[3].difference > 0.5
    assert found.wells_needed_as_observed is None
    assert "harm is shown" in found.told("s")


def test_a_dose_after_the_stop_is_never_named_safe():
    """A harmless dose above a harmful one stays untested, though its figures are given."""
    rows = exact({0: [5] * 6, 5: [30, 25, 28, 33, 30, 29], 10: [5, 4, 6, 5, 5, 5]})
    found = light_budget(rows, 0.1)
    assert (found.verdict, found.dose) == ("harm at the lowest dose", None)
    assert found.tests[1].decision == "not tested"
    assert found.tests[1].p < 0.05


def test_few_wells_cannot_tell_and_say_how_many_would():
    """Two wells a dose show nothing; the text names the reason and the wells needed."""
    found = light_budget(plate([0.08] * 5, wells=2), 0.1)
    assert (found.verdict, found.dose) == ("cannot tell", None)
    assert "is possible" in found.why
    assert found.tests[0].wells_needed is not None
    assert found.tests[0].wells_needed > 2
    assert "wells a dose would be needed" in found.told("s")


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({0: [5], 5: [5, 6, 7]}, "one control well"),
        ({0: [5, 6, 7], 5: [5]}, "this dose has one well"),
    ],
)
def test_one_well_cannot_be_tested(counts, reason):
    """One well of dose or control: cannot tell, with the reason, bounds that say nothing."""
    found = light_budget(exact(counts), 0.3)
    assert (found.verdict, found.stopped_at) == ("cannot tell", 5.0)
    assert reason in found.why
    (test,) = found.tests
    assert (test.lower, test.upper, test.wells_needed) == (-1.0, 1.0, None)
    assert math.isnan(test.p)


def test_wells_without_any_sick_patch_are_no_proof_if_few():
    """All 0 in three wells does not pass a margin of 0.05; in twenty wells it does."""
    few, many = ({0: [0] * n, 5: [0] * n} for n in (3, 20))
    assert light_budget(exact(few), 0.05).verdict == "cannot tell"
    assert light_budget(exact(many), 0.05).verdict == "no harm found"


@given(st.integers(0, 10_000), st.floats(0.05, 0.4), st.integers(2, 8))
@settings(max_examples=25, deadline=None)
def test_unit_and_order_of_wells_change_nothing(seed, low, wells):
    """Milliseconds for seconds and wells in any order leave every figure as it is."""
    rows = plate([low, low, low, 0.5, 0.9], wells, seed=seed)
    first = light_budget(rows, 0.15)
    mixed = rows.assign(dose=rows["dose"] * 1000).sample(frac=1, random_state=seed)
    second = light_budget(mixed, 0.15)
    assert second.verdict == first.verdict
    assert second.dose == (None if first.dose is None else first.dose * 1000)
    tables = [pd.DataFrame(found.tests).drop(columns="dose") for found in (second, first)]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.long
@given(
    st.integers(0, 10_000),
    st.floats(0.01, 0.5),
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.5),
    st.integers(2, 10),
)
@settings(max_examples=40, deadline=None)
def test_a_larger_margin_never_lowers_the_budget(seed, margin, more, base, wells):
    """Whatever passes at a margin passes at a larger one; bounds stay where they are."""
    rows = plate([base, base, (base + 0.1), 0.6, 0.6], wells, seed=seed, spread=0.1)
    small, large = light_budget(rows, margin), light_budget(rows, margin + more)
    assert (large.dose or 0) >= (small.dose or 0)
    for one, other in zip(small.tests, large.tests, strict=True):
        assert other.p <= one.p + 1e-12
        assert other.upper == pytest.approx(one.upper, abs=2e-3)


@given(st.integers(0, 10_000), st.integers(2, 10))
@settings(max_examples=25, deadline=None)
def test_bounds_hold_the_difference_and_decide(seed, wells):
    """lower <= difference <= upper, and a decision is where the bounds lie to the margin."""
    for test in light_budget(plate([0.1, 0.1, 0.15, 0.3, 0.8], wells, seed=seed), 0.15).tests:
        assert test.lower - 1e-9 <= test.difference <= test.upper + 1e-9
        if test.decision == "not worse":
            assert test.upper <= 0.15
        elif test.decision == "worse":
            assert test.lower >= 0.15
        elif test.decision == "cannot tell":
            assert test.lower <= 0.15 <= test.upper


def test_a_further_dose_above_changes_nothing_below():
    """What is found for a dose rests on its wells and the controls alone."""
    rows = plate([0.1, 0.1, 0.15, 0.3, 0.8])
    whole, part = light_budget(rows, 0.15), light_budget(rows[rows["dose"] < 20], 0.15)
    assert whole.tests[:2] == part.tests


@pytest.mark.parametrize(
    ("wells", "control", "margin", "inside"),
    [(3, 0.05, 0.1, 0.1), (6, 0.1, 0.1, 0.05), (12, 0.01, 0.05, 0.1), (8, 0.3, 0.2, 0.3)],
)
def test_the_level_is_kept_at_the_margin(wells, control, margin, inside):
    """Of 6,000 plates with a true difference of the margin at most 6.5% pass, and at most 6.5%
    are called worse."""
    rng = np.random.default_rng(4)
    patches, scale = 50, 1 / inside - 1
    groups = []
    for mean in (control, control + margin):
        share = rng.beta(mean * scale, (1 - mean) * scale, (6000, wells))
        fraction = rng.binomial(patches, share) / patches
        groups.append(Group(wells, fraction.mean(1), fraction.var(1) * wells, 1 / patches))
    less, more = p_values(groups[0], groups[1], margin)
    assert (less <= 0.05).mean() <= 0.065
    assert (more <= 0.05).mean() <= 0.065


def test_as_many_wells_as_needed_reach_the_power():
    """Plates with the wells that the forecast asks for pass in 70% or more."""
    needed = light_budget(plate([0.1, 0.1], wells=40, spread=0.05), 0.1).tests[0].wells_needed
    assert needed is not None
    passed = [
        light_budget(plate([0.1, 0.1], needed, seed=s, spread=0.05), 0.1).dose for s in range(100)
    ]
    assert 0.65 <= np.mean([dose is not None for dose in passed]) <= 0.95


@pytest.mark.parametrize("margin", [0, 1, -0.1, float("nan")])
def test_a_margin_out_of_range_is_refused(margin):
    """A margin is a share between 0 and 1."""
    with pytest.raises(SpecError, match="margin"):
        light_budget(plate([0.1, 0.1]), margin)


@pytest.mark.parametrize("alpha", [0, 0.5, 1])
def test_an_alpha_out_of_range_is_refused(alpha):
    """Alpha lies between 0 and one half."""
    with pytest.raises(SpecError, match="alpha"):
        light_budget(plate([0.1, 0.1]), 0.1, alpha=alpha)


def test_a_bad_table_is_refused_with_its_faults():
    """The table is checked before anything is tested."""
    with pytest.raises(TableError, match="no-control"):
        light_budget(plate([0.1, 0.1]).query("dose > 0"), 0.1)


def test_lost_wells_count_as_sick_against_safety_and_not_as_harm() -> None:
    """Wells without a cell left keep a dose from passing, and alone do not show harm."""
    wells = plate([0.08, 0.08, 0.08], 10, seed=4)
    assert light_budget(wells, 0.2).dose == 10
    found = light_budget(wells, 0.2, lost={5.0: 5})
    assert found.dose is None
    assert found.tests[0].lost == 5
    assert found.tests[0].decision == "cannot tell"
    assert "5 more have no cell left" in found.why


def test_a_dose_that_lost_all_its_wells_ends_the_testing() -> None:
    """No dose above it is named safe, and the reason says how many wells were lost."""
    wells = plate([0.08, 0.08, 0.08], 10, seed=4)
    found = light_budget(wells[wells["dose"] != 5], 0.2, lost={5.0: 10})
    assert (found.dose, found.stopped_at, found.verdict) == (None, 5.0, "cannot tell")
    assert [test.decision for test in found.tests] == ["cannot tell", "not tested"]
    assert "no cell is left to judge in any of its 10 wells" in found.told("s")


def test_lost_controls_are_left_out() -> None:
    """A control well without cells says nothing of light."""
    wells = plate([0.08, 0.08], 10, seed=4)
    assert light_budget(wells, 0.2, lost={0.0: 4}) == light_budget(wells, 0.2)


def test_the_sentence_without_a_unit() -> None:
    """No double space where nobody knows the unit, and an odd alpha is told as it is."""
    text = light_budget(plate([0.08, 0.08], 10, seed=4), 0.2, alpha=0.025).told("")
    assert "  " not in text
    assert "97.5% sure" in text
