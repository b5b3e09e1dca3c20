"""ResNet-18 for one channel, from scratch and from a local file."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import resnet18 as colour_resnet18

from livewell.errors import ModelFileError
from livewell.models.building import build
from livewell.models.nets.backbones import ResNet18Spec
from livewell.models.profile import override
from livewell.models.recipes import TINY

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def colour() -> torch.nn.Module:
    """torchvision's own net for three channels and 1,000 classes, untrained."""
    torch.manual_seed(4)
    return colour_resnet18(weights=None).eval()


def saved(folder: Path, state: State) -> str:
    path = folder / "backbone.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


def test_one_channel_sees_what_three_alike_channels_saw(
    colour: torch.nn.Module, tmp_path: Path
) -> None:
    """With the summed first layer, grey gives the features that grey as three channels gave."""
    net = ResNet18Spec(weights=saved(tmp_path, colour.state_dict())).build().eval()
    grey = torch.randn(2, 1, 64, 64)
    kept = torch.nn.Identity()
    with torch.inference_mode():
        for each in (net, colour):
            each.last, each.fc = each.fc, kept
        torch.testing.assert_close(
            net(grey), colour(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-3
        )
        for each in (net, colour):
            each.fc = each.last
            del each.last
        assert net(grey).shape == (2, 2)


def test_weights_without_batch_counters_load(colour: torch.nn.Module, tmp_path: Path) -> None:
    """Published weights that are older than the batch counters load as well."""
    state = {n: v for n, v in colour.state_dict().items() if not n.endswith("batches_tracked")}
    net = ResNet18Spec(weights=saved(tmp_path, state)).build()
    assert torch.equal(net.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


def test_the_profile_names_the_file(colour: torch.nn.Module, tmp_path: Path) -> None:
    """A profile's `weights` reach the net; its last layer is new."""
    path = saved(tmp_path, colour.state_dict())
    net = build(override(TINY, {"net": "resnet18", "weights": path}))
    assert torch.equal(net.layer1[0].conv1.weight, colour.layer1[0].conv1.weight)
    assert net.fc.weight.shape == (2, 512)
    assert net.conv1.weight.shape == (64, 1, 7, 7)


def misshapen(name: str, *shape: int) -> Callable[[State], State]:
    return lambda state: state | {name: torch.zeros(shape)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (misshapen("conv1.weight", 64, 3, 3, 3), "conv1.weight"),
        (misshapen("conv1.weight", 64, 6, 7, 7), "conv1.weight"),
        (misshapen("conv1.weight", 64), "conv1.weight"),
        (misshapen("layer2.0.conv1.weight", 128, 64, 1, 1), "layer2.0.conv1.weight"),
        (misshapen("layer5.weight", 3), "layer5.weight"),
        (lambda state: {n: v for n, v in state.items() if n != "bn1.bias"}, "bn1.bias"),
        (lambda state: {}, "100 missing, .* bn1.bias"),
    ],
)
def test_weights_of_another_net_are_refused(
    colour: torch.nn.Module, tmp_path: Path, change: Callable[[State], State], says: str
) -> None:
    """Missing, further and misshapen tensors are told by name."""
    path = saved(tmp_path, change(dict(colour.state_dict())))
    with pytest.raises(ModelFileError, match=says) as caught:
        ResNet18Spec(weights=path).build()
    assert caught.value.where == path


def test_what_is_no_weights_file_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder and a text file are told with the path and what it should be."""
    (tmp_path / "a.safetensors").write_text("weights")
    for path in (tmp_path / "none.safetensors", tmp_path, tmp_path / "a.safetensors"):
        with pytest.raises(ModelFileError, match="torchvision's resnet18 names"):
            ResNet18Spec(weights=str(path)).build()
