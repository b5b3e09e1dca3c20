"""Thresholds, unsure bands and verdicts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy.special import logit as log_odds

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError, TableError
from livewell.metrics.decisions import (
    choose_threshold,
    fit_image_rule,
    fit_region_rule,
    narrowest_band,
)
from livewell.metrics.rules import ImageRule

CLASSES = ClassNames(("healthy", "sick"))


def pictures(logit, y, group=None) -> pd.DataFrame:
    group = [f"w{i}" for i in range(len(y))] if group is None else group
    return pd.DataFrame({"group": group, "y": y, "mean_logit": np.asarray(logit, dtype=float)})


@pytest.mark.parametrize(
    ("p", "y", "threshold"),
    [
        ([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1], 0.4),
        ([0.7] * 4, [0, 1, 0, 1], 0.5),
        ([0.0, 1.0], [0, 1], 0.5),
        # Two equally good stretches, 0.2-0.3 and 0.5-0.9: the wider one is taken.
        ([0.1, 0.2, 0.3, 0.5, 0.9, 0.95], [0, 0, 1, 0, 1, 1], 0.7),
    ],
)
def test_the_threshold_is_the_middle_of_the_plateau(p, y, threshold):
    """Of all thresholds with the best balanced accuracy the middle of the widest run is taken."""
    assert choose_threshold(p, y, range(len(p))) == pytest.approx(threshold)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.sampled_from("abc")), min_size=2).filter(
        lambda rows: len({truth for _, truth, _ in rows}) == 2
    )
)
def test_no_threshold_is_better(rows):
    """No other threshold has a higher balanced accuracy with groups weighing alike."""
    table = pd.DataFrame(rows, columns=["p", "y", "group"])

    def balanced(threshold: float) -> float:
        right = (table["p"] >= threshold) == table["y"]
        by_group = right.groupby([table["y"], table["group"]]).mean()
        return float(by_group.groupby(level=0).mean().mean())

    chosen = choose_threshold(table["p"], table["y"], table["group"])
    others = [*table["p"], 0.0, np.nextafter(1, 2)]
    assert balanced(chosen) >= max(map(balanced, others)) - 1e-9


def test_groups_weigh_alike_in_the_threshold():
    """A group of a thousand patches does not outvote three small ones."""
    big = pd.DataFrame({"p": [0.6] * 1000, "y": 0, "group": "big"})
    small = pd.DataFrame({"p": [0.1] * 6, "y": 0, "group": ["a", "b", "c"] * 2})
    sick = pd.DataFrame({"p": [0.5] * 6, "y": 1, "group": ["d", "e", "f"] * 2})
    table = pd.concat([big, small, sick])
    assert 0.1 < choose_threshold(table["p"], table["y"], table["group"]) <= 0.5


@pytest.mark.parametrize(("p", "y"), [([0.2, 0.3], [1, 1]), ([0.2, 1.3], [0, 1])])
def test_no_threshold_without_two_classes_and_probabilities(p, y):
    """One class, or numbers that are no probabilities, are refused."""
    with pytest.raises(LabelError, match="no threshold"):
        choose_threshold(p, y, ["a", "b"])


def test_the_patch_rule_calls_at_its_threshold(scored):
    """Calls are exactly the probabilities that reach the threshold."""
    table = scored(np.random.default_rng(0))
    rule = fit_region_rule(table["logit"] * 3, table["y"], table["group"])
    logit = table["logit"] * 3
    p = rule.probability(logit)
    assert (rule.codes(np.stack([0 * logit, logit], axis=1)) == (p >= rule.threshold)).all()
    assert rule.temperature > 1.5


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40),
    st.floats(0.05, 0.95),
    st.floats(0, 0.5),
)
def test_the_band_keeps_errors_among_the_decided_low(rows, threshold, max_error):
    """Outside the band at most the allowed share is wrong, and the band holds its floor."""
    p, y = map(np.array, zip(*rows, strict=True))
    low, high = narrowest_band(p, y, threshold, max_error)
    assert 0 <= low <= max(0, threshold - 0.1)
    assert min(1, threshold + 0.1) <= high <= 1
    decided = (p < low) | (p > high)
    wrong = decided & ((p > high) != y)
    assert wrong.sum() <= max_error * decided.sum() + 1e-9


def test_the_band_is_the_narrowest_that_is_good_enough():
    """A wrong picture at 0.85 widens the band just so far, and only on its side."""
    p = np.array([0.05, 0.1, 0.2, 0.75, 0.85, 0.9, 0.95, 0.99])
    y = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    assert narrowest_band(p, y, 0.5, 0.05) == (0.4, 0.85)
    assert narrowest_band(p, y, 0.5, 0.2) == (0.4, 0.6)
    assert narrowest_band(np.array([0.01, 0.99]), np.array([1, 0]), 0.5) == (0.01, 0.99)
    with pytest.raises(SpecError):
        narrowest_band(p, y, 0.5, 1.0)


def test_separable_pictures_leave_a_band_and_right_verdicts():
    """Pictures told apart wholly are called rightly, those in between are unsure."""
    rule = fit_image_rule(pictures([-3, -2, -2.5, -2, 2, 3, 2.5, 2], [0] * 4 + [1] * 4), 1, CLASSES)
    assert rule.low <= rule.threshold - 0.1
    assert rule.high >= rule.threshold + 0.1
    assert [rule.verdict(float(rule.probability(x))) for x in (-2.5, 0, 2.5)] == [
        "healthy",
        "unsure",
        "sick",
    ]
    assert "0 of 8 decided ones wrong" in rule.note


def test_platt_scaling_finds_the_line_that_made_the_labels():
    """From 4,000 pictures the slope, the shift and the temperature's scale come back."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-(1.5 * x - 1)))).astype(int)
    rule = fit_image_rule(pictures(2 * x, y), 2.0, CLASSES)
    assert (rule.slope, rule.intercept) == pytest.approx((1.5, -1), abs=0.12)
    assert float(rule.probability(2.0)) == pytest.approx(1 / (1 + np.exp(-0.5)), abs=0.03)


