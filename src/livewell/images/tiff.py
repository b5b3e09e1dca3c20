"""TIFF in its flavours: plain, BigTIFF, OME, ImageJ, MetaMorph STK; by tifffile, lazily."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images.plain import RGB, RGB_NOTE, damaged, palette_error
from livewell.images.tiff_scale import read_scale

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FATAL = re.compile(
    r"invalid page offset|corrupted tag list|invalid offset to page|corrupted file"
    r"|failed to reshape|missing data|circular reference|TiffTag 270 .*invalid value offset"
    r"|discontiguous|invalid TiffData|failed to read"
)
_MESSAGES: ContextVar[list[str] | None] = ContextVar("tifffile_messages", default=None)


def _collect(record: logging.LogRecord) -> bool:
    """Keep tifffile's message for the one who reads, instead of printing it."""
    messages = _MESSAGES.get()
    if messages is None:
        return True
    messages.append(re.sub(r"^<[^>]*> ", "", record.getMessage()))
    return False


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Catch what tifffile logs within the block (in this thread); nothing is printed."""
    # a filter is consulted before every handler, and adding it twice does nothing
    logging.getLogger("tifffile").addFilter(_collect)
    messages: list[str] = []
    token = _MESSAGES.set(messages)
    try:
        yield messages
    finally:
        _MESSAGES.reset(token)


@dataclass(frozen=True, slots=True)
class _Axes:
    """How the file's axes make (t, c, y, x).

    ``lead`` are letters and sizes of the axes over planes, ``inner`` those of one plane
    (``YX``, ``YXS`` or ``SYX``); ``time`` is the lead's letter for it, or empty. Planes of a z
    stack are channels, those of one channel one after the other.
    """

    lead: tuple[tuple[str, int], ...]
    inner: str
    inner_shape: tuple[int, ...]
    time: str
    samples: int
    notes: tuple[str, ...]

    def plane(self, t: int, c: int) -> int:
        """Number of the plane in the file."""
        channel, z = divmod(c, self.size("Z"))
        at, index = {"C": channel, "Z": z, self.time: t}, 0
        for letter, size in self.lead:
            index = index * size + at[letter]
        return index

    def size(self, letter: str) -> int:
        """Size of a lead axis, 1 where it is absent."""
        return dict(self.lead).get(letter, 1)


class TiffImage:
    """One TIFF file, its frames read one by one."""

    def __init__(self, path: Path) -> None:
        self.source, self._path = str(path), path
        with _listening() as messages:
            self._file = tifffile.TiffFile(path)
            try:
                self._series = self._only_series()
                self._axes = _axes(self._series, path)
                self._refuse_damage(messages)
                self.header = self._read_header(messages)
            except BaseException:
                self._file.close()
                raise

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type, read now."""
        coloured = self._axes.samples > 1
        plane = self._read_plane(self._axes.plane(t, 0 if coloured else channel))
        if self._axes.inner == "YXS":
            plane = plane[..., channel]
        elif self._axes.inner == "SYX":
            plane = plane[channel]
        return plane.astype("u1") if plane.dtype.kind == "b" else plane

    @property
    def packed(self) -> bool:
        """Whether its frames are decoded by more than reading them."""
        return self._series.dataoffset is None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _only_series(self) -> tifffile.TiffPageSeries:
        """The one image in the file; smaller ones beside it (thumbnails, labels) do not count."""
        series = list(self._file.series)
        if not series:
            raise damaged(self._path, "a TIFF without an image")
        largest = max(series, key=lambda s: int(np.prod(s.shape[-2:], dtype=np.int64)))
        same = [s for s in series if s.shape[-2:] == largest.shape[-2:]]
        if len(same) > 1:
            raise ImageReadError(
                f"holds {len(same)} images (positions, or pages that do not fit together)",
                where=self.source,
                expected="one position a file",
                remedy="save every position to a file of its own",
            )
        return largest

    def _refuse_damage(self, messages: list[str]) -> None:
        size = self._file.filehandle.size
        ends = []
        if self._series.dataoffset is not None:
            ends.append(self._series.dataoffset + self._series.nbytes)
        else:
            for page in self._series.pages:
                if page is not None and page.parent is self._file:
                    pairs = zip(page.dataoffsets, page.databytecounts, strict=False)
                    ends += [offset + count for offset, count in pairs]
        fatal = [message for message in messages if _FATAL.search(message)]
        if fatal or any(end > size for end in ends):
            got = fatal[0] if fatal else f"{size} bytes, pixels up to byte {max(ends)}"
            raise damaged(self._path, "the file ends too early or points nowhere", got)
        first = next((page for page in self._series.pages if page is not None), None)
        if self._series.is_multifile and first is not None and first.parent is not self._file:
            raise ImageReadError(
                "part of an image that is spread over several OME-TIFF files",
                where=self.source,
                remedy=f"open {first.parent.filename} instead, which begins the set",
            )

    def _read_header(self, messages: list[str]) -> Header:
        axes, series = self._axes, self._series
        scale = read_scale(self._file, series.kind)
        count = 1 if axes.samples > 1 else axes.size("C")
        names = scale.channels if len(scale.channels) == count else ()
        notes = [*axes.notes, *scale.notes, *_photometric(self._file, series, self._path)]
        if axes.samples > 1:
            names = RGB if axes.samples >= 3 else ("grey",)
            notes.append(RGB_NOTE if axes.samples >= 3 else "the second sample is left out")
            if axes.samples == 4:
                notes.append("transparency (alpha) is left out")
        elif not names:
            names = ("grey",) if count == 1 else tuple(f"channel {i}" for i in range(count))
        slices = axes.size("Z")
        if slices > 1:
            before = ("",) if count == 1 else tuple(f"{name}:" for name in names)
            names = tuple(f"{name}z{z}" for name in before for z in range(slices))
            notes.append(f"a z stack of {slices} slices: its planes are channels, {names[0]} ...")
        frames = self._frames_there()
        if frames < axes.size(axes.time):
            notes.append(
                f"only {frames} of {axes.size(axes.time)} frames are in the file; "
                "the recording may have been stopped"
            )
        dtype = "uint8" if series.dtype.kind == "b" else series.dtype.name
        if series.dtype.kind == "b":
            notes.append("one bit a pixel: this looks like a mask, not an image")
        height, width = (axes.inner_shape[axes.inner.index(a)] for a in "YX")
        notes += [message for message in messages if not message.startswith("OME series is miss")]
        return Header(
            frames, names, height, width, dtype, scale.pixel_um, scale.frame_s, tuple(notes)
        )

    def _frames_there(self) -> int:
        """Frames before the first plane that is missing."""
        frames = self._axes.size(self._axes.time)
        if self._series.dataoffset is not None:
            return frames
        channels = self._axes.size("C") * self._axes.size("Z")
        pages = self._series.pages
        for t in range(frames):
            if any(pages[self._axes.plane(t, c)] is None for c in range(channels)):
                frames = t
                break
        if frames == 0:
            remedy = "put the other files of the set beside it"
            raise ImageReadError("its first frame is missing", where=self.source, remedy=remedy)
        return frames

    def _read_plane(self, index: int) -> NDArray[Any]:
        shape = self._axes.inner_shape
        if self._series.dataoffset is not None:
            # reading, not mapping: mapped pages would count as the process's memory
            dtype = np.dtype(self._series.dtype).newbyteorder(self._file.byteorder)
            count = int(np.prod(shape))
            offset = self._series.dataoffset + index * count * dtype.itemsize
            return self._file.filehandle.read_array(dtype, count, offset).reshape(shape)
        page = self._series.pages[index]
        if page is None:
            raise ImageReadError(f"plane {index} is missing", where=self.source)
        handle = page.parent.filehandle
        was_closed = handle.closed
        with _listening():
            if was_closed:
                handle.open()
            try:
                return np.asarray(page.asarray()).reshape(shape)
            finally:
                if was_closed:
                    handle.close()


