"""How arrays of OME-Zarr are cut into chunks and shards, and made smaller level by level."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.outputs.zarr_metadata import Ngff

CHUNK_PX, SHARD_CHUNKS = 1024, 8
"""About the edge of a chunk, and the most chunks along an edge of a shard."""
SHARD_BYTES = 64 * 2**20
"""What a shard may hold, before packing, where one plane is not more."""
SMALLEST_PX = 256
"""Levels are made until the smaller side is below this."""
Pixels = NDArray[Any]
Shape = tuple[int, ...]


def factors_of(height: int, width: int) -> list[int]:
    """How many pixels of level 0 are one of each level, along an edge: 1, 2, 4, ..."""
    found = [1]
    while min(height, width) // found[-1] >= SMALLEST_PX:
        found.append(found[-1] * 2)
    return found


def mean_of_four(planes: Pixels) -> Pixels:
    """Means of 2 x 2 pixels of planes (..., y, x), in their own type, whole numbers rounded.

    A last row or column without a pair is the mean of what is there.
    """
    kind, bits = planes.dtype.kind, planes.dtype.itemsize * 8
    a, b, c, d = _quads(planes)
    if kind in "iu" and bits == 64:
        whole, rest = a // 4 + b // 4 + c // 4 + d // 4, a % 4 + b % 4 + c % 4 + d % 4
        return np.asarray(whole + (rest + 2) // 4, planes.dtype)
    if kind in "iu":
        total = np.add(a, b, dtype=np.int64 if bits == 32 else np.int32) + c + d
        return np.asarray((total + 2) >> 2, planes.dtype)
    with np.errstate(invalid="ignore", over="ignore"):  # what holds no number has no mean
        mean = (np.add(a, b, dtype=np.float64) + c + d) / 4
        return np.asarray(mean >= 0.5 if kind == "b" else mean, planes.dtype)


def nearest_of_four(planes: Pixels) -> Pixels:
    """Every second pixel of planes (..., y, x): for labels, of which there is no mean."""
    return planes[..., ::2, ::2]


def _quads(planes: Pixels) -> list[Pixels]:
    odd = [(0, size % 2) for size in planes.shape[-2:]]
    if any(after for _, after in odd):
        planes = np.pad(planes, [(0, 0)] * (planes.ndim - 2) + odd, mode="edge")
    return [planes[..., y::2, x::2] for y in (0, 1) for x in (0, 1)]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Chunks and shards of arrays of several levels; planes that share a shard do so in all."""

    shape: Shape
    planes: Shape
    """Of how many steps along the axes before y and x a shard is."""

    @classmethod
    def of(cls, shape: Shape, itemsize: int) -> "Tiling":
        """As many planes a shard as `SHARD_BYTES` hold, those that come next to each other."""
        room = max(SHARD_BYTES // max(prod(shape[-2:]) * itemsize, 1), 1)
        planes: list[int] = []
        for size in reversed(shape[:-2]):
            planes.insert(0, min(size, room))
            room = room // size if planes[0] == size else 1
            room = max(room, 1)
        return cls(shape, tuple(planes))

    def blocks(self) -> Iterator[tuple[slice, ...]]:
        """The planes of each shard, in order."""
        steps = [
            [slice(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.shape[:-2], self.planes, strict=True)
        ]
        yield from product(*steps)

    def create(
        self,
        folder: Path,
        level: int,
        plane: tuple[int, int],
        dtype: np.dtype[Any],
        axes: str,
        version: Ngff,
    ) -> Any:
        """A new array of one level, of planes (y, x); of 0.5 in shards, each of which is written.

        Of 0.4 every chunk is a file.
        """
        import zarr
        from numcodecs import Blosc
        from zarr.codecs import ZstdCodec

        cuts = [ceil(size / max(round(size / CHUNK_PX), 1)) for size in plane]
        many = [min(ceil(size / cut), SHARD_CHUNKS) for size, cut in zip(plane, cuts, strict=True)]
        edges = [cut * count for cut, count in zip(cuts, many, strict=True)]
        outer = self.shape[:-2]
        # a damaged chunk is known by its checksum; those of 0.4 are packed as most programs do
        how: dict[str, Any] = {
            "shards": (*self.planes, *edges),
            "compressors": ZstdCodec(level=3, checksum=True),
            "dimension_names": list(axes),
            "zarr_format": 3,
        }
        if version == "0.4":
            how = {
                "compressors": Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE),
                "chunk_key_encoding": {"name": "v2", "separator": "/"},
                "zarr_format": 2,
            }
        return zarr.create_array(
            folder,
            name=str(level),
            shape=(*outer, *plane),
            dtype=dtype,
            chunks=(*(1 for _ in outer), *cuts),
            fill_value=0,
            config={"write_empty_chunks": True},
            **how,
        )
