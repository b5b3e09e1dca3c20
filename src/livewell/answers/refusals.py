"""What a database says when it cannot be used, in plain words; passwords are never told."""

import re
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection

from livewell.errors import LivewellError, OutputError, SpecError, StudyError

_SQLITE: tuple[tuple[str, type[LivewellError], str, str], ...] = (
    (
        "file is not a database",
        StudyError,
        "this file is no database",
        "move it away, and a new one is made; or put back a copy of the database",
    ),
    (
        "malformed",
        StudyError,
        "the database of answers is damaged",
        "put back a copy of it; `sqlite3 FILE .recover` may save what is left",
    ),
    (
        "readonly",
        OutputError,
        "the database of answers cannot be written",
        "change the permissions of the file and of its folder, or copy the study to where you may"
        " write",
    ),
    (
        "unable to open",
        OutputError,
        "the database of answers cannot be opened or made",
        "see whether the folder is there and you may write in it",
    ),
    (
        "disk is full",
        OutputError,
        "no room is left for answers on this disk",
        "free room on it; folders cache and features of a study may be deleted, they are made anew",
    ),
    (
        "already exists",
        StudyError,
        "this database holds tables of something else",
        "name a file of its own",
    ),
    (
        "locked",
        OutputError,
        "the database of answers is in use by another program",
        "end what has it open; on a network drive keep the answers on a server instead"
        " (--database postgresql://...), or the study on this machine's own disk",
    ),
    (
        "locking protocol|disk I/O error",
        OutputError,
        "the disk of the database of answers does not work as it must",
        "see whether the disk or network drive is there and sound; on a network drive keep the"
        " answers on a server instead (--database postgresql://...)",
    ),
)
_POSTGRESQL: dict[str, tuple[str, str]] = {
    "28P01": ("the database server refuses this user or password", "correct them in --database"),
    "28000": ("the database server lets this user not in", "ask who runs it for access"),
    "3D000": ("there is no database of this name on the server", "make it with `createdb NAME`"),
    "42501": ("this user may not change the database", "ask who runs it for the right to do so"),
    "53100": ("no room is left on the database server", "free room on its disk"),
    "53300": ("the database server has too many connections", "end some, or raise its limit"),
    "25006": ("this database can only be read", "name one that can be written"),
    "57P03": ("the database server is starting or stopping", "try again in a minute"),
    "42P07": (
        "this database holds tables of something else",
        "name a database of its own: `createdb NAME`",
    ),
}

NOT_HELD = ("22021", "22003", "22P05")
"""What PostgreSQL says of text with NUL, of numbers beyond 32 bits, of what UTF-8 lacks."""


def not_held() -> LivewellError:
    """What was asked for by a number or a text that no database holds."""
    return SpecError(
        "a number or a text that the database cannot hold",
        expected="numbers below 2,147,483,648, text without NUL",
    )


def unreachable(place: str, said: str) -> LivewellError:
    """What is said of a server that does not answer, or whose connection broke."""
    return OutputError(
        "the database server cannot be reached",
        where=place,
        got=said[:200],
        remedy="see whether it runs, and host and port in --database are right",
    )


def place_of(url: URL) -> str:
    """Where a database is, for people to read: a file, or server and name; never a password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"PostgreSQL at {url.host or 'localhost'}{port}, database {url.database}"


def refusal(url: URL, error: SQLAlchemyError) -> LivewellError | None:
    """What the database has refused, in plain words; ``None`` where it is an error of ours."""
    place = place_of(url)
    if isinstance(error, NoConnection):
        return OutputError("the database is too busy", where=place, remedy="try again in a minute")
    if not isinstance(error, DBAPIError):
        return None
    found = _of_sqlite if url.get_backend_name() == "sqlite" else _of_postgresql
    return found(place, error)


def _of_sqlite(place: str, error: DBAPIError) -> LivewellError | None:
    said = str(error.orig)
    for pattern, kind, what, remedy in _SQLITE:
        if re.search(pattern, said):
            return kind(what, where=place, got=said, remedy=remedy)
    return None


def _of_postgresql(place: str, error: DBAPIError) -> LivewellError | None:
    detail: Any = error.orig.args[0] if error.orig is not None and error.orig.args else ""
    code = str(detail.get("C", "")) if isinstance(detail, dict) else ""
    if code in _POSTGRESQL:
        what, remedy = _POSTGRESQL[code]
        return OutputError(what, where=place, got=str(detail.get("M", "")), remedy=remedy)
    if code in NOT_HELD:
        return not_held()
    if code and not code.startswith(("08", "57P")):
        return None
    return unreachable(place, str(error.orig))
