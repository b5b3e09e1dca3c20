"""The net of Richmond et al. 2017, Table 1."""

from collections import OrderedDict
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from livewell.models.nets.spec import PLAIN, CropNetSpec, NetShape, Trunk, declare, flat_parts

WIDTHS = (16, 32, 64, 128)
"""Feature maps of the four blocks (Table 1)."""
INPUT_PX = 220
"""Edge of the crop that the net sees (section 2.4)."""
TRUNK = Trunk(stride_px=16, field_px=82, before_px=29, parts=flat_parts)


class DeadNetSpec(CropNetSpec):
    """DeadNet: eight convolutions in four blocks, then three fully connected layers.

    For one channel and two classes 11,637,170 parameters as the text says; 13,404,594 as published;
    5,870,002 without padding. Pooling with ``floor`` is that of the paper's Table 1 (53 -> 26 ->
    13), with ``ceil`` as its published files ran in Caffe (53 -> 27 -> 14). Padding is that of
    Table 1 (1 around the maps of all but the first convolution); without it 9 x 9 cells instead of
    13 x 13 reach fc1, and nothing depends on where a crop ends.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.4 and Table 1, whose names the layers have.
    """

    fixed_px: ClassVar[int] = INPUT_PX
    trunk: ClassVar[Trunk | None] = TRUNK

    kind: Literal["deadnet"] = "deadnet"
    dropout: float = Field(0.5, ge=0, lt=1, description="share of fc1 and fc2 dropped in training")
    fc_batch_norm: bool = Field(
        True, description="batch norm after fc1 and fc2: the text has it, the files not"
    )
    pooling: Literal["floor", "ceil"] = Field(
        "floor", description="maps of odd size are pooled down (floor), or up as Caffe did"
    )

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """Named layers; crops (n, channels, 220, 220) -> logits (n, classes)."""
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        before = shape.channels
        for block, width in enumerate(WIDTHS, start=1):
            for step in (1, 2):
                first = block == step == 1
                kernel, zeros = (9, 0) if first else (3, int(self.padding == "same"))
                name = f"{block}_{step}"
                layers[f"conv{name}"] = nn.Conv2d(before, width, kernel, padding=zeros)
                layers[f"bn{name}"] = nn.BatchNorm2d(width, momentum=0.05)
                layers[f"relu{name}"] = nn.ReLU()
                before = width
            layers[f"pool{block}"] = nn.MaxPool2d(2, ceil_mode=self.pooling == "ceil")
        edges = {"same": {"floor": 13, "ceil": 14}, "valid": {"floor": 9, "ceil": 10}}
        layers["flatten"] = nn.Flatten()
        before = WIDTHS[-1] * edges[self.padding][self.pooling] ** 2
        for number in (1, 2):
            layers[f"fc{number}"] = nn.Linear(before, 512)
            if self.fc_batch_norm:
                layers[f"bn_fc{number}"] = nn.BatchNorm1d(512, momentum=0.05)
            layers[f"relu_fc{number}"] = nn.ReLU()
            layers[f"dropout{number}"] = nn.Dropout(self.dropout)
            before = 512
        layers["score"] = nn.Linear(before, shape.classes)
        return declare(nn.Sequential(layers), TRUNK)


def xavier_fan_in(module: nn.Module) -> None:
    """Caffe's Xavier: weights uniform within sqrt(3 / fan-in), biases zero, in place.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.4 ("Xavier"); Caffe scales by fan-in alone.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            bound = (3 / part.weight[0].numel()) ** 0.5
            nn.init.uniform_(part.weight, -bound, bound)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
