"""What the operating system refuses to write, in plain words; unfinished files, and whose they are.

A process that is killed leaves what it was writing under a name that begins with `TEMPORARY`. The
name holds who wrote it: whoever writes in the same folder next removes it, unless the writer lives.
"""

import errno
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO
from uuid import uuid4

from livewell.errors import LivewellError, OutputError

TEMPORARY = ".livewell-tmp-"
"""Every unfinished file or folder begins with this, so that it is never taken for whole."""
ASIDE = "-old"
"""End of the names of folders that hold an older folder while a new one takes its place."""
_OWNED = re.compile(rf"{re.escape(TEMPORARY)}([0-9a-f]{{8}})-([0-9]{{1,9}})-[0-9a-f]{{8}}")
ABANDONED_S, ASIDE_S = 7 * 24 * 3600, 60
"""How long what another machine wrote stays unchanged until its process is taken for dead, and how
long an older folder stays aside, which takes a living process no time at all."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
FAILING = FULL | {
    *(errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN),
    *(errno.ETIMEDOUT, errno.EHOSTDOWN),
}
"""Errors that are of a disk, whatever was done to it."""
UNKNOWN = "cannot be read or written"
"""What is said where it is not known what was done to a file."""
NO_ROOM = 2**20
"""Bytes; with less than this left, what failed without a reason failed for want of room."""
_SHORT = re.compile("requested and .* written|encoder error")
"""What numpy and Pillow say instead."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what cannot be written within the block into an `OutputError` that names `path`."""
    try:
        yield
    except LivewellError:
        raise
    except OSError as error:
        named = Path(os.fsdecode(error.filename)) if _is_name(error.filename) else path
        ours = named in (path, *path.parents) or path in named.parents or TEMPORARY in str(named)
        if not ours and error.errno not in FAILING:
            raise
        if ours:
            raise refused(path, error) from error
        raise refused(named, error, UNKNOWN) from error


def refused(path: Path, error: OSError, what: str = "cannot be written") -> OutputError:
    """The error that says why `path` cannot be written, and what to do about it."""
    number = error.errno
    if number is None and (_SHORT.search(str(error)) or _free(path) < NO_ROOM):
        number = errno.ENOSPC
    return OutputError(
        what,
        where=str(path),
        got=os.strerror(number) if number and number in FAILING else error.strerror or str(error),
        remedy=_remedy(path, number),
    )


def unfinished(path: Path, end: str = "") -> Path:
    """A new temporary path beside `path`, with its suffix or another end."""
    end = end or (path.suffix if len(os.fsencode(path.suffix)) <= 16 else "")
    return path.with_name(f"{TEMPORARY}{_machine()}-{os.getpid()}-{uuid4().hex[:8]}{end}")


def clear(folder: Path) -> None:
    """Remove what dead processes left unfinished in a folder; an older folder takes its place."""
    entries = _unfinished_in(folder)
    _restore(folder, entries)
    for entry in entries:
        if _is_left(entry, ABANDONED_S) and not _needed(folder, entry):
            remove(Path(entry.path))


clear_once = cache(clear)
"""As `clear`, for who writes in the same folder again and again."""


def restore(folder: Path) -> None:
    """Put folders back whose writers were killed before a new one had taken their place."""
    _restore(folder, _unfinished_in(folder))


def _restore(folder: Path, entries: list[os.DirEntry[str]]) -> None:
    for entry in entries:
        if entry.name.endswith(ASIDE) and _is_left(entry, ASIDE_S):
            # another process may have been faster
            with suppress(OSError):
                for old in Path(entry.path).iterdir():
                    if not (folder / old.name).exists():
                        old.rename(folder / old.name)


def _needed(folder: Path, entry: os.DirEntry[str]) -> bool:
    """Whether an older folder could not be put back, though nothing has taken its place."""
    try:
        return entry.name.endswith(ASIDE) and any(
            not (folder / old.name).exists() for old in Path(entry.path).iterdir()
        )
    except OSError:
        return False


def remove(path: Path) -> None:
    """Remove an unfinished file or folder, as far as that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _unfinished_in(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if entry.name.startswith(TEMPORARY)]
    return []


def _is_left(entry: os.DirEntry[str], wait_s: float) -> bool:
    """Whether who wrote it has ended: the process of this machine, or after so long any other's."""
    owner = _OWNED.match(entry.name)
    if owner and owner[1] == _machine() and os.name == "posix":
        return not _runs(int(owner[2]))
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > wait_s
    except OSError:
        return False


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is of another user
        return True
    return True


@cache
def _machine() -> str:
    """What tells where process numbers mean the same: host, its start, and container."""
    known = [platform.node()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii"))
        known.append(str(Path("/proc/self/ns/pid").readlink()))
    return sha256("\n".join(known).encode()).hexdigest()[:8]


def _is_name(name: object) -> bool:
    return isinstance(name, str | bytes | os.PathLike)


def _free(path: Path) -> float:
    """Bytes that are left on the disk of the nearest folder there is."""
    there = next((each for each in (path, *path.absolute().parents) if each.is_dir()), None)
    with suppress(OSError):
        return shutil.disk_usage(there).free if there else float("inf")
    return float("inf")


def _remedy(path: Path, number: int | None) -> str:
    again = "give the same command again, which goes on"
    if number in FULL:
        left = f"{_free(path) / 1e6:,.1f} MB left" if _free(path) < float("inf") else "no room left"
        return (
            f"free room on this disk ({left}): folders cache and features of a study may be"
            f" deleted, they are made anew; then {again}"
        )
    if number in FAILING - {errno.EROFS}:
        return f"see whether this disk or network drive is there and sound; then {again}"
    elsewhere = "name a folder that you may write"
    other_kind = f"{elsewhere}: what is there is of another kind"
    known = {
        errno.EROFS: f"{elsewhere}: this disk can only be read",
        errno.ENOENT: f"see whether the folder was removed or its drive is gone; or {elsewhere}",
        errno.ENAMETOOLONG: f"{elsewhere}, with a shorter path",
        **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), other_kind),
    }
    permitted = f"{elsewhere}, or change its permissions; close what has the file open"
    return known.get(number or 0, permitted)


def lock(file: IO[str]) -> None:
    """Lock a file as long as it is open; the system lets go of it however the process ends.

    A `BlockingIOError` where another process holds it, another `OSError` where the disk knows no
    locks, such as some network drives.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            # beyond what is written, for a locked part cannot be read
            file.seek(2**20)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError(*error.args) from error
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
