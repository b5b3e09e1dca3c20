"""Files of one position that were taken one after the other, as one image."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from livewell.errors import ImageContentError
from livewell.image import Frame, Header
from livewell.images.formats import OpenImage
from livewell.images.opening import open_image
from livewell.names import name_of
from livewell.text import plural

_SAME = ("channels", "height", "width", "dtype", "pixel_um")
_REGULAR = 0.01
"""How far the time between two frames may be from the mean, as a share, to be one interval."""


class JoinedImage:
    """The frames of several files, in the order given; one file is open at a time.

    ``lengths`` says how many frames each has.

    Parameters
    ----------
    paths
        Files or fields, each of one frame or more.
    first
        Number of each one's first frame in the movie, where it is known.
    begin_s
        Seconds at which each begins, where it is known.
    pixel_um, frame_s
        In place of what the files say.

    Raises
    ------
    ImageReadError
        One cannot be read.
    ImageContentError
        They differ in more than the number of frames, or their numbers leave frames out.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        first: Sequence[int] | None = None,
        begin_s: Sequence[float] | None = None,
        pixel_um: float | None = None,
        frame_s: float | None = None,
    ) -> None:
        self.source, self._paths = str(paths[0]), tuple(paths)
        self._given = {"pixel_um": pixel_um, "frame_s": frame_s}
        self._open: tuple[int, OpenImage] | None = None
        with ExitStack() as refused:
            refused.callback(self.close)
            headers = [self._opened(number).header for number in range(len(paths))]
            for path, header in zip(paths, headers, strict=True):
                _refuse_other(path, header, paths[0], headers[0])
            if first is not None:
                _refuse_gaps(paths, headers, first)
            refused.pop_all()
        self.lengths = tuple(header.frames for header in headers)
        self._starts = np.cumsum([0, *self.lengths]).tolist()
        self.header = _joined(headers, begin_s, frame_s)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) frame in the files' number type."""
        number = int(np.searchsorted(self._starts, t, side="right")) - 1
        return self._opened(number).frame(t - self._starts[number], channel)

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _opened(self, number: int) -> OpenImage:
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = number, open_image(self._paths[number], **self._given)
        return self._open[1]


def _refuse_other(path: Path, header: Header, first: Path, as_in: Header) -> None:
    differ = [name for name in _SAME if getattr(header, name) != getattr(as_in, name)]
    if differ:
        raise ImageContentError(
            f"of one position and another {', '.join(differ)} than {name_of(first)}",
            where=str(path),
            expected=", ".join(f"{name} {getattr(as_in, name)}" for name in differ),
            got=", ".join(f"{name} {getattr(header, name)}" for name in differ),
            remedy="say what they differ in: another position, well or plate",
        )


def _refuse_gaps(paths: Sequence[Path], headers: Sequence[Header], first: Sequence[int]) -> None:
    for (path, header, t), (after, _, next_t) in pairwise(zip(paths, headers, first, strict=True)):
        if t + header.frames != next_t:
            raise ImageContentError(
                f"does not begin where {name_of(path)} ends",
                where=str(after),
                expected=f"time index {t + header.frames}",
                got=str(next_t),
                remedy="put back the files that are missing, or take out those of other frames",
            )


def _joined(
    headers: Sequence[Header], begin_s: Sequence[float] | None, given_s: float | None
) -> Header:
    frames, times, interval = sum(header.frames for header in headers), None, given_s
    note = f"{plural(frames, 'frame')} of {plural(len(headers), 'file')}, in the order of time"
    if given_s is None and begin_s is not None:
        times = _times(headers, begin_s)
        interval = None if times is None else _interval(times)
    elif given_s is None:
        inside = {header.frame_s for header in headers if header.frames > 1}
        whole = len(inside) == 1 and all(header.frames > 1 for header in headers[:-1])
        interval = inside.pop() if whole else None
    notes = (*headers[0].notes, note)
    return replace(headers[0], frames=frames, notes=notes, times_s=times, frame_s=interval)


def _times(headers: Sequence[Header], begin_s: Sequence[float]) -> tuple[float, ...] | None:
    """Seconds of all frames since the first; ``None`` where those within a file are not known."""
    found: list[float] = []
    for header, begin in zip(headers, begin_s, strict=True):
        own = header.times_s
        if own is None and header.frames > 1:
            if header.frame_s is None:
                return None
            own = tuple(t * header.frame_s for t in range(header.frames))
        found += [begin - begin_s[0] + t for t in own or (0.0,)]
    return tuple(found)


def _interval(times: Sequence[float]) -> float | None:
    steps = np.diff(times)
    if not len(steps) or not steps.min() > 0:
        return None
    mean = float(steps.mean())
    regular = all(math.isclose(step, mean, rel_tol=_REGULAR) for step in steps)
    return mean if regular else None
