"""Records of XML files that microscopes write, one after the other, without holding the file."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from livewell.images.plain import damaged

Record = dict[str, str]
"""Attributes of an element by ``.name``, of those in it by ``Child.name``, and texts by ``Child``;
its own text by ``""``."""
_PART = 1 << 20


def read_records(path: Path, kinds: Collection[str], each: Callable[[str, Record], None]) -> Record:
    """Give every element of these kinds to `each`; what stands outside them is given back.

    Names are without their namespaces. Of what stands outside the first of a name counts.

    Raises
    ------
    ImageReadError
        The XML is damaged or ends too early, or defines entities.
    """
    target = _Target(frozenset(kinds), each)
    parser = ElementTree.XMLParser(target=target)  # noqa: S314  (entities are refused)
    try:
        with path.open("rb") as file:
            while part := file.read(_PART):
                parser.feed(part)
        parser.close()
    except (ElementTree.ParseError, _EntityError) as error:
        raise damaged(path, "its XML cannot be read", str(error)) from error
    return target.rest


class _EntityError(Exception):
    """The XML defines entities, which these files have no use for."""


class _Target:
    """What the parser calls for every element."""

    def __init__(self, kinds: frozenset[str], each: Callable[[str, Record], None]) -> None:
        self.rest: Record = {}
        self._kinds, self._each = kinds, each
        self._names: dict[str, str] = {}
        self._kind, self._record, self._depth, self._text = "", dict[str, str](), 0, list[str]()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = self._name(tag)
        self._text.clear()
        if self._kind:
            self._depth += 1
            prefix, into = f"{name}.", self._record
        elif name in self._kinds:
            self._kind, self._record, self._depth = name, {}, 0
            prefix, into = ".", self._record
        else:
            prefix, into = f"{name}.", self.rest
        for key, value in attributes.items():
            into.setdefault(prefix + self._name(key), value)

    def data(self, text: str) -> None:
        """A part of a text."""
        self._text.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        text = "".join(self._text).strip()
        self._text.clear()
        if not self._kind:
            if text:
                self.rest.setdefault(self._name(tag), text)
        elif self._depth:
            self._depth -= 1
            if text:
                self._record.setdefault(self._name(tag), text)
        else:
            if text:
                self._record.setdefault("", text)
            self._each(self._kind, self._record)
            self._kind = ""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        """Refuse what may define entities."""
        raise _EntityError("it has a document type, which may define entities")

    def close(self) -> Any:
        """Nothing is left to do."""

    def _name(self, tag: str) -> str:
        name = self._names.get(tag)
        if name is None:
            name = self._names[tag] = tag.rpartition("}")[2]
        return name
