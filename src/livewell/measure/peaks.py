"""Peaks of a map of evidence, and the ground around each: where something is, and how far."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

Map = NDArray[np.float32]


def smoothed(evidence: Map, sigma_px: float) -> Map:
    """A map blurred by a Gaussian, what lies beyond its edges taken as nothing.

    Parameters
    ----------
    evidence
        (h, w), not negative.
    sigma_px
        Standard deviation, pixels; 0 for none.

    Notes
    -----
    Source: Sailem et al., section 2.2 ("we apply Gaussian smoothing ... to generate more smooth
    segmentation").
    """
    if not sigma_px:
        return evidence.astype(np.float32)
    return ndimage.gaussian_filter(evidence.astype(np.float32), sigma_px, mode="constant")


def peaks(values: NDArray[np.floating], *, apart: int, least: float) -> NDArray[np.int64]:
    """Places that are higher than all within a distance: non-maximum suppression.

    Parameters
    ----------
    values
        (h, w).
    apart
        Nearest that two peaks may lie on both axes, pixels (or cells), at least 1.
    least
        Lower places are no peaks.

    Returns
    -------
    numpy.ndarray
        (n, 2) row and column, the highest first; of equal neighbours one is kept.

    Notes
    -----
    Source: Sailem et al., section 2.2 ("local non-maximum suppression").
    """
    # the library's threshold is strict; a constant map has no peak there, here it has
    floor = np.nextafter(np.float64(least), -np.inf)
    found: NDArray[np.int64] = peak_local_max(  # type: ignore[no-untyped-call]
        values.astype(np.float64),
        min_distance=apart,
        threshold_abs=floor,
        exclude_border=False,
        p_norm=np.inf,
    )
    return found.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Grounds:
    """The pixels that belong to each peak.

    Parameters
    ----------
    labels
        (h, w) int32: number of the peak, counted from 1; 0 for none.
    boxes
        (n, 4) first row and column inside and beyond of every peak's pixels; a peak without any
        has the one pixel it stands on.
    """

    labels: NDArray[np.int32]
    boxes: NDArray[np.int64]

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(h, w): pixels of any peak."""
        return self.labels > 0


def grounds(evidence: Map, at: NDArray[np.int64], share: float) -> Grounds:
    """The pixels around peaks whose evidence is at least a share of their own peak's.

    Pixels go to the peak that they lead up to (watershed), so that neighbours stay apart.

    Parameters
    ----------
    evidence
        (h, w), smooth and not negative.
    at
        (n, 2) row and column of every peak.
    share
        In (0, 1]: threshold, relative to the peak.

    Notes
    -----
    Source: Sailem et al., sections 2.2 and 4.2 ("thresholding and smoothing the saliency maps");
    that the threshold is a share of each object's own peak is livewell's.
    """
    markers = np.zeros(evidence.shape, dtype=np.int32)
    numbers = np.arange(1, len(at) + 1, dtype=np.int32)
    markers[at[:, 0], at[:, 1]] = numbers
    if not len(at):
        return Grounds(markers, np.empty((0, 4), dtype=np.int64))
    tops = np.concatenate([[np.inf], evidence[at[:, 0], at[:, 1]]])
    basins = watershed(-evidence, markers, mask=evidence > 0)  # type: ignore[no-untyped-call]
    kept = np.where(evidence >= share * tops[basins], basins, 0).astype(np.int32)
    # what is high enough but lies behind a valley is not the object
    parts, _ = ndimage.label(kept > 0)
    kept[parts != parts[at[:, 0], at[:, 1]][kept - 1]] = 0
    kept[at[:, 0], at[:, 1]] = numbers
    boxes = [
        (rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in ndimage.find_objects(kept, max_label=len(at))
    ]
    return Grounds(kept, np.array(boxes, dtype=np.int64).reshape(-1, 4))
