"""A fixed backbone over the whole field, under a light head: logits at every place of the field.

The head is linear in what it reads, so logits at a place are the sum of what every map says there,
and a class map is these logits on a grid: one function of the place, whatever asks for it.
"""

import math
from collections.abc import Sequence
from copy import copy
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Len
from pydantic import BeforeValidator, Field, PositiveFloat
from torch import Tensor, nn
from torch.nn import functional

from livewell.errors import ModelFileError
from livewell.models.backends import SeveralMaps
from livewell.models.nets.familiar import Reference
from livewell.models.nets.lite0 import LAYERS, Layer, Lite0, Trunk, folded
from livewell.models.nets.spec import PLAIN, NetShape, NetSpec
from livewell.models.pretrained import IMAGENET, LITE0, SETTING, state
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
    fitted_by: Literal["logistic", "svm"] = Field(
        "logistic",
        description="how the head is fitted: logistic regression, or a linear support vector"
        " machine with squared hinge loss",
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
            As `livewell.models.pretrained.state`.
        """
        net = self._net(shape.channels, shape.classes)
        if self.weights:
            _fill(net.backbone, self.weights, shape.channels)
        return net.requires_grad_(False)

    def _net(self, channels: int, classes: int) -> "FrozenNet":
        return FrozenNet(self, channels, classes)


class FrozenNet(nn.Module):
    """Logits at places of a field, from a fixed backbone's maps of it."""

    weight: Tensor
    bias: Tensor

    def __init__(self, spec: FrozenSpec, channels: int, classes: int) -> None:
        super().__init__()
        self.spec = spec
        self.readings = spec.readings
        self.backbone = Lite0(channels, max(spec.blocks) + 1)
        self.register_buffer("weight", torch.zeros(classes, self.features))
        self.register_buffer("bias", torch.zeros(classes))
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
            for edge in reading.cells:
                square = _rooted(_means(sums, edge, rows, columns))
                found.append((square * shares).sum(dim=1).T)
        return torch.cat(found, dim=1).float() - self.level

    def logits(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        """Logits (n, classes) of places: their features, weighted."""
        if 32 * len(places) < maps[0].values[0].numel():
            return self.embedded(maps, places) @ self.weight.T + self.bias
        # of many places it is less work to weight whole maps first
        total = (self.bias - (self.weight * self.level).sum(dim=1)).repeat(len(places), 1)
        first = 0
        for reading, at in zip(self.readings, maps, strict=True):
            sums, said = _sums(at.values), torch.zeros((), device=at.values.device)
            for edge in reading.cells:
                weight = self.weight[:, first : first + len(sums)]
                first += len(sums)
                square = _rooted(_means(sums, edge)).float()
                said = said + torch.einsum("kc,crs->krs", weight, square)
            rows, columns, shares = at.corners(places)
            total += (said[:, rows, columns] * shares).sum(dim=1).T
        return total


def _fill(backbone: Lite0, weights: str, channels: int) -> None:
    """Give a backbone published weights, or those of another frozen net."""
    found = state(LITE0, weights)
    try:
        if any(name.startswith("backbone.") for name in found):
            tensors = {name: found[f"backbone.{name}"] for name in backbone.state_dict()}
        else:
            tensors = folded(found, channels, len(backbone.blocks))
        backbone.load_state_dict(tensors)
    except (KeyError, IndexError, RuntimeError) as error:
        raise ModelFileError(
            "the weights are of another net",
            where=weights,
            expected=f"those of {LITE0} as published, or a frozen net of {channels} channels",
            got=f"{len(found)} tensors, such as {', '.join(sorted(found)[:3])}",
        ) from error


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
    y = torch.arange(height, device=sums.device)[:, None] if rows is None else rows
    x = torch.arange(width, device=sums.device) if columns is None else columns
    top, bottom = (y - half).clamp_min(0), (y + half + 1).clamp_max(height)
    left, right = (x - half).clamp_min(0), (x + half + 1).clamp_max(width)

    def at(down: Tensor, across: Tensor) -> Tensor:
        if rows is None:
            return sums.index_select(1, down[:, 0]).index_select(2, across)
        return sums[:, down, across]

    total = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)
    return total / ((bottom - top) * (right - left))


def _rooted(values: Tensor) -> Tensor:
    """Signed square roots: large values count less."""
    return values.sign() * values.abs().sqrt()
