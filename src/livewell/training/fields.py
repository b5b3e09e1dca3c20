"""Crops of fields for training, each with all labelled regions that lie in it.

What an item holds depends on seed, drawn region, epoch and number alone, so that a stopped training
goes on.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from livewell.geometry import Box
from livewell.image import PixelSource
from livewell.models.nets.field import FIELD_PX, MARGIN_PX, STRIDE_PX, FieldSettings
from livewell.models.profile import Profile
from livewell.region import Region
from livewell.training.augment import normalised, with_holes, with_other_optics
from livewell.training.data import Draw, Draws, LabelledRegions
from livewell.training.stain import StainTargets
from livewell.training.warps import Pixels

Points = NDArray[np.float64]
Rows = NDArray[np.int64]

HALF_FIELD_PX = (FIELD_PX + 1) // 2
"""From the rim of a crop to the first pixel at which the middle of a cell's square can lie."""
BLOCK_PX = 1024
"""Validation regions are scored together only where they lie in the same block of a frame."""
ANGLES = 8
"""Rotations over which the chance that two regions share a crop is averaged."""


class FieldBatch(NamedTuple):
    """Some crops and the regions in them."""

    crops: Tensor
    """(n, channels, height, width) float32, normalised."""
    regions: Tensor
    """(m, 5) float32: row in the batch, then y0, x0, y1, x1 in pixels of the crop."""
    codes: Tensor
    """(m,) number of the class of each region."""
    weights: Tensor
    """(m,) float32, see `region_weights`."""
    stain: Tensor = torch.empty(0)
    """(n, 3, height, width) float32, see `StainTargets.crop`; empty where none is learnt."""


def pooled_boxes(regions: Sequence[Region], input_px: int) -> NDArray[np.int64]:
    """(n, 4): corners of the middle of every region, whose logits are pooled."""
    corners = np.array([region.box.corners for region in regions]).reshape(-1, 4)
    first = corners[:, :2] + (corners[:, 2:] - corners[:, :2] - input_px) // 2
    return np.concatenate([first, first + input_px], axis=1)


@dataclass(frozen=True)
class Similarity:
    """Where the pixels of a crop come from: rotated, scaled, maybe mirrored.

    A point ``p`` of the crop, counted from its middle, is ``middle + matrix @ p`` of the frame;
    pixel i covers [i, i + 1) in both.
    """

    matrix: Points
    middle: Points
    size_px: int

    @property
    def scale(self) -> float:
        """How many times as large things are in the crop."""
        return float(abs(np.linalg.det(self.matrix)) ** -0.5)

    def seen(self, points: Points) -> Points:
        """Points (n, 2) of the frame, in pixels of the crop."""
        back = np.linalg.inv(self.matrix)
        result: Points = (points - self.middle) @ back.T + self.size_px / 2
        return result

    def source(self) -> Box:
        """All pixels of the frame that the crop is read from."""
        corners = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) * self.size_px / 2
        there = corners @ self.matrix.T + self.middle
        return Box.of(*np.floor(there.min(axis=0)) - 1, *np.ceil(there.max(axis=0)) + 1)

    def read(self, pixels: Pixels, box: Box) -> Pixels:
        """The crop (channels, size_px, size_px) from pixels (channels, h, w) of `box`."""
        sizes = np.array(box.shape)
        # torch counts from -1 to 1 over all pixels, x first
        turned = self.matrix * self.size_px / sizes[:, None]
        middle = (self.middle - [box.y.start, box.x.start]) * 2 / sizes - 1
        theta = np.concatenate([turned[::-1, ::-1], middle[::-1, None]], axis=1)
        shape = [1, 1, self.size_px, self.size_px]
        theta32 = torch.from_numpy(theta[None].astype(np.float32))
        grid = functional.affine_grid(theta32, shape, align_corners=False)
        found = functional.grid_sample(
            torch.from_numpy(pixels)[None], grid, padding_mode="border", align_corners=False
        )
        result: Pixels = found[0].numpy()
        return result


