"""Fitting a name to a file-name pattern, in a number of steps that is known beforehand."""

import re
from dataclasses import dataclass, field

from livewell.errors import LayoutError
from livewell.study.pattern import AnyText, Literal, Node, Part, Piece, first, written

MOST = 300_000
"""Most steps in fitting one name; usual names of usual patterns need fewer than 200."""
_ANY = re.compile(r"[^/]*")
_KINDS = {
    "int": re.compile(r"[+-]?\d{1,18}"),
    "number": re.compile(r"[+-]?\d{1,18}(?:[.,pP]\d{1,18})?"),
    "duration": re.compile(
        r"(?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m(?:in)?)?(?:\d{1,6}(?:\.\d{1,6})?s)?",
        re.IGNORECASE,
    ),
    "text": re.compile(r"[^/]+"),
    "path": re.compile(r".+", re.DOTALL),
}
_AS_MUCH = frozenset({"int", "number", "duration"})
"""Kinds that take as much as fits; the others take as little."""


@dataclass(frozen=True, slots=True)
class _Text:
    folded: str


@dataclass(frozen=True, slots=True)
class _Ends:
    """Any text of an expression that goes on from here, under a name where it has one."""

    name: str
    wanted: re.Pattern[str]
    least: int
    greedy: bool


@dataclass(frozen=True, slots=True)
class _Again:
    """The text that a part of this name has fitted before."""

    name: str


@dataclass(frozen=True, slots=True)
class _Jump:
    """What stands up to `to` may be absent."""

    to: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """Begin or end of a piece with a name."""

    name: str
    end: bool


_Step = _Text | _Ends | _Again | _Jump | _Mark
_Spans = tuple[tuple[str, int, int], ...]
_State = tuple[int, int, _Spans]
"""Number of the next step, place in the name, and begin and end of the parts so far."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How a name fits: the text of every part, or ``None`` and how far it does."""

    parts: dict[str, str] | None
    reached: str = ""
    expected: str = ""


@dataclass(slots=True)
class Program:
    """A pattern as steps in a row."""

    nodes: tuple[Node, ...]
    steps: list[_Step] = field(default_factory=list)
    begins: dict[int, str] = field(default_factory=dict)
    """What is written in the pattern where these steps begin, of those that must be there."""
    repeated: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._add(self.nodes, frozenset({""}), set(), top=True)

    def fit(self, name: str) -> Fit:
        """Fit all of a name; letter case does not count.

        A state is looked at once, so that there are at most as many as the pattern has steps times
        the name has letters, however the pattern is nested; names of repeated parts add to them.

        Raises
        ------
        LayoutError
            After `MOST` steps.
        """
        folded = _folded(name)
        todo: list[_State] = [(0, 0, ())]
        seen: set[object] = set()
        reached: dict[int, int] = {}
        count = 0
        while todo:
            state = todo.pop()
            step, at, spans = state
            key = (step, at, *(span for span in spans if span[0] in self.repeated))
            if key in seen:
                continue
            seen.add(key)
            reached.setdefault(step, at)
            if step == len(self.steps):
                if at == len(name):
                    return Fit({part: name[a:b] for part, a, b in spans})
                continue
            after = self._after(state, name, folded)
            count += 1 + len(after)
            if count > MOST:
                raise LayoutError(
                    "the file-name pattern fits a name in too many ways",
                    where=name[:200],
                    remedy="put text between the parts that only stands there, and fewer stars",
                )
            todo += after
        furthest = max(step for step in reached if step in self.begins or step == len(self.steps))
        return Fit(None, name[: reached[furthest]], self.begins.get(furthest, ""))

    def _after(self, state: _State, name: str, folded: str) -> list[_State]:
        """States that follow a state, the one to look at first last."""
        number, at, spans = state
        step = self.steps[number]
        if isinstance(step, _Text):
            fits = folded.startswith(step.folded, at)
            return [(number + 1, at + len(step.folded), spans)] if fits else []
        if isinstance(step, _Jump):
            return [(step.to, at, spans), (number + 1, at, spans)]
        if isinstance(step, _Mark):
            if not step.end:
                return [(number + 1, at, (*spans, (step.name, at, -1)))]
            begun = next(a for part, a, b in spans if part == step.name and b < 0)
            kept = tuple(span for span in spans if span[0] != step.name)
            return [(number + 1, at, (*kept, (step.name, begun, at)))]
        if isinstance(step, _Again):
            known = next(
                (folded[a:b] for part, a, b in spans if part == step.name and b >= 0), None
            )
            fits = known is not None and folded.startswith(known, at)
            return [(number + 1, at + len(known or ""), spans)] if fits else []
        found = step.wanted.match(name, at)
        last = found.end() if found else at
        ends = [
            end
            for end in range(at + step.least, last + 1)
            if not step.greedy or step.wanted.fullmatch(name, at, end)
        ]
        named = [(*spans, (step.name, at, end)) if step.name else spans for end in ends]
        states = [(number + 1, end, more) for end, more in zip(ends, named, strict=True)]
        return states if step.greedy else states[::-1]

    def _add(
        self, nodes: tuple[Node, ...], after: frozenset[str], seen: set[str], *, top: bool
    ) -> None:
        for i, node in enumerate(nodes):
            follow = first(nodes[i + 1 :], after)
            if top and not (isinstance(node, Piece) and node.name):
                self.begins[len(self.steps)] = written(node)
            if isinstance(node, Literal):
                self.steps.append(_Text(_folded(node.text)))
            elif isinstance(node, AnyText):
                self.steps.append(_Ends("", _ANY, 0, greedy=False))
            elif isinstance(node, Part) and node.name in seen:
                self.repeated.add(node.name)
                self.steps.append(_Again(node.name))
            elif isinstance(node, Part):
                seen.add(node.name)
                wanted = _KINDS.get(node.kind) or _word(follow)
                self.steps.append(_Ends(node.name, wanted, 1, node.kind in _AS_MUCH))
            elif node.name:
                self.steps.append(_Mark(node.name, end=False))
                self._add(node.inner, follow, seen, top=top)
                self.steps.append(_Mark(node.name, end=True))
                seen.add(node.name)
            else:
                jump = len(self.steps)
                self.steps.append(_Jump(0))
                self._add(node.inner, follow, seen, top=False)
                self.steps[jump] = _Jump(len(self.steps))


def _folded(text: str) -> str:
    """Small letters, as many as `text` has."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


def _word(follow: frozenset[str]) -> re.Pattern[str]:
    """As little as fits; never across the separators that may follow."""
    separators = "".join(sorted(letter for letter in follow if letter and not letter.isalnum()))
    return re.compile(f"[^/{re.escape(separators)}]+")
