"""Dense forms: a net's scores at every position of an image, what windows share computed once.

A net of windows is taken apart into a trunk (convolutions and pooling, which any window shares with
its neighbours) and a head (what one window's cells of the trunk are made into a score). Slid over
an image both are convolutions: fully connected layers become convolutions of the window's cells,
global average pooling becomes a moving average (Sermanet et al. 2014, "OverFeat", section 3.5).
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from livewell.models.nets.field import RegionPooling
from livewell.models.nets.net import Net
from livewell.models.nets.spec import declared
from livewell.models.nets.spectral import SpectralConv
from livewell.models.nets.wscnn import map_shape


@dataclass(frozen=True, slots=True)
class Reach:
    """What a net declares of itself: how its trunk's cells lie over the image."""

    stride_px: int
    """From cell to cell of the trunk."""
    field_px: int
    """Edge of the square of pixels that one cell sees."""
    before_px: int
    """How far the first cell of a window sees beyond the window's first pixel, where the net pads
    its maps; 0 where it does not."""
    cells: int
    """Edge of the square of cells that a window's score is made of."""
    because: tuple[str, ...] = ()
    """Why scores of the dense form are not those of windows; empty where they are."""

    @property
    def exact(self) -> bool:
        """Whether scores of the dense form are those of windows, but for rounding."""
        return not self.because


class DenseForm(nn.Module):
    """A net in its dense form, in evaluation mode; batch norms are folded into their layers."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        module = net.module.eval()
        self.input_px = net.input_px
        own = declared(module)
        trunk, pooled, layers = own.parts(copy.deepcopy(module))
        cells, _ = map_shape(trunk, (net.input_px, net.input_px))
        self.trunk: nn.Module = _folded(trunk)
        make = _slid_average if pooled else _slid
        self.head: nn.Sequential = make(layers, cells, net.input_px)
        windows = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.MaxPool2d)]
        padded = any(part.padding not in (0, (0, 0)) for part in windows)
        up = any(isinstance(part, nn.MaxPool2d) and part.ceil_mode for part in windows)
        reasons = {
            "its convolutions pad with zeros inside every window": padded,
            "its pooling rounds up": up and not pooled,
            "every crop is normalised by itself": net.radius_px == 0,
        }
        because = tuple(reason for reason, holds in reasons.items() if holds)
        before = own.before_px if padded else 0
        self.reach = Reach(own.stride_px, own.field_px, before, cells, because)
        self.cpu().requires_grad_(False)

    @property
    def halo_px(self) -> int:
        """Pixels around the windows that must be there, so that no end of the image is felt.

        How far a score depends on pixels beyond its window on either side, in whole strides.
        """
        reach = self.reach
        receptive_px = reach.field_px + (reach.cells - 1) * reach.stride_px
        farthest = max(reach.before_px, receptive_px - reach.before_px - self.input_px, 0)
        return -(-farthest // reach.stride_px) * reach.stride_px

    def forward(self, field: Tensor) -> Tensor:
        """Normalised (n, channels, h, w) -> logits (n, classes, rows, columns).

        One cell every ``reach.stride_px``, the first for the window at the field's first pixel.
        """
        logits: Tensor = self.head(self.trunk(field))
        return logits


def _folded(module: nn.Module) -> nn.Module:
    """`module` with every batch norm folded into the convolution right before it, in place."""
    last = ""
    for name, part in module.named_children():
        before = getattr(module, last) if last else None
        if isinstance(part, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            setattr(module, last, fuse_conv_bn_eval(before, part))
            setattr(module, name, nn.Identity())
        elif isinstance(part, nn.ReLU):
            part.inplace = True
        else:
            _folded(part)
        last = name
    return module


def _slid(layers: list[nn.Module], cells: int, _: int) -> nn.Sequential:
    """Fully connected layers as convolutions: the first of the window's cells, the others 1 x 1."""
    linear: list[nn.Linear] = []
    for layer in layers:
        if isinstance(layer, nn.Linear):
            linear.append(layer)
        elif isinstance(layer, nn.BatchNorm1d):
            linear[-1] = fuse_linear_bn_eval(linear[-1], layer)
    weight = linear[0].weight.detach()
    weight = weight.reshape(len(weight), -1, cells, cells)
    made: list[nn.Module] = [SpectralConv(weight, linear[0].bias.detach())]
    for layer in linear[1:]:
        weight = layer.weight.detach()[:, :, None, None]
        made += [nn.ReLU(inplace=True), _pointwise(weight, layer.bias.detach())]
    return nn.Sequential(*made)


def _slid_average(layers: list[nn.Module], cells: int, window_px: int) -> nn.Sequential:
    """Mean over the window's cells, weighted where a `RegionPooling` says so; one linear layer."""
    last = next(layer for layer in layers if isinstance(layer, nn.Linear | nn.Conv2d))
    weight = last.weight.detach().flatten(1)
    bias = torch.zeros_like(weight[:, 0]) if last.bias is None else last.bias.detach()
    pooling = next((layer for layer in layers if isinstance(layer, RegionPooling)), None)
    # averages of logits are logits of averages, and there are few classes for 128 maps or more
    first = _pointwise(weight[:, :, None, None], bias)
    if pooling is None:
        return nn.Sequential(first, nn.AvgPool2d(cells, stride=1))
    shares = pooling.middle(window_px, cells).to(weight.dtype)
    return nn.Sequential(first, *(_weighted(shares, len(weight), axis) for axis in (0, 1)))


def _weighted(shares: Tensor, maps: int, axis: int) -> nn.Conv2d:
    """Weighted sums of neighbouring cells along one axis, of every map alone."""
    shape = (len(shares), 1) if axis == 0 else (1, len(shares))
    layer = nn.Conv2d(maps, maps, shape, groups=maps, bias=False).to(shares.dtype)
    layer.weight = nn.Parameter(shares.reshape(1, 1, *shape).repeat(maps, 1, 1, 1))
    return layer


def _pointwise(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1).to(weight.dtype)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
