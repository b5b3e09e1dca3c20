"""How sharp a frame is, whatever its gain and offset."""

import numpy as np

from livewell.errors import ImageContentError
from livewell.image import Frame
from livewell.measure.borders import valid_area

BAND = (1 / 32, 1 / 4)
"""Spatial frequencies that the slope is fitted over, cycles per pixel: below lie uneven light and
whole cells, above mostly camera noise."""
LEAST_PX = 64
"""Smaller frames hold too few frequencies."""


def power_slope(frame: Frame) -> float:
    """Slope of the power spectrum on double logarithmic axes: the steeper, the more out of focus.

    Defocus takes power from high frequencies first. Gain moves the whole spectrum and offset only
    its first term, so neither changes the slope. Noise flattens it: compare frames of like noise.

    Parameters
    ----------
    frame
        Shape (y, x), any number type; registration borders are left out.

    Returns
    -------
    float
        Usually -5 (far out of focus) to 0 (noise only).

    Raises
    ------
    ImageContentError
        The frame is constant, all zero or smaller than `LEAST_PX`.

    Notes
    -----
    Source: Bray et al. 2012, J. Biomol. Screen. 17:266, "power log-log slope", found the best of
    the focus measures compared there; after Field & Brady 1997, Vision Res. 37:3367.
    """
    picture = frame[valid_area(frame).slices].astype(np.float64)
    if min(picture.shape) < LEAST_PX or picture.min() == picture.max():
        raise ImageContentError(
            "no focus to measure",
            expected=f"a picture of at least {LEAST_PX} px a side that is not constant",
            got=f"shape {picture.shape}",
        )
    height, width = picture.shape
    # The window keeps opposite edges, which do not fit together, from adding power of their own.
    picture = (picture - picture.mean()) * np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.rfft2(picture)) ** 2
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    edges = np.geomspace(*BAND, 13)
    ring = np.digitize(frequency, edges)
    means = np.array([power[ring == number].mean() for number in range(1, edges.size)])
    middles = np.sqrt(edges[:-1] * edges[1:])
    tiny = np.finfo(float).tiny
    slope, _ = np.polyfit(np.log(middles), np.log(np.maximum(means, tiny)), 1)
    return float(slope)
