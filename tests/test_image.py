"""Pixels beyond the picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livewell.geometry import Box
from livewell.image import mirrored

FRAME = np.arange(12 * 15).reshape(12, 15)


@given(st.data())
def test_beyond_the_picture_it_is_mirrored_as_numpy_does(data):
    """Any box reads what numpy's reflecting pad of the area holds there."""
    y0, x0 = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 13))
    y1, x1 = data.draw(st.integers(y0 + 1, 12)), data.draw(st.integers(x0 + 1, 15))
    top, left = data.draw(st.integers(-30, 40)), data.draw(st.integers(-30, 40))
    box = Box.of(top, left, top + data.draw(st.integers(1, 9)), left + 5)
    padded = np.pad(FRAME[y0:y1, x0:x1], 60, mode="reflect")
    expected = padded[
        box.y.start - y0 + 60 : box.y.stop - y0 + 60, box.x.start - x0 + 60 : box.x.stop - x0 + 60
    ]
    np.testing.assert_array_equal(mirrored(FRAME, Box.of(y0, x0, y1, x1), box), expected)
