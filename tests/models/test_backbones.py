"""Torchvision's nets as nets of crops: what they see, and the weights that they begin with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torchvision.models
from safetensors.torch import save_file
from torch import Tensor, nn

from livewell.errors import ModelFileError, SpecError
from livewell.files import sha256
from livewell.models import pretrained
from livewell.models.building import build
from livewell.models.nets.backbones import BACKBONES, BackboneKind, BackboneSpec
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.layers import layer, names
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape, declared
from livewell.models.nets.wscnn import map_shape
from livewell.models.pretrained import LITE0, PublishedFile, published
from livewell.models.profile import override
from livewell.models.recipes import DEADNET_2017, TINY

State = dict[str, Tensor]
KINDS: tuple[BackboneKind, ...] = get_args(BackboneKind)
TORCHVISIONS = tuple(kind for kind in KINDS if kind != LITE0)
SLOW = ("resnet50", "resnet101", "densenet121", "inception_v3")


def marked(kinds: Sequence[BackboneKind]) -> list[Any]:
    """Kinds as parameters; those of large nets are for the long tests."""
    return [pytest.param(each, marks=pytest.mark.long if each in SLOW else ()) for each in kinds]


LEAST_PX = {kind: max(each.least_px, 32) for kind, each in BACKBONES.items()}


@pytest.fixture(scope="module")
def colour() -> nn.Module:
    """torchvision's own ResNet-18 for three channels and 1,000 classes, untrained."""
    torch.manual_seed(4)
    return torchvision.models.resnet18().eval()


def saved(folder: Path, state: State) -> str:
    path = folder / "backbone.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


def test_each_kind_is_one_of_torchvisions() -> None:
    """Kinds, the table of nets and torchvision's names are the same, so weights are found."""
    assert tuple(BACKBONES) == KINDS
    assert all(published(kind)[0].name.startswith(kind) for kind in TORCHVISIONS)


@pytest.mark.parametrize("kind", marked(KINDS))
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_channels_and_three_classes(kind: BackboneKind, channels: int) -> None:
    """Crops of any number of channels give three scores, which the last layer makes of averages."""
    net = BackboneSpec(kind=kind).build(NetShape(channels, 3)).eval()
    crops = torch.randn(2, channels, LEAST_PX[kind], LEAST_PX[kind])
    last = [part for part in net.modules() if isinstance(part, nn.Linear | nn.Conv2d)][-1]
    seen: list[Tensor] = []
    last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        assert net(crops).shape == (2, 3)
        trunk, pooled, _ = declared(net).parts(net)
        torch.testing.assert_close(trunk(crops).mean(dim=(2, 3)), seen[0])
    assert pooled
    assert last is net[-1]


@pytest.mark.parametrize("kind", marked(TORCHVISIONS))
def test_features_are_torchvisions(kind: BackboneKind, tmp_path: Path) -> None:
    """With weights of a file, the last layer sees what torchvision's own last layer sees."""
    torch.manual_seed(1)
    more = {"init_weights": False} if kind == "inception_v3" else {}
    theirs = getattr(torchvision.models, kind)(**more).eval()
    net = BackboneSpec(kind=kind, weights=saved(tmp_path, theirs.state_dict()))
    ours = net.build(NetShape(3)).eval()
    seen = []
    for module in (theirs, ours):
        *_, last = (part for part in module.modules() if isinstance(part, nn.Linear | nn.Conv2d))
        last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        with torch.inference_mode():
            module(torch.ones(1, 3, 96, 96).cumsum(dim=3) / 50 - 1)
    features = seen[0].mean(dim=(2, 3)) if seen[0].ndim == 4 else seen[0]
    assert features.std() > 0
    torch.testing.assert_close(seen[1] / features.std(), features / features.std())