def test_few_pictures_fall_back_and_say_so():
    """With three of a class the picture's probability is that of its mean calibrated logit."""
    rule = fit_image_rule(pictures([-4, -4, -4, 4, 4, 4], [0, 0, 0, 1, 1, 1]), 2, CLASSES)
    assert (rule.slope, rule.intercept) == (1, 0)
    assert log_odds(rule.probability(3.0)) == pytest.approx(1.5)
    assert "fewer than 4" in rule.note
    one = fit_image_rule(pictures([-4, -3], [0, 0]), 1, CLASSES)
    assert one.threshold == 0.5


def test_a_net_that_is_worse_than_chance_leaves_all_unsure():
    """With logits that point the wrong way the slope stops at 0 and nothing is decided."""
    rule = fit_image_rule(pictures([3, 2, 3, 2, -2, -3, -2, -3], [0] * 4 + [1] * 4), 1, CLASSES)
    assert rule.slope == 0
    assert {rule.verdict(float(rule.probability(x))) for x in (-9, 0, 9)} == {"unsure"}
    assert "says nothing" in rule.note


def test_equal_logits_are_no_error():
    """Pictures with one and the same logit make a rule that decides nothing."""
    rule = fit_image_rule(pictures([1.0] * 10, [0, 1] * 5), 1, CLASSES)
    assert rule.verdict(float(rule.probability(1.0))) == "unsure"


def test_rules_survive_json():
    """A rule written as JSON and read back is the same rule; unknown fields are refused."""
    held = TypeAdapter(ImageRule)
    rule = ImageRule(1.2, 0.8, -0.1, 0.45, 0.3, 0.6, CLASSES.names, "note")
    assert held.validate_json(held.dump_json(rule)) == rule
    with pytest.raises(ValidationError, match="colour"):
        held.validate_python({**held.dump_python(rule), "colour": "red"})
    with pytest.raises(ValidationError, match="threshold"):
        held.validate_python({"slope": 1})


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        (0, "healthy"),
        (0.29, "healthy"),
        (0.3, "unsure"),
        (0.6, "unsure"),
        (0.61, "sick"),
        (1, "sick"),
    ],
)
def test_the_band_belongs_to_unsure(p, verdict):
    """Both ends of the band are unsure, beyond them the class is named."""
    assert ImageRule(1, 1, 0, 0.45, 0.3, 0.6, CLASSES.names).verdict(p) == verdict


def test_what_is_no_probability_has_no_verdict():
    """NaN and numbers outside [0, 1] are refused, and so are tables without the columns."""
    rule = ImageRule(1, 1, 0, 0.45, 0.3, 0.6, CLASSES.names)
    for p in (float("nan"), -0.1, 1.1):
        with pytest.raises(SpecError):
            rule.verdict(p)
    with pytest.raises(TableError, match="mean_logit"):
        fit_image_rule(pd.DataFrame({"group": ["a"], "y": [1]}), 1, CLASSES)
    with pytest.raises(LabelError):
        fit_image_rule(pictures([], []), 1, CLASSES)


def test_a_wholly_wrong_well_is_not_outvoted_by_long_movies():
    """Of three wells the short one is wrong: the band opens, though 200 of 205 frames are right."""
    p = np.r_[np.full(100, 0.05), np.full(100, 0.95), np.full(5, 0.98)]
    y = np.r_[np.zeros(100), np.ones(100), np.zeros(5)]
    group = np.repeat(["a", "b", "c"], [100, 100, 5])
    rule = fit_image_rule(pictures(log_odds(p), y.astype(int), group), 1.0, CLASSES)
    assert rule.verdict(float(rule.probability(log_odds(0.98)))) == "unsure"


def test_frames_of_one_well_are_one_witness():
    """A hundred frames a well make p no surer than one frame does."""
    few = pictures([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1], list("abcd"))
    many = few.loc[np.repeat(few.index, 100)]
    one, hundred = (fit_image_rule(table, 1.0, CLASSES) for table in (few, many))
    one = fit_image_rule(pd.concat([few, few]), 1.0, CLASSES)
    assert hundred.probability(2.0) == pytest.approx(float(one.probability(2.0)), abs=1e-3)
    assert hundred.probability(2.0) < 0.9
