"""Fields seen once by a frozen backbone: logits of regions, of boxes, of every cell of a map."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError, SpecError
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame, PixelSource, mirrored
from livewell.inference.windows import Scorer, View, Windows, nothing
from livewell.models.backends import AskedBackend
from livewell.models.device import placed
from livewell.models.nets.field_maps import FieldMap
from livewell.models.nets.frozen import FrozenNet
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.net import Net
from livewell.progress import Tick
from livewell.region import Region
from livewell.study.pixels import StudyPixels
from livewell.tables.metadata import Anchor
from livewell.training.anchors import AnchorFeatures, Anchors
from livewell.training.features import FieldReader, GridReader, Read, cache_of

SAMPLE = 400
"""Most places of a part of a field that its mean features are taken of."""


class Fields(Scorer):
    """Scores regions by what a frozen net says at their centres, as `Windows` does crop by crop.

    Where the net reads whole patches that is the mean over the patch around the centre.

    A cell of a map and a region of the same centre have the same logits. Features of fields of a
    `source` are kept where it keeps any.
    """

    _reads: ClassVar[type[FieldReader]] = FieldReader

    def __init__(
        self, net: Net, source: PixelSource | None = None, backend: AskedBackend = "auto"
    ) -> None:
        self.net = replace(net, module=placed(net.module))
        cache = None if source is None else cache_of(source)
        self._reader = self._reads(self.net, cache, backend)
        self.backend = self._reader.backend
        self.failed: dict[int, ImageContentError] = {}
        self._anchors: dict[Path, AnchorFeatures] = {}

    @property
    def _module(self) -> FrozenNet:
        if self.net.anchor is not None:
            raise no_plate(self.net.anchor)
        return cast(FrozenNet, self.net.module)

    def on_plate(self, source: PixelSource, image: str) -> "Fields":
        """As it scores images of this one's plate in a study; itself where no anchor matters."""
        anchor = self.net.anchor
        if anchor is None:
            return self
        if not isinstance(source, StudyPixels):
            raise no_plate(anchor)
        study = source.study
        if study.folder not in self._anchors:
            reader = self._reader.keeping(cache_of(source))
            self._anchors[study.folder] = AnchorFeatures(Anchors.of(study, anchor), reader, source)
        level = self._anchors[study.folder].of(image)
        module = cast(FrozenNet, self.net.module).on_plate(level)
        other = copy(self)
        other.net, other.failed = replace(self.net, module=module, anchor=None), {}
        return other

    def regions(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """As `Windows.regions`."""
        found = self._of_study(source, regions, lambda net, *at: net.logits(*at), tick)
        return found.astype(np.float64)

    def embedded(self, source: PixelSource, regions: Sequence[Region]) -> NDArray[np.float32]:
        """As `Windows.embedded`: what the head reads, (n, features)."""
        return self._of_study(source, regions, FrozenNet.embedded)

    def boxes(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.float64]:
        """As `Windows.boxes`."""
        pixels = np.asarray(frame)[..., area.y.slice, area.x.slice]
        found = self._reader.boxes(
            pixels.reshape(-1, *pixels.shape[-2:]), area, boxes, self._module.logits
        )
        return found.numpy().astype(np.float64)

    def mean_features(
        self, pixels: Frame, area: Box, what: str, patches: Callable[[], Sequence[Box]]
    ) -> NDArray[np.float32]:
        """Mean features (features,) of patches of a field, kept under `what`; NaN without any.

        What is kept is relative to no plate.
        """
        module = self._module
        level = torch.as_tensor(module.level).cpu()

        def made() -> NDArray[np.float32]:
            boxes = patches()
            if not boxes:
                return np.full(module.features, np.nan, dtype=np.float32)
            return (self.means(pixels, area, boxes).cpu() + level).numpy()

        read = (module.spec.blocks, module.spec.radii_px, module.pool_px, self.net.how)
        kept = self._reader.kept(pixels, repr((read, self.net.pixel_um, what)), made)
        found: NDArray[np.float32] = kept - level.numpy()
        return found

    def described(
        self, frame: Frame, area: Box, boxes: Sequence[Box]
    ) -> tuple[NDArray[np.float64], Tensor]:
        """As `boxes`, and `means`."""
        logits, means = self._beside(frame, area, boxes, self._module.logits)
        return logits.numpy().astype(np.float64), means

    def means(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> Tensor:
        """Mean features (features,) of up to `SAMPLE` boxes a part."""
        _, means = self._beside(frame, area, boxes, lambda _, at: at.new_empty(len(at), 0))
        return means

    def _beside(
        self, frame: Frame, area: Box, boxes: Sequence[Box], own: Read
    ) -> tuple[Tensor, Tensor]:
        """What is read of boxes, and their mean features, in one pass."""
        pixels = np.asarray(frame)[..., area.y.slice, area.x.slice]
        pixels, parts = pixels.reshape(-1, *pixels.shape[-2:]), []

        def read(maps: Sequence[FieldMap], places: Tensor) -> Tensor:
            some = places[:: -(-len(places) // SAMPLE)]
            parts.append(self._module.embedded(maps, some).mean(dim=0) * len(places))
            return own(maps, places)

        found = self._reader.boxes(pixels, area, boxes, read)
        mean: Tensor = torch.stack(parts).sum(dim=0) / len(boxes)
        return found, mean

    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """As `Scorer.scored`."""
        found = nothing(self.net, grid)
        cells = np.argwhere(view.wanted)
        boxes = [grid.box(*cell) for cell in cells.tolist()]
        found[:, *cells.T] = self.boxes(view.frame, view.area, boxes).T
        return found

    def _of_study(
        self,
        source: PixelSource,
        regions: Sequence[Region],
        read: Callable[[FrozenNet, Sequence[FieldMap], Tensor], Tensor],
        tick: Tick | None = None,
    ) -> NDArray[np.float32]:
        if self.net.anchor is None or not regions:
            reader = self._reader.keeping(cache_of(source))
            return reader.regions(
                source, regions, partial(read, cast(FrozenNet, self.net.module)), tick
            ).numpy()
        rows: dict[str, list[int]] = {}
        for row, region in enumerate(regions):
            rows.setdefault(region.image, []).append(row)
        parts = [
            self.on_plate(source, image)._of_study(source, [regions[n] for n in own], read, tick)
            for image, own in rows.items()
        ]
        return np.concatenate(parts)[np.argsort(np.concatenate(list(rows.values())))]


def no_plate(anchor: Anchor) -> SpecError:
    """The error where an anchored model is to judge an image of no known plate."""
    return SpecError(
        f"this model judges relative to the anchor of a plate ({anchor}), and no plate is known",
        expected=f"images of a study whose columns {anchor.by} and {anchor.column} name them, with"
        " images of the anchor on every plate",
        got="images without a study",
        remedy="index the images of the new plate and its untreated wells with these columns, then"
        " use `livewell assess STUDY`, `livewell timelapse STUDY`, `livewell evaluate --on STUDY`;"
        " or train without --anchor-by",
    )


class WholeFields(Fields):
    """Scores whole images by a net that pools its class map, as `Windows` does."""

    _reads = GridReader

    def regions(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """As `Windows.regions`."""
        reader = self._keeping(source)
        found = []
        for region in regions:
            found.append(self._pooled(reader, source.crop(region.image, region.t, region.box)))
            if tick:
                tick()
        return np.array(found).reshape(-1, len(self.net.classes))

    def embedded(self, source: PixelSource, regions: Sequence[Region]) -> NDArray[np.float32]:
        """As `Windows.embedded`: what the head reads, averaged over the cells, (n, features)."""
        reader = self._keeping(source)
        crops = (source.crop(region.image, region.t, region.box) for region in regions)
        found = [reader.grid(crop, self._module.embedded).mean(dim=(-2, -1)) for crop in crops]
        return torch.stack(found).numpy()

    def boxes(self, frame: Frame, area: Box, boxes: Sequence[Box]) -> NDArray[np.float64]:
        """As `Windows.boxes`."""
        reader = cast(GridReader, self._reader)
        found = [self._pooled(reader, mirrored(frame, area, box)) for box in boxes]
        return np.array(found).reshape(-1, len(self.net.classes))

    def _keeping(self, source: PixelSource) -> GridReader:
        return cast(GridReader, self._reader.keeping(cache_of(source)))

    def _pooled(self, reader: GridReader, pixels: Frame) -> NDArray[np.float64]:
        maps = reader.grid(pixels, self._module.logits)
        head = cast(FrozenImages, self._module).head
        scores: NDArray[np.float64] = head(maps[None])[0].numpy().astype(np.float64)
        return scores


def engine_of(net: Net) -> Windows | Fields:
    """What scores the regions of a net: field by field where it sees fields, else crop by crop."""
    if isinstance(net.module, FrozenImages):
        return WholeFields(net)
    return Fields(net) if isinstance(net.module, FrozenNet) else Windows(net)
