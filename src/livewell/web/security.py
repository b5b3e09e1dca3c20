"""Who asks, and what they may: sign-ins, roles, forged requests, headers."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Header, HTTPException, Request
from sqlalchemy import select

from livewell.answers.tables import ROLES, Person, SignIn
from livewell.web.site import Site, site_of

COOKIE = "livewell"
DAYS = 14
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""No inline script or style, nothing from elsewhere."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks: number, name, role, and what forged requests lack."""

    id: int
    name: str
    role: str
    csrf: str

    def may(self, role: str) -> bool:
        """Whether they have this role or one above it."""
        return ROLES.index(self.role) >= ROLES.index(role)


def hashed(token: str) -> str:
    """What is kept of a token, so that who reads the database cannot sign in."""
    return hashlib.sha256(token.encode()).hexdigest()


def sign_in(site: Site, person: int) -> str:
    """A new token for a browser of this person."""
    token = secrets.token_urlsafe(32)
    with site.database.session() as session:
        session.add(
            SignIn(
                token_sha256=hashed(token),
                person_id=person,
                csrf=secrets.token_urlsafe(32),
                created=time.time(),
                expires=time.time() + DAYS * 86400,
            )
        )
    return token


def who(request: Request) -> SignedIn | None:
    """Who asks, by their cookie."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with site_of(request).database.session() as session:
        row = session.execute(
            select(Person, SignIn)
            .join(SignIn, SignIn.person_id == Person.id)
            .where(SignIn.token_sha256 == hashed(token), SignIn.expires > time.time())
        ).first()
        if row is None or row[0].disabled:
            return None
        return SignedIn(row[0].id, row[0].name, row[0].role, row[1].csrf)


def _needs(role: str) -> Callable[..., SignedIn]:
    def dependency(
        request: Request,
        x_csrf_token: Annotated[str, Header()] = "",
        csrf: Annotated[str, Form()] = "",
    ) -> SignedIn:
        person = who(request)
        if person is None:
            raise HTTPException(401, "Sign in first.")
        if not person.may(role):
            raise HTTPException(403, f"This page is for people with the role {role}.")
        if request.method not in ("GET", "HEAD") and not hmac.compare_digest(
            (x_csrf_token or csrf).encode(), person.csrf.encode()
        ):
            raise HTTPException(403, "This request did not come from a page of this site.")
        return person

    return dependency


Viewer = Annotated[SignedIn, Depends(_needs("viewer"))]
"""Parameter of a route that viewers, experts and owners may use."""
Expert = Annotated[SignedIn, Depends(_needs("expert"))]
Owner = Annotated[SignedIn, Depends(_needs("owner"))]
TheSite = Annotated[Site, Depends(site_of)]
