"""A fixed backbone over the whole field, under a light head: logits at every place of the field.

The head is linear in what it reads, so logits at a place are the sum of what every map says there,
and a class map is these logits on a grid: one function of the place, whatever asks for it.
"""

import math
from collections.abc import Sequence
from copy import copy
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from annotated_types import Len
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from livewell.models.backends import SeveralMaps
from livewell.models.nets.familiar import Reference
from livewell.models.nets.lite0 import LAYERS, Layer, Lite0, Trunk, own_tensors
from livewell.models.nets.spec import PLAIN, NetShape, NetSpec
from livewell.models.pretrained import IMAGENET, LITE0, SETTING, fill
from livewell.models.specs import AugmentSpec, InputSpec

ZOOM_STEP = 4
"""Zooms are whole numbers of 1 / `ZOOM_STEP`, so that parts of a field can share one grid."""
GRID_PX = 32 * ZOOM_STEP
"""Pixels of the field after which all grids of cells of all zooms meet again."""


def _typed(value: object) -> object:
    """Numbers as typed, ``4,8``, or as they are; one number is a list of one."""
    parts = value.split(",") if isinstance(value, str) else value
    return parts if isinstance(parts, list | tuple) else (parts,)


MAP_PX = 8
"""Usual distance of a class map's cells."""
HALF_MAX = 65504.0
"""Largest number of float16."""
Several = BeforeValidator(_typed), Len(1)


class Reading(NamedTuple):
    """What the head reads from one map: means of squares of cells."""

    zoom: float
    layer: Layer
    cells: tuple[int, ...]
    """Edges of the squares, odd."""


