"""The database of answers: its tables, its versions, and what it says where it cannot be used."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from livewell.answers.database import Database
from livewell.answers.tables import Answer, Base, Item, Person, Showing, Task
from livewell.errors import LivewellError, OutputError, SpecError, StudyError


def _one_answer(database: Database) -> None:
    with database.session() as session:
        session.add(Person(id=1, name="Ada", role="expert", created=0.0))
        session.add(Task(id=1, name="a", kind="frame", classes=["x"], settings={}, created=0.0))
        session.flush()
        session.add(Item(id=1, task_id=1, number=0, image="a.tif", t=0, frames=1))
        session.flush()
        session.add(
            Showing(
                id="s", task_id=1, person_id=1, item_id=1, round=0, number=0, reason="random",
                created=0.0,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            Answer(id="a", showing_id="s", answer="x", tags=[], seconds=1.0, created=0, version="0")
        )


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    """A database that went through all migrations lacks nothing that the models have."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.parametrize(
    "change", ["UPDATE answers SET answer = 'y'", "DELETE FROM answers", "DELETE FROM answers *"]
)
def test_answers_are_never_changed(database: Database, change: str) -> None:
    """The database itself refuses to change or remove an answer."""
    if change.endswith("*"):
        change = "DELETE FROM answers" if database.sqlite else "TRUNCATE answers"
    _one_answer(database)
    with database.engine.connect() as connection, pytest.raises(DatabaseError, match="never"):
        connection.execute(text(change))
    with database.session() as session:
        assert session.get(Answer, "a") is not None


def test_several_that_open_at_once_make_it_once(url: str) -> None:
    """Whoever opens a database while another one makes its tables waits, and finds them."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: Database(url), range(4)))
    for each in made:
        with each.session() as session:
            assert session.query(Task).count() == 0
        each.close()


def test_a_newer_version_is_refused(database: Database, url: str) -> None:
    """Tables that a later livewell made are left alone, and the error says to update."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StudyError, match=r"newer version.*pip install --upgrade"):
        Database(url)


def test_sqlite_is_set_to_lose_nothing(tmp_path: Path) -> None:
    """Every connection writes ahead, waits for the disk, and holds references between tables."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    with database.engine.connect() as connection:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    database.close()
    assert found == ["wal", 2, 1, 30000]


def test_a_study_gets_its_database(tmp_path: Path) -> None:
    """Without an address the database lies in the study's folder, for its owner's eyes alone."""
    Database.of_study(tmp_path).close()
    assert (tmp_path / "site" / "answers.sqlite").is_file()
    if os.name == "posix":
        assert (tmp_path / "site").stat().st_mode & 0o077 == 0


def test_writers_of_sqlite_take_turns(tmp_path: Path) -> None:
    """Threads that all write at once all succeed, whatever the others do meanwhile."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")

    def write(number: int) -> None:
        with database.session() as session:
            session.query(Person).count()
            session.add(Person(name=f"{number}", role="viewer", created=0.0))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(200)))
    with database.session() as session:
        assert session.query(Person).count() == 200
    database.close()


def _text_file(folder: Path) -> str:
    (folder / "a.sqlite").write_text("no database at all, but long enough to look like one" * 40)
    return "is no database"


def _other_tables(folder: Path) -> str:
    with sqlite3.connect(folder / "a.sqlite") as other:
        other.execute("CREATE TABLE people (id INTEGER)")
    other.close()
    return "tables of something else"


def _damaged(folder: Path) -> str:
    Database(f"sqlite:///{folder / 'a.sqlite'}").close()
    whole = (folder / "a.sqlite").read_bytes()
    (folder / "a.sqlite").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    return "damaged"


def _a_folder(folder: Path) -> str:
    (folder / "a.sqlite").mkdir()
    return "cannot be opened or made"


def _count_people(url: str) -> int:
    database = Database(url)
    with database.session() as session:
        return session.query(Person).count()


@pytest.mark.parametrize("spoil", [_text_file, _other_tables, _damaged, _a_folder])
def test_what_is_no_database_is_said(tmp_path: Path, spoil: object) -> None:
    """A file that cannot be the database of answers is named, with what to do."""
    expected = spoil(tmp_path)  # type: ignore[operator]
    with pytest.raises(LivewellError, match=expected) as caught:
        _count_people(f"sqlite:///{tmp_path / 'a.sqlite'}")
    assert caught.value.remedy
    assert "a.sqlite" in str(caught.value)


def _fill(database: Database) -> None:
    with database.session() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.add_all(Person(name=f"{n}" * 99, role="viewer", created=0.0) for n in range(2000))


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """Where no room is left, the error says so; what was written before stays."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    _one_answer(database)
    with pytest.raises(OutputError, match="no room is left"):
        _fill(database)
    with database.session() as session:
        assert session.query(Person).count() == 1
    database.close()


@pytest.mark.parametrize(
    "url", ["mysql://a:geheim@b/c", "geheim", "sqlite://", "sqlite:///:memory:", "://geheim"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """What is no address of a database that keeps anything is refused, and not repeated."""
    with pytest.raises(SpecError) as caught:
        Database(url)
    assert "geheim" not in str(caught.value)


def test_a_server_that_is_not_there_is_said() -> None:
    """A server that does not answer is named without the password."""
    with pytest.raises(OutputError, match=r"cannot be reached") as caught:
        Database("postgresql://ada:geheim@127.0.0.1:9/answers")
    assert "geheim" not in str(caught.value)
    assert "127.0.0.1:9" in str(caught.value)


def test_a_broken_connection_is_said(tmp_path: Path) -> None:
    """What the system says of a connection that broke is an error in plain words."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    with pytest.raises(OutputError, match="cannot be reached"), database.session():
        raise ConnectionResetError(104, "Connection reset by peer")
    database.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [("geheim", "falsch-1", "user or password"), ("/t", "/falsch-1", "no database of this name")],
)
def test_what_the_server_refuses_is_said(
    postgresql: str, old: str, new: str, expected: str
) -> None:
    """A wrong password and a database that is not there are told apart, without the password."""
    with pytest.raises(OutputError, match=expected) as caught:
        Database(postgresql.replace(old, new))
    assert "geheim" not in str(caught.value)
    assert caught.value.remedy
