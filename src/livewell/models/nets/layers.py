"""Which layers of a net can be looked at, and where their cells lie over the pixels."""

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from livewell.errors import SpecError
from livewell.models.device import placed
from livewell.models.nets.compact import Block

BESIDE = re.compile(r"shortcut|downsample|decoder|branch(1x1|_pool|5x5_.|3x3|3x3_..?|7x7_.)")
"""Parts that run beside the longest way from image to classes; they see no farther than that."""
SHORTCUT = 0.75
"""How far a block looks where its shortcut does, rather than its convolutions. In ten trained
compact nets the gradients' centre of mass lay 5.3 px on average (3.4 to 7.6) from the middle of the
last block's field, where the shortcuts lie 7 px from it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer whose maps are looked at, rectified as Grad-CAM asks for, but for Lite0's blocks."""

    name: str
    """As users know it: in Table 1's words for DeadNet (``conv4_2``)."""
    path: str
    """Of the part of the module whose output it is (``relu4_2``)."""
    module: nn.Module
    stride_px: int
    """From cell to cell, pixels of the input."""
    field_px: int
    """Edge of the square of pixels that one cell sees."""
    first_px: float
    """Pixel that the first cell answers to most, counted from 0 at the centre of the input's first
    pixel: the middle of its field, but for blocks whose shortcut looks elsewhere."""

    @property
    def margin_px(self) -> int:
        """How far the nearest cell may lie from what it answers to, pixels: half a stride."""
        return self.stride_px // 2

    def enlarged(self, maps: Tensor, size_px: int) -> Tensor:
        """Maps (..., rows, columns) at the pixels of the input, bilinear between cells' centres.

        Beyond the outermost centres a map keeps the value it has there; units stay those of a cell.
        """
        rows, columns = (self._mix(cells, size_px, maps) for cells in maps.shape[-2:])
        return rows @ maps @ columns.T

    def _mix(self, cells: int, size_px: int, like: Tensor) -> Tensor:
        """What each pixel of an axis takes of each cell, (size_px, cells)."""
        pixels = torch.arange(size_px, device=like.device, dtype=torch.float64)
        at = ((pixels - self.first_px) / self.stride_px).clamp(0, cells - 1)
        apart = at[:, None] - torch.arange(cells, device=like.device)
        return (1 - apart.abs()).clamp_min(0).to(like.dtype)


def names(module: nn.Module) -> dict[str, str]:
    """Layers that can be looked at, from first to last, and the part of the module each means.

    A convolution's name means its map after batch norm and rectification, as in Table 1 of Richmond
    et al. 2017; so ``conv4_2`` and ``relu4_2`` are the same, and a block of DenseNet means its maps
    after the norm and rectification behind it. Blocks of the compact net are ``block1`` to
    ``block3``, those of torchvision's nets have its names (``layer4``, ``layer4.0``).
    """
    found: dict[str, str] = {}
    waiting, blocks = "", 0
    for path, part in _row(module):
        if BESIDE.fullmatch(path.split(".")[-1]):
            continue
        if isinstance(part, nn.Conv2d | nn.ModuleDict):
            waiting = path
        elif isinstance(part, nn.ReLU) and waiting:
            if not waiting.split(".")[-1].isdigit():
                found[waiting] = path
            found[path] = path
            waiting = ""
        elif isinstance(part, Block):
            blocks += 1
            found[f"block{blocks}"] = found[path] = path
        elif isinstance(part, nn.Sequential):
            if f"{path}.{[name for name, _ in part.named_children()][-1]}" in found:
                found[path] = path
        elif isinstance(part, nn.MaxPool2d) or list(part.children()):
            found[path] = path
    return found


def _row(module: nn.Module, within: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Parts in the order of computation, those of a row of layers before the row itself."""
    for name, part in module.named_children():
        if isinstance(part, nn.Sequential):
            yield from _row(part, f"{within}{name}.")
        yield f"{within}{name}", part


def layer(module: nn.Module, name: str | None = None) -> Layer:
    """The layer of that name (one of `names`), or the last convolutional one.

    That is DeadNet's conv4_2 (26 x 26 cells in Table 1's form) as the paper looked at it, the last
    stage of the compact net and of torchvision's nets.
    """
    known = names(module)
    if name is None:
        parts = {path: module.get_submodule(path) for path in known.values()}
        last = [path for path, part in parts.items() if not isinstance(part, nn.MaxPool2d)]
        name = next(each for each, path in known.items() if path == last[-1])
    path = known[known_layer(name, known)]
    return Layer(name, path, module.get_submodule(path), *geometry(module, path))


def known_layer(name: str, known: Iterable[str]) -> str:
    """The name of a layer, if it is known."""
    known = list(known)
    if name not in known:
        raise SpecError(
            "no such layer",
            where="layer",
            expected="one of " + ", ".join(known),
            got=name,
            remedy=_nearest(name, known) or "leave it out for the usual one",
        )
    return name


def class_number(classes: Sequence[str], name: str) -> int:
    """Which output of a net is the score of the class `name`."""
    if name not in classes:
        raise SpecError(
            "the model has no such class",
            where="class",
            expected=" or ".join(classes),
            got=name,
            remedy=_nearest(name, classes) or "name one of the model's classes",
        )
    return classes.index(name)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}?" if near else ""


def frozen(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose weights ask for no gradient."""
    return placed(copy.deepcopy(module)).requires_grad_(False)


def geometry(module: nn.Module, path: str) -> tuple[int, int, float]:
    """`Layer`'s ``stride_px``, ``field_px`` and ``first_px``, from all windows before and in it.

    `module` is a net of `livewell.models.nets`, or a part of one that begins at the pixels.
    """
    stride, field, first = 1, 1, 0.0
    reached = False
    for name, part in module.named_modules():
        within = f"{name}.".startswith(f"{path}.")
        if reached and not within:
            break
        reached = reached or within
        first += _aside(part) * stride
        if not isinstance(part, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            continue
        if any(BESIDE.fullmatch(each) for each in name.split(".")):
            continue
        kernel, step, zeros = (_edge(v) for v in (part.kernel_size, part.stride, part.padding))
        first += ((kernel - 1) / 2 - zeros) * stride
        field += (kernel - 1) * stride
        stride *= step
    return stride, field, first


def _aside(part: nn.Module) -> float:
    """How far a block's answer lies from the middle of its convolutions, cells before the block.

    The two ways through a halving block need not look at the same position. In the compact net the
    shortcut takes the mean of cells 2 i and 2 i + 1, half a cell from where the convolutions are
    centred; in ResNet-18 without padding it looks a whole cell before them. Padding that is a layer
    of its own moves what follows.
    """
    if isinstance(part, Block) and part.stride == 1:
        return 0.0
    if isinstance(part, Block):
        return -SHORTCUT / 2 if part.trim else SHORTCUT / 2
    if isinstance(part, nn.ZeroPad2d):
        return -float(part.padding[0])
    trims = getattr(part, "trims_shortcut", False)
    return -SHORTCUT if trims and part.downsample is not None else 0.0


def _edge(value: int | str | tuple[int, ...]) -> int:
    """The one number of a square kernel, step or rim."""
    return int(value[0] if isinstance(value, tuple) else value)
