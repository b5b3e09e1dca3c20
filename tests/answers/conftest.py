"""Databases of answers of either kind, and people in them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livewell.answers.database import Database
from livewell.answers.tables import Person


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a new database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'answers.sqlite'}"
    return str(request.getfixturevalue("postgresql"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new database of either kind."""
    made = Database(url)
    yield made
    made.close()


@pytest.fixture
def people(database: Database) -> Callable[..., list[int]]:
    """Adds people by name; their numbers."""

    def add(*names: str) -> list[int]:
        with database.session() as session:
            made = [Person(name=name, role="expert", created=0.0) for name in names]
            session.add_all(made)
            session.flush()
            return [each.id for each in made]

    return add
