"""What Micro-Manager's own tags say: the index map of a stack, the metadata of each page."""

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from livewell.images.tiff import scale
from livewell.images.tiff.ifd import Page, TiffBytes
from livewell.images.tiff.stage import place_of, stage_um
from livewell.images.tiff.statement import Place, Scale, Statement

_PAGE_TAG = 51123
_INDEX, _SUMMARY, _ND_TIFF, _MAP = 54773648, 2355492, 483729, 3453623


def positions_in(file: TiffBytes) -> int:
    """Positions that Micro-Manager's index names; 0 if it is no such file, 2 where not known."""
    words = _words(file)
    if file.big or (words[0] != _INDEX and words[6] != _SUMMARY):
        return 0 if file.big or words[0] != _ND_TIFF else 2
    return len({where[3] for where, _ in _index(file, words[1])}) or 2


def _words(file: TiffBytes) -> tuple[int, ...]:
    return struct.unpack(file.order + "8I", file.read(8, 32).ljust(32, b"\0"))


def _index(file: TiffBytes, at: int) -> list[tuple[tuple[int, ...], int]]:
    """Entries (channel, slice, frame, position) of the index map, and where the page is."""
    magic, count = (
        struct.unpack(file.order + "2I", file.read(at, 8).ljust(8, b"\0")) if at else (0, 0)
    )
    if magic != _MAP or count * 20 > file.size:
        return []
    data = file.read(at + 8, count * 20)
    entries = struct.iter_unpack(file.order + "5I", data[: len(data) // 20 * 20])
    return [(entry[:4], entry[4]) for entry in entries]


def micro_manager(pages: Sequence[Page]) -> list[Statement]:
    """What Micro-Manager says of the pages of a stack or of NDTiff, position by position.

    Empty if the file is neither.
    """
    file = pages[0].file
    if file.big:
        return []
    words = _words(file)
    if words[0] == _ND_TIFF and words[3] == _SUMMARY:
        return _nd_tiff(pages, nd_summary(file))
    if words[0] != _INDEX and words[6] != _SUMMARY:
        return []
    summary = _json(file.read(40, words[7])) if words[6] == _SUMMARY else {}
    return _stack(pages, summary, words[1])


def _stack(pages: Sequence[Page], summary: Mapping[str, Any], at: int) -> list[Statement]:
    file, source = pages[0].file, "Micro-Manager's index"
    by_place = {page.at: page.number for page in pages}
    found = [(where, by_place.get(at, -1)) for where, at in _index(file, at)]
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
    tags = {page.number: page for page in pages}
    positions = sorted({where[3] for where, _ in found})
    return [
        _statement(
            source,
            [(where, page) for where, page in found if where[3] == position],
            stated,
            [str(n) for n in names],
            _Metadata(summary, lambda page: _json(tags[page].text(_PAGE_TAG)), f"Pos{position}"),
            notes,
        )
        for position in positions
    ]


def nd_summary(file: TiffBytes) -> dict[str, Any]:
    """The summary of a recording in a file of NDTiff; empty where there is none."""
    words = _words(file)
    return _json(file.read(28, words[4])) if words[3] == _SUMMARY else {}


def _nd_tiff(pages: Sequence[Page], summary: Mapping[str, Any]) -> list[Statement]:
    source = "NDTiff's tags"
    own = {page.number: _json(page.text(_PAGE_TAG)) for page in pages}
    axes = {page: said for page, each in own.items() if isinstance(said := each.get("Axes"), dict)}
    if len(axes) < len(pages):
        return [Statement(source, broken="some pages do not say which plane they are")]
    return by_axes(source, [*axes.values()], [*axes], summary, own.__getitem__)


def by_axes(
    source: str,
    axes: Sequence[Mapping[str, Any]],
    pages: Sequence[int],
    summary: Mapping[str, Any],
    metadata: Callable[[int], Mapping[str, Any]],
) -> list[Statement]:
    """What NDTiff says of planes by their axes; axes but time, channel and z are positions."""
    names: dict[Any, int] = {}
    positions: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    for each, page in zip(axes, pages, strict=True):
        channel = names.setdefault(each.get("channel", ""), len(names))
        time, depth = _count(each.get("time"), 0), _count(each.get("z"), 0, least=-(2**31))
        where = channel, depth, time, 0
        positions.setdefault(position_of(each), []).append((where, page))
    stated = summary.get("ChNames")
    named = [_channel(name, stated if isinstance(stated, list) else []) for name in names]
    return [
        _statement(source, found, {}, named, _Metadata(summary, metadata, position), ())
        for position, found in positions.items()
    ]


def position_of(axes: Mapping[str, Any]) -> str:
    """The position that axes of NDTiff name, such as ``Pos0``; empty where they name none."""
    rest = {key: axes[key] for key in sorted(axes) if key not in ("time", "channel", "z")}
    return "_".join(
        value if isinstance(value, str) else f"{key}{value}" for key, value in rest.items()
    )


def _channel(name: Any, stated: Sequence[Any]) -> str:
    """Name of a channel; a number leads to the names that the summary states."""
    return str(stated[name]) if isinstance(name, int) and 0 <= name < len(stated) else str(name)


@dataclass(frozen=True, slots=True)
class _Metadata:
    """Of one position: the summary of the recording, those of each page, and a name for it."""

    summary: Mapping[str, Any]
    of: Callable[[int], Mapping[str, Any]]
    name: str


def _statement(
    source: str,
    found: Sequence[tuple[tuple[int, ...], int]],
    planned: Mapping[str, int],
    names: Sequence[str],
    metadata: _Metadata,
    notes: tuple[str, ...],
) -> Statement:
    """Planes of one position, numbered from 0; `found` has (channel, slice, frame, position)."""
    ranks = [
        {value: rank for rank, value in enumerate(sorted({at[axis] for at, _ in found}))}
        for axis in range(3)
    ]
    places: dict[Place, tuple[str, int]] = {}
    twice = False
    for at, page in found:
        channel, depth, frame = (rank[value] for rank, value in zip(ranks, at[:3], strict=True))
        twice |= (frame, channel, depth) in places
        places[frame, channel, depth] = ("", page)
    counts = [len(rank) for rank in ranks]
    steps = {b - a for a, b in pairwise(sorted(ranks[2]))}
    if len(steps) > 1:
        notes += ("frames are missing between others",)
    total = planned.get("T", 1)
    if counts[2] < total and total < 2**31:
        notes += (
            f"only {counts[2]} of {total} frames that were planned are in the file; the recording"
            " may have been stopped, or goes on in other files",
        )
    firsts = [places[t, 0, 0][1] for t in range(counts[2]) if (t, 0, 0) in places]
    own = {page: metadata.of(page) for page in firsts if page >= 0}
    said = {**next(iter(own.values()), {}), **metadata.summary}
    label = said.get("PositionName")
    well, position = place_of(str(label)) if label else (None, None)
    more: list[str] = []
    stage = stage_um(said.get("YPositionUm"), said.get("XPositionUm"), "um", more)
    return Statement(
        source,
        tuple(zip("TCZ", (counts[2], counts[0], counts[1]), strict=True)),
        places,
        scale=_scale(said, tuple(names[c] for c in sorted(ranks[0]) if c < len(names))),
        notes=(*notes, *more),
        well=well,
        position=position,
        broken="it names a plane twice" if twice else "",
        name=str(label or metadata.name),
        seconds={
            ("", page): milliseconds / 1000
            for page, each in own.items()
            if (milliseconds := scale.number(each.get("ElapsedTime-ms"))) is not None
        },
        stage_um=stage,
    )


def _scale(said: Mapping[str, Any], names: tuple[str, ...]) -> Scale:
    names = names if all(names) else ()
    edge = next((said[key] for key in ("PixelSize_um", "PixelSizeUm") if said.get(key)), None)
    notes: list[str] = []
    interval = scale.interval(said.get("Interval_ms"), "ms", notes)
    return Scale(scale.square([edge, edge], ["um", "um"], notes), interval, names, tuple(notes))


def _count(value: Any, usual: int, least: int = 0) -> int:
    return value if isinstance(value, int) and least <= value < 2**31 else usual


def _json(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
