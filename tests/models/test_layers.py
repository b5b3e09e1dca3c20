"""Layers by name, and where their cells lie over the pixels."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from livewell.errors import SpecError
from livewell.models.nets.backbones import BackboneSpec
from livewell.models.nets.compact import CompactSpec
from livewell.models.nets.deadnet import DeadNetSpec
from livewell.models.nets.layers import class_number, frozen, layer, names

BUILDERS = {"deadnet": DeadNetSpec, "compact": CompactSpec, "resnet18": BackboneSpec}
EDGES_PX = {
    "same": {"deadnet": 220, "compact": 112, "resnet18": 224},
    "valid": {"deadnet": 220, "compact": 217, "resnet18": 627},
}


def thin(module: nn.Module, kernel) -> nn.Module:
    """A copy of one map a layer, whose convolutions are all of the kernel of that edge."""
    module = copy.deepcopy(module).eval().double()
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = kernel(part.kernel_size[0])[None, None]
            part.bias = None
        elif isinstance(part, nn.BatchNorm2d):
            one = torch.ones(1, dtype=torch.float64)
            part.weight.data, part.bias.data = one, 0 * one
            part.running_mean, part.running_var = 0 * one, one
    return module


def flat(edge: int) -> torch.Tensor:
    """The mean of a square."""
    return torch.full((edge, edge), 1 / edge**2, dtype=torch.float64)


def bell(edge: int) -> torch.Tensor:
    """A binomial blur: a spot stays a spot."""
    row = torch.ones(1, dtype=torch.float64)
    for _ in range(edge - 1):
        row = functional.pad(row, (1, 0)) + functional.pad(row, (0, 1))
    return torch.outer(row, row) / row.sum() ** 2


def averaging(module: nn.Module) -> nn.Module:
    """`module` with averages for maxima, through which every pixel has a gradient."""
    for parent in list(module.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                size, step = int(child.kernel_size), int(child.stride)
                setattr(parent, key, nn.AvgPool2d(size, step, int(child.padding)))
    return module


def output(module: nn.Module, path: str, pictures: torch.Tensor) -> torch.Tensor:
    """What the part `path` gives, whether or not the head fits the picture."""
    kept = []
    hook = module.get_submodule(path).register_forward_hook(lambda *told: kept.append(told[2]))
    try:
        module(pictures)
    except RuntimeError:  # the head of a net of one map a layer does not fit it
        assert kept
    finally:
        hook.remove()
    return kept[0]


def test_the_default_is_the_last_convolution() -> None:
    """DeadNet's is conv4_2, rectified, of 26 x 26 cells as in Table 1; else the last stage."""
    chosen = {name: layer(spec().build()) for name, spec in BUILDERS.items()}
    assert {name: (each.name, each.path) for name, each in chosen.items()} == {
        "deadnet": ("conv4_2", "relu4_2"),
        "compact": ("block3", "5"),
        "resnet18": ("layer4", "layer4"),
    }
    assert isinstance(chosen["deadnet"].module, nn.ReLU)
    assert {name: each.margin_px for name, each in chosen.items()} == {
        "deadnet": 4,
        "compact": 8,
        "resnet18": 16,
    }
    maps = output(DeadNetSpec().build().eval(), "relu4_2", torch.zeros(1, 1, 220, 220))
    assert maps.shape == (1, 128, 26, 26)


@pytest.mark.parametrize("name", ["conv2_1", "relu2_1"])
def test_layers_are_named_as_in_the_table_or_in_the_module(name: str) -> None:
    """Both names lead to the map after batch norm and rectification."""
    module = DeadNetSpec().build()
    found = layer(module, name)
    assert found.module is module.relu2_1
    assert (found.name, found.path) == (name, "relu2_1")


def test_every_layer_can_be_asked_for() -> None:
    """Twenty names of DeadNet, and all of the others' stages."""
    assert len(names(DeadNetSpec().build())) == 20
    assert list(names(CompactSpec().build())) == ["2", "block1", "3", "block2", "4", "block3", "5"]
    known = set(names(BackboneSpec().build()))
    assert known >= {"conv1", "maxpool", "layer1.0", "layer3.1", "layer4"}


@pytest.mark.parametrize(
    ("name", "near"), [("conv4_3", "did you mean conv4_2"), ("fc1", "the usual one")]
)
def test_an_unknown_layer_is_refused(name: str, near: str) -> None:
    """The text names the near one and those there are."""
    with pytest.raises(SpecError, match=rf"conv1_1, .*pool4.*{name}.*{near}"):
        layer(DeadNetSpec().build(), name)


