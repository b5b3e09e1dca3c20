"""The ledger of a folder of results: what came of each unit of work, written where it was done.

Every process appends to a file of its own, so no lock is needed and no line is lost, whoever is
killed; readers take all files together, and the order of lines does not matter. A line that was cut
off or damaged does not count.
"""

import json
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4
from zlib import crc32

from livewell.disk import writing
from livewell.errors import ImageReadError, LivewellError, StudyError
from livewell.files import read_json, whole_file, write_json
from livewell.images.listing import fingerprint

Record = dict[str, Any]
"""What came of an item, as plain values."""
FAILED, AGAIN, BEGUN, AT, BY = "failed", "again", "begun", "at", "by"
"""Keys of lines: why a unit failed, that it is not done (any more), that a process is at it (1) or
left it (-1); when a line was written, and by whom."""


class Records(Protocol):
    """Where the records of units are kept, and the journal that tells of all of them."""

    @property
    def folder(self) -> Path:
        """The folder of results."""

    @property
    def journal(self) -> "Journal":
        """The ledger."""

    def get(self, item: "Item", asked: Record) -> Record | None:
        """The record of an item that was asked so."""

    def add(self, item: "Item", record: Record) -> None:
        """Keep the record of an item."""


@dataclass(frozen=True)
class Item:
    """One unit of work: its name in tables, its file, and the settings of its record."""

    name: str
    path: Path
    settings: Mapping[str, Any]

    @cached_property
    def asked(self) -> Record:
        """What its record depends on: the settings, and size and time of change of the file.

        Looked up once and sent along; a file that changes later is another one to the next run.
        """
        try:
            version = list(fingerprint(self.path))
        except ImageReadError:
            version = []
        return {**self.settings, "image": self.name, "file": version}


@dataclass(frozen=True)
class Journal:
    """Lines of JSON in ``units/*.jsonl``, one file a process, and together in ``units/all.jsonl``.

    The latter is written once all units are done; whoever is killed meanwhile loses nothing.
    """

    folder: Path

    def __reduce__(self) -> tuple[type["Journal"], tuple[Path]]:
        """What was read is not sent along."""
        return Journal, (self.folder,)

    @property
    def journal(self) -> "Journal":
        """Itself."""
        return self

    @property
    def units(self) -> Path:
        """The folder of all these files."""
        return self.folder / "units"

    @property
    def path(self) -> Path:
        """The file of all lines, once all is done."""
        return self.units / "all.jsonl"

    def parts(self) -> list[Path]:
        """The files of single processes."""
        no_link(self.units)
        found = self.units.glob("*.jsonl") if self.units.is_dir() else ()
        return sorted(path for path in found if path != self.path)

    def lines(self) -> Iterator[Record]:
        """All whole lines of now."""
        # the whole file last: parts go only once they are in it
        for path in (*self.parts(), self.path):
            yield from filter(None, map(_record_of, _content(path).splitlines()))

    @cached_property
    def _known(self) -> dict[str, list[Record]]:
        known: dict[str, list[Record]] = {}
        for record in self.lines():
            known.setdefault(record["asked"]["image"], []).append(record)
        return known

    def get(self, item: Item, asked: Record) -> Record | None:
        """The record of an item that was asked so."""
        known = self._known.get(item.name, ())
        return next((each for each in known if each["asked"] == asked and _is_done(each)), None)

    def failure(self, item: Item, asked: Record) -> list[Record] | None:
        """Why an item that was asked so failed last, as (t, error)."""
        known = self._known.get(item.name, ())
        failed = [each for each in known if each["asked"] == asked and FAILED in each]
        return max(failed, key=lambda each: each.get(AT, 0))[FAILED] if failed else None

    def stale(self, item: Item) -> bool:
        """Whether it was done, but asked otherwise."""
        return any(map(_is_done, self._known.get(item.name, ())))

    def add(self, item: Item, record: Record) -> None:
        """Append what came of an item."""
        self._append(record)

    def fail(self, asked: Record, failures: Sequence[Record]) -> None:
        """Append why an item failed."""
        self._append({"asked": asked, FAILED: list(failures)})

    def again(self, asked: Record) -> None:
        """Append that an item is to be done again."""
        self._append({"asked": asked, AGAIN: True})

    @contextmanager
    def underway(self, asked: Record) -> Iterator[None]:
        """Note that this process is at an item: who is killed meanwhile leaves the note."""
        self._append({"asked": asked, AGAIN: True, BEGUN: 1})
        try:
            yield
        except BaseException:
            with suppress(LivewellError):
                self._append({"asked": asked, AGAIN: True, BEGUN: -1})
            raise

    def deaths(self, item: Item, asked: Record) -> int:
        """How many processes were killed at an item that was asked so, since it failed last."""
        known = [each for each in self._known.get(item.name, ()) if each["asked"] == asked]
        failed = max((each.get(AT, 0) for each in known if FAILED in each), default=0)
        return sum(each.get(BEGUN, 0) for each in known if each.get(AT, 0) > failed)

    def _append(self, record: Record) -> None:
        writer = _writer(os.getpid())
        path = self.units / f"{writer}.jsonl"
        with writing(path):
            no_link(self.units)
            self.units.mkdir(parents=True, exist_ok=True)
            # a line that was cut off by a full disk must not swallow this one
            with path.open("ab") as file:
                file.write(b"\n" + _line({**record, AT: round(time.time(), 3), BY: writer}))

    def join(self, asked: Mapping[str, Record]) -> None:
        """Write the lines of finished items into one file, and remove those of single processes."""
        files = self.parts()
        kept = {
            name: line
            for line in self.lines()
            if _is_done(line) and asked.get(name := line["asked"]["image"]) == line["asked"]
        }
        with whole_file(self.path) as temporary, temporary.open("wb") as file:
            file.writelines(map(_line, kept.values()))
        # another process may be at it too, with the same lines
        with suppress(OSError):
            for path in files:
                path.unlink(missing_ok=True)


