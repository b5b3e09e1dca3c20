"""The model of a page, and its rendering as one HTML file that needs nothing else."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from livewell import __version__
from livewell.text import printable

Tone = Literal["good", "warn", "bad", "info"]
Kind = Literal["svg", "png", "webp", "jpeg"]
EMBEDDED_MB = 24
"""A video up to this size is held in the page; a larger one lies beside it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure or photograph, whole in memory; `wide` takes the page's whole width.

    `alt` says what it shows to those who cannot see it, and is never empty.
    """

    data: bytes
    kind: Kind
    alt: str
    caption: str = ""
    wide: bool = False

    @property
    def uri(self) -> str:
        """The image as a ``data:`` address."""
        return _data_uri(self.data, f"image/{'svg+xml' if self.kind == 'svg' else self.kind}")


@dataclass(frozen=True, slots=True)
class Video:
    """A video, whole in memory, of a type such as ``video/webm``; not printed."""

    data: bytes
    mime: str
    caption: str = ""

    @classmethod
    def embedded(cls, path: Path, caption: str) -> "Video | None":
        """The video of a file; ``None`` for one that is too large to be held in a page."""
        if path.stat().st_size > EMBEDDED_MB * 2**20:
            return None
        return cls(path.read_bytes(), f"video/{path.suffix[1:]}", caption)

    @property
    def uri(self) -> str:
        """The video as a ``data:`` address."""
        return _data_uri(self.data, self.mime)


@dataclass(frozen=True, slots=True)
class Widget:
    """A part that the reader works with: a template of this package with its own script.

    The template sees the widget as ``widget``; `data` are plain values, which it puts into the page
    as JSON that no name can break out of (`shown`: all text printable).
    """

    template: str
    data: Mapping[str, Any]

    @property
    def shown(self) -> Any:
        """The data with all text printable."""
        return _shown(self.data)


WIDE = 30
"""Text of a table's cell that is longer gets room, and is broken into lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; cells are text, already formatted, as many a row as there are columns.

    `align` holds one of l, r, c a column; empty: l for the first, r for the others.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    align: str = ""

    @classmethod
    def of(cls, frame: pd.DataFrame, caption: str = "", *, most: int = 200) -> "Table":
        """A DataFrame without its index; at most `most` rows, and the caption says so."""
        if len(frame) > most:
            caption = f"{caption} (first {most} of {len(frame)} rows)".strip()
        kinds = pd.api.types
        align = "".join(
            "r" if kinds.is_numeric_dtype(kind) and not kinds.is_bool_dtype(kind) else "l"
            for kind in frame.dtypes
        )
        rows = [tuple(cell(value) for value in row) for row in frame.head(most).itertuples(False)]
        return cls([str(name) for name in frame.columns], rows, caption, align)

    @property
    def short(self) -> bool:
        """Whether it may be kept on one sheet of paper."""
        return len(self.rows) <= 24

    @property
    def sides(self) -> str:
        """One letter l, r or c a column."""
        return self.align or "l" + "r" * (len(self.columns) - 1)

    @property
    def looks(self) -> list[str]:
        """The style of every column: its side, and w where a cell has long text."""
        wide = [any(len(row[i]) > WIDE for row in self.rows) for i in range(len(self.columns))]
        return [side + " w" * long for side, long in zip(self.sides, wide, strict=True)]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know before the result is trusted."""

    tone: Tone
    text: str


good = partial(Note, "good")
warn = partial(Note, "warn")
bad = partial(Note, "bad")
info = partial(Note, "info")


def noted(warnings: Iterable[str], known: Iterable[str] = ()) -> list[Note]:
    """Notes of what was warned of, then of what is only to be known."""
    return [*map(warn, warnings), *map(info, known)]


@dataclass(frozen=True, slots=True)
class Link:
    """A file beside the page, by its address from there, and what it is."""

    address: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under its heading: lead, notes, widgets, images, videos, tables, links."""

    title: str
    lead: str = ""
    pictures: Sequence[Picture] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[Note] = ()
    videos: Sequence[Video] = ()
    widgets: Sequence[Widget] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that one report says.

    The verdict is the result in one plain sentence, in the colour of `tone`, with one short
    paragraph (`lead`) below. Nested settings are flattened with dots. A browser reads a page with
    `refresh_s` again after so many seconds.
    """

    title: str
    subtitle: str
    verdict: str
    tone: Tone = "info"
    lead: str = ""
    trust: Sequence[Note] = ()
    sections: Sequence[Section] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    refresh_s: int = 0


def render(page: Page) -> str:
    """One HTML file with all inside: no network, and no script but that of its widgets."""
    return _template().render(
        page=page,
        settings=list(flat(page.settings).items()),
        versions=list(flat(page.versions).items()),
        livewell=__version__,
    )


def cell(value: Any) -> str:
    """A value as text for a table: integers whole, numbers to three digits, nothing for NaN."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        number = float(value)
        if number != number:
            return ""
        return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    return str(value)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level, names joined by dots, values as text."""
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            found[f"{prefix}{name}"] = ", ".join(str(part) for part in value)
        else:
            found[f"{prefix}{name}"] = "none" if value is None else str(value)
    return found


def _data_uri(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@cache
def _template() -> jinja2.Template:
    # Names of files, wells and treatments come from users: everything is escaped and printable.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("livewell.report", "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _shown(value: Any) -> Any:
    """A value of a template with all its text printable, but for markup of our own."""
    if isinstance(value, Mapping):
        return {_shown(name): _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
