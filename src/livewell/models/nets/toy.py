"""A toy: one convolution and a mean. It shows what a new net takes, and is taken out again."""

from typing import ClassVar, Literal

from torch import nn

from livewell.models.nets.spec import NetSpec, Trunk, declare, flat_parts
from livewell.models.specs import Normalisation

TRUNK = Trunk(stride_px=8, field_px=8, before_px=0, parts=flat_parts)


class ToySpec(NetSpec):
    """Settings of the toy: none."""

    trunk: ClassVar[Trunk | None] = TRUNK
    kind: Literal["toy"] = "toy"

    @property
    def pads(self) -> bool:
        """No convolution pads."""
        return False

    def build(
        self,
        channels: int,
        classes: int,
        frame_px: tuple[int, int] | None,
        normalise: Normalisation,
    ) -> nn.Module:
        """As `NetSpec.build`."""
        layers = (nn.Conv2d(channels, 16, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        return declare(nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, classes)), TRUNK)
