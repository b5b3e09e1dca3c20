"""A PostgreSQL server of one's own, for as long as it is needed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pg8000.native

PASSWORD = "geheim"  # noqa: S105 of a server that lives for minutes


def programs() -> Path | None:
    """Folder of PostgreSQL's programs, the newest there is; ``None``: they cannot be run."""
    if os.geteuid() == 0 and not shutil.which("runuser"):
        return None
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda f: int(f.parts[-2]))
    found = shutil.which("initdb")
    return folders[-1] if folders else Path(found).parent if found else None


def _run(*words: str | Path) -> None:
    """Run a program of the server, which does not run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *words], check=True, capture_output=True, timeout=120, cwd="/")  # noqa: S603


@contextmanager
def server() -> Iterator[Callable[[str], str] | None]:
    """A function that makes an empty database and gives its address; ``None``: no PostgreSQL."""
    folder = programs()
    if folder is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with TemporaryDirectory() as temporary:
        data, secret = Path(temporary) / "data", Path(temporary) / "secret"
        if os.geteuid() == 0:
            shutil.chown(temporary, "postgres")
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        _run(
            *(folder / "initdb", "-D", data, "-U", "livewell", "--auth=scram-sha-256"),
            *(f"--pwfile={secret}", "--no-sync", "-E", "UTF8"),
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {temporary} -c max_connections=200"
        log = Path(temporary) / "log"
        _run(folder / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

        def address(name: str) -> str:
            link = pg8000.native.Connection(
                "livewell", host="127.0.0.1", port=port, database="postgres", password=PASSWORD
            )
            link.run(f"CREATE DATABASE {name}")
            link.close()
            return f"postgresql://livewell:{PASSWORD}@127.0.0.1:{port}/{name}"

        try:
            yield address
        finally:
            _run(folder / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
