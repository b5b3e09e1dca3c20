"""Dense maps are windows' maps: exactly where the net says so, in tiles as in one piece."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import Box, WindowGrid
from livewell.inference.dense import Dense
from livewell.inference.windows import View, Windows
from livewell.metrics.rules import log_odds
from livewell.models.building import build
from livewell.models.building import net_of as net_of_recipe
from livewell.models.nets.net import Net
from livewell.models.profile import Profile, override
from livewell.models.recipes import DEADNET_2017, DEADNET_DENSE, FAST, FAST_FIELDS, TINY
from livewell.region import Region
from livewell.study.pixels import ArrayPixels

RNG = np.random.default_rng(0)


def net_of(profile: Profile, *, turns: bool = False) -> Net:
    """An untrained net whose norms do something, its scores spread over some units."""
    torch.manual_seed(1)
    module = build(profile)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, std=0.1)
            torch.nn.init.uniform_(part.running_var, 0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
    net = net_of_recipe(module.eval(), profile, ("healthy", "sick"), 0.5)
    return replace(net, turns=turns)


SMALL = override(FAST, {"patch_px": 120, "normalise_px": 120})
FIELDS = override(FAST_FIELDS, {"patch_px": 72, "input_px": 25, "normalise_px": 60})
NETS = {"deadnet": net_of(DEADNET_DENSE), "compact": net_of(SMALL), "field": net_of(FIELDS)}
APPROXIMATE = {"deadnet": net_of(DEADNET_2017), "compact": net_of(TINY)}


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint16]:
    """Grey levels of a camera: noise, blobs and a slope of light."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    frame = 1000 + 0.5 * x + rng.normal(0, 30, (height, width))
    for cy, cx in rng.uniform(0, (height, width), (12, 2)):
        frame += 600 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 90)
    return frame.astype(np.uint16)


def view_of(frame: NDArray[np.uint16], grid: WindowGrid, area: Box | None = None) -> View:
    return View(frame, area or Box.of(0, 0, *frame.shape), np.ones(grid.shape, dtype=bool))


def scored(engine: Dense | Windows, view: View, grid: WindowGrid) -> NDArray[np.float32]:
    ((_, found),) = engine.stream([view], grid)
    return found


def limited(net: Net, pixels: int, **options: object) -> Dense:
    """An engine whose tiles hold so many pixels at most."""
    engine = Dense(net, **options)
    engine._most_px = pixels
    return engine


@settings(deadline=None, max_examples=10)
@given(
    name=st.sampled_from(sorted(NETS)),
    height=st.integers(0, 40),
    width=st.integers(0, 40),
    stride=st.sampled_from([8, 16, 48]),
    margin=st.integers(0, 20),
    cut=st.tuples(*[st.integers(0, 25)] * 4),
)
def test_exact_nets_say_what_windows_say(name, height, width, stride, margin, cut) -> None:
    """At every position, for odd sizes, finer and coarser strides, borders and mirrored margins."""
    net = NETS[name]
    frame = picture(net.patch_px + height, net.patch_px + width)
    whole = Box.of(0, 0, *frame.shape)
    area = Box.of(cut[0], cut[1], frame.shape[0] - cut[2], frame.shape[1] - cut[3])
    grid = WindowGrid.over(whole.widened(margin), net.patch_px, stride)
    view = view_of(frame, grid, area)
    found = scored(Dense(net), view, grid)
    np.testing.assert_allclose(found, scored(Windows(net), view, grid), atol=1e-5)


@pytest.mark.long
@settings(deadline=None, max_examples=4)
@given(
    name=st.sampled_from(sorted(NETS)),
    height=st.integers(0, 120),
    width=st.integers(0, 120),
    room=st.integers(0, 40_000),
    stride=st.sampled_from([8, 16, 32]),
)
def test_tiles_make_the_map_of_one_piece(name, height, width, room, stride) -> None:
    """Whatever the memory: to 1e-5 in float32 and to 1e-10 in float64."""
    net = NETS[name]
    frame = picture(net.patch_px + height, net.patch_px + width, seed=3)
    grid = WindowGrid.over(Box.of(-9, -20, *frame.shape), net.patch_px, stride)
    view = view_of(frame, grid)
    double = replace(net, module=build_double(net))
    for each, dtype, near in ((net, torch.float32, 1e-5), (double, torch.float64, 1e-10)):
        whole = scored(Dense(each, dtype=dtype), view, grid)
        tiled = scored(limited(each, net.input_px**2 + room, dtype=dtype), view, grid)
        assert tiled.dtype == whole.dtype
        np.testing.assert_allclose(tiled, whole, atol=near)


def build_double(net: Net) -> torch.nn.Module:
    import copy

    return copy.deepcopy(net.module).double()


@pytest.mark.parametrize("name", APPROXIMATE)
@pytest.mark.parametrize(
    "room",
    [pytest.param(0, marks=pytest.mark.long), pytest.param(9_000, marks=pytest.mark.long), 60_000],
)
def test_tiles_of_nets_that_are_not_exact(name: str, room: int) -> None:
    """Their dense maps do not depend on tiles either: no end of a tile or frame is felt."""
    net = APPROXIMATE[name]
    frame = picture(net.patch_px + 75, net.patch_px + 121)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = view_of(frame, grid)
    engine = Dense(net)
    least = (net.input_px + 2 * engine.form.halo_px) ** 2
    np.testing.assert_allclose(
        scored(limited(net, least + room), view, grid), scored(engine, view, grid), atol=1e-5
    )


