"""The language of file-name patterns: literal text, named parts, optional parts."""

import re
from dataclasses import dataclass, field

from livewell.errors import LayoutError
from livewell.tables.schemas import FIELDS

KINDS = ("word", "int", "number", "duration", "text", "path")
"""What a named part may hold. ``word``: as little as fits, never across the separator that follows
it in the pattern; ``text``: anything but a slash; ``path``: slashes too; ``int``; ``number``: with
a point, a comma or ``p`` (``0p5``) before the decimals; ``duration``: such as ``00d60h00m``, in
days, hours, minutes (m or min) and seconds, which gives seconds."""
LONGEST, DEEPEST = 1000, 20
"""Most letters of a pattern, and brackets inside one another."""

_NAME = re.compile(r"[A-Za-z_]\w*")
_TAKEN = frozenset({"image", "path"})
_SPECIAL = frozenset("{}[]*\\")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands there as it is; letter case does not count."""

    text: str


@dataclass(frozen=True, slots=True)
class AnyText:
    """``*``: any text without a slash, nothing too."""


@dataclass(frozen=True, slots=True)
class Part:
    """``{name}`` or ``{name:kind}``."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Piece:
    """``[...]``, which may be absent, or ``{name=...}``, which names the text that it fits."""

    inner: "tuple[Node, ...]"
    name: str = ""


Node = Literal | AnyText | Part | Piece


@dataclass(slots=True)
class _Parser:
    text: str
    at: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    open_names: list[str] = field(default_factory=list)
    depth: int = 0

    def nodes(self, close: str, opened_at: int) -> tuple[Node, ...]:
        """Nodes up to `close`, or to the end of the text."""
        found: list[Node] = []
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"more than {DEEPEST} brackets inside one another", self.at)
        while self.at < len(self.text) and self.text[self.at] != close:
            letter = self.text[self.at]
            if letter == "{":
                found.append(self._part())
            elif letter == "[":
                start, self.at = self.at, self.at + 1
                found.append(Piece(self.nodes("]", start)))
                self.at += 1
            elif letter == "*":
                self.at += 1
                found.append(AnyText())
            elif letter in "}]":
                raise self.wrong(f"a {letter!r} that nothing opened", self.at)
            else:
                found.append(self._literal())
        if close and self.at >= len(self.text):
            raise self.wrong(f"a {self.text[opened_at]!r} that is never closed", opened_at)
        if close and not found:
            raise self.wrong("nothing inside", opened_at)
        self.depth -= 1
        return tuple(found)

    def wrong(self, what: str, at: int) -> LayoutError:
        """The error with a caret under the letter."""
        return LayoutError(
            f"the file-name pattern has {what}:\n  {self.text}\n  {' ' * at}^ here.",
            remedy=r"write {name}, {name:kind}, {name=...}, [...], or \ before a bracket or star "
            "that stands for itself",
        )

    def _literal(self) -> Literal:
        taken = []
        while self.at < len(self.text):
            letter = self.text[self.at]
            if letter == "\\":
                self.at += 1
                if self.at >= len(self.text) or self.text[self.at] not in _SPECIAL:
                    raise self.wrong(r"a \ before a letter that needs none", self.at - 1)
                letter = self.text[self.at]
            elif letter in _SPECIAL:
                break
            taken.append(letter)
            self.at += 1
        return Literal("".join(taken))

    def _part(self) -> Part | Piece:
        start = self.at
        named = _NAME.match(self.text, start + 1)
        if named is None:
            raise self.wrong("a part without a name", min(start + 1, len(self.text)))
        name, self.at = named[0], named.end()
        if name in _TAKEN:
            raise self.wrong(f"a part named {name!r}, which is the file itself", start + 1)
        sign = self.text[self.at : self.at + 1]
        if name in self.open_names:
            raise self.wrong(f"{name!r} inside itself", start + 1)
        if sign == "=":
            if name in self.kinds:
                raise self.wrong(f"two parts named {name!r}", start + 1)
            self.at += 1
            self.open_names.append(name)
            inner = self.nodes("}", start)
            self.open_names.pop()
            self.kinds[name] = "text"
            self.at += 1
            return Piece(inner, name)
        kind = _usual_kind(name)
        if sign == ":":
            word = _NAME.match(self.text, self.at + 1)
            kind = word[0] if word else ""
            if kind not in KINDS:
                raise self.wrong(f"an unknown kind (known: {', '.join(KINDS)})", self.at + 1)
            self.at += 1 + len(kind)
        if self.text[self.at : self.at + 1] != "}":
            here = self.text[self.at : self.at + 1]
            what = f"{here!r} inside a part" if here else "a '{' that is never closed"
            raise self.wrong(what, self.at if here else start)
        self.at += 1
        if self.kinds.setdefault(name, kind) != kind:
            raise self.wrong(f"two kinds for {name!r}", start + 1)
        return Part(name, kind)


def parse(text: str) -> tuple[tuple[Node, ...], dict[str, str]]:
    """Nodes of a pattern, and the kind of every named part."""
    if len(text) > LONGEST:
        raise LayoutError(
            "a file-name pattern too long to be one",
            where=f"{text[:60]}...",
            expected=f"at most {LONGEST:,} letters",
            got=f"{len(text):,}",
        )
    parser = _Parser(text)
    nodes = parser.nodes("", 0)
    if not parser.kinds:
        raise parser.wrong("no named part", 0)
    return nodes, parser.kinds


def written(node: Node) -> str:
    """A node as it stands in a pattern, for hints."""
    if isinstance(node, Literal):
        return repr(node.text)
    if isinstance(node, Part):
        return "{" + node.name + ("" if node.kind == "word" else f":{node.kind}") + "}"
    return "[...]" if isinstance(node, Piece) else "*"


def first(nodes: tuple[Node, ...], after: frozenset[str]) -> frozenset[str]:
    """Letters with which `nodes` may begin, and those of `after` where they may be empty.

    ``""`` stands for the end of the name.
    """
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, Piece):
            found |= first(node.inner, frozenset())
            if not node.name:
                continue
        elif isinstance(node, Literal):
            found.add(node.text[0])
        return frozenset(found)
    return frozenset(found) | after


def _usual_kind(name: str) -> str:
    """Kind of a part that livewell knows by name: numbers where the fields table holds them."""
    if name == "t":
        return "int"
    return {"integer": "int", "number": "number"}.get(FIELDS.kinds.get(name, "text"), "word")
