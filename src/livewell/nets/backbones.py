"""Backbones with global pooling: ResNet-18 for one channel, and the small net of `FAST`."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from livewell.errors import ModelFileError


def resnet18(classes: int = 2, *, weights: str = "") -> nn.Module:
    """ResNet-18 for one channel, from scratch or from a local file of ImageNet weights.

    Parameters
    ----------
    classes
        Number of outputs.
    weights
        Path of a safetensors file with torchvision's ``resnet18`` names; empty for none. The
        three input channels are summed into one, the last layer is left out.

    Returns
    -------
    torch.nn.Module
        (n, 1, h, w) float, h and w at least 32 -> (n, classes) scores before softmax.

    Raises
    ------
    ModelFileError
        The file is missing, not safetensors, or holds other layers.

    Notes
    -----
    Source: He et al. 2016; used by Pattarone et al. 2021 ("ResNet-18").
    """
    net: nn.Module = torchvision_resnet18(weights=None, num_classes=classes)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    if weights:
        _load_backbone(net, Path(weights))
    return net


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
    first = state.get("conv1.weight")
    if first is not None and first.shape == (64, 3, 7, 7):
        state["conv1.weight"] = first.sum(dim=1, keepdim=True)
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