@pytest.mark.parametrize(
    "name", [pytest.param("deadnet", marks=pytest.mark.long), "compact", "field"]
)
def test_eight_turns(name: str) -> None:
    """A net that averages the eight turns of a window does so in dense maps too, tiled or not."""
    net = replace(NETS[name], turns=True)
    frame = picture(net.patch_px + 41, net.patch_px + 70)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = view_of(frame, grid)
    windows = scored(Windows(net), view, grid)
    np.testing.assert_allclose(scored(Dense(net), view, grid), windows, atol=1e-5)
    tiled = limited(net, (net.input_px + 16) ** 2)
    np.testing.assert_allclose(scored(tiled, view, grid), windows, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_maps_say_what_a_studys_patches_say(name: str) -> None:
    """Patches as training validates them, with their context, score as the map's cells."""
    net = NETS[name]
    frame = picture(net.patch_px + 33, net.patch_px + 50)
    frame[:, :7] = 0
    source = ArrayPixels({"a": frame[None]})
    grid = WindowGrid.over(Box.of(0, 7, *frame.shape), net.patch_px, 16)
    found = scored(Dense(net), view_of(frame, grid, source.area("a", 0)), grid)
    patches = [Region("a", 0, box) for box in grid.boxes()]
    regions = Windows(net).regions(source, patches)
    np.testing.assert_allclose(found.reshape(2, -1).T, regions, atol=1e-5)


def test_only_what_is_wanted() -> None:
    """Cells that are not wanted are NaN; a frame of which nothing is wanted is not computed."""
    net = NETS["compact"]
    frame = picture(net.patch_px + 40, net.patch_px + 40)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = view_of(frame, grid)
    some = replace(view, wanted=np.eye(*grid.shape, dtype=bool))
    none = replace(view, wanted=np.zeros(grid.shape, dtype=bool), frame=frame[:2, :2])
    for engine in (Dense(net), Windows(net)):
        first, second, third = (found for _, found in engine.stream([some, none, view], grid))
        assert np.isnan(second).all()
        assert np.isfinite(third).all()
        np.testing.assert_allclose(first[:, some.wanted], third[:, some.wanted], atol=1e-5)
        assert np.isnan(first[:, ~some.wanted]).all()


def test_a_net_by_its_background_is_near() -> None:
    """The dense form of a net on contrast against the patch's median follows windows closely."""
    net = APPROXIMATE["compact"]
    frame = picture(net.patch_px + 100, net.patch_px + 130)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    view = view_of(frame, grid)
    pair = [log_odds(scored(engine, view, grid).T).ravel() for engine in (Dense(net), Windows(net))]
    assert np.corrcoef(pair)[0, 1] > 0.5


@pytest.mark.parametrize("engine", [Dense, Windows])
@pytest.mark.parametrize("net", [APPROXIMATE["compact"], NETS["compact"]], ids=["patch", "local"])
def test_a_frame_that_cannot_be_scored_does_not_stop_the_others(engine, net: Net) -> None:
    """A dark frame among others gives no numbers and its reason; the others are scored."""
    frame = picture(net.patch_px + 40, net.patch_px + 40)
    grid = WindowGrid.over(Box.of(0, 0, *frame.shape), net.patch_px, 16)
    good = view_of(frame, grid)
    dark = replace(good, frame=np.zeros_like(frame), t=1)
    scorer = engine(net)
    found = [logits for _, logits in scorer.stream([good, dark, replace(good, t=2)], grid)]
    assert np.isnan(found[1]).all()
    assert list(scorer.failed) == [1]
    assert "not above zero" in str(scorer.failed[1])
    np.testing.assert_allclose(found[0], found[2], atol=1e-6)
    assert np.isfinite(found[0]).all()


@pytest.mark.parametrize("stride", [5, 12, 24, 40])
def test_strides_that_do_not_fit_are_refused(stride: int) -> None:
    """A stride beside the net's own is refused with the nearest one that fits."""
    net = NETS["compact"]
    grid = WindowGrid.over(Box.of(0, 0, 300, 300), net.patch_px, stride)
    with pytest.raises(SpecError, match=r"16 px, or one that divides it.*--engine windows"):
        Dense(net).check(grid)


def test_too_little_memory_is_refused_with_what_is_needed() -> None:
    """The error says how much would do, and that much does."""
    net = NETS["compact"]
    grid = WindowGrid.over(Box.of(0, 0, 300, 300), net.patch_px, 16)
    with pytest.raises(SpecError, match=r"too little memory.*at least \d+\.\d+ for a tile") as told:
        Dense(net, memory_gb=0.0001).check(grid)
    needed = float(str(told.value).split("at least ")[1].split()[0])
    Dense(net, memory_gb=needed + 0.005).check(grid)


def test_frames_come_back_in_order_with_their_views() -> None:
    """A stream gives every view back with its own map."""
    net = NETS["compact"]
    frames = [picture(net.patch_px + 20, net.patch_px + 20, seed) for seed in range(4)]
    grid = WindowGrid.over(Box.of(0, 0, *frames[0].shape), net.patch_px, 16)
    views = [replace(view_of(frame, grid), t=t) for t, frame in enumerate(frames)]
    engine = Dense(net)
    for t, (view, found) in enumerate(engine.stream(views, grid)):
        assert view.t == t
        np.testing.assert_allclose(found, scored(engine, views[t], grid), atol=1e-6)
