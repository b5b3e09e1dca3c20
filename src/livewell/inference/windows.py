"""Regions scored one by one: the reference that every faster way is held against."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livewell.errors import ImageContentError, SpecError
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame, PixelSource, mirrored
from livewell.models.device import device_of, placed
from livewell.models.nets.net import Net, centre, normalise
from livewell.progress import Tick
from livewell.region import Region
from livewell.training.data import plain_loader

BATCH = 32
"""Crops scored together; more is no faster on a processor and takes memory."""
T = TypeVar("T")


@dataclass(frozen=True)
class View:
    """One frame as an engine needs it: (channels, y, x) or (y, x), at the net's pixel size.

    Beyond `area` the frame is mirrored; `wanted` are the cells of the grid that are asked for,
    (rows, columns) bool.
    """

    frame: Frame
    area: Box
    wanted: NDArray[np.bool_]
    t: int = 0

    def __post_init__(self) -> None:
        if self.frame.ndim == 2:
            object.__setattr__(self, "frame", self.frame[None])


class Scorer(ABC):
    """Scores frames one by one; `failed` says by number of the frame why one could not be."""

    net: Net
    failed: dict[int, ImageContentError]

    @abstractmethod
    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """Logits of one view, as of a `stream`, but what cannot be scored raises."""

    def stream(
        self, views: Iterable[View], grid: WindowGrid
    ) -> Generator[tuple[View, NDArray[np.float32]]]:
        """Views of one size, in order, with the logits of all classes in every wanted cell.

        Logits are (classes, rows, columns), NaN where nothing is wanted and in all of a frame that
        cannot be scored, such as one without a background above zero; see `failed`. Windows of the
        grid may lie beyond the frame.
        """
        for view in views:
            try:
                found = self.scored(view, grid)
            except ImageContentError as error:
                self.failed[view.t] = error
                found = nothing(self.net, grid)
            yield view, found


class Windows(Scorer):
    """Scores regions crop by crop: 30 to 40 s a frame for DeadNet on four cores.

    It computes where the net's weights lie. `failed` says by number of the frame why one could not
    be scored.
    """

    def __init__(self, net: Net) -> None:
        self.net = replace(net, module=placed(net.module))
        self._device = device_of(self.net.module)
        self.failed: dict[int, ImageContentError] = {}

    def regions(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """Logits of every region of a study, in order, (n, classes)."""
        loader = plain_loader(source, regions, batch=BATCH, context=self.net.context_px)
        return self._all((crops for crops, _ in loader), tick)

    def boxes(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.float64]:
        """Logits of boxes of one frame, in order, (n, classes); beyond `area` it is mirrored."""
        crops = (_pixels(frame, area, box, self.net.context_px) for box in boxes)
        return self._all(torch.stack(some) for some in batched(crops, BATCH))

    def _all(self, batches: Iterable[Tensor], tick: Tick | None = None) -> NDArray[np.float64]:
        found = [np.empty((0, len(self.net.classes)))]
        for crops in batches:
            found.append(self.logits(crops).astype(np.float64))
            if tick:
                tick(len(crops))
        return np.concatenate(found)

    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """As `Scorer.scored`."""
        found = nothing(self.net, grid)
        # what has a context was normalised by the strip
        score = self.net.scores if self.net.context_px else self.net.logits
        for some in batched(self.crops(view, grid), BATCH):
            cells, crops = zip(*some, strict=True)
            logits = score(torch.stack(crops).to(self._device)).cpu().numpy()
            rows, columns = zip(*cells, strict=True)
            found[:, rows, columns] = logits.T
        return found

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

    def embedded(self, source: PixelSource, regions: Sequence[Region]) -> NDArray[np.float32]:
        """Input of the last layer, (n, features), as `livewell.inference.model.Model.embed`."""
        if self.net.turns or not regions:
            raise SpecError(
                "no features of these regions",
                expected="at least one region, and a model without test_time_augmentation",
                got=f"{len(regions)} regions",
                remedy="train with --set test_time_augmentation=false" if self.net.turns else "",
            )
        kept: list[Tensor] = []

        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            features = inputs[0].detach().float()
            kept.append((features.mean(dim=(-2, -1)) if features.ndim == 4 else features).cpu())

        layers = [m for m in self.net.module.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
        with layers[-1].register_forward_pre_hook(keep):
            self.regions(source, regions)
        return np.asarray(torch.cat(kept).numpy(), dtype=np.float32)

    def logits(self, crops: Tensor) -> NDArray[np.float32]:
        """Logits of crops in grey levels with their context, see `Net.logits`."""
        result: NDArray[np.float32] = self.net.logits(crops.to(self._device)).cpu().numpy()
        return result


def nothing(net: Net, grid: WindowGrid) -> NDArray[np.float32]:
    """Logits (classes, rows, columns) of a grid of which nothing is scored yet."""
    return np.full((len(net.classes), *grid.shape), np.nan, dtype=np.float32)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last one shorter."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some


def _pixels(frame: Frame, area: Box, box: Box, around: int) -> Tensor:
    """Pixels of `box` and so many around it, (channels, h, w) float32."""
    pixels = np.array(mirrored(frame, area, box.widened(around)), dtype=np.float32)
    return torch.from_numpy(pixels if pixels.ndim == 3 else pixels[None])


def too_small(area: Box, patch_px: int, where: str) -> ImageContentError:
    """The error of an image that holds no patch."""
    return ImageContentError(
        "the image is smaller than a patch",
        where=where,
        expected=f"at least {patch_px} x {patch_px} px without borders of zeros",
        got=f"{area.shape[0]} x {area.shape[1]} px",
        remedy="crop less, or train with a smaller patch_px",
    )
