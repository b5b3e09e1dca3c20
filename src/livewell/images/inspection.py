"""What a user should know of an image file before trusting it."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import Fault, LivewellError
from livewell.image import Frame
from livewell.images import jpeg
from livewell.images.formats import SEQUENCE, OpenImage, frames_in, identify
from livewell.images.opening import open_image, open_sequence
from livewell.images.sequence import SequenceImage
from livewell.measure.quality import faults as frame_faults
from livewell.names import AnyPath, text_of

SAMPLED = 5
"""Frames looked at in a movie, evenly spread, first and last among them."""
NO_PIXEL_SIZE = "the file does not say how large a pixel is; give it with --pixel-um"
NO_FRAME_INTERVAL = "the file does not say how far apart its frames are; give it with --frame-s"


@dataclass(frozen=True, slots=True)
class ChannelRange:
    """Grey levels of one channel over the frames looked at; ``None`` where there is no finite one.

    ``p0_1`` and ``p99_9``: levels below which 0.1% and 99.9% of the pixels lie.
    """

    name: str
    lowest: float | None
    highest: float | None
    p0_1: float | None
    p99_9: float | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that `inspect` found: the axes are always ``tcyx``, notes are the reader's own.

    ``account`` says which pages of the file are which frame and channel, and what was not read;
    times of the frames (seconds from the first) and the stage (y, x; micrometres) are the file's.
    """

    source: str
    format: str
    axes: str
    shape: tuple[int, int, int, int]
    dtype: str
    channels: tuple[ChannelRange, ...]
    pixel_um: float | None
    frame_s: float | None
    frames_looked_at: tuple[int, ...]
    notes: tuple[str, ...]
    faults: tuple[Fault, ...]
    well: str | None = None
    position: str | None = None
    account: tuple[str, ...] = ()
    plate: str | None = None
    times_s: tuple[float, ...] | None = None
    stage_um: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON."""
        return asdict(self)


def inspect(
    path: AnyPath | Sequence[AnyPath],
    *,
    pixel_um: float | None = None,
    frame_s: float | None = None,
) -> Inspection:
    """Look at an image: its axes, scale and grey levels, and what looks wrong.

    Parameters
    ----------
    path
        A file, a folder of single frames, or the files of a sequence in order.
    pixel_um, frame_s
        In place of what the file says, see `open_image`.

    Returns
    -------
    Inspection
        Fault codes: ``no-pixel-size``, ``no-frame-interval``, ``lossy``, ``mixed-names``,
        ``frame-differs``, ``unreadable-frame``, and those of `livewell.measure.quality.faults`.

    Raises
    ------
    ImageReadError
        The file cannot be opened as an image at all.
    """
    if not isinstance(path, str | os.PathLike):
        with open_sequence(path, pixel_um=pixel_um, frame_s=frame_s, strict=False) as image:
            return _look(image, image.source, "sequence")
    path = Path(path)
    kind, _ = identify(path)
    if kind == SEQUENCE:
        image = open_sequence(
            frames_in(path).paths, pixel_um=pixel_um, frame_s=frame_s, strict=False
        )
    else:
        image = open_image(path, pixel_um=pixel_um, frame_s=frame_s)
    with image:
        return _look(image, text_of(path), kind)


def _look(image: OpenImage, source: str, kind: str) -> Inspection:
    header = image.header
    faults: list[Fault] = []
    if isinstance(image.reader, SequenceImage):
        if image.reader.mixed:
            faults.append(Fault("mixed-names", source, image.reader.mixed))
        faults += image.reader.odd
    frames = sorted(set(np.linspace(0, header.frames - 1, SAMPLED).round().astype(int).tolist()))
    if header.pixel_um is None:
        faults.append(Fault("no-pixel-size", source, NO_PIXEL_SIZE))
    if header.frames > 1 and header.frame_s is None:
        faults.append(Fault("no-frame-interval", source, NO_FRAME_INTERVAL))
    if jpeg.NOTE in header.notes:
        faults.append(Fault("lossy", source, "JPEG compression alters fine texture"))
    channels = []
    for c, name in enumerate(header.channels):
        read: dict[int, Frame] = {}
        for t in frames:
            try:
                read[t] = image.frame(t, c)
            except LivewellError as error:
                faults.append(Fault("unreadable-frame", f"frame {t}, channel {c}", str(error)))
        channels.append(_range(name, list(read.values())))
        faults += _merged(read, name)
    return Inspection(
        source=source,
        format=kind,
        axes="tcyx",
        shape=header.shape,
        dtype=header.dtype,
        channels=tuple(channels),
        pixel_um=header.pixel_um,
        frame_s=header.frame_s,
        frames_looked_at=tuple(frames),
        notes=header.notes,
        faults=tuple(faults),
        well=header.well,
        position=header.position,
        account=header.account,
        plate=header.plate,
        times_s=header.times_s,
        stage_um=header.stage_um,
    )


def _merged(read: dict[int, Frame], channel: str) -> list[Fault]:
    """One fault a code, of the first frame that has it and how many have."""
    every = [
        fault for t, frame in read.items() for fault in frame_faults(frame, f"{channel}, frame {t}")
    ]
    first = {fault.code: fault for fault in reversed(every)}
    counts = Counter(fault.code for fault in every)
    share = " (so in {} of {} frames looked at)" if len(read) > 1 else ""
    return [
        replace(first[code], message=first[code].message + share.format(count, len(read)))
        for code, count in counts.items()
    ]


def _range(name: str, frames: list[Frame]) -> ChannelRange:
    pixels: NDArray[Any] = np.concatenate([frame.ravel() for frame in frames] or [np.empty(0)])
    if pixels.dtype.kind == "f":
        pixels = pixels[np.isfinite(pixels)]
    if pixels.size == 0:
        return ChannelRange(name, None, None, None, None)
    low, high = np.percentile(pixels, [0.1, 99.9])
    return ChannelRange(name, float(pixels.min()), float(pixels.max()), float(low), float(high))
