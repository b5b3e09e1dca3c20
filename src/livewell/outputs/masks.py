"""Masks of numbered detections as TIFF: one whole number a pixel of the image."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.files import whole_file

Labels = NDArray[np.integer]
"""(h, w): number of the detection, counted from 1; 0 for none."""


def write_mask(path: Path, labels: Labels, pixel_um: float | None) -> None:
    """Write a mask as OME-TIFF, compressed without loss; whole or not at all.

    It has 16 bits a pixel, or 32 where there are more than 65,535 detections.
    """
    wide = labels.size and labels.max() > np.iinfo(np.uint16).max
    metadata: dict[str, Any] = {"axes": "YX", "Name": "places", "Channel": {"Name": ["place"]}}
    if pixel_um is not None:
        for axis in "XY":
            metadata |= {f"PhysicalSize{axis}": pixel_um, f"PhysicalSize{axis}Unit": "µm"}
    with whole_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            labels.astype(np.uint32 if wide else np.uint16),
            ome=True,
            photometric="minisblack",
            compression="zlib",
            metadata=metadata,
        )


def read_mask(path: Path) -> Labels:
    """A mask that `write_mask` wrote, (h, w); refuses what is missing, not whole, or no mask."""
    try:
        labels = tifffile.imread(path)
        if labels.ndim != 2 or labels.dtype.kind != "u":
            raise ValueError(f"{labels.dtype} of shape {labels.shape}")
    except (OSError, ValueError, IndexError) as error:
        raise ImageReadError(
            "cannot be read as a mask",
            where=str(path),
            expected="a TIFF of whole numbers, written by `livewell localise`",
            got=str(error),
        ) from error
    return labels
