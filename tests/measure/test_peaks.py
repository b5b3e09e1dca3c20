"""Peaks are higher than what is around them, and each has the ground that leads up to it."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from livewell.measure.peaks import grounds, peaks, smoothed

SIDES = st.tuples(st.integers(2, 14), st.integers(2, 14))


@st.composite
def hills(draw: st.DrawFn, smooth: tuple[float, ...] = (0.0, 0.7, 1.5)) -> np.ndarray:
    """Maps of many heights, rough or smooth, no two pixels alike; not negative."""
    shape, seed = draw(SIDES), draw(st.integers(0, 2**20))
    rough = np.random.default_rng(seed).random(shape)
    found = ndimage.gaussian_filter(rough, draw(st.sampled_from(smooth)))
    found = (found - found.min()).astype(np.float32)
    assume(len(np.unique(found)) == found.size)
    return found


def around(values: np.ndarray, y: int, x: int, reach: int) -> np.ndarray:
    """The square of pixels within a distance on both axes."""
    return values[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]


@given(values=hills(), apart=st.integers(1, 4), least=st.floats(0, 0.8))
def test_peaks_are_the_highest_around(values: np.ndarray, apart: int, least: float) -> None:
    """Where no two pixels are alike: all pixels that none within reach is above, and no other."""
    found = {tuple(place) for place in peaks(values, apart=apart, least=least).tolist()}
    want = {
        (y, x)
        for y, x in np.ndindex(values.shape)
        if values[y, x] >= least and values[y, x] == around(values, y, x, apart).max()
    }
    assert found == want


@given(values=hills(), apart=st.integers(1, 4))
def test_peaks_are_sorted_and_apart(values: np.ndarray, apart: int) -> None:
    """The highest comes first, and no two lie within reach of one another on both axes."""
    found = peaks(values, apart=apart, least=0.0)
    assert found.shape[1:] == (2,)
    assert found.dtype == np.int64
    heights = values[tuple(found.T)]
    assert (np.diff(heights) <= 0).all()
    for number, place in enumerate(found):
        others = np.abs(np.delete(found, number, axis=0) - place).max(axis=1)
        assert (others > apart).all()


@given(
    values=hnp.arrays(np.float32, SIDES, elements=st.integers(0, 3).map(float)),
    apart=st.integers(2, 4),
)
def test_equal_heights_lie_apart_too(values: np.ndarray, apart: int) -> None:
    """On plateaus no two peaks are nearer than `apart` on both axes."""
    found = peaks(values, apart=apart, least=0.0)
    for number, place in enumerate(found):
        others = np.abs(np.delete(found, number, axis=0) - place).max(axis=1)
        assert (others >= apart).all()
    assert {values[y, x] == around(values, y, x, apart).max() for y, x in found} <= {True}


@pytest.mark.parametrize(
    "apart",
    [
        1,
        2,
        3,
    ],
)
def test_of_two_equal_neighbours_one_is_kept(apart: int) -> None:
    """Two pixels side by side, equally high and above all others, are one peak."""
    values = np.zeros((5, 6), dtype=np.float32)
    values[2, 2:4] = 1
    assert len(peaks(values, apart=apart, least=0.5)) == 1


def test_the_threshold_itself_is_high_enough() -> None:
    """A peak of just `least` counts, one a breath lower does not."""
    values = np.zeros((7, 7), dtype=np.float32)
    values[1, 1], values[5, 5] = 2.0, np.nextafter(np.float32(2), np.float32(0))
    assert peaks(values, apart=1, least=2.0).tolist() == [[1, 1]]


def test_peaks_at_edges_and_corners_count() -> None:
    """What is highest at the border of the map is a peak."""
    values = np.zeros((5, 7), dtype=np.float32)
    values[0, 0], values[4, 3], values[2, 6] = 3, 2, 1
    assert peaks(values, apart=2, least=0.5).tolist() == [[0, 0], [4, 3], [2, 6]]


def test_low_and_tiny_maps() -> None:
    """No peak below the threshold; a map of one pixel has one above it."""
    assert peaks(np.eye(4, dtype=np.float32), apart=1, least=1.5).shape == (0, 2)
    assert peaks(np.ones((1, 1), dtype=np.float32), apart=1, least=0.5).tolist() == [[0, 0]]
    assert peaks(np.ones((1, 1), dtype=np.float32), apart=1, least=1.5).shape == (0, 2)


def test_a_constant_map_above_the_threshold_has_a_peak() -> None:
    """Where all places are equally sure, at least one is told."""
    assert len(peaks(np.ones((4, 5), dtype=np.float32), apart=1, least=0.5)) >= 1


def test_peaks_may_be_negative() -> None:
    """Log odds below zero have peaks where the threshold is as low."""
    values = np.full((5, 5), -9.0, dtype=np.float32)
    values[1, 3] = -2
    assert peaks(values, apart=1, least=-3.0).tolist() == [[1, 3]]
    assert len(peaks(values, apart=1, least=-np.inf)) >= 1


@given(evidence=hills((0.7, 1.5)), apart=st.integers(1, 3), share=st.floats(0.01, 1))
def test_grounds_belong_to_their_peaks(evidence: np.ndarray, apart: int, share: float) -> None:
    """Every peak has its own number, and pixels of at least a share of its height."""
    at = peaks(evidence, apart=apart, least=1e-3)
    found = grounds(evidence, at, share)
    assert found.labels.shape == evidence.shape
    assert found.labels.dtype == np.int32
    assert set(np.unique(found.labels)) - {0} == set(range(1, len(at) + 1))
    for number, (y, x) in enumerate(at, 1):
        assert found.labels[y, x] == number
        own = evidence[found.labels == number]
        assert own.min() >= np.float64(share) * evidence[y, x]


@given(evidence=hills((0.7, 1.5)), apart=st.integers(1, 3), share=st.floats(0.01, 1))
def test_boxes_are_tight(evidence: np.ndarray, apart: int, share: float) -> None:
    """Each box is that of its peak's pixels, first inside and first beyond."""
    at = peaks(evidence, apart=apart, least=1e-3)
    found = grounds(evidence, at, share)
    assert found.boxes.shape == (len(at), 4)
    for number, box in enumerate(found.boxes.tolist(), 1):
        y, x = np.nonzero(found.labels == number)
        assert box == [y.min(), x.min(), y.max() + 1, x.max() + 1]


