"""What cannot be in the pages of a TIFF file: each finding is a sentence, and no pixel is read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from livewell.images.tiff.ifd import Page

Ranges = NDArray[np.int64]
"""Bytes of a file, from and to (excluded), shape (n, 2)."""
_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}


def page_faults(page: Page) -> list[str]:
    """Why a page cannot be read, empty where it can."""
    return [*page.faults, *(_size(page) or _samples(page) or _segments(page))]


def _size(page: Page) -> list[str]:
    missing = [
        name for code, name in ((256, "ImageWidth"), (257, "ImageLength")) if code not in page.tags
    ]
    if missing:
        return [f"{' and '.join(missing)} missing"]
    if not (page.width and page.height and page.samples and page.rows and all(page.tile or (1,))):
        return ["a size of zero"]
    if page.number_of(32997, 1) > 1:
        return [f"a volume of {page.number_of(32997, 1)} slices in one page"]
    return []


def _samples(page: Page) -> list[str]:
    found = []
    for code, name in ((258, "BitsPerSample"), (339, "SampleFormat")):
        tag = page.tags.get(code)
        if tag and tag.count not in (1, page.samples) and 34412 not in page.tags:
            found.append(f"{name} has {tag.count} values for {page.samples} samples")
    base = _COLOURS.get(page.photometric or 0)
    if base and page.samples < base:
        found.append(f"colours of {base} samples are stated, and there are {page.samples}")
    elif base and page.extras and page.samples != base + len(page.extras):
        found.append(
            f"{base} + {len(page.extras)} samples are stated, and there are {page.samples}"
        )
    return found


def _segments(page: Page) -> list[str]:
    name = "tiles" if page.tile else "strips"
    planes, down, across = page.grid
    needed = planes * down * across
    offsets, counts = page.offsets, page.counts
    for what, values in (("offsets", offsets), ("byte counts", counts)):
        if values.size != needed:
            return [f"{needed} {name} are needed for its size, and {values.size} have {what}"]
    absent = int(((offsets == 0) | (counts == 0)).sum())
    if absent:
        return [f"{absent} of {needed} {name} are missing"]
    ends = int((offsets + counts).max())
    if ends > page.file.size:
        return [f"the file ends too early: {page.file.size} bytes, pixels up to byte {ends}"]
    if page.compression == 1 and page.bits and not _fit(page):
        return [
            f"its {name} hold {int(counts.sum())} bytes, and its size and bits need"
            f" {page.plane_bytes}"
        ]
    return []


def _fit(page: Page) -> bool:
    """Whether segments without compression have the bytes that their size needs."""
    planes, down, across = page.grid
    full, last = page.segment_bytes(0), page.segment_bytes(down - 1)
    counts = page.counts.reshape(planes, down, across)
    # some programs fill the last strip up to the size of the others
    return bool((counts[:, :-1] == full).all() and np.isin(counts[:, -1], (full, last)).all())


def overlap(pages: Sequence[Page], more: Sequence[tuple[int, int]] = ()) -> str:
    """A sentence where parts of the file lie over each other that cannot, else empty.

    Pixels may lie neither over lists of tags nor over other pixels, unless both are the same.
    `more` are bytes of pixels of planes that have no page.
    """
    data, other = _pixels(pages, more), _tags(pages)
    both = np.concatenate([data, other])
    order = np.argsort(both[:, 0], kind="stable")
    starts, ends, pixels = both[order, 0], both[order, 1], order < len(data)
    reach = np.maximum.accumulate(ends)[:-1]
    last = np.maximum.accumulate(np.where(pixels, ends, 0))[:-1]
    crossing = starts[1:] < np.where(pixels[1:], reach, last)
    if not crossing.any():
        return ""
    return f"parts of the file lie over each other (at byte {starts[1:][crossing][0]})"


def _pixels(pages: Sequence[Page], more: Sequence[tuple[int, int]]) -> Ranges:
    found = [np.stack([page.offsets, page.offsets + page.counts], 1) for page in pages]
    return np.unique(np.concatenate([*found, np.array(more, np.int64).reshape(-1, 2)]), axis=0)


def _tags(pages: Sequence[Page]) -> Ranges:
    found = [(0, 16 if pages[0].file.big else 8)]
    for page in pages:
        found.append((page.at, page.end))
        found += [(tag.at, tag.at + tag.size) for tag in page.tags.values() if not tag.raw]
    return np.array(found, np.int64)


def _claimed(pages: Sequence[Page], more: Sequence[tuple[int, int]]) -> Ranges:
    both = np.concatenate([_pixels(pages, more), _tags(pages)])
    return both[np.argsort(both[:, 0], kind="stable")]


def unclaimed(pages: Sequence[Page], more: Sequence[tuple[int, int]]) -> list[str]:
    """A note where bytes that no tag names have room for more planes."""
    claimed = _claimed(pages, more)
    file, plane = pages[0].file, min(page.plane_bytes for page in pages)
    starts = np.append(claimed[:, 0], file.size)
    ends = np.insert(np.maximum.accumulate(claimed[:, 1]), 0, 0)
    free = int(np.maximum(starts - ends, 0).max())
    if plane == 0 or pages[0].compression != 1 or free < plane:
        return []
    return [
        f"{free} bytes of the file belong to nothing that it names: room for {free // plane} more"
        " planes, which are not read"
    ]
