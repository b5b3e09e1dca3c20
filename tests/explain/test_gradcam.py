"""Grad-CAM: the equations by hand, against captum, and however patches are dealt out."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from livewell.errors import SpecError
from livewell.explain.gradcam import Cam, class_weights, patch_maps
from livewell.geometry import Box
from livewell.models.building import build
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.net import Net
from livewell.models.recipes import TINY
from livewell.region import Region, RegionGrid
from livewell.study.pixels import ArrayPixels

AVERAGING = ("resnet18", "resnet50", "densenet121", "squeezenet1_1", "inception_v3")
BUILDERS = {"deadnet": DeadNetSpec, "compact": CompactSpec}
BUILDERS |= {kind: partial(BackboneSpec, kind=kind) for kind in AVERAGING}
INPUT_PX = {"deadnet": 220, "compact": 64} | dict.fromkeys(AVERAGING, 96)
CLASSES = ("healthy", "sick")
MOVIE = np.random.default_rng(0).integers(1, 60_000, (2, 150, 170), dtype=np.uint16)


def shaken(module: nn.Module) -> nn.Module:
    """`module` with norms that do something, in evaluation mode."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.1)
    return module.eval()


def cam_of(name: str, layer: str | None = None) -> Cam:
    edge = INPUT_PX[name]
    torch.manual_seed(1)
    return Cam(Net(shaken(BUILDERS[name]().build()), CLASSES, None, edge + 10, edge), layer)


def tiny(layer: str | None = None) -> Cam:
    """Two maps of a 1 x 1 convolution: the rectified image and its rectified negative."""
    module = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2, bias=False)
    )
    module[0].weight.data = torch.tensor([1.0, -1.0])[:, None, None, None]
    module[3].weight.data = torch.tensor([[0.0, 0, 0, 0, 0, 0, 0, 0], [1.0, 2, 3, 2, -4, 0, 0, -4]])
    return Cam(Net(module, CLASSES, None, 2, 2), layer)


def test_the_equations_by_hand() -> None:
    """Weights are the means of the gradient; the map is their sum of maps, cut at zero."""
    look = tiny().look(torch.tensor([[[[1.0, -1.0], [2.0, 0.5]]]]), 1)
    assert look.weights.tolist() == [[2.0, -2.0]]
    assert look.signed.tolist() == [[[2.0, -2.0], [4.0, 1.0]]]
    assert look.maps.tolist() == [[[2.0, 0.0], [4.0, 1.0]]]
    assert look.scores.tolist() == [1 + 6 + 1]


def test_the_scale_is_that_of_the_image() -> None:
    """A map twice as strong is twice as bright: nothing is stretched image by image."""
    cam, image = tiny(), torch.tensor([[[[1.0, -1.0], [2.0, 0.5]]]])
    torch.testing.assert_close(cam.look(2 * image, 1).maps, 2 * cam.look(image, 1).maps)


