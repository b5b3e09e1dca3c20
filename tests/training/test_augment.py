"""Augmentation: pure, reproducible, of the right size."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from livewell.geometry import Box
from livewell.models.nets.net import centre
from livewell.models.nets.net import normalise as normalise_by
from livewell.models.profile import Profile, override
from livewell.models.recipes import (
    DEADNET_2017,
    DEADNET_2017_B,
    DEADNET_DENSE,
    FAST,
    TINY,
)
from livewell.training import augment, warps

PATCH = np.random.default_rng(0).normal(1000, 100, (64, 64)).astype(np.float32)
STACK = np.random.default_rng(7).normal(1000, 100, (3, 64, 64)).astype(np.float32)
PLAIN = {
    "turns": False, "rotate_deg": 0, "scale": (1, 1), "blur_px": (0, 0), "shade": 0,
    "gamma": (1, 1), "noise_sd": (0, 0), "erase": 0, "warp_sigma_px": 0, "shift_px": -1,
    "sharpen": 0, "sharpen_share": 0, "contrast": 0, "normalise": "patch",
}  # fmt: skip
EVERYTHING = override(
    TINY,
    {"warp_sigma_px": 3, "warp_grid_px": 32, "erase": 1, "noise_sd": (0.1, 0.2), "shade": 1}
    | {"blur_px": (0.5, 1), "blur_share": 0.5, "sharpen": 1, "sharpen_share": 0.5}
    | {"gamma": (0.7, 1.4), "contrast": 0.2, "scale": (0.8, 1.2), "rotate_deg": 45},
)
RECIPES = [DEADNET_2017, DEADNET_2017_B, DEADNET_DENSE, FAST, TINY, EVERYTHING]
CHANGES: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "warp": lambda p: warps.warp(p, np.full((len(p), 2, 64, 64), 1.5, dtype=np.float32)),
    "turned": lambda p: warps.turned(p, [6] * len(p)),
    "blurred": lambda p: augment.blurred(p, np.linspace(0, 2, len(p))),
    "normalised": augment.normalised,
    "spread": lambda p: augment.with_spread(p, np.linspace(1, 2, len(p))),
    "gamma": lambda p: augment.gamma_changed(p, np.linspace(0.7, 1.4, len(p))),
    "shaded": lambda p: augment.shaded(p, [0.3] * len(p), np.linspace(0, 90, len(p))),
    "sharpened": lambda p: augment.sharpened(p, [0.7] * len(p), np.linspace(0.5, 1.5, len(p))),
    "noisy": lambda p: augment.noisy(p, [0.5] * len(p), rngs(len(p))),
    "erased": lambda p: augment.with_holes(p[:, None], EVERYTHING, rngs(len(p)))[:, 0],
    "cropped": lambda p: warps.cropped(p, [(2, 5)] * len(p), 50),
    "augmented": lambda p: augment.augmented(p[:, None], EVERYTHING, rngs(len(p)))[:, 0],
}


def rngs(count: int, seed: int = 3) -> list[np.random.Generator]:
    """One generator an item, all different."""
    return [np.random.default_rng([seed, item]) for item in range(count)]


def near_copy(patch: NDArray[np.float32], recipe: Profile, seed: int) -> NDArray[np.float32]:
    """One patch of one channel, augmented as a stack of one."""
    return augment.augmented(patch[None, None], recipe, [np.random.default_rng(seed)])[0, 0]


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_pure(name: str) -> None:
    """A change leaves its input alone, gives the same twice, and float32 that is its own."""
    given_patches = STACK.copy()
    first, second = CHANGES[name](given_patches), CHANGES[name](given_patches)
    np.testing.assert_array_equal(given_patches, STACK)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert len(first) == len(STACK)
    assert not np.shares_memory(first, given_patches)


def patches_for(recipe: Profile, count: int) -> NDArray[np.float32]:
    """Patches with their context as `recipe` takes them."""
    edge = recipe.input.patch_px + 2 * recipe.input.radius_px
    return np.random.default_rng(1).normal(1000, 100, (count, edge, edge)).astype(np.float32)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_augmented_crops(recipe: Profile) -> None:
    """Every recipe gives finite float32 crops of its input size; seeds decide, and differ."""
    (patch,) = patches_for(recipe, 1)
    crops = [near_copy(patch, recipe, seed) for seed in (1, 1, 2)]
    assert {crop.shape for crop in crops} == {(recipe.input.input_px, recipe.input.input_px)}
    assert all(crop.dtype == np.float32 and np.isfinite(crop).all() for crop in crops)
    np.testing.assert_array_equal(crops[0], crops[1])
    assert not np.array_equal(crops[0], crops[2])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_an_item_depends_on_its_own_generator_alone(recipe: Profile) -> None:
    """A stack of nine is nine stacks of one, whichever turns and blurs lie beside.

    Equal to the last bit where products of matrices round alike for every number of items, as they
    do here; libraries may differ in that, hence the tolerance.
    """
    patches = patches_for(recipe, 9)[:, None]
    together = augment.augmented(patches, recipe, rngs(9))
    for row, rng in enumerate(rngs(9)):
        alone = augment.augmented(patches[row : row + 1], recipe, [rng])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_come_in_a_fixed_order(channels: int) -> None:
    """What a generator gives is used in the order of the changes: trainings stay repeatable.

    Moves, blur, crop and erased square are drawn once for all channels, the rest for each.
    """
    recipe, rng = EVERYTHING, np.random.default_rng(11)
    given_patch = np.stack([PATCH + 10 * c * PATCH[::-1] for c in range(channels)])

    def each(low: float, high: float) -> list[float]:
        return [rng.uniform(low, high) for _ in range(channels)]

    size, grid = recipe.input.patch_px, recipe.augment.warp_grid_px
    count = len(warps.spline_points(size, size, grid))
    moves = rng.normal(0, recipe.augment.warp_sigma_px, size=(count, 2))
    shift = warps.spline_shifts(size, size, grid, moves[None])
    angle, scale = rng.uniform(-45, 45), np.exp(rng.uniform(np.log(0.8), np.log(1.2)))
    shift = shift + warps.turn_and_scale(size, size, [angle], [scale])
    turn = rng.integers(8)
    # channels one by one, as patches of their own with the same moves
    patch = np.concatenate([warps.warp(channel[None], shift) for channel in given_patch])
    patch = warps.turned(patch, [turn] * channels)
    if rng.random() < recipe.augment.blur_share:
        patch = augment.blurred(patch, [rng.uniform(*recipe.augment.blur_px)] * channels)
    else:
        strength, sigma = rng.uniform(0, 1), rng.uniform(0.5, 1.5)
        patch = augment.sharpened(patch, [strength] * channels, [sigma] * channels)
    patch = augment.normalised(patch, recipe.input.normalise)
    patch = augment.gamma_changed(patch, np.exp(each(np.log(0.7), np.log(1.4))))
    slopes = [(rng.uniform(0, 1), rng.uniform(0, 360)) for _ in range(channels)]
    patch = augment.shaded(patch, *np.transpose(slopes))
    patch = patch * np.exp(np.array(each(-0.2, 0.2), np.float32))[:, None, None]
    noise_sds = np.array(each(0.1, 0.2), np.float32)[:, None, None]
    patch = patch + noise_sds * rng.standard_normal(patch.shape, dtype=np.float32)
    low = (size - recipe.input.input_px) // 2 - 4
    top, left = rng.integers(low, low + 9, size=2)
    crop = patch[:, top : top + recipe.input.input_px, left : left + recipe.input.input_px].copy()
    assert rng.random() < 1
    edge = rng.integers(recipe.input.input_px // 8, recipe.input.input_px // 3 + 1)
    y, x = rng.integers(0, recipe.input.input_px - edge + 1, size=2)
    crop[:, y : y + edge, x : x + edge] = 0
    (got,) = augment.augmented(given_patch[None], recipe, [np.random.default_rng(11)])
    np.testing.assert_allclose(got, crop, atol=2e-5)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_channels_of_an_item_move_and_blur_together(recipe: Profile) -> None:
    """Three equal channels stay equal under every recipe, as long as nothing is drawn for each."""
    same = {"gamma": (1, 1), "shade": 0, "contrast": 0, "noise_sd": (0, 0)}
    recipe = override(recipe, same)
    grey = patches_for(recipe, 2)[:, None]
    made = augment.augmented(np.repeat(grey, 3, axis=1), recipe, rngs(2))
    assert made.shape == (2, 3, recipe.input.input_px, recipe.input.input_px)
    np.testing.assert_array_equal(made, np.repeat(made[:, :1], 3, axis=1))
    np.testing.assert_allclose(
        made[:, :1], augment.augmented(grey, recipe, rngs(2)), atol=1e-5, rtol=1e-5
    )


def test_light_and_noise_of_channels_are_drawn_for_each() -> None:
    """Equal channels differ after gamma, shading, contrast and noise, for these are of a camera."""
    plain = override(TINY, PLAIN | {"input_px": TINY.input.patch_px})
    for change in ({"gamma": (0.7, 1.4)}, {"shade": 1}, {"contrast": 0.3}, {"noise_sd": (1, 1)}):
        recipe = override(plain, change)
        (made,) = augment.augmented(np.repeat(PATCH[None, None], 2, axis=1), recipe, rngs(1))
        assert np.abs(made[0] - made[1]).max() > 0.01


def test_channels_are_normalised_each_by_itself() -> None:
    """A bright and a dim channel both get mean 0 and variance 1; a constant one becomes zeros."""
    pair = np.stack([PATCH, PATCH / 50 + 3, np.full_like(PATCH, 7)])
    (got,) = augment.normalised(pair[None])
    assert got.mean(axis=(1, 2)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert got.std(axis=(1, 2)) == pytest.approx([1, 1, 0], abs=1e-4)


@settings(deadline=None, max_examples=50)
@given(st.integers(8, 40), st.data())
def test_the_drawn_crop_lies_inside(patch_px: int, data: st.DataObject) -> None:
    """Without other changes the crop is a piece of the normalised patch."""
    input_px = data.draw(st.integers(8, patch_px))
    recipe = override(TINY, PLAIN | {"patch_px": patch_px, "input_px": input_px})
    patch = np.arange(patch_px**2, dtype=np.float32).reshape(patch_px, patch_px)
    crop = near_copy(patch, recipe, data.draw(st.integers(0, 99)))
    whole = augment.normalised(patch[None])[0]
    top, left = np.argwhere(np.isclose(whole, crop[0, 0], atol=1e-5))[0]
    assert top + input_px <= patch_px
    assert left + input_px <= patch_px
    np.testing.assert_array_equal(crop, whole[top : top + input_px, left : left + input_px])


def test_all_places_of_the_crop_are_drawn() -> None:
    """Crops start at the first and at the last place that fits, and between."""
    recipe = override(TINY, PLAIN | {"patch_px": 10, "input_px": 8})
    patch = np.arange(100, dtype=np.float32).reshape(10, 10)
    corners = {float(near_copy(patch, recipe, seed)[0, 0]) for seed in range(100)}
    assert len(corners) == 9


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 20), st.floats(0, 30), st.integers(0, 99))
def test_crops_near_the_middle(size: int, room: int, shift: float, seed: int) -> None:
    """With a shift the crop lies inside, and its middle no further than it from the patch's."""
    y, x = np.indices((size + room, size + room), dtype=np.float32)
    places = []
    for plane in (y, x):
        place = warps.corner(size + room, size, shift, np.random.default_rng(seed))
        (crop,) = warps.cropped(plane[None], [place], size)
        assert crop.shape == (size, size)
        assert np.ptp(crop) == size - 1
        places.append(crop.min())
    assert max(abs(place - room / 2) for place in places) <= shift + 0.5


