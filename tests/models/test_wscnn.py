"""Nets of whole frames: the paper's layers, sizes they take, and models of them as files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from livewell.errors import ModelFileError, SpecError
from livewell.inference.model import Model
from livewell.metrics.rules import ImageRule, RegionRule
from livewell.models.building import build
from livewell.models.files import NORMALISATIONS, Card, load_model, save_model
from livewell.models.nets.catalog import NETS
from livewell.models.nets.global_pooling import GlobalPool
from livewell.models.nets.layers import geometry
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import (
    SELDOM,
    MeanImage,
    WscnnSixSpec,
    WscnnSmallSpec,
    WscnnSpec,
    map_shape,
)
from livewell.models.profile import Profile, override
from livewell.models.recipes import TINY, WSCNN_2017, WSCNN_2017_CELLS, WSCNN_FAST

POOLS: tuple[GlobalPool, ...] = ("max", "average", "log_sum_exp", "noisy_or", "connected")
BODIES = ("wscnn4", "wscnn6", "wscnn_small", "wscnn_resnet18")
FRAME_PX = (72, 96)


def layers(body: nn.Sequential) -> list[tuple[object, ...]]:
    """A body in words: kind, widths, kernel, stride and padding of every layer."""
    words: list[tuple[object, ...]] = []
    for part in body:
        match part:
            case nn.Conv2d():
                size = (part.in_channels, part.out_channels, *part.kernel_size)
                words.append(("conv", *size, *part.stride, *part.padding))
            case nn.BatchNorm2d():
                words.append(("norm", part.num_features))
            case nn.MaxPool2d():
                words.append(("pool", part.kernel_size, part.stride))
            case _:
                words.append((type(part).__name__.lower(),))
    return words


def stage(before: int, width: int, kernel: int, padding: int) -> list[tuple[object, ...]]:
    conv = ("conv", before, width, kernel, kernel, 1, 1, padding, padding)
    return [conv, ("norm", width), ("relu",), ("pool", 2, 2)]


@pytest.mark.parametrize("kernel", [3, 7])
def test_the_papers_four_layers(kernel: int) -> None:
    """11 x 11 x 50, 3 x 3 (or 7 x 7) x 100, 5 x 5 x 100, 5 x 5 x 2; padding 1 on the last two."""
    assert layers(WscnnSpec(second_kernel=kernel).body()) == [
        *stage(1, 50, 11, 0),
        *stage(50, 100, kernel, 0),
        *stage(100, 100, 5, 1),
        ("conv", 100, 2, 5, 5, 1, 1, 1, 1),
    ]


def test_six_layers_have_two_more() -> None:
    """As the four, with two of 3 x 3 x 100 before the last, unpooled."""
    more = stage(100, 100, 3, 1)[:-1]
    four = layers(WscnnSpec().body())
    assert layers(WscnnSixSpec().body()) == [*four[:-1], *more, *more, four[-1]]


@pytest.mark.parametrize(
    ("body", "frame_px", "want"),
    [
        (WscnnSpec().body(), (210, 280), (21, 30)),
        (WscnnSpec(second_kernel=7).body(), (356, 462), (38, 52)),
        (WscnnSixSpec().body(), (210, 280), (21, 30)),
        (WscnnSixSpec(second_kernel=7).body(), (356, 462), (38, 52)),
        (WscnnSmallSpec().body(), (210, 280), (27, 35)),
    ],
)
def test_class_maps_of_the_papers_frames(
    body: nn.Sequential, frame_px: tuple[int, int], want: tuple[int, int]
) -> None:
    """210 x 280 px make maps of 21 x 30 places; what is said without computing is so."""
    assert map_shape(body, frame_px) == want
    assert {part.device.type for part in body.parameters()} == {"cpu"}
    with torch.no_grad():
        assert body.eval()(torch.zeros(1, 1, *frame_px)).shape == (1, 2, *want)


def test_parameters_are_as_written() -> None:
    """By hand: weights, biases, and two numbers a map for batch norm."""
    four = 50 * 11**2 + 50 + 100 + 50 * 100 * 3**2 + 300 + 100 * 100 * 5**2 + 300 + 2 * 100 * 25 + 2
    bodies = WscnnSpec().body(), WscnnSixSpec().body()
    counted = [sum(part.numel() for part in body.parameters()) for body in bodies]
    assert counted == [four, four + 2 * (100 * 100 * 9 + 300)]
    assert f"{four:,} parameters" in str(WscnnSpec.__doc__)


def test_strides_and_fields() -> None:
    """Stride 8; a place sees 70 px, 32 more with six layers, 57 px in the small body."""
    found = {name: NETS[name]().build(NetShape(frame_px=(210, 280))).body for name in BODIES}
    told = {name: geometry(body, [*body._modules][-1])[:2] for name, body in found.items()}
    assert told["wscnn4"] == (8, 70)
    assert told["wscnn6"] == (8, 70 + 32)
    assert told["wscnn_small"] == (8, 57)
    assert told["wscnn_resnet18"][0] == 32


def operations(body: nn.Sequential) -> int:
    """Multiplications of all convolutions for one 210 x 280 frame."""
    total = 0

    def count(part: nn.Module, _: object, out: Tensor) -> None:
        nonlocal total
        assert isinstance(part, nn.Conv2d)
        total += out[0, 0].numel() * part.weight.numel()

    for part in body.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(count)
    body.to("meta").eval()(torch.empty(1, 1, 210, 280, device="meta"))
    return total


def test_the_small_body_is_small() -> None:
    """It multiplies less than a quarter as often as the paper's."""
    assert operations(WscnnSmallSpec().body()) < operations(WscnnSpec().body()) / 4