class FieldMap(NamedTuple):
    """The map of one layer over a part of a field, and how its cells lie."""

    values: Tensor
    """(channels, rows, columns)."""
    zoom: float
    layer: Layer

    def corners(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows and columns (4, n) of the cells around places (n, 2), and their shares, bilinear.

        Places are pixels of the part from its corner; beyond the outermost cells nothing changes.
        """
        cells = (places * self.zoom - self.layer.first_px) / self.layer.stride_px
        most = torch.tensor(self.values.shape[-2:], device=places.device) - 1
        cells = torch.minimum(cells.clamp_min(0), most)
        low = cells.floor().long()
        high = torch.minimum(low + 1, most)
        (y, x), (y0, x0), (y1, x1) = (cells - low).T, low.T, high.T
        rows, columns = torch.stack([y0, y0, y1, y1]), torch.stack([x0, x1, x0, x1])
        shares = torch.stack([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x])
        return rows, columns, shares

    def squares(self, places: Tensor, edge: int) -> tuple[Tensor, Tensor]:
        """Shares of every row (n, rows) and column (n, columns) in squares around places.

        Of `edge` cells around the cells of `corners`, of those within the map, bilinear between.
        """
        rows, columns, shares = self.corners(places)
        height, width = self.values.shape[-2:]
        down = _lines(
            rows[::2], torch.stack([shares[0] + shares[1], shares[2] + shares[3]]), height, edge
        )
        across = _lines(
            columns[:2], torch.stack([shares[0] + shares[2], shares[1] + shares[3]]), width, edge
        )
        return down, across


class Head(NamedTuple):
    """A head's weights: of features, and of its hidden units where it has any, else empty."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    last_weight: NDArray[np.float32]
    last_bias: NDArray[np.float32]

    def logits(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of features (n, features), (n, classes)."""
        first: NDArray[np.float32] = x @ self.weight.T + self.bias
        if not self.last_weight.size:
            return first
        return np.maximum(first, 0) @ self.last_weight.T + self.last_bias

    def shifted(self, logits: NDArray[np.float32]) -> "Head":
        """The same with (classes,) added to its logits."""
        if not self.last_weight.size:
            return self._replace(bias=self.bias + logits)
        return self._replace(last_bias=self.last_bias + logits)


class FrozenSpec(NetSpec):
    """Settings of `FrozenNet`."""

    sees_fields: ClassVar[bool] = True

    kind: Literal["frozen"] = "frozen"
    backbone: Literal["lite0"] = "lite0"
    weights: str = Field(IMAGENET, description=SETTING)
    input_um: float = Field(
        0.31,
        ge=0,
        description="edge of a pixel at the backbone's input, micrometres, before zooms; 0, or a"
        " pixel size that nobody knows: pixels as they are",
    )
    zooms: Annotated[tuple[PositiveFloat, ...], *Several] = Field(
        (0.5, 1.0), description="the backbone sees the field at these zooms, one after the other"
    )
    blocks: Annotated[tuple[int, ...], *Several] = Field(
        (4, 8, 10, 14), description="blocks of the backbone whose maps the head reads, from 0"
    )
    radii_px: Annotated[tuple[float, ...], *Several] = Field(
        (0, 6, 12, 24, 48),
        description="half edges of the squares around a place that the head sees means of, pixels"
        " at the backbone's input before zooms",
    )
    reads: Literal["auto", "centre", "patch"] = Field(
        "auto",
        description="what of a patch is judged: its centre, for labels of single cells; all of it,"
        " as the mean over its places; or as the labels were made (auto)",
    )
    fitted_by: Literal["logistic", "svm"] = Field(
        "logistic",
        description="how the head is fitted: logistic regression, or a linear support vector"
        " machine with squared hinge loss",
    )
    hidden: int = Field(
        0, ge=0, description="units of a hidden layer of the head, rectified; 0: a linear head"
    )
    evenness: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how far groups of one class count alike, with balance=class_and_group: from 0,"
        " each by its number of regions, to 1, all the same",
    )

    @property
    def pads(self) -> bool:
        """The backbone pads at the field's edges, as it has learnt to; nowhere else."""
        return False

    @property
    def stride_px(self) -> int:
        """Class maps finer than this say nothing more."""
        return MAP_PX

    @property
    def from_scratch(self) -> "FrozenSpec":
        """As `NetSpec.from_scratch`."""
        return self.model_copy(update={"weights": ""})

    @property
    def reads_centre(self) -> bool:
        """As `NetSpec.reads_centre`."""
        return self.reads == "centre"

    def for_labels(self, centred: bool) -> "FrozenSpec":
        """As `NetSpec.for_labels`: what `reads` means where it is ``auto``."""
        if self.reads != "auto":
            return self
        return self.model_copy(update={"reads": "centre" if centred else "patch"})

    @property
    def begins_with(self) -> str:
        """As `NetSpec.begins_with`."""
        return self.weights

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What the head reads, in the order of its features."""
        return tuple(
            Reading(zoom, LAYERS[block], self._squares(zoom, LAYERS[block].stride_px))
            for zoom in self.zooms
            for block in sorted(self.blocks)
        )

    def _squares(self, zoom: float, stride_px: int) -> tuple[int, ...]:
        edges = {2 * round(radius * zoom / stride_px) + 1 for radius in self.radii_px}
        return tuple(sorted(edges))

    def scale(self, pixel_um: float | None) -> float:
        """By how much pixels of that size are enlarged before zooms."""
        return pixel_um / self.input_um if pixel_um and self.input_um else 1.0

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `NetSpec.rules`: grey levels are normalised over the field."""
        return {
            "net 'frozen' sees whole fields: normalise must be patch or background": (
                edges.normalise in ("patch", "background")
            ),
            "test_time_augmentation is for nets of patches": not edges.test_time_augmentation,
            f"blocks must be among 0 to {len(LAYERS) - 1}": all(
                0 <= block < len(LAYERS) for block in self.blocks
            ),
            "a support vector machine is linear: hidden must be 0": (
                not self.hidden or self.fitted_by == "logistic"
            ),
            "blocks and zooms must differ from each other": all(
                len(set(each)) == len(each) for each in (self.blocks, self.zooms)
            ),
            "radii_px must be numbers, 0 or more, and zooms numbers": all(
                0 <= each < math.inf for each in (*self.radii_px, *self.zooms)
            ),
        }

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """As `NetSpec.build`; the head is zero until it is fitted.

        Raises
        ------
        ModelFileError, MissingExtraError
            As `livewell.models.pretrained.fill`.
        """
        net = self._net(shape.channels, shape.classes)
        net.pool_px = shape.patch_px if self.reads == "patch" else 0
        if self.weights:
            fill(net.backbone, LITE0, self.weights, ("fc",), own_tensors)
        return net.requires_grad_(False)

    def _net(self, channels: int, classes: int) -> "FrozenNet":
        return FrozenNet(self, channels, classes)


class FrozenNet(nn.Module):
    """Logits at places of a field, from a fixed backbone's maps of it."""

    weight: Tensor
    bias: Tensor
    last_weight: Tensor
    last_bias: Tensor

    def __init__(self, spec: FrozenSpec, channels: int, classes: int) -> None:
        super().__init__()
        self.spec = spec
        self.readings = spec.readings
        self.pool_px = 0
        """Edge of the square around a place whose places are averaged, pixels of the field."""
        self.backbone = Lite0(channels, max(spec.blocks) + 1)
        units = spec.hidden or classes
        self.register_buffer("weight", torch.zeros(units, self.features))
        self.register_buffer("bias", torch.zeros(units))
        if spec.hidden:
            self.register_buffer("last_weight", torch.zeros(classes, units))
            self.register_buffer("last_bias", torch.zeros(classes))
        self.reference = Reference()
        self.level: Tensor | float = 0.0

    def on_plate(self, level: Tensor) -> "FrozenNet":
        """The net whose features are those less a `level` (features,), such as of one plate."""
        other = copy(self)
        other.level = level.to(self.weight.device)
        return other

    @property
    def features(self) -> int:
        """How many numbers describe a place."""
        return sum(reading.layer.channels * len(reading.cells) for reading in self.readings)

    @property
    def reach_px(self) -> int:
        """Pixels beyond a place, at the backbone's input before zooms, that it can depend on."""
        return max(
            math.ceil((layer.field_px + max(cells) * layer.stride_px) / 2 / zoom)
            for zoom, layer, cells in self.readings
        )

    def pool_cells(self, at: FieldMap) -> int:
        """Edge of that square in cells of a map, odd."""
        return max(2 * round((self.pool_px * at.zoom / at.layer.stride_px - 1) / 2) + 1, 1)

    def beyond_px(self, scale: float) -> int:
        """Pixels of a field beyond a place, at that scale, that it can depend on."""
        return math.ceil(self.reach_px / scale) + self.pool_px

    @property
    def trunk(self) -> Trunk:
        """What gives the maps that the head reads, as backends compute it."""
        return Trunk(self.backbone, sorted(self.spec.blocks)).eval()

    def maps(self, field: Tensor, scale: float, trunk: SeveralMaps | None = None) -> list[FieldMap]:
        """Maps of a part of a field, (channels, h, w), normalised, of every zoom and block.

        Values are rounded to float16, as they are kept. `trunk` computes them in place of torch.
        """
        trunk = trunk or self.trunk
        found: list[Tensor] = []
        for zoom in self.spec.zooms:
            for values in trunk(_zoomed(field, _stepped(scale * zoom))):
                half = values[0].clamp(-HALF_MAX, HALF_MAX).half()
                found.append(half.to(self.weight.device).contiguous())
        return self.placed(found, scale)

    def placed(self, values: Sequence[Tensor], scale: float) -> list[FieldMap]:
        """Values of `maps`, in their order, with how they lie."""
        zooms = [_stepped(scale * reading.zoom) for reading in self.readings]
        layers = [reading.layer for reading in self.readings]
        return [FieldMap(*each) for each in zip(values, zooms, layers, strict=True)]

    def embedded(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        """Features (n, features) of places (n, 2): y, x in pixels of the part from its corner."""
        found = []
        for reading, at in zip(self.readings, maps, strict=True):
            sums, (rows, columns, shares) = _sums(at.values), at.corners(places)
            pool = self.pool_cells(at)
            down, across = at.squares(places, pool)
            for edge in reading.cells:
                if pool == 1:
                    square = rooted(_means(sums, edge, rows, columns))
                    found.append((square * shares).sum(dim=1).T)
                else:
                    square = rooted(_means(sums, edge))
                    found.append(torch.einsum("crs,nr,ns->nc", square, down, across))
        return torch.cat(found, dim=1) - self.level

    def logits(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        """Logits (n, classes) of places: their features, weighted, and once more if `hidden`."""
        first = self._weighted(maps, places)
        return first.relu() @ self.last_weight.T + self.last_bias if self.spec.hidden else first

    def take(self, head: Head) -> None:
        """Make `head` its own."""
        for name, values in head._asdict().items():
            if values.size:
                self.get_buffer(name).copy_(torch.from_numpy(values))

    def _weighted(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        if not self.pool_px and 32 * len(places) < maps[0].values[0].numel():
            return self.embedded(maps, places) @ self.weight.T + self.bias
        # of many places it is less work to weight whole maps first
        total = (self.bias - (self.weight * self.level).sum(dim=1)).repeat(len(places), 1)
        first = 0
        for reading, at in zip(self.readings, maps, strict=True):
            sums, said = _sums(at.values), torch.zeros((), device=at.values.device)
            for edge in reading.cells:
                weight = self.weight[:, first : first + len(sums)]
                first += len(sums)
                square = rooted(_means(sums, edge))
                said = said + torch.einsum("kc,crs->krs", weight, square)
            if (pool := self.pool_cells(at)) > 1:
                said = _means(_sums(said), pool)
            rows, columns, shares = at.corners(places)
            total += (said[:, rows, columns] * shares).sum(dim=1).T
        return total


def _stepped(zoom: float) -> float:
    return max(round(zoom * ZOOM_STEP), 1) / ZOOM_STEP


def _zoomed(field: Tensor, zoom: float) -> Tensor:
    """(channels, h, w) -> (1, channels, h', w'), mirrored up to whole cells of 32 px."""
    pixels = field[None]
    least = math.ceil(1 / zoom)
    short = [max(least - size, 0) for size in pixels.shape[-2:]]
    if any(short):
        pixels = functional.pad(pixels, (0, short[1], 0, short[0]), mode="replicate")
    if zoom != 1:
        pixels = functional.interpolate(
            pixels,
            scale_factor=zoom,
            mode="bilinear",
            antialias=zoom < 1,
            recompute_scale_factor=False,
        )
    height, width = pixels.shape[-2:]
    pad = (0, -width % 32, 0, -height % 32)
    pixels = functional.pad(pixels, pad, mode="reflect" if min(height, width) > 32 else "replicate")
    return pixels.contiguous(memory_format=torch.channels_last)


def _sums(values: Tensor) -> Tensor:
    """Sums of everything above and left of every corner of the cells, (channels, rows + 1, ...)."""
    sums = values.double().cumsum(-1).cumsum(-2)
    return functional.pad(sums, (1, 0, 1, 0))


def _means(
    sums: Tensor, edge: int, rows: Tensor | None = None, columns: Tensor | None = None
) -> Tensor:
    """Means of squares of `edge` cells around cells, of those within the map, (channels, ...).

    Around every cell, or those in `rows` and `columns`.
    """
    height, width = (size - 1 for size in sums.shape[-2:])
    half = edge // 2
    ends = [torch.arange(size, device=sums.device) for size in (height, width)]
    y, x = ends if rows is None or columns is None else (rows, columns)
    (top, bottom), (left, right) = (
        ((at - half).clamp_min(0), (at + half + 1).clamp_max(size))
        for at, size in ((y, height), (x, width))
    )
    if rows is None:
        wide = functional.pad(sums[None], (half, half, half, half), mode="replicate")[0]
        strips = wide[:, edge:] - wide[:, :height]
        total = (strips[..., edge:] - strips[..., :width]).float()
        return total / ((bottom - top)[:, None] * (right - left))
    total = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left]
    return (total + sums[:, top, left]).float() / ((bottom - top) * (right - left))


def _lines(cells: Tensor, shares: Tensor, size: int, edge: int) -> Tensor:
    """Shares (n, size) of a line's cells in pieces of `edge` around two cells (2, n) each."""
    line = torch.arange(size, device=cells.device)
    inside = ((line - cells[..., None]).abs() <= edge // 2).float()
    return (inside / inside.sum(dim=-1, keepdim=True) * shares[..., None]).sum(dim=0)


def rooted(values: Tensor) -> Tensor:
    """Signed square roots: large values count less."""
    return values.abs().sqrt().copysign(values)
