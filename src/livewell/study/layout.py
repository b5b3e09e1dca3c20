"""What file names say: patterns over names, and the fields table they make."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from livewell.errors import GeometryError, LayoutError
from livewell.plate import Well
from livewell.study.fitting import Fit, Program
from livewell.study.pattern import Node, parse

Maps = Mapping[str, Mapping[str, str]]
"""For a part's name: what its values are to be called; letter case of the old value is ignored."""
_DTYPES = {"int": "Int64", "number": "float64", "duration": "float64"}
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
SHOWN = 10
"""Values listed in an error."""


@dataclass(frozen=True)
class NamePattern:
    """A pattern that reads named parts from file names.

    ``{treatment}_{hours:number}h[_{tile}].png``: literal text (letter case does not count), named
    parts with a kind (see `pattern.KINDS`), optional pieces in square brackets, ``*``
    for any text, and ``{picture=...}``, which names what a piece of pattern fits. A backslash
    takes its meaning from a bracket. A name that stands twice must hold the same text both times.
    A pattern with a slash is matched against the path from the study's root, one without against
    the file's name.
    """

    text: str
    nodes: tuple[Node, ...]
    kinds: dict[str, str]
    maps: dict[str, dict[str, str]]

    @classmethod
    def parse(cls, text: str, maps: Maps | None = None) -> "NamePattern":
        """Read a pattern; a `LayoutError` shows with a caret where it is none."""
        nodes, kinds = parse(text)
        strange = sorted(set(maps or {}) - set(kinds))
        if strange:
            raise LayoutError(
                "a value map for parts that the pattern has not",
                where=text,
                expected="any of " + ", ".join(kinds),
                got=", ".join(strange),
            )
        folded = {
            name: {str(old).casefold(): str(new) for old, new in values.items()}
            for name, values in (maps or {}).items()
        }
        return cls(text, nodes, kinds, folded)

    def subject(self, path: str) -> str:
        """What of a relative posix path is matched: all of it, or the name alone."""
        return path if "/" in self.text else PurePosixPath(path).name

    @property
    def makes_wells(self) -> bool:
        """Whether wells are made of the parts ``row`` and ``column``."""
        return "well" not in self.kinds and {"row", "column"} <= set(self.kinds)

    def fit(self, path: str) -> Fit:
        """How the name of a file fits."""
        return self._program.fit(self.subject(path))

    def match(self, path: str) -> dict[str, Any] | None:
        """Values of the parts, ``None`` for absent optional ones; ``None`` if it does not fit."""
        return self._values(self.fit(path))

    def hint(self, path: str) -> str:
        """How far a name fits the pattern, and what was expected where it leaves it."""
        subject, fit = self.subject(path), self.fit(path)
        rest = subject[len(fit.reached) :]
        if not fit.expected:
            return f"fits as far as {fit.reached!r}, but {rest!r} is left over"
        start = f"fits as far as {fit.reached!r}, then " if fit.reached else ""
        there = f"{rest!r} stands there" if rest else "the name ends there"
        return f"{start}{fit.expected} is expected and {there}"

    def match_all(self, paths: Iterable[str]) -> tuple[pd.DataFrame, dict[str, str]]:
        """The fields table that the names make, and a hint for every name that does not fit.

        One row a file that fits: ``image`` and ``path`` (both the path as given), a column a part.
        ``well`` is written canonically (B07), and made of ``row`` and ``column`` where the pattern
        has these alone; ``t`` becomes ``t0``; ``picture`` becomes the path of
        that image where it is among the files. Values of one part that differ in letter case alone
        are one value, in the spelling seen first.
        """
        paths = list(paths)
        rows: list[dict[str, Any]] = []
        unmatched: dict[str, str] = {}
        for path in paths:
            try:
                values = self.match(path)
            except GeometryError as error:
                unmatched[path] = str(error)
                continue
            if values is None:
                unmatched[path] = self.hint(path)
            else:
                rows.append({"image": path, "path": path, **values})
        dtypes = {"image": "str", "path": "str"}
        for name, kind in self.kinds.items():
            dtypes[name] = "str" if name in self.maps else _DTYPES.get(kind, "str")
        if self.makes_wells:
            dtypes["well"] = "str"
        table = pd.DataFrame(rows, columns=list(dtypes)).astype(dtypes)
        for name in self.kinds:
            if dtypes[name] == "str" and name != "picture":
                folded = table[name].str.casefold()
                table[name] = table.groupby(folded, sort=False)[name].transform("first")
        table = table.astype(dtypes)
        if "picture" in table:
            table["picture"] = pictures(table, paths)
        if "t" in table and "t0" not in table:
            table = table.rename(columns={"t": "t0"})
        return table, unmatched

    def check_maps(self, paths: Iterable[str]) -> None:
        """Refuse a value map for a value that no name holds."""
        if not self.maps:
            return
        fits = [self.fit(path).parts or {} for path in paths]
        for name, values in self.maps.items():
            there = sorted({parts[name] for parts in fits if name in parts})
            absent = sorted(set(values) - {text.casefold() for text in there})
            if absent:
                more = ", ..." if len(there) > SHOWN else ""
                raise LayoutError(
                    "a value map for values that no file name holds",
                    where=f"part {name} of {self.text}",
                    expected="any of " + ", ".join(there[:SHOWN]) + more if there else "",
                    got=", ".join(absent),
                    remedy="write the value as it stands in the file names",
                )

    @cached_property
    def _program(self) -> Program:
        return Program(self.nodes)

    def _values(self, fit: Fit) -> dict[str, Any] | None:
        if fit.parts is None:
            return None
        values = {name: self._value(name, fit.parts.get(name)) for name in self.kinds}
        if self.makes_wells and None not in (values["row"], values["column"]):
            values["well"] = str(Well.of(str(values["row"]), str(values["column"])))
        return values

    def _value(self, name: str, text: str | None) -> Any:
        if text is None:
            return None
        if name in self.maps:
            text = self.maps[name].get(text.casefold(), text)
        if name == "well":
            return str(Well.parse(text))
        return text if name in self.maps else _READ.get(self.kinds[name], str)(text)


def _number(text: str) -> float:
    return float(re.sub("[,pP]", ".", text))


def _seconds(text: str) -> float:
    pieces = re.findall(r"([\d.]+)([dhms])", text.lower())
    return sum(float(number) * _SECONDS[unit] for number, unit in pieces)


_READ: dict[str, Callable[[str], Any]] = {"int": int, "number": _number, "duration": _seconds}


def pictures(table: pd.DataFrame, paths: Sequence[str]) -> "pd.Series[str]":
    """Path of the image every file belongs to, found by name beside it or anywhere else.

    `table` has the columns path and picture, a name or missing; `paths` are those of all files.
    """
    there = {path.casefold(): path for path in paths}
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(PurePosixPath(path).name.casefold(), []).append(path)
    found = []
    for path, picture in zip(table["path"], table["picture"], strict=True):
        if not isinstance(picture, str):
            found.append(path)
            continue
        beside = picture if "/" in picture else str(PurePosixPath(path).parent / picture)
        elsewhere = by_name.get(PurePosixPath(picture).name.casefold(), [])
        if beside.casefold() in there:
            found.append(there[beside.casefold()])
        else:
            found.append(elsewhere[0] if len(elsewhere) == 1 else beside)
    return pd.Series(found, index=table.index, dtype="str", name="picture")