@pytest.mark.parametrize("normalise", ["patch", "background"])
def test_plain_crops_are_what_the_net_sees_when_it_scores(normalise: str) -> None:
    """Without changes a crop in the middle is the patch as it is scored, for either measure."""
    recipe = override(TINY, PLAIN | {"shift_px": 0, "normalise": normalise})
    patch = (
        np.random.default_rng(2).normal(900, 50, (recipe.input.patch_px,) * 2).astype(np.float32)
    )
    crop = near_copy(patch, recipe, 0)
    scored = centre(
        normalise_by(torch.from_numpy(patch), recipe.input.normalise), recipe.input.input_px
    )
    np.testing.assert_array_equal(crop, scored.numpy())


def test_contrast_is_a_factor_within_its_bounds() -> None:
    """Contrast alone multiplies the normalised patch by exp(-c..c), as often up as down."""
    recipe = override(TINY, PLAIN | {"contrast": 0.25, "input_px": TINY.input.patch_px})
    factors = [near_copy(PATCH, recipe, seed).std() for seed in range(200)]
    assert np.exp(-0.25) - 1e-4 <= min(factors) < 0.85
    assert 1.2 < max(factors) <= np.exp(0.25) + 1e-4
    assert np.mean(np.log(factors)) == pytest.approx(0, abs=0.05)


