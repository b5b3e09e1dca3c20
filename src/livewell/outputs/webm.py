"""A WebM file of still pictures: lossy WebP stills, repacked as VP8 key frames.

The ``VP8 `` chunk of a lossy WebP file is one VP8 key frame (RFC 9649, section 2.5), and WebM
(Matroska, RFC 9559) carries VP8 frames as they are. So a video that every browser plays needs no
other encoder than Pillow's. Every frame is a key frame in a cluster of its own: larger than a
video with prediction between frames, but exact to seek in, and nothing is held in memory.
"""

import struct
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from livewell.errors import ImageContentError, OutputError

MOST_PX = 16383
"""Longest side of a lossy WebP picture, and of a VP8 frame: 14 bits."""

_SEEK_ROOM = 256
"""Bytes kept free at the segment's start for the places of its parts."""


def element(identity: int, content: bytes | int | float | str) -> bytes:
    """One EBML element: its id, its length in eight bytes, and its content.

    Numbers become eight-byte big-endian integers or floats, text becomes UTF-8 (RFC 8794).
    """
    if isinstance(content, str):
        content = content.encode()
    elif isinstance(content, int):
        content = content.to_bytes(8, "big")
    elif isinstance(content, float):
        content = struct.pack(">d", content)
    name = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


def vp8_frame(webp: bytes) -> bytes:
    """The VP8 key frame inside a lossy WebP file.

    Raises
    ------
    ImageContentError
        There is none: not a WebP file, a lossless or an animated one.
    """
    at = 12
    while webp[:4] == b"RIFF" and webp[8:12] == b"WEBP" and at + 8 <= len(webp):
        size = int.from_bytes(webp[at + 4 : at + 8], "little")
        if webp[at : at + 4] == b"VP8 ":
            return webp[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise ImageContentError(
        "not a lossy WebP still", expected="a chunk 'VP8 '", got=repr(webp[:16])
    )


class WebmWriter:
    """Writes a WebM file frame by frame; a context manager that finishes the file on leaving.

    Parameters
    ----------
    path
        File to write, replaced if there.
    width_px, height_px
        Size of every frame, at most `MOST_PX` each.
    fps
        Frames a second.
    title
        Title in the file's header.
    quality
        Of the WebP stills, 0 to 100.

    Raises
    ------
    OutputError
        A side is longer than VP8 allows.
    """

    def __init__(
        self,
        path: Path,
        width_px: int,
        height_px: int,
        fps: float,
        *,
        title: str = "",
        quality: int = 88,
    ) -> None:
        if max(width_px, height_px) > MOST_PX:
            raise OutputError(
                "frames too large for WebM video",
                where=str(path),
                expected=f"at most {MOST_PX} pixels a side",
                got=f"{width_px} x {height_px}",
                remedy="crop the movie, or bin it",
            )
        self._size = (width_px, height_px)
        self._fps, self._quality = fps, quality
        self._cues: list[bytes] = []
        self._frames = 0
        self._file: BinaryIO = path.open("wb")
        self._begin(title)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Append one RGB picture, shape (height_px, width_px, 3).

        Raises
        ------
        ImageContentError
            Its size is not the video's.
        """
        height, width = picture.shape[:2]
        if (width, height) != self._size:
            raise ImageContentError(
                "a frame of another size",
                where=f"frame {self._frames}",
                expected=f"{self._size[0]} x {self._size[1]} pixels",
                got=f"{width} x {height}",
            )
        still = BytesIO()
        Image.fromarray(picture).save(still, "WEBP", quality=self._quality, method=2)
        time_ms = self._time_ms(self._frames)
        position = self._file.tell() - self._segment
        place = element(0xF7, 1) + element(0xF1, position)
        self._cues.append(element(0xBB, element(0xB3, time_ms) + element(0xB7, place)))
        # Track 1 as a one-byte number, no time beside the cluster's, flag "key frame".
        block = b"\x81" + struct.pack(">hB", 0, 0x80) + vp8_frame(still.getvalue())
        self._file.write(element(0x1F43B675, element(0xE7, time_ms) + element(0xA3, block)))
        self._frames += 1

    def _time_ms(self, frame: int) -> int:
        return round(1000 * frame / self._fps)

    def _begin(self, title: str) -> None:
        file = self._file
        file.write(
            element(
                0x1A45DFA3,
                element(0x4286, 1)
                + element(0x42F7, 1)
                + element(0x42F2, 4)
                + element(0x42F3, 8)
                + element(0x4282, "webm")
                + element(0x4287, 4)
                + element(0x4285, 2),
            )
        )
        # Length of the segment, places of its parts and duration are known at the end only.
        file.write(element(0x18538067, b""))
        self._segment = file.tell()
        file.write(b"\0" * _SEEK_ROOM)
        self._info = file.tell()
        file.write(self._info_element(title, 0.0))
        self._title = title
        self._tracks = file.tell()
        width, height = self._size
        # WebP stores BT.601 luma and chroma in the narrow range; sRGB primaries and gamma.
        colour = element(0x55B1, 6) + element(0x55B9, 1) + element(0x55BA, 1) + element(0x55BB, 1)
        video = element(0xB0, width) + element(0xBA, height) + element(0x55B0, colour)
        track = (
            element(0xD7, 1)
            + element(0x73C5, 1)
            + element(0x83, 1)
            + element(0x9C, 0)
            + element(0x86, "V_VP8")
            + element(0x23E383, round(1e9 / self._fps))
            + element(0xE0, video)
        )
        file.write(element(0x1654AE6B, element(0xAE, track)))

    def _info_element(self, title: str, duration_ms: float) -> bytes:
        return element(
            0x1549A966,
            element(0x2AD7B1, 1_000_000)
            + element(0x4489, duration_ms)
            + element(0x7BA9, title)
            + element(0x4D80, "livewell")
            + element(0x5741, "livewell"),
        )

    def _finish(self) -> None:
        file = self._file
        cues = file.tell()
        file.write(element(0x1C53BB6B, b"".join(self._cues)))
        end = file.tell()
        places = ((0x1549A966, self._info), (0x1654AE6B, self._tracks), (0x1C53BB6B, cues))
        seek = element(
            0x114D9B74,
            b"".join(
                element(
                    0x4DBB,
                    element(0x53AB, identity.to_bytes(4, "big"))
                    + element(0x53AC, place - self._segment),
                )
                for identity, place in places
            ),
        )
        rest = _SEEK_ROOM - len(seek)
        file.seek(self._segment - 8)
        file.write((1 << 56 | end - self._segment).to_bytes(8, "big"))
        file.write(seek + element(0xEC, b"\0" * (rest - 9)))
        file.write(self._info_element(self._title, float(self._time_ms(self._frames))))
