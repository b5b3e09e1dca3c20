"""Serving a study: its lock, its socket, the server, the browser."""

import asyncio
import ipaddress
import os
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import uvicorn

from livewell.answers.database import Database
from livewell.disk import writing
from livewell.errors import SpecError, StudyError
from livewell.study.study import Study
from livewell.web.app import create_app
from livewell.web.site import FOLDER, Site

PORT = 8321
LOCK, DOOR = "serving.lock", "open.html"
GRACE_S = 10
"""Requests under way have so long when the server is stopped."""
REDIRECT = """<!doctype html><meta charset="utf-8"><title>livewell</title>
<meta http-equiv="refresh" content="0; url={link}"><a href="{link}">Open the study</a>
"""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a study is served.

    Parameters
    ----------
    host, port
        Where it listens; port 0 for any that is free.
    address
        Where browsers find it, where a proxy stands before it.
    database
        Of answers; ``None``: an SQLite file in the study.
    runs
        Folders in which runs of the study are looked for.
    certificate, key
        Files for https.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    address: str | None = None
    database: str | None = None
    runs: tuple[Path, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.address is None and is_local(self.host)


def is_local(host: str) -> bool:
    """Whether an address leads to this machine alone."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


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


class _Server(uvicorn.Server):
    """Says when it listens."""

    ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()


def server_of(site: Site, settings: ServeSettings, ready: Callable[[], None]) -> uvicorn.Server:
    """A server of the site, which calls `ready` once it listens."""
    proxied = settings.address is not None
    config = uvicorn.Config(
        create_app(site),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=proxied,
        forwarded_allow_ips="127.0.0.1,::1" if proxied else None,
        timeout_graceful_shutdown=GRACE_S,
        ws="none",
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    server = _Server(config)
    server.ready = ready
    return server


def site_for(study: Study, settings: ServeSettings, port: int, owner: str) -> Site:
    """The site of a study that listens at this port."""
    scheme = "https" if settings.certificate else "http"
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    shown = {"0.0.0.0": socket.gethostname(), "[::]": socket.gethostname()}.get(name, name)  # noqa: S104
    address = (settings.address or f"{scheme}://{shown}:{port}").rstrip("/")
    return Site(
        study,
        Database.of_study(study.folder, settings.database),
        runs=settings.runs,
        hosts=_hosts(settings, address),
        local=settings.local,
        address=address,
        owner=owner,
    )


def _hosts(settings: ServeSettings, address: str) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    own = () if settings.local else (socket.gethostname().lower(), socket.getfqdn().lower())
    named = urlsplit(address).hostname or ""
    return tuple(dict.fromkeys(("127.0.0.1", "localhost", "::1", named, settings.host, *own)))


def serve(
    study: Study,
    settings: ServeSettings,
    *,
    owner: str,
    ready: Callable[[Site], None],
    browser: bool = True,
) -> None:
    """Serve a study until somebody stops it.

    Parameters
    ----------
    study, settings
        What is served, and how.
    owner
        Name of who has the site by its link.
    ready
        Called once, when it listens.
    browser
        Whether to open one.

    Raises
    ------
    SpecError
        The port is taken, or there is no such address.
    StudyError
        The study is served already.
    OutputError
        Its folder cannot be written.
    """
    with only_server(study.folder / FOLDER), listening(settings.host, settings.port) as bound:
        site = site_for(study, settings, bound.getsockname()[1], owner)
        door = site.folder / DOOR

        def started() -> None:
            ready(site)
            if browser:
                _open(door, site.link)

        try:
            server = server_of(site, settings, started)
            asyncio.run(server.serve([bound]))
        finally:
            with suppress(OSError):
                door.unlink(missing_ok=True)
            site.close()


def _open(door: Path, link: str) -> None:
    """Open a browser by a file that only its owner can read.

    On a command line other people on the same machine could read the link.
    """
    with suppress(OSError, webbrowser.Error):
        door.unlink(missing_ok=True)
        with os.fdopen(os.open(door, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(REDIRECT.format(link=link))
        webbrowser.open(door.absolute().as_uri())
