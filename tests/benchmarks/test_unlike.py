"""Simulated fields of plates: the same from the same seed, and other where something is changed."""

import numpy as np
import pytest

from benchmarks.unlike import CHANGES, EDGE_PX, Change, field


def test_a_field_follows_from_seed_plate_and_number():
    """One seed, one field; another plate is another field."""
    first, again, other = (field(plate, 1, Change(), 3) for plate in (4, 4, 5))
    assert first.shape == (EDGE_PX, EDGE_PX)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", list(CHANGES)[2:])
def test_a_change_changes_the_field(name):
    """Every change is seen in the pixels, and leaves contrast in them."""
    found = field(0, 0, CHANGES[name], 0)
    assert not np.array_equal(found, field(0, 0, Change(), 0))
    assert found.std() > 0
