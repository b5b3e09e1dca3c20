"""The paper's interval over virtual batches: as described there, and as narrow as that makes it."""

import tracemalloc

import numpy as np
import pytest

from livewell.errors import SpecError
from livewell.metrics.virtual_batches import METHOD, paper_interval


def patches(number: int = 400, right: float = 0.85, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(number) % 2
    return y, np.where(rng.random(number) < right, y, 1 - y)


def test_the_value_is_the_balanced_accuracy_of_the_patches():
    """Over very many batches the mean is that of the two classes' shares judged right."""
    y, called = patches(60)
    y, called = y[:50], called[:50]
    keep = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:12]]
    y, called = y[keep], called[keep]
    expected = np.mean([(called[y == c] == c).mean() for c in (0, 1)])
    found = paper_interval(y, called, seed=0, batches=4000, resamples=500)
    assert found.value == pytest.approx(expected, abs=0.006)
    assert found.low < found.value < found.high
    assert (found.method, found.groups) == (METHOD, 4000)


def test_width_is_that_of_a_mean_of_batches():
    """The interval is about 2 x 1.96 standard errors of the mean over 100 batches."""
    y, called = patches()
    found = paper_interval(y, called, seed=1, resamples=5000)
    expected = 2 * 1.96 * np.sqrt(0.85 * 0.15 / 20 / 100)
    assert found.high - found.low == pytest.approx(expected, rel=0.35)


def test_more_batches_of_the_same_patches_narrow_it():
    """Ten times the batches: less than half the width, though nothing more is known."""
    y, called = patches()
    few, many = (paper_interval(y, called, seed=2, batches=b, resamples=2000) for b in (100, 1000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_the_seed_decides():
    """One seed, one interval."""
    y, called = patches()
    first, again, other = (paper_interval(y, called, seed=s, resamples=500) for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_memory_stays_small():
    """The paper's 100,000 resamples take less than 100 MB."""
    y, called = patches()
    tracemalloc.start()
    paper_interval(y, called, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20


def test_too_few_of_a_class_is_undefined():
    """Nine sick patches do not fill a batch of ten."""
    y = np.array([0] * 30 + [1] * 9)
    found = paper_interval(y, y, seed=0)
    assert np.isnan(found.value)
    assert "10 patches of either class" in found.note


def test_batches_that_agree_have_no_width():
    """A perfect net gets an interval of no width, and a note says so."""
    y, _ = patches()
    found = paper_interval(y, y, seed=0)
    assert (found.value, found.low, found.high) == (1, 1, 1)
    assert "no width" in found.note


@pytest.mark.parametrize(
    ("y", "called"), [([0, 1], [0, 1, 1]), ([0, 2], [0, 1]), ([0, 1], [0.5, 1])]
)
def test_values_that_are_no_verdicts_are_refused(y, called):
    """Truths and verdicts are 0 or 1, one of each a patch."""
    with pytest.raises(SpecError, match="do not fit together"):
        paper_interval(y, called, seed=0)
