"""One process at a time writes the answers of a database: what it keeps in memory stays true."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from sqlalchemy import text
from sqlalchemy.engine import Connection

from livewell.answers.database import Database
from livewell.disk import lock, writing
from livewell.errors import OutputError

NUMBER = 0x11FE_0002
"""Of PostgreSQL's advisory lock that the writing process holds."""


class Lease:
    """The right to write answers; a lock file beside SQLite, an advisory lock on PostgreSQL.

    Both end with the process, however it ends.

    Raises
    ------
    OutputError
        By `connection`: another process writes answers, or the database cannot be reached.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._file: IO[str] | None = None

    def connection(self) -> Connection:
        """The connection to write with; the lock is taken first, anew where one was lost."""
        if self._connection is not None and not self._connection.invalidated:
            return self._connection
        self.drop()
        with self._database.speaking():
            if self._database.sqlite:
                self._lock_file()
                self._connection = self._database.engine.connect()
                return self._connection
            connection = self._database.engine.connect()
            held = connection.scalar(text(f"SELECT pg_try_advisory_lock({NUMBER})"))
            connection.commit()
            if not held:
                connection.close()
                raise self._taken()
            self._connection = connection
        return self._connection

    def release(self) -> None:
        """Let another process write."""
        if self._connection is not None and not self._database.sqlite:
            # a server notices only after a while that a connection has gone
            with suppress(Exception):  # one that is lost already holds no lock
                self._connection.execute(text(f"SELECT pg_advisory_unlock({NUMBER})"))
                self._connection.commit()
        self.drop()
        if self._file is not None:
            self._file.close()
            self._file = None

    def drop(self) -> None:
        """Give a connection up on which something failed, with what it has not committed."""
        if self._connection is not None:
            with suppress(Exception):  # it may be lost already
                self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _lock_file(self) -> None:
        if self._file is not None:
            return
        path = Path(f"{self._database.url.database}.lock")
        with writing(path):
            file = path.open("a+", encoding="ascii")
        try:
            lock(file)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(20).strip()
            file.close()
            raise self._taken(holder) from None
        except OSError as error:
            file.close()
            raise OutputError(
                "this disk cannot say which program writes the answers",
                where=str(path),
                got=str(error),
                remedy="on a network drive keep the answers on a server instead (--database"
                " postgresql://...), or the study on this machine's own disk",
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}")
        file.flush()
        self._file = file

    def _taken(self, process: str = "") -> OutputError:
        return OutputError(
            "answers are being written by another program, such as the site of this study",
            where=self._database.place,
            got=f"process {process}" if process else "",
            remedy="end it first, or do this on a page of the site",
        )
