"""Intensity and texture features of patches, focus and illumination."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage, stats

from livewell.errors import ImageContentError
from livewell.measure import intensity, texture
from livewell.measure.focus import power_slope
from livewell.measure.illumination import unevenness

STACK = ndimage.gaussian_filter(np.random.default_rng(0).normal(1000, 99, (5, 80, 80)), (0, 1, 1))


def test_intensity_features_are_the_statistics_they_are_called():
    """Mean, percentiles and moments agree with their definitions."""
    table = intensity.features(STACK.astype(np.float32))
    assert len(table) == 5
    patch = STACK[3].astype(np.float32)
    assert table.loc[3, "mean"] == pytest.approx(patch.mean(), rel=1e-5)
    assert table.loc[3, "p95"] == pytest.approx(np.percentile(patch, 95), rel=1e-5)
    assert table.loc[3, "kurtosis"] == pytest.approx(stats.kurtosis(patch.ravel()), abs=1e-3)


def test_intensity_features_are_blind_to_places():
    """Shuffling the pixels of a patch changes nothing."""
    shuffled = np.random.default_rng(1).permutation(STACK.reshape(5, -1), axis=1)
    one, other = intensity.features(STACK), intensity.features(shuffled.reshape(STACK.shape))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_texture_features_are_blind_to_gain_and_offset():
    """Brightness and contrast of a patch leave its texture features as they are."""
    one, other = texture.features(STACK), texture.features(STACK * 37 + 4000)
    assert one.shape == (5, one.shape[1])
    assert 60 <= one.shape[1] <= 110
    # Co-occurrence and binary patterns count levels; a rounded pixel may change its level.
    np.testing.assert_allclose(one, other, atol=0.02)


def test_texture_features_tell_coarse_from_fine():
    """A blurred patch loses power in the finest band and in slopes."""
    fine = texture.features(STACK)
    coarse = texture.features(ndimage.gaussian_filter(STACK, (0, 3, 3)))
    assert (coarse["band1_spread"] < fine["band1_spread"] - 0.3).all()
    assert (coarse["slope_mean"] < fine["slope_mean"]).all()
    assert (coarse["pairs1_correlation"] > fine["pairs1_correlation"]).all()


def test_a_patch_s_features_do_not_depend_on_its_company():
    """Chunks and neighbours in the stack change nothing."""
    many = np.concatenate([STACK, 1e6 * STACK, STACK, STACK])
    np.testing.assert_allclose(
        texture.features(many)[10:15], texture.features(STACK), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("module", [intensity, texture])
def test_odd_stacks(module):
    """Constant patches give finite numbers, no patches no rows, NaN an error."""
    assert np.isfinite(module.features(np.full((2, 80, 80), 50000, np.uint16))).all(axis=None)
    assert len(module.features(STACK[:0])) == 0
    assert list(module.features(STACK[:0])) == list(module.features(STACK[:1]))
    broken = STACK.copy()
    broken[2, 0, 0] = np.nan
    with pytest.raises(ImageContentError, match="first number 2"):
        module.features(broken)
    with pytest.raises(ImageContentError, match="stack"):
        module.features(STACK[0])


def _scene(seed: int = 0) -> np.ndarray:
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(256, 300)), 0.8)


def test_defocus_steepens_the_power_slope_and_gain_does_not():
    """The more blurred, the lower the slope; gain, offset and borders leave it as it is."""
    slopes = [power_slope(ndimage.gaussian_filter(_scene(), blur)) for blur in (0, 1, 2, 4)]
    assert all(sharp > blurred + 0.2 for sharp, blurred in pairwise(slopes))
    assert power_slope(_scene() * 300 + 9000) == pytest.approx(slopes[0], abs=1e-6)
    bordered = np.pad(_scene() + 9, ((0, 0), (40, 0)))
    assert power_slope(bordered) == pytest.approx(slopes[0], abs=1e-6)


@pytest.mark.parametrize("frame", [np.full((99, 99), 3), _scene()[:40]])
def test_no_focus_without_a_picture(frame):
    """Constant and small frames are refused."""
    with pytest.raises(ImageContentError, match="focus"):
        power_slope(frame)


def test_unevenness_is_the_ratio_of_the_background():
    """A light that falls from 3 to 1 over an offset is found in spite of bright cells."""
    y = np.linspace(1, 3, 256)[:, None]
    frame = 1000 * y * np.ones(300) + 100
    rng = np.random.default_rng(0)
    for top, left in rng.integers(0, 240, (20, 2)):
        frame[top : top + 12, left : left + 12] *= 2
    assert unevenness(frame, 100) == pytest.approx(3, rel=0.1)
    assert unevenness(np.full((20, 20), 5.0)) == pytest.approx(1)
    assert unevenness(frame, 1500) == np.inf
    with pytest.raises(ImageContentError, match="small"):
        unevenness(frame[:4])
