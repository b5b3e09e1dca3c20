"""Patches scored one by one: the reference that every faster way is held against."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError
from livewell.geometry import Box, Edge, tiles
from livewell.image import Frame, PixelSource
from livewell.inference.device import device, placed
from livewell.nets.net import Net
from livewell.patch import Patch
from livewell.progress import Tick
from livewell.training.data import plain_loader

BATCH = 32
"""Patches scored together; more is no faster on a processor and takes memory."""


class Scorer:
    """A net ready to score, on the GPU where there is one.

    Parameters
    ----------
    net
        The trained net.
    """

    def __init__(self, net: Net) -> None:
        self.net = replace(net, module=placed(net.module))
        self._device = device()

    def logits(self, patches: Tensor) -> NDArray[np.float32]:
        """Log odds of the positive class of (n, patch_px, patch_px) float32 patches, (n,)."""
        result: NDArray[np.float32] = self.net.logits(patches.to(self._device)).cpu().numpy()
        return result

    def patches(
        self, source: PixelSource, patches: Sequence[Patch], tick: Tick | None = None
    ) -> NDArray[np.float32]:
        """Log odds of every patch of a study, in order, (n,) float32."""
        found = [np.empty(0, dtype=np.float32)]
        for batch, _ in plain_loader(source, patches, batch=BATCH):
            found.append(self.logits(batch))
            if tick:
                tick(len(batch))
        return np.concatenate(found)

    def frame(self, frame: Frame, boxes: Sequence[Box]) -> Iterator[tuple[Box, float]]:
        """Box by box the log odds of patches that lie wholly in one frame.

        Parameters
        ----------
        frame
            (y, x), any number type; at the net's pixel size.
        boxes
            patch_px x patch_px each.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(frame, dtype=np.float32))
        for first in range(0, len(boxes), BATCH):
            some = boxes[first : first + BATCH]
            batch = torch.stack([pixels[box.slices] for box in some])
            yield from zip(some, self.logits(batch).tolist(), strict=True)


def window_boxes(
    area: Box, patch_px: int, stride_px: int, *, where: str, edge: Edge = "drop"
) -> list[Box]:
    """The windows of one frame.

    Parameters
    ----------
    area
        The part of the frame that is judged, such as `registered_area` finds it.
    patch_px, stride_px
        Edge of a window and distance from window to window, pixels.
    where
        Image and frame, for the error.
    edge
        What happens at the far edges, see `livewell.geometry.Edge`.

    Returns
    -------
    list of Box
        Row by row, at least one.

    Raises
    ------
    ImageContentError
        The area is smaller than one patch.
    """
    boxes = list(tiles(area, patch_px, stride_px, edge))
    if not boxes:
        raise ImageContentError(
            "the image is smaller than a patch",
            where=where,
            expected=f"at least {patch_px} x {patch_px} px without borders of zeros",
            got=f"{area.shape[0]} x {area.shape[1]} px",
            remedy="crop less, or train with a smaller patch_px",
        )
    return boxes