def test_noise_of_one_strength() -> None:
    """With low == high the noise has that standard deviation on every crop, 0.5 in the paper."""
    recipe = override(TINY, PLAIN | {"noise_sd": (0.5, 0.5), "input_px": TINY.input.patch_px})
    clean = augment.normalised(PATCH[None])[0]
    for seed in range(5):
        noise = near_copy(PATCH, recipe, seed) - clean
        assert (noise.mean(), noise.std()) == pytest.approx((0, 0.5), abs=0.03)
    assert DEADNET_2017_B.augment.noise_sd == (0.5, 0.5)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 12), min_size=1, max_size=4), st.integers(5, 40), st.integers(5, 40))
def test_a_blur_is_that_of_scipy(sigmas: list[float], height: int, width: int) -> None:
    """Every patch is blurred by its own sigma, 0 being none, even where the kernel is wider."""
    rng = np.random.default_rng(0)
    patches = rng.normal(1000, 100, (len(sigmas), height, width)).astype(np.float32)
    for got, patch, sigma in zip(augment.blurred(patches, sigmas), patches, sigmas, strict=True):
        want = ndimage.gaussian_filter(patch, sigma, mode="mirror")
        np.testing.assert_allclose(got, want, rtol=3e-6)


def test_sharpening_undoes_some_blur() -> None:
    """Strength 0 changes nothing; a blurred patch sharpened is nearer to what it was."""
    blurred = ndimage.gaussian_filter(PATCH, 0.6, mode="mirror")
    same, sharp = augment.sharpened(np.stack([PATCH, blurred]), [0, 0.7], [1, 0.6])
    np.testing.assert_array_equal(same, PATCH)
    assert np.abs(sharp - PATCH).mean() < 0.9 * np.abs(blurred - PATCH).mean()


