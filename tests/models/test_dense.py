"""Dense forms: which are exact, how far they reach, and that they say what windows say."""

import math

import pytest
import torch
from torch import Tensor, nn

from livewell.models.building import build
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.dense import DenseForm
from livewell.models.nets.field import MARGIN_PX, FieldNetSpec
from livewell.models.nets.net import Net
from livewell.models.nets.spectral import SpectralConv
from livewell.models.nets.unet import UNetSpec
from livewell.models.recipes import PROFILES

BUILDERS = {"deadnet": DeadNetSpec, "compact": CompactSpec, "resnet18": BackboneSpec}
FIELDS = {"field": FieldNetSpec, "unet": UNetSpec}
VALID = {"deadnet": 220, "compact": 105, "resnet18": 435}
SAME = {"deadnet": 220, "compact": 64, "resnet18": 224}


def shaken(module: nn.Module) -> nn.Module:
    """`module` with norms that do something, in evaluation mode and float64."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
    return module.eval().double()


def net_of(module: nn.Module, input_px: int, how: str = "local") -> Net:
    return Net(module, ("healthy", "sick"), None, input_px + 20, input_px, how=how)


@pytest.mark.parametrize("name", [*BUILDERS, *FIELDS])
@pytest.mark.parametrize(
    "odd", [0, 7, pytest.param(1, marks=pytest.mark.long), pytest.param(15, marks=pytest.mark.long)]
)
def test_without_padding_dense_is_windows(name: str, odd: int) -> None:
    """Every score of the dense form is that of the window there, to 1e-12, whatever the size."""
    edge = VALID.get(name, 2 * MARGIN_PX + 16)
    spec = FIELDS[name]() if name in FIELDS else BUILDERS[name](padding="valid")
    net = net_of(shaken(spec.build()), edge)
    form = DenseForm(net)
    step = form.reach.stride_px
    picture = torch.randn(1, 1, edge + step + odd, edge + 2 * step + odd, dtype=torch.float64)
    with torch.inference_mode():
        found = form(picture)
    # the field of DeadNet ends 10 px before its crop does, so a place more may fit
    assert found.shape[2] in (2, 3)
    assert found.shape[3] in (3, 4)
    assert form.reach.exact
    assert form.halo_px == 0
    for row in range(2):
        for column in range(3):
            y, x = row * step, column * step
            window = picture[..., y : y + edge, x : x + edge]
            near = {"atol": 1e-12, "rtol": 0}
            torch.testing.assert_close(net.scores(window)[0], found[0, :, row, column], **near)


@pytest.mark.long
def test_a_whole_map_by_fourier_is_windows() -> None:
    """A map large enough for the Fourier transform agrees with windows too, in both types."""
    net = net_of(shaken(DeadNetSpec(padding="valid").build()), 220)
    picture = torch.randn(1, 1, 220 + 16 * 17 + 3, 220 + 16 * 19, dtype=torch.float64)
    form = DenseForm(net)
    with torch.inference_mode():
        found = form(picture)[0]
        single = DenseForm(net).float()(picture.float())[0]
    assert found.shape == (2, 18, 20)
    for row, column in ((0, 0), (17, 19), (5, 11), (16, 2)):
        window = picture[..., 16 * row : 16 * row + 220, 16 * column : 16 * column + 220]
        near = {"atol": 1e-12, "rtol": 0}
        torch.testing.assert_close(net.scores(window)[0], found[:, row, column], **near)
    torch.testing.assert_close(single.double(), found, atol=1e-5, rtol=0)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long if n == "resnet18" else ()) for n in BUILDERS]
)
def test_reach_is_what_gradients_see(name: str, padding: str) -> None:
    """A cell of the trunk depends on the declared field of pixels, neither more nor less."""
    input_px = (SAME if padding == "same" else VALID)[name]
    form = DenseForm(net_of(shaken(BUILDERS[name](padding=padding).build()), input_px))
    reach = form.reach
    trunk = smooth(form.trunk)
    edge = reach.field_px + 2 * reach.before_px + 12 * reach.stride_px
    picture = torch.zeros(1, 1, edge, edge, dtype=torch.float64, requires_grad=True)
    features = trunk(picture)
    at = features.shape[-1] // 2
    features[0, :, at, at].sum().backward()
    seen = torch.nonzero(picture.grad[0, 0].abs().sum(dim=0)).flatten()
    assert seen[0].item() == at * reach.stride_px - reach.before_px
    assert seen[-1].item() == at * reach.stride_px - reach.before_px + reach.field_px - 1
    inside = trunk(torch.zeros(1, 1, input_px, input_px, dtype=torch.float64))
    assert inside.shape[-1] == reach.cells


def smooth(trunk: nn.Module) -> nn.Module:
    """A trunk whose every path carries gradient: positive weights, averages instead of maxima."""
    for part in trunk.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.ones_(part.weight)
            if part.bias is not None:
                nn.init.ones_(part.bias)
    for parent in list(trunk.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                size, step = int(child.kernel_size), int(child.stride)
                setattr(parent, key, nn.AvgPool2d(size, step, int(child.padding)))
            elif isinstance(child, nn.ReLU):
                setattr(parent, key, nn.Identity())
    return trunk


@pytest.mark.long
@pytest.mark.parametrize("name", BUILDERS)
def test_with_padding_the_halo_is_wide_enough(name: str) -> None:
    """With its halo around it a window's dense score feels nothing further out."""
    edge = SAME[name]
    form = DenseForm(net_of(shaken(BUILDERS[name]().build()), edge, "patch"))
    halo, step = form.halo_px, form.reach.stride_px
    assert halo % step == 0
    assert halo >= form.reach.before_px
    near = torch.randn(1, 1, edge + 2 * halo, edge + 2 * halo, dtype=torch.float64)
    far = torch.randn(1, 1, *(side + 4 * step for side in near.shape[-2:]), dtype=torch.float64)
    far[..., 2 * step : -2 * step, 2 * step : -2 * step] = near
    first = halo // step
    with torch.inference_mode():
        alone = form(near)[0, :, first, first]
        among = form(far)[0, :, first + 2, first + 2]
    torch.testing.assert_close(alone, among, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("spec", "input_px", "how", "reasons"),
    [
        (DeadNetSpec(), 220, "patch", ["pad", "crop"]),
        (DeadNetSpec(), 220, "local", ["pad"]),
        (DeadNetSpec(padding="valid"), 220, "patch", ["crop"]),
        (DeadNetSpec(pooling="ceil"), 220, "local", ["pad", "rounds up"]),
        (CompactSpec(), 64, "background", ["pad", "crop"]),
        (BackboneSpec(), 224, "patch", ["pad", "crop"]),
        (CompactSpec(padding="valid"), 105, "local_background", []),
    ],
)
def test_every_net_says_why_it_is_not_exact(spec, input_px, how, reasons) -> None:
    """Padding, normalisation crop by crop and pooling that rounds up are each named."""
    reach = DenseForm(net_of(shaken(spec.build()), input_px, how)).reach
    assert len(reach.because) == len(reasons)
    assert all(word in text for word, text in zip(reasons, reach.because, strict=True))
    assert reach.exact == (not reasons)


