"""An image as OME-Zarr: its pixels as they are, smaller levels of them, and what is known of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from livewell.errors import ImageContentError
from livewell.image import Header, Image
from livewell.images.opening import choose_channels
from livewell.images.plain import RGB
from livewell.outputs.zarr_levels import Pixels, Tiling, factors_of, mean_of_four
from livewell.outputs.zarr_metadata import (
    MEAN,
    Display,
    Ngff,
    Space,
    multiscales,
    omero,
    put_group,
)
from livewell.progress import Tick

_SLICE = re.compile(r"(?:(?P<channel>.*):)?z(?P<slice>\d+)", re.DOTALL)
WHITE = "FFFFFF"
COLOURS = ("E69F00", "56B4E9", "009E73", "F0E442", "0072B2", "D55E00", "CC79A7")
"""Of channels that are not the transmitted light: told apart by colour-blind people too (Okabe and
Ito 2008)."""
SHOWN = (0.5, 99.5)
"""Percentiles of the pixels between which a channel is shown."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The axes of an image, with its z slices as an axis again.

    `numbers` are the image's channels by channel and slice, (c, z); `axes` has ``z`` where its
    channels are slices such as ``z0`` or ``phase:z0``.
    """

    axes: str
    channels: tuple[str, ...]
    numbers: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> "Stack":
        """The axes of an image with these channels.

        Slices that are not the same for every channel, or not counted from 0, stay channels.
        """
        found = [_SLICE.fullmatch(name) for name in names]
        slices: dict[str, list[int]] = {}
        for each in found:
            if each is not None:
                slices.setdefault(each["channel"] or "", []).append(int(each["slice"]))
        depth = len(names) // max(len(slices), 1)
        whole = all(found) and depth > 1
        if whole and all(each == list(range(depth)) for each in slices.values()):
            keys = [(each["channel"] or "", int(each["slice"])) for each in found if each]
            numbers = [[keys.index((name, z)) for z in range(depth)] for name in slices]
            channels = tuple(name or "channel 0" for name in slices)
            return cls("tczyx", channels, tuple(map(tuple, numbers)))
        return cls("tcyx", tuple(names), tuple((number,) for number in range(len(names))))

    def array(self, planes: Pixels) -> Pixels:
        """Planes (t, c, z, ...) on the axes there are."""
        return planes if "z" in self.axes else planes[:, :, 0]


@dataclass
class _Window:
    """What is seen of each channel's pixels, to choose how they are shown."""

    frames: frozenset[int]
    values: dict[int, list[Pixels]] = field(default_factory=dict)

    def see(self, t: int, channel: int, planes: Pixels) -> None:
        if t in self.frames:
            with np.errstate(invalid="ignore"):  # of NaN that signal
                wide = np.asarray(planes, np.float64).ravel()
            self.values.setdefault(channel, []).append(wide[np.isfinite(wide)])

    def display(self, channel: int, name: str, colour: str, dtype: np.dtype[Any]) -> Display:
        """The window between percentiles of what was seen."""
        seen = np.concatenate(self.values[channel])
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers near the largest
            low, high = np.percentile(seen, SHOWN) if seen.size else (0.0, 1.0)
        if dtype.kind in "iu":
            limits = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
        else:
            limits = (seen.min(), seen.max()) if seen.size else (0.0, 1.0)
        if not (np.isfinite(low) and np.isfinite(high) and high > low):
            low, high = limits
        return Display(name, colour, limits, (low, high if high > low else low + 1))


def write_image(
    folder: Path,
    image: Image,
    name: str,
    version: Ngff,
    ours: Mapping[str, Any],
    tick: Tick = lambda *_: None,
    *,
    space: Space | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Write an image into a new folder, level 0 equal to it bit by bit.

    Parameters
    ----------
    folder
        Empty; becomes whole in another way, see `livewell.files.whole_folder`.
    name
        What it is called.
    ours
        What is kept of it beside what OME-Zarr asks for; ``pixels_sha256``, which hashes the bytes
        of all planes (t, c, z) as little endian, is added.
    space
        Where its pixels lie; by default as its header says.
    limits
        Between which values all channels are shown; by default as its pixels are spread.
    """
    header, stack = image.header, Stack.of(image.header.channels)
    dtype = np.dtype(header.dtype)
    outer = (header.frames, *np.shape(stack.numbers))
    shape = (*outer, header.height, header.width)
    tiling = Tiling.of(shape if "z" in stack.axes else (*outer[:2], *shape[3:]), dtype.itemsize)
    factors = factors_of(header.height, header.width)
    edges = [[-(-edge // factor) for edge in shape[3:]] for factor in factors]
    levels = [
        tiling.create(folder, level, (y, x), dtype, stack.axes, version)
        for level, (y, x) in enumerate(edges)
    ]
    digest = sha256()
    window = _Window(frozenset({0, header.frames // 2, header.frames - 1}))
    for block in tiling.blocks():
        t, c, z = block if "z" in stack.axes else (*block, slice(0, 1))
        planes = np.empty([part.stop - part.start for part in (t, c, z)] + list(shape[3:]), dtype)
        for at in np.ndindex(planes.shape[:3]):
            frame, channel = t.start + at[0], stack.numbers[c.start + at[1]][z.start + at[2]]
            planes[at] = image.frame(frame, channel)
            digest.update(planes[at].astype(dtype.newbyteorder("<"), copy=False).tobytes())
            tick(1 / (header.frames * len(header.channels)))
        for number, level in enumerate(levels):
            planes = mean_of_four(planes) if number else planes
            level[block] = stack.array(planes)
        for n, m in np.ndindex(planes.shape[:2]):
            window.see(t.start + n, c.start + m, planes[n, m])
    colours = _colours(header, stack)
    shown = [
        window.display(number, channel, colours[number], dtype)
        for number, channel in enumerate(stack.channels)
    ]
    if limits is not None:
        shown = [replace(channel, limits=limits, window=limits) for channel in shown]
    space = space or Space(header.pixel_um, header.frame_s, header.stage_um)
    ome = {
        "multiscales": multiscales(name, stack.axes, space, factors, MEAN),
        "omero": omero(name, shown),
    }
    put_group(folder, version, ome, **ours, pixels_sha256=digest.hexdigest())


def _colours(header: Header, stack: Stack) -> list[str]:
    """A colour for every channel: white for the transmitted light."""
    if stack.channels == RGB:
        return ["FF0000", "00FF00", "0000FF"]
    if len(stack.channels) == 1:
        return [WHITE]
    try:
        light = choose_channels(header, None, "")[0]
    except ImageContentError:
        light = -1
    return [
        WHITE if light in numbers else COLOURS[number % len(COLOURS)]
        for number, numbers in enumerate(stack.numbers)
    ]
