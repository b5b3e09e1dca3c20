"""Dense forms: a net's scores at every place of a picture, what windows share computed once.

A net of windows is taken apart into a trunk (convolutions and pooling, which any window shares with
its neighbours) and a head (what one window's cells of the trunk are made into a score). Slid over a
picture both are convolutions: fully connected layers become convolutions of the window's cells,
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


@dataclass(frozen=True, slots=True)
class Reach:
    """What a net declares of itself: how its trunk's cells lie over the picture.

    Parameters
    ----------
    stride_px
        From cell to cell of the trunk, pixels.
    field_px
        Edge of the square of pixels that one cell sees.
    before_px
        How far the first cell of a window sees beyond the window's first pixel, where the net pads
        its maps; 0 where it does not.
    cells
        Edge of the square of cells that a window's score is made of.
    exact
        Whether scores of the dense form are those of windows, but for rounding.
    because
        If not, why not.
    """

    stride_px: int
    field_px: int
    before_px: int
    cells: int
    exact: bool
    because: tuple[str, ...] = ()

    @property
    def receptive_px(self) -> int:
        """Edge of the square of pixels that a dense score depends on, padding left aside."""
        return self.field_px + (self.cells - 1) * self.stride_px

    def halo_px(self, input_px: int) -> int:
        """Pixels beyond a window on both sides that its dense score feels, in whole strides."""
        after = self.receptive_px - self.before_px - input_px
        return -(-max(self.before_px, after, 0) // self.stride_px) * self.stride_px


class DenseForm(nn.Module):
    """A net in its dense form, in evaluation mode; batch norms are folded into their layers.

    Parameters
    ----------
    net
        The trained net.
    """

    def __init__(self, net: Net) -> None:
        super().__init__()
        module = net.module.eval()
        self.input_px = net.input_px
        own = declared(module)
        trunk, pooled, layers = own.parts(copy.deepcopy(module))
        cells = _length(trunk, net.input_px)
        self.trunk: nn.Module = _folded(trunk)
        make = _slid_average if pooled else _slid
        self.head: nn.Sequential = make(layers, cells, net.input_px)
        padded = any(_pads(part) for part in module.modules())
        reasons = {
            "its convolutions pad with zeros inside every window": padded,
            "its pooling rounds up": not pooled and any(_ceils(part) for part in module.modules()),
            "every crop is normalised by itself": net.radius_px == 0,
        }
        because = tuple(reason for reason, holds in reasons.items() if holds)
        self.reach = Reach(
            own.stride_px,
            own.field_px,
            own.before_px if padded else 0,
            cells,
            not because,
            because,
        )
        self.cpu()
        for part in self.parameters():
            part.requires_grad_(False)

    @property
    def halo_px(self) -> int:
        """Pixels around the windows that must be there, so that no end of the picture is felt."""
        return self.reach.halo_px(self.input_px)

    def forward(self, picture: Tensor) -> Tensor:
        """Logits of all classes on a grid over a field.

        Parameters
        ----------
        picture
            (n, channels, h, w), normalised.

        Returns
        -------
        torch.Tensor
            (n, classes, rows, columns); one cell every ``reach.stride_px``, the first for the
            window at the field's first pixel.
        """
        logits: Tensor = self.head(self.trunk(picture))
        return logits


def _length(trunk: nn.Module, edge_px: int) -> int:
    """Cells that the trunk makes of `edge_px` pixels, without computing them."""
    shadow = copy.deepcopy(trunk).to("meta", torch.float32)
    channels = next(part.in_channels for part in trunk.modules() if isinstance(part, nn.Conv2d))
    return int(shadow(torch.empty(1, channels, edge_px, edge_px, device="meta")).shape[-1])


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
    made: list[nn.Module] = []
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    norms = _norms(layers)
    for number, layer in enumerate(linear):
        folded = fuse_linear_bn_eval(layer, norms[number]) if number in norms else layer
        weight, bias = folded.weight.detach(), folded.bias.detach()
        edge = cells if number == 0 else 1
        weight = weight.reshape(len(weight), -1, edge, edge)
        made.append(SpectralConv(weight, bias) if number == 0 else _pointwise(weight, bias))
        if layer is not linear[-1]:
            made.append(nn.ReLU(inplace=True))
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


def _norms(layers: list[nn.Module]) -> dict[int, nn.BatchNorm1d]:
    """By number of the linear layer, the batch norm right after it."""
    found, number = {}, -1
    for layer in layers:
        if isinstance(layer, nn.Linear):
            number += 1
        elif isinstance(layer, nn.BatchNorm1d):
            found[number] = layer
    return found


def _pointwise(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], 1).to(weight.dtype)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer


def _pads(part: nn.Module) -> bool:
    if not isinstance(part, nn.Conv2d | nn.MaxPool2d):
        return False
    return part.padding not in (0, (0, 0))


def _ceils(part: nn.Module) -> bool:
    return isinstance(part, nn.MaxPool2d) and part.ceil_mode
