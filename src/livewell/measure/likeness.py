"""What a frame looks like, coarsely: the same for its copies in other grey levels, near for crops.

A thumbnail of `EDGE` x `EDGE` cells: the frame without registration borders, band-passed, without
lines along its axes (the rulings of counting chambers), and normalised by the contrast around each
cell. Grey levels, their stretching, bit depth, JPEG and a burnt-in scale bar change little of it.
`livewell.measure.alike` compares thumbnails over turns, mirror images and shifts.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from livewell.image import Frame
from livewell.measure.borders import checked_frame, valid_area

EDGE = 64
"""Cells along each side of a thumbnail, whatever the frame's height and width."""
SMOOTH, BROAD, LOCAL = 0.8, 4.0, 6.0
"""Gaussians, cells: what is smoothed, what is subtracted, and where the contrast is measured."""
NEARBY = 2.0
"""Gaussian, cells, over which structure counts as being in one place."""
FLOOR, LIMIT = 0.3, 3.0
"""Contrast that is added to the local one, as a share of the median one; largest values kept."""
LEAST_AGREEMENT = 0.1
"""Correlation of the thumbnails of even and of odd rows, below which a frame holds only noise."""
LEAST_SPREAD = 0.14
"""Share of the cells over which a frame's structure is spread at least: a few cells alone lie where
those of another frame lie by chance."""
STEPS = 127 / LIMIT
Thumbnail = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """A thumbnail (`EDGE`, `EDGE`), and height and width of what it shows, pixels."""

    thumbnail: Thumbnail
    height: int
    width: int

    def packed(self) -> bytes:
        """As bytes, for a table."""
        return np.array([self.height, self.width], "<u4").tobytes() + self.thumbnail.tobytes()

    @classmethod
    def unpacked(cls, data: bytes) -> "Likeness":
        """From bytes; a ValueError where these are not of one."""
        height, width = np.frombuffer(data[:8], "<u4").tolist()
        return cls(np.frombuffer(data[8:], np.int8).reshape(EDGE, EDGE), height, width)


def likeness(frame: Frame) -> Likeness | None:
    """The likeness of a frame (y, x); ``None`` where it shows noise, or a few cells and no more.

    A frame shows something where the thumbnails of its even and of its odd rows agree
    (`LEAST_AGREEMENT`): the noise of pixels, and a camera's fixed pattern, differ between rows.

    Raises
    ------
    ImageContentError
        Not a frame of one channel, or every pixel is zero.
    """
    area = valid_area(checked_frame(frame))
    values = _without_outliers(np.asarray(frame[area.slices]).astype(np.float32))
    height, width = values.shape
    right = values @ _cells(width).T
    halves = [_normalised(_cells(height, rows) @ right) for rows in (0, 1)] if height > 1 else []
    if not halves or _agreement(*halves) < LEAST_AGREEMENT:
        return None
    whole = _normalised(_cells(height) @ right)
    if _effective(_smooth(whole * whole, NEARBY)) < LEAST_SPREAD * whole.size:
        return None
    return Likeness(np.round(whole * STEPS).astype(np.int8), height, width)


@lru_cache(maxsize=64)
def _cells(size: int, rows: int | None = None) -> NDArray[np.float32]:
    """Weights (`EDGE`, size) of pixels in cells, of all of them or of even (0) or odd (1) ones."""
    at = (np.arange(size) + 0.5) * EDGE / size
    apart = at - (np.arange(EDGE)[:, None] + 0.5)
    # where cells are smaller than pixels, half of the pixels lie further apart
    weights = np.exp(-0.5 * (apart / max(SMOOTH, 0.5 * EDGE / size)) ** 2)
    if rows is not None:
        weights[:, np.arange(size) % 2 != rows] = 0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _without_outliers(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey levels less their median, at most three times as far as 98% of them are."""
    sparse = values[:: max(1, values.shape[0] // 128), :: max(1, values.shape[1] // 128)]
    low, middle, high = np.percentile(sparse, [1, 50, 99])
    kept = np.clip(values - middle, 3 * (low - middle), 3 * (high - middle))
    return np.asarray(kept, dtype=np.float32)


def _normalised(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cells band-passed, without rows and columns of one level, by the contrast around each."""
    band = cells - _smooth(cells, BROAD)
    band -= np.median(band, axis=1, keepdims=True)
    band -= np.median(band, axis=0, keepdims=True)
    contrast = np.sqrt(_smooth(band * band, LOCAL))
    scale = contrast + FLOOR * float(np.median(contrast))
    found = np.divide(band, scale, out=np.zeros_like(band), where=scale > 0)
    return np.asarray(np.clip(found, -LIMIT, LIMIT), dtype=np.float32)


def details(thumbnail: NDArray[np.floating]) -> float:
    """How many independent details a thumbnail has: frequencies that its power is spread over."""
    return _effective(np.abs(np.fft.fft2(thumbnail - thumbnail.mean())) ** 2)


def _effective(parts: NDArray[np.floating]) -> float:
    """Number of equal parts that are as concentrated as these are."""
    square = float((parts * parts).sum())
    return float(parts.sum()) ** 2 / square if square > 0 else 0.0


def _smooth(cells: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(cells, sigma, truncate=3), dtype=np.float32)


def _agreement(one: NDArray[Any], other: NDArray[Any]) -> float:
    spread = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / spread if spread > 0 else 0.0
