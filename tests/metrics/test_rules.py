"""Rules of any number of classes: what they make of logits, and that two are no special case."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax

from livewell.classes import UNSURE, ClassNames
from livewell.errors import LabelError, SpecError, TableError
from livewell.metrics.calibration import fit_temperature
from livewell.metrics.decisions import fit_image_rule, fit_region_rule
from livewell.metrics.rules import ImageRule, RegionRule, log_odds

numbers = st.floats(-30, 30, width=32)
pairs = arrays(float, st.tuples(st.integers(1, 12), st.just(2)), elements=numbers)
triples = arrays(float, st.tuples(st.integers(1, 12), st.just(3)), elements=numbers)
temperatures, thresholds = st.floats(0.05, 20), st.floats(0.01, 0.99)
THREE = ClassNames(("healthy", "sick", "dead"))


@given(pairs, temperatures, thresholds)
def test_two_classes_by_their_logits_are_two_by_log_odds(logits, temperature, threshold) -> None:
    """Probabilities are softmax's and those of the log odds to 1e-6; calls are the same."""
    rule = RegionRule(temperature, threshold)
    p = rule.probabilities(logits)
    odds = logits[:, 1] - logits[:, 0]
    np.testing.assert_array_equal(log_odds(logits), odds)
    np.testing.assert_allclose(p[:, 1], expit(odds / temperature), atol=1e-6)
    np.testing.assert_allclose(p, softmax(logits / temperature, axis=1), atol=1e-6)
    np.testing.assert_array_equal(p[:, 1], rule.probability(odds))
    np.testing.assert_array_equal(rule.codes(logits), rule.probability(odds) >= threshold)


@given(pairs, temperatures, st.floats(0, 3), st.floats(-2, 2))
def test_images_of_two_classes_too(logits, temperature, slope, intercept) -> None:
    """Platt's logistic of the mean log odds, to 1e-6, and the verdict of its probability."""
    rule = ImageRule(temperature, slope, intercept, 0.5, 0.4, 0.6, ("no", "yes"))
    odds = logits[:, 1] - logits[:, 0]
    p = rule.probabilities(logits)
    np.testing.assert_allclose(p[:, 1], expit(slope * odds / temperature + intercept), atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    for each in p:
        named = "no" if each[1] < 0.4 else "yes" if each[1] > 0.6 else UNSURE
        assert rule.verdict_of(each) == rule.verdict(float(each[1])) == named


@settings(deadline=None)
@given(pairs.filter(lambda logits: len(logits) >= 2), st.randoms(use_true_random=False))
def test_fitting_two_classes_by_their_logits(logits, random) -> None:
    """Temperature and rule of (n, 2) logits are those of their log odds, to 1e-6."""
    y = [0, 1] + [random.randrange(2) for _ in range(len(logits) - 2)]
    group = [f"g{random.randrange(3)}" for _ in y]
    odds = logits[:, 1] - logits[:, 0]
    general, binary = fit_temperature(logits, y), fit_temperature(odds, y)
    assert general == pytest.approx(binary, rel=1e-6)
    assert fit_region_rule(logits, y, group) == fit_region_rule(odds, y, group)


@given(triples, temperatures, thresholds)
def test_of_three_the_most_probable_is_called(logits, temperature, threshold) -> None:
    """Where its probability reaches the threshold; no class elsewhere."""
    rule = RegionRule(temperature, threshold)
    p = rule.probabilities(logits)
    np.testing.assert_allclose(p, softmax(logits / temperature, axis=1), atol=1e-12)
    for each, code in zip(p, rule.codes(logits), strict=True):
        assert code == (each.argmax() if each.max() >= threshold else -1)
    maps = logits.T[:, None]
    assert rule.codes(np.moveaxis(maps, 0, -1)).shape == (1, len(logits))


@given(triples, temperatures, st.floats(0.1, 3), thresholds)
def test_images_of_three_classes(logits, temperature, slope, high) -> None:
    """Softmax of scaled mean logits; up to `high` the verdict is unsure."""
    rule = ImageRule(temperature, slope, 0.0, high, 0.0, high, THREE.names)
    for mean in logits:
        p = rule.probabilities(mean)
        np.testing.assert_allclose(p, softmax(slope * mean / temperature), atol=1e-12)
        best = THREE[int(p.argmax())]
        assert rule.verdict_of(p) == (best if p.max() > high else UNSURE)


def drawn(n: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of three classes, and classes drawn by their softmax times `sharpness`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 3))
    p = softmax(sharpness * logits, axis=1)
    return logits, (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 2.0])