def test_classes_by_name() -> None:
    """The number is that of the output; an unknown class is refused with those there are."""
    assert class_number(("healthy", "sick"), "sick") == 1
    with pytest.raises(SpecError, match=r"healthy or sick.*sik.*did you mean sick"):
        class_number(("healthy", "sick"), "sik")


def test_a_frozen_copy_leaves_the_net_alone() -> None:
    """The copy asks for no gradient and is in evaluation mode; the net is as it was."""
    module = DeadNetSpec().build().train()
    copied = frozen(module)
    assert not any(weight.requires_grad for weight in copied.parameters())
    assert not copied.training
    assert module.training
    assert all(weight.requires_grad for weight in module.parameters())


ASIDE = {
    ("compact", "same"): {"3": -0.75, "4": -2.25, "5": -5.25},
    ("compact", "valid"): {"3": 0.75, "4": 2.25, "5": 5.25},
    ("resnet18", "valid"): {"layer2": 3, "layer3": 9, "layer4": 21},
}
"""How far the middle of a field lies from where the blocks' two ways together look, pixels."""


@pytest.mark.long
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", BUILDERS)
def test_cells_see_what_gradients_see(name: str, padding: str) -> None:
    """Field, stride and centre of two cells of every layer are those of the gradient."""
    module = BUILDERS[name](padding=padding).build()
    probe = averaging(thin(module, flat))
    # the columns are looked at; there are as many rows as the maps need
    rows, more = {"deadnet": (90, 80), "compact": (96, 160), "resnet18": (440, 560)}[name]
    picture = torch.ones(1, 1, rows, rows + more, dtype=torch.float64, requires_grad=True)
    for each in dict.fromkeys(names(module).values()):
        found = layer(module, each)
        maps = output(probe, each, picture)
        cell = maps.shape[-1] // 2
        (first, edge), (second, _) = (seen(maps, at, picture) for at in (cell, cell + 1))
        assert edge == found.field_px, each
        assert second - first == found.stride_px, each
        aside = ASIDE.get((name, padding), {}).get(each.split(".")[0], 0)
        at = first + (edge - 1) / 2 - cell * found.stride_px
        assert at == pytest.approx(found.first_px + aside), each


def seen(maps: torch.Tensor, cell: int, picture: torch.Tensor) -> tuple[int, int]:
    """First column and number of columns that a cell of the first row sees."""
    (gradient,) = torch.autograd.grad(maps[0, :, 0, cell].sum(), picture, retain_graph=True)
    columns = torch.nonzero(gradient[0, 0].abs().sum(dim=0)).flatten()
    return columns[0].item(), len(columns)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", BUILDERS)
def test_a_spot_is_found_where_it_is(name: str, padding: str) -> None:
    """The enlarged map peaks within half a stride of a spot, on average over places on it."""
    module = BUILDERS[name](padding=padding).build()
    edge = EDGES_PX[padding][name]
    probe, found = thin(module, bell), layer(module)
    step = found.stride_px
    places = torch.arange(edge // 2 - step // 2, edge // 2 + step // 2, max(step // 8, 1))
    y, x = torch.arange(edge)[:, None], torch.arange(edge)
    pictures = torch.stack(
        [
            torch.exp(-((y - at) ** 2 + (x - edge + 1 + at) ** 2) / (2 * (step / 3) ** 2))
            for at in places.double()
        ]
    )
    with torch.inference_mode():
        maps = output(probe, found.path, pictures[:, None]).mean(dim=1)
        enlarged = found.enlarged(maps, edge)
    assert enlarged.shape == (len(places), edge, edge)
    peaks = torch.stack([torch.stack(torch.where(m == m.max())).double().mean(1) for m in enlarged])
    off = peaks - torch.stack([places, edge - 1 - places], dim=1)
    assert off.abs().max() <= step / 2 + 0.5
    assert off.mean(dim=0).abs().max() <= step / 8


def test_enlarging_by_hand() -> None:
    """Between two cells the map is a straight line, at their centres it is theirs, beyond flat."""
    module = nn.Sequential(nn.Conv2d(1, 1, 3, stride=4), nn.ReLU())
    found = layer(module)
    assert (found.stride_px, found.field_px, found.first_px) == (4, 3, 1.0)
    (line,) = found.enlarged(torch.tensor([[[0.0, 4.0], [0.0, 4.0]]]), 8)[:, 0]
    assert line.tolist() == [0, 0, 1, 2, 3, 4, 4, 4]
