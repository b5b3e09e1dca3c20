"""Augmentation: pure, reproducible, of the right size."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from livewell.nets.net import centre, context_px
from livewell.nets.net import normalise as normalise_by
from livewell.profiles import DEADNET_2017, DEADNET_DENSE, FAST, FAST_DENSE, TINY, Profile, override
from livewell.training import augment

PATCH = np.random.default_rng(0).normal(1000, 100, (64, 64)).astype(np.float32)
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
CHANGES: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "warp": lambda p: augment.warp(p, np.full((2, *p.shape), 1.5, dtype=np.float32)),
    "turned": lambda p: augment.turned(p, 6),
    "normalised": augment.normalised,
    "gamma": lambda p: augment.gamma_changed(p, 0.7),
    "shaded": lambda p: augment.shaded(p, 0.3, 40),
    "sharpened": lambda p: augment.sharpened(p, 0.7, 1.2),
    "cropped": lambda p: augment.cropped(p, 50, 4, np.random.default_rng(3)),
    "augmented": lambda p: augment.augmented(p, EVERYTHING, np.random.default_rng(3)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_pure(name: str) -> None:
    """A change leaves its input alone, gives the same twice, and float32."""
    given_patch = PATCH.copy()
    first, second = CHANGES[name](given_patch), CHANGES[name](given_patch)
    np.testing.assert_array_equal(given_patch, PATCH)
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.float32
    assert not np.shares_memory(first, given_patch) or name == "turned"


@pytest.mark.parametrize(
    "recipe",
    [DEADNET_2017, DEADNET_DENSE, FAST, FAST_DENSE, TINY, EVERYTHING],
    ids=lambda r: r.name,
)
def test_augmented_crops(recipe: Profile) -> None:
    """Every recipe gives finite float32 crops of its input size; seeds decide, and differ."""
    size = recipe.patch_px + 2 * context_px(recipe.normalise, recipe.patch_px)
    patch = np.random.default_rng(1).normal(1000, 100, (size, size)).astype(np.float32)
    crops = [augment.augmented(patch, recipe, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert {crop.shape for crop in crops} == {(recipe.input_px, recipe.input_px)}
    assert all(crop.dtype == np.float32 and np.isfinite(crop).all() for crop in crops)
    np.testing.assert_array_equal(crops[0], crops[1])
    assert not np.array_equal(crops[0], crops[2])


@settings(deadline=None, max_examples=50)
@given(st.integers(8, 40), st.data())
def test_the_drawn_crop_lies_inside(patch_px: int, data: st.DataObject) -> None:
    """Without other changes the crop is a piece of the normalised patch."""
    input_px = data.draw(st.integers(8, patch_px))
    recipe = override(TINY, PLAIN | {"patch_px": patch_px, "input_px": input_px})
    patch = np.arange(patch_px**2, dtype=np.float32).reshape(patch_px, patch_px)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    crop = augment.augmented(patch, recipe, rng)
    whole = augment.normalised(patch)
    top, left = np.argwhere(np.isclose(whole, crop[0, 0], atol=1e-5))[0]
    assert top + input_px <= patch_px
    assert left + input_px <= patch_px
    np.testing.assert_array_equal(crop, whole[top : top + input_px, left : left + input_px])


def test_all_places_of_the_crop_are_drawn() -> None:
    """Crops start at the first and at the last place that fits, and between."""
    recipe = override(TINY, PLAIN | {"patch_px": 10, "input_px": 8})
    patch = np.arange(100, dtype=np.float32).reshape(10, 10)
    corners = {
        float(augment.augmented(patch, recipe, np.random.default_rng(seed))[0, 0])
        for seed in range(100)
    }
    assert len(corners) == 9


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 20), st.floats(0, 30), st.integers(0, 99))
def test_crops_near_the_middle(size: int, room: int, shift: float, seed: int) -> None:
    """With a shift the crop lies inside, and its middle no further than it from the patch's."""
    y, x = np.indices((size + room, size + room), dtype=np.float32)
    places = []
    for plane in (y, x):
        crop = augment.cropped(plane, size, shift, np.random.default_rng(seed))
        assert crop.shape == (size, size)
        assert np.ptp(crop) == size - 1
        places.append(crop.min())
    assert max(abs(place - room / 2) for place in places) <= shift + 0.5


