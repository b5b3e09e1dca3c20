"""Augmentation of one patch: pure functions of pixels, parameters in pixels, and a generator.

Sources are given function by function; the order is that of `augmented`.
"""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from livewell.nets.net import context_px, normalise
from livewell.profiles import Normalisation, Profile

Pixels = NDArray[np.float32]
Places = NDArray[np.float64]


def spline_shift(size_px: int, grid_px: int, sigma_px: float, rng: np.random.Generator) -> Pixels:
    """Displacements of a thin-plate spline whose control points move by N(0, sigma).

    Parameters
    ----------
    size_px
        Edge of the square patch.
    grid_px
        Distance of the control points; they stand at 0, grid_px, ... up to the far edge.
    sigma_px
        Standard deviation of a control point's move, each axis, pixels.
    rng
        Decides the moves.

    Returns
    -------
    numpy.ndarray
        (2, size_px, size_px) float32: displacement in y and in x, pixels.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 1; kernel r^2 log r (Bookstein 1989).
    """
    effects = _spline_effects(size_px, grid_px)
    moves = rng.normal(0, sigma_px, size=(effects.shape[1], 2))
    # torch's product keeps to the one thread that a loading process has; numpy's takes all cores
    shift = torch.from_numpy(moves.T.astype(np.float32)) @ effects.T
    result: Pixels = shift.reshape(2, size_px, size_px).numpy()
    return result


@cache
def _spline_effects(size_px: int, grid_px: int) -> torch.Tensor:
    """What a move of each control point by 1 px does to every pixel, (pixels, points)."""
    axis: Places = np.unique(np.arange(0, size_px + grid_px, grid_px).clip(max=size_px)) * 1.0
    grid = np.meshgrid(axis, axis, indexing="ij")
    points: Places = np.stack(grid, axis=-1).reshape(-1, 2).astype(np.float64)
    count = len(points)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(points, points)
    system[:count, count] = 1
    system[:count, count + 1 :] = points
    system[count:, :count] = system[:count, count:].T
    pixels: Places = np.indices((size_px, size_px)).reshape(2, -1).T.astype(np.float64) + 0.5
    terms = np.hstack([_kernel(pixels, points), np.ones((len(pixels), 1)), pixels])
    # weights are linear in the moves, so one solution serves all of them
    effects: Places = terms @ np.linalg.solve(system, np.eye(count + 3)[:, :count])
    return torch.from_numpy(effects.astype(np.float32))


def _kernel(a: Places, b: Places) -> Places:
    squared = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    result: Places = 0.5 * squared * np.log(np.maximum(squared, 1e-12))
    return result


def turn_and_scale(size_px: int, angle_deg: float, scale: float) -> Pixels:
    """Displacements (2, size, size) in pixels that turn and enlarge a patch about its middle."""
    angle = np.deg2rad(angle_deg)
    middle = (size_px - 1) / 2
    y, x = np.indices((size_px, size_px), dtype=np.float32) - middle
    new_y = (np.cos(angle) * y - np.sin(angle) * x) / scale
    new_x = (np.sin(angle) * y + np.cos(angle) * x) / scale
    return np.stack([new_y - y, new_x - x]).astype(np.float32)


def warp(patch: Pixels, shift: Pixels) -> Pixels:
    """`patch` read at every pixel's place plus `shift`, bilinearly, mirrored at the edges."""
    height, width = patch.shape
    places = torch.from_numpy(np.ascontiguousarray(shift))
    y = places[0] + torch.arange(height, dtype=torch.float32)[:, None]
    x = places[1] + torch.arange(width, dtype=torch.float32)
    # torch counts places from -1 to 1 between the centres of the outermost pixels
    grid = torch.stack([x * (2 / max(width - 1, 1)) - 1, y * (2 / max(height - 1, 1)) - 1], dim=-1)
    source = torch.from_numpy(np.ascontiguousarray(patch))[None, None]
    found = functional.grid_sample(
        source, grid[None], mode="bilinear", padding_mode="reflection", align_corners=True
    )
    result: Pixels = found[0, 0].numpy()
    return result


def turned(patch: Pixels, which: int) -> Pixels:
    """One of the eight turns and mirrors (0-7); Richmond et al. 2017, section 2.3, point 2."""
    result = np.rot90(patch, which % 4)
    return result[:, ::-1] if which >= 4 else result


def normalised(patch: Pixels, how: Normalisation = "patch", context: int = 0) -> Pixels:
    """`livewell.nets.net.normalise` on an array."""
    result: Pixels = normalise(torch.from_numpy(np.ascontiguousarray(patch)), how, context).numpy()
    return result


def with_spread(patch: Pixels, spread: float) -> Pixels:
    """`patch` stretched about its mean to a standard deviation of `spread`."""
    mean, found = patch.mean(), patch.std()
    return patch if found == 0 else mean + (patch - mean) * np.float32(spread / found)


def gamma_changed(patch: Pixels, exponent: float) -> Pixels:
    """Grey levels scaled to 0-1, raised to `exponent`, normalised again."""
    low, high = float(patch.min()), float(patch.max())
    if high <= low:
        return patch
    return normalised(((patch - low) / (high - low)) ** np.float32(exponent))