@given(evidence=hills((1.5,)), share=st.floats(0.01, 1))
def test_a_single_peaks_ground_is_connected(evidence: np.ndarray, share: float) -> None:
    """All pixels of one peak hang together, without a step over a corner."""
    at = peaks(evidence, apart=1, least=1e-3)[:1]
    found = grounds(evidence, at, share)
    assert ndimage.label(found.labels > 0)[1] == len(at)


TORN = np.array(
    [
        [0.64, 0.67, 0.60, 0.69, 0.71, 0.69, 0.78, 0.91],
        [0.40, 0.43, 0.56, 0.72, 0.65, 0.54, 0.60, 0.72],
        [0.37, 0.54, 0.79, 0.83, 0.64, 0.53, 0.40, 0.32],
        [0.52, 0.70, 0.86, 0.84, 0.60, 0.43, 0.44, 0.39],
        [0.36, 0.55, 0.74, 0.70, 0.49, 0.49, 0.43, 0.47],
        [0.47, 0.53, 0.69, 0.64, 0.58, 0.59, 0.40, 0.40],
        [0.50, 0.55, 0.64, 0.59, 0.62, 0.47, 0.41, 0.50],
        [0.48, 0.50, 0.58, 0.39, 0.51, 0.47, 0.51, 0.76],
    ],
    dtype=np.float32,
)
"""Evidence whose second ground reaches a ninth row of pixels only by way of the third's."""


