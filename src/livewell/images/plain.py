"""Images of one frame that is decoded whole, what readers of several formats say of colours."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.image import Frame, Header

RGB = ("red", "green", "blue")
"""Names of the channels of a colour image."""
RGB_NOTE = "colour image: channels red, green, blue; name one of them, or all three"


class PlainImage:
    """An image of one frame that is decoded whole when its frame is asked for.

    ``decode`` takes the file's bytes, and raises a `ValueError` where they are not whole.
    """

    packed = True
    most_a_byte = 12_000
    """Pixels: a byte of deflate stands for at most 1,032 bytes, of JPEG for 1,228, and a byte for
    up to eight pixels of one bit."""

    def __init__(self, path: Path, header: Header, decode: Callable[[bytes], NDArray[Any]]) -> None:
        self.header, self.source = header, str(path)
        self._path, self._decode = path, decode
        self._pixels: NDArray[Any] | None = None

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type."""
        if self._pixels is None:
            self._pixels = self._read()
        return np.ascontiguousarray(self._pixels[..., channel])

    def close(self) -> None:
        """Forget the pixels; no file is held open."""
        self._pixels = None

    def _read(self) -> NDArray[Any]:
        """Pixels (y, x, c)."""
        try:
            pixels = self._decode(self._path.read_bytes())
        except ValueError as error:
            raise damaged(self._path, str(error)) from error
        return pixels[..., None] if pixels.ndim == 2 else pixels


def plain_header(height: int, width: int, bits: int, samples: int, notes: Sequence[str]) -> Header:
    """The header of one frame, grey or of three colours."""
    dtype = "uint16" if bits > 8 else "uint8"
    if samples >= 3:
        return Header(1, RGB, height, width, dtype, notes=(*notes, RGB_NOTE))
    return Header(1, ("grey",), height, width, dtype, notes=tuple(notes))


def plane_names(channels: Sequence[str], slices: int) -> tuple[str, ...]:
    """Names of an image's channels: every slice of every channel, ``z0`` or ``phase:z0``."""
    if slices == 1:
        return tuple(channels)
    before = ("",) if len(channels) == 1 else tuple(f"{name}:" for name in channels)
    return tuple(f"{name}z{z}" for name in before for z in range(slices))


def slices_note(slices: int, step_um: float | None, names: Sequence[str]) -> list[str]:
    """That slices are channels, and how far apart they lie; nothing of one slice."""
    if slices == 1:
        return []
    apart = f", {step_um:.4g} um apart" if step_um else ""
    return [f"a z stack of {slices} slices{apart}: its planes are channels, {names[0]} ..."]


def damaged(path: Path, what: str = "the file ends too early", got: str = "") -> ImageReadError:
    """The error for a file that is not whole."""
    remedy = "copy it again from where it was recorded"
    return ImageReadError(f"damaged: {what}", where=str(path), got=got, remedy=remedy)


def palette_error(path: Path) -> ImageReadError:
    """The error for an image that looks its colours up."""
    return ImageReadError(
        "an image with a colour palette; its numbers are not brightnesses",
        where=str(path),
        remedy="save it again as grey (8 or 16 bit) from the program that made it",
    )
