"""Stain in boxes and nuclei."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.measure.stain import background, means, ratio


@pytest.mark.parametrize("lit", [0.0, 0.1, 0.3, 0.45])
def test_background_is_found_beside_lit_areas(lit):
    """Up to nearly half of the frame may be lit without moving the background by 3%."""
    frame = np.random.default_rng(0).normal(500, 20, (200, 200))
    frame[: int(200 * lit)] += np.random.default_rng(1).uniform(500, 5000, (int(200 * lit), 200))
    frame[:, :9] = 0
    assert background(frame) == pytest.approx(500, rel=0.03)


@given(gain=st.floats(0.1, 50), offset=st.floats(0, 500), value=st.floats(1, 9))
@settings(deadline=None, max_examples=40)
def test_the_ratio_knows_neither_gain_nor_offset(gain, offset, value):
    """A camera's gain and offset leave the ratio as it is."""
    assert ratio(np.array([gain * value + offset]), gain + offset, offset)[0] == pytest.approx(
        value, rel=1e-6
    )


def test_impossible_questions_are_refused():
    """A background at the offset, a box outside and a dark frame each raise an error."""
    frame = np.ones((10, 10))
    with pytest.raises(ImageContentError, match="offset"):
        ratio(frame, 90, 90)
    with pytest.raises(ImageContentError, match="beyond"):
        means(frame, [Box.of(5, 5, 11, 9)])
    with pytest.raises(ImageContentError, match="no background"):
        background(np.zeros((9, 9)))


def test_a_mean_of_a_box_is_that_of_its_pixels():
    """Means of 16-bit pixels neither overflow nor lose fractions."""
    frame = np.full((300, 300), 65535, np.uint16)
    frame[0, 0] = 65534
    assert means(frame, [Box.of(0, 0, 300, 300)])[0] == pytest.approx(65535 - 1 / 90000, abs=1e-9)
