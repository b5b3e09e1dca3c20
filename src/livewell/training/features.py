"""Features of places in fields, from a frozen backbone that sees each field once."""

import hashlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy, deepcopy
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livewell.classes import ClassNames
from livewell.errors import ImageContentError, SpecError, named
from livewell.geometry import Box, tiles
from livewell.image import Frame, PixelSource
from livewell.measure.occupancy import Occupancy, Texture
from livewell.models.backends import AskedBackend, Backend, SeveralMaps, backbone_backend, maps_on
from livewell.models.building import build, net_of
from livewell.models.device import AUTO, device_of, placed
from livewell.models.nets.field_maps import GRID_PX, FieldMap
from livewell.models.nets.frozen import FrozenNet, FrozenSpec
from livewell.models.nets.frozen_images import FrozenImages
from livewell.models.nets.net import Net, normalise
from livewell.models.profile import Profile
from livewell.progress import Tick
from livewell.region import Region
from livewell.study.features import FORMAT, FeatureCache
from livewell.study.pixels import StudyPixels

CPU = torch.device("cpu")
LOG = logging.getLogger(__name__)
PART_PX = 2048
"""Edge of what is looked at together without its margin, pixels at the backbone's input."""
MOST_PX = 6144
"""Largest edge of such a part with its margin: some 5e9 bytes."""
Read = Callable[[Sequence[FieldMap], Tensor], Tensor]
"""From maps and places to what is said of each place: `FrozenNet.embedded` or `.logits`."""


def cache_of(source: PixelSource) -> FeatureCache | None:
    """Where features of a study's images are kept; other sources keep none."""
    return FeatureCache.of(source.study) if isinstance(source, StudyPixels) else None


