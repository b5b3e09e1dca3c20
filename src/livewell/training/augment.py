"""Augmentation of stacks of patches: pure functions of pixels, with parameters in pixels.

Stacks are (n, ..., h, w) float32, an item's channels between, as a rule (n, c, h, w); a single
patch is a stack of one. Parameters are (n,), one an item, or, where a function says so, (n, c), one
a channel of an item. What becomes of an item never depends on the others. Sources are given
function by function; the order is that of `augmented`.
"""

import math
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from livewell.models.nets.net import normalise
from livewell.models.profile import Profile
from livewell.models.specs import Normalisation
from livewell.training.warps import (
    Pixels,
    corner,
    cropped,
    spline_points,
    spline_shifts,
    turn_and_scale,
    turned,
    warp,
)

Numbers = NDArray[np.float32]
Rngs = Sequence[np.random.Generator]

_TOGETHER = 2**18
"""Pixels that are augmented together: with what is made of them, they fit into a core's cache."""


def generator(seed: int, key: tuple[object, ...], *numbers: int) -> np.random.Generator:
    """What decides everything random about one copy of the pixels that `key` names.

    The text of the key counts, e.g. of image, frame and corners; `numbers` say which copy.
    """
    return np.random.default_rng([seed, zlib.crc32(repr(key).encode()), *numbers])


def per_item(values: ArrayLike, patches: Pixels) -> Numbers:
    """(n,) or (n, c) as float32 with as many axes as a stack, to be set against it."""
    numbers = np.asarray(values, dtype=np.float32)
    return numbers.reshape(*numbers.shape, *[1] * (patches.ndim - numbers.ndim))


def blurred(patches: Pixels, sigmas_px: ArrayLike) -> Pixels:
    """Each patch blurred by a Gaussian, cut off at four sigma, mirrored at the edges; a copy.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 3. As `scipy.ndimage.gaussian_filter` in mode
    ``mirror``, but for rounding, in about half of its time.
    """
    weights = _gaussians(np.asarray(sigmas_px, dtype=np.float64))
    result = torch.from_numpy(np.array(patches, dtype=np.float32))
    for axis in (patches.ndim - 2, patches.ndim - 1):
        result = _along(result, weights, axis)
    return _array(result)


def _gaussians(sigmas_px: NDArray[np.float64]) -> torch.Tensor:
    """(n, reach + 1): weights at distances 0, 1, ...; both sides of each sum up to 1."""
    reaches = (4 * sigmas_px + 0.5).astype(int)[:, None]
    distances = np.arange(reaches.max(initial=0) + 1)
    spreads = np.maximum(sigmas_px, 1e-6)[:, None]
    weights = np.exp(-0.5 * (distances / spreads) ** 2) * (distances <= reaches)
    weights /= 2 * weights.sum(axis=1, keepdims=True) - weights[:, :1]
    return torch.from_numpy(weights.astype(np.float32))


def _along(patches: torch.Tensor, weights: torch.Tensor, axis: int) -> torch.Tensor:
    """Weighted sums along one axis. Products of whole slices: rounded alike whatever n is."""
    reach, length = weights.shape[1] - 1, patches.shape[axis]
    mirror = torch.from_numpy(np.pad(np.arange(length), reach, mode="reflect"))
    wide = patches.index_select(axis, mirror)
    weights = weights.reshape(*weights.shape, *[1] * (patches.ndim - 1))
    result = patches * weights[:, 0]
    both = torch.empty_like(patches)
    for distance in range(1, reach + 1):
        before = wide.narrow(axis, reach - distance, length)
        torch.add(before, wide.narrow(axis, reach + distance, length), out=both)
        result.addcmul_(both, weights[:, distance])
    return result


def _array(values: torch.Tensor) -> Pixels:
    result: Pixels = values.numpy()
    return result


def sharpened(patches: Pixels, strengths: ArrayLike, sigmas_px: ArrayLike) -> Pixels:
    """An unsharp mask: `strengths` times what Gaussians of `sigmas_px` take away, added."""
    return patches + per_item(strengths, patches) * (patches - blurred(patches, sigmas_px))


def normalised(patches: Pixels, how: Normalisation = "patch", context: int = 0) -> Pixels:
    """`nets.net.normalise` on arrays: each channel to mean 0 and variance 1, or as `how`."""
    planes = torch.from_numpy(np.ascontiguousarray(patches)).flatten(0, -3)
    # one by one: torch takes four times as long for the deviations of several, and the squares
    # around every pixel of several leave no room in the cache
    made = torch.stack([normalise(plane, how, context) for plane in planes])
    return _array(made.reshape(*patches.shape[:-2], *made.shape[1:]))


