"""One server a study."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from livewell.disk import writing
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
        if not _locked(file):
            file.seek(0)
            raise StudyError(
                "this study is served already",
                where=str(folder.parent),
                got=file.read(200).strip() or "another server",
                remedy="use the address that it printed, or stop it first",
            )
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield


def _locked(file: IO[str]) -> bool:
    """Whether the lock is now ours; the system lets go of it when a process ends in any way."""
    try:
        if os.name == "nt":
            import msvcrt

            # beyond the text, which others may read
            file.seek(2**20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a network drive without locks
        return True
    return True
