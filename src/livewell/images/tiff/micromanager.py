"""What Micro-Manager's own tags say: the index map of a stack, the metadata of each page."""

import json
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from livewell.images.tiff import scale
from livewell.images.tiff.ifd import Page
from livewell.images.tiff.statement import Place, Scale, Statement

_PAGE_TAG = 51123
_INDEX, _SUMMARY, _ND_TIFF, _MAP = 54773648, 2355492, 483729, 3453623


def micro_manager(pages: Sequence[Page]) -> Statement | None:
    """What Micro-Manager says of the pages of a stack or of NDTiff; ``None`` if it is no such."""
    file = pages[0].file
    if file.big:
        return None
    words = struct.unpack(file.order + "8I", file.read(8, 32).ljust(32, b"\0"))
    if words[0] == _ND_TIFF and words[3] == _SUMMARY:
        return _nd_tiff(pages, _json(file.read(28, words[4])))
    if words[0] != _INDEX and words[6] != _SUMMARY:
        return None
    summary = _json(file.read(40, words[7])) if words[6] == _SUMMARY else {}
    return _stack(pages, summary, words[1])


def _stack(pages: Sequence[Page], summary: Mapping[str, Any], at: int) -> Statement:
    file, source = pages[0].file, "Micro-Manager's index"
    by_place = {page.at: page.number for page in pages}
    found: list[tuple[tuple[int, ...], int]] = []
    magic, count = (
        struct.unpack(file.order + "2I", file.read(at, 8).ljust(8, b"\0")) if at else (0, 0)
    )
    if magic == _MAP and count * 20 <= file.size:
        data = file.read(at + 8, count * 20)
        for entry in struct.iter_unpack(file.order + "5I", data[: len(data) // 20 * 20]):
            found.append((entry[:4], by_place.get(entry[4], -1)))
    notes: tuple[str, ...] = ()
    if not found:
        source = "Micro-Manager's tags"
        said = [_json(page.text(_PAGE_TAG)) for page in pages]
        keys = ("ChannelIndex", "SliceIndex", "FrameIndex", "PositionIndex")
        found = [
            (tuple(_count(each.get(key), 0) for key in keys), page.number)
            for each, page in zip(said, pages, strict=True)
        ]
        notes = ("the recording was not closed: Micro-Manager's index is missing",)
    planned = {"T": "Frames", "C": "Channels", "Z": "Slices"}
    stated = {letter: _count(summary.get(key), 1) for letter, key in planned.items()}
    names = summary.get("ChNames")
    names = names if isinstance(names, list) else []
    own = _json(pages[0].text(_PAGE_TAG))
    return _statement(source, found, stated, [str(n) for n in names], {**own, **summary}, notes)


def _nd_tiff(pages: Sequence[Page], summary: Mapping[str, Any]) -> Statement:
    source = "NDTiff's tags"
    own = [_json(page.text(_PAGE_TAG)) for page in pages]
    axes = [said for each in own if isinstance(said := each.get("Axes"), dict)]
    if len(axes) < len(pages):
        return Statement(source, broken="some pages do not say which plane they are")
    names: dict[str, int] = {}
    others: dict[str, int] = {}
    found = []
    for page, each in zip(pages, axes, strict=True):
        rest = {key: value for key, value in each.items() if key not in ("time", "channel", "z")}
        channel = names.setdefault(str(each.get("channel", "")), len(names))
        other = others.setdefault(json.dumps(rest, sort_keys=True), len(others))
        time, depth = _count(each.get("time"), 0), _count(each.get("z"), 0)
        found.append(((channel, depth, time, other), page.number))
    named = list(names) if "" not in names else []
    return _statement(source, found, {}, named, {**own[0], **summary}, ())


def _statement(
    source: str,
    found: Sequence[tuple[tuple[int, ...], int]],
    planned: Mapping[str, int],
    names: Sequence[str],
    said: Mapping[str, Any],
    notes: tuple[str, ...],
) -> Statement:
    """Planes of one position, numbered from 0; `found` has (channel, slice, frame, position)."""
    ranks = [
        {value: rank for rank, value in enumerate(sorted({at[axis] for at, _ in found}))}
        for axis in range(4)
    ]
    places: dict[Place, tuple[str, int]] = {}
    twice = False
    for at, page in found:
        channel, depth, frame, _ = (rank[value] for rank, value in zip(ranks, at, strict=True))
        twice |= (frame, channel, depth) in places
        places[frame, channel, depth] = ("", page)
    counts = [len(rank) for rank in ranks]
    frames = sorted(ranks[2])
    steps = {b - a for a, b in pairwise(frames)}
    if len(steps) > 1:
        notes += ("frames are missing between others",)
    total = planned.get("T", 1)
    if counts[2] < total and total < 2**31:
        notes += (
            f"only {counts[2]} of {total} frames that were planned are in the file; the recording"
            " may have been stopped, or goes on in other files",
        )
    sizes = tuple(zip("TCZ", (counts[2], counts[0], counts[1]), strict=True))
    positions = (("P", counts[3]),) if counts[3] > 1 else ()
    broken = "it names a plane twice" if twice and not positions else ""
    here = [names[c] for c in sorted(ranks[0]) if c < len(names)]
    position = said.get("PositionName")
    return Statement(
        source,
        positions + sizes,
        None if positions else places,
        scale=_scale(said, tuple(here)),
        notes=notes,
        position=str(position) if position else None,
        broken=broken,
    )


def _scale(said: Mapping[str, Any], names: tuple[str, ...]) -> Scale:
    edge = next((said[key] for key in ("PixelSize_um", "PixelSizeUm") if said.get(key)), None)
    notes: list[str] = []
    interval = scale.interval(said.get("Interval_ms"), "ms", notes)
    return Scale(scale.square([edge, edge], ["um", "um"], notes), interval, names, tuple(notes))


def _count(value: Any, usual: int) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**31 else usual


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
