"""EfficientNet-Lite0 as a backbone: maps of a field at several strides.

Batch norms are folded into the convolutions: the net is a fixed one, or tuned with small steps.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor, nn

STEM, HEAD = 32, 1280
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first, expansion, channels."""
EPSILON = 1e-3
"""Of the batch norms that are folded."""
ON_IT = "backbone."
"""How names of its tensors begin in a net that stands on it."""


class Layer(NamedTuple):
    """What the map of one block is like."""

    block: int
    channels: int
    stride_px: int
    field_px: int
    """Edge of the square of pixels that one cell sees."""

    @property
    def first_px(self) -> float:
        """Row and column of the first cell's centre, from the corner of the first pixel.

        Padding is TensorFlow's, more at the far side, so centres lie half a stride farther than the
        middle of a stride.
        """
        return self.stride_px - 0.5


def _blocks() -> list[tuple[int, int, int, int, int]]:
    """Channels in, channels out, expansion, kernel, stride of every block."""
    found, before = [], STEM
    for number, kernel, stride, expansion, width in STAGES:
        for position in range(number):
            found.append((before, width, expansion, kernel, stride if position == 0 else 1))
            before = width
    return found


def _layers() -> tuple[Layer, ...]:
    found, stride, field = [], 2, 3
    for block, (_, width, _, kernel, step) in enumerate(_blocks()):
        field += (kernel - 1) * stride
        stride *= step
        found.append(Layer(block, width, stride, field))
    return tuple(found)


LAYERS = _layers()
"""Of every block."""


def _convolution(before: int, after: int, kernel: int, stride: int, groups: int) -> nn.Sequential:
    """A convolution padded so that a size is divided by the stride; more at the far side."""
    near = (kernel - stride) // 2
    far = kernel - stride - near
    layer = nn.Conv2d(before, after, kernel, stride, near if near == far else 0, groups=groups)
    pad = [] if near == far else [nn.ZeroPad2d((near, far, near, far))]
    return nn.Sequential(*pad, layer)


class Block(nn.Module):
    """Widen, filter every channel by itself, narrow; the input is added where shapes agree."""

    def __init__(self, before: int, after: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = before * expansion
        widen = [nn.Conv2d(before, wide, 1), nn.ReLU6(inplace=True)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *widen,
            _convolution(wide, wide, kernel, stride, wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, after, 1),
        )
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) -> (n, after, h / stride, w / stride)."""
        made: Tensor = self.layers(x)
        return made + x if self.adds else made


class Lite0(nn.Module):
    """Maps of chosen blocks; sizes are divided by the strides, and must be multiples of them.

    3.4 million parameters up to the last block. Takes (n, channels, h, w) around 0 with a spread of
    about 1, as (grey - 127) / 128 of photographs is.

    Notes
    -----
    Source: EfficientNet-Lite0 as TensorFlow published it (no squeeze-and-excitation, ReLU6).
    """

    def __init__(self, channels: int = 3, blocks: int = len(LAYERS)) -> None:
        super().__init__()
        stem = _convolution(channels, STEM, 3, 2, 1)
        self.stem = nn.Sequential(*stem, nn.ReLU6(inplace=True))
        self.blocks = nn.ModuleList(Block(*each) for each in _blocks()[:blocks])

    def forward(self, x: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """The maps of the wanted blocks, in their order."""
        found: list[Tensor] = []
        x = self.stem(x)
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in wanted:
                found.append(x)
        return found


class Trunk(nn.Module):
    """A backbone that gives the maps of chosen blocks."""

    def __init__(self, backbone: Lite0, blocks: Sequence[int]) -> None:
        super().__init__()
        self.backbone, self.blocks = backbone, blocks

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(n, channels, h, w) -> maps of the blocks, each with its own stride."""
        return tuple(self.backbone(x, self.blocks))


def own_tensors(state: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Tensors as `Lite0` names them: of the published net, of one on it, or as they are.

    Without blocks that a net of these `names` ends before.
    """
    try:
        found = folded(state)
    except KeyError:
        own = {name.removeprefix(ON_IT): state[name] for name in state if name.startswith(ON_IT)}
        found = own or dict(state)
    return {n: value for n, value in found.items() if n in names or not n.startswith("blocks.")}


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The published tensors as `Lite0` names them, batch norms folded into the convolutions.

    Raises
    ------
    KeyError
        They are not the published ones, or not all of a block's.
    """
    blocks = sum(f"_blocks.{number}._bn2.weight" in state for number in range(len(LAYERS)))
    found: dict[str, Tensor] = {}

    def put(name: str, weight: Tensor, norm: str) -> None:
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
        found[f"{name}.weight"] = weight * scale[:, None, None, None]
        found[f"{name}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale

    net = Lite0(blocks=blocks)
    names = [name.removesuffix(".weight") for name in net.state_dict() if name.endswith(".weight")]
    put(names.pop(0), state["_conv_stem.weight"], "_bn0")
    for number, (_, _, expansion, _, _) in enumerate(_blocks()[:blocks]):
        of = f"_blocks.{number}"
        parts = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
        for layer, norm in [("_expand_conv", "_bn0")] * (expansion > 1) + parts:
            put(names.pop(0), state[f"{of}.{layer}.weight"], f"{of}.{norm}")
    return {name: value.contiguous() for name, value in found.items()}
