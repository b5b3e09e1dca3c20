"""Maps of whole fields from overlapping crops, and how far the crops disagree."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.explain.gradcam import Cam
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame
from livewell.inference.windows import BATCH, View, Windows, batched


class FieldMap:
    """The evidence for a class over a field of (height, width), the mean of the crops laid over it.

    Crops are laid one after the other; no crop is held.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._whole = Box.of(0, 0, *shape)
        self.number = np.zeros(shape, dtype=np.int32)
        """(height, width), how many crops lie over each pixel."""
        self._mean = np.zeros(shape, dtype=np.float32)
        # sum of squares about the mean, kept up to date after Welford 1962: equal maps give zero
        self._apart = np.zeros(shape, dtype=np.float32)

    def add(self, box: Box, crop: NDArray[np.float32]) -> None:
        """Lay one map where its input lies; what lies beyond the field is left out."""
        inside = box.common(self._whole)
        if inside is None:
            return
        at = inside.slices
        part = crop[inside.seen_in(box).slices]
        self.number[at] += 1
        off = part - self._mean[at]
        self._mean[at] += off / self.number[at]
        self._apart[at] += off * (part - self._mean[at])

    @property
    def map(self) -> NDArray[np.float32]:
        """(height, width), the mean of the crops over each pixel, NaN where there is none.

        In units of the class score per cell of the layer.
        """
        return np.where(self.number > 0, self._mean, np.float32(np.nan))

    @property
    def disagreement(self) -> float:
        """How far overlapping crops disagree, whatever the scale of the maps.

        Over all pairs of crops a, b and all pixels p that both cover, the root of the mean of
        (a_p - b_p)^2, relative to the root of the mean of (a_p^2 + b_p^2) / 2. 0: they agree;
        sqrt(2): they have nothing to do with each other (for maps without values below zero, they
        never light up at the same pixel, and no pair is farther apart); up to 2 for signed maps
        that contradict each other. NaN where no crops overlap, or where all are dark.
        """
        number = self.number.astype(np.float64)
        apart, mean = self._apart.astype(np.float64), self._mean.astype(np.float64)
        # sum over pairs of (a - b)^2 and of (a^2 + b^2) / 2, from sums over the crops of a pixel
        between = (number * apart).sum()
        power = ((number - 1).clip(0) * (apart + number * mean**2)).sum() / 2
        return float(np.sqrt(between / power)) if power > 0 else float("nan")


def field_map(
    cam: Cam,
    frame: Frame,
    area: Box,
    grid: WindowGrid,
    number: int,
    *,
    weights: Tensor | None = None,
) -> FieldMap:
    """The map of a frame at the net's pixel size, averaged over the windows of a grid.

    Parameters
    ----------
    area
        Beyond it the frame is mirrored.
    grid
        Windows of the net's ``patch_px``; of each the middle ``input_px`` are mapped.
    number
        Of the class.
    weights
        (k,) of the class, or ``None`` for each window's own, see `Cam.look`. With those of the
        class overlapping windows agree better.
    """
    field = FieldMap((frame.shape[-2], frame.shape[-1]))
    view = View(frame, area, np.ones(grid.shape, dtype=np.bool_))
    windows = Windows(replace(cam.net, module=cam.module))
    for some in batched(windows.crops(view, grid), BATCH):
        pixels = torch.stack([patch for _, patch in some])
        # what has a context was normalised with the strip it was cut from
        inputs = pixels if cam.net.context_px else cam.inputs(pixels)
        maps = cam.maps(inputs, number, weights)
        for (cell, _), found in zip(some, maps, strict=True):
            field.add(cam.sees(grid.box(*cell)), found)
    return field
