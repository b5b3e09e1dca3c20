"""PNG and JPEG files, by imagecodecs, so that 16 bits stay 16 bits."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.image import Frame, Header

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC = b"\xff\xd8\xff"
RGB = ("red", "green", "blue")
"""Names of the channels of a colour image."""
RGB_NOTE = "colour image: channels red, green, blue; name one of them, or all three"
_END_OF_JPEG = b"\xff\xd9"


class PlainImage:
    """An image of one frame that is decoded whole when its frame is asked for."""

    def __init__(self, path: Path, header: Header, decode: Callable[[bytes], NDArray[Any]]) -> None:
        self.header, self.source = header, str(path)
        self._path, self._decode = path, decode
        self._pixels: NDArray[Any] | None = None

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One (y, x) plane in the file's number type."""
        if self._pixels is None:
            pixels = self._decode(self._path.read_bytes())
            self._pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        return np.ascontiguousarray(self._pixels[..., channel])

    def close(self) -> None:
        """Forget the pixels; no file is held open."""
        self._pixels = None


def open_png(path: Path) -> PlainImage:
    """A PNG of 1 to 16 bits, grey or colour; alpha is left out and said so."""
    with path.open("rb") as file:
        chunks = _png_chunks(file.read(1 << 16))
    if len(chunks.get(b"IHDR", b"")) < 13:
        raise damaged(path)
    width, height, bits, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    if b"acTL" in chunks:
        remedy = "save the frames as a TIFF movie"
        raise ImageReadError("an animated PNG", where=str(path), remedy=remedy)
    notes = []
    samples = {0: 1, 2: 3, 3: 1, 4: 1, 6: 3}.get(kind, 0)
    if kind == 3:
        _refuse_colours(path, chunks.get(b"PLTE", b""))
        notes.append("grey levels looked up in the file's palette")
    if kind in (4, 6) or (kind != 3 and b"tRNS" in chunks):
        notes.append("transparency (alpha) is left out")
    if bits < 8 and kind == 0:
        notes.append(f"{bits}-bit grey, stretched to 8 bits")
    return PlainImage(path, _header(height, width, bits, samples, notes), imagecodecs.png_decode)


def open_jpeg(path: Path) -> PlainImage:
    """A JPEG, grey or colour."""
    data = path.read_bytes()
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, samples = struct.unpack(">BHHB", data[at + 4 : at + 10])
            break
        at += 1 if marker == 0xFF else 2 + length
    else:
        raise damaged(path)
    # libjpeg fills what is missing with grey and says nothing, so look for the end mark
    if data.rfind(_END_OF_JPEG) < at:
        raise damaged(path)
    if samples not in (1, 3):
        remedy = "save it as grey PNG or TIFF"
        raise ImageReadError(f"a JPEG with {samples} inks", where=str(path), remedy=remedy)
    notes = ["JPEG loses detail: fine texture in it is partly the compression's"]
    return PlainImage(path, _header(height, width, bits, samples, notes), imagecodecs.jpeg_decode)


def _header(height: int, width: int, bits: int, samples: int, notes: list[str]) -> Header:
    dtype = "uint16" if bits > 8 else "uint8"
    if samples >= 3:
        return Header(1, RGB, height, width, dtype, notes=(*notes, RGB_NOTE))
    return Header(1, ("grey",), height, width, dtype, notes=tuple(notes))


def damaged(path: Path, what: str = "the file ends too early", got: str = "") -> ImageReadError:
    """The error for a file that is not whole."""
    remedy = "copy it again from where it was recorded"
    return ImageReadError(f"damaged: {what}", where=str(path), got=got, remedy=remedy)


def _png_chunks(data: bytes) -> dict[bytes, bytes]:
    """Chunks before the pixels, as far as they lie in `data`."""
    found, at = {}, len(PNG_MAGIC)
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind in (b"IDAT", b"IEND"):
            break
        found[kind] = data[at + 8 : at + 8 + length]
        at += 12 + length
    return found


def _refuse_colours(path: Path, palette: bytes) -> None:
    colours = np.frombuffer(palette[: len(palette) // 3 * 3], "u1").reshape(-1, 3)
    if colours.size == 0 or (colours != colours[:, :1]).any():
        raise palette_error(path)


def palette_error(path: Path) -> ImageReadError:
    """The error for an image that looks its colours up."""
    return ImageReadError(
        "an image with a colour palette; its numbers are not brightnesses",
        where=str(path),
        remedy="save it again as grey (8 or 16 bit) from the program that made it",
    )
