"""The application: its pages, and what holds for all of them."""

import os
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from anyio import CapacityLimiter
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response

from livewell import __version__
from livewell.errors import LivewellError
from livewell.web.agreeing import AgreementPages
from livewell.web.gate import Gate
from livewell.web.limits import Limits
from livewell.web.log import SiteLog
from livewell.web.refusals import failure
from livewell.web.rendering import KEPT, STATIC, environment
from livewell.web.security import Owner
from livewell.web.site import Site

READERS = max(2, os.cpu_count() or 1)
"""So many items of those who annotate are read at once."""


def create_app(site: Site) -> FastAPI:
    """The site as an ASGI application."""
    from livewell.web.pages import (
        accounts,
        agreement,
        annotate,
        exports,
        fit,
        look,
        quiz,
        reports,
        tasks,
    )

    log, limits = SiteLog(site.folder), Limits()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        site.fitting.jobs.start()
        yield
        app.state.agreement.close()
        log.close()

    app = FastAPI(
        title="livewell",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.site, app.state.log, app.state.limits = site, log, limits
    app.state.readers = CapacityLimiter(READERS)
    app.state.templates, app.state.agreement = environment(), AgreementPages()
    for pages in (accounts, agreement, annotate, exports, fit, look, quiz, reports, tasks):
        app.include_router(pages.router)
    app.add_api_route("/openapi.json", _described, include_in_schema=False)
    app.mount(KEPT, _Files("public, max-age=31536000, immutable"), name="kept")
    app.mount("/static", _Files("no-cache"), name="static")
    for error in (HTTPException, RequestValidationError, LivewellError):
        app.add_exception_handler(error, failure)
    app.add_middleware(Gate, site=site, limits=limits, log=log, failure=failure)
    return app


class _Files(StaticFiles):
    def __init__(self, caching: str) -> None:
        super().__init__(directory=STATIC)
        self._caching = caching

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = self._caching
        return response


def _described(request: Request, person: Owner) -> JSONResponse:
    """What programs may ask of the site, as OpenAPI."""
    return JSONResponse(request.app.openapi())
