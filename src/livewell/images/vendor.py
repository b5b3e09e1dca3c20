"""What readers of vendors' files share: names of planes, times, wells by their names."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from livewell.errors import GeometryError, ImageReadError
from livewell.images.tiff.scale import steady
from livewell.plate import Well
from livewell.text import printable

_ENDED = re.compile(r"([A-Za-z]{1,2}\d{1,2})[ _\-].*")


def named_channels(said: Sequence[str]) -> tuple[str, ...]:
    """Names of channels as the file gives them; ``grey`` or a number where it gives none."""
    if len(said) == 1:
        return (printable(said[0].strip()) or "grey",)
    return tuple(printable(name.strip()) or f"channel {c}" for c, name in enumerate(said))


def frame_times(
    stamps: Sequence[float], notes: list[str]
) -> tuple[tuple[float, ...] | None, float | None]:
    """Times of frames in seconds from the first, and the usual interval, of their time stamps (s).

    ``None``, with a note, where a stamp is missing or not a number, or where they do not rise.
    """
    if len(stamps) < 2 or np.isnan(stamps).all():
        return None, None
    times = np.round(np.asarray(stamps, np.float64) - stamps[0], 6)
    if not np.isfinite(times).all():
        notes.append("the file does not give the time of every frame; none is taken")
        return None, None
    steps = np.diff(times)
    if not (steps > 0).all():
        notes.append("the times that the file gives do not rise from frame to frame; none is taken")
        return None, None
    return tuple(times.tolist()), steady(np.round(steps, 6), notes)


def stage_um(y: float, x: float) -> tuple[float, float] | None:
    """Position of the stage in micrometres, ``None`` where the file gives no number."""
    return (y, x) if math.isfinite(y) and math.isfinite(x) else None


def well_of(name: str) -> str | None:
    """The well that a position's name says or begins with, such as ``B07`` or ``B07_0001``."""
    name = name.strip()
    ended = _ENDED.fullmatch(name)
    with suppress(GeometryError):
        return str(Well.parse(ended[1] if ended else name))
    return None


def wells_of(names: Sequence[str]) -> tuple[str | None, ...]:
    """Wells by the names of all positions of a file.

    ``None`` for all where one names no well, and where names like ``P1``, ``P2`` may as well number
    positions: one letter, and numbers without a zero before them.
    """
    wells = [well_of(name) for name in names]
    padded = any(re.match(r"[A-Za-z]{1,2}0\d", name.strip()) for name in names)
    rows = {well[:-2] for well in wells if well}
    if None in wells or not (padded or len(rows) > 1):
        return (None,) * len(names)
    return tuple(wells)


def refused_axis(path: Path, axis: str, size: int) -> ImageReadError:
    """The error for an axis that is neither time, channel, z, y nor x."""
    return ImageReadError(
        f"an image with an axis that livewell does not know: {axis}, of size {size}",
        where=str(path),
        expected="axes of time, channel, z, y and x",
        remedy="export one image for each step of that axis, as OME-TIFF, from the program that"
        " wrote it",
    )
