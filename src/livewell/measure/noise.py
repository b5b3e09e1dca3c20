"""How strong the noise is at the scale of cell detail, whether or not cells cover everything."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.image import Frame

FINE_UM, FINE_PX = 0.5, 1.5
"""Scale of the finest detail of a cell; the second where the pixel size is unknown."""
COARSE, WINDOW = 3.0, 4.0
"""Coarse scale of the band and window of the local energy, in units of the fine scale."""
CORRELATED = 6.0
"""Noise with neighbouring pixels alike (blur up to 0.7 px, demosaicking, JPEG) has at most this
many times the amplitude that white noise has at the band's scale."""
SPREAD = 2.0
"""Amplitudes whose 95% and 5% quantiles differ by less than this factor are noise all over."""
CONTOUR = 0.15
"""Amplitude, in grey levels, of the contour lines that rounding draws on a gradient of light."""

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / 6


def fine_scale(pixel_um: float | None) -> float:
    """Fine scale of the band in pixels, for a pixel of `pixel_um` micrometres."""
    # Below 1.2 px the band would hold mostly noise, above 6 px hardly any detail.
    return FINE_PX if pixel_um is None else float(np.clip(FINE_UM / pixel_um, 1.2, 6.0))


def energies(image: Frame, fine_px: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Local energy of cell detail, and of the finest detail that pixels can show: (y, x) each."""
    values = _level(image.astype(np.float32))
    smooth = ndimage.gaussian_filter(values, fine_px, truncate=3)
    # Smoothing the smoothed reaches the coarse scale: variances of Gaussians add.
    coarse = ndimage.gaussian_filter(smooth, fine_px * (COARSE**2 - 1) ** 0.5, truncate=3)
    band, fine = smooth - coarse, ndimage.convolve(values, _LAPLACIAN)
    window = WINDOW * fine_px
    return (
        ndimage.gaussian_filter(band * band, window, truncate=3),
        ndimage.gaussian_filter(fine * fine, window, truncate=3),
    )


def _level(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`values` without the light's slope and curvature, which would show as kinks at the edges."""
    for axis in (0, 1):
        profile = values.mean(axis=1 - axis, dtype=np.float64)
        at = np.linspace(-1, 1, profile.size)
        order = min(2, profile.size - 1)
        light = np.polynomial.Legendre.fit(at, profile, order, domain=[-1, 1])(at)
        values -= np.expand_dims(light, 1 - axis).astype(np.float32)
    return values


def noise_of(
    band: NDArray[np.float32], fine: NDArray[np.float32], step: float, fine_px: float
) -> float:
    """Root mean square of the noise in the band of cell detail, grey levels.

    The quietest regions (5% quantile of the local energy of a filter that white noise passes and
    smooth structure does not: Immerkaer 1996, Computer Vision and Image Understanding 64) give
    the white noise, at least that of rounding to whole grey levels, `step` apart. The quietest 1%
    of the band itself may raise it by up to `CORRELATED`, for noise in which neighbours are alike;
    without limit where the whole frame is equally restless (`SPREAD`), as no field of cells is.
    """
    variance = max(float(np.quantile(fine, 0.05)), step**2 / 12)
    white = max((variance * _white_gain(fine_px)) ** 0.5, CONTOUR * step)
    quiet, low, high = (float(q) ** 0.5 for q in np.quantile(band, [0.01, 0.05, 0.95]))
    most = np.inf if high < SPREAD * low else CORRELATED * white
    return float(np.clip(quiet, white, most))


@cache
def _white_gain(fine_px: float) -> float:
    """Energy that white noise of variance 1 has after the band-pass."""
    half = int(np.ceil(12 * fine_px))
    point = np.zeros((2 * half + 1, 2 * half + 1))
    point[half, half] = 1
    kernel = ndimage.gaussian_filter(point, fine_px) - ndimage.gaussian_filter(
        point, COARSE * fine_px
    )
    return float((kernel**2).sum())


def grey_step(values: NDArray[Any]) -> float:
    """Distance of grey levels: 1 for whole numbers, 256 or 257 for 8 bits stretched to 16."""
    if values.dtype.kind == "b":
        return 1.0
    if values.dtype.kind == "f":
        if not (values % 1 == 0).all():
            return 0.0
        values = values.astype(np.int64)
    return float(np.gcd.reduce(values, axis=None))