def softmaxed(scores: Tensor) -> np.ndarray:
    """Probability of the positive class."""
    return torch.softmax(scores, dim=1)[:, 1].detach().numpy()


def test_noisy_or_begins_seldom() -> None:
    """Where all places are alike a new net says positive with a probability of one in a hundred."""
    net = WscnnSmallSpec(global_pool="noisy_or").build(NetShape(frame_px=FRAME_PX))
    last = net.body[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    said = softmaxed(net(torch.randn(2, 1, *FRAME_PX)))
    np.testing.assert_allclose(said, SELDOM, rtol=0.01)


@pytest.mark.parametrize(
    "init",
    [
        "default",
        "xavier_fan_in",
    ],
)
def test_noisy_or_begins_seldom_on_random_frames(init: str) -> None:
    """With random weights, in training, it is still a few in a hundred."""
    torch.manual_seed(0)
    settings = {"net": "wscnn4", "global_pool": "noisy_or", "narrowing": "0,0", "init": init}
    net = build(override(WSCNN_FAST, settings), FRAME_PX).train()
    said = softmaxed(net(torch.randn(4, 1, *FRAME_PX)))
    assert ((said > SELDOM / 5) & (said < SELDOM * 5)).all()


@pytest.mark.parametrize("frame_px", [(30, 200), (200, 30), (8, 8)])
@pytest.mark.parametrize("body", ["wscnn4", "wscnn6"])
def test_frames_too_small_are_refused(body: str, frame_px: tuple[int, int]) -> None:
    """Where nothing would be left of the maps, it says so with the size."""
    with pytest.raises(SpecError, match=f"too small.*{frame_px[0]} x {frame_px[1]} px"):
        NETS[body]().build(NetShape(frame_px=frame_px))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("pooling", POOLS[:4])
def test_other_sizes_are_taken(body: str, pooling: GlobalPool) -> None:
    """All but the connected head score frames of any size that is large enough."""
    net = NETS[body](global_pool=pooling).build(NetShape(frame_px=(64, 64), mean_image=True)).eval()
    for size in ((64, 64), (75, 131)):
        with torch.no_grad():
            scores = net(torch.randn(1, 1, *size))
        assert scores.shape == (1, 2)
        assert scores.isfinite().all()


def test_connected_refuses_another_size() -> None:
    """A fully connected head was made for one size, and says what to do about others."""
    net = WscnnSmallSpec(global_pool="connected").build(NetShape(frame_px=(64, 64))).eval()
    assert net(torch.zeros(1, 1, 64, 64)).shape == (1, 2)
    with pytest.raises(SpecError, match=r"another size.*64 cells.*global_pool=max"):
        net(torch.zeros(1, 1, 64, 128))


def test_the_mean_image_is_taken_off() -> None:
    """Frames of its size lose it pixel by pixel, others its mean grey level."""
    part = MeanImage((4, 6))
    x, y = torch.rand(2, 1, 4, 6), torch.rand(2, 1, 5, 6)
    assert torch.equal(part(x), x)
    picture = torch.arange(24.0).reshape(4, 6)
    part.mean.copy_(picture)
    torch.testing.assert_close(part(x), x - picture)
    torch.testing.assert_close(part(y), y - 11.5)
    assert [*part.state_dict()] == ["mean"]
    assert not list(part.parameters())


def test_the_mean_image_reaches_the_maps() -> None:
    """A net with one sees a frame less the mean; without one, the frame."""
    torch.manual_seed(0)
    net = WscnnSmallSpec().build(NetShape(frame_px=FRAME_PX, mean_image=True)).eval()
    picture, frame = torch.rand(1, 1, *FRAME_PX), torch.rand(1, 1, *FRAME_PX)
    before = net.maps(frame)
    net.get_buffer("mean.mean").copy_(picture)
    torch.testing.assert_close(net.maps(frame + picture), before)
    assert WscnnSmallSpec().build(NetShape(frame_px=FRAME_PX)).mean is None


def test_maps_move_with_the_frame() -> None:
    """A frame moved by one stride gives maps moved by one place, away from the edges."""
    torch.manual_seed(0)
    net = WscnnSpec().build(NetShape(frame_px=(112, 112))).eval()
    frame = torch.rand(1, 1, 128, 128)
    with torch.no_grad():
        one, other = net.maps(frame[..., :112, :112]), net.maps(frame[..., 8:120, 16:128])
    # zeros around the maps are felt by two places at every edge
    torch.testing.assert_close(one[..., 3:-2, 4:-2], other[..., 2:-3, 2:-4])


def test_maps_are_never_half_precision() -> None:
    """In mixed precision the maps and scores under a maximum are float32."""
    net = WscnnSmallSpec().build(NetShape(frame_px=FRAME_PX))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert net.maps(torch.rand(1, 1, *FRAME_PX)).dtype == torch.float32
        assert net(torch.rand(1, 1, *FRAME_PX)).dtype == torch.float32


@pytest.mark.parametrize(
    ("profile", "kernel", "mean"),
    [(WSCNN_2017, 3, True), (WSCNN_2017_CELLS, 7, True), (WSCNN_FAST, None, False)],
)
def test_nets_of_the_recipes(profile: Profile, kernel: int | None, mean: bool) -> None:
    """Each recipe's own body, and the mean image only where it normalises so."""
    net = build(profile, (210, 280))
    assert (net.mean is not None) == mean
    want = WscnnSmallSpec().body() if kernel is None else WscnnSpec(second_kernel=kernel).body()
    assert [*net.body.state_dict()] == [*want.state_dict()]
    shapes = [value.shape for value in want.state_dict().values()]
    assert [value.shape for value in net.body.state_dict().values()] == shapes


@pytest.mark.parametrize("net", BODIES)
def test_a_frame_size_is_needed(net: str) -> None:
    """A net of whole frames is not built without the size of the training frames."""
    with pytest.raises(SpecError, match=f"{net}: no frame size"):
        build(override(WSCNN_FAST, {"net": net}))


SAVED = [
    {"net": "wscnn_small"},
    {"net": "wscnn4", "normalise": "mean_image"},
    {"net": "wscnn_small", "global_pool": "connected", "narrowing": "0,0"},
]


def saved(folder: Path, settings: dict[str, object]) -> Net:
    """A model folder of a net with random weights, mean image and batch norms."""
    torch.manual_seed(1)
    profile = override(WSCNN_FAST, settings)
    net = Net(
        build(profile, FRAME_PX),
        ("no", "yes"),
        None,
        0,
        0,
        how=profile.input.normalise,
        frame_px=FRAME_PX,
    )
    net.module(torch.randn(4, 1, *FRAME_PX))
    for name, value in net.module.named_buffers():
        if name == "mean.mean":
            value.copy_(torch.rand(FRAME_PX))
    net.module.eval()
    card = Card(
        classes=("no", "yes"),
        channels=("",),
        pixel_um=None,
        frame_px=FRAME_PX,
        patch_px=0,
        input_px=0,
        stride_px=0,
        normalisation=NORMALISATIONS[profile.input.normalise],
        profile=profile,
        precision="float32",
        seed=1,
        data={},
        region_rule=RegionRule(1.0, 0.5),
        image_rule=ImageRule(1.0, 2.0, 0.0, 0.5, 0.3, 0.7, ("no", "yes"), "made up"),
        detection_rule=RegionRule(1.0, 0.6),
        versions={},
    )
    save_model(folder, net, card)
    return net


@pytest.mark.parametrize("settings", SAVED, ids=lambda s: "-".join(map(str, s.values())))
def test_models_of_frames_come_back(tmp_path: Path, settings: dict[str, object]) -> None:
    """Written and read: the same log odds, frame size and rules."""
    net = saved(tmp_path / "model", settings)
    loaded, card = load_model(tmp_path / "model")
    frames = torch.rand(3, 1, *FRAME_PX) + 5
    assert torch.equal(loaded.logits(frames), net.logits(frames))
    assert (loaded.frame_px, loaded.patch_px, loaded.turns) == (FRAME_PX, 0, False)
    assert card.detection_rule == RegionRule(1.0, 0.6)
    assert not loaded.module.training


def test_models_of_frames_are_refused_where_patches_are_judged(tmp_path: Path) -> None:
    """The same folder is refused, naming the command that takes it."""
    saved(tmp_path / "model", SAVED[0])
    with pytest.raises(ModelFileError, match=r"whole frames.*WSCNN_FAST.*`livewell localise`"):
        Model.load(tmp_path / "model").need_patches()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"test_time_augmentation": True}, "test_time_augmentation"),
        ({"padding": "valid"}, "padding"),
        ({"normalise": "local"}, "square of a patch"),
        ({"patch_px": 64, "input_px": 56}, "patch_px, input_px"),
        ({"second_kernel": 5}, "second_kernel"),
        ({"global_pool": "average"}, "is for global_pool 'max': also give narrowing=0,0"),
        ({"narrowing": "0.2,1.1"}, "narrowing=0.2,1.1: must be less than or equal to 1"),
        ({"narrowing": "0.8,0.2"}, "narrowing=0.8,0.2: has low > high"),
        ({"narrowing": "-0.1,0.2"}, "narrowing=-0.1,0.2: must be greater than or equal to 0"),
        ({"widest": 0}, "widest"),
        ({"net": "compact"}, "above 0"),
    ],
)
def test_settings_that_contradict_are_refused(settings: dict[str, object], told: str) -> None:
    """What a net of whole frames cannot do is refused with its setting."""
    with pytest.raises(SpecError, match=told):
        override(WSCNN_FAST, settings)


def test_another_pooling_is_had_as_the_refusal_says() -> None:
    """With narrowing=0,0, as typed or as numbers, `WSCNN_FAST` takes another pooling than max."""
    for none in ("0,0", (0, 0)):
        made = override(WSCNN_FAST, {"global_pool": "average", "narrowing": none})
        assert (made.net.global_pool, made.net.narrowing) == ("average", (0, 0))


@pytest.mark.parametrize(
    "settings", [{"global_pool": "average"}, {"second_kernel": 7}, {"normalise": "mean_image"}]
)
def test_nets_of_patches_take_no_settings_of_frames(settings: dict[str, object]) -> None:
    """Poolings, kernels and the mean image are refused for nets of patches."""
    with pytest.raises(SpecError, match=r"(for net|for) '?wscnn.* only"):
        override(TINY, settings)