def test_every_ground_is_connected() -> None:
    """A pixel that hangs together with its peak only through a neighbour's ground is not its."""
    found = grounds(TORN, np.array([[0, 7], [3, 2], [7, 7]]), 0.5076523927196431)
    for number in (1, 2, 3):
        assert ndimage.label(found.labels == number)[1] == 1


def test_neighbours_stay_apart() -> None:
    """Two hills that touch are two grounds, parted in the valley; a far hill is nobody's."""
    y, x = np.mgrid[:21, :61].astype(float)
    hill = [np.exp(-((y - 10) ** 2 + (x - at) ** 2) / 50) for at in (10, 26, 50)]
    evidence = (hill[0] + 0.8 * hill[1] + 0.9 * hill[2]).astype(np.float32)
    found = grounds(evidence, np.array([[10, 10], [10, 26]]), 0.2)
    assert found.labels[10, 16] == 1
    assert found.labels[10, 21] == 2
    assert (found.labels[:, 40:] == 0).all()


def test_a_higher_share_is_a_smaller_ground() -> None:
    """Pixels of a gaussian hill above a share of it lie in a circle of the radius it should be."""
    y, x = np.mgrid[:61, :61].astype(float)
    evidence = np.exp(-((y - 30) ** 2 + (x - 30) ** 2) / (2 * 8**2)).astype(np.float32)
    for share in (0.1, 0.3, 0.5, 0.9):
        radius = 8 * np.sqrt(2 * np.log(1 / share))
        found = grounds(evidence, np.array([[30, 30]]), share)
        assert (found.labels > 0).sum() == pytest.approx(np.pi * radius**2, rel=0.1)
    assert grounds(evidence, np.array([[30, 30]]), 1.0).labels.sum() == 1


def test_no_peak_has_no_ground() -> None:
    """Without peaks there are no pixels and no boxes."""
    found = grounds(np.ones((4, 6), dtype=np.float32), np.empty((0, 2), dtype=np.int64), 0.5)
    assert not (found.labels > 0).any()
    assert found.boxes.shape == (0, 4)


def test_a_peak_without_evidence_has_its_own_pixel() -> None:
    """Where evidence is nothing at all the peak's own pixel is its ground."""
    found = grounds(np.zeros((4, 6), dtype=np.float32), np.array([[1, 2], [3, 5]]), 0.3)
    assert found.labels.sum() == 3
    assert found.boxes.tolist() == [[1, 2, 2, 3], [3, 5, 4, 6]]


def test_a_constant_map_is_all_ground() -> None:
    """Where evidence is the same everywhere all of it belongs to the one peak."""
    found = grounds(np.full((4, 6), 2, dtype=np.float32), np.array([[1, 2]]), 0.3)
    assert (found.labels > 0).all()
    assert found.boxes.tolist() == [[0, 0, 4, 6]]


@pytest.mark.parametrize("sigma_px", [0.0, 1.0, 4.0])
def test_smoothing_keeps_the_middle_and_loses_what_leaves(sigma_px: float) -> None:
    """A point becomes a Gaussian of that width; beyond the edge there is nothing."""
    evidence = np.zeros((61, 61), dtype=np.float32)
    evidence[30, 30] = 7
    found = smoothed(evidence, sigma_px)
    assert found.dtype == np.float32
    assert found.sum() == pytest.approx(7, rel=1e-3)
    assert np.unravel_index(found.argmax(), found.shape) == (30, 30)
    spread = (found.sum(0) * (np.arange(61) - 30) ** 2).sum() / found.sum()
    assert spread == pytest.approx(sigma_px**2, rel=0.03, abs=1e-6)
    assert smoothed(np.roll(evidence, 30, 0), 4.0).sum() == pytest.approx(3.5, rel=0.15)


def test_smoothing_does_not_touch_its_input() -> None:
    """Without smoothing a copy or the map itself comes back, and the map stays as it was."""
    evidence = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(smoothed(evidence, 0), evidence)
    smoothed(evidence, 2)
    np.testing.assert_array_equal(evidence.ravel(), np.arange(12))
