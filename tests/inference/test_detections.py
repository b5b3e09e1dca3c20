"""Places of a net of whole frames lie on what it sees, with the score that it gives."""

from typing import Any

import numpy as np
import pytest
import torch
from blobs import FRAME_PX, detector, drawn_apart, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import nn

from livewell.errors import SpecError
from livewell.geometry import Box
from livewell.inference.detections import Detections, Finder, Look
from livewell.metrics.rules import log_odds
from livewell.models.nets.catalog import NETS
from livewell.models.nets.global_pooling import GlobalPool
from livewell.models.nets.layers import geometry
from livewell.models.nets.net import Net
from livewell.models.nets.spec import NetShape
from livewell.models.nets.wscnn import WeaklySupervised, WscnnSmallSpec

SPOTS = [(20.3, 71.8), (44.9, 30.2), (70.5, 60.0)]


def seen(net: Net, frame: np.ndarray, **look: Any) -> Detections:
    """Places of one frame, all cells listed that are higher than their neighbours."""
    (found,) = Finder(net, Look(**{"apart": 1} | look))(torch.from_numpy(frame)[None, None])
    return found


def random_net(body: str, size: tuple[int, int], how: str = "patch") -> Net:
    """A net of random weights whose batch norms have seen noise."""
    torch.manual_seed(0)
    module = NETS[body]().build(NetShape(frame_px=size))
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            # blocks begin as their shortcut, with a last scale of zero
            nn.init.uniform_(part.weight, 0.5, 1.5)
    with torch.no_grad():
        module.train()(torch.randn(4, 1, *size))
    return Net(module.eval(), ("no", "yes"), None, 0, 0, how=how, frame_px=size)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 6))
@settings(max_examples=25)
def test_places_lie_on_blobs(seed: int, count: int) -> None:
    """Each planted blob has one place, within 1 px, and there is no other."""
    spots = drawn_apart(np.random.default_rng(seed), FRAME_PX, count)
    found = seen(detector(), scene(FRAME_PX, spots, seed))
    assert len(found.y) == len(spots)
    for y, x in spots:
        assert np.hypot(found.y - y, found.x - x).min() < 1


def test_places_are_not_off_by_half_a_pixel() -> None:
    """On average over many blobs, places lie where the blobs' middles are."""
    apart = []
    for seed in range(12):
        spots = drawn_apart(np.random.default_rng(seed), FRAME_PX, 6)
        found = seen(detector(), scene(FRAME_PX, spots, seed))
        for y, x in spots:
            nearest = np.hypot(found.y - y, found.x - x).argmin()
            apart.append((found.y[nearest] - y, found.x[nearest] - x))
    assert np.abs(np.mean(apart, axis=0)).max() < 0.15


def test_what_is_told_of_places_fits_together() -> None:
    """Scores fall, labels count them, boxes are tight and hold them, all inside the frame."""
    found = seen(detector(), scene(FRAME_PX, SPOTS))
    assert (np.diff(found.score) <= 0).all()
    assert found.saliency.shape == found.labels.shape == FRAME_PX
    assert found.saliency.min() >= 0
    assert set(np.unique(found.labels)) == {0, 1, 2, 3}
    for number, (y, x) in enumerate(zip(found.y, found.x, strict=True), 1):
        assert found.labels[int(y), int(x)] == number
        rows, columns = np.nonzero(found.labels == number)
        want = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert found.boxes[number - 1].tolist() == want


def test_scores_are_those_of_the_class_maps() -> None:
    """A place's score is the log odds of its cell; the highest one is the frame's."""
    found = seen(detector(), scene(FRAME_PX, SPOTS))
    assert found.maps.shape == (2, 12, 12)
    for score, y, x in zip(found.score, found.y, found.x, strict=True):
        assert score == found.odds[int(y) // 8, int(x) // 8]
    assert found.score[0] == found.odds.max() == pytest.approx(found.logit)
    assert found.score.min() > 5


@pytest.mark.parametrize("body", ["wscnn4", "wscnn_small"])
@pytest.mark.parametrize("how", ["patch", "background", "mean_image"])
def test_the_logit_is_the_nets(body: str, how: str) -> None:
    """The frame's log odds are what `Net.logits` says, however it normalises."""
    net = random_net(body, (64, 80), how)
    frames = 500 + 100 * torch.rand(3, 1, 64, 80)
    finder = Finder(net, Look())
    want = log_odds(net.logits(frames).numpy())
    np.testing.assert_allclose([each.logit for each in finder(frames)], want, rtol=1e-4, atol=1e-5)
    for each, odds in zip(finder(frames), finder.odds(frames), strict=True):
        np.testing.assert_allclose(each.odds, odds, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "average", "log_sum_exp", "noisy_or"])
