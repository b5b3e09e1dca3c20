"""Frames side by side, and made smaller by the mean of areas."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from livewell.papers.mosaic import reduced, tiled

TYPES = ("uint8", "int16", "uint16", "uint32", "float32", "float64")


@st.composite
def frames_and_sizes(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int]]:
    """A frame of some number type, and a size that it can be reduced to."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    low, high = (-1e6, 1e6) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    width = {"float32": 32}.get(dtype.name, 64)
    values = st.floats(low, high, width=width) if dtype.kind == "f" else st.integers(low, high)
    frame = draw(arrays.arrays(dtype, shape, elements=values))
    return frame, draw(st.tuples(st.integers(1, shape[0]), st.integers(1, shape[1])))


def by_repeating(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means of areas the long way: every pixel repeated until areas hold whole pixels."""
    height, width = frame.shape
    fine = frame.astype(np.float64).repeat(shape[0], axis=0).repeat(shape[1], axis=1)
    return fine.reshape(shape[0], height, shape[1], width).mean(axis=(1, 3))


@settings(max_examples=60)
@given(frames_and_sizes())
def test_every_new_pixel_is_the_mean_of_its_area(case):
    """Also where factors are not whole; whole numbers are rounded, no type is left."""
    frame, shape = case
    made = reduced(frame, shape)
    assert made.shape == shape
    assert made.dtype == frame.dtype
    most = 0.5 + 1e-4 if frame.dtype.kind != "f" else 1e-6 * max(abs(frame).max(), 1)
    assert np.abs(made - by_repeating(frame, shape)).max() <= most
    assert abs(made.mean(dtype=float) - frame.mean(dtype=float)) <= most
    least = most if frame.dtype.kind == "f" else 0
    assert frame.min() <= made.min() + least
    assert made.max() <= frame.max() + least


def test_sixteen_bits_are_kept():
    """Grey levels above 255 and steps of one survive: nothing goes through 8 bits."""
    ramp = np.arange(60_000, 60_000 + 64, dtype=np.uint16)
    frame = ramp.reshape(8, 8).repeat(3, axis=0).repeat(5, axis=1)
    np.testing.assert_array_equal(reduced(frame, (8, 8)), ramp.reshape(8, 8))
    full = np.full((9, 10), 65535, np.uint16)
    assert (reduced(full, (4, 3)) == 65535).all()


def test_fine_detail_does_not_become_coarse():
    """Stripes of one pixel become grey; taking every third pixel would draw new stripes."""
    stripes = np.tile(np.array([0, 1000], np.uint16), (30, 60))
    assert np.ptp(stripes[::3, ::3]) == 1000
    assert np.ptp(reduced(stripes, (10, 40)).astype(int)) <= 1000 / 3 + 1
    assert np.ptp(reduced(stripes, (10, 30)).astype(int)) == 0


def test_same_size_is_a_copy():
    """Nothing to reduce: the same numbers, in an array of its own."""
    frame = np.arange(12, dtype=np.uint16).reshape(3, 4)
    made = reduced(frame, (3, 4))
    np.testing.assert_array_equal(made, frame)
    assert not np.shares_memory(made, frame)


@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from(TYPES))
def test_frames_stand_row_by_row(rows, columns, dtype):
    """Every frame is found whole in its place."""
    frames = [np.full((2, 3), i, dtype) for i in range(rows * columns)]
    made = tiled(frames, columns)
    assert made.shape == (2 * rows, 3 * columns)
    assert made.dtype == dtype
    for i, frame in enumerate(frames):
        y, x = 2 * (i // columns), 3 * (i % columns)
        np.testing.assert_array_equal(made[y : y + 2, x : x + 3], frame)
