"""Where in an image a net on a fixed backbone sees the positive class: peaks of its class map."""

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from livewell.geometry import Box
from livewell.image import PixelSource
from livewell.inference.detections import Detections, Finder, Look
from livewell.measure.peaks import grounds, peaks
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.net import Net
from livewell.training.features import GridReader, cache_of


class MapFinder(Finder):
    """Finds what a `FrozenImages` net sees where: the peaks of its class map.

    Neighbouring cells lie close, so the map itself says where. An object's pixels are those around
    its peak whose evidence, ``log(1 + exp(log odds))`` between the cells, is at least `Look.share`
    of the peak's; nothing is smoothed or back-propagated.
    """

    def __init__(self, net: Net, look: Look, source: PixelSource | None = None) -> None:
        super().__init__(net, look)
        self._reader = GridReader(net, None if source is None else cache_of(source))
        self.field_px = self._reader.field_px

    def __call__(self, frames: Tensor, within: Sequence[Box] | None = None) -> Iterator[Detections]:
        """As `Finder.__call__`; what lies beyond `within` is left to who asks."""
        for frame in frames:
            maps = self._class_maps(frame[None])
            odds = self._module.head.odds(maps)[0]
            scores = self._module.head(maps)[0]
            cells = peaks(odds.numpy(), apart=self.look.apart, least=self.look.least)
            evidence = self._enlarged(functional.softplus(odds), frame.shape[-2:]).numpy()
            at = np.minimum(
                np.round(self.first_px + self.stride_px * cells).astype(np.int64),
                np.array(evidence.shape) - 1,
            )
            ground = grounds(evidence, at, self.look.share)
            y, x = at.T.astype(np.float64) + 0.5
            yield Detections(
                float(scores[1] - scores[0]),
                maps[0].numpy(),
                odds.numpy(),
                evidence,
                y,
                x,
                odds.numpy()[cells[:, 0], cells[:, 1]].astype(np.float64),
                ground.labels,
                ground.boxes,
                Box.of(0, 0, *evidence.shape),
            )

    def _enlarged(self, cells: Tensor, shape: Sequence[int]) -> Tensor:
        """Cells at the pixels of an image of (h, w), bilinear between their centres."""
        size = [count * self.stride_px for count in cells.shape]
        pixels = functional.interpolate(cells[None, None], size, mode="bilinear")
        beyond = [max(want - have, 0) for want, have in zip(shape, size, strict=True)]
        pixels = functional.pad(pixels, (0, beyond[1], 0, beyond[0]), mode="replicate")
        return pixels[0, 0, : shape[0], : shape[1]].contiguous()

    def _class_maps(self, frames: Tensor) -> Tensor:
        read = cast(FrozenImages, self._reader.module).logits
        return torch.stack([self._reader.grid(frame.numpy(), read) for frame in frames])


def finder_of(net: Net, look: Look, source: PixelSource | None = None) -> Finder:
    """What finds detections of a net of whole frames; features of a study's images are kept."""
    if isinstance(net.module, FrozenImages):
        return MapFinder(net, look, source)
    return Finder(net, look)
