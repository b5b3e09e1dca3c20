"""Maps of whole fields from overlapping crops, and how far the crops disagree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import GeometryError
from livewell.explain.gradcam import Cam
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame
from livewell.inference.windows import BATCH, View, Windows
from livewell.progress import Tick


class Assembly:
    """Maps of crops laid over a field one after the other; no crop is held.

    Parameters
    ----------
    shape
        (height, width) of the field, pixels.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._whole = Box.of(0, 0, *shape)
        self._number = np.zeros(shape, dtype=np.int32)
        self._mean = np.zeros(shape, dtype=np.float32)
        # sum of squares about the mean, kept up to date after Welford 1962: equal maps give zero
        self._apart = np.zeros(shape, dtype=np.float32)

    def add(self, box: Box, crop: NDArray[np.float32]) -> None:
        """Lay one map where its input lies; what lies beyond the field is left out.

        Raises
        ------
        GeometryError
            The map is not of the box's shape.
        """
        if crop.shape != box.shape:
            raise GeometryError(
                "a map that does not fit its box", expected=f"{box.shape}", got=f"{crop.shape}"
            )
        inside = box.common(self._whole)
        if inside is None:
            return
        at = inside.slices
        part = crop[
            inside.y.moved(-box.y.start).slice,
            inside.x.moved(-box.x.start).slice,
        ]
        self._number[at] += 1
        off = part - self._mean[at]
        self._mean[at] += off / self._number[at]
        self._apart[at] += off * (part - self._mean[at])

    @property
    def number(self) -> NDArray[np.int32]:
        """(height, width), how many crops lie over each pixel."""
        return self._number

    @property
    def mean(self) -> NDArray[np.float32]:
        """(height, width), the mean of the crops over each pixel, NaN where there is none."""
        return np.where(self._number > 0, self._mean, np.float32(np.nan))

    @property
    def disagreement(self) -> float:
        """How far overlapping crops disagree, whatever the scale of the maps.

        Over all pairs of crops a, b and all pixels p that both cover, the root of the mean of
        (a_p - b_p)^2, relative to the root of the mean of (a_p^2 + b_p^2) / 2. 0: they agree;
        sqrt(2): they have nothing to do with each other (for maps without values below zero, they
        never light up at the same place, and no pair is farther apart); up to 2 for signed maps
        that contradict each other. NaN where no crops overlap, or where all are dark.
        """
        number = self._number.astype(np.float64)
        apart, mean = self._apart.astype(np.float64), self._mean.astype(np.float64)
        # sum over pairs of (a - b)^2 and of (a^2 + b^2) / 2, from sums over the crops of a pixel
        between = (number * apart).sum()
        power = ((number - 1).clip(0) * (apart + number * mean**2)).sum() / 2
        return float(np.sqrt(between / power)) if power > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class FieldMap:
    """The evidence for a class over a whole field.

    Parameters
    ----------
    map
        (height, width) float32 of the frame, in units of the class score per cell of the layer;
        NaN where no window's input lies.
    number
        (height, width), how many windows it is the mean of.
    scores
        (rows, columns) float32, class score before softmax of every window.
    disagreement
        Of overlapping windows, see `Assembly.disagreement`.
    """

    map: NDArray[np.float32]
    number: NDArray[np.int32]
    scores: NDArray[np.float32]
    disagreement: float


def field_map(
    cam: Cam,
    frame: Frame,
    area: Box,
    grid: WindowGrid,
    number: int,
    *,
    weights: Tensor | None = None,
    signed: bool = False,
    tick: Tick | None = None,
) -> FieldMap:
    """The map of a frame, averaged over the windows of a grid.

    Parameters
    ----------
    cam
        Net and layer.
    frame
        (y, x), any number type, at the net's pixel size.
    area
        The part that holds picture; beyond it the picture is mirrored.
    grid
        Windows of the net's ``patch_px``; of each the middle ``input_px`` are mapped.
    number
        Of the class.
    weights
        (k,) of the class, or ``None`` for each window's own, see `Cam.look`. With those of the
        class overlapping windows agree better.
    signed
        Keep what speaks against the class, below zero.
    tick
        Told how many windows are done.

    Raises
    ------
    GeometryError
        Windows of another size than the net's patches.
    ImageContentError
        A background of zero or below, for a net on contrast against it.
    """
    net = cam.net
    if grid.size_px != net.patch_px:
        raise GeometryError(
            "windows of another size than the net's patches",
            expected=f"{net.patch_px} px",
            got=f"{grid.size_px} px",
        )
    field = Assembly((frame.shape[-2], frame.shape[-1]))
    scores = np.full(grid.shape, np.nan, dtype=np.float32)
    view = View(frame, area, np.ones(grid.shape, dtype=np.bool_))
    windows = Windows(replace(net, module=cam.module))
    for some in _batches(windows.crops(view, grid)):
        pixels = torch.stack([patch for _, patch in some])
        # what has a context was normalised with the strip it was cut from
        inputs = pixels if net.context_px else cam.inputs(pixels)
        look = cam.look(inputs, number, weights)
        maps = cam.enlarged(look.signed if signed else look.maps).float().cpu().numpy()
        for (cell, _), found, score in zip(some, maps, look.scores.tolist(), strict=True):
            field.add(cam.sees(grid.box(*cell)), found)
            scores[cell] = score
        if tick:
            tick(len(some))
    return FieldMap(field.mean, field.number, scores, field.disagreement)


_Window = tuple[tuple[int, int], Tensor]


def _batches(windows: Iterable[_Window]) -> Iterator[list[_Window]]:
    several = iter(windows)
    while some := list(islice(several, BATCH)):
        yield some
