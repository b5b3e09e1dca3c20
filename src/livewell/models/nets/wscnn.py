"""Nets that see whole frames: class maps under one global pooling, so that labels of images do."""

import copy
import math
from abc import abstractmethod
from collections import OrderedDict
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import residual_layers
from livewell.models.nets.global_pooling import GlobalPool, GlobalPooling
from livewell.models.nets.layers import geometry
from livewell.models.nets.spec import PLAIN, NetShape, NetSpec
from livewell.models.specs import Bounds, Share

SELDOM = 0.01
"""Probability that a new net with noisy-or pooling gives a frame to be positive."""


class MeanImage(nn.Module):
    """Takes the mean training image off; zeros until it is set.

    Off a frame of another size than the training frames' the mean image's mean is taken, channel by
    channel.

    Notes
    -----
    Source: Sailem et al., section 3.2 ("subtracting the mean of all images in the data set").
    """

    mean: Tensor

    def __init__(self, frame_px: tuple[int, int], channels: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, channels, *frame_px))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, channels, h, w)."""
        same = x.shape[-2:] == self.mean.shape[-2:]
        return x - (self.mean if same else self.mean.mean(dim=(-2, -1), keepdim=True))


class WeaklySupervised(nn.Module):
    """One map a class of a whole frame, and one score a class of them.

    `body` makes the class maps with convolutions only, `head` pools them; the `mean` image, if
    there is one, is taken off first.
    """

    def __init__(self, body: nn.Sequential, head: GlobalPooling, mean: MeanImage | None) -> None:
        super().__init__()
        self.mean, self.body, self.head = mean, body, head

    @property
    def cells(self) -> tuple[int, int, float]:
        """How the cells of the class maps lie: stride, field, first, of `layers.geometry`."""
        return geometry(self.body, next(reversed(dict(self.body.named_children()))))

    def maps(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> class maps (n, classes, rows, columns), scores before softmax."""
        if self.mean is not None:
            x = self.mean(x)
        found: Tensor = self.body(x)
        # small differences between high cells decide: not in half precision
        return found.float()

    def begin_seldom(self) -> None:
        """Give new weights under noisy-or pooling odds so low that few frames are positive.

        With even odds at every position, some hundred positions would say yes together.
        """
        last = self.body[-1]
        if self.head.kind == "noisy_or" and isinstance(last, nn.Conv2d) and last.bias is not None:
            with torch.no_grad():
                last.bias.copy_(torch.tensor([0.0, math.log(SELDOM / self.head.cells)]))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes) scores before softmax."""
        scores: Tensor = self.head(self.maps(x))
        return scores


def map_shape(body: nn.Module, frame_px: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the class maps that a body makes of a frame, without computing them."""
    shadow = copy.deepcopy(body).to("meta", torch.float32).eval()
    channels = next(shadow.parameters()).shape[1]  # of the first convolution
    try:
        found = shadow(torch.empty(1, channels, *frame_px, device="meta"))
    except RuntimeError as error:
        raise SpecError(
            "frames too small for the net",
            expected="at least 64 x 64 px",
            got=f"{frame_px[0]} x {frame_px[1]} px",
            remedy="crop less, or use images of more pixels",
        ) from error
    return int(found.shape[-2]), int(found.shape[-1])


class PooledSpec(NetSpec):
    """Settings of nets that see whole frames and pool their class maps."""

    sees_frames: ClassVar[bool] = True

    global_pool: GlobalPool = Field(
        "max",
        description="how the class maps become one score a class: the highest position, the mean"
        " of all, one fully connected layer, a smooth maximum, or the chance that one position at"
        " least is positive",
    )
    narrowing: Bounds[Share] = Field(
        (0.0, 0.0),
        description="shares of the steps between which max pooling narrows from the mean of many"
        " positions (widest) to the highest one; 0,0: the highest one from the start",
    )
    widest: float = Field(
        1.0, gt=0, le=1, description="share of the positions that narrowing begins with"
    )

    @property
    def pooled_by(self) -> str:
        """How class maps become one score a class."""
        return self.global_pool

    def narrowed(self, done: float) -> float | None:
        """How far pooling has narrowed, 0 to 1, when a share of the steps is done."""
        start, end = self.narrowing
        return (done - start) / max(end - start, 1e-9) if end else None

    @model_validator(mode="after")
    def _possible(self) -> "PooledSpec":
        if self.global_pool != "max" and self.narrowing[1]:
            raise ValueError("narrowing is for global_pool 'max': also give narrowing=0,0")
        return self


