"""What a model found in a field, beside its pixels in a store: class maps and labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.image import Frame, Header
from livewell.outputs.heatmaps import MapTransform
from livewell.outputs.zarr_images import write_image
from livewell.outputs.zarr_levels import Tiling, factors_of, nearest_of_four
from livewell.outputs.zarr_metadata import NEAREST, Ngff, Space, Values, multiscales, put_group

NOTHING = "none is called"
Maps = NDArray[np.float32]
"""Probabilities (t, channels, my, mx), NaN where nothing is to judge."""


@dataclass
class _Values:
    """Arrays in memory as an image."""

    values: Maps
    header: Header
    source: str

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One plane."""
        plane: Frame = self.values[t, channel]
        return plane

    def close(self) -> None:
        """Nothing is open."""


def space_of(header: Header, transform: MapTransform | None = None) -> Space:
    """Where pixels of a field lie, or cells of a map over it."""
    known = header.pixel_um, header.frame_s, header.stage_um
    if transform is None:
        return Space(*known)
    # a map counts from the corner of the first pixel, a store from its centre
    y, x = transform.origin_px
    return Space(*known, transform.stride_px, (y - 0.5, x - 0.5))


def write_maps(
    folder: Path,
    header: Header,
    maps: Maps,
    channels: Sequence[str],
    space: Space,
    version: Ngff,
    name: str,
    ours: Mapping[str, Any],
    *,
    limits: tuple[float, float] | None = None,
) -> None:
    """Write maps over a field into a new folder, as an image that lies on it.

    Parameters
    ----------
    folder
        Empty; becomes whole in another way.
    header
        Of the field.
    maps
        (t, channels, my, mx).
    space
        Where their cells lie, as `space_of`.
    name, ours, limits
        As in `write_image`.
    """
    frames, _, my, mx = maps.shape
    own = Header(frames, tuple(channels), my, mx, maps.dtype.name)
    image = _Values(maps, own, name)
    write_image(folder, image, name, version, ours, space=space, limits=limits)


def nearest_cells(
    transform: MapTransform, cells: NDArray[Any], shape: tuple[int, int], outside: int
) -> NDArray[Any]:
    """For every pixel of a frame the value of the cell (my, mx) whose centre is nearest.

    `outside` farther than half a stride from all.
    """
    found = []
    for axis, size in enumerate(shape):
        place = (np.arange(size) + 0.5 - transform.origin_px[axis]) / transform.stride_px
        found.append(np.floor(place + 0.5).astype(int))
    padded = np.pad(cells, 1, constant_values=outside)
    rows, columns = (np.clip(at + 1, 0, n + 1) for at, n in zip(found, cells.shape, strict=True))
    return padded[np.ix_(rows, columns)]


def write_labels(
    folder: Path,
    header: Header,
    labels: Callable[[int], NDArray[Any]],
    dtype: np.dtype[Any],
    version: Ngff,
    name: str,
    said: Values,
    ours: Mapping[str, Any],
) -> None:
    """Write labels of a field's frames into a new folder, level by level those of the field.

    Parameters
    ----------
    folder
        Empty; becomes whole in another way.
    header
        Of the field.
    labels
        Labels (y, x) of frame t: whole numbers, 0 for nothing.
    dtype
        Their number type.
    said
        ``colors`` and ``properties`` of labels by OME-Zarr.
    """
    shape = (header.frames, header.height, header.width)
    tiling, factors = Tiling.of(shape, dtype.itemsize), factors_of(*shape[1:])
    edges = [(-(-shape[1] // factor), -(-shape[2] // factor)) for factor in factors]
    levels = [
        tiling.create(folder, level, edge, dtype, "tyx", version)
        for level, edge in enumerate(edges)
    ]
    for block in tiling.blocks():
        frames = range(*block[0].indices(header.frames))
        planes = np.stack([labels(t).astype(dtype) for t in frames])
        for number, level in enumerate(levels):
            planes = nearest_of_four(planes) if number else planes
            level[block] = planes
    scales = multiscales(name, "tyx", space_of(header), factors, NEAREST)
    of = {**said, "source": {"image": "../../"}}
    put_group(folder, version, {"multiscales": scales, "image-label": of}, **ours)


def class_labels(classes: Sequence[str], colours: Sequence[str]) -> Values:
    """Colours (#RRGGBB) and names of classes, which are labels from 1 on."""
    colors: list[Values] = [{"label-value": 0, "rgba": [0, 0, 0, 0]}]
    colors += [
        {"label-value": number, "rgba": [*bytes.fromhex(colour.removeprefix("#")), 160]}
        for number, colour in enumerate(colours, start=1)
    ]
    # ome-zarr-models asks for the same labels in both
    named = [{"label-value": n, "class": name} for n, name in enumerate((NOTHING, *classes))]
    return {"colors": colors, "properties": named}
