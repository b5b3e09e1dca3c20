"""Known nets as nets of crops, for any number of channels, with ImageNet's weights or new.

Crops come normalised around zero (`livewell.models.nets.net.normalise`), so no mean of ImageNet's
photographs is taken off; with ``normalise=patch`` they also have the contrast that these nets were
made for.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from livewell.models.nets.lite0 import LAYERS, Lite0, own_tensors
from livewell.models.nets.spec import PLAIN, CropNetSpec, NetShape, Trunk, declare, flat_parts
from livewell.models.pretrained import SETTING, Renamed, fill
from livewell.models.specs import AugmentSpec, InputSpec

BackboneKind = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "densenet121",
    "squeezenet1_1",
    "inception_v3",
    "lite0",
]


@dataclass(frozen=True, slots=True)
class Backbone:
    """A known net: a row of layers whose last maps are averaged."""

    make: Callable[[int, bool], nn.Module]
    """By number of classes, and whether convolutions pad: the net for colour images; its children
    are in the order of computation, and the last one is the only fully connected layer."""
    trunk: Trunk
    """How its last maps lie over the pixels."""
    blocks: int
    """How many blocks it has, of those that `fixed_blocks` counts."""
    first_blocks: int = 0
    """How many of them are first ones, where rates differ (`lr_first`); 0: half of them."""
    least_px: int = 1
    """Edge of the smallest crop that leaves a cell."""
    dropout: float = 0.0
    """Share of the averages that is dropped in training."""
    without_padding: bool = False
    """Whether its convolutions may do without."""
    renamed: Renamed | None = None
    """Names of the net's for published tensors; ``None`` where they are torchvision's."""


class BackboneSpec(CropNetSpec):
    """One of torchvision's nets or EfficientNet-Lite0, its last layer new.

    Three channels take the first convolution's weights of red, green and blue; of any other number
    each takes an equal share of their sum, so that equal channels are seen as a grey image is.
    ResNet-18 has 11,171,266 parameters for one channel and two classes.

    Notes
    -----
    Source: He et al. 2016 (ResNet), Huang et al. 2017 (DenseNet), Iandola et al. 2016 (SqueezeNet,
    version 1.1; its last layer's maps are averaged without being rectified, so that no class can
    fall silent), Szegedy et al. 2016 (Inception-v3, without its auxiliary classifier and without
    torchvision's change of the input), `livewell.models.nets.lite0` (its blocks without the
    convolution behind them; batch norms are folded, so that it is to begin with weights, and to
    learn in small steps). Pattarone et al. 2021 used ResNet-18, SqueezeNet and
    Inception-v3.
    """

    has_blocks: ClassVar[bool] = True
    kind: BackboneKind = "resnet18"
    weights: str = Field("", description=SETTING)
    fixed_blocks: int = Field(
        0,
        ge=0,
        description="so many blocks, counted from the pixels, keep the weights that they begin"
        " with; a convolution before the net's first block counts as one",
    )
    head_dropout: float = Field(
        -1,
        ge=-1,
        lt=1,
        description="share of the averages before the last layer that is dropped in training; -1:"
        " as the net's authors have it",
    )

    @property
    def trunk(self) -> Trunk:
        """How its last maps lie over the pixels."""
        return BACKBONES[self.kind].trunk

    @property
    def from_scratch(self) -> "BackboneSpec":
        """As `NetSpec.from_scratch`."""
        return self.model_copy(update={"weights": "", "fixed_blocks": 0})

    @property
    def begins_with(self) -> str:
        """As `NetSpec.begins_with`."""
        return self.weights

    def rules(self, edges: InputSpec, augment: AugmentSpec) -> dict[str, bool]:
        """As `CropNetSpec.rules`; few can do without padding, and some need large crops."""
        own = BACKBONES[self.kind]
        able = " and ".join(kind for kind, each in BACKBONES.items() if each.without_padding)
        return {
            f"net '{self.kind}' cannot do without padding (padding=valid), {able} can": (
                self.pads or own.without_padding
            ),
            f"net '{self.kind}' needs input_px of at least {own.least_px}": (
                edges.input_px >= own.least_px
            ),
            f"net '{self.kind}' has {own.blocks} blocks to fix (fixed_blocks)": (
                self.fixed_blocks <= own.blocks
            ),
            "fixed_blocks is for weights to begin with (weights=imagenet)": bool(
                self.weights or not self.fixed_blocks
            ),
        } | super().rules(edges, augment)

    def build(self, shape: NetShape = PLAIN) -> nn.Module:
        """Crops (n, channels, h, w), with padding of 32 px or more -> logits (n, classes).

        Inception-v3 needs 75 px or more. Without padding, the least crop is that of `Trunk`.

        Raises
        ------
        ModelFileError, MissingExtraError
            As `livewell.models.pretrained.state`, or the weights are of another net.
        """
        own = BACKBONES[self.kind]
        layers = OrderedDict(own.make(shape.classes, self.pads).named_children())
        name, head = layers.popitem()
        for replaced in ("avgpool", "dropout"):
            layers.pop(replaced, None)
        layers["avgpool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        dropped = own.dropout if self.head_dropout < 0 else self.head_dropout
        layers["dropout"], layers[name] = nn.Dropout(dropped), head
        net = PartlyFixed(layers)
        net.first_blocks = own.first_blocks or own.blocks // 2
        _see_channels(net, shape.channels)
        if self.weights:
            fill(net, self.kind, self.weights, (name, "AuxLogits"), own.renamed)
        net.fix(self.fixed_blocks)
        return declare(net, own.trunk)


class PartlyFixed(nn.Sequential):
    """Layers in a row, the first of which may stay as they are while others learn.

    Fixed ones ask for no gradient, so that none is computed, and always are in evaluation mode:
    statistics of batch norms stay as well.
    """

    fixed: tuple[nn.Module, ...] = ()
    first_blocks: int = 0
    """How many blocks are first ones, where rates differ."""

    def first(self, blocks: int | None = None) -> tuple[nn.Module, ...]:
        """So many blocks, or all, with all layers before the next one."""
        row, number = list(_row(self)), 0
        for end, part in enumerate(row):
            number += any(isinstance(each, nn.Conv2d) for each in part.modules())
            if number > (len(row) if blocks is None else blocks) or (
                isinstance(part, nn.AdaptiveAvgPool2d)
            ):
                return tuple(row[:end])
        return tuple(row)

    def fix(self, blocks: int | None = None) -> None:
        """Fix so many blocks, or all, as `first` says; others learn, also such as were fixed."""
        for part in self.fixed:
            part.requires_grad_(True)
        self.fixed = self.first(blocks)
        for part in self.fixed:
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PartlyFixed":
        """As torch's, but for what is fixed."""
        super().train(mode)
        for part in self.fixed:
            part.eval()
        return self


