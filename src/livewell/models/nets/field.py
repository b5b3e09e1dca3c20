"""Nets of fields: a class map over any crop of a frame, and its pooling inside regions.

All convolutions are without padding, so that a cell of the map depends on its own square of pixels
alone: the map of a crop is a part of the map of the frame.
"""

import itertools
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from livewell.models.nets.compact import WIDTHS, Block
from livewell.models.nets.spec import PLAIN, NetShape, NetSpec, Parts, Trunk, declare
from livewell.models.specs import LOCAL, AugmentSpec, InputSpec

STEM_PX, STRIDE_PX, FIELD_PX = 5, 16, 89
MARGIN_PX = (FIELD_PX + STRIDE_PX) // 2
"""Pixels around a region that suffice for its logits, wherever it lies on the grid of cells."""


class RegionPooling(nn.Module):
    """Logits of regions: the mean of the class map over each region's box.

    A cell stands for the square of `STRIDE_PX` around the centre of its field. Cells count by the
    area that they share with the box, so logits change smoothly as a box moves.
    """

    def forward(self, maps: Tensor, regions: Tensor) -> Tensor:
        """Maps (n, classes, rows, columns), regions (m, 5) -> mean logits (m, classes).

        A region is its row in the batch, then y0, x0, y1, x1 in pixels of the field, half-open; its
        box with a margin of `MARGIN_PX` lies within the field.
        """
        rows = regions[:, 0].long()
        down = self.shares(regions[:, 1], regions[:, 3], maps.shape[-2])
        across = self.shares(regions[:, 2], regions[:, 4], maps.shape[-1])
        # mixed precision would round the sums
        with torch.autocast(maps.device.type, enabled=False):
            return torch.einsum("mr,mkrc,mc->mk", down, maps[rows], across)

    def shares(self, start: Tensor, stop: Tensor, cells: int) -> Tensor:
        """(m, cells): by how much each cell counts along one axis; rows sum up to 1."""
        steps = torch.arange(cells, device=start.device, dtype=start.dtype)
        edges = (FIELD_PX - STRIDE_PX) / 2 + STRIDE_PX * steps
        low = torch.maximum(start[:, None], edges)
        high = torch.minimum(stop[:, None], edges + STRIDE_PX)
        shared = (high - low).clamp_min(0)
        return shared / shared.sum(dim=1, keepdim=True).clamp_min(1e-9)

    def middle(self, window_px: int, cells: int) -> Tensor:
        """(cells,): as `shares`, for the region that a window shows with its margin."""
        edges = torch.tensor([[MARGIN_PX], [window_px - MARGIN_PX]], dtype=torch.float64)
        return self.shares(edges[0], edges[1], cells)[0]


class FieldNet(nn.Module):
    """Class map of a field, and the logits of the region in the middle of a crop.

    The layers of `CompactSpec` without padding, and a 1 x 1 convolution to the class map in place
    of the mean over the map. 303,090 parameters for one channel and two classes. Dropout drops
    whole feature maps.
    """

    def __init__(
        self,
        classes: int = 2,
        channels: int = 1,
        dropout: float = 0.2,
        decoder: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(channels, WIDTHS[0], STEM_PX, stride=2, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(inplace=True),
            *(Block(before, width, "valid") for before, width in itertools.pairwise(WIDTHS)),
        )
        # of a net with a second head; layers of the class map come last
        self.decoder = decoder
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(WIDTHS[-1], classes, 1)
        self.pooling = RegionPooling()

    def maps(self, x: Tensor) -> Tensor:
        """(n, channels, h, w), normalised -> class map (n, classes, rows, columns)."""
        return self.classified(self.trunk(x))

    def classified(self, deep: Tensor) -> Tensor:
        """The class map of the trunk's last maps."""
        found: Tensor = self.head(self.dropout(deep))
        return found if found.dtype == torch.float64 else found.float()

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w), a region with a margin of `MARGIN_PX` -> (n, classes) logits."""
        height, width = x.shape[-2:]
        box = [MARGIN_PX, MARGIN_PX, height - MARGIN_PX, width - MARGIN_PX]
        maps = self.maps(x)
        regions = torch.tensor([[row, *box] for row in range(len(x))]).to(maps)
        logits: Tensor = self.pooling(maps, regions)
        return logits


def _parts(module: nn.Module) -> Parts:
    layers = dict(module.named_children())
    return layers["trunk"], True, [layers["head"], layers["pooling"]]


TRUNK = Trunk(STRIDE_PX, FIELD_PX, before_px=0, parts=_parts)


class FieldSettings(NetSpec):
    """Settings of nets of fields, and of the crops of fields that they are trained on."""

    trunk: ClassVar[Trunk | None] = TRUNK
    margin_px: ClassVar[int] = MARGIN_PX

    dropout: float = Field(
        0.2, ge=0, lt=1, description="share of the last feature maps dropped in training"
    )
    crop_px: int = Field(
        0,
        ge=0,
        description="edge of the crops of fields in training, with all regions in them; 0: the"
        " least that holds one region with its margin",
    )

    @property
    def pads(self) -> bool:
        """No convolution pads."""
        return False

    def training_px(self, region_px: int) -> int:
        """Edge of the crops in training: `crop_px`, or whole cells around a region."""
        cells = -(-(region_px + 2 * MARGIN_PX - FIELD_PX) // STRIDE_PX)
        return self.crop_px or FIELD_PX + cells * STRIDE_PX

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `NetSpec.rules`: logits must not depend on the crop, and boxes must stay boxes."""
        least, net = edges.input_px + 2 * MARGIN_PX, f"net '{self.kind}'"
        moved = (augment.warp_sigma_px, augment.translate_px, augment.mixup)
        return {
            f"{net} needs a local normalisation: normalise {' or '.join(LOCAL)}": (
                edges.normalise in LOCAL
            ),
            f"{net} is trained without warp_sigma_px, translate_px and mixup": not any(moved),
            f"crop_px must be 0 or at least {least}: input_px and {MARGIN_PX} px on every side": (
                self.crop_px == 0 or self.crop_px >= least
            ),
        }


class FieldNetSpec(FieldSettings):
    """Settings of `FieldNet`."""

    kind: Literal["field"] = "field"

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """As `NetSpec.build`."""
        return declare(FieldNet(shape.classes, shape.channels, self.dropout), TRUNK)
