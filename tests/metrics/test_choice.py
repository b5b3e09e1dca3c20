"""Which model is kept: a simple one, unless another is better by more than chance."""

import numpy as np
import pandas as pd
import pytest

from livewell.metrics.choice import choose, group_losses

GROUPS = ["A", "B", "C", "D"]


def losses(*values: float) -> "pd.Series[float]":
    return pd.Series(values, GROUPS[: len(values)])


def test_a_clear_gain_is_taken() -> None:
    """A model that is better in every group is kept, and its gain and error are told."""
    found = choose({"plain": losses(0.6, 0.5, 0.7), "heavy": losses(0.5, 0.39, 0.61)})
    assert found.chosen == "heavy"
    assert found.rivals[1].gain == pytest.approx(0.1)
    assert found.rivals[1].error == pytest.approx(np.std([0.1, 0.11, 0.09], ddof=1) / np.sqrt(3))
    assert "better than a simpler one" in found.told()


def test_a_gain_within_its_error_is_not_taken() -> None:
    """A lower mean alone is not enough: one group of two decides it."""
    found = choose({"plain": losses(0.6, 0.5), "heavy": losses(0.2, 0.6)})
    assert (found.chosen, found.rivals[1].gain) == ("plain", pytest.approx(0.15))
    assert "no other is better" in found.told()


def test_one_group_says_nothing() -> None:
    """With one validation group the simplest is kept, and the card holds no NaN."""
    found = choose({"plain": losses(0.6), "heavy": losses(0.1)})
    assert found.chosen == "plain"
    assert "one validation group" in found.told()
    assert found.noted()["candidates"][1] == {
        "name": "heavy",
        "loss": pytest.approx(0.1),
        "gain": pytest.approx(0.5),
    }


def test_the_next_is_held_against_the_one_kept_so_far() -> None:
    """A third model as good as the second is not taken, though it is better than the first."""
    better = losses(0.5, 0.4, 0.6)
    found = choose({"one": losses(0.6, 0.5, 0.7), "two": better, "three": better})
    assert found.chosen == "two"


def test_losses_of_groups_are_calibrated() -> None:
    """The loss of a group is the mean over its regions, at the given temperature."""
    logits = np.array([[0.0, 2.0], [0.0, 2.0], [0.0, 0.0]])
    found = group_losses(logits, [1, 0, 1], ["A", "A", "B"], 2.0)
    right, wrong = np.log1p(np.exp(-1)), np.log1p(np.exp(1))
    assert found.to_dict() == pytest.approx({"A": (right + wrong) / 2, "B": np.log(2)})
