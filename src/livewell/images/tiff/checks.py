"""What cannot be in the pages of a TIFF file: each finding is a sentence, and no pixel is read."""

import math
from collections.abc import Sequence
from operator import add

import numpy as np
from numpy.typing import NDArray

from livewell.images.tiff.form import Form
from livewell.images.tiff.ifd import Page

Claims = NDArray[np.int64]
"""Bytes of a file in their order: from, to (excluded), and 1 for pixels; shape (n, 3)."""
_MOST = {5: 2800, 6: 3000, 7: 3000, 8: 1040, 32946: 1040, 32773: 64}
"""Bytes that one compressed byte can make at most, by the kind of compression."""


def page_faults(page: Page) -> list[str]:
    """Why a page cannot be read, empty where it can."""
    return [*page.faults, *page.form.faults] or _segments(page)


def _segments(page: Page) -> list[str]:
    form = page.form
    name = "tiles" if form.tile else "strips"
    needed = math.prod(form.grid)
    offsets, counts = page.offsets, page.counts
    for what, values in (("offsets", offsets), ("byte counts", counts)):
        if len(values) != needed:
            return [f"{needed} {name} are needed for its size, and {len(values)} have {what}"]
    absent = sum(not (offset and count) for offset, count in zip(offsets, counts, strict=True))
    if absent:
        return [f"{absent} of {needed} {name} are missing"]
    ends = max(map(add, offsets, counts))
    if ends > page.file.size:
        return [f"the file ends too early: {page.file.size} bytes, pixels up to byte {ends}"]
    if form.plane_bytes > sum(counts) * _MOST.get(form.compression, form.plane_bytes):
        return [f"{sum(counts)} bytes cannot hold the {form.plane_bytes} of its size"]
    if form.compression == 1 and form.bits and not _fit(page):
        return [
            f"its {name} hold {sum(counts)} bytes, and its size and bits need {form.plane_bytes}"
        ]
    return []


def _fit(page: Page) -> bool:
    """Whether segments without compression have the bytes that their size needs."""
    planes, down, across = page.form.grid
    full, last = page.form.segment_bytes(0), page.form.segment_bytes(down - 1)
    if len(page.counts) == 1:
        return page.counts[0] == full
    counts = np.array(page.counts).reshape(planes, down, across)
    # some programs fill the last strip up to the size of the others
    return bool((counts[:, :-1] == full).all() and np.isin(counts[:, -1], (full, last)).all())


def overlap(claimed: Claims) -> str:
    """A sentence where parts of the file lie over each other that cannot, else empty.

    Pixels may lie neither over lists of tags nor over other pixels, unless both are the same.
    """
    starts, ends, pixels = claimed[:, 0], claimed[:, 1], claimed[:, 2].astype(bool)
    reach = np.maximum.accumulate(ends)[:-1]
    last = np.maximum.accumulate(np.where(pixels, ends, 0))[:-1]
    crossing = starts[1:] < np.where(pixels[1:], reach, last)
    if not crossing.any():
        return ""
    return f"parts of the file lie over each other (at byte {starts[1:][crossing][0]})"


def doubts(pages: Sequence[Page], claimed: Claims, first: Page) -> list[str]:
    """Notes on what sound files seldom have: disorder, pixels named twice, bytes left over.

    `first` is a page of the image itself.
    """
    found = []
    if any(list(page.tags) != sorted(page.tags) for page in pages if -270 not in page.tags):
        found.append("its tags are not in the order of the standard; the file may be damaged")
    places = [at for page in pages for at in page.offsets]
    twice = len(places) - len(set(places))
    if twice:
        found.append(f"{twice} parts of its pixels are the same bytes of the file as others")
    return found + _unclaimed(pages, claimed, first.form)


def _unclaimed(pages: Sequence[Page], claimed: Claims, form: Form) -> list[str]:
    """A note where bytes that no tag names have room for more planes."""
    file, plane = pages[0].file, form.plane_bytes
    if form.compression != 1 or any(330 in page.tags for page in pages):
        return []
    starts = np.append(claimed[:, 0], file.size)
    ends = np.insert(np.maximum.accumulate(claimed[:, 1]), 0, 0)
    free = int((starts - ends).max())
    if free < plane:
        return []
    return [
        f"{free} bytes of the file belong to nothing that it names: room for {free // plane} more"
        " planes, which are not read"
    ]


def claims(pages: Sequence[Page], more: Sequence[tuple[int, int]]) -> Claims:
    """Bytes that pages name; `more` are those of pixels of planes that have no page."""
    file = pages[0].file
    found = {(start, end, 1) for start, end in more}
    found.add((0, 16 if file.big else 8, 0))
    for page in pages:
        # a damaged copy of a page may lack some, or name what is beyond the end
        segments = zip(page.offsets, page.counts, strict=False)
        found.update((at, at + size, 1) for at, size in segments if at + size <= file.size)
        found.add((page.at, page.end, 0))
        found.update((tag.at, tag.at + tag.size, 0) for tag in page.tags.values() if not tag.raw)
    return np.array(sorted(found), np.int64)
