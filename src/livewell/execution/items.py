"""One idempotent unit of work an item, one record an item: a job that was killed goes on.

An item is a file or a position. What is wrong with one stops no other; what is wrong with the
settings, the model or the output stops the job.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from livewell.execution.executors import SERIAL, Executor, PartDone
from livewell.execution.journal import FolderRecords as FolderRecords
from livewell.execution.journal import Item as Item
from livewell.execution.journal import Journal as Journal
from livewell.execution.journal import Record as Record
from livewell.execution.journal import Records
from livewell.execution.status import began, counts
from livewell.execution.units import STOPPING as STOPPING
from livewell.execution.units import Outcome, Unit, Work
from livewell.progress import Tick, each, shown, task

MISSING = "no record of this image: do its part of the run, or give the command without --shard"
MOST_DEATHS = 3
"""So many processes may be killed at a unit until it has failed without another try."""
KILLED = (
    "{times} processes were killed while they were at this image. What to do: it probably needs"
    " more memory or time than there is; give more, and the same command again, which tries it"
)


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
    work: Work,
    records: Records,
    *,
    what: str,
    files: Callable[[Record], Iterable[Path]] = lambda record: (),
    executor: Executor = SERIAL,
) -> ItemResults:
    """Do the work of every item that has no valid record yet, and keep its record.

    A record may have ``rows``, and ``failures`` (t, error) of single frames; without the files that
    it speaks of it is not valid. Work that goes to other processes is sent with cloudpickle; what
    it holds should be small, and a model goes as its folder.

    Raises
    ------
    PartDone
        `executor` has a shard, which is done now.
    """
    # files may have changed since an earlier call with the same items
    items = [replace(item) for item in items]
    journal, of_part = records.journal, executor.part([item.name for item in items])
    began(journal, what, [item.name for item in items])
    found: dict[str, Record] = {}
    broken: dict[str, Sequence[Record]] = {}
    todo: list[Item] = []
    for item in items:
        if item.name not in of_part:
            continue
        record = records.get(item, asked := item.asked)
        if record is not None and all(path.is_file() for path in files(record)):
            found[item.name] = record
        elif executor.gather:
            broken[item.name] = journal.failure(item, asked) or [{"t": None, "error": MISSING}]
        else:
            todo.append(item)
            if journal.stale(item):
                journal.again(asked)
    kept = len(found)
    if todo:
        _work(todo, Unit(work, records), what, executor, found, broken)
    made = len(found) - kept
    if executor.shard is not None:
        done, total = counts(journal)
        raise PartDone(made, len(broken), kept, done, total)
    results = _results(items, found, broken, made)
    if not broken and journal.parts():
        journal.join({name: record["asked"] for name, record in results.records.items()})
    return results


def _results(
    items: Sequence[Item],
    found: Mapping[str, Record],
    broken: Mapping[str, Sequence[Record]],
    made: int,
) -> ItemResults:
    """Records and failures in the order of the items."""
    failures = [
        (item.name, row["t"], row["error"])
        for item in items
        for row in broken.get(item.name) or found[item.name].get("failures", ())
    ]
    return ItemResults(
        {item.name: found[item.name] for item in items if item.name in found},
        pd.DataFrame(failures, columns=["image", "t", "error"]).astype({"t": "Int64"}),
        made,
    )


def _work(
    todo: Sequence[Item],
    unit: Unit,
    what: str,
    executor: Executor,
    found: dict[str, Record],
    broken: dict[str, Sequence[Record]],
) -> None:
    """Do the work of items into `found`, and into `broken` what failed."""

    def take(item: Item, outcome: Outcome) -> None:
        if outcome.record is None:
            broken[item.name] = outcome.failures
        else:
            found[item.name] = outcome.record

    with task(what, total=len(todo)) as tick:
        if not executor.is_serial:
            from livewell.execution.distribution import distribute

            distribute(todo, unit, executor, tick, take)
            return
        journal = unit.records.journal
        # what may kill this process as it killed others comes last, and is not tried for ever
        deaths = {item.name: journal.deaths(item, item.asked) for item in todo}
        for item, part in each(sorted(todo, key=lambda item: deaths[item.name]), tick):
            if deaths[item.name] >= MOST_DEATHS:
                killed = KILLED.format(times=deaths[item.name])
                take(item, unit.failed(item.asked, f"{item.name}: {killed}"))
                continue
            with shown(_Beside(item.name, part)), journal.underway(item.asked):
                outcome = unit(item, part)
            take(item, outcome)


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
