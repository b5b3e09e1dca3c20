"""The application: its pages, and what holds for all of them."""

from pathlib import Path
from typing import Any

import jinja2
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from livewell import __version__
from livewell.text import printable
from livewell.web.security import SignedIn
from livewell.web.site import Site

HERE = Path(__file__).parent


def create_app(site: Site) -> FastAPI:
    """The site as an ASGI application."""
    from livewell.web.pages import accounts

    app = FastAPI(title="livewell", version=__version__, docs_url=None, redoc_url=None)
    app.state.site = site
    app.state.templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    app.state.templates.filters["printable"] = printable
    for page in (accounts,):
        app.include_router(page.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    return app


def page(
    request: Request, person: SignedIn | None, template: str, /, **values: Any
) -> HTMLResponse:
    """A page of a template, which also sees `person`, `version` and the address `here`."""
    text = request.app.state.templates.get_template(template).render(
        person=person, version=__version__, here=request.url.path, **values
    )
    return HTMLResponse(text)