class FrameNetSpec(PooledSpec):
    """Settings of nets of whole frames."""

    @abstractmethod
    def body(self, channels: int = 1, classes: int = 2) -> nn.Sequential:
        """New layers that make the class maps."""

    def build(self, shape: NetShape = PLAIN) -> WeaklySupervised:
        """As `NetSpec.build`; a SpecError where frames or classes are too few for the pooling."""
        body, frame_px = self.body(shape.channels, shape.classes), shape.frame_px or (0, 0)
        cells = math.prod(map_shape(body, frame_px))
        head = GlobalPooling(self.global_pool, cells, self.widest, shape.classes)
        net = WeaklySupervised(
            body, head, MeanImage(frame_px, shape.channels) if shape.mean_image else None
        )
        net.begin_seldom()
        return net


SecondKernel = Annotated[
    Literal[3, 7],
    BeforeValidator(lambda value: int(value) if str(value).isdigit() else value),
    Field(description="edge of the second convolution: 3 for shapes, 7 for cells"),
]


class WscnnSpec(FrameNetSpec):
    """The paper's four convolutions; 210 x 280 px make class maps of 21 x 30 cells, stride 8.

    11 x 11 x 50, 3 x 3 x 100 (7 x 7 for cells), 5 x 5 x 100, 5 x 5 x classes, the last two padded
    by 1; batch norm, ReLU and 2 x 2 max pooling after all but the last. 306,802 parameters with
    3 x 3, one channel and two classes.

    Notes
    -----
    Source: Sailem et al., section 2.3 and Figure 2. Strides are not said: taken as 1.
    """

    kind: Literal["wscnn4"] = "wscnn4"
    second_kernel: SecondKernel = 3

    def body(self, channels: int = 1, classes: int = 2) -> nn.Sequential:
        """As `FrameNetSpec.body`."""
        layers = [
            *_stage(channels, 50, 11),
            *_stage(50, 100, self.second_kernel),
            *_stage(100, 100, 5, padding=1),
        ]
        return nn.Sequential(*layers, nn.Conv2d(100, classes, 5, padding=1))


class WscnnSixSpec(FrameNetSpec):
    """Six convolutions, the shape livewell's own, for the paper does not give it.

    As `WscnnSpec`, with two more of 3 x 3 x 100 (padding 1, batch norm, ReLU, no pooling) before
    the last, so that the stride stays 8 and a cell sees 32 px more.

    Notes
    -----
    Source: Sailem et al., section 4.1 ("a deeper architecture of six convolutional layers").
    """

    kind: Literal["wscnn6"] = "wscnn6"
    second_kernel: SecondKernel = 3

    def body(self, channels: int = 1, classes: int = 2) -> nn.Sequential:
        """As `FrameNetSpec.body`."""
        *before, last = WscnnSpec(second_kernel=self.second_kernel).body(channels, classes)
        between = [part for _ in range(2) for part in _stage(100, 100, 3, padding=1)[:-1]]
        return nn.Sequential(*before, *between, last)


def _stage(before: int, width: int, kernel: int, padding: int = 0) -> list[nn.Module]:
    return [
        nn.Conv2d(before, width, kernel, padding=padding),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    ]


class WscnnSmallSpec(FrameNetSpec):
    """A small residual body of stride 8, livewell's own: a sixth of `WscnnSpec`'s operations.

    A stem of stride 2, three blocks of two 3 x 3 convolutions with strides 2, 1 and 2, and a 1 x 1
    convolution to the class maps; a cell sees 57 px.
    """

    kind: Literal["wscnn_small"] = "wscnn_small"

    def body(self, channels: int = 1, classes: int = 2) -> nn.Sequential:
        """As `FrameNetSpec.body`."""
        layers = residual_layers(channels, (16, 32, 48, 64), strides=(2, 1, 2))
        return nn.Sequential(*layers, nn.Conv2d(64, classes, 1))


class WscnnResNet18Spec(FrameNetSpec):
    """ResNet-18's convolutions, and one of 1 x 1 to the class maps; stride 32.

    Under average pooling these are class activation maps (Zhou et al. 2016, section 2).
    """

    kind: Literal["wscnn_resnet18"] = "wscnn_resnet18"

    def body(self, channels: int = 1, classes: int = 2) -> nn.Sequential:
        """As `FrameNetSpec.body`."""
        layers = list(BackboneSpec(kind="resnet18").build(NetShape(channels)).named_children())
        parts = layers[: [name for name, _ in layers].index("avgpool")]
        return nn.Sequential(OrderedDict([*parts, ("classes", nn.Conv2d(512, classes, 1))]))
