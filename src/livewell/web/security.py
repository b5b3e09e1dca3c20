"""Who asks, and what they may: sign-ins, roles, forged requests."""

import hmac
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import delete

from livewell.answers.database import Database
from livewell.answers.tables import SignIn
from livewell.web.sign_ins import SignedIn, hashed
from livewell.web.site import Site, site_of

DAYS = 14
"""How long a sign-in lasts."""
SAFE = ("GET", "HEAD", "OPTIONS")
"""Requests that change nothing."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def sign_in(site: Site, person: int) -> str:
    """A new token for a browser of this person."""
    token, now = secrets.token_urlsafe(32), time.time()
    with site.database.session() as session:
        session.execute(delete(SignIn).where(SignIn.expires <= now))
        session.add(
            SignIn(
                token_sha256=hashed(token),
                person_id=person,
                csrf=secrets.token_urlsafe(32),
                created=now,
                expires=now + DAYS * 86400,
            )
        )
    return token


def sign_out(site: Site, token: str | None) -> None:
    """End the sign-in of this token, wherever it is still held."""
    with site.database.session() as session:
        session.execute(delete(SignIn).where(SignIn.token_sha256 == hashed(token or "")))


def end_sign_ins(database: Database, person: int, *, but: str | None = None) -> None:
    """End all sign-ins of a person, but the one of this token."""
    with database.session() as session:
        session.execute(
            delete(SignIn).where(
                SignIn.person_id == person, SignIn.token_sha256 != hashed(but or "")
            )
        )


def give_cookie(site: Site, response: Response, token: str) -> None:
    """Let the browser keep a sign-in, out of reach of scripts and of other sites."""
    response.set_cookie(
        site.cookie,
        token,
        max_age=DAYS * 86400,
        path="/",
        secure=site.encrypted,
        httponly=True,
        samesite="strict",
    )


def drop_cookie(site: Site, response: Response) -> None:
    """Let the browser forget its sign-in."""
    response.delete_cookie(
        site.cookie, path="/", secure=site.encrypted, httponly=True, samesite="strict"
    )


async def who(request: Request) -> SignedIn | None:
    """Who asks, by their cookie; told to the log as well."""
    site = site_of(request)
    token = request.cookies.get(site.cookie)
    person = await site.sign_ins.of(token) if token else None
    if person is not None:
        request.state.person = person
    return person


async def forged(request: Request, person: SignedIn) -> bool:
    """Whether a request that changes something lacks what only pages of this site know.

    That is header ``X-CSRF-Token``, or field ``csrf`` of a form.
    """
    if request.method in SAFE:
        return False
    given: object = request.headers.get("x-csrf-token")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given is None and kind in FORMS:
        given = (await request.form()).get("csrf")
    known = given if isinstance(given, str) else ""
    return not hmac.compare_digest(known.encode("utf-8", "replace"), person.csrf.encode())


def _needs(role: str) -> Callable[..., Coroutine[Any, Any, SignedIn]]:
    async def dependency(
        request: Request, person: Annotated[SignedIn | None, Depends(who)]
    ) -> SignedIn:
        if person is None:
            raise HTTPException(401, "Sign in first.")
        if not person.may(role):
            raise HTTPException(403, f"This is for people with the role {role}.")
        if await forged(request, person):
            raise HTTPException(
                403, "This request did not come from a page of this site. Load the page again."
            )
        return person

    return dependency


Viewer = Annotated[SignedIn, Depends(_needs("viewer"))]
"""Parameter of a route that viewers, experts and owners may use."""
Expert = Annotated[SignedIn, Depends(_needs("expert"))]
Owner = Annotated[SignedIn, Depends(_needs("owner"))]
TheSite = Annotated[Site, Depends(site_of)]


def looks(site: Site, person: SignedIn) -> bool:
    """Whether a person may see names, wells and doses."""
    return person.role != "expert" or site.experts_look


def _looker(person: Viewer, site: TheSite) -> SignedIn:
    if not looks(site, person):
        raise HTTPException(
            403,
            "Experts answer without knowing what they see, so names, wells and doses are not shown"
            " to them. The owner may allow it.",
        )
    return person


Looker = Annotated[SignedIn, Depends(_looker)]
"""Parameter of routes for viewers and owners, and for experts where the owner allowed it."""