@pytest.mark.parametrize("kind", marked(KINDS))
def test_cells_see_what_is_declared(kind: BackboneKind) -> None:
    """A cell's gradient reaches the declared field, and begins where padding lets it begin."""
    own = BACKBONES[kind]
    net = linear(BackboneSpec(kind=kind).build().eval().double())
    trunk, _, _ = declared(net).parts(net)
    cell = -(-own.trunk.before_px // own.trunk.stride_px)
    first = cell * own.trunk.stride_px - own.trunk.before_px
    width = first + own.trunk.field_px + own.trunk.stride_px
    crop = torch.zeros(1, 1, LEAST_PX[kind], width, dtype=torch.float64, requires_grad=True)
    maps = trunk(crop)
    (gradient,) = torch.autograd.grad(maps[0, :, 0, cell].sum(), crop)
    seen = torch.nonzero(gradient[0, 0].abs().sum(dim=0)).flatten()
    assert (seen[0].item(), len(seen)) == (first, own.trunk.field_px)


def linear(net: nn.Module) -> nn.Module:
    """`net` with averages for all layers, through which every pixel of a field has a gradient."""
    for parent in list(net.modules()):
        if isinstance(parent, nn.Conv2d):
            nn.init.constant_(parent.weight, 1 / parent.weight[0].numel())
        elif isinstance(parent, nn.BatchNorm2d):
            nn.init.ones_(parent.bias)
        for key, part in list(parent.named_children()):
            if isinstance(part, nn.MaxPool2d):
                setattr(parent, key, nn.AvgPool2d(part.kernel_size, part.stride, part.padding))
    return net


@pytest.mark.parametrize("kind", marked(KINDS))
def test_the_layer_that_is_looked_at_is_the_trunks_last(kind: BackboneKind) -> None:
    """Grad-CAM's default layer has the trunk's stride and field, and its cells are aligned."""
    own, net = BACKBONES[kind].trunk, BackboneSpec(kind=kind).build()
    found = layer(net)
    assert (found.stride_px, found.field_px) == (own.stride_px, own.field_px)
    assert found.first_px == (own.field_px - 1) / 2 - own.before_px
    assert found.name in ("layer4", "features", "Mixed_7c", "blocks")


def test_layers_within_nets_have_torchvisions_names() -> None:
    """Blocks of all nets can be asked for; one of DenseNet means its maps once rectified."""
    known = {kind: names(BackboneSpec(kind=kind).build()) for kind in KINDS}
    assert known["densenet121"]["features.denseblock2"] == "features.transition2.relu"
    assert {"features.2", "features.12"} <= known["squeezenet1_1"].keys()
    assert {"Conv2d_1a_3x3", "maxpool2", "Mixed_6e"} <= known["inception_v3"].keys()
    assert {"layer1.2", "layer3.22"} <= known["resnet101"].keys()


@pytest.mark.parametrize("kind", marked(("densenet121", "squeezenet1_1", "inception_v3", LITE0)))
def test_each_net_has_a_dense_form(kind: BackboneKind) -> None:
    """A map over one window is the window's logits, and its reach is the declared one."""
    torch.manual_seed(0)
    edge, own = LEAST_PX[kind] + 32, BACKBONES[kind].trunk
    net = Net(BackboneSpec(kind=kind).build().eval(), ("a", "b"), None, edge, edge)
    form = DenseForm(net)
    crops = torch.randn(1, 1, edge, edge)
    with torch.inference_mode():
        torch.testing.assert_close(form(crops)[..., 0, 0], net.scores(crops), atol=1e-4, rtol=1e-3)
    assert not form.reach.exact
    assert (form.reach.stride_px, form.reach.field_px) == (own.stride_px, own.field_px)
    assert form.reach.before_px == own.before_px


def test_resnet34_does_without_padding() -> None:
    """Its smallest crop is the declared field, as ResNet-18's; no cell of it is padded."""
    for kind in ("resnet18", "resnet34"):
        net = BackboneSpec(kind=kind, padding="valid").build()
        trunk, _, _ = declared(net).parts(net)
        edge = BACKBONES[kind].trunk.field_px
        assert map_shape(trunk, (edge + 31, edge)) == (1, 1)
        with pytest.raises(SpecError, match="too small"):
            map_shape(trunk, (edge, edge - 32))
        assert layer(net).field_px == edge
        assert not any(part.padding[0] for part in net.modules() if isinstance(part, nn.Conv2d))


@pytest.mark.parametrize("kind", marked(KINDS))
def test_rules_of_crops_and_padding(kind: BackboneKind) -> None:
    """Crops too small are refused, and no padding but for nets that can do without."""
    settings = {"net": kind, "patch_px": 1_000, "input_px": 999}
    assert override(TINY, settings).net.build(NetShape(3, 4))[-1].out_features == 4
    if BACKBONES[kind].without_padding:
        assert not override(TINY, settings | {"padding": "valid"}).net.pads
    else:
        with pytest.raises(SpecError, match=r"cannot do without padding.*resnet18 and resnet34"):
            override(TINY, settings | {"padding": "valid"})
    if BACKBONES[kind].least_px > 1:
        least = BACKBONES[kind].least_px
        with pytest.raises(SpecError, match=f"'{kind}' needs input_px of at least {least}"):
            override(TINY, settings | {"input_px": least - 1})


def test_one_channel_sees_what_three_alike_channels_saw(colour: nn.Module, tmp_path: Path) -> None:
    """With the summed first layer, grey gives the maps that grey as three channels gave."""
    net = BackboneSpec(weights=saved(tmp_path, colour.state_dict())).build().eval()
    grey = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        ours, theirs = (
            net.bn1(net.conv1(grey)),
            colour.bn1(colour.conv1(grey.expand(-1, 3, -1, -1))),
        )
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_weights_without_batch_counters_load(colour: nn.Module, tmp_path: Path) -> None:
    """Published weights that are older than the batch counters load as well."""
    state = {n: v for n, v in colour.state_dict().items() if not n.endswith("batches_tracked")}
    net = BackboneSpec(weights=saved(tmp_path, state)).build()
    assert torch.equal(net.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])


