"""What an image is to the rest of livewell: a lazy (t, c, y, x) array that knows its scale."""

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.geometry import Box, Span

Frame = NDArray[Any]
"""One channel of one time point, shape (y, x), in the file's own number type."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its image; only of colour images are pixels read for it.

    Sizes of the axes (t, c, y, x), `channels` by their names in order; numpy's name of the number
    type in the file; micrometres and seconds, ``None`` where the file does not say; notes on what a
    careful user should know: conversions, doubts, substitutions. An image is `colourless` where its
    channels are red, green and blue and equal in every pixel: grey, but stored as colour. Plate,
    well and position in it, seconds of every frame since the first, and where the stage stood (y,
    x; micrometres) are ``None`` where the file does not say. ``account`` tells which pages of the
    file are which frame and channel, what was not read, and how sure that is.
    """

    frames: int
    channels: tuple[str, ...]
    height: int
    width: int
    dtype: str
    pixel_um: float | None = None
    frame_s: float | None = None
    notes: tuple[str, ...] = field(default=())
    colourless: bool = False
    well: str | None = None
    position: str | None = None
    account: tuple[str, ...] = field(default=())
    plate: str | None = None
    times_s: tuple[float, ...] | None = None
    stage_um: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(t, c, y, x)``."""
        return self.frames, len(self.channels), self.height, self.width

    @property
    def area(self) -> Box:
        """The whole frame as a box."""
        return Box.of(0, 0, self.height, self.width)


def check_scale(pixel_um: float | None, frame_s: float | None) -> None:
    """Refuse a pixel size or a frame interval that cannot be; ``None`` is none given."""
    for name, value, unit in (
        ("pixel_um", pixel_um, "micrometres a pixel"),
        ("frame_s", frame_s, "seconds from frame to frame"),
    ):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise SpecError(
                f"{name} must be a finite number above zero",
                where=f"--{name.replace('_', '-')}",
                got=str(value),
                remedy=f"give {unit}, or leave it out to believe the files",
            )


class Image(Protocol):
    """A lazy (t, c, y, x) image: its header, and frames one by one."""

    header: Header
    """Axes, channels and scale."""
    source: str
    """Path that names the image (the first file, for a sequence)."""

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) frame in the file's number type, unscaled."""

    def close(self) -> None:
        """Let go of the file."""


class PixelSource(Protocol):
    """What training and inference read from: pixels by region, see `livewell.study.pixels`."""

    def crop(self, image: str, t: int, box: Box) -> NDArray[np.float32]:
        """Pixels of one region, (c, y, x) float32, in grey levels of the file."""

    def area(self, image: str, t: int) -> Box:
        """The part of a frame that holds an image; beyond it pixels are mirrored."""


def mirrored(frame: Frame, area: Box, box: Box) -> Frame:
    """Pixels of `box`; beyond `area` the image is mirrored as by ``numpy.pad`` in mode ``reflect``.

    Shape ``box.shape``, with the channels before it where the frame has some; a view where nothing
    is mirrored.
    """
    if area.contains(box):
        return frame[(..., *box.slices)]
    rows, columns = _reflected(box.y, area.y), _reflected(box.x, area.x)
    return frame[..., rows[:, None], columns]


def _reflected(wanted: Span, inside: Span) -> NDArray[np.intp]:
    """For every pixel of `wanted` the one of `inside` that stands for it, mirrored at its ends."""
    period = max(2 * (inside.size - 1), 1)
    steps = (np.arange(wanted.start, wanted.stop) - inside.start) % period
    return inside.start + np.minimum(steps, period - steps)