def no_link(path: Path) -> None:
    """Remove a link in the place of a journal: what it leads to is nobody's journal."""
    if path.is_symlink():
        with writing(path):
            path.unlink(missing_ok=True)


def _content(path: Path) -> bytes:
    no_link(path)
    # another process may just have joined all files into one
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def _is_done(record: Record) -> bool:
    return FAILED not in record and AGAIN not in record


def _line(record: Record) -> bytes:
    text = json.dumps(record).encode()
    return b"%08x %b\n" % (crc32(text), text)


def _record_of(line: bytes) -> Record | None:
    """The record in a line; ``None`` where it was cut off by a kill, or is damaged."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return None
    record: Record = json.loads(text)
    return record


@cache
def _writer(process: int) -> str:
    """Name of the file that this process writes, which no other one has."""
    host = re.sub(r"[^A-Za-z0-9.]+", "-", platform.node())[:60] or "host"
    return f"{host}-{process}-{uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class NotKept:
    """No records, where work that was done costs little the second time; the journal tells of it.

    It lies in `folder`.
    """

    folder: Path

    @property
    def journal(self) -> Journal:
        """Where every unit has a line."""
        return Journal(self.folder)

    def get(self, item: Item, asked: Record) -> Record | None:
        """Nothing is known."""
        return None

    def add(self, item: Item, record: Record) -> None:
        """Tell that a unit is done."""
        self.journal.add(item, {"asked": record["asked"]})


@dataclass(frozen=True, slots=True)
class FolderRecords:
    """One file `name` in the folder of every item, which holds as long as `files` are there too.

    The journal of the folder of results `folder` tells of them all.
    """

    folder: Path
    folders: Mapping[str, Path]
    name: str
    files: Sequence[str]

    @property
    def journal(self) -> Journal:
        """Where every unit has a line too."""
        return Journal(self.folder)

    def get(self, item: Item, asked: Record) -> Record | None:
        """The record in the item's folder; ``None`` too where it cannot be read."""
        folder = self.folders[item.name]
        if not all((folder / name).is_file() for name in self.files):
            return None
        try:
            record = read_json(folder / self.name, kind="record")
        except StudyError:
            return None
        return record if record.get("asked") == asked else None

    def add(self, item: Item, record: Record) -> None:
        """Write the record, the last file of the folder."""
        write_json(self.folders[item.name] / self.name, record)
        self.journal.add(item, {"asked": record["asked"]})
