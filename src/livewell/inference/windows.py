"""Patches scored one by one: the reference that every faster way is held against."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError
from livewell.geometry import Box, Edge, WindowGrid, tiles
from livewell.image import Frame, PixelSource, mirrored
from livewell.inference.device import device, placed
from livewell.inference.engine import EngineName, View
from livewell.models.nets.net import Net, centre, normalise
from livewell.progress import Tick
from livewell.region import Region
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
        """Log odds of float32 patches with their context, see `Net.logits`."""
        result: NDArray[np.float32] = self.net.logits(patches.to(self._device)).cpu().numpy()
        return result

    def patches(
        self, source: PixelSource, patches: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float32]:
        """Log odds of every patch of a study, in order, (n,) float32."""
        found = [np.empty(0, dtype=np.float32)]
        for batch, _ in plain_loader(source, patches, batch=BATCH, context=self.net.context_px):
            found.append(self.logits(batch))
            if tick:
                tick(len(batch))
        return np.concatenate(found)

    def frame(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> Iterator[tuple[Box, float]]:
        """Box by box the log odds of patches of one frame.

        Parameters
        ----------
        frame
            (y, x), any number type; at the net's pixel size.
        area
            The part that holds picture; beyond it the picture is mirrored.
        boxes
            patch_px x patch_px each.
        """
        around = self.net.context_px
        for first in range(0, len(boxes), BATCH):
            some = boxes[first : first + BATCH]
            batch = torch.stack([_pixels(frame, area, box, around) for box in some])
            yield from zip(some, self.logits(batch).tolist(), strict=True)


class Windows:
    """Scores the windows of frames one by one: 30 to 40 s a frame for DeadNet on four cores.

    Parameters
    ----------
    net
        The trained net.
    """

    name: EngineName = "windows"

    def __init__(self, net: Net) -> None:
        self._net = replace(net, module=placed(net.module))
        self.failed: dict[int, ImageContentError] = {}

    def stream(
        self, views: Iterable[View], grid: WindowGrid
    ) -> Generator[tuple[View, NDArray[np.float32]]]:
        """As `livewell.inference.engine.Engine.stream`."""
        for view in views:
            try:
                found = self.scored(view, grid)
            except ImageContentError as error:
                self.failed[view.t] = error
                found = np.full(grid.shape, np.nan, dtype=np.float32)
            yield view, found

    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """Log odds of one view, (rows, columns), NaN where they are not wanted.

        Raises
        ------
        ImageContentError
            The frame has no background above zero, for a net on contrast against it.
        """
        found = np.full(grid.shape, np.nan, dtype=np.float32)
        cells: list[tuple[int, int]] = []
        batch: list[Tensor] = []
        for cell, patch in self.patches(view, grid):
            cells.append(cell)
            batch.append(patch)
            if len(batch) == BATCH:
                found[tuple(zip(*cells, strict=True))] = self._logits(batch)
                cells, batch = [], []
        if batch:
            found[tuple(zip(*cells, strict=True))] = self._logits(batch)
        return found

    def _logits(self, batch: list[Tensor]) -> NDArray[np.float32]:
        pixels = torch.stack(batch).to(device())
        # what has a context was normalised by the strip
        made = self._net.scores if self._net.context_px else self._net.logits
        result: NDArray[np.float32] = made(pixels).cpu().numpy()
        return result

    def patches(self, view: View, grid: WindowGrid) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Cell and patch of every wanted window; a row of the grid is cut from one strip.

        Nets that look at a context get the centre of the patch, normalised; others the patch in
        grey levels.
        """
        net = self._net
        around, edge, step = net.context_px, grid.size_px, grid.stride_px
        for row in np.flatnonzero(view.wanted.any(axis=1)).tolist():
            first, last = grid.box(row, 0), grid.box(row, grid.columns - 1)
            strip = _pixels(view.frame, view.area, Box(first.y, first.x.to(last.x)), around)
            if around:
                strip = normalise(strip, net.how, around)
            for column in np.flatnonzero(view.wanted[row]).tolist():
                patch = strip[:, column * step : column * step + edge]
                yield (row, column), centre(patch, net.input_px) if around else patch


def _pixels(frame: Frame, area: Box, box: Box, around: int) -> Tensor:
    """Pixels of `box` and so many around it, float32."""
    return torch.from_numpy(np.array(mirrored(frame, area, box.widened(around)), dtype=np.float32))


def window_boxes(
    area: Box, patch_px: int, stride_px: int, *, where: str, edge: Edge = "drop"
) -> list[Box]:
    """The windows of one frame.

    Parameters
    ----------
    area
        The part of the frame that is judged, as `livewell.measure.borders.valid_area` finds it.
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
        raise too_small(area, patch_px, where)
    return boxes


def too_small(area: Box, patch_px: int, where: str) -> ImageContentError:
    """The error of a picture that holds no patch."""
    return ImageContentError(
        "the image is smaller than a patch",
        where=where,
        expected=f"at least {patch_px} x {patch_px} px without borders of zeros",
        got=f"{area.shape[0]} x {area.shape[1]} px",
        remedy="crop less, or train with a smaller patch_px",
    )
