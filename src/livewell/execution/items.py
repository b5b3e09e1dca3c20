"""One idempotent unit of work an item, one record an item: a job that was killed goes on.

An item is a file or a position. What is wrong with one stops no other; what is wrong with the
settings, the model or the output stops the job.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd

from livewell.disk import writing
from livewell.errors import (
    ImageReadError,
    LivewellError,
    MissingExtraError,
    ModelFileError,
    OutputError,
    SpecError,
    StudyError,
    why,
)
from livewell.files import read_json, write_json
from livewell.images.listing import fingerprint
from livewell.progress import Tick, each, shown, task

Record = dict[str, Any]
"""What came of an item, as plain values."""
STOPPING = (OutputError, SpecError, ModelFileError, MissingExtraError)
"""Errors of settings, model or output, which stop the job; others are those of one item."""


@dataclass(frozen=True, slots=True)
class Item:
    """One unit of work: its name in tables, its file, and the settings of its record."""

    name: str
    path: Path
    settings: Mapping[str, Any]

    @property
    def asked(self) -> Record:
        """What its record depends on: the settings, and size and time of change of the file."""
        try:
            version = list(fingerprint(self.path))
        except ImageReadError:
            version = []
        return {**self.settings, "image": self.name, "file": version}


@dataclass(frozen=True)
class Journal:
    """One line of JSON an item in ``journal.jsonl``, which goes when the job is done."""

    folder: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "journal.jsonl"

    @cached_property
    def _lines(self) -> dict[str, Record]:
        if self.path.is_symlink():  # what it leads to is nobody's journal
            self.path.unlink()
        lines = self.path.read_bytes().splitlines() if self.path.is_file() else []
        records = filter(None, map(_record_of, lines))
        return {record["asked"]["image"]: record for record in records}

    def get(self, item: Item) -> Record | None:
        """The last line of an item."""
        return self._lines.get(item.name)

    def add(self, item: Item, record: Record) -> None:
        """Append a line."""
        text = json.dumps(record)
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            # a line that was cut off by a kill must not swallow this one
            file.write(f"\n{crc32(text.encode()):08x} {text}\n")

    def end(self) -> None:
        """The job is done: nothing is to go on with."""
        with writing(self.path):
            self.path.unlink(missing_ok=True)


def _record_of(line: bytes) -> Record | None:
    """The record in a line; ``None`` where it was cut off by a kill, or is damaged."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % crc32(text):
        return None
    record: Record = json.loads(text)
    return record


@dataclass(frozen=True, slots=True)
class FolderRecords:
    """One file `name` in the folder of every item, which holds as long as `files` are there too."""

    folders: Mapping[str, Path]
    name: str
    files: Sequence[str]

    def get(self, item: Item) -> Record | None:
        """The record in the item's folder; ``None`` too where it cannot be read."""
        folder = self.folders[item.name]
        if not all((folder / name).is_file() for name in self.files):
            return None
        try:
            return read_json(folder / self.name, kind="record")
        except StudyError:
            return None

    def add(self, item: Item, record: Record) -> None:
        """Write the record, the last file of the folder."""
        write_json(self.folders[item.name] / self.name, record)


@dataclass(frozen=True, slots=True)
class ItemResults:
    """What came of all items: records by name, failures (image, t, error), how many made now."""

    records: Mapping[str, Record]
    failures: pd.DataFrame
    made: int

    @property
    def rows(self) -> list[Record]:
        """The rows of all records, each with its image."""
        return [{"image": name, **row} for name, of in self.records.items() for row in of["rows"]]


def map_items(
    items: Sequence[Item],
    work: Callable[[Item, Tick], Record],
    records: Journal | FolderRecords,
    *,
    what: str,
    files: Callable[[Record], Iterable[Path]] = lambda record: (),
) -> ItemResults:
    """Do the work of every item that has no valid record yet, and keep its record.

    A record may have ``rows``, and ``failures`` (t, error) of single frames; without the files that
    it speaks of it is not valid.
    """
    found: dict[str, Record] = {}
    for item in items:
        record = records.get(item)
        same = record is not None and record.get("asked") == item.asked
        if record is not None and same and all(path.is_file() for path in files(record)):
            found[item.name] = record
    todo = [item for item in items if item.name not in found]
    broken = _worked(todo, work, records, found, what) if todo else {}
    failures = [
        (item.name, row["t"], row["error"])
        for item in items
        for row in broken.get(item.name) or found[item.name].get("failures", ())
    ]
    return ItemResults(
        {item.name: found[item.name] for item in items if item.name in found},
        pd.DataFrame(failures, columns=["image", "t", "error"]).astype({"t": "Int64"}),
        len(todo) - len(broken),
    )


def _worked(
    todo: Sequence[Item],
    work: Callable[[Item, Tick], Record],
    records: Journal | FolderRecords,
    found: dict[str, Record],
    what: str,
) -> dict[str, list[Record]]:
    """Do the work of items into `found`; returns the failure of each that could not be done."""
    broken: dict[str, list[Record]] = {}
    with task(what, total=len(todo)) as tick:
        for item, part in each(todo, tick):
            asked = item.asked
            try:
                with shown(_Beside(item.name, part)):
                    record = {"asked": asked, **work(item, part)}
            except STOPPING:
                raise
            except LivewellError as error:
                broken[item.name] = [{"t": None, "error": why(error)}]
            else:
                records.add(item, record)
                found[item.name] = record
    return broken


@dataclass(frozen=True, slots=True)
class _Beside:
    """Shows bars within the work of one item in words beside the bar of all."""

    name: str
    outer: Tick

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Tick]:
        """A bar in words."""
        count = 0.0

        def tick(done: float = 1, note: str = "") -> None:
            nonlocal count
            count += done
            self.outer(0, f"{self.name}, {count:.0f}/{total}")

        yield tick
