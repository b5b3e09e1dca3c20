"""A fixed backbone over the whole field, under a light head: logits at every place of the field.

The head is linear in what it reads, or has one hidden layer that is, so that logits at a place come
from sums of what every map says there. A class map is these logits on a grid: one function of the
place, whatever asks for it.
"""

import math
from collections.abc import Sequence
from copy import copy
from typing import Annotated, ClassVar, Literal, NamedTuple

import torch
from annotated_types import Len
from pydantic import BeforeValidator, Field, PositiveFloat
from torch import Tensor, nn

from livewell.models.backends import SeveralMaps
from livewell.models.nets.familiar import Reference
from livewell.models.nets.field_maps import (
    FieldMap,
    corner_sums,
    rooted,
    square_means,
    stepped,
    zoomed,
)
from livewell.models.nets.light_head import Head
from livewell.models.nets.lite0 import LAYERS, Layer, Lite0, Trunk, own_tensors
from livewell.models.nets.spec import PLAIN, NetShape, NetSpec
from livewell.models.pretrained import IMAGENET, LITE0, SETTING, fill
from livewell.models.specs import AugmentSpec, InputSpec


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
            f"net '{self.kind}' sees whole fields: normalise must be patch or background": (
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
        reach = max(
            (layer.field_px + max(cells) * layer.stride_px) / 2 / stepped(scale * zoom)
            for zoom, layer, cells in self.readings
        )
        return math.ceil(reach) + self.pool_px

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
            for values in trunk(zoomed(field, stepped(scale * zoom))):
                half = values[0].clamp(-HALF_MAX, HALF_MAX).half()
                found.append(half.to(self.weight.device).contiguous())
        return self.placed(found, scale)

    def placed(self, values: Sequence[Tensor], scale: float) -> list[FieldMap]:
        """Values of `maps`, in their order, with how they lie."""
        zooms = [stepped(scale * reading.zoom) for reading in self.readings]
        layers = [reading.layer for reading in self.readings]
        return [FieldMap(*each) for each in zip(values, zooms, layers, strict=True)]

    def embedded(self, maps: Sequence[FieldMap], places: Tensor) -> Tensor:
        """Features (n, features) of places (n, 2): y, x in pixels of the part from its corner."""
        found = []
        for reading, at in zip(self.readings, maps, strict=True):
            sums, (rows, columns, shares) = corner_sums(at.values), at.corners(places)
            pool = self.pool_cells(at)
            lines = at.squares(places, pool) if pool > 1 else ()
            for edge in reading.cells:
                if pool == 1:
                    square = rooted(square_means(sums, edge, rows, columns))
                    found.append((square * shares).sum(dim=1).T)
                else:
                    square = rooted(square_means(sums, edge))
                    found.append(torch.einsum("crs,nr,ns->nc", square, *lines))
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
            sums, said = corner_sums(at.values), torch.zeros((), device=at.values.device)
            for edge in reading.cells:
                weight = self.weight[:, first : first + len(sums)]
                first += len(sums)
                square = rooted(square_means(sums, edge))
                said = said + torch.einsum("kc,crs->krs", weight, square)
            if (pool := self.pool_cells(at)) > 1:
                said = square_means(corner_sums(said), pool)
            rows, columns, shares = at.corners(places)
            total += (said[:, rows, columns] * shares).sum(dim=1).T
        return total