def shaded(patch: Pixels, slope: float, angle_deg: float) -> Pixels:
    """A linear shading added: `slope` standard deviations per half patch, towards `angle_deg`."""
    angle = np.deg2rad(angle_deg)
    y, x = (np.linspace(-1, 1, edge, dtype=np.float32) for edge in patch.shape)
    plane = np.sin(angle) * y[:, None] + np.cos(angle) * x[None, :]
    result: Pixels = patch + np.float32(slope) * plane.astype(np.float32)
    return result


def sharpened(patch: Pixels, strength: float, sigma_px: float) -> Pixels:
    """An unsharp mask: `strength` times what a Gaussian of `sigma_px` takes away, added."""
    blurred = ndimage.gaussian_filter(patch, sigma_px, mode="mirror")
    result: Pixels = patch + np.float32(strength) * (patch - blurred)
    return result


def cropped(patch: Pixels, size_px: int, shift_px: float, rng: np.random.Generator) -> Pixels:
    """A random square of a patch.

    Parameters
    ----------
    patch
        (patch_px, patch_px), any number type.
    size_px
        Edge of the square, at most the patch's.
    shift_px
        How far from the middle it may lie, pixels on each axis; anywhere if negative.
    rng
        Decides where.

    Returns
    -------
    numpy.ndarray
        (size_px, size_px) float32, a copy.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.4 (220 px of 256 px).
    """
    room = patch.shape[0] - size_px
    low, high = 0, room
    if shift_px >= 0:
        low, high = max(round(room / 2 - shift_px), 0), min(round(room / 2 + shift_px), room)
    top, left = rng.integers(low, high + 1, size=2)
    return np.array(patch[top : top + size_px, left : left + size_px], dtype=np.float32)


def augmented(patch: Pixels, profile: Profile, rng: np.random.Generator) -> Pixels:
    """A random near copy of a patch as the net sees it in training.

    Parameters
    ----------
    patch
        (edge, edge) float32, grey levels of the file; edge is patch_px, and with local
        normalisation twice its context more.
    profile
        Which changes and how strong.
    rng
        Decides everything random here.

    Returns
    -------
    numpy.ndarray
        (input_px, input_px) float32, normalised.

    Notes
    -----
    Warp, turns, blur, normalisation, noise and the random crop: Richmond et al. 2017, sections
    2.3 and 2.4. Rotation, scale, shading, gamma and erasing are livewell's own. Local
    normalisation comes first, as it looks at pixels around the patch; a warp hardly changes it, and
    the spread that a blur takes away is given back.
    """
    around = context_px(profile.normalise, profile.patch_px)
    if around:
        patch = normalised(patch, profile.normalise, around)
    spread = patch.std() if profile.normalise == "local" else 0.0
    shift = _geometry(profile, rng)
    if shift is not None:
        patch = warp(patch, shift)
    patch = _focus(patch, profile, rng)
    if not around:
        patch = normalised(patch, profile.normalise)
    elif spread:
        patch = with_spread(patch, float(spread))
    patch = _light(patch, profile, rng)
    patch = cropped(patch, profile.input_px, profile.shift_px, rng)
    size = profile.input_px
    if profile.erase and rng.random() < profile.erase:
        edge = int(rng.integers(size // 8, size // 3 + 1))
        y, x = rng.integers(0, size - edge + 1, size=2)
        patch[y : y + edge, x : x + edge] = 0
    return patch


def _focus(patch: Pixels, profile: Profile, rng: np.random.Generator) -> Pixels:
    """A turn, then a blur or a sharpening."""
    if profile.turns:
        patch = turned(patch, int(rng.integers(8)))
    which = rng.random()
    if profile.blur_px[1] > 0 and which < profile.blur_share:
        patch = ndimage.gaussian_filter(patch, rng.uniform(*profile.blur_px), mode="mirror")
    elif which > 1 - profile.sharpen_share:
        patch = sharpened(patch, rng.uniform(0, profile.sharpen), rng.uniform(0.5, 1.5))
    return patch


def _light(patch: Pixels, profile: Profile, rng: np.random.Generator) -> Pixels:
    """Gamma, shading, contrast and noise on a normalised patch."""
    if profile.gamma != (1.0, 1.0):
        low, high = np.log(profile.gamma)
        patch = gamma_changed(patch, float(np.exp(rng.uniform(low, high))))
    if profile.shade:
        patch = shaded(patch, rng.uniform(0, profile.shade), rng.uniform(0, 360))
    if profile.contrast:
        patch = patch * np.float32(np.exp(rng.uniform(-profile.contrast, profile.contrast)))
    if profile.noise_sd[1] > 0:
        sd = np.float32(rng.uniform(*profile.noise_sd))
        patch = patch + sd * rng.standard_normal(patch.shape, dtype=np.float32)
    return patch


def _geometry(profile: Profile, rng: np.random.Generator) -> Pixels | None:
    size = profile.patch_px
    shift: Pixels | None = None
    if profile.warp_sigma_px:
        shift = spline_shift(size, profile.warp_grid_px, profile.warp_sigma_px, rng)
    if profile.rotate_deg or profile.scale != (1.0, 1.0):
        low, high = np.log(profile.scale)
        angle = rng.uniform(-profile.rotate_deg, profile.rotate_deg)
        turn = turn_and_scale(size, angle, float(np.exp(rng.uniform(low, high))))
        shift = turn if shift is None else shift + turn
    return shift
