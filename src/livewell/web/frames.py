"""Pixels of a study's images as the pages ask for them, with what was decoded kept in memory.

Numbers stay as they lie in the files: no contrast, no 8 bits. Where fewer pixels are asked for than
there are, each is the mean of a square of them.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from livewell.errors import GeometryError, ImageContentError, LivewellError
from livewell.geometry import Box
from livewell.image import Frame, Header
from livewell.images.formats import OpenImage
from livewell.images.listing import fingerprint
from livewell.images.opening import choose_channels, open_image
from livewell.images.plain import RGB
from livewell.measure.borders import valid_area
from livewell.study.study import Study

KEPT_BYTES = 512 * 2**20
"""Decoded frames and crops that stay in memory."""
KEPT_OPEN = 256
"""Files that stay open."""
STEPS = (1, 2, 4, 8, 16, 32, 64)
"""Edges of the squares of pixels of which a mean may be asked for."""
MOST_NUMBERS = 2**24
"""Numbers that one request may ask for."""
PERCENTILES = (0.3, 99.7)
"""Grey levels between which an image is shown at first."""
SAMPLED_FRAMES, SAMPLED_PIXELS = 8, 2**16
"""What percentiles are taken from: frames spread over a movie, and pixels of each."""
Pixels = NDArray[Any]
"""Of type uint8, uint16 or float32."""
Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Values by key, those used last, of so many bytes together; each is made once at a time.

    Parameters
    ----------
    most
        Size of all values together, in the unit of `size`.
    size
        Of one value.
    gone
        What is done with a value that leaves.
    """

    def __init__(
        self,
        most: int,
        size: Callable[[Value], int],
        gone: Callable[[Value], None] = lambda _: None,
    ) -> None:
        self._most, self._size, self._gone = most, size, gone
        self._lock = Lock()
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._making: dict[Hashable, Future[Value]] = {}
        self._used = 0

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made where it is not there; what `make` raises is raised here."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            made = self._making.get(key)
            mine = made is None
            if made is None:
                made = self._making[key] = Future()
        if not mine:
            return made.result()
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            made.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            left = self._kept(key, value)
        made.set_result(value)
        for each in left:
            self._gone(each)
        return value

    def _kept(self, key: Hashable, value: Value) -> list[Value]:
        """Keep a value; those that leave for it."""
        left = []
        self._values[key] = value
        self._used += self._size(value)
        while self._used > self._most and len(self._values) > 1:
            _, old = self._values.popitem(last=False)
            self._used -= self._size(old)
            left.append(old)
        return left

    def drop(self, key: Hashable, value: Value) -> None:
        """Let go of the value of a key, where it still is this one."""
        with self._lock:
            if self._values.get(key) is not value:
                return
            del self._values[key]
            self._used -= self._size(value)
        self._gone(value)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            left = list(self._values.values())
            self._values.clear()
            self._used = 0
        for each in left:
            self._gone(each)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An open file; who reads a frame holds the lock."""

    image: OpenImage
    version: Hashable
    lock: Any

    def close(self) -> None:
        with self.lock:
            self.image.close()


class StudyFrames:
    """Frames of a study's images, whole or cut; may be used by many threads.

    Methods raise what reading images raises: an `ImageReadError` for files that are missing or not
    whole, an `ImageContentError` for frames and channels that are not there.
    """

    def __init__(self, study: Callable[[], Study], kept_bytes: int = KEPT_BYTES) -> None:
        self._study = study
        self._frames: ByteCache[Pixels] = ByteCache(kept_bytes, lambda array: array.nbytes)
        self._open: ByteCache[_Opened] = ByteCache(KEPT_OPEN, lambda _: 1, _Opened.close)
        self._limits: ByteCache[tuple[float, float]] = ByteCache(100_000, lambda _: 1)

    def header(self, image: str) -> Header:
        """What an image says of itself, with the scale that was given for the study."""
        return self._opened(image).image.header

    def channel(self, image: str) -> int:
        """Number of the channel that is looked at where none is named: the study's, else the first.

        The first of all where it cannot be told which channel is the transmitted light.
        """
        with suppress(ImageContentError):
            return choose_channels(self.header(image), self._study().channels, image)[0]
        return 0

    def colour(self, image: str) -> bool:
        """Whether its channels are red, green and blue, and not all equal."""
        header = self.header(image)
        return header.channels == RGB and not header.colourless

    def boxes(
        self, image: str, times: Iterable[int], channel: int, box: Box | None = None, step: int = 1
    ) -> Pixels:
        """The same box of several frames, (n, h, w), as uint8, uint16, or else float32.

        Parameters
        ----------
        times
            Frames, from 0.
        channel
            Its number.
        box
            In pixels of the frame, which it must lie in; ``None`` for all of it. With a `step` it
            is widened to whole squares, see `covered`.
        step
            One of `STEPS`: each number is the mean of a square of so many pixels (at the far edges
            of those that there are), rounded to the type.
        """
        times, opened = tuple(times), self._opened(image)
        area, version = opened.image.header.area, opened.version
        asked = covered(box or area, area, step)
        height, width = (-(-edge // step) for edge in asked.shape)
        if not times or len(times) * height * width > MOST_NUMBERS:
            raise ImageContentError(
                "more pixels at once than can be sent",
                expected=f"1 to {MOST_NUMBERS:,} numbers",
                got=f"{len(times)} x {height} x {width}",
                remedy="ask for fewer frames, a smaller box or a larger step",
            )
        cut = tuple(slice(span.start // step, -(-span.stop // step)) for span in (asked.y, asked.x))
        key = (image, version, times, channel, asked, step)

        def made() -> Pixels:
            # copied one by one, so that no more than one whole frame is held
            first = self._plane(image, version, times[0], channel, step)[cut]
            boxes = np.empty((len(times), *first.shape), first.dtype)
            for place, t in enumerate(times):
                boxes[place] = self._plane(image, version, t, channel, step)[cut]
            return _frozen(boxes)

        if asked == area and len(times) == 1:  # it is there already
            return self._plane(image, version, times[0], channel, step)[None]
        return self._frames.get(key, made)

    def limits(self, image: str, channel: int) -> tuple[float, float]:
        """Grey levels between which a channel is shown at first, the same for all its frames.

        The `PERCENTILES` of frames spread over the movie; frames that cannot be read are left out.
        """
        opened = self._opened(image)
        return self._limits.get(
            (image, opened.version, channel), lambda: self._measured(image, opened, channel)
        )

    def close(self) -> None:
        """Let go of all files and pixels."""
        self._frames.clear()
        self._open.clear()

    def _measured(self, image: str, opened: _Opened, channel: int) -> tuple[float, float]:
        frames = opened.image.header.frames
        sampled, last = [], None
        for t in np.unique(np.linspace(0, frames - 1, min(frames, SAMPLED_FRAMES)).astype(int)):
            try:
                plane = self._plane(image, opened.version, int(t), channel, 1)
            except LivewellError as error:
                last = error
                continue
            # borders of registration are no part of the image
            inside = plane[valid_area(plane).slices]
            stride = max(int((inside.size / SAMPLED_PIXELS) ** 0.5), 1)
            values = inside[::stride, ::stride].ravel()
            sampled.append(values[np.isfinite(values)])
        if not sampled and last is not None:
            raise last
        values = np.concatenate(sampled)
        if not values.size:
            return 0.0, 1.0
        low, high = (float(value) for value in np.percentile(values, PERCENTILES))
        return (low, high) if high > low else (low, low + 1.0)

    def _plane(self, image: str, version: Hashable, t: int, channel: int, step: int) -> Pixels:
        """A whole frame at a step."""

        def made() -> Pixels:
            if step > 1:
                return _frozen(area_mean(self._plane(image, version, t, channel, 1), step))
            opened = self._opened(image)
            with opened.lock:
                frame = opened.image.frame(t, channel)
            return _frozen(plain(frame))

        return self._frames.get((image, version, t, channel, step), made)

    def _opened(self, image: str) -> _Opened:
        """The file of an image, opened again where it has changed."""
        study = self._study()
        path = study.path(image)
        version = (fingerprint(path), study.pixel_um, study.frame_s)

        def made() -> _Opened:
            opened = open_image(path, pixel_um=study.pixel_um, frame_s=study.frame_s)
            return _Opened(opened, version, Lock())

        opened = self._open.get(image, made)
        if opened.version != version:
            self._open.drop(image, opened)
            opened = self._open.get(image, made)
        return opened


def covered(box: Box, area: Box, step: int) -> Box:
    """The whole squares of a step that a box touches, at the far edges cut off by the frame.

    A `GeometryError` where the step is none of `STEPS` or the box reaches beyond the frame.
    """
    if step not in STEPS:
        expected = f"one of {', '.join(map(str, STEPS))}"
        raise GeometryError("not a step of pixels", expected=expected, got=str(step))
    if not area.contains(box):
        raise GeometryError(
            "a box beyond the frame",
            expected=f"within {area.corners} (y0, x0, y1, x1)",
            got=str(box.corners),
        )
    y0, x0, y1, x1 = box.corners
    far = (min(-(-y1 // step) * step, area.y.stop), min(-(-x1 // step) * step, area.x.stop))
    return Box.of(y0 // step * step, x0 // step * step, *far)


def plain(frame: Frame) -> Pixels:
    """A frame as uint8 or uint16 where it is of that type, else as float32."""
    if frame.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(frame)
    return np.ascontiguousarray(frame, dtype=np.float32)


def area_mean(frame: Pixels, step: int) -> Pixels:
    """Means of squares of `step` x `step` pixels (h, w), at the far edges of what is left of them.

    Of the frame's type: means of whole numbers are rounded.
    """
    height, width = frame.shape
    columns = np.arange(0, width, step)
    across = np.diff(np.append(columns, width))
    means = np.empty((-(-height // step), len(columns)), frame.dtype)
    kind: Any = np.float64 if frame.dtype.kind == "f" else np.uint32
    # in bands, for sums are larger than pixels
    rows_at_once = max(2**20 // max(width, 1) // step, 1) * step
    for top in range(0, height, rows_at_once):
        band = frame[top : top + rows_at_once]
        rows = np.arange(0, len(band), step)
        down = np.diff(np.append(rows, len(band)))
        sums = np.add.reduceat(np.add.reduceat(band, rows, axis=0, dtype=kind), columns, axis=1)
        mean = sums / (down[:, None] * across)
        part = slice(top // step, top // step + len(rows))
        means[part] = mean if kind is np.float64 else np.rint(mean)
    return means


def _frozen(array: Pixels) -> Pixels:
    array.flags.writeable = False
    return array
