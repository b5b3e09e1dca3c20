"""Stain in boxes and nuclei."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.measure.stain import (
    background,
    background_and_sd,
    eight_bit,
    highest_level,
    lit_share,
    means,
    ratio,
    reaches,
)


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


def test_what_lies_far_above_the_background_is_lit():
    """Of a frame a tenth of which shines, a tenth lies five standard deviations above."""
    frame = np.random.default_rng(0).normal(500, 20, (200, 200))
    frame[:20] += 2000
    level, sd = background_and_sd(frame)
    assert (level, sd) == (pytest.approx(500, rel=0.01), pytest.approx(20, rel=0.05))
    whole = Box.of(0, 0, 200, 200)
    assert lit_share(frame, whole, level + 5 * sd) == pytest.approx(0.1, abs=1e-3)
    assert lit_share(frame, Box.of(20, 0, 200, 200), level + 5 * sd) < 1e-4


def test_where_most_of_a_frame_is_zero_its_background_is_zero():
    """Eight-bit stains are dark with a few lit pixels: their zeros are no border."""
    frame = np.zeros((40, 40), np.uint8)
    frame[:8, :8] = 90
    level, sd = background_and_sd(frame)
    assert level == 0
    assert sd < 1


def test_saturated_boxes_are_those_with_a_pixel_at_the_highest_level():
    """The number type's highest level counts, or a lower one of a camera of fewer bits."""
    frame = np.full((8, 8), 4000, np.uint16)
    frame[1, 1], frame[6, 6] = 65535, 4095
    boxes = [Box.of(0, 0, 4, 4), Box.of(4, 4, 8, 8), Box.of(0, 4, 4, 8)]
    assert reaches(frame, boxes, highest_level(frame)).tolist() == [True, False, False]
    assert reaches(frame, boxes, 4095).tolist() == [True, True, False]
    assert highest_level(frame.astype(float)) == np.inf


def test_eight_bits_go_from_the_lowest_to_the_highest_level():
    """The lowest level inside becomes 0, the highest 255, whole numbers between in proportion."""
    frame = np.array([[0, 100, 300], [0, 200, 500]], np.uint16)
    found = eight_bit(frame, Box.of(0, 1, 2, 3))
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 0, 128], [0, 64, 255]]
    assert eight_bit(np.full((2, 2), 7), Box.of(0, 0, 2, 2)).tolist() == [[0, 0], [0, 0]]
