"""Opening the database of answers: SQLite in the study, or a PostgreSQL server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.orm import Session, sessionmaker

from livewell.answers.tables import Base

FILE = Path("site") / "answers.sqlite"
"""Within the study's folder."""


class Database:
    """A database of answers that has this version's tables.

    Parameters
    ----------
    url
        As SQLAlchemy writes it: ``sqlite:///PATH``, or ``postgresql://USER:PASSWORD@HOST/NAME``.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        if self.url.get_backend_name() == "postgresql":
            self.url = self.url.set(drivername="postgresql+pg8000")
        self.engine = _engine(self.url)
        Base.metadata.create_all(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @classmethod
    def of_study(cls, folder: Path, url: str | None = None) -> "Database":
        """The database at `url`, or the one in the study's folder, made where there is none."""
        if url is not None:
            return cls(url)
        path = folder / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(URL.create("sqlite", database=str(path)))

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: durable when the block ends, undone by an error."""
        with self._sessions.begin() as session:
            yield session

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


def _engine(url: URL) -> Engine:
    engine = create_engine(url)
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
