"""Intensity and texture features of patches, focus and illumination."""

import numpy as np
import pytest
from scipy import ndimage, stats

from livewell.errors import ImageContentError
from livewell.measure import intensity, texture

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
