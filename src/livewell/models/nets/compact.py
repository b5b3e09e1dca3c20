"""The small net of the profile `FAST`."""

import itertools
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from livewell.models.nets.spec import (
    PLAIN,
    CropNetSpec,
    NetShape,
    Padding,
    Trunk,
    declare,
    flat_parts,
)

WIDTHS = (16, 32, 64, 128)
TRUNK = Trunk(stride_px=16, field_px=89, before_px=44, parts=flat_parts)


class CompactSpec(CropNetSpec):
    """The small residual net of the profile `FAST`, livewell's own.

    A stem of stride 2 and three residual blocks of stride 2 (stride 16 in all), then the mean over
    the map. 303,090 parameters for one channel and two classes.
    """

    trunk: ClassVar[Trunk | None] = TRUNK

    kind: Literal["compact"] = "compact"
    dropout: float = Field(
        0.2, ge=0, lt=1, description="share of the pooled features dropped in training"
    )

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """Crops (n, channels, h, w), at least 16 px (89 without padding) -> logits (n, classes)."""
        net = nn.Sequential(
            *residual_layers(shape.channels, WIDTHS, self.padding),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(self.dropout),
            nn.Linear(WIDTHS[-1], shape.classes),
        )
        return declare(net, TRUNK)


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch norm and a shortcut, halving the map, or not (stride 1)."""

    def __init__(
        self, before: int, width: int, padding: Padding = "same", stride: Literal[1, 2] = 2
    ) -> None:
        super().__init__()
        zeros = int(padding == "same")
        # without padding the map shrinks by one more cell on each side, and the shortcut with it
        self.trim = 1 - zeros
        self.stride = stride
        last = nn.BatchNorm2d(width)
        # a block that begins as its shortcut trains faster
        nn.init.zeros_(last.weight)
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=stride, padding=zeros, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=zeros, bias=False),
            last,
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=bool(zeros)) if stride == 2 else nn.Identity(),
            nn.Conv2d(before, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, width, h / 2, w / 2), rounded up; less without padding."""
        body, shortcut = self.body(x), self.shortcut(x)
        if self.trim:
            height, width = body.shape[-2:]
            shortcut = shortcut[..., 1 : 1 + height, 1 : 1 + width]
        out: Tensor = torch.relu(body + shortcut)
        return out


def residual_layers(
    channels: int,
    widths: Sequence[int],
    padding: Padding = "same",
    strides: Sequence[Literal[1, 2]] = (2, 2, 2),
) -> list[nn.Module]:
    """A 5 x 5 stem of stride 2, then a residual block a stride."""
    steps = zip(itertools.pairwise(widths), strides, strict=True)
    blocks = [Block(before, width, padding, stride) for (before, width), stride in steps]
    zeros = 2 if padding == "same" else 0
    return [
        nn.Conv2d(channels, widths[0], 5, stride=2, padding=zeros, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(inplace=True),
        *blocks,
    ]