def test_the_temperature_of_three_classes_is_found(sharpness: float) -> None:
    """From 6,000 regions whose classes follow their softmax its temperature comes back."""
    logits, y = drawn(6000, sharpness)
    rule = fit_region_rule(logits, y, np.arange(len(y)) % 7)
    assert rule.temperature == pytest.approx(1 / sharpness, rel=0.08)
    assert rule.threshold == 0
    assert (rule.codes(logits) == logits.argmax(axis=1)).all()


def images_of(logits: np.ndarray, y: np.ndarray, groups: int = 50) -> pd.DataFrame:
    means = {f"mean_logit_{name}": logits[:, code] for code, name in enumerate(THREE)}
    return pd.DataFrame({"group": np.arange(len(y)) % groups, "y": y, **means})


def test_an_image_rule_of_three_classes() -> None:
    """The scale comes back, and among decided images at most the allowed share is wrong."""
    logits, y = drawn(6000, 1.5)
    rule = fit_image_rule(images_of(2 * logits, y, 6000), 2.0, THREE, max_error=0.05)
    assert rule.classes == THREE.names
    assert rule.slope == pytest.approx(1.5, rel=0.08)
    p = rule.probabilities(2 * logits)
    decided = p.max(axis=1) > rule.high
    assert 0 < decided.mean() < 1
    assert (p.argmax(axis=1) != y)[decided].mean() <= 0.05 + 0.005
    assert [rule.verdict_of(each) == UNSURE for each in p[:50]] == (~decided[:50]).tolist()
    assert f"of {decided.sum()} decided ones wrong" in rule.note


def test_images_of_three_classes_that_are_told_apart() -> None:
    """Where no validation image is wrong all of them are decided."""
    y = np.repeat([0, 1, 2], 6)
    rule = fit_image_rule(images_of(4.0 * np.eye(3)[y], y), 1.0, THREE)
    named = [rule.verdict_of(rule.probabilities(4.0 * np.eye(3)[code])) for code in range(3)]
    assert named == list(THREE)
    assert rule.verdict_of(np.full(3, 1 / 3)) == UNSURE
    assert "0 of 18 decided ones wrong" in rule.note


def test_few_images_of_a_class_fall_back_and_say_so() -> None:
    """With three of a class the probability is that of the mean calibrated logits."""
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
    logits = 3.0 * np.eye(3)[y]
    rule = fit_image_rule(images_of(logits, y), 2.0, THREE)
    assert rule.slope == 1
    np.testing.assert_allclose(rule.probabilities(logits), softmax(logits / 2, axis=1))
    assert "fewer than 4 of a class" in rule.note


def test_what_does_not_fit_three_classes_is_refused() -> None:
    """A class without regions, missing columns, and probabilities of other classes."""
    with pytest.raises(LabelError, match=r"every class.*3, 0, 2 of each class"):
        fit_region_rule(np.random.default_rng(0).normal(size=(5, 3)), [0, 0, 0, 2, 2], range(5))
    with pytest.raises(TableError, match="mean_logit_dead"):
        fit_image_rule(pd.DataFrame({"group": ["a"], "y": [1], "mean_logit": [0.0]}), 1, THREE)
    rule = ImageRule(1, 1, 0, 0.5, 0, 0.5, THREE.names)
    with pytest.raises(SpecError, match=r"3 numbers, one for each of healthy, sick, dead"):
        rule.verdict_of([0.2, 0.8])