def drawn_similarity(
    corners: Rows, area: Box, size_px: int, profile: Profile, rng: np.random.Generator
) -> Similarity:
    """A random view of a frame that shows a region with half a cell's field around it.

    `corners` are (y0, x0, y1, x1) of the region. The view is moved into `area`, the part of the
    frame that holds an image, as far as the region allows, for pixels beyond it are mirrored.
    """
    augment = profile.augment
    scale = math.exp(rng.uniform(*np.log(augment.scale)))
    angle = np.deg2rad(rng.uniform(-augment.rotate_deg, augment.rotate_deg))
    quarter, mirror = int(rng.integers(4)), int(rng.integers(2))
    if not augment.flips:
        quarter = mirror = 0
    angle += quarter * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([1.0, 1.0 - 2 * mirror]) / scale
    half = (corners[2:] - corners[:2]) / 2 * scale
    room = np.maximum(size_px / 2 - HALF_FIELD_PX - half, 0)
    at = rng.uniform(-room, room)
    centre = (corners[:2] + corners[2:]) / 2
    first, last = np.array(area.corners[:2]), np.array(area.corners[2:])
    inside = np.minimum(size_px, last - first) / 2
    wanted = np.clip(centre - matrix @ at, first + inside, last - inside)
    at = np.clip(np.linalg.solve(matrix, centre - wanted), -room, room)
    return Similarity(matrix, centre - matrix @ at, size_px)


def region_weights(
    boxes: Rows, frames: Sequence[Rows], shares: Points, size_px: int, profile: Profile
) -> Points:
    """Weights that undo how often regions come into crops beside the one that was drawn.

    A region comes into a crop when it is drawn, and when a neighbour is drawn and the crop reaches
    it. Weighted by its share of the draws over its chance to come in, every region counts in the
    mean loss as if regions were drawn one by one: classes and groups stay as even as the draws are.

    Boxes are (n, 4) corners of the regions, `frames` the rows of the regions of every frame,
    `shares` (n,) that of the draws of each, see `Draws.shares`; weights (n,) are from 0 to 1.
    """
    chances = np.zeros(len(shares))
    centres, edges = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    scale = math.sqrt(math.prod(profile.augment.scale))
    quarter = np.arange(ANGLES) * np.pi / 2 / ANGLES
    angles = quarter if profile.augment.rotate_deg else quarter[:1]
    for rows in frames:
        room = size_px - 2 * HALF_FIELD_PX - edges[rows] * scale
        apart = (centres[rows][:, None] - centres[rows]) * scale
        for angle in angles:
            cos, sin = np.cos(angle), np.sin(angle)
            turned = np.abs(apart @ np.array([[cos, sin], [-sin, cos]]))
            reached = np.clip(1 - turned / np.maximum(room, 1), 0, 1).prod(axis=-1)
            chances[rows] += reached @ shares[rows] / len(angles)
    return np.divide(shares, chances, out=np.zeros_like(shares), where=chances > 0)


class FieldCrops(Dataset[FieldBatch]):
    """Augmented crops by draw: around the drawn region, with all others of the part in them."""

    def __init__(
        self,
        source: PixelSource,
        labelled: LabelledRegions,
        profile: Profile,
        seed: int,
        stain: StainTargets | None = None,
    ) -> None:
        self._source, self._labelled, self._stain = source, labelled, stain
        self._profile, self._seed = profile, seed
        self._size_px = cast(FieldSettings, profile.net).training_px(profile.input.input_px)
        self._boxes = pooled_boxes(labelled.patches, profile.input.input_px)
        self._frames = _rows_by([(p.image, p.t) for p in labelled.patches])
        shares = Draws(labelled.codes, labelled.groups, profile, seed).shares
        self._weights = region_weights(
            self._boxes, list(self._frames.values()), shares, self._size_px, profile
        )

    def __getitems__(self, draws: Sequence[Draw]) -> list[FieldBatch]:
        """One batch of all the draws, augmented together; loaders ask for this."""
        return [self.batch(draws)]

    def batch(self, draws: Sequence[Draw]) -> FieldBatch:
        """The crops of some draws and the regions in them."""
        rngs = [self._labelled.generator(draw, self._seed) for draw in draws]
        views = [self._view(draw.row, rng) for draw, rng in zip(draws, rngs, strict=True)]
        crops, boxes, chosen, stains = zip(*views, strict=True)
        pixels, rows, profile = np.stack(crops), np.concatenate(chosen), self._profile
        spreads = pixels.std(axis=(2, 3)) if profile.input.normalise == "local" else None
        pixels = with_holes(with_other_optics(pixels, profile, rngs, spreads), profile, rngs)
        codes, weights = self._labelled.codes[rows], self._weights[rows]
        return _batch(np.ascontiguousarray(pixels), boxes, codes, weights, stains)

    def _view(
        self, row: int, rng: np.random.Generator
    ) -> tuple[Pixels, Points, Rows, Pixels | None]:
        """A crop around region `row`; boxes of all regions in it, their rows, and the stain."""
        patch, size = self._labelled.patches[row], self._size_px
        area = self._source.area(patch.image, patch.t)
        view = drawn_similarity(self._boxes[row], area, size, self._profile, rng)
        box = view.source()
        crop = view.read(_normalised(self._source, patch, box, self._profile), box)
        rows = self._frames[patch.image, patch.t]
        first, last = self._boxes[rows, :2], self._boxes[rows, 2:]
        middles, halves = view.seen((first + last) / 2), (last - first) / 2 * view.scale
        low, high = middles - halves, middles + halves
        within = (low >= HALF_FIELD_PX) & (high <= size - HALF_FIELD_PX)
        kept = within.all(axis=1) | (rows == row)
        seen = None
        if self._stain is not None:
            seen = view.read(self._stain.crop(patch.image, patch.t, area, box), box)
        return crop, np.concatenate([low, high], axis=1)[kept], rows[kept], seen


