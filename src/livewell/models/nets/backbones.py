"""Backbones with global pooling: ResNet-18 for any number of channels."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

from livewell.errors import ModelFileError
from livewell.models.nets.spec import PLAIN, CropNetSpec, NetShape, Parts, Trunk, declare

TRUNK_LAYERS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
"""Names of what lies before the mean over the map."""


def _parts(module: nn.Module) -> Parts:
    layers = dict(module.named_children())
    return nn.Sequential(*(layers[name] for name in TRUNK_LAYERS)), True, [layers["fc"]]


TRUNK = Trunk(stride_px=32, field_px=435, before_px=217, parts=_parts)


class ResNet18Spec(CropNetSpec):
    """ResNet-18, from scratch or from a local file of ImageNet weights.

    The file has torchvision's ``resnet18`` names. Three channels take the weights of red, green and
    blue; of any other number each takes an equal share of their sum, so that equal channels are
    seen as a grey image is. The last layer is left out. 11,171,266 parameters for one channel and
    two classes.

    Notes
    -----
    Source: He et al. 2016; used by Pattarone et al. 2021 ("ResNet-18").
    """

    trunk: ClassVar[Trunk | None] = TRUNK

    kind: Literal["resnet18"] = "resnet18"
    weights: str = Field("", description="local safetensors file of ImageNet weights")

    @property
    def from_scratch(self) -> "ResNet18Spec":
        """As `NetSpec.from_scratch`."""
        return self.model_copy(update={"weights": ""})

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """Crops (n, channels, h, w), at least 32 px (435 without padding) -> logits (n, classes).

        Raises
        ------
        ModelFileError
            The file of weights is missing, not safetensors, or holds other layers.
        """
        block = BasicBlock if self.pads else ValidBlock
        net: nn.Module = ResNet(block, [2, 2, 2, 2], num_classes=shape.classes)
        net.conv1 = nn.Conv2d(shape.channels, 64, 7, stride=2, padding=3, bias=False)
        if not self.pads:
            for part in net.modules():
                if isinstance(part, nn.Conv2d | nn.MaxPool2d):
                    part.padding = (0, 0) if isinstance(part, nn.Conv2d) else 0
        if self.weights:
            _load_backbone(net, Path(self.weights))
        return declare(net, TRUNK)


class ValidBlock(BasicBlock):  # type: ignore[misc]  # torchvision is untyped
    """torchvision's block of ResNet-18 without padding: its shortcut is trimmed to its size."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, d, h', w'), four cells less, or half and two less."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        identity = x if self.downsample is None else self.downsample(x)
        trim = 2 if self.downsample is None else 1
        height, width = out.shape[-2:]
        result: Tensor = self.relu(out + identity[..., trim : trim + height, trim : trim + width])
        return result


def _load_backbone(net: nn.Module, path: Path) -> None:
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            "no backbone weights here",
            where=str(path),
            expected="a safetensors file with torchvision's resnet18 names",
            got=str(error),
        ) from error
    state = {name: value for name, value in state.items() if not name.startswith("fc.")}
    own = {name: value for name, value in net.state_dict().items() if not name.startswith("fc.")}
    first, channels = state.get("conv1.weight"), own["conv1.weight"].shape[1]
    if first is not None and first.shape == (64, 3, 7, 7) and channels != 3:
        share = first.sum(dim=1, keepdim=True) / channels
        state["conv1.weight"] = share.repeat(1, channels, 1, 1)
    # torchvision's published weights are older than these counters, and no net here reads them
    counters = {name for name in own if name.endswith("num_batches_tracked")} - state.keys()
    wrong = sorted(
        name
        for name in (own.keys() | state.keys()) - counters
        if name not in own or name not in state or own[name].shape != state[name].shape
    )
    if wrong:
        raise ModelFileError(
            "the backbone weights are of another net",
            where=str(path),
            expected=f"{len(own)} tensors of ResNet-18",
            got=f"{len(wrong)} missing, further or misshapen: {', '.join(wrong[:4])}",
        )
    net.load_state_dict(own | state, strict=False)
