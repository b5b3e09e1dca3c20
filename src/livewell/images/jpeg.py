"""JPEG files, by simplejpeg: what libjpeg only warns of, and fills with grey, is an error."""

import struct
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.images.plain import PlainImage, damaged, plain_header

MAGIC = b"\xff\xd8\xff"
_END = b"\xff\xd9"
_CHECKED = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
"""Kinds of JPEG, by their marker, of which simplejpeg decodes 8 bits; others hold no loss."""
NOTE = (
    "JPEG loses detail: fine texture in it is partly the compression's; it has no check sum, so"
    " small damage may pass unnoticed"
)
UNCHECKED_NOTE = "a JPEG of a rare kind: livewell cannot tell whether all of it is there"


def open_jpeg(path: Path) -> PlainImage:
    """A JPEG, grey or colour."""
    frame = frame_of(path.read_bytes())
    if frame is None:
        raise damaged(path)
    if frame.samples not in (1, 3):
        remedy = "save it as grey PNG or TIFF"
        raise ImageReadError(f"a JPEG with {frame.samples} inks", where=str(path), remedy=remedy)
    notes = [NOTE]
    checked = frame.bits == 8 and frame.marker in _CHECKED
    if not checked:
        notes.append(UNCHECKED_NOTE)
    header = plain_header(frame.height, frame.width, frame.bits, frame.samples, notes)
    whole = partial(_decode, "GRAY" if frame.samples == 1 else "RGB")
    return PlainImage(path, header, whole if checked else imagecodecs.jpeg_decode)


class JpegFrame(NamedTuple):
    """What a JPEG says of its frame: the kind by its marker, bits and number of samples, pixels."""

    marker: int
    bits: int
    height: int
    width: int
    samples: int


def frame_of(data: bytes) -> JpegFrame | None:
    """The frame that a JPEG states; ``None`` where there is none, or no end after it."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            found = JpegFrame(marker, *struct.unpack(">BHHB", data[at + 4 : at + 10]))
            return found if data.rfind(_END) > at else None
        at += 1 if marker == 0xFF else 2 + length
    return None


def refuse_spoilt(stream: bytes, tables: bytes = b"") -> None:
    """Raise a `ValueError` where a JPEG of 8 bits inside another file is not whole.

    Parameters
    ----------
    stream
        From its start mark to its end mark, such as a strip of a TIFF.
    tables
        What a TIFF keeps of all its strips in the tag JPEGTables, from mark to mark; may be empty.
    """
    _decode("GRAY", tables.removesuffix(_END) + stream[2:] if tables else stream)


def _decode(colours: str, data: bytes) -> NDArray[Any]:
    pixels = np.asarray(simplejpeg.decode_jpeg(data, colours))
    return pixels[..., 0] if colours == "GRAY" else pixels
