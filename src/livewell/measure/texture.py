"""Texture of patches, free of each patch's own brightness and contrast."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from livewell.measure.intensity import checked_stack

SCALES_PX = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
"""Gaussians whose neighbours are subtracted from each other: half an octave apart."""
RADII_PX = (1, 3)
"""Of local binary patterns with eight neighbours."""
DISTANCES_PX = (1, 2, 4, 8)
"""Of pixel pairs in the co-occurrence matrix."""
GREY_LEVELS = 16
SLOPE_PX = 1.5
RINGS = 8
CHUNK = 16
_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
_PROPERTIES = ("contrast", "homogeneity", "energy", "correlation")


def features(stack: NDArray[Any]) -> pd.DataFrame:
    """Texture features of patches (n, h, w), each brought to mean 0 and standard deviation 1.

    Percentiles of the pixels; spread, skewness and kurtosis of difference-of-Gaussian bands
    (``band…``); gradients (``slope…``); shares of local binary patterns (``lbp…``, Ojala et al.
    2002); co-occurrence properties, mean over four directions (``pairs…``, Haralick et al. 1973);
    mean and spread in rings of equal area around the middle (``ring…``), for patches centred on a
    cell. At least 32 px a side for all scales to have meaning; a constant patch is 0.
    """
    if len(checked_stack(stack)) == 0:
        return _chunk(np.zeros((1, *stack.shape[1:])))[:0]
    # A few patches at a time stay in the processor's cache: twice as fast as all at once.
    chunks = [stack[at : at + CHUNK] for at in range(0, len(stack), CHUNK)]
    return pd.concat([_chunk(chunk) for chunk in chunks], ignore_index=True)


def _chunk(stack: NDArray[Any]) -> pd.DataFrame:
    pixels = stack.astype(np.float32)
    # Below this a spread is rounding in a constant bright patch, not texture.
    limit = 1e-6 * np.abs(pixels).max(axis=(1, 2), keepdims=True)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    spread = pixels.std(axis=(1, 2), keepdims=True)
    pixels = np.divide(pixels, spread, out=np.zeros_like(pixels), where=spread > limit)
    quantiles = np.percentile(pixels, _PERCENTILES, axis=(1, 2))
    found = {f"p{k:02d}": values for k, values in zip(_PERCENTILES, quantiles, strict=True)}
    found |= _bands(pixels) | _slopes(pixels) | _patterns(pixels) | _pairs(pixels) | _rings(pixels)
    return pd.DataFrame(found).astype("float64")


def _bands(pixels: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    found = {}
    finer = pixels
    middle = _ring(pixels.shape) <= 1
    for scale in SCALES_PX:
        coarser = ndimage.gaussian_filter(pixels, (0, scale, scale), truncate=3)
        band = finer - coarser
        spread = band.std(axis=(1, 2), keepdims=True)
        # A constant patch has no band; its shape is then that of nothing.
        unit = np.divide(band, spread, out=np.zeros_like(band), where=spread > 1e-6)
        square = unit * unit
        found[f"band{scale:g}_spread"] = np.log10(spread[:, 0, 0] + 1e-6)
        found[f"band{scale:g}_skewness"] = (square * unit).mean(axis=(1, 2))
        found[f"band{scale:g}_kurtosis"] = (square * square).mean(axis=(1, 2))
        found[f"band{scale:g}_middle"] = np.log10(band[:, middle].std(axis=1) + 1e-6)
        finer = coarser
    return found


def _slopes(pixels: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    scales = (0, SLOPE_PX, SLOPE_PX)
    down = ndimage.gaussian_filter(pixels, scales, order=(0, 1, 0), truncate=3)
    right = ndimage.gaussian_filter(pixels, scales, order=(0, 0, 1), truncate=3)
    size = np.hypot(down, right)
    found = {"slope_mean": size.mean(axis=(1, 2))}
    quantiles = np.percentile(size, (50, 95, 99), axis=(1, 2))
    for percent, values in zip((50, 95, 99), quantiles, strict=True):
        found[f"slope_p{percent}"] = values
    # How far all slopes run one way: 0 for none preferred, 1 for stripes.
    along, across = down * down - right * right, 2 * down * right
    aligned = np.hypot(along.mean(axis=(1, 2)), across.mean(axis=(1, 2)))
    found["slope_aligned"] = aligned / np.maximum((size * size).mean(axis=(1, 2)), 1e-12)
    return found


def _patterns(pixels: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    # Whole numbers, as scikit-image asks: ties of rounded values are then ties.
    grey = np.clip(pixels * 1000 + 32768, 0, 65535).astype(np.uint16)
    found: dict[str, NDArray[Any]] = {}
    for radius in RADII_PX:
        kinds = [
            local_binary_pattern(patch, 8, radius, "uniform")  # type: ignore[no-untyped-call]
            for patch in grey
        ]
        counts = [np.bincount(kind.astype(np.int64).ravel(), minlength=10) for kind in kinds]
        shares = np.array(counts).reshape(-1, 10) / grey[0].size if kinds else np.zeros((0, 10))
        found |= {f"lbp{radius}_{kind}": shares[:, kind] for kind in range(10)}
    return found


def _pairs(pixels: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    # 16 levels over -3 to 3 standard deviations.
    grey = np.clip((pixels + 3) / 6 * GREY_LEVELS, 0, GREY_LEVELS - 1).astype(np.uint8)
    angles = (0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
    distances = [distance for distance in DISTANCES_PX if distance < min(pixels.shape[1:])]
    rows = []
    for patch in grey:
        counts = graycomatrix(  # type: ignore[no-untyped-call]
            patch, distances, angles, GREY_LEVELS, symmetric=True, normed=True
        )
        rows.append(
            [
                graycoprops(counts, name).mean(axis=1)  # type: ignore[no-untyped-call]
                for name in _PROPERTIES
            ]
        )
    values = np.array(rows).reshape(len(grey), len(_PROPERTIES), len(distances))
    return {
        f"pairs{distance}_{name}": values[:, i, j]
        for i, name in enumerate(_PROPERTIES)
        for j, distance in enumerate(distances)
    }


def _rings(pixels: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    ring = _ring(pixels.shape)
    found = {}
    for number in range(RINGS):
        inside = pixels[:, ring == number]
        filled = inside.shape[1] > 0
        found[f"ring{number}_mean"] = inside.mean(axis=1) if filled else np.zeros(len(pixels))
        found[f"ring{number}_sd"] = inside.std(axis=1) if filled else np.zeros(len(pixels))
    return found


def _ring(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Number of the ring, of equal areas around the middle, that each pixel of a patch lies in."""
    height, width = shape[1:]
    down = (np.arange(height) - (height - 1) / 2) / (height / 2)
    right = (np.arange(width) - (width - 1) / 2) / (width / 2)
    square = down[:, None] ** 2 + np.asarray(right) ** 2
    return np.asarray(np.floor(RINGS * square), dtype=np.int64)
