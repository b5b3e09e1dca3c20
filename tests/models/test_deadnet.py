"""DeadNet as in the paper's Table 1."""

import pytest
import torch
from torch import nn

from livewell.models.building import build
from livewell.models.nets.deadnet import DeadNetSpec, xavier_fan_in
from livewell.models.profile import Profile
from livewell.models.recipes import DEADNET_2017, DEADNET_2017_PUBLISHED

TABLE_1 = [
    ("relu1_1", (16, 212, 212)),
    ("pool1", (16, 106, 106)),
    ("relu2_1", (32, 106, 106)),
    ("pool2", (32, 53, 53)),
    ("relu3_1", (64, 53, 53)),
    ("pool3", (64, 26, 26)),
    ("relu4_2", (128, 26, 26)),
    ("pool4", (128, 13, 13)),
    ("dropout1", (512,)),
    ("dropout2", (512,)),
    ("score", (2,)),
]


def sizes(net: nn.Sequential) -> dict[str, tuple[int, ...]]:
    """What every named layer gives for one input of 220 px."""
    found, x = {}, torch.zeros(1, 1, 220, 220)
    with torch.inference_mode():
        for name, layer in net.eval().named_children():
            x = layer(x)
            found[name] = tuple(x.shape[1:])
    return found


@pytest.mark.parametrize(("layer", "size"), TABLE_1)
def test_sizes_are_those_of_table_1(layer: str, size: tuple[int, ...]) -> None:
    """220 px become 212, 106, 53, 26, 13 px and two scores, layer by layer."""
    assert sizes(DeadNetSpec().build())[layer] == size


def test_kernels_and_what_follows_a_convolution() -> None:
    """The first kernel is 9 unpadded, the others 3 padded; batch norm, then ReLU, after each."""
    layers = list(DeadNetSpec().build().named_children())
    names = [name for name, _ in layers]
    convolutions = [name for name in names if name.startswith("conv")]
    assert convolutions == [f"conv{block}_{step}" for block in (1, 2, 3, 4) for step in (1, 2)]
    for name in convolutions:
        place = names.index(name)
        layer, norm, relu = (module for _, module in layers[place : place + 3])
        first = name == "conv1_1"
        assert (layer.kernel_size, layer.padding) == (
            ((9, 9), (0, 0)) if first else ((3, 3), (1, 1))
        )
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.affine
        assert norm.momentum == pytest.approx(1 - 0.95)
        assert isinstance(relu, nn.ReLU)
    assert [layer.p for _, layer in layers if isinstance(layer, nn.Dropout)] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        ({}, 11_637_170),
        ({"fc_batch_norm": False}, 11_635_122),
        ({"fc_batch_norm": False, "pooling": "ceil"}, 13_404_594),
    ],
)
def test_numbers_of_parameters(settings: dict[str, object], number: int) -> None:
    """As the text says, without batch norm on fc layers, and as published."""
    assert sum(part.numel() for part in DeadNetSpec(**settings).build().parameters()) == number


@pytest.mark.parametrize(
    ("recipe", "number"), [(DEADNET_2017, 11_637_170), (DEADNET_2017_PUBLISHED, 13_404_594)]
)
def test_recipes_build_the_nets_they_name(recipe: Profile, number: int) -> None:
    """The paper's recipe and that of its published files differ in layers and pooling."""
    net = build(recipe)
    assert sum(part.numel() for part in net.parameters()) == number
    assert net.eval()(torch.zeros(1, 1, recipe.input.input_px, recipe.input.input_px)).shape == (
        1,
        2,
    )


def test_caffes_pooling_rounds_up() -> None:
    """As published the maps are 27 and 14 px."""
    found = sizes(DeadNetSpec(pooling="ceil", fc_batch_norm=False).build())
    assert (found["pool3"], found["pool4"]) == ((64, 27, 27), (128, 14, 14))
    assert found["score"] == (2,)


def test_xavier_scales_by_fan_in() -> None:
    """Weights fill the range within sqrt(3 / fan-in) evenly, and biases are zero."""
    torch.manual_seed(0)
    net = build(DEADNET_2017)
    for name, part in net.named_modules():
        if not isinstance(part, nn.Conv2d | nn.Linear):
            continue
        inputs = part.in_channels * part.kernel_size[0] ** 2 if "conv" in name else part.in_features
        bound = (3 / inputs) ** 0.5
        assert part.weight.abs().max() <= bound
        if part.weight.numel() > 1000:
            assert part.weight.abs().max() > 0.98 * bound
            assert part.weight.std().item() == pytest.approx(inputs**-0.5, rel=0.06)
        assert not part.bias.any()


def test_xavier_leaves_batch_norm_alone() -> None:
    """Scales of batch norm stay one."""
    net = DeadNetSpec().build()
    xavier_fan_in(net)
    assert (net.bn1_1.weight == 1).all()


def test_seeds_decide_the_weights() -> None:
    """The same seed builds the same net, another seed another."""
    nets = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        nets.append(build(DEADNET_2017).score.weight)
    assert torch.equal(nets[0], nets[1])
    assert not torch.equal(nets[0], nets[2])
