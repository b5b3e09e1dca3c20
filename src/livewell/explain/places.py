"""Attribution for nets of a fixed backbone: which cells of its maps make the score of a place."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from livewell.errors import SpecError
from livewell.explain.gradcam import PatchMap, middle
from livewell.geometry import Box
from livewell.image import PixelSource
from livewell.models.nets.field_maps import FieldMap, rooted
from livewell.models.nets.frozen import MAP_PX, FrozenNet, Reading
from livewell.models.nets.layers import known_layer
from livewell.models.nets.net import Net
from livewell.region import Region
from livewell.study.pixels import Pixels
from livewell.training.features import FieldReader, cache_of


class Blocks(NamedTuple):
    """The blocks of a backbone whose maps are looked at, in pixels of the field."""

    name: str
    numbers: tuple[int, ...]
    margin_px: int
    """Half the mean distance of their cells."""
    squares_px: int
    """Edge of the largest square that the head reads around a place."""
    field_px: int
    """Edge of the square of pixels that the cell which sees farthest sees."""


class PlaceCam:
    """A net of whole fields, with the blocks of its backbone that are looked at.

    The head is linear in signed square roots of means over squares of cells, so what a cell adds
    to a class score is known exactly: integrated gradients, from maps that are everywhere what the
    mean features of the training fields come from (`Reference.mean`) to the field's own. The
    evidence of all cells, blocks and zooms adds up to the class score less that of these means. Of
    two classes a score is half the log odds. Maps of patches are in units of the class score per
    square of `MAP_PX` pixels; nothing in them is stretched.

    Models without a `Reference` begin at maps of zeros. Then evidence is twice the gradient times
    the map, cell by cell (HiResCAM), and adds up to the score but for the bias: twice, for the
    gradient of a square root is half of what it adds.

    Blocks are named ``block4`` and so on; by default all are looked at. In fields places lie
    `stride_px` apart.

    Notes
    -----
    Source: Sundararajan et al. 2017, arXiv:1703.01365 (integrated gradients); Draelos and Carin
    2020, arXiv:2011.08891 (HiResCAM).
    """

    def __init__(self, net: Net, name: str | None = None, stride_px: int | None = None) -> None:
        self.net, self.module = net, cast(FrozenNet, net.module)
        self.stride_px = stride_px or MAP_PX
        spec = self.module.spec
        if spec.hidden or spec.one_class:
            raise SpecError(
                "no maps of evidence, for only of a linear head they are exact",
                got="a distance from healthy"
                if spec.one_class
                else f"a head with a hidden layer of {spec.hidden} units",
                remedy="train FROZEN with --set hidden=0, or use --method embedding",
            )
        if net.anchor is not None:
            raise SpecError(
                "no maps of evidence of a model whose features are relative to an anchor",
                got=str(net.anchor),
                remedy="train without --anchor-by, or use --method embedding",
            )
        self._reader = FieldReader(net)
        self.layer = self._blocks(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Blocks that can be looked at, from first to last."""
        return tuple(f"block{each}" for each in sorted(self.module.spec.blocks))

    @property
    def seen_px(self) -> int:
        """Edge of what is shown of a patch: the patch, or the largest square read if larger."""
        return max(self.net.patch_px, self.layer.squares_px)

    def patch_maps(
        self, source: PixelSource, patches: Sequence[Region], number: int
    ) -> Iterator[PatchMap]:
        """Evidence for a class in the score of each patch; as `gradcam.patch_maps`.

        Beyond the image grey levels are one level, for much of what is shown may lie there.
        """
        maps = self.activation_maps(source, patches, number)
        for patch, found in zip(patches, maps, strict=True):
            box = middle(patch.box, self.seen_px)
            yield PatchMap(patch, box, _around(source, patch, box), np.maximum(found, 0))

    def activation_maps(
        self,
        source: PixelSource,
        patches: Sequence[Region],
        number: int,
        *,
        averaged: bool = False,
    ) -> list[NDArray[np.float32]]:
        """Evidence for a class, and below zero against it, in the score of each patch.

        With `averaged` slopes as Grad-CAM has them, see `evidence`.
        """
        size = self.seen_px

        def read(maps: Sequence[FieldMap], places: Tensor) -> Tensor:
            corners = (places - size / 2).floor().int().tolist()
            boxes = [Box.of(y, x, y + size, x + size) for y, x in corners]
            pairs = zip(places, boxes, strict=True)
            found = [
                self.evidence(maps, place[None], number, box, averaged=averaged)
                for place, box in pairs
            ]
            return (torch.stack(found).flatten(1) * MAP_PX**2).float()

        reader = self._reader.keeping(cache_of(source))
        return list(reader.regions(source, patches, read).reshape(-1, size, size).numpy())

    def field(
        self, source: Pixels, image: str, t: int, number: int
    ) -> tuple[NDArray[np.float32], None]:
        """Evidence for a class in the scores of all places of a field, (height, width).

        In units of the class score: before what is below zero is cut off, the mean over the field
        is nearly that of the scores of all places, less the score of the training fields' means;
        cells at the rim are drawn in part beyond it. NaN beyond the image.
        """
        area, stride = source.area(image, t), self.stride_px
        found = np.full(source.frame(image, t).shape[-2:], np.nan, dtype=np.float32)
        inside = found[area.slices]
        reader = self._reader.keeping(cache_of(source))
        for own, seen, maps in reader.parts(source.crop(image, t, area)):
            rows, columns = (
                torch.arange(stride / 2, size, stride, device=self.module.weight.device)
                for size in seen.shape
            )
            box = own.seen_in(seen)
            made = self.evidence(maps, torch.cartesian_prod(rows, columns), number, box)
            inside[own.slices] = (made * stride**2).clamp_min(0).float().cpu().numpy()
        return found, None

    def evidence(
        self,
        maps: Sequence[FieldMap],
        places: Tensor,
        number: int,
        box: Box,
        *,
        averaged: bool = False,
    ) -> Tensor:
        """Evidence for a class in the scores of places (n, 2) together, at the pixels of a box.

        (h, w), per pixel; places and box are in pixels of the part that `maps` are of. `averaged`:
        by the mean of each map's slopes over the cells that are read, in place of each cell's own.
        """
        found = torch.zeros(box.shape, dtype=torch.float64, device=places.device)
        weights, means = self.module.weight[number].double(), self._means()
        first = 0
        for reading, at in zip(self.module.readings, maps, strict=True):
            channels, squares = reading.layer.channels, len(reading.cells)
            own = slice(first, first + channels * squares)
            first = own.stop
            if reading.layer.block in self.layer.numbers:
                weight, mean = (
                    each[own].view(squares, channels, 1, 1) for each in (weights, means)
                )
                pool = self.module.pool_cells(at)
                cells = _cells(at, reading, weight, mean, places, pool, averaged)
                found += _enlarged(at, *cells, box)
        return found

    def _means(self) -> Tensor:
        reference = self.module.reference
        mean = reference.mean if reference.fitted else torch.zeros_like(self.module.weight[0])
        return mean.double()

    def _blocks(self, name: str | None) -> Blocks:
        numbers = dict(zip(self.names, sorted(self.module.spec.blocks), strict=True))
        chosen = tuple(numbers.values()) if name is None else (numbers[known_layer(name, numbers)],)
        looked = [each for each in self.module.readings if each.layer.block in chosen]
        scales = [self._reader.scale * each.zoom for each in looked]
        pairs = list(zip(looked, scales, strict=True))
        return Blocks(
            name or ", ".join(numbers),
            chosen,
            round(np.mean([each.layer.stride_px / scale for each, scale in pairs]) / 2),
            round(max(max(r.cells) * r.layer.stride_px / scale for r, scale in pairs)),
            round(max(each.layer.field_px / scale for each, scale in pairs)),
        )


