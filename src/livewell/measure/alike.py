"""Which frames show the same, though their grey levels, edges or orientation differ.

Two steps. Magnitudes of low frequencies do not change when an image is shifted, so they name
candidates by products of matrices, over all turns and mirror images. Then each candidate is laid on
the other at every shift, and must agree wherever the two overlap.

Source: Kuglin and Hines (1975), registration in the frequency domain; Padfield (2012), IEEE
Transactions on Image Processing 21, correlation normalised over the overlap.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from livewell.measure.likeness import EDGE, LIMIT, Likeness, details
from livewell.measure.pattern import without_pattern

LEAST = 0.6
"""Correlation of thumbnails, over their overlap, from which two frames show the same."""
DISTINCT = 0.45
"""How far above that of any other turn it lies at least, as a share of what is left to 1. A cell or
two lie on each other in every turn, and say nothing."""
EVIDENCE = 12.0
"""Correlation of two frames, after Fisher's transformation, in standard deviations of that of
frames with as many independent details: of all shifts and turns, and of many pairs."""
CANDIDATE = 0.36
"""Correlation of low frequencies from which two frames are laid on each other."""
OVERLAP = 0.65
"""Share of the larger frame that both must show."""
FREQUENCIES = 14
"""Highest frequency of candidates, periods a frame."""
RATIO, LADDER = 1.35, 1.2
"""Frames whose sizes differ by less may be parts of each other, pixel on pixel; steps of sizes at
which their frequencies are taken in pixels."""
BLOCK = 256
VIEWS = ((0, 2), (1, 3), (4, 6), (5, 7))
"""Turns of the same magnitudes: by quarters, and from 4 on of the mirror image."""
Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Pair(NamedTuple):
    """Numbers of two frames that show the same, and how far they agree (1 for copies)."""

    one: int
    other: int
    correlation: float


class Frames:
    """Likenesses of frames or tiles that are compared, the image and the group that each is of.

    Frames of one group, by default of one image, are not compared. What most of at least
    `pattern.LEAST_IMAGES` images of one size have in common (in one of their `parts`, where these
    are tiles), such as dust or a camera's pattern, is taken out of them.
    """

    def __init__(
        self,
        likenesses: Sequence[Likeness],
        images: Sequence[str],
        groups: Sequence[str] | None = None,
        parts: Sequence[str] | None = None,
    ) -> None:
        self.images = np.array(images, dtype=object)
        self.groups = self.images if groups is None else np.array(groups, dtype=object)
        self.sizes = np.array([(one.height, one.width) for one in likenesses]).reshape(-1, 2)
        stack = np.array([one.thumbnail for one in likenesses], dtype=np.float32)
        stack = stack.reshape(-1, EDGE, EDGE) * (LIMIT / 127)
        parts = [""] * len(self.images) if parts is None else parts
        kinds = [f"{each} {part}" for each, part in zip(self.sizes, parts, strict=True)]
        self.thumbnails = without_pattern(stack, kinds, self.images)
        self.details = np.array([details(each) for each in self.thumbnails])
        self._edges = np.log(np.maximum(self.sizes, 1).max(axis=1)) / np.log(LADDER)
        self._known: dict[float | None, tuple[Numbers, Floats]] = {}

    def __len__(self) -> int:
        return len(self.images)

    def steps(self) -> set[float]:
        """Sizes in pixels at which frequencies of some of them are taken."""
        return set(np.round(self._edges).tolist())

    def magnitudes(self, step: float | None = None) -> tuple[Numbers, Floats]:
        """Numbers of frames, and magnitudes of their low frequencies (n, views, k).

        Of all in periods a frame; at a step of those of about its size, in periods in so many
        pixels.
        """
        if step not in self._known:
            if step is None:
                numbers, scales = np.arange(len(self)), np.ones_like(self.sizes, dtype=float)
            else:
                numbers = np.flatnonzero(np.abs(self._edges - step) <= 1)
                scales = self.sizes[numbers] / LADDER**step
            pairs = zip(self.thumbnails[numbers], scales, strict=True)
            found = [_magnitudes(thumbnail, scale) for thumbnail, scale in pairs]
            self._known[step] = numbers, np.array(found, dtype=np.float32)
        return self._known[step]


def pairs_alike(
    ones: Frames,
    others: Frames | None = None,
    asked: Callable[[str, str], bool] = lambda one, other: True,
) -> Iterator[Pair]:
    """Pairs of frames of different groups that show the same, the first found of two images.

    Parameters
    ----------
    ones, others
        Frames of the first are compared with those of the second, or among themselves.
    asked
        Whether two images are to be compared, as far as is known by then.
    """
    others = ones if others is None else others
    tried = {each[:3]: each[3] for each in _candidates(ones, others)}
    found = set[tuple[str, str]]()
    for i, j, view in sorted(tried, key=lambda each: (-tried[each], each)):
        names = ones.images[i], others.images[j]
        if names not in found and asked(*names):
            agreed = _same(ones, i, others, j, view)
            if agreed:
                found.add(names)
                yield Pair(i, j, agreed)


def _candidates(ones: Frames, others: Frames) -> Iterator[tuple[int, int, int, float]]:
    """Frames of different groups whose low frequencies agree: numbers, view, correlation."""
    if not len(ones) or not len(others):
        return
    steps: list[float | None] = [None]
    if len(np.unique(np.concatenate([ones.sizes, others.sizes]), axis=0)) > 1:
        steps += sorted(ones.steps() | others.steps())
    for step in steps:
        mine, left = ones.magnitudes(step)
        theirs, right = others.magnitudes(step)
        for start in range(0, len(mine) if len(theirs) else 0, BLOCK):
            rows = mine[start : start + BLOCK]
            block = left[start : start + BLOCK, 0]
            agreed = np.stack([block @ right[:, view].T for view in range(len(VIEWS))])
            high = agreed.max(axis=0) >= CANDIDATE
            high &= ones.groups[rows][:, None] != others.groups[theirs][None]
            if ones is others:
                high &= rows[:, None] < theirs[None]
            for i, j in np.argwhere(high):
                view = int(agreed[:, i, j].argmax())
                yield int(rows[i]), int(theirs[j]), view, float(agreed[view, i, j])


@cache
def _taper() -> Floats:
    edge = np.hanning(EDGE + 2)[1:-1]
    return np.outer(edge, edge).astype(np.float32)


def _magnitudes(thumbnail: Floats, scale: NDArray[np.float64]) -> Floats:
    """Magnitudes less their neighbours', (views, k), each view of length 1."""
    periods = np.arange(-FREQUENCIES, FREQUENCIES + 1)
    at = 2j * np.pi * np.arange(EDGE) / EDGE
    down, right = (np.exp(-np.outer(periods * by, at)) for by in scale)
    found = np.abs(down @ (thumbnail * _taper()) @ right.T)
    found -= ndimage.gaussian_filter(found, 2.5)
    radius = np.hypot(periods[:, None], periods)
    # the other half plane holds the same numbers
    half = (periods[:, None] > 0) | ((periods[:, None] == 0) & (periods > 0))
    chosen = half & (radius <= FREQUENCIES) & (radius >= 1.5)
    views = [_turned(found, turns[0])[chosen] for turns in VIEWS]
    centred = np.array([view - view.mean() for view in views])
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(length, 1e-6), dtype=np.float32)


