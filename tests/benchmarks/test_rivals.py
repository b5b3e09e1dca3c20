"""What dense maps are timed against does the same work."""

import numpy as np
import pytest
import torch

from benchmarks.dense import direct_operations
from benchmarks.movies import Watch, resident_mib
from benchmarks.rivals import PlainWindows, monai_windows
from livewell.geometry import Box, WindowGrid
from livewell.inference.windows import View, Windows
from livewell.models.building import build
from livewell.models.nets.net import Net
from livewell.models.profile import Profile
from livewell.models.recipes import DEADNET_2017, DEADNET_DENSE, FAST


def net_of(profile: Profile) -> Net:
    torch.manual_seed(0)
    module = build(profile).eval()
    return Net(
        module,
        ("a", "b"),
        0.5,
        profile.input.patch_px,
        profile.input.input_px,
        how=profile.input.normalise,
    )


def scene(net: Net, rows: int = 3, columns: int = 5) -> tuple[View, WindowGrid]:
    """A frame of noise that holds so many windows every 16 px."""
    shape = (net.patch_px + 16 * (rows - 1), net.patch_px + 16 * (columns - 1))
    frame = np.random.default_rng(0).integers(900, 1100, shape).astype(np.uint16)
    whole = Box.of(0, 0, *shape)
    grid = WindowGrid.over(whole, net.patch_px, 16)
    return View(frame, whole, np.ones(grid.shape, dtype=bool)), grid


@pytest.mark.long
@pytest.mark.parametrize("profile", [FAST, DEADNET_DENSE], ids=lambda p: p.name)
@pytest.mark.parametrize("channels_last", [False, True])
def test_plain_windows_say_what_the_reference_says(profile: Profile, channels_last: bool) -> None:
    """In either layout, to 1e-5 in float32 and roughly in bfloat16."""
    net = net_of(profile)
    view, grid = scene(net)
    ((_, expected),) = Windows(net).stream([view], grid)
    with torch.inference_mode():
        single = PlainWindows(net, channels_last, half=False)(view, grid)
        half = PlainWindows(net, channels_last, half=True)(view, grid)
    np.testing.assert_allclose(single, expected, atol=1e-5)
    np.testing.assert_allclose(half, expected, atol=0.05)


def test_monai_scores_as_many_windows() -> None:
    """MONAI's sliding window goes over the same windows, each once."""
    net = net_of(FAST)
    view, grid = scene(net, 4, 6)
    with torch.inference_mode():
        scores = monai_windows(net, view, grid)()
    assert isinstance(scores, torch.Tensor)
    assert scores.shape == (24, 2, 1, 1)


def test_operations_are_counted_as_plain_sums() -> None:
    """The paper's form on the paper's frame: about 120 GFLOP, two thirds of it in fc1."""
    net = net_of(DEADNET_2017)
    grid = WindowGrid.over(Box.of(-18, -18, 1024 + 18, 1344 + 18), 256, 16)
    assert grid.shape == (51, 71)
    counted = direct_operations(net, grid)
    fc1 = 2 * 3621 * 128 * 13 * 13 * 512
    assert counted == pytest.approx(120e9, rel=0.03)
    assert 0.6 < fc1 / counted < 0.7


def test_memory_is_watched() -> None:
    """The peak between two looks is seen, steps are noted with time and memory."""
    watch = Watch()
    with watch.task("sliding over frames", 2) as tick:
        before = resident_mib()
        block = np.ones(40_000_000)
        tick()
        del block
        tick()
    watch.stop()
    assert len(watch.seen) == 2
    assert watch.seen[0][1] > before + 200
    assert watch.peak > before
