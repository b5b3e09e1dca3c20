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
from livewell.inference.device import device
from livewell.inference.engine import View
from livewell.inference.windows import BATCH, Windows
from livewell.nets.net import Net, centre, normalise


class PlainWindows:
    """Windows as anybody would write them in torch."""

    def __init__(self, net: Net, channels_last: bool, *, half: bool) -> None:
        self._dtype = torch.bfloat16 if half else torch.float32
        module = copy.deepcopy(net.module).to(device(), self._dtype)
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        self._module = module.to(memory_format=self._layout)
        self._net = net

    def __call__(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """(rows, columns) log odds of the grid's wanted cells."""
        found = np.full(grid.shape, np.nan, dtype=np.float32)
        wanted = view.wanted[: grid.rows, : grid.columns]
        windows = Windows(self._net)
        batch: list[Tensor] = []
        cells: list[tuple[int, int]] = []
        some = replace(view, wanted=wanted)
        for cell, patch in windows.patches(some, grid):
            batch.append(patch)
            cells.append(cell)
            if len(batch) == BATCH:
                found[tuple(zip(*cells, strict=True))] = self._score(batch)
                batch, cells = [], []
        if batch:
            found[tuple(zip(*cells, strict=True))] = self._score(batch)
        return found

    def _score(self, batch: list[Tensor]) -> NDArray[np.float32]:
        net = self._net
        pixels = torch.stack(batch).to(device())
        if not net.context_px:
            pixels = centre(normalise(pixels, net.how), net.input_px)
        inputs = pixels[:, None].to(self._dtype).contiguous(memory_format=self._layout)
        scores = self._module(inputs).float()
        result: NDArray[np.float32] = (scores[:, 1] - scores[:, 0]).cpu().numpy()
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
    pixels = view.frame[inner.y0 : inner.y0 + height, inner.x0 : inner.x0 + width]
    picture = normalise(torch.from_numpy(pixels.astype(np.float32)))[None, None]
    splitter = SlidingWindowSplitter((edge, edge), overlap=edge - grid.stride_px, pad_mode=None)
    inferer = PatchInferer(splitter=splitter, merger_cls=Collect, batch_size=BATCH)
    module = copy.deepcopy(net.module).to(device())

    def network(batch: Tensor) -> Tensor:
        scores: Tensor = module(batch)
        return scores[:, :, None, None]

    return lambda: inferer(picture.to(device()), network)
