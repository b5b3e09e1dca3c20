"""torchvision's nets for colour images, each ending in one fully connected layer.

Functions take the number of classes, whether convolutions pad, and the blocks of each stage where
the net has a choice. Children are in the order of computation.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models import densenet121, inception_v3, squeezenet1_1
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


class ValidBlock(BasicBlock):  # type: ignore[misc]  # torchvision is untyped
    """torchvision's block of ResNet-18 without padding: its shortcut is trimmed to its size."""

    trims_shortcut = True

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, d, h', w'), four cells less, or half and two less."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        identity = x if self.downsample is None else self.downsample(x)
        trim = 2 if self.downsample is None else 1
        height, width = out.shape[-2:]
        result: Tensor = self.relu(out + identity[..., trim : trim + height, trim : trim + width])
        return result


def resnet(classes: int, pads: bool, blocks: Sequence[int]) -> nn.Module:
    """A ResNet of blocks of two convolutions."""
    net: nn.Module = ResNet(BasicBlock if pads else ValidBlock, blocks, num_classes=classes)
    if not pads:
        for part in net.modules():
            if isinstance(part, nn.Conv2d | nn.MaxPool2d):
                part.padding = (0, 0) if isinstance(part, nn.Conv2d) else 0
    return net


def bottleneck_resnet(classes: int, _: bool, blocks: Sequence[int]) -> nn.Module:
    """A ResNet of blocks of three convolutions, the one in the middle of 3 x 3."""
    net: nn.Module = ResNet(Bottleneck, blocks, num_classes=classes)
    return net


def densenet(classes: int, *_: object) -> nn.Module:
    """DenseNet-121."""
    net: nn.Module = densenet121(num_classes=classes)
    # torchvision rectifies the last maps between its children
    net.get_submodule("features").add_module("relu5", nn.ReLU(inplace=True))
    return net


def squeezenet(classes: int, *_: object) -> nn.Module:
    """SqueezeNet, version 1.1."""
    net: nn.Module = squeezenet1_1()
    # the average of 1 x 1 convolutions is a fully connected layer of averages
    net.classifier = nn.Linear(512, classes)
    return net


def inception(classes: int, *_: object) -> nn.Module:
    """Inception-v3 without its auxiliary classifier."""
    net: nn.Module = inception_v3(num_classes=classes, aux_logits=False, init_weights=True)
    return net
