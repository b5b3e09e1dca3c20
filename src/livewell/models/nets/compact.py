"""The small net of the profile `FAST`."""

import itertools
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from livewell.models.nets.spec import PADDING, NetSpec, Padding, Trunk, declare, flat_parts
from livewell.models.specs import Normalisation

WIDTHS = (16, 32, 64, 128)
TRUNK = Trunk(stride_px=16, field_px=89, before_px=44, parts=flat_parts)


class CompactSpec(NetSpec):
    """Settings of `compact`."""

    trunk: ClassVar[Trunk | None] = TRUNK

    kind: Literal["compact"] = "compact"
    dropout: float = Field(
        0.2, ge=0, lt=1, description="share of the pooled features dropped in training"
    )
    padding: Padding = Field("same", description=PADDING)

    @property
    def pads(self) -> bool:
        """Whether its convolutions pad with zeros."""
        return self.padding == "same"

    def build(
        self,
        channels: int,
        classes: int,
        frame_px: tuple[int, int] | None,
        normalise: Normalisation,
    ) -> nn.Module:
        """As `NetSpec.build`."""
        return compact(classes, channels=channels, padding=self.padding, dropout=self.dropout)


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
        body = self.body(x)
        shortcut = self.shortcut(x)
        if self.trim:
            height, width = body.shape[-2:]
            shortcut = shortcut[..., 1 : 1 + height, 1 : 1 + width]
        out: Tensor = torch.relu(body + shortcut)
        return out


def compact(
    classes: int = 2, *, channels: int = 1, padding: Padding = "same", dropout: float = 0.2
) -> nn.Module:
    """The small residual net of the profile `FAST`, livewell's own.

    A stem of stride 2 and three residual blocks of stride 2 (stride 16 in all), then the mean over
    the map.

    Parameters
    ----------
    classes
        Number of outputs.
    channels
        Of an image.
    padding
        ``same``, or ``valid``: no zeros around the maps, which needs at least 89 px.
    dropout
        Share of the pooled features dropped in training.

    Returns
    -------
    torch.nn.Sequential
        (n, channels, h, w) float, h and w at least 16 -> (n, classes) scores before softmax.
        303,090 parameters for one channel and two classes.
    """
    blocks = [Block(before, width, padding) for before, width in itertools.pairwise(WIDTHS)]
    zeros = 2 if padding == "same" else 0
    net = nn.Sequential(
        nn.Conv2d(channels, WIDTHS[0], 5, stride=2, padding=zeros, bias=False),
        nn.BatchNorm2d(WIDTHS[0]),
        nn.ReLU(inplace=True),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(WIDTHS[-1], classes),
    )
    return declare(net, TRUNK)
