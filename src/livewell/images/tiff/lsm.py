"""What Zeiss LSM files say: the tag of the recording, and pages of which every second is small."""

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from livewell.errors import ImageReadError
from livewell.images.tiff import scale
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.library import opened
from livewell.images.tiff.stage import stage_um
from livewell.images.tiff.statement import Scale, Statement

LSM = 34412
"""The tag of the first page that marks such files."""
_SOURCE = "the LSM description"
_AXES = {0: "ZC", 3: "TC", 6: "TZC"}
"""Axes over planes by the kind of scan, the slowest first, of those that make planes in x and y."""
_SIZES = {"T": "DimensionTime", "Z": "DimensionZ", "C": "DimensionChannels"}
_WRAPPED = 2**32


def mended(pages: list[Page]) -> list[Page]:
    """The pages; those of LSM files with the sizes that they have instead of those they state.

    Byte counts of packed strips are stated as if they were not packed, and channels as colours.

    Raises
    ------
    ImageReadError
        An LSM file over 4 GB, whose pages cannot say where their pixels are.
    """
    if not pages or LSM not in pages[0].tags:
        return pages
    size = pages[0].file.size
    if size >= _WRAPPED:
        raise ImageReadError(
            "an LSM file over 4 GB: it cannot say where its planes are",
            where=str(pages[0].file.path),
            remedy="save it as CZI or OME-TIFF in ZEN",
        )
    tags = {tag.at for page in pages for tag in page.tags.values() if not tag.raw}
    starts = sorted({at for page in pages for at in (*page.offsets, page.at)} | tags | {size})
    after = dict(pairwise(starts))
    for page in pages:
        page.form.photometric = 1
        if page.form.samples == 2 and not page.form.bits:
            page.form.bits = _bits(page)
        if page.form.compression != 1:
            pairs = zip(page.offsets, page.counts, strict=False)
            page.counts = tuple(min(many * 2, after.get(at, at) - at) for at, many in pairs)
    return pages


def _bits(page: Page) -> int:
    """Bits of two channels, which old files keep behind, though the tag has room; 0 if none."""
    at = int.from_bytes(page.tags[258].raw, "little")
    bits = {*struct.unpack("<2H", page.file.read(at, 4).ljust(4, b"\0"))}
    return bits.pop() if len(bits) == 1 else 0


def lsm(pages: Sequence[Page]) -> list[Statement]:
    """What the tag of an LSM file says, one statement for each position.

    Raises
    ------
    ImageReadError
        Scans that are no planes in x and y.
    """
    try:
        with opened(pages[0].file.path) as file:
            said = file.lsm_metadata or {}
    except Exception as error:
        return [Statement(_SOURCE, broken=f"it is damaged ({error})")]
    kind = said.get("ScanType")
    if kind not in _AXES:
        raise ImageReadError(
            "a scan of lines, points or slices in depth, not of planes",
            where=str(pages[0].file.path),
            expected="LSM scan types 0, 3 and 6 (planes in x and y)",
            got=f"type {kind}",
            remedy="record planes in x and y",
        )
    full = [page for page in pages if not page.form.reduced] or list(pages)
    sampled = full[0].form.samples > 1
    axes = _AXES[kind].replace("C", "") if sampled else _AXES[kind]
    sizes = tuple((letter, int(said.get(_SIZES[letter], 1))) for letter in axes)
    count = max(int(said.get("DimensionP", 0)), 1)
    if int(said.get("DimensionM", 0)) > 1:
        sizes = (("M", int(said["DimensionM"])), *sizes)
    every = len(full) // count
    if count > 1 and every * count != len(full):
        told = f"{len(full)} planes of {count} positions"
        return [Statement(_SOURCE, broken=f"planes are missing ({told})")]
    found = []
    for position in range(count):
        own = [page.number for page in full[position * every : (position + 1) * every]]
        found.append(
            Statement(
                _SOURCE,
                sizes,
                pages=tuple(own) if count > 1 else None,
                height=int(said.get("DimensionY", 0)),
                width=int(said.get("DimensionX", 0)),
                sampled=sampled,
                **_facts(said, position, count, own),
            )
        )
    return found


def _facts(said: dict[str, Any], position: int, count: int, own: Sequence[int]) -> dict[str, Any]:
    """Scale, times and stage of one position."""
    notes: list[str] = []
    edges = [said.get(f"VoxelSize{axis}") for axis in "XY"]
    pixel_um = scale.square(edges, ["m", "m"], notes)
    frame_s = scale.interval(said.get("TimeIntervall"), "s", notes)
    colours = said.get("ChannelColors") or {}
    names = tuple(str(name) for name in colours.get("ColorNames", ()))
    stamps = [float(at) for at in said.get("TimeStamps", ())]
    frames = int(said.get("DimensionTime", 1))
    step = len(own) // max(frames, 1)
    # with several positions stamps are not said to be of one of them
    known = len(stamps) == frames > 1 == count and len(own) == frames * step
    seconds = {("", own[t * step]): at for t, at in enumerate(stamps)} if known else {}
    places = said.get("Positions")
    at = places[position] if places is not None and len(places) > position else None
    return {
        "scale": Scale(pixel_um, frame_s, names, tuple(notes)),
        "seconds": seconds,
        "stage_um": None if at is None else stage_um(float(at[1]), float(at[0]), "m", notes),
        "position": f"position {position}" if count > 1 else None,
        "name": f"position {position}" if count > 1 else "",
    }
