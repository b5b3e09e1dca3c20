"""Signing in and out, the link of `livewell serve`, invitations, the people of a study."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from livewell.answers.tables import ROLES, Person
from livewell.errors import LivewellError, SpecError
from livewell.text import plural, printable
from livewell.web import people
from livewell.web.limits import Limits
from livewell.web.rendering import page
from livewell.web.security import (
    Owner,
    TheSite,
    Viewer,
    drop_cookie,
    give_cookie,
    sign_in,
    sign_out,
)
from livewell.web.sign_ins import SignedIn, hashed
from livewell.web.site import Site

router = APIRouter()
WORDS = {
    "viewer": "looks at images, agreement and reports",
    "expert": "also answers tasks, without seeing which well or dose an image is of",
    "owner": "also invites, makes tasks, fits models and exports",
}
NOT_VALID = "This link is not valid (any more). Ask the owner of the study for a new one."
Text = Annotated[str, Form(max_length=people.PASSWORD_MOST)]
Number = Annotated[int, Field(ge=0, lt=2**31)]


class Invite(BaseModel):
    """An invitation: a role, and how long its link holds."""

    model_config = ConfigDict(extra="ignore")
    role: str = "expert"
    hours: float = Field(people.HOURS, ge=1, le=24 * 90)


@router.get("/open/{key}", response_class=HTMLResponse)
def opened(request: Request, site: TheSite, key: str) -> Response:
    """The link that `livewell serve` prints.

    On one's own machine it signs in the owner as long as the server runs, for people close their
    browsers, and nobody else can read it. Elsewhere it asks once for a name and a password.
    The page goes on by itself instead of redirecting: a browser that came from elsewhere, such as a
    terminal in a browser, sends cookies of this kind only where this site leads on.
    """
    _check_key(request, site, key)
    if not site.local:
        return page(request, None, "set-up.html", name=site.owner, fixed=_exists(site), text="")
    owner = people.make_owner(site.database, site.owner)
    return _signed_in(request, site, owner, page(request, None, "opened.html"))


@router.post("/open/{key}", response_class=HTMLResponse)
def set_up(request: Request, site: TheSite, key: str, password: Text, name: Text = "") -> Response:
    """Name and password of the owner of a site that others can reach; once."""
    _check_key(request, site, key)
    fixed = _exists(site)
    name = site.owner if fixed else name
    try:
        owner = people.make_owner(site.database, name, password)
    except LivewellError as error:
        values = {"name": name, "fixed": fixed, "text": str(error)}
        return page(request, None, "set-up.html", status_code=422, **values)
    request.app.state.used_key = True
    request.app.state.log.event(f"{owner}:{name} set a password by the link of the server")
    return _signed_in(request, site, owner, RedirectResponse("/", 303))


@router.get("/sign-in", response_class=HTMLResponse)
def ask(request: Request) -> Response:
    """The form."""
    return page(request, None, "sign-in.html", text="", next="/", name="")


@router.post("/sign-in", response_class=HTMLResponse)
def enter(
    request: Request,
    site: TheSite,
    name: Text,
    password: Text,
    onward: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """Sign in by name and password; wrong ones wait longer and longer."""

    def again(status: int, text: str, **headers: str) -> Response:
        request.state.refused = "sign-in"
        values = {"text": text, "next": inside(onward), "name": name}
        made = page(request, None, "sign-in.html", status_code=status, **values)
        made.headers.update(headers)
        return made

    limits, keys = _limits(request), _keys(request, name)
    if wait := math.ceil(limits.wait(*keys)):
        text = f"Too many wrong passwords. Try again in {plural(wait, 'second')}."
        return again(429, text, **{"retry-after": str(wait)})
    person = people.with_password(site.database, name, password)
    if person is None:
        limits.failed(*keys)
        return again(401, "Name or password is not right.")
    limits.succeeded(keys[0])
    return _signed_in(request, site, person.id, RedirectResponse(inside(onward), 303))


@router.post("/sign-out", response_class=HTMLResponse)
def leave(request: Request, site: TheSite, person: Viewer) -> Response:
    """End the sign-in here and at the server."""
    sign_out(site, request.cookies.get(site.cookie))
    response = RedirectResponse("/sign-in", 303)
    drop_cookie(site, response)
    return response


@router.get("/invite/{token}", response_class=HTMLResponse)
def invited(request: Request, site: TheSite, token: str) -> Response:
    """What an invitation leads to; looking does not use it up, for mail programs look too."""
    guest = _guest(request, site, token)
    return page(request, None, "invite.html", guest=guest, words=WORDS, name=guest.name, text="")


@router.post("/invite/{token}", response_class=HTMLResponse)
def accept(
    request: Request, site: TheSite, token: str, password: Text, name: Text = ""
) -> Response:
    """Make the account."""
    guest = _guest(request, site, token)
    try:
        made = people.accept(site.database, token, name, password)
    except SpecError as error:
        values = {"guest": guest, "words": WORDS, "name": guest.name or name, "text": str(error)}
        return page(request, None, "invite.html", status_code=422, **values)
    if made is None:
        raise HTTPException(404, NOT_VALID)
    request.app.state.log.event(f"person {made} accepted an invitation as {guest.role}")
    return _signed_in(request, site, made, RedirectResponse("/", 303))


@router.get("/account", response_class=HTMLResponse)
def account(request: Request, site: TheSite, person: Viewer) -> Response:
    """Who one is, and one's own password."""
    return page(request, person, "account.html", words=WORDS, text="", done=False)