def _rows_by(keys: Sequence[tuple[object, ...]]) -> dict[tuple[object, ...], Rows]:
    """Numbers of the items of every key."""
    rows: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        rows[key].append(row)
    return {key: np.array(members) for key, members in rows.items()}


def _normalised(source: PixelSource, patch: Region, box: Box, profile: Profile) -> Pixels:
    """(c, h, w): pixels of a box in the frame of `patch`."""
    around, how = profile.input.radius_px, profile.input.normalise
    return normalised(source.crop(patch.image, patch.t, box.widened(around)), how, around)


def _batch(
    crops: Pixels,
    boxes: Sequence[Points],
    codes: Rows,
    weights: Points,
    stains: Sequence[Pixels | None],
) -> FieldBatch:
    """A batch from (m, 4) boxes of every crop, class and weight of all of them, and stains."""
    planes = [each for each in stains if each is not None]
    numbers = np.repeat(np.arange(len(boxes)), [len(each) for each in boxes])[:, None]
    return FieldBatch(
        torch.from_numpy(crops),
        torch.from_numpy(np.hstack([numbers, np.concatenate(boxes)]).astype(np.float32)),
        torch.from_numpy(codes.astype(np.int64)),
        torch.from_numpy(weights.astype(np.float32)),
        torch.from_numpy(np.stack(planes)) if planes else torch.empty(0),
    )


class PlainFields(Dataset[FieldBatch]):
    """Regions as they are in the file; those that share the net's grid are scored together.

    Logits are those of each region's own crop. An item is one crop: of all regions of a block of a
    frame that lie alike on the grid of the net's cells, or of one region where that is less work.
    """

    def __init__(
        self,
        source: PixelSource,
        patches: Sequence[Region],
        codes: Rows,
        profile: Profile,
        stain: StainTargets | None = None,
    ) -> None:
        self._source, self._patches, self._codes, self._stain = source, patches, codes, stain
        self._profile, self._boxes = profile, pooled_boxes(patches, profile.input.input_px)
        keys = [
            (patch.image, patch.t, y % STRIDE_PX, x % STRIDE_PX, y // BLOCK_PX, x // BLOCK_PX)
            for patch, (y, x, *_) in zip(patches, self._boxes.tolist(), strict=True)
        ]
        self._items: list[Rows] = []
        for rows in _rows_by(keys).values():
            together = math.prod(self._around(rows).shape) <= len(rows) * profile.seen_px**2
            self._items += [rows] if together else np.split(rows, len(rows))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> FieldBatch:
        """One crop with its regions, all of weight 1."""
        rows = self._items[number]
        box, patch = self._around(rows), self._patches[int(rows[0])]
        area, stain = self._source.area(patch.image, patch.t), None
        if self._stain is not None:
            stain = self._stain.crop(patch.image, patch.t, area, box)
        boxes = self._boxes[rows] - np.tile([box.y.start, box.x.start], 2)
        crop = _normalised(self._source, patch, box, self._profile)
        return _batch(crop[None], [boxes], self._codes[rows], np.ones(len(rows)), [stain])

    def _around(self, rows: Rows) -> Box:
        """The least box that holds the regions with their margin; a cell more for the stain."""
        margin = MARGIN_PX + (STRIDE_PX if self._stain else 0)
        first, last = self._boxes[rows, :2].min(axis=0), self._boxes[rows, 2:].max(axis=0)
        return Box.of(*first, *last).widened(margin)