@pytest.mark.long
@pytest.mark.parametrize("name", ["compact", *AVERAGING])
def test_the_sum_of_the_map_is_the_score(name: str) -> None:
    """With a head that averages, the signed cells sum up to the class score less its bias."""
    cam = cam_of(name)
    inputs = torch.randn(3, 1, INPUT_PX[name], INPUT_PX[name])
    look = cam.look(inputs, 1)
    bias = [part for part in cam.module.modules() if isinstance(part, nn.Linear)][-1].bias[1]
    torch.testing.assert_close(look.signed.sum(dim=(1, 2)), look.scores - bias)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("deadnet", None),
        ("deadnet", "conv3_1"),
        ("deadnet", "pool4"),
        ("compact", None),
        ("compact", "block1"),
        ("resnet18", None),
        ("resnet18", "conv1"),
        ("resnet18", "layer2.0"),
        ("resnet50", "layer3"),
        ("densenet121", "features.denseblock3"),
        ("squeezenet1_1", "features.5"),
        ("inception_v3", "Mixed_6a"),
    ],
)
def test_maps_are_captums(name: str, layer: str | None) -> None:
    """Both classes' maps agree with captum's LayerGradCam to 1e-5 of the strongest cell."""
    attr = pytest.importorskip("captum.attr", reason="captum is not installed")
    cam = cam_of(name, layer)
    inputs = torch.randn(2, 1, INPUT_PX[name], INPUT_PX[name])
    theirs = attr.LayerGradCam(cam.module, cam.layer.module)
    for number in (0, 1):
        look = cam.look(inputs, number)
        for ours, rectified in ((look.maps, True), (look.signed, False)):
            expected = theirs.attribute(
                inputs.clone().requires_grad_(), target=number, relu_attributions=rectified
            )[:, 0].detach()
            assert look.signed.abs().max() > 0
            top = expected.abs().max().clamp_min(1e-12)
            torch.testing.assert_close(ours / top, expected / top, atol=1e-5, rtol=0)


def test_behind_a_mean_all_weights_are_alike() -> None:
    """The last stage of a net that averages has the same weights for every crop of a class."""
    weights = cam_of("compact").look(torch.randn(3, 1, 64, 64), 1).weights
    torch.testing.assert_close(weights, weights[:1].expand(3, -1))


def test_given_weights_make_the_map() -> None:
    """With weights of the class the map is their sum of maps, and nothing else changes."""
    cam, inputs = cam_of("compact", "block2"), torch.randn(2, 1, 64, 64)
    own = cam.look(inputs, 1)
    again = cam.look(inputs[:1], 1, own.weights[0])
    torch.testing.assert_close(again.signed, own.signed[:1])
    torch.testing.assert_close(again.scores, own.scores[:1])
    other = cam.look(inputs[1:], 1, own.weights[0])
    assert not torch.allclose(other.signed, own.signed[1:])


def test_no_patch_of_the_class_is_refused() -> None:
    """An average over nothing names the class."""
    with pytest.raises(SpecError, match=r"sick.*no patch of this class"):
        class_weights(cam_of("compact"), ArrayPixels({"a": MOVIE}), [], 1)


def test_looking_leaves_no_trace() -> None:
    """The net is as it was, no hook stays, and the caller's mode does not matter."""
    torch.manual_seed(0)
    module = CompactSpec().build().train()
    cam = Cam(Net(module, CLASSES, None, 70, 64))
    inputs = torch.randn(2, 1, 64, 64)
    plain = cam.look(inputs, 1)
    with torch.inference_mode():
        watched = cam.look(inputs + 0, 1)
        again = cam.look(inputs + 0, 1, plain.weights[0])
    torch.testing.assert_close(watched.signed, plain.signed)
    torch.testing.assert_close(again.signed[0], plain.signed[0])
    assert module.training
    assert not any(part._forward_hooks for part in cam.module.modules())
    assert not any(weight.grad is not None for weight in cam.module.parameters())
    assert not plain.signed.requires_grad


@pytest.mark.parametrize("how", ["patch", "background", "local", "local_background"])
def test_inputs_are_those_that_are_scored(how: str) -> None:
    """Scores of the inputs are the logits that the net gives the patches."""
    torch.manual_seed(0)
    net = Net(shaken(CompactSpec().build()), CLASSES, None, 72, 64, how=how)
    cam = Cam(net)
    edge = 72 + 2 * net.context_px
    grey = torch.from_numpy(MOVIE[0, :edge, :edge].astype(np.float32))[None, None]
    inputs = cam.inputs(grey)
    assert inputs.shape == (1, 1, 64, 64)
    logits = torch.stack([cam.look(inputs, number).scores for number in range(2)], dim=1)
    torch.testing.assert_close(logits, net.logits(grey), atol=1e-5, rtol=1e-5)


