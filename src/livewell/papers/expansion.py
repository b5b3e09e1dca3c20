"""The enumerated expansion of Richmond et al. 2017, section 2.3: every near copy by its number.

A full frame of data set A becomes 2,592 crops, a sequence of data set B 720. Copies come stack by
stack, so that one stack is held at a time, and each depends on seed, key and number alone.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageContentError, SpecError
from livewell.geometry import Box, Edge, tiles
from livewell.training.augment import Rngs, blurred, generator, noisy, normalised
from livewell.training.warps import (
    Pixels,
    before,
    corner,
    cropped,
    spline_points,
    spline_shifts,
    turned,
    warp,
)

_WARP, _BLUR, _COPY = 1, 2, 3
"""What a generator is for: the moves of a warp, the sigma of a blur, a copy's noise and crop."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Factors of an expansion by the paper's letters; its text is e.g. ``3x8x2x54``.

    Parameters
    ----------
    w, r, b, c, t, n
        Warps, turns, blurs, crops, frames in time, noises.
    """

    w: int = 1
    r: int = 1
    b: int = 1
    c: int = 1
    t: int = 1
    n: int = 1

    @property
    def total(self) -> int:
        """Near copies in all."""
        return math.prod(astuple(self))

    def __str__(self) -> str:
        return "x".join(str(factor) for factor in astuple(self) if factor > 1) or "1"


def _check(spec: "ExpansionA | ExpansionB", positive: tuple[str, ...]) -> None:
    """Refuse an expansion that cannot be, telling everything that is wrong with it."""
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    wrong = [f"{name} is {values[name]}" for name in positive if values[name] < 1]
    wrong += [f"turns is {spec.turns}"] if not 1 <= spec.turns <= 8 else []
    wrong += [f"blur_px is {spec.blur_px}"] if not 0 <= spec.blur_px[0] <= spec.blur_px[1] else []
    wrong += [
        f"{name} is {values[name]}"
        for name in ("warp_sigma_px", "noise_sd")
        if values.get(name, 0) < 0
    ]
    if not 0 <= spec.input_px <= spec.crop_px:
        wrong.append(f"input_px is {spec.input_px}")
    if wrong:
        raise SpecError(
            "an expansion that cannot be",
            expected="counts and lengths of at least 1, 1 to 8 turns, low <= high, nothing below 0,"
            " input_px at most crop_px",
            got="; ".join(wrong),
        )


@dataclass(frozen=True, slots=True)
class ExpansionA:
    """What becomes of a full frame of data set A: w warps x r turns x b blurs x c crops.

    Parameters
    ----------
    warps, turns, blurs
        How many of each; turns are the first of the eight.
    warp_sigma_px, warp_grid_px
        Thin-plate spline: sd and distance of the control points.
    blur_px
        Lowest and highest sigma of a blur.
    crop_px, stride_px
        Edge of a crop, and distance from crop to crop.
    edge
        See `livewell.geometry.Edge`. ``exclusive`` gives the paper's 54 crops of 1344 x 1024,
        ``drop`` all 63 that fit.
    input_px
        Edge of a random square of each copy, the last step (section 2.4: 220); 0 for whole copies.

    Raises
    ------
    SpecError
        Settings that cannot be.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, points 1 to 4.
    """

    warps: int = 3
    turns: int = 8
    blurs: int = 2
    warp_sigma_px: float = 10.0
    warp_grid_px: int = 128
    blur_px: tuple[float, float] = (1.1, 1.5)
    crop_px: int = 256
    stride_px: int = 128
    edge: Edge = "exclusive"
    input_px: int = 0

    def __post_init__(self) -> None:
        _check(self, ("warps", "blurs", "warp_grid_px", "crop_px", "stride_px"))

    def counts(self, height_px: int, width_px: int) -> Counts:
        """How many copies of a frame: w x r x b x c."""
        crops = len(self.boxes(height_px, width_px))
        return Counts(w=self.warps, r=self.turns, b=self.blurs, c=crops)

    def boxes(self, height_px: int, width_px: int) -> list[Box]:
        """Where the crops of a frame lie, row by row."""
        return list(
            tiles(Box.of(0, 0, height_px, width_px), self.crop_px, self.stride_px, self.edge)
        )


@dataclass(frozen=True, slots=True)
class ExpansionB:
    """What becomes of a sequence of data set B: r turns x b blurs x t frames x n noises.

    Parameters
    ----------
    turns, blurs, frames, noises
        How many of each; turns are the first of the eight.
    blur_px
        Lowest and highest sigma of a blur.
    noise_sd
        Standard deviation of the noise on crops of mean 0 and variance 1.
    crop_px
        Edge of the sequence's frames.
    input_px
        Edge of a random square of each copy, the last step (section 2.4: 220); 0 for whole copies.

    Raises
    ------
    SpecError
        Settings that cannot be.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3, points 2, 3, 5 and 6.
    """

    turns: int = 8
    blurs: int = 3
    frames: int = 10
    noises: int = 3
    blur_px: tuple[float, float] = (1.1, 1.5)
    noise_sd: float = 0.5
    crop_px: int = 256
    input_px: int = 0

    def __post_init__(self) -> None:
        _check(self, ("blurs", "frames", "noises", "crop_px"))

    @property
    def counts(self) -> Counts:
        """How many copies of a sequence: r x b x t x n."""
        return Counts(r=self.turns, b=self.blurs, t=self.frames, n=self.noises)


EXPANSION_A_2017, EXPANSION_B_2017 = ExpansionA(), ExpansionB()
"""Of data sets A and B; Richmond et al. 2017, section 2.3."""

COPIES_A, COPIES_B = EXPANSION_A_2017.counts(1024, 1344), EXPANSION_B_2017.counts
"""Near copies of a frame of 1344 x 1024, 3x8x2x54 = 2,592, and of a sequence, 8x3x10x3 = 720."""


@dataclass(frozen=True, slots=True)
class NearCopy:
    """How one near copy was made; what its data set does not have is 0.

    Parameters
    ----------
    number
        Counted from 0; warp, turn, blur, crop (A) or turn, blur, frame, noise (B), the last of them
        running fastest.
    box
        Where the crop lies in the frame (A) or the sequence (B) as it was given, before warp, turn
        and `ExpansionA.input_px`; half-open, pixels.
    turn
        See `livewell.training.warps.turned`.
    sigma_px
        Of the blur.
    warp, t, noise
        Number of the warp (A), of the frame and of the noise (B), from 0.
    """

    number: int
    box: Box
    turn: int
    sigma_px: float
    warp: int = 0
    t: int = 0
    noise: int = 0


Stack = tuple[list[NearCopy], Pixels]
"""How copies were made, and their pixels: (n, edge, edge) float32."""


def copies_a(
    frame: NDArray[Any],
    key: tuple[object, ...],
    seed: int,
    spec: ExpansionA = EXPANSION_A_2017,
    *,
    numbers: Iterable[int] | None = None,
) -> Iterator[Stack]:
    """Near copies of a full frame: warped, turned, blurred, cropped, each crop normalised.

    Parameters
    ----------
    frame
        (y, x), grey levels of the file.
    key
        Names the frame, e.g. (image, t); its text decides together with `seed`.
    seed
        Of everything random.
    spec
        How many copies, and their parameters.
    numbers
        Which copies; all of them if ``None``.

    Yields
    ------
    list of NearCopy, numpy.ndarray
        The copies of one warp, turn and blur, in order: at most 54 in the paper, (n, 256, 256)
        float32 of mean 0 and variance 1.

    Raises
    ------
    ImageContentError
        No frame, or one in which no crop fits.
    SpecError
        Numbers beyond the last copy.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3: w x r x b x c = 3 x 8 x 2 x 54 = 2,592. The frame is
    turned whole, and crops are counted from the first pixel of what it then is: each axis keeps
    its number of crops, 9 of 1344 pixels and 6 of 1024, so there are 54 after every turn, and
    turned copies begin at the frame's other ends.
    """
    counts = spec.counts(*frame.shape) if frame.ndim == 2 else Counts(c=0)
    if not counts.total:
        raise ImageContentError(
            "no frame that crops can be cut from",
            where=repr(key),
            expected=f"(y, x), more than {spec.crop_px} pixels on both axes",
            got=f"shape {frame.shape}",
            remedy="give one whole frame of one channel, or a spec with smaller crops",
        )
    height, width = frame.shape
    warped: dict[int, Pixels] = {}
    for stack, inside in _by_stack(numbers, counts.total, counts.c).items():
        which, turn = divmod(stack // spec.blurs, spec.turns)
        if which not in warped:
            # one at a time is held, as stacks come warp by warp
            warped = {which: _warped(frame, spec, generator(seed, ("A", *key), _WARP, which))}
        sigma = generator(seed, ("A", *key), _BLUR, stack).uniform(*spec.blur_px)
        whole = blurred(turned(warped[which], [turn]), [sigma])[0]
        grid = spec.boxes(*whole.shape)
        boxes = [grid[place] for place in inside]
        made = [
            NearCopy(
                stack * counts.c + place, before(box, turn, height, width), turn, sigma, warp=which
            )
            for place, box in zip(inside, boxes, strict=True)
        ]
        crops = normalised(np.stack([whole[box.slices] for box in boxes]))
        rngs = [generator(seed, ("A", *key), _COPY, copy.number) for copy in made]
        yield made, _last_crop(crops, spec.input_px, rngs)


def copies_b(
    sequence: NDArray[Any],
    key: tuple[object, ...],
    seed: int,
    spec: ExpansionB = EXPANSION_B_2017,
    *,
    numbers: Iterable[int] | None = None,
) -> Iterator[Stack]:
    """Near copies of the frames of a sequence: turned, blurred, normalised, with noise.

    Parameters
    ----------
    sequence
        (t, y, x), grey levels of the file: 10 frames of 256 x 256 in the paper.
    key
        Names the sequence, e.g. (image, t, corners); its text decides together with `seed`.
    seed
        Of everything random.
    spec
        How many copies, and their parameters.
    numbers
        Which copies; all of them if ``None``.

    Yields
    ------
    list of NearCopy, numpy.ndarray
        The copies of one turn and blur, in order: at most 30 in the paper, (n, 256, 256) float32 of
        mean 0 and variance 1 to which noise has been added.

    Raises
    ------
    ImageContentError
        No sequence of as many frames of that size as `spec` says.
    SpecError
        Numbers beyond the last copy.

    Notes
    -----
    Source: Richmond et al. 2017, section 2.3: r x b x t x n = 8 x 3 x 10 x 3 = 720. Every frame has
    a blur of its own.
    """
    edge = spec.crop_px
    if sequence.shape != (spec.frames, edge, edge):
        raise ImageContentError(
            "no sequence of frames as the expansion takes them",
            where=repr(key),
            expected=f"(t, y, x) of {spec.frames} x {edge} x {edge}",
            got=f"shape {sequence.shape}",
            remedy="cut the sequence to that size, or give a spec of its own",
        )
    each = spec.frames * spec.noises
    for stack, inside in _by_stack(numbers, spec.counts.total, each).items():
        turn = stack // spec.blurs
        times, noises = np.divmod(inside, spec.noises)
        shown, rows = np.unique(times, return_inverse=True)
        sigmas = {
            t: generator(seed, ("B", *key), _BLUR, stack * spec.frames + t).uniform(*spec.blur_px)
            for t in shown.tolist()
        }
        views = turned(sequence[shown], [turn] * len(shown))
        frames = normalised(blurred(views, list(sigmas.values())))
        made = [
            NearCopy(stack * each + place, Box.of(0, 0, edge, edge), turn, sigmas[t], t=t, noise=n)
            for place, t, n in zip(inside, times.tolist(), noises.tolist(), strict=True)
        ]
        rngs = [generator(seed, ("B", *key), _COPY, copy.number) for copy in made]
        copies = noisy(frames[rows], [spec.noise_sd] * len(made), rngs)
        yield made, _last_crop(copies, spec.input_px, rngs)


def _warped(frame: NDArray[Any], spec: ExpansionA, rng: np.random.Generator) -> Pixels:
    """(1, y, x) float32: the frame deformed by a thin-plate spline."""
    (height, width), grid = frame.shape, spec.warp_grid_px
    moves = rng.normal(0, spec.warp_sigma_px, size=spline_points(height, width, grid).shape)
    return warp(frame[None].astype(np.float32), spline_shifts(height, width, grid, moves[None]))


def _last_crop(copies: Pixels, input_px: int, rngs: Rngs) -> Pixels:
    """The random crop that the net sees; all of each copy if `input_px` is 0."""
    if not input_px:
        return copies
    return cropped(copies, [corner(copies.shape[1], input_px, -1, r) for r in rngs], input_px)


def _by_stack(numbers: Iterable[int] | None, total: int, each: int) -> Mapping[int, list[int]]:
    """Wanted copies: for every stack their places inside it, ascending."""
    wanted = sorted(set(range(total) if numbers is None else numbers))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < total:
        raise SpecError(
            "no such near copy",
            expected=f"numbers from 0 to {total - 1}",
            got=f"{wanted[0]} to {wanted[-1]}",
        )
    stacks: dict[int, list[int]] = {}
    for number in wanted:
        stacks.setdefault(number // each, []).append(number % each)
    return stacks