@router.post("/account/password", response_class=HTMLResponse)
def change_password(
    request: Request, site: TheSite, person: Viewer, new: Text, old: Text = ""
) -> Response:
    """Another password; all other browsers are signed out."""
    limits, keys = _limits(request), _keys(request, person.name)
    values: dict[str, Any] = {"words": WORDS, "done": False}
    if wait := math.ceil(limits.wait(*keys)):
        text = f"Too many wrong passwords. Try again in {plural(wait, 'second')}."
        return page(request, person, "account.html", status_code=429, text=text, **values)
    token = request.cookies.get(site.cookie)
    try:
        right = people.change_password(site.database, person.id, old, new, token=token)
    except SpecError as error:
        return page(request, person, "account.html", status_code=422, text=str(error), **values)
    if not right:
        limits.failed(*keys)
        request.state.refused = "password"
        text = "The old password is not right."
        return page(request, person, "account.html", status_code=422, text=text, **values)
    return page(request, person, "account.html", text="", **{**values, "done": True})


@router.get("/people", response_class=HTMLResponse)
def listed(request: Request, site: TheSite, person: Owner) -> Response:
    """Who there is."""
    return _people(request, site, person)


@router.post("/people/invite", response_class=HTMLResponse)
def invite(
    request: Request, site: TheSite, person: Owner, asked: Annotated[Invite, Form()]
) -> Response:
    """A link for somebody new."""
    _rate(request, person.id)
    token = people.invite(site.database, person.id, asked.role, hours=asked.hours)
    request.app.state.log.event(f"{person.id}:{person.name} invited somebody as {asked.role}")
    return _people(request, site, person, link=_link(request, site, token), role=asked.role)


@router.post("/people/{number}/link", response_class=HTMLResponse)
def renew(request: Request, site: TheSite, person: Owner, number: Number) -> Response:
    """A link by which a person sets a new password."""
    _rate(request, person.id)
    with site.database.session() as session:
        found = session.scalar(select(Person).where(Person.id == number))
    if found is None:
        raise HTTPException(404)
    token = people.invite(site.database, person.id, found.role, person=number)
    request.app.state.log.event(f"{person.id}:{person.name} made a new link for person {number}")
    return _people(request, site, person, link=_link(request, site, token), named=found.name)


@router.post("/people/{number}", response_class=HTMLResponse)
def change(
    request: Request,
    site: TheSite,
    person: Owner,
    number: Number,
    role: Annotated[str | None, Form()] = None,
    disabled: Annotated[bool | None, Form()] = None,
) -> Response:
    """Another role; the account switched off or on."""
    people.change(site.database, person.id, number, role=role, disabled=disabled)
    request.app.state.log.event(
        f"{person.id}:{person.name} changed person {number}: role {role}, off {disabled}"
    )
    return RedirectResponse("/people", 303)


@router.post("/invitations/{digest}/withdraw", response_class=HTMLResponse)
def withdraw(request: Request, site: TheSite, person: Owner, digest: str) -> Response:
    """End a link that nobody has used."""
    people.withdraw(site.database, digest)
    return RedirectResponse("/people", 303)


def inside(address: str) -> str:
    r"""A path of this site, ``/`` for anything else: ``//host``, ``/\host`` lead elsewhere."""
    safe = address.startswith("/") and address[1:2] not in ("/", "\\")
    return address if safe and address.isascii() and printable(address) == address else "/"


def _signed_in(request: Request, site: Site, person: int, response: Response) -> Response:
    """Give the browser a new sign-in; one that it brought along ends, whoever made it."""
    sign_out(site, request.cookies.get(site.cookie))
    give_cookie(site, response, sign_in(site, person))
    request.app.state.log.event(f"person {person} signed in")
    return response


def _check_key(request: Request, site: Site, key: str) -> None:
    limits, keys = _limits(request), _keys(request)
    used = getattr(request.app.state, "used_key", False)
    if limits.wait(*keys):
        raise HTTPException(429, "Too many links that do not exist. Wait a moment.")
    if not site.key or used or hashed(key) != hashed(site.key):
        limits.failed(*keys)
        raise HTTPException(
            404, "This link is not valid any more. Use the one that `livewell serve` printed last."
        )


def _guest(request: Request, site: Site, token: str) -> people.Guest:
    limits, keys = _limits(request), _keys(request)
    if limits.wait(*keys):
        raise HTTPException(429, "Too many links that do not exist. Wait a moment.")
    guest = people.guest_of(site.database, token)
    if guest is None:
        limits.failed(*keys)
        raise HTTPException(404, NOT_VALID)
    return guest


def _people(request: Request, site: Site, person: SignedIn, **made: Any) -> Response:
    every = people.people(site.database)
    values = {"link": None, "role": None, "named": None, **made}
    return page(
        request,
        person,
        "people.html",
        people=every,
        names={each.id: each.name for each in every},
        invitations=people.open_invitations(site.database),
        roles=ROLES,
        words=WORDS,
        local=site.local,
        **values,
    )


def _link(request: Request, site: Site, token: str) -> str:
    """An address that others can open: as the owner's browser knows the site, unless by tunnel."""
    host = request.url.hostname or ""
    near = host in ("localhost", "127.0.0.1", "::1")
    return f"{site.address if near else str(request.base_url).rstrip('/')}/invite/{token}"


def _exists(site: Site) -> bool:
    return people.owner_named(site.database, site.owner) is not None


def _limits(request: Request) -> Limits:
    limits: Limits = request.app.state.limits
    return limits


def _keys(request: Request, name: str | None = None) -> list[tuple[str, str]]:
    """What wrong tries are counted by: the account, and the address they come from."""
    address = request.client.host if request.client else ""
    account = [] if name is None else [("account", " ".join(name.split()).casefold())]
    return [*account, ("address", address)]


def _rate(request: Request, person: int) -> None:
    if not _limits(request).allowed(("invitations", str(person))):
        raise HTTPException(429, "Too many invitations at once. Go on in an hour.")
