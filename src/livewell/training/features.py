"""Features of places in fields, from a frozen backbone that sees each field once."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.errors import ImageContentError
from livewell.geometry import Box
from livewell.image import Frame, PixelSource
from livewell.models.device import device_of
from livewell.models.nets.frozen import GRID_PX, FieldMap, FrozenNet
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.net import Net, normalise
from livewell.progress import Tick
from livewell.region import Region
from livewell.study.features import FORMAT, FeatureCache
from livewell.study.pixels import StudyPixels

PART_PX = 2048
"""Edge of what is looked at together without its margin, pixels at the backbone's input."""
Read = Callable[[Sequence[FieldMap], Tensor], Tensor]
"""From maps and places to what is said of each place: `FrozenNet.embedded` or `.logits`."""


def cache_of(source: PixelSource) -> FeatureCache | None:
    """Where features of a study's images are kept; other sources keep none."""
    folder = source.study.folder if isinstance(source, StudyPixels) else None
    return None if folder is None else FeatureCache(folder / "features")


class FieldReader:
    """Reads what a frozen net says at places of fields; large fields are seen part by part.

    Parts lie on one grid with a margin beyond what a place depends on, so it does not matter which
    part a place is in, but for rounding.
    """

    def __init__(self, net: Net, cache: FeatureCache | None = None) -> None:
        self.net, self.module = net, cast(FrozenNet, net.module)
        self.scale = self.module.spec.scale(net.pixel_um)
        self._cache = cache
        self._device = device_of(net.module)
        zoom = self.scale * max(self.module.spec.zooms)
        self._core = max(int(PART_PX / zoom) // GRID_PX, 1) * GRID_PX
        self._margin = math.ceil(self.module.reach_px / self.scale / GRID_PX) * GRID_PX
        self._made_with = self._what()
        self._last: tuple[str, list[FieldMap]] = "", []

    def regions(
        self,
        source: PixelSource,
        regions: Sequence[Region],
        read: Read,
        tick: Tick | None = None,
    ) -> Tensor:
        """What is read at the centres of regions, in order, (n, values)."""
        frames: dict[tuple[str, int], list[int]] = {}
        for row, region in enumerate(regions):
            frames.setdefault((region.image, region.t), []).append(row)
        found: Tensor | None = None
        for (image, t), rows in frames.items():
            area = source.area(image, t)
            pixels = source.crop(image, t, area)
            try:
                values = self.boxes(pixels, area, [regions[row].box for row in rows], read)
            except ImageContentError as error:
                raise ImageContentError(error.what, where=f"{image}, frame {t}") from error
            if found is None:
                found = values.new_empty(len(regions), values.shape[1])
            found[rows] = values
            if tick:
                tick(len(rows))
        return torch.empty(0, 0) if found is None else found

    def boxes(self, pixels: Frame, area: Box, boxes: Sequence[Box], read: Read) -> Tensor:
        """What is read at the centres of boxes of a frame, of which `pixels` are the `area`."""
        corner = np.array([area.y.start, area.x.start])
        places = np.array([box.centre for box in boxes], dtype=float).reshape(-1, 2) - corner
        return self.places(pixels, places, read)

    @torch.inference_mode()
    def places(self, pixels: Frame, places: NDArray[np.float64], read: Read) -> Tensor:
        """What is read at places (n, 2), pixels of a field (channels, h, w) in grey levels."""
        field = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
        field = normalise(field[None], self.net.how)[0]
        found: Tensor | None = None
        for core, seen in self._parts(field.shape[-2:]):
            inside = ((places >= core[:2]) & (places < core[2:])).all(axis=1)
            if not inside.any():
                continue
            part = field[:, seen.y.slice, seen.x.slice]
            own = torch.from_numpy(places[inside] - (seen.y.start, seen.x.start))
            values = read(self._maps(part), own.float().to(self._device)).cpu()
            if found is None:
                found = values.new_empty(len(places), values.shape[1])
            found[torch.from_numpy(inside)] = values
        if found is None:
            nowhere = torch.empty(0, 2, device=self._device)
            return read(self._maps(field[:, :32, :32]), nowhere).cpu()
        return found

    def _parts(self, shape: Sequence[int]) -> Iterator[tuple[tuple[float, ...], Box]]:
        """For every part the edges within which places are its own, and what is looked at."""
        ends: list[list[tuple[float, float, int, int]]] = []
        for size in shape:
            whole = size <= self._core + 2 * self._margin
            starts = [0] if whole else list(range(0, size, self._core))
            ends.append(
                [
                    (
                        start if number else -math.inf,
                        starts[number + 1] if number + 1 < len(starts) else math.inf,
                        max(start - self._margin, 0),
                        size if whole else min(start + self._core + self._margin, size),
                    )
                    for number, start in enumerate(starts)
                ]
            )
        for top in ends[0]:
            for left in ends[1]:
                core = (top[0], left[0], top[1], left[1])
                yield core, Box.of(top[2], left[2], top[3], left[3])

    def _maps(self, part: Tensor) -> list[FieldMap]:
        """Maps of a part of a field: the last ones, out of the cache, or computed."""
        part = part.contiguous()
        digest = hashlib.blake2b(self._made_with, digest_size=20)
        digest.update(repr(tuple(part.shape)).encode())
        digest.update(part.numpy().tobytes())
        name = digest.hexdigest()
        if name == self._last[0]:
            return self._last[1]
        kept = self._cache.get(name) if self._cache else None
        if kept is None:
            maps = self.module.maps(part.to(self._device), self.scale)
            if self._cache:
                named = {f"{n:03}": one.values.cpu().numpy() for n, one in enumerate(maps)}
                self._cache.put(name, named)
        else:
            values = [torch.from_numpy(kept[n]).to(self._device) for n in sorted(kept)]
            maps = self.module.placed(values, self.scale)
        self._last = name, maps
        return maps

    def _what(self) -> bytes:
        """What decides features beside pixels: the backbone's weights, zooms and blocks."""
        digest = hashlib.sha256(FORMAT.encode())
        spec = self.module.spec
        digest.update(repr((spec.backbone, spec.zooms, sorted(spec.blocks), self.scale)).encode())
        for tensor in self.module.backbone.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.digest()


class GridReader(FieldReader):
    """Reads what a `FrozenImages` net says at every cell of its grid over an image."""

    @property
    def field_px(self) -> int:
        """Edge of the square of pixels that a cell can depend on."""
        return math.ceil((2 * self.module.reach_px + 1) / self.scale)

    def grid(self, pixels: Frame, read: Read) -> Tensor:
        """What is read of an image (channels, h, w) in grey levels, (values, rows, columns)."""
        pixels = np.asarray(pixels).reshape(-1, *pixels.shape[-2:])
        places, shape = cast(FrozenImages, self.module).grid(pixels.shape[-2:])
        values = self.places(pixels, places.numpy().astype(np.float64), read)
        return values.T.reshape(-1, *shape)
