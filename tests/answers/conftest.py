"""Databases of answers: SQLite in a folder, and a PostgreSQL server that the tests start."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from livewell.answers.database import Database
from livewell.answers.tables import Person


def programs() -> Path | None:
    """Folder of PostgreSQL's programs, the newest there is."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parts[-2]))
    if folders:
        return folders[-1]
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _as_server(*words: str | Path) -> None:
    """Run a program of the server, which does not run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *words], check=True, capture_output=True, timeout=120, cwd="/")


@pytest.fixture(scope="session")
def server() -> Iterator[int]:
    """Port of a PostgreSQL server of this session; skips where PostgreSQL is absent."""
    folder = programs()
    if folder is None or (os.geteuid() == 0 and not shutil.which("runuser")):
        pytest.skip("no PostgreSQL server: install the package postgresql")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        if os.geteuid() == 0:
            shutil.chown(temporary, "postgres")
        secret = Path(temporary) / "secret"
        secret.write_text("geheim")
        secret.chmod(0o644)
        _as_server(
            *(folder / "initdb", "-D", data, "-U", "livewell", "--auth=scram-sha-256"),
            *(f"--pwfile={secret}", "--no-sync", "-E", "UTF8"),
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {temporary} -c max_connections=200"
        log = Path(temporary) / "log"
        _as_server(folder / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            yield port
        finally:
            _as_server(folder / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@pytest.fixture
def postgresql(server: int, request: pytest.FixtureRequest) -> str:
    """Address of an empty database on the server."""
    import pg8000.native

    name = f"t{abs(hash(request.node.nodeid))}"
    link = pg8000.native.Connection(
        "livewell", host="127.0.0.1", port=server, database="postgres", password="geheim"
    )
    link.run(f"CREATE DATABASE {name}")
    link.close()
    return f"postgresql://livewell:geheim@127.0.0.1:{server}/{name}"


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
