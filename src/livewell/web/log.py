"""The site's log: who asked for what, and what became of it; no keys, passwords or notes."""

import logging
import re
import time
import traceback
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import SimpleQueue

from starlette.exceptions import HTTPException
from starlette.requests import Request

from livewell.text import printable, short

FILE = "site.log"
MOST_BYTES, FILES = 5 * 2**20, 5
SERVER = "uvicorn.error"
SECRET = re.compile(r"^/(open|invite)/.*")
"""Addresses that hold keys of links."""
REFUSED = (400, 401, 403, 404, 405, 413, 422, 429)


class _File(RotatingFileHandler):
    """A file that is left alone where its disk is full: pages go on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing."""


class SiteLog:
    """The log of one site, written by a thread of its own, so that no page waits for a disk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = _File(
            folder / FILE, maxBytes=MOST_BYTES, backupCount=FILES, encoding="utf-8", delay=True
        )
        form = logging.Formatter("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S")
        form.converter = time.gmtime
        file.setFormatter(form)
        queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._file, self._logger = file, logging.Logger("site")
        self._queue = QueueHandler(queue)
        self._logger.addHandler(self._queue)
        # what the server itself has to say, such as of requests that are none
        self._server = logging.getLogger(SERVER)
        self._server.addHandler(self._queue)
        self._propagates, self._server.propagate = self._server.propagate, False
        self._listener: QueueListener | None = QueueListener(queue, file)
        self._listener.start()

    def request(
        self, request: Request, status: int, began: float, error: Exception | None = None
    ) -> None:
        """A request that was answered; `began` by `time.perf_counter`."""
        ms = round((time.perf_counter() - began) * 1000)
        path = short(printable(SECRET.sub(r"/\1/...", request.scope["path"])), 200)
        reason = getattr(request.state, "refused", "")
        refused = f" REFUSED {reason}".rstrip() if status in REFUSED or reason else ""
        who = getattr(request.state, "person", None)
        asking = f"{who.id}:{printable(who.name)}" if who else "-"
        address = request.client.host if request.client else "-"
        self._logger.info(
            "%s %s %s %s %s %d ms%s", address, asking, request.method, path, status, ms, refused
        )
        if error is not None and not isinstance(error, HTTPException):
            self._logger.info("FAULT %s", "".join(traceback.format_exception(error)))

    def event(self, text: str) -> None:
        """Something that happened, such as an account that was made."""
        self._logger.info("%s", printable(text))

    def close(self) -> None:
        """Write what waits, and let go of the file."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._server.removeHandler(self._queue)
            self._server.propagate = self._propagates
            listener.stop()
            self._file.close()