def with_spread(patches: Pixels, spreads: ArrayLike) -> Pixels:
    """Each channel stretched about its mean to an sd of `spreads`, (n,) or (n, c)."""
    flat = _flat(patches)
    means, found = per_item(flat.mean(axis=-1), patches), per_item(flat.std(axis=-1), patches)
    factors = per_item(spreads, patches) / np.where(found > 0, found, 1)
    return np.where(found > 0, means + (patches - means) * factors, patches)


def _flat(patches: Pixels) -> Pixels:
    """(n, ..., h * w): the pixels of every channel in a row."""
    return patches.reshape(*patches.shape[:-2], -1)


def gamma_changed(patches: Pixels, exponents: ArrayLike) -> Pixels:
    """Each channel's grey levels scaled to 0-1, raised to `exponents`, normalised again.

    Exponents are (n,) or (n, c). Constant channels stay as they are.
    """
    flat = _flat(patches)
    lows, highs = per_item(flat.min(axis=-1), patches), per_item(flat.max(axis=-1), patches)
    rooms = np.where(highs > lows, highs - lows, 1)
    raised: Pixels = ((patches - lows) / rooms).astype(np.float32) ** per_item(exponents, patches)
    return np.where(highs > lows, normalised(raised), patches)


def shaded(patches: Pixels, slopes: ArrayLike, angles_deg: ArrayLike) -> Pixels:
    """Linear shading added: `slopes` standard deviations per half patch, towards `angles_deg`.

    Both are (n,) or (n, c).
    """
    angles, strengths = np.deg2rad(angles_deg), np.asarray(slopes)
    y, x = (np.linspace(-1, 1, edge, dtype=np.float32) for edge in patches.shape[-2:])
    rows = per_item(strengths * np.sin(angles), patches) * y[:, None]
    result: Pixels = patches + rows
    result += per_item(strengths * np.cos(angles), patches) * x
    return result


def noisy(patches: Pixels, sds: ArrayLike, rngs: Rngs) -> Pixels:
    """Gaussian noise of `sds`, (n,) or (n, c), added to each patch.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, point 6 (0.5).
    """
    noise = np.empty(patches.shape, dtype=np.float32)
    for out, rng in zip(noise, rngs, strict=True):
        rng.standard_normal(out=out, dtype=np.float32)
    noise *= per_item(sds, patches)
    noise += patches
    return noise


