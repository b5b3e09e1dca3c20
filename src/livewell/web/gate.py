"""What holds for every request, before any page: hosts, origins, sizes, rates, headers, the log."""

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from livewell.web.limits import Limits
from livewell.web.log import SiteLog
from livewell.web.security import SAFE, who
from livewell.web.sign_ins import hashed
from livewell.web.site import Site

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
Failure = Callable[[Request, Exception], Awaitable[Response]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; media-src 'self' blob:; form-action 'self'; frame-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'self'"
)
"""No inline script or style, nothing from elsewhere."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    # addresses may hold keys of links, so no other site hears of them; "no-referrer" would make
    # browsers hide from this site itself where forms come from
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""Of every response that does not say otherwise itself."""
BODY_BYTES = 2**20
"""The most that a request may bring along."""
LARGER: dict[str, int] = {"/answers/import": 64 * 2**20}
"""By the beginning of the address, where owners send files."""
LOGGER = logging.getLogger(__name__)


class Gate:
    """The site's outermost layer.

    Parameters
    ----------
    app
        All that is within.
    site
        What is served.
    limits
        How many requests are too many.
    log
        Who asked for what, and what became of it.
    failure
        Makes the answer of an error.
    """

    def __init__(
        self, app: Application, site: Site, limits: Limits, log: SiteLog, failure: Failure
    ) -> None:
        self._app, self._site, self._limits, self._log = app, site, limits, log
        self._failure = failure

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request = Request(scope, receive)

        async def heading(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._refuse(request)
            most = await self._most(request)
            await self._app(scope, self._limited(request, receive, most), heading)
        except Exception as error:
            if status:  # the answer has begun and cannot be another
                self._log.request(request, status, began, error)
                raise
            if not isinstance(error, HTTPException):
                LOGGER.warning("a page failed: %s", type(error).__name__, exc_info=error)
            response = await self._failure(request, error)
            await response(scope, receive, heading)
            self._log.request(request, status, began, error)
        else:
            self._log.request(request, status, began)

    def _refuse(self, request: Request) -> None:
        """Refuse what no page of this site would ask."""
        host = request.headers.get("host", "")
        if not known_host(self._site, host):
            raise HTTPException(
                400,
                "This site is not known under the name in this address. Its owner can add the name"
                " with `livewell serve --url`.",
            )
        if request.method not in SAFE and foreign(self._site, request.headers):
            raise HTTPException(403, "This request comes from another site.")
        token = request.cookies.get(self._site.cookie)
        wait = self._limits.general(hashed(token) if token else _address(request))
        if wait:
            raise HTTPException(
                429, "Too many requests at once. Try again in a moment.", {"retry-after": "1"}
            )

    async def _most(self, request: Request) -> int:
        """Bytes that a request may bring along: more where an owner sends files."""
        for start, size in LARGER.items():
            if request.url.path.startswith(start):
                person = await who(request)
                return size if person is not None and person.may("owner") else BODY_BYTES
        return BODY_BYTES

    def _limited(self, request: Request, receive: Receive, most: int) -> Receive:
        """Refuse a body that is too large while it comes in."""
        told, got = request.headers.get("content-length", ""), 0
        too_large = HTTPException(
            413, f"This is more than the site takes at once ({most / 2**20:g} MiB)."
        )
        if told.isdecimal() and int(told) > most:
            raise too_large

        async def limited() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > most:
                raise too_large
            return message

        return limited


def known_host(site: Site, header: str) -> bool:
    """Whether a browser may know the site under this name.

    Addresses in numbers are no names, so that nobody's name server can lead to them; a site that
    is not `local` takes them all.
    """
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if name in site.hosts:
        return True
    return not site.local and (name.replace(".", "").isdecimal() or ":" in name)


def foreign(site: Site, headers: Headers) -> bool:
    """Whether a browser says that a request comes from another site, or from another port."""
    origin, fetched = headers.get("origin"), headers.get("sec-fetch-site")
    if fetched is not None and fetched not in ("same-origin", "none"):
        return True
    if origin is None or (origin == "null" and fetched == "same-origin"):
        return False
    mine = {f"http://{headers.get('host', '')}", f"https://{headers.get('host', '')}", site.address}
    return origin.lower() not in {each.lower() for each in mine}


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
