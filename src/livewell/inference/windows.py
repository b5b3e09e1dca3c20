"""Regions scored one by one: the reference that every faster way is held against."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError
from livewell.geometry import Box, Edge, WindowGrid, tiles
from livewell.image import Frame, PixelSource, mirrored
from livewell.inference.engine import EngineName, View
from livewell.models.device import device_of, placed
from livewell.models.nets.net import Net, centre, normalise
from livewell.progress import Tick
from livewell.region import Region
from livewell.training.data import plain_loader

BATCH = 32
"""Crops scored together; more is no faster on a processor and takes memory."""


class Windows:
    """Scores regions crop by crop: 30 to 40 s a frame for DeadNet on four cores.

    Parameters
    ----------
    net
        The trained net; it computes where its weights lie.
    """

    name: EngineName = "windows"

    def __init__(self, net: Net) -> None:
        self.net = replace(net, module=placed(net.module))
        self._device = device_of(self.net.module)
        self.failed: dict[int, ImageContentError] = {}

    def logits(self, crops: Tensor) -> NDArray[np.float32]:
        """Logits of crops in grey levels with their context, see `Net.logits`."""
        result: NDArray[np.float32] = self.net.logits(crops.to(self._device)).cpu().numpy()
        return result

    def regions(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """Logits of every region of a study, in order.

        Parameters
        ----------
        source
            Where pixels come from.
        regions
            Which ones.
        tick
            Told how many are done.

        Returns
        -------
        numpy.ndarray
            (n, classes) float64.
        """
        found = [np.empty((0, len(self.net.classes)))]
        for batch, _ in plain_loader(source, regions, batch=BATCH, context=self.net.context_px):
            found.append(self.logits(batch).astype(np.float64))
            if tick:
                tick(len(batch))
        return np.concatenate(found)

    def boxes(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.float64]:
        """Logits of boxes of one frame, in order.

        Parameters
        ----------
        frame
            (y, x) or (channels, y, x), any number type; at the net's pixel size.
        area
            The part that holds an image; beyond it the frame is mirrored.
        boxes
            patch_px x patch_px each.

        Returns
        -------
        numpy.ndarray
            (n, classes) float64.
        """
        around = self.net.context_px
        found = [np.empty((0, len(self.net.classes)))]
        for first in range(0, len(boxes), BATCH):
            some = boxes[first : first + BATCH]
            batch = torch.stack([_pixels(frame, area, box, around) for box in some])
            found.append(self.logits(batch).astype(np.float64))
        return np.concatenate(found)

    def stream(
        self, views: Iterable[View], grid: WindowGrid
    ) -> Generator[tuple[View, NDArray[np.float32]]]:
        """As `livewell.inference.engine.Engine.stream`."""
        for view in views:
            try:
                found = self.scored(view, grid)
            except ImageContentError as error:
                self.failed[view.t] = error
                found = self._nothing(grid)
            yield view, found

    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """Logits of one view, (classes, rows, columns), NaN where they are not wanted.

        Raises
        ------
        ImageContentError
            The frame has no background above zero, for a net on contrast against it.
        """
        found = self._nothing(grid)
        cells: list[tuple[int, int]] = []
        batch: list[Tensor] = []

        def score() -> None:
            rows, columns = zip(*cells, strict=True)
            found[:, rows, columns] = self._scores(batch).T
            cells.clear()
            batch.clear()

        for cell, crop in self.crops(view, grid):
            cells.append(cell)
            batch.append(crop)
            if len(batch) == BATCH:
                score()
        if batch:
            score()
        return found

    def _nothing(self, grid: WindowGrid) -> NDArray[np.float32]:
        return np.full((len(self.net.classes), *grid.shape), np.nan, dtype=np.float32)

    def _scores(self, batch: list[Tensor]) -> NDArray[np.float32]:
        pixels = torch.stack(batch).to(self._device)
        # what has a context was normalised by the strip
        made = self.net.scores if self.net.context_px else self.net.logits
        result: NDArray[np.float32] = made(pixels).cpu().numpy()
        return result

    def crops(self, view: View, grid: WindowGrid) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Cell and crop of every wanted window; a row of the grid is cut from one strip.

        Nets that look at a context get the centre of the patch, normalised; others the patch in
        grey levels.
        """
        net = self.net
        around, edge, step = net.context_px, grid.size_px, grid.stride_px
        for row in np.flatnonzero(view.wanted.any(axis=1)).tolist():
            first, last = grid.box(row, 0), grid.box(row, grid.columns - 1)
            strip = _pixels(view.frame, view.area, Box(first.y, first.x.to(last.x)), around)
            if around:
                strip = normalise(strip, net.how, net.radius_px)
            wide = edge + 2 * (around - net.radius_px)
            for column in np.flatnonzero(view.wanted[row]).tolist():
                patch = strip[..., column * step : column * step + wide]
                yield (row, column), centre(patch, net.input_px) if around else patch


def _pixels(frame: Frame, area: Box, box: Box, around: int) -> Tensor:
    """Pixels of `box` and so many around it, (channels, h, w) float32."""
    pixels = np.array(mirrored(frame, area, box.widened(around)), dtype=np.float32)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[None])


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
    """The error of an image that holds no patch."""
    return ImageContentError(
        "the image is smaller than a patch",
        where=where,
        expected=f"at least {patch_px} x {patch_px} px without borders of zeros",
        got=f"{area.shape[0]} x {area.shape[1]} px",
        remedy="crop less, or train with a smaller patch_px",
    )
