"""Windows as anybody would write them, to hold dense maps against: plain torch, and MONAI."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.geometry import WindowGrid
from livewell.inference.windows import BATCH, View, Windows
from livewell.models.device import device_of
from livewell.models.nets.net import Net, centre, normalise


class PlainWindows(Windows):
    """Windows as anybody would write them in torch: the reference in any layout and number type.

    `half` is in bfloat16.
    """

    def __init__(self, net: Net, channels_last: bool, *, half: bool) -> None:
        super().__init__(net)
        self._dtype = torch.bfloat16 if half else torch.float32
        module = copy.deepcopy(net.module).to(self._dtype)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self._module = module.to(memory_format=self._layout)

    def __call__(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """(classes, rows, columns) logits of the grid's wanted cells."""
        wanted = view.wanted[: grid.rows, : grid.columns]
        return self.scored(replace(view, wanted=wanted), grid)

    def _scores(self, batch: list[Tensor]) -> NDArray[np.float32]:
        pixels = torch.stack(batch).to(device_of(self._module))
        if not self.net.context_px:
            pixels = centre(normalise(pixels, self.net.how), self.net.input_px)
        inputs = pixels.to(self._dtype).contiguous(memory_format=self._layout)
        result: NDArray[np.float32] = self._module(inputs).float().cpu().numpy()
        return result


def monai_windows(net: Net, view: View, grid: WindowGrid) -> Callable[[], object]:
    """MONAI's sliding windows on a frame that is normalised already, ready to run."""
    from monai.inferers.inferer import PatchInferer
    from monai.inferers.merger import Merger
    from monai.inferers.splitter import SlidingWindowSplitter

    class Collect(Merger):
        """Keeps scores as they come: what a window's one number is merged with is not timed."""

        def __init__(self, **_: Any) -> None:
            self.scores: list[Tensor] = []

        def aggregate(self, values: Tensor, location: Sequence[int]) -> None:
            self.scores.append(values)

        def finalize(self) -> Tensor:
            return torch.cat(self.scores)

    edge = net.input_px
    inner = grid.centred(edge)
    height = (grid.rows - 1) * grid.stride_px + edge
    width = (grid.columns - 1) * grid.stride_px + edge
    pixels = view.frame[0, inner.y0 : inner.y0 + height, inner.x0 : inner.x0 + width]
    picture = normalise(torch.from_numpy(pixels.astype(np.float32)))[None, None]
    splitter = SlidingWindowSplitter((edge, edge), overlap=edge - grid.stride_px, pad_mode=None)
    inferer = PatchInferer(splitter=splitter, merger_cls=Collect, batch_size=BATCH)
    module = copy.deepcopy(net.module).to(memory_format=torch.contiguous_format)

    def network(batch: Tensor) -> Tensor:
        scores: Tensor = module(batch)
        return scores[:, :, None, None]

    return lambda: inferer(picture.to(device_of(module)), network)