def patches_with_cells(
    net: Net, pixels: Frame, area: Box, stride_px: int, occupancy: Occupancy | None = None
) -> list[Box]:
    """Patches of a field where there are cells; the last row and column end at its edge."""
    boxes = list(tiles(area, net.patch_px, stride_px, "shift"))
    if not boxes:
        return []
    occupancy = occupancy or Texture(net.pixel_um, (net.patch_px - net.middle_px) // 2)
    full = occupancy.holds(pixels, area, boxes)
    return [box for box, holds in zip(boxes, full, strict=True) if holds]


def reader_of(
    profile: Profile,
    source: PixelSource,
    channels: int,
    classes: int,
    pixel_um: float | None,
    device: str = AUTO,
    seed: int = 0,
) -> "FieldReader":
    """The reader of a recipe's new net, whose head says nothing yet.

    `seed` is of the backbone's weights, where the recipe names none.

    Raises
    ------
    SpecError
        The recipe's net does not see fields, or parts of a field would be too large at its zooms.
    """
    if not isinstance(profile.net, FrozenSpec):
        raise SpecError(
            "this recipe's net has no features that are kept",
            where=profile.name,
            expected="a recipe of a fixed backbone, such as FROZEN",
            got=f"net {profile.net.kind}",
        )
    if pixel_um is None and profile.net.input_um:
        LOG.warning(
            "no pixel size is known, so the backbone sees pixels as they are, at zooms %s; give"
            " one with `livewell index --pixel-um`",
            ", ".join(f"{zoom:g}" for zoom in profile.net.zooms),
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = placed(build(profile, channels=channels, classes=classes), device)
    names = ClassNames(tuple(map(str, range(classes))))
    net = net_of(module, profile, names, pixel_um)
    return FieldReader(net, cache_of(source))


class FieldReader:
    """Reads what a frozen net says at places of fields; large fields are seen part by part.

    Parts lie on one grid with a margin beyond what a place depends on, so it does not matter which
    part a place is in, but for rounding.
    """

    def __init__(
        self, net: Net, cache: FeatureCache | None = None, backend: AskedBackend = "auto"
    ) -> None:
        self.net, self.module = net, cast(FrozenNet, net.module)
        self.scale = self.module.spec.scale(net.pixel_um)
        self.cache = cache
        self._device = device_of(net.module)
        self.backend = backbone_backend(backend, self._device)
        self._trunk = lru_cache(partial(_computed, self.module, self.backend, self._device))
        zoom = self.scale * max(self.module.spec.zooms)
        self._core = max(int(PART_PX / zoom) // GRID_PX, 1) * GRID_PX
        self._margin = math.ceil(self.module.beyond_px(self.scale) / GRID_PX) * GRID_PX
        _refuse_large((self._core + 2 * self._margin) * zoom, self.module.spec, net.pixel_um)
        self._made_with = self._what()
        self._last: tuple[str, list[FieldMap]] = "", []

    def keeping(self, cache: FeatureCache | None) -> "FieldReader":
        """The same reader, which keeps features elsewhere."""
        other = copy(self)
        other.cache = cache
        return other

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
            with named(f"{image}, frame {t}"):
                values = self.boxes(pixels, area, [regions[row].box for row in rows], read)
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
        field = self._normalised(pixels)
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

    @torch.inference_mode()
    def keep(self, pixels: Frame) -> None:
        """See all of a field, (channels, h, w) in grey levels, so that its maps are kept."""
        for _ in self.parts(pixels):
            pass

    @torch.inference_mode()
    def parts(self, pixels: Frame) -> Iterator[tuple[Box, Box, list[FieldMap]]]:
        """Parts of a field, (channels, h, w) in grey levels: whose places, what is seen, maps."""
        field = self._normalised(pixels)
        for core, seen in self._parts(field.shape[-2:]):
            edges = (*np.maximum(core[:2], 0), *np.minimum(core[2:], field.shape[-2:]))
            yield Box.of(*edges), seen, self._maps(field[:, seen.y.slice, seen.x.slice])

    def kept(
        self, pixels: Frame, what: str, make: Callable[[], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """What is made of a field, or was made of it before and is kept.

        `what` names it, and whatever decides it beside pixels and backbone.
        """
        if self.cache is None:
            return make()
        digest = self._digest(np.ascontiguousarray(pixels), what)
        found = self.cache.get(digest)
        if found is None:
            found = {"made": make()}
            self.cache.put(digest, found)
        return cast(NDArray[np.float32], found["made"])

    def _digest(self, pixels: NDArray[Any], what: str = "") -> str:
        digest = hashlib.blake2b(self._made_with, digest_size=20)
        digest.update(f"{pixels.dtype} {pixels.shape} {what}".encode())
        digest.update(pixels.tobytes())
        return digest.hexdigest()

    def _normalised(self, pixels: Frame) -> Tensor:
        field = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
        if not bool(torch.isfinite(field).all()):
            raise ImageContentError("pixels that are no finite numbers", expected="grey levels")
        return normalise(field[None], self.net.how)[0]

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
        name = self._digest(part.numpy())
        if name == self._last[0]:
            return self._last[1]
        kept = self.cache.get(name) if self.cache else None
        if kept is None:
            device = self._device if self.backend.startswith("torch") else CPU
            maps = self.module.maps(part.to(device), self.scale, self._trunk())
            if self.cache:
                named = {f"{n:03}": one.values.cpu().numpy() for n, one in enumerate(maps)}
                self.cache.put(name, named)
        else:
            values = [torch.from_numpy(kept[n]).to(self._device) for n in sorted(kept)]
            maps = self.module.placed(values, self.scale)
        self._last = name, maps
        return maps

    def _what(self) -> bytes:
        """What decides features beside pixels: the backbone's weights, zooms, blocks, backend."""
        digest = hashlib.sha256(FORMAT.encode())
        digest.update(self.backend.removeprefix("torch").encode())
        spec = self.module.spec
        digest.update(repr((spec.backbone, spec.zooms, sorted(spec.blocks), self.scale)).encode())
        for tensor in self.module.backbone.state_dict().values():
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.digest()


def _computed(module: FrozenNet, backend: Backend, device: torch.device) -> SeveralMaps:
    """What computes the backbone, made ready."""
    return maps_on(backend, deepcopy(module.trunk).to(CPU), device, any_size=True)


def _refuse_large(edge_px: float, spec: FrozenSpec, pixel_um: float | None) -> None:
    if edge_px > MOST_PX:
        size = "unknown size" if pixel_um is None else f"{pixel_um:.3g} um"
        raise SpecError(
            "parts of a field would be too large for the memory at these zooms and radii_px",
            where=f"pixels of {size}",
            expected=f"parts of at most {MOST_PX:,} px at the backbone's input",
            got=f"{edge_px:,.0f} px, at zooms {', '.join(f'{zoom:g}' for zoom in spec.zooms)}"
            f" and input_um {spec.input_um:g}",
            remedy="take smaller zooms or radii_px, or a larger input_um; or correct the pixel size"
            " with --pixel-um",
        )


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