def _row(module: nn.Module) -> Iterator[nn.Module]:
    """Layers and blocks in the order of computation, those of rows within in their place."""
    for part in module.children():
        if type(part) is nn.Sequential:
            yield from _row(part)
        else:
            yield part


def _see_channels(net: nn.Module, channels: int) -> None:
    """Put a new first convolution into `net`, for so many channels."""
    path, old = next((n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]  # any number of edges, of two here
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    net.set_submodule(path, new)


def _known(name: str, blocks: tuple[int, ...] = ()) -> Callable[[int, bool], nn.Module]:
    """How a net of torchvision is made, whose import takes seconds and waits until then."""

    def make(classes: int, pads: bool) -> nn.Module:
        from livewell.models.nets import colour_nets

        net: nn.Module = getattr(colour_nets, name)(classes, pads, blocks)
        return net

    return make


def _lite0(classes: int, _: bool) -> nn.Module:
    net = Lite0()
    head = nn.Linear(LAYERS[-1].channels, classes)
    row = OrderedDict(stem=net.stem, blocks=nn.Sequential(*net.blocks), fc=head)
    return nn.Sequential(row)


def _trunk(stride_px: int, field_px: int, before_px: int) -> Trunk:
    return Trunk(stride_px, field_px, before_px, flat_parts)


BACKBONES: dict[str, Backbone] = {
    "resnet18": Backbone(
        _known("resnet", (2, 2, 2, 2)), _trunk(32, 435, 217), 9, without_padding=True
    ),
    "resnet34": Backbone(
        _known("resnet", (3, 4, 6, 3)), _trunk(32, 899, 449), 17, without_padding=True
    ),
    "resnet50": Backbone(_known("bottleneck_resnet", (3, 4, 6, 3)), _trunk(32, 427, 213), 17),
    "resnet101": Backbone(
        _known("bottleneck_resnet", (3, 4, 23, 3)), _trunk(32, 971, 485), 34, first_blocks=8
    ),
    "densenet121": Backbone(_known("densenet"), _trunk(32, 2071, 1021), 8, least_px=29),
    "squeezenet1_1": Backbone(
        _known("squeezenet"), _trunk(16, 207, 88), 9, least_px=17, dropout=0.5
    ),
    "inception_v3": Backbone(
        _known("inception"), _trunk(32, 1311, 618), 16, least_px=75, dropout=0.5
    ),
    "lite0": Backbone(
        _lite0, _trunk(32, 851, 394), 17, least_px=32, dropout=0.2, renamed=own_tensors
    ),
}
"""By the net's kind, which is torchvision's name of it where it has one."""
