"""The application: its pages, and what holds for all of them."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from livewell import __version__
from livewell.web.rendering import environment
from livewell.web.site import Site

HERE = Path(__file__).parent


def create_app(site: Site) -> FastAPI:
    """The site as an ASGI application."""
    from livewell.web.pages import accounts, annotate

    app = FastAPI(title="livewell", version=__version__, docs_url=None, redoc_url=None)
    app.state.site = site
    app.state.templates = environment()
    for pages in (accounts, annotate):
        app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    return app
