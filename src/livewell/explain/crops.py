"""A net of crops under one look: with weights of each class, or each crop's own."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from livewell.explain.fields import FieldMap, field_map
from livewell.explain.gradcam import Cam, PatchMap, class_weights, patch_maps
from livewell.geometry import Box, WindowGrid
from livewell.image import PixelSource
from livewell.inference.windows import BATCH
from livewell.models.nets.net import Net
from livewell.progress import Tick
from livewell.region import Region
from livewell.study.pixels import Pixels
from livewell.training.data import plain_loader

Weights = Literal["class", "crop"]
Disagreement = tuple[float, float]
"""Of overlapping crops with weights of each crop, and with those of the class."""


class CropCam(Cam):
    """A `Cam` that knows the weights of classes, for patches and fields of a study.

    Parameters
    ----------
    net, name
        As `Cam`.
    shown
        Maps by which weights.
    stride_px
        From crop to crop in fields; an eighth of a patch where ``None``.
    """

    def __init__(
        self,
        net: Net,
        name: str | None = None,
        shown: Weights = "class",
        stride_px: int | None = None,
    ) -> None:
        super().__init__(net, name)
        self.shown, self.stride_px = shown, stride_px or max(net.patch_px // 8, 1)
        self._weights: dict[int, torch.Tensor] = {}

    def learn(
        self, source: PixelSource, patches: Sequence[Region], number: int, tick: Tick | None = None
    ) -> None:
        """Take the weights of a class from its training patches, see `class_weights`."""
        self._weights[number] = class_weights(self, source, patches, number, tick=tick)

    @property
    def learnt(self) -> dict[int, NDArray[np.float32]]:
        """Weights of the classes that were learnt, by number."""
        return {number: weights.cpu().numpy() for number, weights in self._weights.items()}

    def take(self, learnt: Mapping[int, NDArray[np.float32]], device: torch.device) -> None:
        """Take weights that were learnt in another process."""
        self._weights = {n: torch.from_numpy(each).to(device) for n, each in learnt.items()}

    def patch_maps(
        self, source: PixelSource, patches: Sequence[Region], number: int
    ) -> Iterator[PatchMap]:
        """Maps of the patches of a study, one by one and in order."""
        weights = self._weights[number] if self.shown == "class" else None
        return patch_maps(self, source, patches, number, weights)

    def activation_maps(
        self, source: PixelSource, patches: Sequence[Region], number: int
    ) -> list[NDArray[np.float32]] | None:
        """Class activation maps of patches, as `Cam.activations`."""
        found: list[NDArray[np.float32]] = []
        for crops, _ in plain_loader(source, patches, batch=BATCH, context=self.net.context_px):
            made = self.activations(self.inputs(crops), number)
            if made is None:
                return None
            found += list(made)
        return found

    def field(
        self, source: Pixels, image: str, t: int, number: int
    ) -> tuple[NDArray[np.float32], Disagreement | None]:
        """The map of a whole field, the mean of crops over it, and how far these disagree."""
        found = self.fields(source, image, t, number)
        apart = found["crop"].disagreement, found["class"].disagreement
        return found[self.shown].map, apart

    def fields(self, source: Pixels, image: str, t: int, number: int) -> dict[Weights, FieldMap]:
        """The map of a whole field by weights of the class, and of each crop."""
        area, size, stride = source.area(image, t), self.net.patch_px, self.stride_px
        # windows reach beyond the field, so that its rim is looked at too
        whole = area.widened(max((size - self.net.input_px) // 2, 0))
        grid = WindowGrid.over(_covered(whole, size, stride), size, stride)

        def made(weights: torch.Tensor | None) -> FieldMap:
            return field_map(self, source.frame(image, t), area, grid, number, weights=weights)

        return {"crop": made(None), "class": made(self._weights[number])}


def _covered(box: Box, size_px: int, stride_px: int) -> Box:
    """The box, reaching farther down and right so that windows cover all of it."""
    y0, x0, *_ = box.corners
    over = (-(-max(length - size_px, 0) // stride_px) for length in box.shape)
    high, wide = (size_px + steps * stride_px for steps in over)
    return Box.of(y0, x0, y0 + high, x0 + wide)
