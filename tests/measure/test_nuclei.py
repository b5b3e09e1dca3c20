"""Nuclei in masks."""

import numpy as np
import pytest

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.measure.nuclei import beyond, centres, medians, numbered

MASK = np.zeros((12, 14), np.uint16)
MASK[1:4, 1:4], MASK[1:4, 4:7], MASK[8:12, 10:14] = 3, 9, 40


def test_numbers_of_a_mask_become_consecutive():
    """Nuclei 3, 9 and 40 become 1, 2 and 3; two that touch stay two."""
    found = numbered(MASK)
    assert [found[2, 2], found[2, 5], found[9, 12], found[6, 6]] == [1, 2, 3, 0]
    np.testing.assert_allclose(centres(found), [[2.5, 2.5], [2.5, 5.5], [10, 12]])


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float32])
def test_a_mask_of_one_value_has_a_nucleus_wherever_pixels_touch(kind):
    """Of truth values, or of 0 and 255, nuclei are connected pixels: here two, for two touch."""
    mask = ((MASK > 0) * (255 if kind is not bool else 1)).astype(kind)
    assert numbered(mask).max() == 2


def test_levels_inside_nuclei():
    """The median inside each nucleus, whatever lies outside and however bright one pixel is."""
    frame = np.full(MASK.shape, 5000)
    frame[MASK == 3], frame[MASK == 9], frame[MASK == 40] = 10, 20, 30
    frame[9, 12] = 60000
    assert medians(numbered(MASK), frame).tolist() == [10, 20, 30]


def test_nuclei_beyond_an_area_are_told():
    """One pixel outside is enough; without any area all are."""
    found = numbered(MASK)
    assert beyond(found, Box.of(0, 2, 12, 14)).tolist() == [True, False, False]
    assert beyond(found, Box.of(0, 0, 11, 14)).tolist() == [False, False, True]
    assert beyond(found, None).all()


def test_an_empty_mask_has_no_nucleus():
    """No numbers, no centres, no levels."""
    found = numbered(np.zeros((5, 5), np.uint16))
    assert found.max() == 0
    assert centres(found).shape == (0, 2)
    assert medians(found, np.ones((5, 5))).shape == (0,)
    assert beyond(found, None).shape == (0,)


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan])
def test_what_is_no_mask_is_refused(value):
    """Negative numbers, fractions and NaN are no numbers of nuclei."""
    mask = np.zeros((5, 5))
    mask[2, 2] = value
    with pytest.raises(ImageContentError, match="not a mask of nuclei"):
        numbered(mask, "cells.tif")
