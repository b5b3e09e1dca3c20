"""Signing in and out; the link of `livewell serve`."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from livewell.web.people import owner_of
from livewell.web.rendering import page
from livewell.web.security import (
    TheSite,
    Viewer,
    drop_cookie,
    give_cookie,
    hashed,
    sign_in,
    sign_out,
)

router = APIRouter()


@router.get("/open/{key}", include_in_schema=False)
def opened(request: Request, site: TheSite, key: str) -> Response:
    """The link that `livewell serve` prints: it signs in the owner of this machine's site.

    It holds as long as the server runs, for people close their browsers; nobody else can read it.
    The page goes on by itself instead of redirecting: a browser that came from elsewhere, such as a
    terminal in a browser, sends cookies of this kind only where this site leads on.
    """
    if not site.key or hashed(key) != hashed(site.key):
        raise HTTPException(
            404, "This link is not valid any more. Use the one that `livewell serve` printed last."
        )
    sign_out(site, request.cookies.get(site.cookie))
    response = page(request, None, "opened.html")
    give_cookie(site, response, sign_in(site, owner_of(site)))
    return response


@router.get("/sign-in", include_in_schema=False)
def ask(request: Request) -> Response:
    """The form."""
    return page(request, None, "sign-in.html", text="", next="/", name="")


@router.post("/sign-out", include_in_schema=False)
def leave(request: Request, site: TheSite, person: Viewer) -> Response:
    """End the sign-in here and at the server."""
    sign_out(site, request.cookies.get(site.cookie))
    response = RedirectResponse("/sign-in", 303)
    drop_cookie(site, response)
    return response
