"""Every kind of image file that livewell reads, and how it is known by its content."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from livewell.errors import ImageContentError, ImageReadError, LivewellError
from livewell.image import Frame, Header, Image
from livewell.images import jpeg, png
from livewell.images.decoder import DECODER
from livewell.images.limits import LIMIT, check_size
from livewell.images.plain import damaged
from livewell.images.sequence import SequenceImage
from livewell.images.tiff.ifd import MAGIC
from livewell.images.tiff.reader import TiffImage
from livewell.images.walking import Listing, left_out_lines, walk
from livewell.regular import regular


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of image file or folder: its usual endings, what tells it, and its reader.

    ``fits`` takes the path and its first 16 bytes (none for a folder).
    """

    suffixes: tuple[str, ...]
    fits: Callable[[Path, bytes], bool]
    open: Callable[[Path], Image]


def _open_folder(path: Path) -> Image:
    """A folder of single frames, in the natural order of their names."""
    return SequenceImage(frames_in(path).paths, open_file).refuse(mixed=True)


FORMATS: dict[str, Format] = {
    "TIFF": Format(
        (".tif", ".tiff", ".btf", ".tf8", ".stk"),
        lambda path, first: first.startswith(MAGIC),
        TiffImage,
    ),
    "PNG": Format((".png",), lambda path, first: first.startswith(png.MAGIC), png.open_png),
    "JPEG": Format(
        (".jpg", ".jpeg"), lambda path, first: first.startswith(jpeg.MAGIC), jpeg.open_jpeg
    ),
    # folders that are one image (OME-Zarr, vendor formats) belong above this line
    "folder of frames": Format((), lambda path, first: path.is_dir(), _open_folder),
}
"""Every kind of image that livewell reads; the first that fits is taken."""

SUFFIXES: dict[str, str] = {
    suffix: name for name, form in FORMATS.items() for suffix in form.suffixes
}
"""Format by ending of the name (lower case, with the dot)."""

_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"ZISRAW": "a Zeiss CZI file",
    b"\xda\xce\xbe\x0a": "a Nikon ND2 file",
    b"\x70\x00\x00\x00": "a Leica LIF file",
    b"GIF8": "a GIF image",
    b"BM": "a BMP image",
    b"%PDF": "a PDF document",
}

_REFUSALS = {
    FileNotFoundError: ("no such file", "check the path"),
    PermissionError: ("no permission to read", "change the file's permissions"),
}
_UNREADABLE = ("cannot be read", "look whether its disk or file server is there, and try again")
"""What the operating system refuses, and what to do."""


class OpenImage:
    """An open image; use it in a ``with`` block or close it.

    Its header holds what the user gave in place of what the file says; ``reader`` is the format's
    own, for what a format knows beyond (t, c, y, x).
    """

    def __init__(self, reader: Image, header: Header) -> None:
        self.reader, self.header, self.source = reader, header, reader.source
        # readers that decode by programs that may crash say so; others need not
        self._packed = getattr(reader, "packed", False)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) frame in the file's number type, native byte order, unscaled."""
        frames, channels, _, _ = self.header.shape
        for axis, at, size in (("frame", t, frames), ("channel", channel, channels)):
            if not 0 <= at < size:
                raise ImageContentError(
                    f"no {axis} {at}", where=self.source, expected=f"0 to {size - 1}", got=str(at)
                )
        with reading(Path(self.source)):
            frame = None
            if self._packed:
                frame = DECODER.frame(self.source, self.header, t, channel)
            return plane(self.reader, t, channel) if frame is None else frame

    def close(self) -> None:
        """Let go of the file."""
        self.reader.close()
        if self._packed:
            DECODER.close(self.source)

    def __enter__(self) -> "OpenImage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_file(path: Path) -> OpenImage:
    """Open a file or folder by its own kind, with what it says of itself."""
    with reading(path):
        name, notes = identify(path)
        reader = FORMATS[name].open(path)
        try:
            check_size(reader.header, path, getattr(reader, "most_a_byte", math.inf))
        except LivewellError:
            reader.close()
            raise
    header = reader.header
    return OpenImage(reader, replace(header, notes=(*header.notes, *notes)))


