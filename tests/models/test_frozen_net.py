"""A fixed backbone over the whole field: its maps' geometry, and logits as a function of place."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn import functional

from livewell.classes import ClassNames
from livewell.geometry import Box, WindowGrid
from livewell.inference.fields import Fields
from livewell.inference.windows import View
from livewell.models.building import build, net_of
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.lite0 import EPSILON, LAYERS, STEM, Lite0, folded, own_tensors
from livewell.models.nets.net import Net
from livewell.models.pretrained import LITE0, fill
from livewell.models.profile import Profile, override
from livewell.models.recipes import FROZEN
from livewell.training import features
from livewell.training.features import FieldReader

LIGHT = {"weights": "", "blocks": "1,4", "zooms": "0.5,1", "radii_px": "0,6,12"}
CLASSES = ClassNames(("live", "dead", "other"), None)
READS = ("patch", "centre")


def made(recipe: Profile, channels: int = 1) -> Net:
    """A net of random backbone and head."""
    torch.manual_seed(0)
    module = build(recipe, channels=channels, classes=3)
    assert isinstance(module, FrozenNet)
    module.weight.copy_(torch.randn(module.weight.shape))
    module.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    if recipe.settings()["hidden"]:
        module.last_weight.normal_()
    return net_of(module, recipe, CLASSES, 0.31)


KINDS = ({"reads": "patch"}, {"reads": "centre"}, {"reads": "patch", "hidden": "3"})


@pytest.fixture(scope="module", params=KINDS)
def net(request: pytest.FixtureRequest) -> Net:
    """A net of one channel: it reads whole patches or centres, and may have a hidden layer."""
    return made(override(FROZEN, LIGHT | request.param))


@pytest.fixture(scope="module")
def field() -> np.ndarray:
    """Smooth grey levels, (1, 300, 420)."""
    rng = np.random.default_rng(1)
    rough = torch.from_numpy(rng.uniform(500, 1500, (1, 1, 60, 84)))
    smooth = functional.interpolate(rough, size=(300, 420), mode="bicubic")
    return smooth[0].numpy().astype(np.float32)


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer.block in (0, 2, 4, 5, 8)])
def test_a_cell_sees_the_square_that_its_layer_declares(layer: object) -> None:
    """What a cell depends on is as wide as the layer's field, and lies around its centre."""
    block, stride, width = layer.block, layer.stride_px, layer.field_px  # type: ignore[attr-defined]
    torch.manual_seed(0)
    backbone = Lite0(1, block + 1).double()
    edge = -(-(2 * width) // 32) * 32
    x = torch.rand(1, 1, edge, edge, dtype=torch.float64, requires_grad=True)
    (maps,) = backbone(x, [block])
    assert maps.shape[-2:] == (edge // stride, edge // stride)
    cell = edge // stride // 2
    (slope,) = torch.autograd.grad(maps[0, :, cell, cell].sum(), x)
    rows = torch.nonzero(slope[0, 0].abs().sum(dim=1))
    low, high = int(rows.min()), int(rows.max()) + 1
    assert high - low == width
    assert (low + high) / 2 == layer.first_px + stride * cell  # type: ignore[attr-defined]


def test_batch_norms_are_folded_without_loss() -> None:
    """The first maps are those of a convolution, its batch norm and the ReLU up to 6."""
    torch.manual_seed(0)
    names = {"weight": torch.rand(STEM), "bias": torch.randn(STEM)}
    names |= {"running_mean": torch.randn(STEM), "running_var": torch.rand(STEM) + 0.1}
    state = {f"_bn0.{name}": value for name, value in names.items()}
    state["_conv_stem.weight"] = torch.randn(STEM, 3, 3, 3)
    net = Lite0(3, 0)
    net.load_state_dict(folded(state))
    x = torch.randn(1, 3, 32, 32)
    plain = functional.conv2d(functional.pad(x, (0, 1, 0, 1)), state["_conv_stem.weight"], stride=2)
    mean, var = names["running_mean"], names["running_var"]
    normed = functional.batch_norm(plain, mean, var, names["weight"], names["bias"], eps=EPSILON)
    torch.testing.assert_close(net.stem(x), functional.relu6(normed), atol=1e-4, rtol=1e-4)


@pytest.mark.long
def test_few_places_and_many_have_the_same_logits(net: Net, field: np.ndarray) -> None:
    """Whether features or whole maps are weighted first does not matter."""
    module = net.module
    assert isinstance(module, FrozenNet)
    places = np.random.default_rng(2).uniform((0, 0), field.shape[1:], (3000, 2))
    many = FieldReader(net).places(field, places, module.logits)
    few = FieldReader(net).places(field, places[:20], module.logits)
    assert many.std() > 0.1
    torch.testing.assert_close(many[:20], few, atol=1e-3, rtol=1e-3)
    by_hand = FieldReader(net).places(field, places[:20], module.embedded) @ module.weight.T
    by_hand = by_hand + module.bias
    if module.spec.hidden:
        by_hand = by_hand.relu() @ module.last_weight.T + module.last_bias
    torch.testing.assert_close(few, by_hand, atol=1e-3, rtol=1e-3)


@pytest.mark.long
def test_it_does_not_matter_in_which_part_of_a_large_field_a_place_is(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen part by part with margins, a field has the logits that it has in one piece."""
    rough = np.random.default_rng(3).uniform(500, 1500, (1, 620, 700)).astype(np.float32)
    module = net.module
    assert isinstance(module, FrozenNet)
    places = np.random.default_rng(4).uniform((0, 0), rough.shape[1:], (200, 2))
    whole = FieldReader(net).places(rough, places, module.logits)
    monkeypatch.setattr(features, "PART_PX", 128)
    parts = FieldReader(net).places(rough, places, module.logits)
    assert whole.std() > 0.1
    torch.testing.assert_close(parts, whole, atol=2e-2, rtol=1e-2)


@pytest.mark.long
@settings(max_examples=10, deadline=None)
@given(y=st.integers(-40, 250), x=st.integers(-40, 350), size=st.integers(1, 120))
def test_a_region_and_the_cell_of_a_map_at_its_centre_agree(
    net: Net, field: np.ndarray, y: int, x: int, size: int
) -> None:
    """Wherever a box lies, also beyond the frame, its logits are those of the place."""
    box, area = Box.of(y, x, y + size, x + size), Box.of(0, 0, 300, 420)
    engine = Fields(net)
    grid = WindowGrid.over(area, 64, 32)
    cell = grid.box(2, 3)
    view = View(field, area, np.ones(grid.shape, dtype=bool))
    found = engine.scored(view, grid)
    np.testing.assert_allclose(found[:, 2, 3], engine.boxes(field, area, [cell])[0], atol=1e-3)
    other = Box.of(y - 8, x - 8, y + size + 8, x + size + 8)
    both = engine.boxes(field, area, [box, other])
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_a_patch_is_the_mean_of_its_cells(field: np.ndarray) -> None:
    """A net that reads whole patches has, at a cell, the mean features of the cells around it."""
    one = {"weights": "", "blocks": "2", "zooms": "1", "radii_px": "6", "patch_px": 60}
    whole, alone = (
        made(override(FROZEN, one | {"input_px": 60, "reads": reads})) for reads in READS
    )
    layer = LAYERS[2]
    cells = np.stack(np.meshgrid(np.arange(20, 35), np.arange(30, 45), indexing="ij"), -1)
    places = layer.first_px + layer.stride_px * cells.reshape(-1, 2).astype(float)
    features = [
        FieldReader(net).places(field, of, net.module.embedded)  # type: ignore[operator]
        for net, of in ((whole, places[112:113]), (alone, places))
    ]
    torch.testing.assert_close(features[0][0], features[1].mean(dim=0), atol=1e-5, rtol=1e-4)
    assert float(features[1].std(dim=0).max()) > 0.005


def test_exposure_does_not_matter(net: Net, field: np.ndarray) -> None:
    """Twice as much light is the same contrast, so the same logits."""
    area, boxes = Box.of(0, 0, 300, 420), [Box.of(50, 60, 162, 172)]
    engine = Fields(net)
    once, twice = (engine.boxes(field * factor, area, boxes) for factor in (1, 2))
    np.testing.assert_allclose(once, twice, atol=1e-3)


def test_channels_take_equal_shares_of_the_first_weights(tmp_path: Path) -> None:
    """Of equal channels one, two and three give the same maps."""
    torch.manual_seed(0)
    state = {"_conv_stem.weight": Lite0(3, 1).stem[1].weight.detach()}
    state |= {f"_bn0.{name}": torch.ones(STEM) for name in ("weight", "running_var")}
    state |= {f"_bn0.{name}": torch.zeros(STEM) for name in ("bias", "running_mean")}
    save_file(state, tmp_path / "stem.safetensors")
    x = torch.randn(1, 1, 32, 32)
    found = []
    for channels in (1, 2, 3):
        net = Lite0(channels, 0)
        fill(net, LITE0, str(tmp_path / "stem.safetensors"), (), own_tensors)
        found.append(net.stem(x.repeat(1, channels, 1, 1)))
    torch.testing.assert_close(found[0], found[1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[0], found[2], atol=1e-4, rtol=1e-4)