def study_cam(how: str = "background") -> tuple[Cam, list[Region], ArrayPixels]:
    torch.manual_seed(0)
    module = shaken(build(TINY))
    net = Net(module, CLASSES, None, TINY.input.patch_px, TINY.input.input_px, how=how)
    patches = list(RegionGrid(TINY.input.patch_px, 16).patches("a", 1, Box.of(0, 0, 150, 170)))
    return Cam(net, "block2"), patches, ArrayPixels({"a": MOVIE})


@pytest.mark.parametrize("how", ["background", "local"])
def test_patches_of_a_study(how: str) -> None:
    """Every patch comes with its map, its score, and the grey levels where the map lies."""
    cam, patches, source = study_cam(how)
    found = list(patch_maps(cam, source, patches, 1))
    assert [each.patch for each in found] == patches
    assert len(patches) > 32
    for each in found[:: len(found) // 4]:
        np.testing.assert_array_equal(each.grey, MOVIE[1][each.box.slices])
        grey = source.crop("a", 1, each.patch.box.widened(cam.net.context_px))
        look = cam.look(cam.inputs(torch.from_numpy(grey)[None]), 1)
        expected = cam.layer.enlarged(look.maps, TINY.input.input_px)[0].numpy()
        assert each.map.shape == each.box.shape == (TINY.input.input_px, TINY.input.input_px)
        np.testing.assert_allclose(each.map, expected, atol=1e-5)


def test_class_weights_of_a_study() -> None:
    """They are the mean of those of single crops, over several batches."""
    cam, patches, source = study_cam()
    crops = torch.stack([torch.from_numpy(source.crop("a", 1, each.box)) for each in patches])
    alone = torch.cat([cam.look(one[None], 1).weights for one in cam.inputs(crops)]).double()
    told: list[int] = []
    found = class_weights(cam, source, patches, 1, tick=lambda n=1, note="": told.append(n))
    torch.testing.assert_close(found, alone.mean(dim=0), atol=1e-7, rtol=1e-4)
    assert alone.std(dim=0).max() > 1e-2 * alone.abs().max()
    assert sum(told) == len(patches) > max(told)
    (whole,) = patch_maps(cam, source, patches[:1], 1, weights=found)
    assert np.isfinite(whole.map).all()


@pytest.mark.long
@pytest.mark.parametrize("name", ["compact", *AVERAGING])
def test_class_activation_maps_are_the_score(name: str) -> None:
    """CAM adds up to the class score but for the bias, and Grad-CAM there is CAM cut at zero."""
    cam = cam_of(name)
    inputs = torch.randn(2, 1, INPUT_PX[name], INPUT_PX[name])
    look, found = cam.look(inputs, 1), cam.activations(inputs, 1)
    assert cam.averages
    enlarged = cam.layer.enlarged(look.signed, INPUT_PX[name]).numpy()
    np.testing.assert_allclose(found, enlarged, atol=1e-5 * np.abs(enlarged).max())
    bias = cam.module.get_submodule([*dict(cam.module.named_children())][-1]).bias[1]
    torch.testing.assert_close(
        look.signed.sum(dim=(1, 2)) + bias, look.scores, rtol=1e-3, atol=1e-4
    )


def test_class_activation_maps_are_of_the_last_maps_whatever_is_looked_at() -> None:
    """Another layer for Grad-CAM changes the unit of CAM alone, to the area of that layer's cells;
    nets with hidden layers have none."""
    inputs = torch.randn(1, 1, 64, 64)
    last, first = (cam_of("compact", layer) for layer in (None, "block1"))
    share = (first.layer.stride_px / last.layer.stride_px) ** 2
    found = first.activations(inputs, 0)
    np.testing.assert_allclose(found, share * last.activations(inputs, 0), rtol=1e-5)
    deadnet = cam_of("deadnet")
    assert not deadnet.averages
    assert deadnet.activations(torch.randn(1, 1, 220, 220), 0) is None
