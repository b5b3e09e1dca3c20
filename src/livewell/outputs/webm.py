"""A WebM file of still pictures: lossy WebP stills, repacked as VP8 key frames.

The ``VP8 `` chunk of a lossy WebP file is one VP8 key frame (RFC 9649, section 2.5), and WebM
(Matroska, RFC 9559) carries VP8 frames as they are. So a video that every browser plays needs no
other encoder than Pillow's. Every frame is a key frame in a cluster of its own: larger than a
video with prediction between frames, but exact to seek in, and nothing is held in memory.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from livewell.errors import ImageContentError, OutputError

MOST_PX = 16383
"""Longest side of a lossy WebP picture, and of a VP8 frame: 14 bits."""
QUALITY = 88
"""Of the WebP stills, 0 to 100."""

_SEEK_ROOM = 256
"""Bytes kept free at the segment's start for the places of its parts."""
_SEGMENT, _INFO, _TRACKS, _CUES = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1C53BB6B


def element(identity: int, *contents: bytes | int | float | str) -> bytes:
    """One EBML element: its id, its length in eight bytes, and its contents.

    Numbers become eight-byte big-endian integers or floats, text becomes UTF-8 (RFC 8794).
    """
    content = b"".join(map(_encoded, contents))
    name = identity.to_bytes((identity.bit_length() + 7) // 8, "big")
    return name + _length(len(content)) + content


def _encoded(content: bytes | int | float | str) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, int):
        return content.to_bytes(8, "big")
    return struct.pack(">d", content) if isinstance(content, float) else content


def _length(size: int) -> bytes:
    return (1 << 56 | size).to_bytes(8, "big")


def vp8_frame(webp: bytes) -> bytes:
    """The VP8 key frame inside a lossy WebP file; refuses a lossless or an animated one."""
    at = 12
    while webp[:4] == b"RIFF" and webp[8:12] == b"WEBP" and at + 8 <= len(webp):
        size = int.from_bytes(webp[at + 4 : at + 8], "little")
        if webp[at : at + 4] == b"VP8 ":
            return webp[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    raise ImageContentError(
        "not a lossy WebP still", expected="a chunk 'VP8 '", got=repr(webp[:16])
    )


@contextmanager
def webm(
    path: Path, width_px: int, height_px: int, fps: float, title: str
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """A function that appends one RGB frame to a WebM file, which is finished on leaving."""
    if max(width_px, height_px) > MOST_PX:
        raise OutputError(
            "frames too large for WebM video",
            where=str(path),
            expected=f"at most {MOST_PX} pixels a side",
            got=f"{width_px} x {height_px}",
            remedy="crop the movie, or bin it",
        )
    cues: list[bytes] = []
    with path.open("wb") as file:
        file.write(_header())
        # Length of the segment, places of its parts and duration are known at the end only.
        file.write(element(_SEGMENT, b""))
        segment = file.tell()
        file.write(b"\0" * _SEEK_ROOM)
        info_at = file.tell()
        file.write(_info(title, 0.0))
        tracks_at = file.tell()
        file.write(_tracks(width_px, height_px, fps))

        def add(frame: NDArray[np.uint8]) -> None:
            still = BytesIO()
            Image.fromarray(frame).save(still, "WEBP", quality=QUALITY, method=2)
            time_ms = round(1000 * len(cues) / fps)
            place = element(0xB7, element(0xF7, 1), element(0xF1, file.tell() - segment))
            cues.append(element(0xBB, element(0xB3, time_ms), place))
            # Track 1 as a one-byte number, no time beside the cluster's, flag "key frame".
            block = b"\x81" + struct.pack(">hB", 0, 0x80) + vp8_frame(still.getvalue())
            file.write(element(0x1F43B675, element(0xE7, time_ms), element(0xA3, block)))

        yield add
        cues_at = file.tell()
        file.write(element(_CUES, *cues))
        end = file.tell()
        parts = ((_INFO, info_at), (_TRACKS, tracks_at), (_CUES, cues_at))
        seek = element(
            0x114D9B74,
            *(
                element(
                    0x4DBB,
                    element(0x53AB, identity.to_bytes(4, "big")),
                    element(0x53AC, at - segment),
                )
                for identity, at in parts
            ),
        )
        file.seek(segment - 8)
        file.write(_length(end - segment))
        file.write(seek + element(0xEC, b"\0" * (_SEEK_ROOM - len(seek) - 9)))
        file.write(_info(title, float(round(1000 * len(cues) / fps))))


def _header() -> bytes:
    """EBML 1, ids of 4 bytes and lengths of 8 at most, WebM version 4, readable from 2 on."""
    settings: dict[int, int | str] = {0x4286: 1, 0x42F7: 1, 0x42F2: 4, 0x42F3: 8}
    settings |= {0x4282: "webm", 0x4287: 4, 0x4285: 2}
    return element(0x1A45DFA3, *(element(name, value) for name, value in settings.items()))


def _info(title: str, duration_ms: float) -> bytes:
    """Unit of time (ns), duration, title, and the program as muxer and as writer."""
    settings: dict[int, float | str] = {0x2AD7B1: 1_000_000, 0x4489: duration_ms, 0x7BA9: title}
    settings |= {0x4D80: "livewell", 0x5741: "livewell"}
    return element(_INFO, *(element(name, value) for name, value in settings.items()))


def _tracks(width_px: int, height_px: int, fps: float) -> bytes:
    # WebP stores BT.601 luma and chroma in the narrow range; sRGB primaries and gamma.
    colour = (element(0x55B1, 6), element(0x55B9, 1), element(0x55BA, 1), element(0x55BB, 1))
    video = (element(0xB0, width_px), element(0xBA, height_px), element(0x55B0, *colour))
    # number 1, video, no lacing
    track = (element(0xD7, 1), element(0x73C5, 1), element(0x83, 1), element(0x9C, 0))
    codec = (element(0x86, "V_VP8"), element(0x23E383, round(1e9 / fps)), element(0xE0, *video))
    return element(_TRACKS, element(0xAE, *track, *codec))
