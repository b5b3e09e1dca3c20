"""Where a site listens, what browsers call it, and where its database is."""

import ipaddress
import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from livewell.answers.database import URLS
from livewell.errors import SpecError

PASSWORDS = ("LIVEWELL_DATABASE_PASSWORD", "PGPASSWORD")
"""Environment variables that may hold the database's password, so that no command line does."""


def is_local(host: str) -> bool:
    """Whether an address leads to this machine alone."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def listening(host: str, port: int) -> socket.socket:
    """A socket at this address, or an error in plain words."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(2048)
    except (OSError, OverflowError) as error:
        made.close()
        with suppress(OSError), socket.socket(family) as free:
            free.bind((host, 0))
            other = f"--port {free.getsockname()[1]}, which is free now, or "
            raise SpecError(
                f"port {port} cannot be used",
                got=str(error),
                remedy=f"{other}stop what uses it (perhaps another livewell)",
            ) from error
        raise SpecError(
            "this machine has no such address",
            where=f"--host {host}",
            got=str(error),
            remedy="127.0.0.1 for this machine alone, 0.0.0.0 for the network",
        ) from error
    return made


def shown_host(host: str) -> str:
    """How an address stands in a link: the machine's name where it listens to all."""
    if host in ("0.0.0.0", "::"):  # noqa: S104
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def names_of(host: str, address: str, *, local: bool) -> tuple[str, ...]:
    """Names under which browsers may ask for a site at this host and address."""
    own = () if local else (socket.gethostname().lower(), socket.getfqdn().lower())
    named = urlsplit(address).hostname or ""
    return tuple(dict.fromkeys(("127.0.0.1", "localhost", "::1", named, host.lower(), *own)))


def checked_address(text: str) -> str:
    """An address as browsers show it, without a path, or a `SpecError`."""
    fault = SpecError(
        "no address of a site",
        where="--url",
        expected="such as https://cells.example.org, without a path",
        got=text,
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise fault from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise fault
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise fault
    return f"{parts.scheme}://{parts.netloc.lower()}"


def database_url(text: str) -> URL:
    """Where answers are kept, with the password from the environment or the password file.

    That is `PASSWORDS`, or ``.pgpass`` in the home folder (or the file that ``PGPASSFILE`` names),
    as other programs of PostgreSQL read it.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # which may hold a password
        raise SpecError("not the address of a database", expected=URLS) from None
    if url.get_backend_name() != "postgresql" or url.password:
        return url
    password = next((os.environ[name] for name in PASSWORDS if os.environ.get(name)), None)
    return url.set(password=password or _from_file(url))


def _from_file(url: URL) -> str | None:
    """The password of the first line that fits: host, port, database, user, password."""
    wanted = (url.host or "localhost", str(url.port or 5432), url.database, url.username or "")
    with suppress(OSError, RuntimeError, UnicodeDecodeError):
        file = Path(os.environ.get("PGPASSFILE") or Path.home() / ".pgpass")
        for line in file.read_text("utf-8").splitlines():
            kept = line.replace(r"\\", "\0").replace(r"\:", "\1").split(":", 4)
            found = [part.replace("\0", "\\").replace("\1", ":") for part in kept]
            if len(found) == 5 and all(
                part in ("*", want) for part, want in zip(found, wanted, strict=False)
            ):
                return found[4]
    return None
