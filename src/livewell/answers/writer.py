"""One thread writes all showings and answers; what has gathered meanwhile is one transaction.

However slow the disk is, so many people wait for one or two of its writes and not for each other's.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from livewell.answers.database import Database
from livewell.answers.lease import Lease
from livewell.answers.tables import Answer, Showing
from livewell.errors import AnswerError, LivewellError, OutputError

MOST = 1000
"""Rows a transaction."""
AGAIN = "load the page again"
ATTEMPTS, PAUSE_S = 3, 1.0
"""How often a transaction is tried that the database, not a row, stands against."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A row to be added, and whom to tell once it is durable."""

    table: type[Showing] | type[Answer]
    row: dict[str, Any]
    done: "Future[None] | None" = None


class Writer:
    """The thread that writes; it begins with the first row.

    Parameters
    ----------
    lost
        Called where rows could not be written, with a function that gives up all that wait: what
        was built on them in memory is to be forgotten together with them.
    """

    def __init__(
        self, database: Database, lost: Callable[[Callable[[], list[Entry]]], list[Entry]]
    ) -> None:
        self._database, self._lost = database, lost
        self._lease = Lease(database)
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._unwritten, self._idle = 0, Condition()

    def start(self) -> None:
        """Take the right to write; an `OutputError` where another process has it."""
        if self._thread is None:
            self._lease.connection()
            self._thread = Thread(target=self._run, name="answers", daemon=True)
            self._thread.start()

    def put(self, entry: Entry) -> None:
        """Have a row written, after all that were put before it."""
        with self._idle:
            self._unwritten += 1
        self._queue.put(entry)

    def wait(self, seconds: float) -> bool:
        """Wait so long until all that was put is written or given up; whether it is."""
        with self._idle:
            return self._idle.wait_for(lambda: self._unwritten == 0, seconds)

    def close(self) -> None:
        """Write what waits, and let another process write."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        self._lease.release()

    def _run(self) -> None:
        ended = False
        while not ended:
            gathered = [self._queue.get()]
            while len(gathered) < MOST and not self._queue.empty():
                gathered.append(self._queue.get())
            batch = [entry for entry in gathered if entry is not None]
            ended = len(batch) < len(gathered)
            try:
                self._keep(batch)
            except Exception as error:  # whatever it is, nobody may wait for ever
                self._give_up(batch, error)
            self._written(len(batch))

    def _keep(self, batch: Sequence[Entry]) -> None:
        try:
            self._write(batch)
        except IntegrityError:
            self._keep_each(batch)
        else:
            _confirm(batch)

    def _keep_each(self, batch: Sequence[Entry]) -> None:
        """Have each row of a batch stand or fall by itself.

        What was built on refused ones is forgotten once all others are written: whoever reads the
        database then finds all of them.
        """
        refused = []
        for entry in batch:
            try:
                self._write([entry])
            except IntegrityError:
                refused.append(entry)
            else:
                _confirm([entry])
        if refused:
            self._give_up(refused, AnswerError("another answer has this name", remedy=AGAIN))

    def _write(self, batch: Sequence[Entry]) -> None:
        """One transaction, tried again where the connection was lost or the disk is busy."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._database.speaking():
                    self._try(batch, again=attempt > 1)
            except IntegrityError:
                raise
            except Exception as error:
                # a commit that failed may have left its transaction open
                self._lease.drop()
                if not isinstance(error, OutputError):
                    raise
                if attempt == ATTEMPTS:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def _try(self, batch: Sequence[Entry], *, again: bool) -> None:
        with ExitStack() as stack:
            if self._database.sqlite:
                self._database.turns.take()
                stack.callback(self._database.turns.give)
            connection = self._lease.connection()
            with connection.begin():
                if again:
                    # a lost connection does not tell whether its last transaction was kept
                    batch = [entry for entry in batch if not _is_there(connection, entry)]
                for table in (Showing, Answer):
                    rows = [entry.row for entry in batch if entry.table is table]
                    if rows:
                        connection.execute(insert(table), rows)

    def _written(self, count: int) -> None:
        with self._idle:
            self._unwritten -= count
            self._idle.notify_all()

    def _give_up(self, batch: Sequence[Entry], error: Exception) -> None:
        told = error
        if not isinstance(error, LivewellError):
            told = OutputError("answers cannot be written", got=str(error)[:200])
        waiting = self._lost(self._waiting)
        self._written(len(waiting))
        for entry in [*batch, *waiting]:
            if entry.done is not None and not entry.done.done():
                entry.done.set_exception(told)

    def _waiting(self) -> list[Entry]:
        found: list[Entry] = []
        ended = False
        while not self._queue.empty():
            entry = self._queue.get()
            if entry is None:
                ended = True
            else:
                found.append(entry)
        if ended:
            self._queue.put(None)
        return found


def _confirm(batch: Sequence[Entry]) -> None:
    for entry in batch:
        if entry.done is not None:
            entry.done.set_result(None)


def _is_there(connection: Connection, entry: Entry) -> bool:
    found = select(entry.table.id).where(entry.table.id == entry.row["id"])
    return connection.execute(found).first() is not None
