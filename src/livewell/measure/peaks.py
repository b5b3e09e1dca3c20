"""Peaks of a map of evidence, and the ground around each: where something is, and how far."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as measured
from skimage.segmentation import watershed

Map = NDArray[np.float32]


def smoothed(evidence: Map, sigma_px: float) -> Map:
    """A map blurred by a Gaussian, what lies beyond its edges taken as nothing.

    Source: Sailem et al., section 2.2 ("we apply Gaussian smoothing ... to generate more smooth
    segmentation").
    """
    if not sigma_px:
        return evidence.astype(np.float32)
    return ndimage.gaussian_filter(evidence.astype(np.float32), sigma_px, mode="constant")


def peaks(values: NDArray[np.floating], *, apart: int, least: float) -> NDArray[np.int64]:
    """Row and column (n, 2) of what is higher than all within a distance, the highest first.

    Peaks are at least `least` high and lie more than `apart` pixels from each other on one axis at
    least; of equal neighbours one is kept. Source: Sailem et al., section 2.2 ("local non-maximum
    suppression").
    """
    highest = ndimage.maximum_filter(values, size=2 * apart + 1, mode="nearest")
    found = np.argwhere((values >= highest) & (values >= least)).astype(np.int64)
    heights = values[found[:, 0], found[:, 1]]
    kept: list[NDArray[np.int64]] = []
    for peak in found[np.argsort(-heights, kind="stable")]:
        if all(np.abs(peak - other).max() > apart for other in kept):
            kept.append(peak)
    return np.array(kept, dtype=np.int64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Grounds:
    """The pixels that belong to each peak.

    ``labels``: (h, w) int32, number of the peak, counted from 1; 0 for none. ``boxes``: (n, 4)
    first row and column inside and beyond; a peak without any pixels has the one it stands on.
    """

    labels: NDArray[np.int32]
    boxes: NDArray[np.int64]


def grounds(evidence: Map, at: NDArray[np.int64], share: float) -> Grounds:
    """The pixels around peaks whose evidence is at least a share of their own peak's.

    Pixels go to the peak that they lead up to (watershed), so that neighbours stay apart. The
    evidence is smooth and not negative, `at` holds (n, 2) peaks, all different. Source: Sailem et
    al., sections 2.2 and 4.2 ("thresholding and smoothing the saliency maps"); that the threshold
    is a share of each object's own peak is livewell's.
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
    parts = measured(kept, connectivity=1)  # type: ignore[no-untyped-call]
    kept[parts != parts[at[:, 0], at[:, 1]][kept - 1]] = 0
    kept[at[:, 0], at[:, 1]] = numbers
    boxes = [
        (rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in ndimage.find_objects(kept, max_label=len(at))
    ]
    return Grounds(kept, np.array(boxes, dtype=np.int64).reshape(-1, 4))
