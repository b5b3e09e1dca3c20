"""Nets of any number of channels and classes; for one and two they are what they were."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import resnet18 as colour_resnet18

from livewell.errors import SpecError
from livewell.models.building import build
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.global_pooling import GlobalPool, GlobalPooling
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import MeanImage, WeaklySupervised
from livewell.models.profile import Profile, override
from livewell.models.recipes import (
    DEADNET_2017,
    DEADNET_2017_PUBLISHED,
    FAST,
    FAST_FIELDS,
    STAIN_UNET,
    TINY,
    WSCNN_2017,
    WSCNN_FAST,
)

FRAME_PX = (72, 96)
POOLS: tuple[GlobalPool, ...] = ("max", "average", "log_sum_exp", "connected")
PROFILES = [
    DEADNET_2017,
    DEADNET_2017_PUBLISHED,
    FAST,
    FAST_FIELDS,
    STAIN_UNET,
    override(TINY, {"net": "resnet18"}),
    WSCNN_2017,
    override(WSCNN_2017, {"net": "wscnn6"}),
    WSCNN_FAST,
    override(WSCNN_FAST, {"net": "wscnn_resnet18"}),
]


def named(profile: Profile) -> str:
    return f"{profile.name}-{profile.net.kind}"


def seen(profile: Profile) -> tuple[int, int]:
    """Height and width of what a net of `profile` sees."""
    return FRAME_PX if profile.sees_frames else (profile.seen_px, profile.seen_px)


def layers(profile: Profile, channels: int, classes: int) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build(profile, FRAME_PX, channels, classes).state_dict()


@pytest.mark.parametrize("profile", PROFILES, ids=named)
def test_three_channels_in_and_three_classes_out(profile: Profile) -> None:
    """Every net takes three channels and gives three scores, with a gradient for each channel."""
    torch.manual_seed(0)
    net = build(profile, FRAME_PX, channels=3, classes=3)
    inputs = torch.randn(2, 3, *seen(profile), requires_grad=True)
    scores = net(inputs)
    assert scores.shape == (2, 3)
    scores[:, 2].sum().backward()
    assert inputs.grad is not None
    assert (inputs.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize("profile", PROFILES, ids=named)
def test_only_the_first_and_last_layers_grow(profile: Profile) -> None:
    """Another number of channels and classes leaves the shapes of all layers between."""
    one, many = layers(profile, 1, 2), layers(profile, 4, 5)
    assert one.keys() == many.keys()
    other = [name for name in one if one[name].shape != many[name].shape]
    weights = [name for name in other if one[name].ndim > 1 and "mean" not in name]
    assert one[weights[0]].shape[1:2] == (1,)
    assert many[weights[0]].shape[1:2] == (4,)
    assert many[weights[-1]].shape[0] == 5
    assert len(weights) == 2


DIGESTS = {
    "FAST": "f5f1354d3195dc70",
    "WSCNN_FAST": "938d7fc329a1ff1b",
    "WSCNN_2017": "9077dc29c93b154a",
}
"""By profile: all initial tensors of version 0.1, names and bytes, with seed 5."""


def test_initial_weights_are_those_of_before() -> None:
    """With a seed, one channel and two classes, a net begins with the weights it always began with.

    Digests of every tensor's name and bytes, as version 0.1 made them.
    """
    made = {}
    for profile in (FAST, WSCNN_FAST, WSCNN_2017):
        torch.manual_seed(5)
        digest = hashlib.sha256()
        for name, value in build(profile, (90, 120)).state_dict().items():
            digest.update(name.encode() + value.numpy().tobytes())
        made[profile.name] = digest.hexdigest()[:16]
    assert made == DIGESTS


def test_published_colours_are_kept_or_shared_out(tmp_path: Path) -> None:
    """Three channels take red, green and blue; of any number, equal ones see what grey saw."""
    torch.manual_seed(4)
    state = colour_resnet18(weights=None).state_dict()
    path = str(tmp_path / "backbone.safetensors")
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    first = {c: BackboneSpec(weights=path).build(NetShape(c)).conv1 for c in (1, 2, 3, 5)}
    assert torch.equal(first[3].weight, state["conv1.weight"])
    grey = torch.randn(2, 1, 32, 32)
    for channels, layer in first.items():
        found = layer(grey.expand(-1, channels, -1, -1))
        torch.testing.assert_close(found, first[1](grey), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_poolings_take_any_number_of_maps(kind: GlobalPool, classes: int) -> None:
    """(n, K, rows, columns) becomes (n, K), and each class's score is of its own map."""
    torch.manual_seed(0)
    head, maps = GlobalPooling(kind, 12, classes=classes).eval(), torch.randn(4, classes, 3, 4)
    scores = head(maps)
    assert scores.shape == (4, classes)
    if kind != "connected":
        alone = torch.cat([head(maps[:, k : k + 1]) for k in range(classes)], dim=1)
        torch.testing.assert_close(scores, alone)


def test_noisy_or_and_odds_are_of_two_classes() -> None:
    """Noisy-or and the log odds of places are refused for three classes, with what to do."""
    profile = override(WSCNN_FAST, {"global_pool": "noisy_or", "narrowing": "0,0"})
    with pytest.raises(SpecError, match=r"two classes.*3.*global_pool=max"):
        build(profile, FRAME_PX, classes=3)
    with pytest.raises(SpecError, match=r"two classes.*3"):
        GlobalPooling("max").odds(torch.zeros(1, 3, 2, 2))


@pytest.mark.parametrize(("channels", "classes"), [(0, 2), (1, 1)])
def test_a_net_of_nothing_is_refused(channels: int, classes: int) -> None:
    """No channel or a single class is told with what came."""
    with pytest.raises(SpecError, match=f"{channels} channels and {classes} classes"):
        build(TINY, channels=channels, classes=classes)


def test_a_mean_image_a_channel() -> None:
    """Frames lose the mean image channel by channel; of another size, each channel its mean."""
    part, picture = MeanImage((4, 6), 3), torch.rand(1, 3, 4, 6)
    part.mean.copy_(picture)
    x, y = torch.rand(2, 3, 4, 6), torch.rand(2, 3, 5, 6)
    torch.testing.assert_close(part(x), x - picture)
    torch.testing.assert_close(part(y), y - picture.mean((2, 3), keepdim=True))
    net = build(WSCNN_2017, FRAME_PX, channels=3)
    assert isinstance(net, WeaklySupervised)
    assert net.mean is not None
    assert net.mean.mean.shape == (1, 3, *FRAME_PX)


def test_a_net_learns_from_each_channel() -> None:
    """What stands in the second channel alone can be learnt."""
    torch.manual_seed(0)
    net = build(override(TINY, {"dropout": 0}), channels=2, classes=3).train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.01)
    target = torch.arange(12) % 3
    inputs = torch.randn(12, 2, 32, 32)
    inputs[:, 1] += 2 * (target[:, None, None] - 1)
    for _ in range(30):
        loss = nn.functional.cross_entropy(net(inputs), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    np.testing.assert_array_equal(net(inputs).argmax(1).numpy(), target.numpy())
