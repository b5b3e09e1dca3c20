"""Files from outside: only regular ones are opened, for a pipe or a device may never end."""

import errno
import stat
from pathlib import Path

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def regular(path: Path) -> Path:
    """The path itself, where it is a regular file or a link to one; nothing is opened.

    Raises
    ------
    OSError
        What the operating system says of a path that cannot be looked up, or that it is a folder, a
        named pipe, a socket or a device.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    return path
