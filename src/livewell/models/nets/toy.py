"""A toy net: two convolutions, to show what a new net touches."""

from typing import ClassVar, Literal

from torch import nn

from livewell.models.nets.spec import PLAIN, CropNetSpec, NetShape, Trunk, declare, flat_parts

TRUNK = Trunk(stride_px=8, field_px=19, before_px=9, parts=flat_parts)


class ToySpec(CropNetSpec):
    """Two convolutions without padding, then the mean over the map."""

    trunk: ClassVar[Trunk | None] = TRUNK

    kind: Literal["toy"] = "toy"

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """Crops (n, channels, h, w) of at least 19 px -> logits (n, classes)."""
        edges = (3, 1) if self.pads else (0, 0)
        net = nn.Sequential(
            nn.Conv2d(shape.channels, 8, 7, stride=4, padding=edges[0]),
            nn.ReLU(),
            nn.Conv2d(8, 16, 4, stride=2, padding=edges[1]),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, shape.classes),
        )
        return declare(net, TRUNK)
