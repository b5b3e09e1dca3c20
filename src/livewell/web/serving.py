"""Serving a study: the site, the server, the browser."""

import asyncio
import os
import socket
import ssl
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import uvicorn

from livewell.answers.database import Database
from livewell.errors import SpecError
from livewell.study.study import Study
from livewell.web.addresses import (
    checked_address,
    database_url,
    is_local,
    listening,
    names_of,
    shown_host,
)
from livewell.web.app import create_app
from livewell.web.lock import only_server
from livewell.web.people import checked_name, first_owner, owner_named, user_name
from livewell.web.site import FOLDER, Site

PORT = 8321
DOOR = "open.html"
GRACE_S = 10
"""Requests under way have so long when the server is stopped."""
SCREENS = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
"""Environment variables of whom a browser can be shown to."""
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
    experts_look
        Whether experts may also look at images with their names and wells.
    owner
        Who has the site by its link; ``None``: the first owner, or who runs this.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    address: str | None = None
    database: str | None = None
    runs: tuple[Path, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    experts_look: bool = False
    owner: str | None = None

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.address is None and is_local(self.host)


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


def site_for(study: Study, settings: ServeSettings, port: int) -> Site:
    """The site of a study that listens at this port.

    Its link is for an owner: on one's own machine always, elsewhere where none has a password yet
    or one was named.
    """
    address = f"{'https' if settings.certificate else 'http'}://{shown_host(settings.host)}:{port}"
    if settings.address is not None:
        address = checked_address(settings.address)
    if settings.database is None:
        database = Database.of_study(study.folder)
    else:
        database = Database(database_url(settings.database))
    first = first_owner(database)
    if settings.owner is not None:
        found = owner_named(database, checked_name(settings.owner))
        owner = found.name if found else checked_name(settings.owner)
    else:
        owner = first.name if first else user_name()
    closed = not settings.local and settings.owner is None and first is not None and first.password
    return Site(
        study,
        database,
        runs=settings.runs,
        hosts=names_of(settings.host, address, local=settings.local),
        local=settings.local,
        experts_look=settings.experts_look,
        address=address,
        owner=owner,
        **({"key": ""} if closed else {}),
    )


def warnings_of(site: Site) -> list[str]:
    """What whoever serves a study should know."""
    if site.local or site.encrypted:
        return []
    return [
        "names, passwords and images cross the network unencrypted, for the address is not https."
        " What to do: give a certificate (--certificate and --certificate-key); or put a proxy"
        " before it that has one (--host 127.0.0.1 --url https://...); or leave --host out and let"
        f" others come through SSH (ssh -L {PORT}:127.0.0.1:{PORT} this-machine)"
    ]


def serve(
    study: Study,
    settings: ServeSettings,
    *,
    ready: Callable[[Site], None],
    browser: bool = True,
) -> None:
    """Serve a study until somebody stops it.

    Parameters
    ----------
    study, settings
        What is served, and how.
    ready
        Called once, when it listens.
    browser
        Whether to open one.

    Raises
    ------
    SpecError
        The port is taken, or there is no such address, database, certificate or owner.
    StudyError
        The study is served already.
    OutputError
        Its folder cannot be written.
    """
    _check_certificate(settings)
    with only_server(study.folder / FOLDER), listening(settings.host, settings.port) as bound:
        site = site_for(study, settings, bound.getsockname()[1])
        door = site.folder / DOOR

        def started() -> None:
            ready(site)
            if browser:
                _open(door, site)

        try:
            site.answers.start()
            server = server_of(site, settings, started)
            asyncio.run(server.serve([bound]))
        finally:
            with suppress(OSError):
                door.unlink(missing_ok=True)
            site.close()


def _check_certificate(settings: ServeSettings) -> None:
    """Refuse a certificate that cannot be used, before anything is opened."""
    if settings.certificate is None and settings.key is None:
        return
    if settings.certificate is None or settings.key is None:
        raise SpecError("a certificate and its key belong together", got="one of them")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.certificate, settings.key, password=""
        )
    except (OSError, ValueError) as error:
        raise SpecError(
            "this certificate and key cannot be used",
            where=f"{settings.certificate}, {settings.key}",
            expected="files in PEM format that belong together, the key without a password",
            got=str(error),
        ) from error


def _open(door: Path, site: Site) -> None:
    """Open a browser by a file that only its owner can read, where there is a screen.

    On a command line other people on the same machine could read the link. Without a screen, as
    behind SSH, a browser for terminals would take this one.
    """
    screen = os.name == "nt" or sys.platform == "darwin" or os.environ.keys() & SCREENS
    if not screen:
        return
    with suppress(OSError, webbrowser.Error):
        door.unlink(missing_ok=True)
        with os.fdopen(os.open(door, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(REDIRECT.format(link=site.link))
        # some wait until the browser is closed
        Thread(target=webbrowser.open, args=[door.absolute().as_uri()], daemon=True).start()
