"""Fields seen once by a frozen backbone: logits of regions, of boxes, of every cell of a map."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError
from livewell.geometry import Box, WindowGrid
from livewell.image import Frame, PixelSource, mirrored
from livewell.inference.windows import Scorer, View, Windows, nothing
from livewell.models.backends import AskedBackend
from livewell.models.device import placed
from livewell.models.nets.frozen import FieldMap, FrozenNet
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.net import Net
from livewell.progress import Tick
from livewell.region import Region
from livewell.training.features import FieldReader, GridReader, Read, cache_of

SAMPLE = 400
"""Most places of a part of a field that its mean features are taken of."""


class Fields(Scorer):
    """Scores regions by what a frozen net says at their centres, as `Windows` does crop by crop.

    A cell of a map and a region of the same centre have the same logits. Features of fields of a
    `source` are kept where it keeps any.
    """

    _reads: ClassVar[type[FieldReader]] = FieldReader

    def __init__(
        self, net: Net, source: PixelSource | None = None, backend: AskedBackend = "auto"
    ) -> None:
        self.net = replace(net, module=placed(net.module))
        self._module = cast(FrozenNet, self.net.module)
        cache = None if source is None else cache_of(source)
        self._reader = self._reads(self.net, cache, backend)
        self.backend = self._reader.backend
        self.failed: dict[int, ImageContentError] = {}

    def regions(
        self, source: PixelSource, regions: Sequence[Region], tick: Tick | None = None
    ) -> NDArray[np.float64]:
        """As `Windows.regions`."""
        return self._of_study(source, regions, self._module.logits, tick).astype(np.float64)

    def embedded(self, source: PixelSource, regions: Sequence[Region]) -> NDArray[np.float32]:
        """As `Windows.embedded`: what the head reads, (n, features)."""
        return self._of_study(source, regions, self._module.embedded)

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
        """Mean features (features,) of patches of a field, kept under `what`; NaN without any."""

        def made() -> NDArray[np.float32]:
            boxes = patches()
            if not boxes:
                return np.full(self._module.features, np.nan, dtype=np.float32)
            return self.described(pixels, area, boxes)[1].cpu().numpy()

        spec = self._module.spec
        read = (spec.blocks, spec.radii_px, self._module.pool_px, self.net.how, what)
        return self._reader.kept(pixels, repr(read), made)

    def described(
        self, frame: Frame, area: Box, boxes: Sequence[Box]
    ) -> tuple[NDArray[np.float64], Tensor]:
        """As `boxes`, and the mean features (features,) of up to `SAMPLE` of them a part."""
        pixels = np.asarray(frame)[..., area.y.slice, area.x.slice]
        pixels, parts = pixels.reshape(-1, *pixels.shape[-2:]), []

        def read(maps: Sequence[FieldMap], places: Tensor) -> Tensor:
            some = places[:: -(-len(places) // SAMPLE)]
            parts.append(self._module.embedded(maps, some).mean(dim=0) * len(places))
            return self._module.logits(maps, places)

        logits = self._reader.boxes(pixels, area, boxes, read)
        return logits.numpy().astype(np.float64), torch.stack(parts).sum(dim=0) / len(boxes)

    def scored(self, view: View, grid: WindowGrid) -> NDArray[np.float32]:
        """As `Scorer.scored`."""
        found = nothing(self.net, grid)
        cells = np.argwhere(view.wanted)
        boxes = [grid.box(*cell) for cell in cells.tolist()]
        found[:, *cells.T] = self.boxes(view.frame, view.area, boxes).T
        return found

    def _of_study(
        self, source: PixelSource, regions: Sequence[Region], read: Read, tick: Tick | None = None
    ) -> NDArray[np.float32]:
        reader = self._reader.keeping(cache_of(source))
        return reader.regions(source, regions, read, tick).numpy()


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
