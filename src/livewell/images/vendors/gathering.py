"""Planes of a folder as they are found, one by one, and the tables that they make."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from livewell.errors import GeometryError
from livewell.images.planes import Layer, PlaneTable
from livewell.images.reference import field_names
from livewell.images.tiff.stage import stage_um
from livewell.plate import Well
from livewell.text import plural

PROJECTION = -1
"""In place of the number of a slice: the projection of all slices."""
_Key = tuple[int, Any, int | None]
"""Time, channel, and slice of a plane."""
_Image = tuple[str, Well, int, str]
"""Plate, well, position, and the letter before its number."""


@dataclass(slots=True)
class _Found:
    planes: dict[_Key, str] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    twice: str = ""


class Gathering:
    """Planes as a folder's index or names state them, whatever their order.

    ``files`` are the image files that lie there; ``names`` what channels are called, by the keys
    that planes state, else by `label`.
    """

    def __init__(
        self, files: Collection[str], label: Callable[[Any], str] = str, source: str = "its index"
    ) -> None:
        self.files, self.names, self.notes = files, dict[Any, str](), list[str]()
        self.said: dict[str, Any] = {}
        self._label, self._source = label, source
        self._found: dict[_Image, _Found] = {}
        self._odd: Counter[str] = Counter()

    def add(
        self,
        well: tuple[str, str] | str,
        site: tuple[str, int],
        plane: _Key,
        file: str,
        seconds: float | None = None,
        plate: str = "",
        **said: Any,
    ) -> None:
        """One plane: well (name, or row and column), position (letter, number), (t, channel, z).

        Plates are told apart where files of several lie in one folder. What is `said` besides are
        facts of `PlaneTable`, of which the first of an image counts.
        """
        at = _well(well)
        if at is None:
            self.unread(f"no well {well if isinstance(well, str) else ', '.join(well)}")
            return
        letter, number = site
        found = self._found.setdefault((plate, at, number, letter), _Found())
        other = found.planes.setdefault(plane, file)
        if other != file and not found.twice:
            t, channel, _ = plane
            found.twice = (
                f"{self._source} names two files for one plane (time {t}, channel"
                f" {self._label(channel)}): {other} and {file}"
            )
        if seconds is not None:
            found.seconds[plane[0]] = min(seconds, found.seconds.get(plane[0], seconds))
        for name, value in said.items():
            found.said.setdefault(name, value)

    def stage(self, y: Any, x: Any, unit: str | None) -> tuple[float, float] | None:
        """Position (y, x) of the stage in micrometres; ``None``, noted once, without a unit."""
        notes: list[str] = []
        at = stage_um(y, x, unit, notes)
        if notes:
            self.note(f"stage positions of {self._source} are not taken: their unit is not known")
        return at

    def unread(self, why: str) -> None:
        """Count a plane that cannot be taken."""
        self._odd[why] += 1

    def note(self, *notes: str) -> None:
        """Notes on all images of the folder, each once."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def tables(self) -> dict[str, PlaneTable]:
        """The tables of all images by the names of their fields, in their order."""
        slices: dict[Any, set[int]] = {}
        uses: Counter[str] = Counter()
        for found in self._found.values():
            uses.update(found.planes.values())
            for _, channel, z in found.planes:
                slices.setdefault(channel, set()).update(() if z in (None, PROJECTION) else (z,))
        named = self._names(slices)
        rest = sorted(set(self.files) - set(uses))
        account = list(self._account(rest))
        notes = list(self.notes)
        if self._odd:
            kind, count = next(iter(self._odd.items()))
            total = sum(self._odd.values())
            notes.append(f"{plural(total, 'plane')} of {self._source} not read: {kind} ({count})")
        tables, paths = [], []
        several = len({plate for plate, *_ in self._found}) > 1
        for key in sorted(self._found):
            table = self._table(self._found[key], slices, named, uses)
            plate, well, number, letter = key
            table = replace(
                table,
                plate=plate or table.plate,
                well=str(well),
                position=f"{letter}{number:02d}",
                notes=(*notes, *table.notes),
                account=(*account, *table.account),
            )
            tables.append(table)
            paths.append("/".join([plate] * several + [str(well), f"{letter}{number:02d}"]))
        return dict(zip(field_names(paths), tables, strict=True))

    def _names(self, channels: Collection[Any]) -> dict[Any, str]:
        """Names of channels; none of them where two have the same."""
        names = {channel: self.names.get(channel) or self._label(channel) for channel in channels}
        if len(set(names.values())) < len(names):
            return {channel: self._label(channel) for channel in channels}
        return names

    def _table(
        self,
        found: _Found,
        slices: Mapping[Any, set[int]],
        named: Mapping[Any, str],
        uses: Mapping[str, int],
    ) -> PlaneTable:
        times = sorted({t for t, _, _ in found.planes})
        layers = sorted({(c, -2 if z is None else z) for _, c, z in found.planes})
        rank = {t: i for i, t in enumerate(times)}
        place = {layer: i for i, layer in enumerate(layers)}
        planes: dict[Layer, str] = {}
        missing: dict[Layer, str] = {(t, i): "" for t in rank.values() for i in place.values()}
        for (t, c, z), file in found.planes.items():
            at = rank[t], place[c, -2 if z is None else z]
            if file in self.files:
                planes[at] = file
                del missing[at]
            else:
                missing[at] = file
        shared = [file for file in found.planes.values() if uses[file] > 1]
        fault = found.twice or (
            f"{self._source} names one file for several planes: {shared[0]}" if shared else ""
        )
        seconds = [found.seconds[t] for t in times if t in found.seconds]
        known = len(seconds) == len(times) > 1
        gaps = set(range(times[0], times[-1])) - set(times)
        return PlaneTable(
            frames=len(times),
            layers=tuple(_layer(c, z, slices, named) for c, z in layers),
            planes=planes,
            missing=missing,
            times_s=tuple(round(at - seconds[0], 6) for at in seconds) if known else None,
            notes=(f"{plural(len(gaps), 'time point')} are missing between others",) * bool(gaps),
            fault=fault,
            **(self.said | found.said),
        )

    def _account(self, rest: list[str]) -> tuple[str, ...]:
        if not rest:
            return ()
        some = ", ".join(rest[:3]) + ", ..." * (len(rest) > 3)
        return (f"{plural(len(rest), 'file')} that {self._source} does not name not read: {some}",)


def _layer(channel: Any, z: int, slices: Mapping[Any, set[int]], named: Mapping[Any, str]) -> str:
    """Name of a channel, of one of its slices, or of their projection."""
    name, own = named[channel], sorted(slices[channel])
    if z == PROJECTION:
        return f"{name}:projection" if own else name
    if len(own) < 2:
        return name
    return f"{name}:z{own.index(z)}" if len(named) > 1 or PROJECTION in own else f"z{own.index(z)}"


@lru_cache(maxsize=4096)
def _well(name: tuple[str, str] | str) -> Well | None:
    try:
        return Well.parse(name) if isinstance(name, str) else Well.of(*name)
    except GeometryError:
        return None