def test_spread_is_given_back() -> None:
    """Every patch gets the standard deviation that is asked for; a constant one stays as it is."""
    patches = np.stack([PATCH, PATCH, np.full_like(PATCH, 7)])
    got = augment.with_spread(patches, [3, 5, 3])
    assert got.std(axis=(1, 2)) == pytest.approx([3, 5, 0], rel=1e-4)
    assert got.mean(axis=(1, 2)) == pytest.approx(patches.mean(axis=(1, 2)), rel=1e-5)


def spline(count: int, sigma: float, size: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """Displacements of splines with control points every 32 px."""
    points = len(warps.spline_points(size, size, 32))
    moves = np.random.default_rng(seed).normal(0, sigma, size=(count, points, 2))
    return warps.spline_shifts(size, size, 32, moves)


def test_a_spline_without_moves_is_the_identity() -> None:
    """Control points that do not move shift no pixel."""
    shift = spline(3, 0)
    assert shift.shape == (3, 2, 64, 64)
    np.testing.assert_array_equal(shift, 0)
    np.testing.assert_allclose(warps.warp(STACK, shift), STACK, rtol=1e-5)


def test_a_spline_moves_as_far_as_its_points() -> None:
    """Near a control point pixels move by N(0, sigma), in y and x alike and on their own."""
    middle = spline(300, 10)[:, :, 32, 32]
    assert middle.std(axis=0) == pytest.approx([10, 10], rel=0.15)
    assert np.abs(middle.mean(axis=0)).max() < 2
    assert abs(np.corrcoef(middle.T)[0, 1]) < 0.2


def test_a_spline_is_smooth() -> None:
    """Neighbouring pixels move almost alike."""
    shift = spline(1, 5)
    assert max(np.abs(np.diff(shift, axis=axis)).max() for axis in (2, 3)) < 2


def test_a_large_spline_is_gone_through_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Band by band a spline is what the kept matrix gives, on frames that are not square too."""
    points = len(warps.spline_points(90, 70, 32))
    moves = np.random.default_rng(2).normal(0, 10, size=(2, points, 2))
    kept = warps.spline_shifts(90, 70, 32, moves)
    monkeypatch.setattr(warps, "KEPT_NUMBERS", 0)
    monkeypatch.setattr(warps, "BAND_NUMBERS", 20 * 70 * points)
    np.testing.assert_allclose(warps.spline_shifts(90, 70, 32, moves), kept, atol=1e-4)


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3), st.floats(-3, 3))
def test_a_warped_ramp_is_the_ramp_at_the_shifted_places(
    slope_y: float, slope_x: float, by_y: float, by_x: float
) -> None:
    """A linear ramp read at moved places is the ramp of those places, away from the edges."""
    y, x = np.indices((24, 24), dtype=np.float32)
    ramp = (slope_y * y + slope_x * x).astype(np.float32)
    shift = np.stack([np.full_like(y, by_y), np.full_like(x, by_x)])
    (got,) = warps.warp(ramp[None], shift[None])
    want = ramp + slope_y * by_y + slope_x * by_x
    np.testing.assert_allclose(got[3:-3, 3:-3], want[3:-3, 3:-3], atol=1e-3)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_right_angle_turns_the_patch(angle: float, turns: int) -> None:
    """Turned by a right angle, pixels land on pixels: one of the eight turns."""
    (got,) = warps.warp(PATCH[None], warps.turn_and_scale(64, 64, [angle], [1]))
    assert min(
        np.abs(got - np.rot90(PATCH, k)).max() for k in (turns, -turns % 4)
    ) == pytest.approx(0, abs=0.1)


def test_scaling_enlarges_about_the_middle() -> None:
    """At twice the size a blob in the middle is twice as wide and stays in the middle."""
    y, x = np.indices((65, 65)) - 32
    blob = np.exp(-(y**2 + x**2) / (2 * 5.0**2)).astype(np.float32)
    (got,) = warps.warp(blob[None], warps.turn_and_scale(65, 65, [0], [2]))
    want = np.exp(-(y**2 + x**2) / (2 * 10.0**2))
    np.testing.assert_allclose(got, want, atol=0.02)


def test_eight_turns_are_all_different() -> None:
    """The eight turns of a patch without symmetry are eight patches of the same pixels."""
    views = warps.turned(np.stack([PATCH] * 8), range(8))
    assert len({view.tobytes() for view in views}) == 8
    assert {tuple(np.sort(view, axis=None)) for view in views} == {tuple(np.sort(PATCH, axis=None))}


@pytest.mark.parametrize("which", range(8))
def test_where_turned_pixels_came_from(which: int) -> None:
    """A box of a turned frame, followed back and turned, shows the same pixels."""
    frame = np.arange(30 * 50, dtype=np.float32).reshape(1, 30, 50)
    whole = warps.turned(frame, [which])[0]
    box = Box.of(3, 5, 13, 25)
    came = warps.before(box, which, 30, 50)
    np.testing.assert_array_equal(
        warps.turned(frame[0][came.slices][None], [which])[0], whole[box.slices]
    )


def test_normalising() -> None:
    """Every patch to mean 0 and variance 1; a constant patch becomes zeros."""
    got = augment.normalised(STACK)
    assert got.mean(axis=(1, 2)) == pytest.approx([0] * 3, abs=1e-4)
    assert got.std(axis=(1, 2)) == pytest.approx([1] * 3, abs=1e-4)
    np.testing.assert_array_equal(augment.normalised(np.full((1, 4, 4), 7, np.float32)), 0)


def test_gamma_keeps_the_order_and_one_changes_nothing() -> None:
    """Grey levels stay in order; exponent 1 is normalising alone; constants pass through."""
    flat = np.full_like(PATCH, 7)
    one, other, same = augment.gamma_changed(np.stack([PATCH, PATCH, flat]), [1.4, 1, 0.5])
    np.testing.assert_array_equal(np.argsort(one, axis=None), np.argsort(PATCH, axis=None))
    np.testing.assert_allclose(other, augment.normalised(PATCH[None])[0], atol=1e-4)
    np.testing.assert_array_equal(same, flat)


def test_shading_is_a_plane_of_the_asked_slope() -> None:
    """The shading adds nothing in the middle and the slope at the far edge, in its direction."""
    across, down = augment.shaded(np.zeros((2, 5, 5), np.float32), [0.4, 0.4], [0, 90])
    np.testing.assert_allclose(across, np.tile([-0.4, -0.2, 0, 0.2, 0.4], (5, 1)), atol=1e-6)
    np.testing.assert_allclose(down, across.T, atol=1e-6)


def test_erasing_puts_zeros_in_one_square() -> None:
    """With `erase` 1 every crop has one square of zeros, an eighth to a third of its edge wide."""
    recipe = override(TINY, PLAIN | {"erase": 1})
    for seed in range(20):
        crop = near_copy(PATCH, recipe, seed)
        rows, columns = np.nonzero(crop == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height == width
        assert len(rows) == height * width
        assert TINY.input.input_px // 8 <= height <= TINY.input.input_px // 3 + 1


def test_a_blur_takes_no_spread_from_local_crops() -> None:
    """Normalised by surroundings, a blurred crop is as strong as a sharp one is when scored."""
    recipe = override(DEADNET_DENSE, {"warp_sigma_px": 0, "blur_px": (1.1, 1.5)})
    edge = recipe.input.patch_px + 2 * recipe.input.radius_px
    patch = np.random.default_rng(1).normal(1000, 100, (edge, edge)).astype(np.float32)
    crops = [near_copy(patch, recipe, seed) for seed in range(4)]
    assert np.std(crops) == pytest.approx(1, abs=0.05)


def test_the_spline_is_that_of_its_equations() -> None:
    """At the control points the spline moves as far as they do, at a point off them in between."""
    size = 64
    (shift,) = spline(1, 4, size, seed=5)
    moves = np.random.default_rng(5).normal(0, 4, size=(9, 2)).reshape(3, 3, 2)
    for row, y in enumerate((0, 32, 63)):
        for column, x in enumerate((0, 32, 63)):
            assert shift[:, y, x] == pytest.approx(moves[row, column], abs=0.6)
