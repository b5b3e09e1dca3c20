"""A unit of work, done wherever it is called, in this process or in another one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from livewell.errors import (
    LivewellError,
    MissingExtraError,
    ModelFileError,
    OutputError,
    SpecError,
    why,
)
from livewell.execution.journal import Item, Record, Records
from livewell.progress import Tick

STOPPING = (OutputError, SpecError, ModelFileError, MissingExtraError)
"""Errors of settings, model or output, which stop the job; others are those of one item."""
Work = Callable[[Item, Tick], Record]
"""Makes the record of an item."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one unit: its record, or why it failed, as (t, error)."""

    record: Record | None
    failures: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """The work of a run, done where it is called: it writes the record, then returns it."""

    work: Work
    records: Records

    @property
    def folder(self) -> Path:
        """The folder of results."""
        return self.records.folder

    def __call__(self, item: Item, tick: Tick) -> Outcome:
        """Do the work of one item."""
        asked = item.asked
        try:
            record = {"asked": asked, **self.work(item, tick)}
        except STOPPING:
            raise
        except LivewellError as error:
            return self.failed(asked, why(error))
        self.records.add(item, record)
        return Outcome(record)

    def failed(self, asked: Record, error: str) -> Outcome:
        """Keep that an item failed."""
        failures = [{"t": None, "error": error}]
        self.records.journal.fail(asked, failures)
        return Outcome(None, failures)