@pytest.mark.parametrize("kernel", [1, 3, 5, 9, 13])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (16, 17), (31, 40), (20, 61)])
def test_convolution_by_fourier_is_the_convolution(kernel: int, rows: int, columns: int) -> None:
    """For all sizes, blocks and rests, to 1e-10 in float64 and 1e-5 in float32."""
    torch.manual_seed(kernel + rows)
    weight, bias = torch.randn(6, 4, kernel, kernel).double(), torch.randn(6).double()
    weight = weight / math.sqrt(weight[0].numel())
    features = torch.randn(2, 4, rows + kernel - 1, columns + kernel - 1).double()
    expected = nn.functional.conv2d(features, weight, bias)
    torch.testing.assert_close(SpectralConv(weight, bias)(features), expected, atol=1e-10, rtol=0)
    single: Tensor = SpectralConv(weight.float(), bias.float())(features.float())
    torch.testing.assert_close(single.double(), expected, atol=1e-5, rtol=0)


def test_the_net_itself_is_left_alone() -> None:
    """Making a dense form changes nothing of the net it is made of."""
    module = shaken(DeadNetSpec(padding="valid").build())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    DenseForm(net_of(module, 220))
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=0, rtol=0)
    assert all(part.requires_grad for part in module.parameters())


CROPS = [name for name, it in PROFILES.items() if not (it.sees_frames or it.net.sees_fields)]


@pytest.mark.parametrize("name", CROPS)
def test_profiles_say_what_their_nets_say(name: str) -> None:
    """A profile calls itself fit for whole frames just where its net's dense form is exact."""
    profile = PROFILES[name]
    net = net_of(build(profile).eval(), profile.seen_px, profile.input.normalise)
    assert profile.dense_is_exact == DenseForm(net).reach.exact
