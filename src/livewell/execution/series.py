"""Verdicts of every position in order of time, as they come, and the state that they tell of."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from livewell.image import Header
from livewell.metrics.alarms import AlarmRule
from livewell.names import natural_key
from livewell.study.layout import NamePattern

Line = dict[str, Any]
Order = tuple[Any, ...]
PLACE = ("plate", "well", "position")
TIMES = ("time_s", "t0", "t")
"""Parts of a pattern that name a position, and that say when a file begins."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What names of files say of position and time; of a name that does not fit nothing is known.

    Without a pattern an image is of the position that its file says; one that says none is of its
    own. Files of a position follow one another by ``time_s``, ``t0`` or ``t`` of the pattern, else
    by their names, in natural order.
    """

    pattern: NamePattern | None

    @classmethod
    def of(cls, pattern: str | None) -> "Naming":
        """That of a pattern; a `LayoutError` where it is none."""
        return cls(None if pattern is None else NamePattern.parse(pattern))

    def place(self, image: str, header: Header) -> dict[str, str | None]:
        """Values ``plate``, ``well``, ``position``, and ``place``, the position's whole name."""
        parts = self._parts(image)
        said = {name: None if parts.get(name) is None else str(parts[name]) for name in PLACE}
        if self.pattern is None:
            said = dict(zip(PLACE, (header.plate, header.well, header.position), strict=True))
        names = [name for name in said.values() if name]
        return {**said, "place": "/".join(names) or image}

    def order(self, image: str, t: int) -> Order:
        """Where a frame lies in time among those of its position."""
        parts = self._parts(image)
        said = (parts.get(name) for name in TIMES)
        begins = next((time for time in said if isinstance(time, int | float)), 0)
        return float(begins), natural_key(image), t

    def _parts(self, image: str) -> dict[str, Any]:
        try:
            return (self.pattern and self.pattern.match(image)) or {}
        except ValueError:  # a well that cannot be
            return {}


@dataclass(eq=False)
class Series:
    """Lines of frames by position in order of time; of a frame that was judged again the last."""

    naming: Naming
    rule: AlarmRule
    places: dict[str, list[tuple[Order, Line]]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)

    def add(self, line: Line) -> bool:
        """Take in the line of a frame; whether a later frame of its position was there before."""
        entry = (self.naming.order(line["image"], line["t"]), line)
        known = self.places.setdefault(line["place"], [])
        at = bisect_left(known, entry[0], key=itemgetter(0))
        if at < len(known) and known[at][0] == entry[0]:
            known[at] = entry
        else:
            insort(known, entry, key=itemgetter(0))
        self.states[line["place"]] = self.rule.state(self.vote(e) for _, e in reversed(known))
        return at < len(known) - 1

    def vote(self, line: Line) -> str | None:
        """The class that a frame speaks for, see `AlarmRule.vote`."""
        p = line.get(f"p_{self.rule.positive}", 0.0) if line["n_patches"] else None
        return self.rule.vote(line["verdict"], p)

    @property
    def counts(self) -> dict[str, int]:
        """How many positions are in each state."""
        return dict(sorted(Counter(self.states.values()).items()))

    def __iter__(self) -> Iterator[Line]:
        for lines in self.places.values():
            yield from (line for _, line in lines)

    def __len__(self) -> int:
        return sum(map(len, self.places.values()))
