"""Pixels of the planes of a Zeiss CZI file, by number type and compression."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livewell.errors import ImageReadError
from livewell.images.czi_segments import Plane
from livewell.images.plain import damaged

TYPES = {
    0: ("uint8", 1), 1: ("uint16", 1), 2: ("float32", 1), 3: ("uint8", 3), 4: ("uint16", 3),
    8: ("float32", 3), 12: ("uint32", 1), 13: ("float64", 1),
}  # fmt: skip
"""Number type and samples of a pixel by the file's number for it; three are blue, green, red."""
RAW, JPEG_XR, ZSTD_0, ZSTD_1 = 0, 4, 5, 6
READ = {RAW: "none", JPEG_XR: "JPEG XR", ZSTD_0: "Zstandard", ZSTD_1: "Zstandard"}
"""Compressions that are read, by the file's number for them."""
_HI_LO = 1
"""Bit of a Zstandard plane that says: the low bytes of all numbers lie before the high ones."""


def decoded(path: Path, plane: Plane, data: bytes) -> NDArray[Any]:
    """Pixels (y, x, samples) of a plane; three samples are red, green and blue."""
    dtype, samples = TYPES[plane.pixel_type]
    shape = plane.size["Y"], plane.size["X"], samples
    needed = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    if plane.compression == JPEG_XR:
        import imagecodecs

        pixels: NDArray[Any] = imagecodecs.jpegxr_decode(data)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if pixels.shape != shape or pixels.dtype != dtype:
            raise damaged(path, "a plane is not what its directory says", f"shape {pixels.shape}")
        return pixels
    if plane.compression in (ZSTD_0, ZSTD_1):
        data = _zstandard(data, plane.compression, needed, path)
    if len(data) < needed:
        raise damaged(path, "a plane is cut off", f"{len(data)} of {needed} bytes")
    pixels = np.frombuffer(
        data, np.dtype(dtype).newbyteorder("<"), needed // np.dtype(dtype).itemsize
    )
    pixels = pixels.reshape(shape)
    return pixels[..., ::-1] if samples == 3 else pixels


def checked(path: Path, plane: Plane) -> None:
    """Refuse a plane of a number type or a compression that is not read."""
    if plane.pixel_type in TYPES and plane.compression in READ:
        return
    what = "pixel type" if plane.pixel_type not in TYPES else "compression"
    number = plane.pixel_type if plane.pixel_type not in TYPES else plane.compression
    raise ImageReadError(
        f"a CZI file with {what} {number}, which livewell does not read",
        where=str(path),
        remedy="export it as OME-TIFF from ZEN",
    )


def _zstandard(data: bytes, compression: int, needed: int, path: Path) -> bytes:
    import imagecodecs

    packed = False
    if compression == ZSTD_1:
        head = data[:3]
        if head[:1] == b"\x03" and head[1:2] == b"\x01":
            packed, data = bool(head[2] & _HI_LO), data[3:]
        elif head[:1] == b"\x01":
            data = data[1:]
        else:
            raise damaged(path, "a plane's compression is not what it says")
    found = bytes(imagecodecs.zstd_decode(data, out=needed))
    if not packed:
        return found
    both = np.frombuffer(found, np.uint8)
    return both.reshape(2, -1).T.tobytes()
