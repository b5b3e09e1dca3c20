"""Pixels of one page of a TIFF: segments are decoded, and must fill the page exactly."""

from collections.abc import Callable
from operator import add, eq
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.images.jpeg import frame_of, refuse_spoilt
from livewell.images.plain import damaged
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.library import opened

Pixels = NDArray[Any]
_DECODERS: dict[int, Callable[..., Any]] = {
    5: imagecodecs.lzw_decode,
    8: imagecodecs.deflate_decode,
    32946: imagecodecs.deflate_decode,
    32773: imagecodecs.packbits_decode,
    34925: imagecodecs.lzma_decode,
    34926: imagecodecs.zstd_decode,
    50000: imagecodecs.zstd_decode,
}
"""Compressions of bytes; those of images are left to tifffile."""
JPEG = (6, 7)
"""Compressions by JPEG, the older one seldom seen."""


def read_page(page: Page) -> Pixels:
    """Pixels of a page in native byte order, shape `Page.shape`."""
    if page.form.plain and together(page):
        return read_behind(page, 0)
    if page.form.compression != 1 and page.form.compression not in _DECODERS:
        return _by_tifffile(page)
    planes, down, across = page.form.grid
    samples = 1 if page.form.planar else page.form.samples
    rows, columns = page.form.rows, page.form.columns
    whole = np.empty((planes, down * rows, across * columns, samples), page.form.dtype)
    segments = zip(page.offsets, page.counts, strict=True)
    for i, (offset, count) in enumerate(segments):
        plane, rest = divmod(i, down * across)
        row, column = divmod(rest, across)
        height = page.form.segment_rows(row)
        data = page.file.read(offset, count)
        part = _decoded(page, data, height, columns, samples, i)
        y, x = row * rows, column * columns
        whole[plane, y : y + height, x : x + columns] = part
    whole = whole[:, : page.form.height, : page.form.width]
    return whole.reshape(page.form.shape) if page.form.planar else whole[0].reshape(page.form.shape)


def read_behind(page: Page, plane: int) -> Pixels:
    """Pixels without compression, of the plane that is so many planes behind those of the page."""
    found = np.empty(page.form.shape, _stored(page))
    page.file.handle.seek(page.offsets[0] + plane * found.nbytes)
    if page.file.handle.readinto(found.data.cast("B")) < found.nbytes:
        raise damaged(page.file.path)
    return found if found.dtype.isnative else found.astype(page.form.dtype)


def _stored(page: Page) -> np.dtype[Any]:
    if page.form.dtype is None:
        raise damaged(page.file.path, "its numbers are of no known type")
    return page.form.dtype.newbyteorder("<" if page.file.order == "<" else ">")


def together(page: Page) -> bool:
    """Whether strips lie one after the other, and none holds more than its pixels."""
    follow = map(eq, map(add, page.offsets[:-1], page.counts), page.offsets[1:])
    return sum(page.counts) == page.form.plane_bytes and all(follow)


def _decoded(
    page: Page, data: bytes, height: int, columns: int, samples: int, number: int
) -> Pixels:
    """Pixels of one segment, shape (height, columns, samples)."""
    row = -(-columns * samples * page.form.bits // 8)
    needed, full = height * row, page.form.rows * row
    if page.form.reversed_bits:
        data = bytes(imagecodecs.bitorder_decode(data))
    if page.form.compression != 1:
        # one byte more than may be, to see whether there is too much
        data = bytes(_DECODERS[page.form.compression](data, out=full + 1))
    # some programs fill the last strip up to the size of the others
    if len(data) not in (needed, full):
        raise damaged(
            page.file.path,
            f"part {number} of page {page.number} does not hold the pixels of its size",
            f"{len(data)} bytes, {needed} are needed",
        )
    data, shape = data[:needed], (height, columns, samples)
    predictor = page.form.predictor
    if page.form.dtype is not None and page.form.bits not in (8, 16, 32, 64):
        if predictor != 1:
            raise damaged(page.file.path, f"a predictor for {page.form.bits} bits")
        found = imagecodecs.packints_decode(
            data, page.form.dtype, page.form.bits, runlen=columns * samples
        )
        return np.asarray(found).reshape(shape)
    if predictor == 1:
        return np.frombuffer(data, _stored(page)).reshape(shape)
    if predictor == 2 and page.form.format in (1, 2):
        stored = np.frombuffer(data, _stored(page)).reshape(shape)
        return np.asarray(imagecodecs.delta_decode(stored.astype(page.form.dtype), axis=-2))
    if predictor == 3 and page.form.format == 3:
        raw = np.frombuffer(data, page.form.dtype).reshape(shape)
        return np.asarray(imagecodecs.floatpred_decode(raw, axis=-2))
    raise damaged(page.file.path, f"predictor {predictor} for its numbers")


def _by_tifffile(page: Page) -> Pixels:
    if page.form.compression in JPEG:
        _check_jpeg(page)
    with opened(page.file.path) as file:
        file.filehandle.seek(page.at)
        found = np.asarray(tifffile.TiffPage(file, page.number).asarray())
    if found.shape != page.form.shape or found.dtype != page.form.dtype:
        raise damaged(
            page.file.path,
            f"page {page.number} is of another kind inside than its tags say",
            f"{found.shape} {found.dtype} and {page.form.shape} {page.form.dtype}",
        )
    return found


def _check_jpeg(page: Page) -> None:
    """Refuse JPEG segments whose own size or bits are not those of the page."""
    samples = 1 if page.form.planar else page.form.samples
    _, down, across = page.form.grid
    columns = page.form.columns
    for i, (offset, count) in enumerate(zip(page.offsets, page.counts, strict=True)):
        data = page.file.read(offset, count)
        frame = frame_of(data)
        if frame is None:
            raise damaged(page.file.path, f"part {i} of page {page.number} is no whole JPEG")
        found = frame.bits, frame.height, frame.width, frame.samples
        row, column = divmod(i % (down * across), across)
        rows = page.form.segment_rows(row)
        needed = page.form.bits, rows, columns, samples
        # tiles at the edges may hold no more than there is, and the last strip as much as others
        left = page.form.height - row * page.form.rows, page.form.width - column * columns
        cut = page.form.bits, min(left[0], rows), min(left[1], columns), samples
        full = page.form.bits, page.form.rows, columns, samples
        if found not in (needed, cut, full) and page.form.compression == 7:
            raise damaged(
                page.file.path,
                f"part {i} of page {page.number} is of another kind inside than its tags say",
                f"bits, rows, columns, samples: {found} and {needed}",
            )
        if page.form.compression == 7 and page.form.bits == 8:
            try:
                refuse_spoilt(data, b"".join(page.values(347)))
            except ValueError as error:
                what = f"part {i} of page {page.number} is no whole JPEG"
                raise damaged(page.file.path, what, str(error)) from error


def upright(pixels: Pixels, page: Page) -> Pixels:
    """Grey levels so that brighter is brighter, also where the file says that 0 is white.

    A mask of one bit stays as it is: programs store it either way, and mean 1.
    """
    if page.form.photometric != 0 or page.form.bits == 1:
        return pixels
    return np.asarray((2**page.form.bits - 1) - pixels)
