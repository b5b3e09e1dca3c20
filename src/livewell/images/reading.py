"""What is wrong with a file that cannot be read, in words: one error that names it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livewell.errors import ImageReadError, LivewellError
from livewell.images.limits import LIMIT

_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"\xd0\xcf\x11\xe0": "an Olympus OIB, Zeiss ZVI or Office file",
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


def describe(first: bytes) -> str:
    """What a file that is no image is, by its first bytes, in words."""
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
