"""The valid area of a frame."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.measure.borders import valid_area

SIDES = st.integers(0, 30)


def _picture(seed: int, shape: tuple[int, int] = (90, 110)) -> np.ndarray:
    return np.random.default_rng(seed).integers(50, 4000, shape).astype(np.uint16)


@given(top=SIDES, bottom=SIDES, left=SIDES, right=SIDES, seed=st.integers(0, 9))
@settings(deadline=None)
def test_whole_borders_are_found_exactly(top, bottom, left, right, seed):
    """Zero rows and columns at any of the four sides are trimmed, and nothing else."""
    frame = _picture(seed)
    frame[:top] = 0
    frame[frame.shape[0] - bottom :] = 0
    frame[:, :left] = 0
    frame[:, frame.shape[1] - right :] = 0
    assert valid_area(frame) == Box.of(top, left, 90 - bottom, 110 - right)


@given(share=st.floats(0, 0.9), seed=st.integers(0, 9))
@settings(deadline=None)
def test_scattered_zeros_of_a_dark_picture_are_no_border(share, seed):
    """A picture whose zeros lie everywhere keeps all its rows and columns."""
    rng = np.random.default_rng(seed)
    frame = _picture(seed, (200, 240))
    frame[rng.random(frame.shape) < share] = 0
    assert valid_area(frame) == Box.of(0, 0, 200, 240)


@pytest.mark.parametrize(("pixels", "trimmed"), [(10, 0), (12, 1), (50, 1), (110, 1)])
def test_a_row_partly_zero_is_border_above_a_tenth(pixels, trimmed):
    """An edge row of which more than 10% is zero is border, one with less is picture."""
    frame = _picture(0)
    frame[0, :pixels] = 0
    assert valid_area(frame).y.start == trimmed


def test_a_dark_picture_with_a_border_loses_the_border_only():
    """Zeros inside raise what counts as border, so that a whole zero edge is still found."""
    frame = _picture(1, (200, 240))
    frame[np.random.default_rng(2).random(frame.shape) < 0.2] = 0
    frame[:, :20] = 0
    assert valid_area(frame) == Box.of(0, 20, 200, 240)


@pytest.mark.parametrize(
    "frame", [np.zeros((5, 5)), np.zeros((0, 4)), np.ones(7), np.ones((2, 3, 4))]
)
def test_no_picture_is_refused(frame):
    """All zero, empty and not two-dimensional arrays have no valid area."""
    with pytest.raises(ImageContentError, match=r"zero|one frame"):
        valid_area(frame)


def test_registration_borders_of_real_images(shared_data: Path):
    """In all 65 images hardly a zero is left inside, and at most 34 rows or columns go."""
    folder = shared_data / "mcf7-pi"
    for name in pd.read_csv(folder / "images.csv")["image"]:
        frame = tifffile.imread(folder / name)[0]
        area = valid_area(frame)
        assert (frame[area.slices] == 0).sum() <= 40, name
        assert min(area.y.size - frame.shape[0], area.x.size - frame.shape[1]) >= -34, name
        if frame.all():
            assert area.shape == frame.shape