@pytest.mark.parametrize("normalise", ["patch", "background"])
def test_plain_crops_are_what_the_net_sees_when_it_scores(normalise: str) -> None:
    """Without changes a crop in the middle is the patch as it is scored, for either measure."""
    recipe = override(TINY, PLAIN | {"shift_px": 0, "normalise": normalise})
    patch = np.random.default_rng(2).normal(900, 50, (recipe.patch_px,) * 2).astype(np.float32)
    crop = augment.augmented(patch, recipe, np.random.default_rng(0))
    scored = centre(normalise_by(torch.from_numpy(patch), recipe.normalise), recipe.input_px)
    np.testing.assert_array_equal(crop, scored.numpy())


def test_contrast_is_a_factor_within_its_bounds() -> None:
    """Contrast alone multiplies the normalised patch by exp(-c..c), as often up as down."""
    recipe = override(TINY, PLAIN | {"contrast": 0.25, "input_px": TINY.patch_px})
    factors = [
        augment.augmented(PATCH, recipe, np.random.default_rng(seed)).std() for seed in range(200)
    ]
    assert np.exp(-0.25) - 1e-4 <= min(factors) < 0.85
    assert 1.2 < max(factors) <= np.exp(0.25) + 1e-4
    assert np.mean(np.log(factors)) == pytest.approx(0, abs=0.05)


def test_sharpening_undoes_some_blur() -> None:
    """Strength 0 changes nothing; a blurred patch sharpened is nearer to what it was."""
    np.testing.assert_array_equal(augment.sharpened(PATCH, 0, 1), PATCH)
    blurred = ndimage.gaussian_filter(PATCH, 0.6, mode="mirror")
    sharp = augment.sharpened(blurred, 0.7, 0.6)
    assert np.abs(sharp - PATCH).mean() < 0.9 * np.abs(blurred - PATCH).mean()


def test_a_spline_without_moves_is_the_identity() -> None:
    """Control points that do not move shift no pixel."""
    shift = augment.spline_shift(64, 32, 0, np.random.default_rng(0))
    assert shift.shape == (2, 64, 64)
    np.testing.assert_array_equal(shift, 0)
    np.testing.assert_allclose(augment.warp(PATCH, shift), PATCH, rtol=1e-5)


def test_a_spline_moves_as_far_as_its_points() -> None:
    """Near a control point pixels move by N(0, sigma), in y and x alike and on their own."""
    shifts = [augment.spline_shift(64, 32, 10, np.random.default_rng(s)) for s in range(300)]
    middle = np.array([shift[:, 32, 32] for shift in shifts])
    assert middle.std(axis=0) == pytest.approx([10, 10], rel=0.15)
    assert np.abs(middle.mean(axis=0)).max() < 2
    assert abs(np.corrcoef(middle.T)[0, 1]) < 0.2


def test_a_spline_is_smooth() -> None:
    """Neighbouring pixels move almost alike."""
    shift = augment.spline_shift(64, 32, 5, np.random.default_rng(0))
    assert max(np.abs(np.diff(shift, axis=axis)).max() for axis in (1, 2)) < 2


@settings(deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3), st.floats(-3, 3))
def test_a_warped_ramp_is_the_ramp_at_the_shifted_places(
    slope_y: float, slope_x: float, by_y: float, by_x: float
) -> None:
    """A linear ramp read at moved places is the ramp of those places, away from the edges."""
    y, x = np.indices((24, 24), dtype=np.float32)
    ramp = (slope_y * y + slope_x * x).astype(np.float32)
    shift = np.stack([np.full_like(y, by_y), np.full_like(x, by_x)])
    got = augment.warp(ramp, shift)
    want = ramp + slope_y * by_y + slope_x * by_x
    np.testing.assert_allclose(got[3:-3, 3:-3], want[3:-3, 3:-3], atol=1e-3)


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_a_right_angle_turns_the_patch(angle: float, turns: int) -> None:
    """Turned by a right angle, pixels land on pixels: one of the eight turns."""
    got = augment.warp(PATCH, augment.turn_and_scale(64, angle, 1))
    assert min(
        np.abs(got - np.rot90(PATCH, k)).max() for k in (turns, -turns % 4)
    ) == pytest.approx(0, abs=0.1)