def _axes(series: tifffile.TiffPageSeries, path: Path) -> _Axes:
    found = re.fullmatch(r"(.*?)(YXS|SYX|YX)", series.axes)
    if found is None or np.dtype(series.dtype).kind not in "buif":
        raise ImageReadError(
            "not an image of grey levels over time and channels",
            where=str(path),
            expected="axes t, c, y, x and whole or real numbers",
            got=f"axes {series.axes}, shape {series.shape}, type {series.dtype}",
            remedy="export it as OME-TIFF with axes TCYX",
        )
    letters, inner = found[1], found[2]
    lead = tuple(zip(letters, series.shape, strict=False))
    inner_shape = tuple(int(n) for n in series.shape[len(letters) :])
    samples = inner_shape[inner.index("S")] if "S" in inner else 1
    sizes = dict(lead)
    if sizes.get("Z", 1) > 1 and samples > 1:
        raise ImageReadError(
            f"a z stack of {sizes['Z']} slices in colour",
            where=str(path),
            expected="one plane in focus a time point, or a z stack of grey levels",
            remedy="save the slice in focus, or one colour of all slices, and use that",
        )
    others = [letter for letter in letters if letter not in "TCZ"]
    if len(others) > 1 or (others and "T" in letters) or (samples > 1 and "C" in letters):
        raise ImageReadError(
            "more axes than time, channel, y and x",
            where=str(path),
            got=f"axes {series.axes}, shape {series.shape}",
            remedy="save every position, angle or mosaic part to a file of its own",
        )
    notes: tuple[str, ...] = ()
    if others:
        notes = ("the file does not say what its pages are; they are taken for frames in time",)
    return _Axes(lead, inner, inner_shape, others[0] if others else "T", samples, notes)


def _photometric(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, path: Path) -> list[str]:
    photometric = int(series.keyframe.photometric)
    if photometric == 0:
        return ["the file says that 0 is white; grey levels are left as they are"]
    if photometric == 3:
        if series.kind in ("imagej", "ome", "stk"):
            return ["the file's colour table is for display and not used"]
        raise palette_error(path)
    return []