def plane(reader: Image, t: int, channel: int) -> Frame:
    """A reader's frame, decoded in this process: contiguous, in native byte order.

    Raises
    ------
    ImageReadError
        Its size or number type is not what the header says.
    """
    frame = reader.frame(t, channel)
    frame = np.ascontiguousarray(frame, dtype=frame.dtype.newbyteorder("="))
    said = reader.header.area.shape, reader.header.dtype
    if (frame.shape, frame.dtype.name) != said:
        raise damaged(
            Path(reader.source),
            "its pixels are not those that its header says",
            got=f"shape {frame.shape}, {frame.dtype}",
        )
    return frame


def reader_of(path: Path) -> Image:
    """The reader of the file's own kind, which decodes in this process."""
    return FORMATS[identify(path)[0]].open(path)


def frames_in(folder: Path) -> Listing:
    """Image files lying in `folder`, and what was left out there, see `walking.walk`."""
    listing = walk(folder, SUFFIXES, deep=False)
    if not listing.files:
        raise ImageReadError(
            "a folder without image files",
            where=str(folder),
            expected="files ending in " + ", ".join(SUFFIXES),
            got="".join(left_out_lines(listing.left_out)),
        )
    return listing


def identify(path: Path) -> tuple[str, tuple[str, ...]]:
    """Name of the format, and a note where the file's ending says another."""
    first = b""
    with reading(path):
        if not (folder := path.is_dir()):
            with regular(path).open("rb") as file:
                first = file.read(16)
    if not (first or folder):
        raise ImageReadError(
            "an empty file (0 bytes)",
            where=str(path),
            remedy="copy it again from where it was recorded, or leave it out",
        )
    by_name = SUFFIXES.get(path.suffix.lower())
    for name, form in FORMATS.items():
        if form.fits(path, first):
            if by_name and by_name != name:
                return name, (f"named like a {by_name} but a {name} inside; read as that",)
            return name, ()
    raise ImageReadError(
        f"named like a {by_name} but not one inside" if by_name else "not an image livewell reads",
        where=str(path),
        expected=", ".join(name for name in FORMATS),
        got=_describe(first),
        remedy="export it as OME-TIFF from the program that made it",
    )


def _describe(first: bytes) -> str:
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            return what
    text = first.decode("utf-8", errors="replace")
    if text.isascii() and all(c.isprintable() or c.isspace() for c in text):
        return f"text, beginning {text!r}"
    return "bytes " + first[:8].hex(" ")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a reading library raises into one error that names the file."""
    try:
        yield
    except LivewellError:
        raise
    except Exception as error:
        raise _as_read_error(error, path) from error


def _as_read_error(error: Exception, path: Path) -> ImageReadError:
    if isinstance(error, MemoryError):
        return ImageReadError(
            "its pixels take more memory than there is, or than a frame may take",
            where=str(path),
            remedy="copy it again where its size is not what the file says; else cut it into"
            f" fields, or close other programs and set the environment variable {LIMIT} to twice"
            " its million pixels",
        )
    if isinstance(error, OSError) and error.errno is not None:
        what, remedy = _REFUSALS.get(type(error), _UNREADABLE)
        where = os.fsdecode(error.filename) if error.filename else str(path)
        return ImageReadError(what, where=where, got=error.strerror or "", remedy=remedy)
    return ImageReadError(
        "cannot be read as an image; it is damaged or of an unknown variant",
        where=str(path),
        got=f"{type(error).__name__}: {error}"[:300].replace("\n", " "),
        remedy="copy it again, or export it as OME-TIFF from the program that made it",
    )