def test_weights_of_a_published_pickle_load(
    colour: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torchvision's own file, given by its path, needs no conversion by the user."""
    path = tmp_path / "resnet18.pth"
    torch.save(colour.state_dict(), path)
    monkeypatch.setattr(pretrained, "published", lambda _: (PublishedFile("", sha256(path)[:8]),))
    net = BackboneSpec(weights=str(path)).build(NetShape(3))
    assert torch.equal(net.conv1.weight, colour.conv1.weight)


def test_the_profile_names_the_file(colour: nn.Module, tmp_path: Path) -> None:
    """A profile's `weights` reach the net; its last layer is new."""
    path = saved(tmp_path, colour.state_dict())
    net = build(override(TINY, {"net": "resnet18", "weights": path}))
    assert torch.equal(net.layer1[0].conv1.weight, colour.layer1[0].conv1.weight)
    assert net.fc.weight.shape == (2, 512)
    assert net.conv1.weight.shape == (64, 1, 7, 7)


def test_weights_are_not_drawn_over(colour: nn.Module, tmp_path: Path) -> None:
    """A recipe that draws all weights by a rule of its own refuses weights to begin with."""
    weights = {"net": "resnet18", "weights": saved(tmp_path, colour.state_dict())}
    with pytest.raises(SpecError, match=r"xavier_fan_in.*--set init=default"):
        build(override(DEADNET_2017, weights))


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
        (lambda state: torchvision.models.squeezenet1_1().state_dict(), "of resnet18.*152 missing"),
    ],
)
def test_weights_of_another_net_are_refused(
    colour: nn.Module, tmp_path: Path, change: Callable[[State], State], says: str
) -> None:
    """Missing, further and misshapen tensors are told by name, and so is the net."""
    path = saved(tmp_path, change(dict(colour.state_dict())))
    with pytest.raises(ModelFileError, match=says) as caught:
        BackboneSpec(weights=path).build()
    assert caught.value.where == path