def _turned(values: NDArray[np.floating], turn: int) -> NDArray[np.floating]:
    return np.rot90(values[:, ::-1] if turn >= 4 else values, turn % 4)


def _same(ones: Frames, i: int, others: Frames, j: int, view: int) -> float:
    """Correlation of two frames in the best turn of a view, 0 where they are not the same."""
    agreed, best = max((_agreement(ones, i, others, j, turn), turn) for turn in VIEWS[view])
    sure = np.arctanh(min(agreed, 0.999)) * np.sqrt(min(ones.details[i], others.details[j]))
    if agreed < LEAST or sure < EVIDENCE:
        return 0.0
    most = (agreed - DISTINCT) / (1 - DISTINCT)
    turned = (_agreement(ones, i, others, j, turn, most) for turn in range(8) if turn != best)
    return agreed if all(each <= most for each in turned) else 0.0


def _agreement(
    ones: Frames, i: int, others: Frames, j: int, turn: int, least: float = LEAST
) -> float:
    """Highest correlation of a frame with a turned other one, as a crop and as a whole.

    What lies surely below `least` may be 0.
    """
    one, other = ones.thumbnails[i], _turned(others.thumbnails[j], turn)
    own, size = ones.sizes[i], others.sizes[j][:: 1 if turn % 2 == 0 else -1]
    ratio = size / own
    shapes = {(EDGE, EDGE)}
    if ((ratio < RATIO) & (ratio > 1 / RATIO)).all():
        shapes.add((round(EDGE * ratio[0]), round(EDGE * ratio[1])))
    return max(_highest(one, _resampled(other, shape), least) for shape in shapes)


def _resampled(cells: Floats, shape: tuple[int, int]) -> Floats:
    if shape == cells.shape:
        return cells
    return np.asarray(_linear(shape[0]) @ cells @ _linear(shape[1]).T)


@cache
def _linear(size: int) -> Floats:
    """Weights (size, `EDGE`) of linear interpolation."""
    at = np.clip((np.arange(size) + 0.5) * EDGE / size - 0.5, 0, EDGE - 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(EDGE)))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _highest(one: Floats, other: Floats, least: float) -> float:
    """Highest correlation over the overlap, of all shifts, between cells by a parabola."""
    longest = max(*one.shape, *other.shape)
    # so long that shifts which leave the least overlap do not run into each other
    canvas = (fft.next_fast_len(int(longest * (2 - OVERLAP)), real=True),) * 2
    spectra = [fft.rfft2(each, canvas) for each in (one, other)]
    both = fft.irfft2(spectra[0] * spectra[1].conj(), canvas)
    if both.max() < least * OVERLAP * np.sqrt((one * one).sum() * (other * other).sum()):
        return 0.0
    squares = [fft.rfft2(each * each, canvas) for each in (one, other)]
    there = [fft.rfft2(np.ones_like(each), canvas) for each in (one, other)]
    mine = fft.irfft2(squares[0] * there[1].conj(), canvas)
    theirs = fft.irfft2(there[0] * squares[1].conj(), canvas)
    overlap = fft.irfft2(there[0] * there[1].conj(), canvas)
    # energies below a hundredth of a usual one are rounding
    rounding = np.maximum(0.01 * overlap, 1e-3)
    energy = np.sqrt(np.maximum(mine, rounding) * np.maximum(theirs, rounding))
    found = np.where(overlap >= OVERLAP * max(one.size, other.size), both / energy, -1)
    y, x = np.unravel_index(int(found.argmax()), found.shape)
    top, rise = float(found[y, x]), 0.0
    for before, after in (
        (found[y - 1, x], found[(y + 1) % canvas[0], x]),
        (found[y, x - 1], found[y, (x + 1) % canvas[1]]),
    ):
        bend = 2 * top - float(before) - float(after)
        if min(before, after) > -1 and bend > 1e-6:
            rise += (float(after) - float(before)) ** 2 / (8 * bend)
    return min(top + rise, 1.0)
