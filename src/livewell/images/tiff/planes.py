"""Pixels of one page of a TIFF: segments are decoded, and must fill the page exactly."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.images.plain import damaged
from livewell.images.tiff.ifd import Page

Pixels = NDArray[Any]
_DECODERS: dict[int, Callable[..., Any]] = {
    5: imagecodecs.lzw_decode,
    8: imagecodecs.zlib_decode,
    32946: imagecodecs.zlib_decode,
    32773: imagecodecs.packbits_decode,
    34925: imagecodecs.lzma_decode,
    34926: imagecodecs.zstd_decode,
    50000: imagecodecs.zstd_decode,
}
"""Compressions of bytes; those of images are left to tifffile."""
_JPEG = (6, 7)


def read_page(page: Page) -> Pixels:
    """Pixels of a page in native byte order, shape `Page.shape`."""
    if page.dtype is None:
        raise damaged(page.file.path, "its numbers are of no known type")
    if page.compression == 1 and _plain(page) and _together(page):
        return read_behind(page, 0)
    if page.compression != 1 and page.compression not in _DECODERS:
        return _by_tifffile(page)
    planes, down, across = page.grid
    samples = 1 if page.planar else page.samples
    rows, columns = page.rows, page.tile[1] if page.tile else page.width
    whole = np.empty((planes, down * rows, across * columns, samples), page.dtype)
    segments = zip(page.offsets.tolist(), page.counts.tolist(), strict=True)
    for i, (offset, count) in enumerate(segments):
        plane, rest = divmod(i, down * across)
        row, column = divmod(rest, across)
        height = page.segment_rows(row)
        data = page.file.read(offset, count)
        part = _decoded(page, data, height, columns, samples, i)
        y, x = row * rows, column * columns
        whole[plane, y : y + height, x : x + columns] = part
    whole = whole[:, : page.height, : page.width]
    return whole.reshape(page.shape) if page.planar else whole[0].reshape(page.shape)


def read_behind(page: Page, plane: int) -> Pixels:
    """Pixels without compression, of the plane that is so many planes behind those of the page."""
    dtype = _stored(page)
    count = page.height * page.width * page.samples
    data = page.file.read(int(page.offsets[0]) + plane * page.plane_bytes, count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise damaged(page.file.path)
    return np.frombuffer(data, dtype).reshape(page.shape).astype(page.dtype)


def _stored(page: Page) -> np.dtype[Any]:
    assert page.dtype is not None
    return page.dtype.newbyteorder(page.file.order)  # type: ignore[call-overload,no-any-return]


def _plain(page: Page) -> bool:
    """Whether bytes are numbers as they are."""
    whole = page.dtype is not None and page.bits == 8 * page.dtype.itemsize and page.bits >= 8
    return whole and page.number_of(317, 1) == 1 and page.number_of(266, 1) == 1 and not page.tile


def _together(page: Page) -> bool:
    """Whether strips lie one after the other."""
    ends = page.offsets + page.counts
    return bool((ends[:-1] == page.offsets[1:]).all())


def _decoded(
    page: Page, data: bytes, height: int, columns: int, samples: int, number: int
) -> Pixels:
    """Pixels of one segment, shape (height, columns, samples)."""
    needed = height * -(-columns * samples * page.bits // 8)
    if page.number_of(266, 1) == 2:
        data = bytes(imagecodecs.bitorder_decode(data))
    if page.compression != 1:
        # one byte more than is needed, to see whether there is too much
        data = bytes(_DECODERS[page.compression](data, out=needed + 1))
    if len(data) != needed and not (page.compression == 1 and len(data) > needed):
        raise damaged(
            page.file.path,
            f"part {number} of page {page.number} does not hold the pixels of its size",
            f"{len(data)} bytes, {needed} are needed",
        )
    shape = (height, columns, samples)
    predictor = page.number_of(317, 1)
    if page.dtype is not None and page.bits not in (8, 16, 32, 64):
        if predictor != 1:
            raise damaged(page.file.path, f"a predictor for {page.bits} bits")
        found = imagecodecs.packints_decode(data, page.dtype, page.bits, runlen=columns * samples)
        return np.asarray(found).reshape(shape)
    if predictor == 1:
        return np.frombuffer(data[:needed], _stored(page)).reshape(shape)
    if predictor == 2 and page.format in (1, 2):
        stored = np.frombuffer(data[:needed], _stored(page)).reshape(shape)
        return np.asarray(imagecodecs.delta_decode(stored.astype(page.dtype), axis=-2))
    if predictor == 3 and page.format == 3:
        raw = np.frombuffer(data[:needed], page.dtype).reshape(shape)
        return np.asarray(imagecodecs.floatpred_decode(raw, axis=-2))
    raise damaged(page.file.path, f"predictor {predictor} for its numbers")


def _by_tifffile(page: Page) -> Pixels:
    if page.compression in _JPEG:
        _check_jpeg(page)
    with tifffile.TiffFile(page.file.path) as file:
        file.filehandle.seek(page.at)
        found = np.asarray(tifffile.TiffPage(file, page.number).asarray())
    if found.shape != page.shape or found.dtype != page.dtype:
        raise damaged(
            page.file.path,
            f"page {page.number} is of another kind inside than its tags say",
            f"{found.shape} {found.dtype} and {page.shape} {page.dtype}",
        )
    return found


def _check_jpeg(page: Page) -> None:
    """Refuse JPEG segments whose own size or bits are not those of the page."""
    samples = 1 if page.planar else page.samples
    _, down, across = page.grid
    columns = page.tile[1] if page.tile else page.width
    for i, (offset, count) in enumerate(zip(page.offsets, page.counts, strict=True)):
        data = page.file.read(int(offset), int(count))
        found = _start_of_frame(data)
        if found is None or data.rfind(b"\xff\xd9") < 0:
            raise damaged(page.file.path, f"part {i} of page {page.number} is no whole JPEG")
        rows = page.segment_rows(i % (down * across) // across)
        if found != (page.bits, rows, columns, samples) and page.compression == 7:
            raise damaged(
                page.file.path,
                f"part {i} of page {page.number} is of another kind inside than its tags say",
                "bits, rows, columns, samples: {} and {}".format(
                    found, (page.bits, rows, columns, samples)
                ),
            )


def _start_of_frame(data: bytes) -> tuple[int, int, int, int] | None:
    """Bits, rows, columns and samples that a JPEG states."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rows, columns = (int.from_bytes(data[i : i + 2], "big") for i in (at + 5, at + 7))
            return data[at + 4], rows, columns, data[at + 9]
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def upright(pixels: Pixels, page: Page) -> Pixels:
    """Grey levels so that brighter is brighter, also where the file says that 0 is white."""
    if page.photometric != 0:
        return pixels
    return ~pixels if pixels.dtype.kind == "b" else (2**page.bits - 1) - pixels
