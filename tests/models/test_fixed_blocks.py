"""EfficientNet-Lite0 as a net of crops, and backbones whose first blocks stay as they are."""

from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from livewell.errors import ModelFileError, SpecError
from livewell.models.building import build
from livewell.models.nets.backbones import BACKBONES, BackboneKind, BackboneSpec, PartlyFixed
from livewell.models.nets.lite0 import LAYERS, folded
from livewell.models.nets.spec import NetShape
from livewell.models.pretrained import IMAGENET, LITE0, LITE0_PACKAGE, state
from livewell.models.profile import override
from livewell.models.recipes import FROZEN, TINY
from livewell.training.rates import parameter_groups

KINDS: tuple[BackboneKind, ...] = get_args(BackboneKind)
SMALL = {"zooms": "1", "radii_px": "0", "weights": ""}


def saved(folder: Path, net: nn.Module) -> str:
    path = folder / "weights.safetensors"
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, path)
    return str(path)


def lite0(weights: str, channels: int = 1) -> nn.Module:
    """A net of crops of three classes."""
    return BackboneSpec(kind=LITE0, weights=weights).build(NetShape(channels, 3)).eval()


def fixed(kind: BackboneKind, folder: Path, blocks: int) -> nn.Module:
    """A net of random weights, so many of whose blocks stay."""
    weights = saved(folder, BackboneSpec(kind=kind).build())
    return BackboneSpec(kind=kind, weights=weights, fixed_blocks=blocks).build()


def trained(net: nn.Module) -> dict[str, bool]:
    """Whether weights are trained, by name of the part."""
    return {name: part.requires_grad for name, part in net.named_parameters()}


@pytest.mark.skipif(find_spec(LITE0_PACKAGE) is None, reason=f"{LITE0_PACKAGE} is not installed")
def test_published_weights_of_lite0_are_those_of_the_frozen_net() -> None:
    """Both hold the published tensors, batch norms folded, and so give the same features."""
    net, grey = lite0(IMAGENET), torch.randn(2, 1, 64, 64)
    backbone = build(override(FROZEN, {"blocks": "15"})).get_submodule("backbone")
    own = net.state_dict()
    assert all(torch.equal(own[name], value) for name, value in backbone.state_dict().items())
    whole = folded(state(LITE0, IMAGENET))["stem.1.weight"]
    torch.testing.assert_close(own["stem.1.weight"], whole.sum(dim=1, keepdim=True))
    with torch.inference_mode():
        maps = backbone(grey, [15])[0]
        torch.testing.assert_close(net[:-2](grey), maps.mean(dim=(2, 3)))
    assert net.fc.weight.shape == (3, LAYERS[-1].channels)


def test_weights_of_lite0_are_taken_from_its_own_and_from_frozen_nets(tmp_path: Path) -> None:
    """All but the last layer; a frozen net of fewer blocks is refused, and names what it lacks."""
    first = lite0("")
    again = lite0(saved(tmp_path, first)).state_dict()
    own = first.state_dict()
    differ = {name for name in own if not torch.equal(own[name], again[name])}
    assert differ == {"fc.weight", "fc.bias"}
    frozen = build(override(FROZEN, SMALL | {"blocks": "15"}))
    taken = lite0(saved(tmp_path, frozen)).state_dict()
    assert torch.equal(
        taken["blocks.15.layers.0.weight"], frozen.backbone.blocks[15].layers[0].weight
    )
    less = saved(tmp_path, build(override(FROZEN, SMALL | {"blocks": "14"})))
    with pytest.raises(ModelFileError, match=r"6 missing.*blocks\.15"):
        lite0(less)


def test_a_frozen_net_stands_on_a_tuned_backbone(tmp_path: Path) -> None:
    """FROZEN takes the backbone of a net of crops, and says that it begins with that net."""
    net = lite0("")
    recipe = override(FROZEN, SMALL | {"blocks": "3", "weights": saved(tmp_path, net)})
    mine = build(recipe).get_submodule("backbone").state_dict()
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in mine.items())
    assert recipe.net.begins_with == recipe.settings()["weights"]


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_counted_from_the_pixels(kind: BackboneKind) -> None:
    """With all of them fixed the last layer alone is trained; with one less the last block too."""
    net, blocks = BackboneSpec(kind=kind).build(), BACKBONES[kind].blocks
    assert isinstance(net, PartlyFixed)
    last = [name for name, _ in net.named_children()][-1]
    net.fix(1)
    some = list(trained(net).values())
    assert not some[0]
    assert some == sorted(some)
    net.fix(blocks - 1)
    assert len({name.split(".")[0] for name in trained(net) if trained(net)[name]}) == 2
    net.fix(blocks)
    assert {name for name in trained(net) if trained(net)[name]} == {
        f"{last}.weight",
        f"{last}.bias",
    }


def test_what_is_fixed_is_never_in_training_mode(tmp_path: Path) -> None:
    """Its batch norms use and keep the statistics that they have; no gradient is computed."""
    net = fixed("resnet18", tmp_path, 3).train()
    assert [net.bn1.training, net.layer1[1].bn2.training, net.layer2[0].bn1.training] == [
        False,
        False,
        True,
    ]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    maps = net[:5](torch.randn(2, 1, 64, 64))
    assert not maps.requires_grad
    net(torch.randn(4, 1, 64, 64)).sum().backward()
    kept = {name: torch.equal(value, before[name]) for name, value in net.state_dict().items()}
    assert kept["bn1.running_mean"]
    assert not kept["layer2.0.bn1.running_mean"]
    assert net.conv1.weight.grad is None
    assert not net.eval().training


@pytest.mark.parametrize("optimiser", ["adamw", "nesterov"])
def test_the_optimiser_knows_nothing_of_what_is_fixed(tmp_path: Path, optimiser: str) -> None:
    """Neither steps nor decay reach it."""
    net = fixed(LITE0, tmp_path, 16)
    rates = {"rates": "caffe"} if optimiser == "nesterov" else {}
    groups = parameter_groups(net, override(TINY, {"optimiser": optimiser} | rates).fit)
    found = [id(part) for group in groups for part in group["params"]]
    assert sorted(found) == sorted(id(part) for part in net.parameters() if part.requires_grad)


def test_rules_of_fixed_blocks() -> None:
    """Weights that nothing has taught are not fixed, nor more blocks than there are."""
    pretrained = {"net": "resnet18", "weights": "imagenet", "fixed_blocks": 9}
    assert override(TINY, pretrained).net.from_scratch == BackboneSpec()
    with pytest.raises(SpecError, match="fixed_blocks is for weights to begin with"):
        override(TINY, pretrained | {"weights": ""})
    with pytest.raises(SpecError, match="'resnet18' has 9 blocks to fix"):
        override(TINY, pretrained | {"fixed_blocks": 10})
