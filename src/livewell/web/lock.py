"""One server a study."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from livewell.disk import lock, writing
from livewell.errors import StudyError

LOCK = "serving.lock"
"""In the folder of the site: which process serves the study."""


@contextmanager
def only_server(folder: Path) -> Iterator[None]:
    """Refuse to serve a study that is served already; a dead server's lock is no lock."""
    with writing(folder / LOCK):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    with file:
        try:
            lock(file)
        except BlockingIOError:
            file.seek(0)
            raise StudyError(
                "this study is served already",
                where=str(folder.parent),
                got=file.read(200).strip() or "another server",
                remedy="use the address that it printed, or stop it first",
            ) from None
        except (
            OSError
        ):  # a disk without locks; answers have a lock of their own, which asks for one
            pass
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