def _around(source: PixelSource, patch: Region, box: Box) -> NDArray[np.float32]:
    """Grey levels of a box (h, w), one level beyond the image."""
    pixels: NDArray[np.float32] = source.crop(patch.image, patch.t, box)[0]
    inside = source.area(patch.image, patch.t).common(box)
    if inside is None:
        return pixels
    at = inside.seen_in(box).slices
    found: NDArray[np.float32] = np.full_like(pixels, np.median(pixels[at]))
    found[at] = pixels[at]
    return found


def _cells(
    at: FieldMap,
    reading: Reading,
    weights: Tensor,
    means: Tensor,
    places: Tensor,
    pool: int,
    averaged: bool = False,
) -> tuple[Tensor, tuple[int, int]]:
    """Evidence (rows, columns) of the cells that places read, and where the first one lies.

    Weights, and mean features that are compared with, are (squares, channels, 1, 1); a place is the
    mean over `pool` x `pool` cells around it.
    """
    lines = at.squares(places, pool)
    reach = max(reading.cells) // 2
    known = [torch.nonzero(each.sum(dim=0))[:, 0] for each in lines]
    (top, bottom), (left, right) = (
        (max(int(each.min()) - reach, 0), int(each.max()) + reach + 1) for each in known
    )
    values = at.values[:, top:bottom, left:right].double()
    counts = lines[0][:, top:bottom].double().T @ lines[1][:, left:right].double()
    found = torch.zeros_like(counts)
    for edge, weight, mean in zip(reading.cells, weights, means, strict=True):
        cells = _summed(torch.ones_like(values), edge)
        square, usual = _summed(values, edge) / cells, mean.sign() * mean.square()
        # the mean slope of a root on the straight way there; where nothing differs it is not needed
        slope = (rooted(square) - mean) / (square - usual)
        pull = weight * counts * torch.where(square == usual, 0.0, slope) / cells
        steep = _summed(pull, edge)
        if averaged:
            steep = steep.mean(dim=(-2, -1), keepdim=True)
        found += ((values - usual) * steep).sum(dim=0)
    return found, (top, left)


def _summed(values: Tensor, edge: int) -> Tensor:
    """Sums over squares of cells around every cell, of those that there are."""
    return functional.avg_pool2d(values, edge, 1, edge // 2) * edge**2


def _enlarged(at: FieldMap, cells: Tensor, first: tuple[int, int], box: Box) -> Tensor:
    """Cells at the pixels of a box, bilinear, so that sums stay what they are."""
    stride = at.layer.stride_px / at.zoom
    mixes = []
    for number, begin, span in zip(cells.shape, first, (box.y, box.x), strict=True):
        pixels = torch.arange(span.start, span.stop, device=cells.device) + 0.5
        lying = (pixels - at.layer.first_px / at.zoom) / stride - begin
        apart = lying[:, None] - torch.arange(number, device=cells.device)
        mixes.append((1 - apart.abs()).clamp_min(0).to(cells) / stride)
    return mixes[0] @ cells @ mixes[1].T
