"""A net of fields with two heads: the class map of `FieldNet`, and a stain pixel by pixel."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from livewell.models.nets.compact import WIDTHS
from livewell.models.nets.field import FIELD_PX, STRIDE_PX, TRUNK, FieldNet, FieldSettings
from livewell.models.nets.spec import PLAIN, NetShape, declare

CELL_PX = 4
"""Edge of the square of pixels that is made of one cell of the decoder's last map."""
FIRST_PX = 54
"""From the rim of a field to the first pixel whose stain is predicted."""
TILE_PX = FIELD_PX + 3 * STRIDE_PX
"""Edge of the least field of which `STRIDE_PX` pixels of stain in a row are predicted; every
`STRIDE_PX` pixels more make as many more."""


class Join(nn.Module):
    """Maps at twice their resolution, mixed with maps of the way down that lie there already.

    Nothing pads: the maps of the way down lose so many cells, `trim`, on every side that both lie
    alike, and the mixture one more.
    """

    def __init__(self, deep: int, width: int, trim: int) -> None:
        super().__init__()
        self.trim = trim
        # an odd kernel whose ends are left out: cell 2 i lies where cell i lay
        self.up = nn.ConvTranspose2d(deep, width, 3, stride=2, padding=1)
        self.mix = nn.Sequential(
            nn.Conv2d(2 * width, width, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )

    def forward(self, deep: Tensor, beside: Tensor) -> Tensor:
        """(n, deep, h, w) and (n, width, ...) -> (n, width, 2 h - 3, 2 w - 3)."""
        up = self.up(deep)
        height, width = up.shape[-2:]
        trim = self.trim
        cut = beside[..., trim : trim + height, trim : trim + width]
        mixed: Tensor = self.mix(torch.cat([up, cut], dim=1))
        return mixed


class Decoder(nn.Module):
    """From the maps of a `FieldNet`'s trunk back to the pixels: one number a pixel."""

    def __init__(self) -> None:
        super().__init__()
        _, quarter, eighth, deep = WIDTHS
        self.eighth = Join(deep, eighth, trim=3)
        self.quarter = Join(eighth, quarter, trim=11)
        self.pixels = nn.Sequential(nn.Conv2d(quarter, CELL_PX**2, 1), nn.PixelShuffle(CELL_PX))

    def forward(self, quarter: Tensor, eighth: Tensor, deep: Tensor) -> Tensor:
        """Maps every 4, 8 and 16 px -> (n, h, w), from the pixel `FIRST_PX` on."""
        pixels: Tensor = self.pixels(self.quarter(self.eighth(deep, eighth), quarter))
        return pixels[:, 0]


class UNet(FieldNet):
    """`FieldNet`, and beside its class map a decoder to the stain, as in a U-Net.

    The way down is shared, so that the stain of every pixel teaches the features that classes are
    told by. 488,226 parameters for one channel and two classes. No layer pads: the stain of a pixel
    is the same from any field that holds `FIRST_PX` px and more around it and lies on the grid of
    the net's cells.

    Notes
    -----
    Source: Ronneberger et al. 2015 ("U-Net"), whose convolutions do not pad either; Shi et al. 2016
    for the last layer ("sub-pixel convolution").
    """

    decoder: Decoder

    def __init__(self, classes: int = 2, channels: int = 1, dropout: float = 0.2) -> None:
        super().__init__(classes, channels, dropout, Decoder())

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, channels, h, w), normalised -> class map, and log stain (n, h', w').

        The stain is the natural logarithm of its ratio to the background; its first pixel is
        `FIRST_PX` of the field.
        """
        quarter = self.trunk[:4](x)
        eighth = self.trunk[4](quarter)
        deep = self.trunk[5](eighth)
        stain = self.decoder(quarter, eighth, deep)
        return self.classified(deep), stain if stain.dtype == torch.float64 else stain.float()


class UNetSpec(FieldSettings):
    """Settings of `UNet`, and of what it learns from: labels of regions, and pixels of a stain."""

    kind: Literal["unet"] = "unet"
    label_weight: float = Field(
        1.0,
        ge=0,
        description="of the labels in the loss; 0: the stain is learnt alone, and what the model"
        " says of classes means nothing",
    )
    stain_weight: float = Field(
        1.0,
        ge=0,
        description="of the stain in the loss: mean Huber loss of the logarithm of its ratio to the"
        " background, over all pixels; 0: labels are learnt alone, and no stain is needed",
    )
    stain_offset: float = Field(
        0.0, ge=0, description="counts of the camera's offset, taken off stain and background"
    )

    @property
    def predicts_stain(self) -> bool:
        """As `NetSpec.predicts_stain`."""
        return self.stain_weight > 0

    def training_px(self, region_px: int) -> int:
        """As `FieldSettings.training_px`, and enough for pixels of the stain."""
        return max(super().training_px(region_px), TILE_PX)

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """As `NetSpec.build`."""
        return declare(UNet(shape.classes, shape.channels, self.dropout), TRUNK)