def test_scaling_enlarges_about_the_middle() -> None:
    """At twice the size a blob in the middle is twice as wide and stays in the middle."""
    y, x = np.indices((65, 65)) - 32
    blob = np.exp(-(y**2 + x**2) / (2 * 5.0**2)).astype(np.float32)
    got = augment.warp(blob, augment.turn_and_scale(65, 0, 2))
    want = np.exp(-(y**2 + x**2) / (2 * 10.0**2))
    np.testing.assert_allclose(got, want, atol=0.02)


def test_eight_turns_are_all_different() -> None:
    """The eight turns of a patch without symmetry are eight patches of the same pixels."""
    views = [augment.turned(PATCH, which) for which in range(8)]
    assert len({view.tobytes() for view in views}) == 8
    assert {tuple(np.sort(view, axis=None)) for view in views} == {tuple(np.sort(PATCH, axis=None))}


def test_normalising() -> None:
    """Mean 0 and variance 1; a constant patch becomes zeros."""
    got = augment.normalised(PATCH)
    assert (got.mean(), got.std()) == pytest.approx((0, 1), abs=1e-4)
    np.testing.assert_array_equal(augment.normalised(np.full((4, 4), 7, np.float32)), 0)


def test_gamma_keeps_the_order_and_one_changes_nothing() -> None:
    """Grey levels stay in order; exponent 1 is normalising alone; constants pass through."""
    got = augment.gamma_changed(PATCH, 1.4)
    np.testing.assert_array_equal(np.argsort(got, axis=None), np.argsort(PATCH, axis=None))
    np.testing.assert_allclose(
        augment.gamma_changed(PATCH, 1), augment.normalised(PATCH), atol=1e-4
    )
    flat = np.full((4, 4), 7, np.float32)
    np.testing.assert_array_equal(augment.gamma_changed(flat, 0.5), flat)


def test_shading_is_a_plane_of_the_asked_slope() -> None:
    """The shading adds nothing in the middle and the slope at the far edge, in its direction."""
    plane = augment.shaded(np.zeros((5, 5), np.float32), 0.4, 0)
    np.testing.assert_allclose(plane, np.tile([-0.4, -0.2, 0, 0.2, 0.4], (5, 1)), atol=1e-6)
    np.testing.assert_allclose(
        augment.shaded(np.zeros((5, 5), np.float32), 0.4, 90), plane.T, atol=1e-6
    )


def test_erasing_puts_zeros_in_one_square() -> None:
    """With `erase` 1 every crop has one square of zeros, an eighth to a third of its edge wide."""
    recipe = override(TINY, PLAIN | {"erase": 1})
    for seed in range(20):
        crop = augment.augmented(PATCH, recipe, np.random.default_rng(seed))
        rows, columns = np.nonzero(crop == 0)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert height == width
        assert len(rows) == height * width
        assert TINY.input_px // 8 <= height <= TINY.input_px // 3 + 1


def test_a_blur_takes_no_spread_from_local_crops() -> None:
    """Normalised by surroundings, a blurred crop is as strong as a sharp one is when scored."""
    recipe = override(DEADNET_DENSE, {"warp_sigma_px": 0, "blur_px": (1.1, 1.5)})
    edge = recipe.patch_px + 2 * context_px("local", recipe.patch_px)
    patch = np.random.default_rng(1).normal(1000, 100, (edge, edge)).astype(np.float32)
    crops = [augment.augmented(patch, recipe, np.random.default_rng(seed)) for seed in range(4)]
    assert np.std(crops) == pytest.approx(1, abs=0.05)


def test_the_spline_is_that_of_its_equations() -> None:
    """At the control points the spline moves as far as they do, at a point off them in between."""
    size, grid = 64, 32
    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    shift = augment.spline_shift(size, grid, 4, rng)
    moves = same.normal(0, 4, size=(9, 2)).reshape(3, 3, 2)
    for row, y in enumerate((0, 32, 63)):
        for column, x in enumerate((0, 32, 63)):
            assert shift[:, y, x] == pytest.approx(moves[row, column], abs=0.6)