def augmented(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    """Random near copies of patches as the net sees them in training, normalised.

    Patches (n, c, edge, edge) in grey levels become (n, c, input_px, input_px); edge is patch_px,
    and with local normalisation twice its context more. Whole frames stay (n, c, h, w). Each of
    `rngs` decides everything random about its own item, in the same order.

    Notes
    -----
    Warp, turns, blur, normalisation, noise and the random crop: Richmond et al. 2017, sections
    2.3 and 2.4. Rotation, scale, shading, gamma and erasing are livewell's own. Local
    normalisation comes first, as it looks at pixels around the patch; a warp hardly changes it, and
    the spread that a blur takes away is given back. What moves pixels, blurs or erases them is the
    same in all channels of an item; gamma, shading, contrast and noise are drawn channel by
    channel.
    """
    size = (profile.input.input_px,) * 2 if profile.input.input_px else patches.shape[2:]
    many = max(_TOGETHER // math.prod(patches.shape[1:]), 1)
    result = np.empty((*patches.shape[:2], *size), dtype=np.float32)
    for first in range(0, len(patches), many):
        some = slice(first, first + many)
        result[some] = _augmented(patches[some], profile, rngs[some])
    return result


def _augmented(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    around, spreads = profile.input.radius_px, None
    if around:
        patches = normalised(patches, profile.input.normalise, around)
    if profile.input.normalise == "local":
        spreads = _flat(patches).std(axis=-1)
    patches = _moved(patches, profile, rngs)
    patches = with_other_optics(patches, profile, rngs, spreads)
    edge, size = profile.input.patch_px, profile.input.input_px
    if size:
        jitter = profile.augment.crop_jitter_px
        corners = [corner(edge, size, jitter, rng) for rng in rngs]
        patches = cropped(patches, corners, size)
    return with_holes(patches, profile, rngs)


def with_other_optics(
    patches: Pixels, profile: Profile, rngs: Rngs, spreads: Numbers | None = None
) -> Pixels:
    """Blur or sharpening, and on normalised pixels gamma, shading, contrast and noise.

    Patches are normalised before if the normalisation is a local one, else here. `spreads` (n, c)
    are standard deviations that a blur must not change; ``None``: it may.
    """
    patches = _focused(patches, profile, rngs)
    if not profile.input.radius_px:
        patches = normalised(patches, profile.input.normalise)
    elif spreads is not None:
        patches = np.where(per_item(spreads, patches) > 0, with_spread(patches, spreads), patches)
    return _lit(patches, profile, rngs)


def with_holes(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    """A square of zeros in all channels of each patch, by chance."""
    share, size = profile.augment.erase, min(patches.shape[2:])
    if not share:
        return patches
    result = patches.copy()
    for patch, rng in zip(result, rngs, strict=True):
        if rng.random() < share:
            edge = int(rng.integers(size // 8, size // 3 + 1))
            y, x = (int(rng.integers(0, length - edge + 1)) for length in patch.shape[1:])
            patch[:, y : y + edge, x : x + edge] = 0
    return result


def _moved(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    """A warp, rotation, scale and translation together, then a flip."""
    augment, (height, width) = profile.augment, patches.shape[2:]
    shifts: list[Pixels] = []
    if augment.warp_sigma_px:
        grid = augment.warp_grid_px
        shape = (len(spline_points(height, width, grid)), 2)
        moves = np.stack([rng.normal(0, augment.warp_sigma_px, size=shape) for rng in rngs])
        shifts.append(spline_shifts(height, width, grid, moves))
    if augment.rotate_deg or augment.scale != (1.0, 1.0):
        low, high = np.log(augment.scale)
        bounds = ((-augment.rotate_deg, augment.rotate_deg), (float(low), float(high)))
        angles, powers = _drawn(rngs, 1, *bounds)[..., 0]
        shifts.append(turn_and_scale(height, width, angles, np.exp(powers)))
    if augment.translate_px:
        far = (-augment.translate_px, augment.translate_px)
        drawn = _drawn(rngs, 1, far, far)[..., 0].T.astype(np.float32)[:, :, None, None]
        shifts.append(np.broadcast_to(drawn, (len(patches), 2, height, width)))
    if shifts:
        patches = warp(patches, sum(shifts[1:], start=shifts[0]))
    if augment.flips:
        # of those that are not square only whole half turns and mirrors
        step = 1 if height == width else 2
        patches = turned(patches, [step * int(rng.integers(8 // step)) for rng in rngs])
    return patches


def _focused(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    """A blur or a sharpening, by chance."""
    augment = profile.augment
    soft, sharp, sigmas, strengths = [], [], [], []
    for row, rng in enumerate(rngs):
        which = rng.random()
        if augment.blur_px[1] > 0 and which < augment.blur_share:
            soft.append(row)
            sigmas.append(rng.uniform(*augment.blur_px))
        elif which > 1 - augment.sharpen_share:
            sharp.append(row)
            strengths.append((rng.uniform(0, augment.sharpen), rng.uniform(0.5, 1.5)))
    result = patches.copy()
    if soft:
        result[soft] = blurred(patches[soft], sigmas)
    if sharp:
        result[sharp] = sharpened(patches[sharp], *np.transpose(strengths))
    return result


def _lit(patches: Pixels, profile: Profile, rngs: Rngs) -> Pixels:
    """Gamma, shading, contrast and noise on normalised patches, each channel by its own draws."""
    augment, channels = profile.augment, patches.shape[1]
    if augment.gamma != (1.0, 1.0):
        low, high = np.log(augment.gamma)
        (powers,) = _drawn(rngs, channels, (float(low), float(high)))
        patches = gamma_changed(patches, np.exp(powers))
    if augment.shade:
        patches = shaded(patches, *_drawn(rngs, channels, (0, augment.shade), (0, 360)))
    if augment.contrast:
        (powers,) = _drawn(rngs, channels, (-augment.contrast, augment.contrast))
        patches = patches * per_item(np.exp(powers), patches)
    if augment.noise_sd[1] > 0:
        (sds,) = _drawn(rngs, channels, augment.noise_sd)
        patches = noisy(patches, sds, rngs)
    return patches


def _drawn(rngs: Rngs, times: int, *bounds: tuple[float, float]) -> NDArray[np.float64]:
    """(bounds, n, times): uniform numbers, an item's in all of the bounds, over again."""
    drawn = [
        [[rng.uniform(low, high) for low, high in bounds] for _ in range(times)] for rng in rngs
    ]
    return np.moveaxis(np.array(drawn).reshape(len(rngs), times, len(bounds)), -1, 0)
