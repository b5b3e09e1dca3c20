"""Opening the database of answers: SQLite in the study, or a PostgreSQL server."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker
from sqlalchemy.pool import NullPool

from livewell.answers.refusals import not_held, place_of, refusal, unreachable
from livewell.disk import writing
from livewell.errors import SpecError, StudyError

FILE = Path("site") / "answers.sqlite"
"""Within the study's folder."""
MIGRATIONS = Path(__file__).parent / "migrations"
UPGRADE_LOCK = 0x11FE_0001
"""Number of PostgreSQL's advisory lock under which tables are changed."""
URLS = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"


class Database:
    """A database of answers that has this version's tables.

    Parameters
    ----------
    url
        As SQLAlchemy writes it: ``sqlite:///PATH``, or ``postgresql://USER:PASSWORD@HOST/NAME``.

    Raises
    ------
    SpecError
        Not such an address.
    StudyError
        Not a database of answers, damaged, or made by a newer livewell.
    OutputError
        It cannot be reached or written. No error tells a password.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = _checked(url)
        self.engine = _engine(self.url)
        with self.speaking():
            _upgrade(self.url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self.turns = _Turns()
        self._changes = count(1)
        self.changed = 0
        """Another number whenever a `session` has changed something: what was read is then old."""
        event.listen(self._sessions, "before_flush", self._begin_change)
        event.listen(self._sessions, "do_orm_execute", self._begin_change_by_statement)

    @classmethod
    def of_study(cls, folder: Path, url: str | URL | None = None) -> "Database":
        """The database at `url`, or the one in the study's folder, made where there is none."""
        if url is not None:
            return cls(url)
        path = folder / FILE
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(URL.create("sqlite", database=str(path)))

    @property
    def sqlite(self) -> bool:
        """Whether it is a file and no server."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def place(self) -> str:
        """Where it is, for people to read: a file, or server and name; never a password."""
        return place_of(self.url)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: durable when the block ends, undone by an error."""
        with self.speaking(), self._sessions() as session:
            try:
                with session.begin():
                    yield session
            finally:
                if session.info.pop("changes", False):
                    self.changed = next(self._changes)
                    if self.sqlite:
                        self.turns.give()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what the database refuses within the block into an error in plain words."""
        try:
            yield
        except OverflowError as error:  # of SQLite's driver
            raise not_held() from error
        except (ConnectionError, TimeoutError) as error:  # of PostgreSQL's, now and then
            raise unreachable(self.place, str(error)) from error
        except SQLAlchemyError as error:
            said = refusal(self.url, error)
            if said is None:
                raise
            raise said from error

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _begin_change(self, session: Session, *_: Any) -> None:
        if not session.info.get("changes"):
            if self.sqlite:
                self.turns.take()
            session.info["changes"] = True

    def _begin_change_by_statement(self, state: ORMExecuteState) -> None:
        if not state.is_select:
            self._begin_change(state.session)


class _Turns:
    """Who may write to SQLite, in the order in which they came.

    SQLite lets one write at a time and has the others try again and again, so that whoever writes
    without a pause would keep all others out.
    """

    def __init__(self) -> None:
        self._guard = Lock()
        self._taken = False
        self._waiting: deque[Lock] = deque()

    def take(self) -> None:
        """Wait for one's turn."""
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def give(self) -> None:
        """Let the next one write."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


def _checked(url: str | URL) -> URL:
    try:
        found = make_url(url)
        kind = found.get_backend_name()
    except (ArgumentError, ValueError):  # which may hold a password
        found, kind = None, ""
    if found is None or kind not in ("sqlite", "postgresql"):
        raise SpecError("not the address of a database", expected=URLS) from None
    if kind == "postgresql":
        return found.set(drivername="postgresql+pg8000")
    if not found.database or found.database == ":memory:":
        raise SpecError(
            "a database that nothing keeps", expected=URLS, got=f"{found}", remedy="name a file"
        )
    return found


def _engine(url: URL, **options: Any) -> Engine:
    # parameters are hidden, for errors that are logged must tell no note and no key
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url, hide_parameters=True, **(options or {"pool_size": 20, "max_overflow": 40})
        )
        event.listen(engine, "connect", _prepare)
        return engine
    options = options or {"pool_size": 20, "max_overflow": 20, "pool_pre_ping": True}
    return create_engine(url, connect_args={"timeout": 30}, hide_parameters=True, **options)


def _prepare(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _upgrade(url: URL) -> None:
    """Bring a database to this version's tables, alone; refuse one of a newer version."""
    config = Config()
    # of a path with a per cent sign, which the configuration would take for a reference
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    engine = _engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if _version(connection, scripts, url) == scripts.get_current_head():
            return
        connection.rollback()
        if url.get_backend_name() == "sqlite":
            # Python's driver begins no transaction before it changes tables
            connection.connection.dbapi_connection.isolation_level = None  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
        if _version(connection, scripts, url) != scripts.get_current_head():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        connection.commit()


def _version(connection: Connection, scripts: ScriptDirectory, url: URL) -> str | None:
    """Which change of the tables came last; ``None`` where there are none."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {each.revision for each in scripts.walk_revisions()}:
        raise StudyError(
            "a database of answers of a newer version of livewell",
            where=place_of(url),
            expected=f"tables of version {scripts.get_current_head()} or older",
            got=f"version {found}",
            remedy="update livewell: `pip install --upgrade livewell`",
        )
    return found
