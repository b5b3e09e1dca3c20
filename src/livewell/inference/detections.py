"""Where in a frame a net that learnt from labels of images sees the positive class."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import SpecError
from livewell.geometry import Box, Span
from livewell.measure.peaks import Map, grounds, peaks, smoothed
from livewell.models.device import device_of
from livewell.models.nets.layers import frozen
from livewell.models.nets.net import Net, normalise
from livewell.models.nets.wscnn import WeaklySupervised

MOST_SIGMA_PX = 1000.0
"""Wider Gaussians say nothing of where."""


@dataclass(frozen=True, slots=True)
class Look:
    """How detections are found.

    Parameters
    ----------
    least
        Log odds of a detection from which on it is listed; uncalibrated.
    sigma_px
        Of the Gaussian that smooths the saliency, pixels.
    share
        An object's pixels are those with at least this share of its peak's smoothed saliency.
    apart
        Detections lie farther apart than this, on one axis at least; cells of the class maps.
    times_input
        Whether the gradient is multiplied by how far every pixel is from the frame's median
        (Shrikumar et al. 2017). The gradient alone, as in the paper, is highest at the rims of
        objects and beside them, so that its peaks miss them more often.
    """

    least: float = 0.0
    sigma_px: float = 7.0
    share: float = 0.2
    apart: int = 1
    times_input: bool = True

    def __post_init__(self) -> None:
        rules = {
            "sigma_px from 0 to 1000": 0 <= self.sigma_px <= MOST_SIGMA_PX,
            "0 < share <= 1": 0 < self.share <= 1,
            "apart >= 1": self.apart >= 1,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise SpecError(
                "no way to look for detections",
                expected="; ".join(broken),
                got=f"sigma_px={self.sigma_px}, share={self.share}, apart={self.apart}",
            )


@dataclass(frozen=True, slots=True)
class Detections:
    """What a net sees where in one frame of (h, w) pixels: n detections, the surest first.

    `logit` are the log odds of the positive class for the frame, as the net scores it; `maps` the
    class maps, (2, rows, columns), scores before softmax, negative and positive; `odds` the log
    odds of every cell, `nets.global_pooling.GlobalPooling.odds`. `saliency` (h, w) is the gradient
    of what was found, times the input where `Look` says so, smoothed; no unit.

    Of each detection there are `y` and `x` in pixels, where pixel i covers [i, i + 1), `score` in
    log odds, its number in `labels` (h, w), counted from 1, and `boxes` (n, 4), first row and
    column inside and beyond. `window` is what the class maps show, in the same pixels.
    """

    logit: float
    maps: Map
    odds: Map
    saliency: Map
    y: NDArray[np.float64]
    x: NDArray[np.float64]
    score: NDArray[np.float64]
    labels: NDArray[np.int32]
    boxes: NDArray[np.int64]
    window: Box

    def moved(self, window: Box) -> Self:
        """The same in pixels of the image that a window lies on."""
        y0, x0, *_ = window.corners
        boxes = self.boxes + np.array([y0, x0, y0, x0])
        return replace(self, y=self.y + y0, x=self.x + x0, boxes=boxes, window=window)


class Finder:
    """Finds what a net of whole frames sees where, on the GPU where there is one.

    The class maps say how sure, a cell every few pixels; what the pixels say is had by
    back-propagation. The paper back-propagates "the class specific scores in the penultimate
    layer", that is before the global pooling: behind a maximum only one cell would be left. Here
    it is the log odds of all peaks of the class maps that are `Look.least` or higher, in one pass;
    then Gaussian, peaks, threshold.

    Notes
    -----
    Source: Sailem et al., section 2.2; saliency by Simonyan et al. 2014, section 3.
    """

    def __init__(self, net: Net, look: Look) -> None:
        self.net, self.look = net, look
        self._module: WeaklySupervised = frozen(net.module)  # type: ignore[assignment]
        self._device = device_of(self._module)
        self.stride_px, self.field_px, self.first_px = self._module.cells

    def odds(self, frames: Tensor) -> Map:
        """Log odds of every cell for (n, channels, h, w) frames, (n, rows, columns)."""
        with torch.inference_mode():
            odds = self._module.head.odds(self._class_maps(frames))
        found: Map = odds.cpu().numpy()
        return found

    def maps(self, frames: Tensor) -> Map:
        """Class maps of (n, channels, h, w) frames, (n, classes, rows, columns)."""
        with torch.inference_mode():
            found: Map = self._class_maps(frames).cpu().numpy()
        return found

    def _class_maps(self, frames: Tensor) -> Tensor:
        return self._module.maps(self._taken(frames))

    def pooled(self, maps: Map, within: Box) -> Map:
        """Scores of all classes by the cells of one frame's class maps in a box of pixels.

        Any head takes all cells where none lies in the box.
        """
        rows, columns = (
            self._cells(span, count)
            for span, count in zip((within.y, within.x), maps.shape[1:], strict=True)
        )
        part = maps[:, rows, columns]
        part = np.ascontiguousarray(part if part.size else maps)
        with torch.inference_mode():
            scores = self._module.head(torch.from_numpy(part)[None].to(self._device))
        found: Map = scores[0].cpu().numpy()
        return found

    def _cells(self, span: Span, count: int) -> slice:
        """Cells of an axis that have a part of a span, a stride each round their centres."""
        firsts = self.first_px + 0.5 + self.stride_px * (np.arange(count) - 0.5)
        inside = np.flatnonzero((firsts + self.stride_px > span.start) & (firsts < span.stop))
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)

    def __call__(self, frames: Tensor, within: Sequence[Box] | None = None) -> Iterator[Detections]:
        """What is seen in each of (n, channels, h, w) float32 frames, in the file's grey levels.

        `within` is the part of each that is no mirror image of the rest, all by default. What lies
        at its edge is found in it; what lies beyond is of no use.
        """
        inputs = self._taken(frames).requires_grad_(True)
        maps = self._module.maps(inputs)
        with torch.no_grad():
            scores = self._module.head(maps)
            logits = (scores[:, 1] - scores[:, 0]).cpu().numpy()
        odds = self._module.head.odds(maps)
        values = odds.detach().cpu().numpy()
        cells = [peaks(each, apart=self.look.apart, least=self.look.least) for each in values]
        found = [
            odds[i, at[:, 0], at[:, 1]].sum() for i, at in enumerate(map(torch.from_numpy, cells))
        ]
        (gradient,) = torch.autograd.grad(torch.stack(found).sum(), inputs)
        if self.look.times_input:
            levels = inputs.detach()
            gradient = gradient * (levels - levels.flatten(2).median(dim=2).values[..., None, None])
        saliency = gradient.abs().sum(dim=1).cpu().numpy()
        kept = maps.detach().cpu().numpy()
        for i, at in enumerate(cells):
            real = within[i] if within else None
            yield self._placed(float(logits[i]), kept[i], values[i], at, saliency[i], real)

    def _taken(self, frames: Tensor) -> Tensor:
        return normalise(frames.to(self._device), self.net.how)

    def _placed(
        self, logit: float, maps: Map, odds: Map, at: NDArray[np.int64], raw: Map, real: Box | None
    ) -> Detections:
        """Detections of one frame: every cell's own peak of the saliency, and its ground."""
        evidence = smoothed(raw, self.look.sigma_px)
        tops = [self._top(evidence, self._middle(cell)) for cell in at]
        if real is not None and real.shape != raw.shape:
            evidence = np.zeros_like(evidence)
            evidence[real.slices] = smoothed(raw[real.slices], self.look.sigma_px)
            tops = [self._inside(evidence, top, real) for top in tops]
        # two cells may lead up to one peak: the surer one has it
        first: dict[tuple[int, int], int] = {}
        for number, top in enumerate(tops):
            first.setdefault(top, number)
        where = np.array(list(first), dtype=np.int64).reshape(-1, 2)
        score = odds[at[:, 0], at[:, 1]].astype(np.float64)[list(first.values())]
        ground = grounds(evidence, where, self.look.share)
        y, x = where.T.astype(np.float64) + 0.5
        window = Box.of(0, 0, *raw.shape)
        return Detections(
            logit, maps, odds, evidence, y, x, score, ground.labels, ground.boxes, window
        )

    def _middle(self, cell: NDArray[np.int64]) -> tuple[int, int]:
        """The pixel in the middle of what a cell of the class maps sees."""
        y, x = (round(self.first_px + self.stride_px * int(index)) for index in cell)
        return y, x

    def _inside(self, alone: Map, top: tuple[int, int], real: Box) -> tuple[int, int]:
        """A peak by what the image says alone, if it lies there or is one with its mirror image.

        Two bumps have one peak between them if they are up to two standard deviations apart.
        """
        (y, x), (y0, x0, y1, x1) = top, real.corners
        near = min(max(y, y0), y1 - 1), min(max(x, x0), x1 - 1)
        off = max(abs(y - near[0]), abs(x - near[1]))
        return self._top(alone, near) if off <= self.look.sigma_px else top

    def _top(self, evidence: Map, start: tuple[int, int]) -> tuple[int, int]:
        """The peak of the smoothed saliency that is reached uphill from a pixel, if it is near."""
        height, width = evidence.shape
        y, x = min(max(start[0], 0), height - 1), min(max(start[1], 0), width - 1)
        for _ in range(self.field_px):
            rows, columns = max(y - 1, 0), max(x - 1, 0)
            part = evidence[rows : y + 2, columns : x + 2]
            down, along = divmod(int(part.argmax()), part.shape[1])
            if part[down, along] <= evidence[y, x]:
                break
            y, x = rows + down, columns + along
        return y, x