def test_odds_of_places(pooling: GlobalPool) -> None:
    """Under a maximum a place is set against the frame's negative score, else against its own."""
    torch.manual_seed(0)
    module = WscnnSmallSpec(global_pool=pooling).build(NetShape(frame_px=(64, 80))).eval()
    net = Net(module, ("no", "yes"), None, 0, 0, how="mean_image", frame_px=(64, 80))
    found = seen(net, np.random.default_rng(0).normal(0, 1, (64, 80)).astype(np.float32))
    assert found.maps.shape == (2, *found.odds.shape)
    against = found.maps[0].max() if pooling == "max" else found.maps[0]
    np.testing.assert_allclose(found.odds, found.maps[1] - against, rtol=1e-5, atol=1e-6)
    if pooling == "max":
        assert found.odds.max() == pytest.approx(found.logit, abs=1e-5)


@pytest.mark.parametrize("sigma_px", [0.0, 2.5])
@pytest.mark.parametrize("times_input", [False, True])
def test_saliency_is_the_gradient_of_what_is_listed(sigma_px: float, times_input: bool) -> None:
    """By hand: the sum of the log odds of all listed cells, back-propagated; times input; blurred.

    Times input: by how far a pixel is from the frame's median (the lower of two), normalised.
    """
    net = random_net("wscnn4", (96, 104))
    frame = torch.from_numpy(scene((96, 104), [(40, 50)])) + 200
    inputs = ((frame - frame.mean()) / frame.std(correction=0))[None, None].requires_grad_(True)
    maps = net.module.maps(inputs)[0]
    odds = maps[1] - maps[0].max().detach()
    # halfway between two cells, so that rounding changes nothing
    least = float(odds.detach().flatten().sort().values[-10:-8].mean())
    grown = ndimage.maximum_filter(odds.detach().numpy(), 3, mode="nearest")
    listed = (odds.detach().numpy() == grown) & (odds.detach().numpy() >= least)
    odds[torch.from_numpy(listed)].sum().backward()
    assert inputs.grad is not None
    want = inputs.grad[0, 0].numpy()
    if times_input:
        pixels = inputs.detach()[0, 0].numpy()
        want = want * (pixels - np.sort(pixels, axis=None)[(pixels.size - 1) // 2])
    want = np.abs(want)
    if sigma_px:
        want = ndimage.gaussian_filter(want, sigma_px, mode="constant")
    found = seen(net, frame.numpy(), sigma_px=sigma_px, least=least, times_input=times_input)
    assert 1 <= len(found.y) <= listed.sum()
    np.testing.assert_allclose(found.saliency, want, rtol=1e-3, atol=1e-5 * want.max())


def test_frames_are_looked_at_one_by_one() -> None:
    """What is found in a frame does not depend on those in the same batch."""
    frames = np.stack([scene(FRAME_PX, SPOTS[:n], n) for n in range(4)])
    finder = Finder(detector(), Look(apart=1))
    together = list(finder(torch.from_numpy(frames)[:, None]))
    assert [len(each.y) for each in together] == [0, 1, 2, 3]
    for frame, each in zip(frames, together, strict=True):
        alone = seen(detector(), frame)
        for name in Detections.__slots__[:-1]:
            np.testing.assert_allclose(
                getattr(each, name), getattr(alone, name), rtol=1e-5, atol=1e-6, err_msg=name
            )


def test_nothing_is_found_where_nothing_is() -> None:
    """Without a cell of the least log odds: no place, no saliency, no pixel."""
    found = seen(detector(), scene(FRAME_PX, []))
    assert found.logit < 0
    assert found.y.shape == found.x.shape == found.score.shape == (0,)
    assert found.boxes.shape == (0, 4)
    assert not found.saliency.any()
    assert not found.labels.any()
    assert len(seen(detector(), scene(FRAME_PX, SPOTS), least=1e9).y) == 0


def test_the_least_log_odds_decide_what_is_listed() -> None:
    """A weaker blob is listed only where it is asked for."""
    frame = scene(FRAME_PX, SPOTS[:1], noise=0.0) + 0.5 * scene(FRAME_PX, SPOTS[1:2], noise=0.0)
    strong = seen(detector(), frame, least=5.0)
    both = seen(detector(), frame, least=0.0)
    assert (len(strong.y), len(both.y)) == (1, 2)
    assert both.score[1] == pytest.approx(0.5 * (both.score[0] + 4) - 4, abs=0.3)


def test_a_weak_blob_is_not_listed_on_a_strong_ones_flank() -> None:
    """Listed blobs of different strength keep their own peaks of the saliency."""
    for offset in np.linspace(0, 8, 9):
        strong, weak = (48.3, 30 + offset), (48.3, 50 + offset)
        frame = 4 * scene(FRAME_PX, [strong], noise=0.0) + scene(FRAME_PX, [weak])
        found = seen(detector(), frame)
        for y, x in zip(found.y, found.x, strict=True):
            assert min(np.hypot(y - b, x - a) for b, a in (strong, weak)) < 3


def test_a_blob_between_cells_is_listed_once() -> None:
    """Wherever a blob lies over the 8 x 8 px of the cells, it is one place."""
    for offset in np.linspace(0, 8, 17):
        found = seen(detector(), scene(FRAME_PX, [(40 + offset, 48 + offset / 2)]))
        assert len(found.y) == 1, offset


def test_a_larger_share_is_a_smaller_ground() -> None:
    """Pixels of a place shrink about it as the share of its peak grows."""
    frame = scene(FRAME_PX, SPOTS[:1])
    sizes = [(seen(detector(), frame, share=share).labels > 0).sum() for share in (0.1, 0.4, 0.9)]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_looking_leaves_the_net_alone() -> None:
    """Mode, weights and gradients of the net that was given are as before."""
    net = detector()
    net.module.train()
    before = {name: value.clone() for name, value in net.module.state_dict().items()}
    list(Finder(net, Look())(torch.from_numpy(scene(FRAME_PX, SPOTS))[None, None]))
    assert net.module.training
    assert all(p.requires_grad and p.grad is None for p in net.module.parameters())
    for name, value in net.module.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    ("body", "tolerance_px"), [("wscnn4", 1.5), ("wscnn6", 2.0), ("wscnn_small", 2.0)]
)
def test_cells_look_where_they_are_said_to(body: str, tolerance_px: float) -> None:
    """The squared gradient of a cell has its middle at the cell's place, and ends with its field.

    Random weights, averaged over random frames; `geometry` says stride, field and first centre.
    """
    probe = NETS[body]().build(NetShape(frame_px=(120, 120))).body
    stride, field, first = geometry(probe, str(len(probe) - 1))
    size = field + 4 * stride
    net = random_net(body, (size, size)).module
    assert isinstance(net, WeaklySupervised)
    inputs = torch.randn(6, 1, size, size, requires_grad=True)
    maps = net.maps(inputs)
    row, column = maps.shape[-2] // 2, maps.shape[-1] // 2 - 1
    (maps[:, 1, row, column] - maps[:, 0, row, column]).sum().backward()
    assert inputs.grad is not None
    weight = (inputs.grad**2).sum((0, 1)).double()
    for axis, index in ((1, row), (0, column)):
        along = weight.sum(axis)
        middle = float((along * torch.arange(size)).sum() / along.sum())
        assert middle == pytest.approx(first + stride * index, abs=tolerance_px)
        reached = torch.nonzero(along)[:, 0]
        assert field - 2 <= int(reached.max() - reached.min()) + 1 <= field


def test_the_finder_takes_its_geometry_from_the_net() -> None:
    """Stride, field and first centre of the hand-made net, by hand."""
    finder = Finder(detector(step=2), Look())
    # a filter of 17 px, then the highest of four cells 2 px apart
    assert (finder.stride_px, finder.field_px, finder.first_px) == (8, 17 + 3 * 2, 3.0)


def test_wrong_looks_are_refused_at_once() -> None:
    """Every setting out of range is told in one error."""
    with pytest.raises(SpecError) as caught:
        Look(sigma_px=-1, share=0, apart=0)
    assert all(name in caught.value.expected for name in ("sigma_px", "share", "apart"))
    for wrong in ({"sigma_px": float("nan")}, {"share": 1.1}, {"share": float("nan")}):
        with pytest.raises(SpecError):
            Look(**wrong)


@given(corner=st.tuples(st.integers(-20, 80), st.integers(-20, 80)), size=st.integers(1, 120))
@settings(max_examples=40)
def test_pooling_within_a_box_takes_its_places_only(corner: tuple[int, int], size: int) -> None:
    """Those places count that have a part of the box, 8 px each; all of them, where none has."""
    finder = Finder(detector(), Look())
    maps = np.random.default_rng(size).normal(size=(2, 12, 12)).astype(np.float32)
    y, x = corner
    first = np.arange(12) * 8
    inside = np.ix_(
        (first + 8 > y) & (first < y + size),
        (first + 8 > x) & (first < x + size),
    )
    some = [each[inside] for each in maps]
    high = [float((part if part.size else maps[k]).max()) for k, part in enumerate(some)]
    found = finder.pooled(maps, Box.of(y, x, y + size, x + size))
    assert found == pytest.approx(high, abs=1e-6)
