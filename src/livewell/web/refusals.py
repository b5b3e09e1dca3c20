"""What a page says where something went wrong: plain words, no trace of the program."""

from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from livewell.disk import FAILING
from livewell.errors import (
    ImageContentError,
    ImageReadError,
    LivewellError,
    OutputError,
    SpecError,
)
from livewell.text import printable, sentence, short
from livewell.web.rendering import page
from livewell.web.security import looks, who
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site, site_of

TITLES = {
    400: "Not understood",
    401: "Sign in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible here",
    409: "Not possible now",
    413: "Too large",
    422: "Something does not fit",
    429: "Too fast",
    500: "A fault in livewell",
    503: "Not possible now",
}
WORDS = {
    404: "There is no such page, or it is not yours to see.",
    405: "This address is not for that.",
    500: "This is a fault in livewell, not in what you did. The owner finds it in the site's log.",
}
"""In place of what the libraries say."""
NO_ROOM = (
    "The disk of the machine that serves this site is full or fails. What you sent was not kept."
    " Its owner must free room; then try again."
)


async def failure(request: Request, error: Exception) -> Response:
    """The answer to a request that cannot be fulfilled: a page, or JSON for scripts.

    A script gets {"error": code, "message": text}.
    """
    try:
        person = await who(request)
    except Exception:  # the database itself may be what fails
        person = None
    status, code, text = _told(error, site_of(request), person)
    request.state.refused = code
    if isinstance(error, LivewellError) and not isinstance(error, SpecError):
        # of files, never of what somebody typed
        request.app.state.log.event(f"error [{code}]: {error}")
    headers = dict(getattr(error, "headers", None) or {})
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": code, "message": text}, status, headers)
    template = "sign-in.html" if status == 401 and not person else "refused.html"
    values: dict[str, Any] = {"title": TITLES.get(status, "Refused"), "text": text, "code": code}
    if template == "sign-in.html":
        values |= {"next": request.url.path if request.method == "GET" else "/", "name": ""}
    response = page(request, person, template, status_code=status, **values)
    response.headers.update(headers)
    return response


def _told(error: Exception, site: Site, person: SignedIn | None) -> tuple[int, str, str]:
    """Status, code and words of an error."""
    if isinstance(error, HTTPException):
        status = error.status_code
        text = WORDS.get(status, "") if error.detail in _standard(status) else str(error.detail)
        return status, TITLES.get(status, "refused").lower().replace(" ", "-"), text
    if isinstance(error, RequestValidationError):
        return 422, "setting", _faults(error)
    if isinstance(error, LivewellError):
        status = 503 if isinstance(error, OutputError) else 422
        return status, error.code, words_of(error, site, person)
    if isinstance(error, OSError) and error.errno in FAILING:
        return 503, "output", NO_ROOM
    return 500, "unexpected", WORDS[500]


def _standard(status: int) -> tuple[str, ...]:
    return {404: ("Not Found",), 405: ("Method Not Allowed",)}.get(status, ())


def words_of(error: LivewellError, site: Site, person: SignedIn | None) -> str:
    """An error for who asks: only owners hear where files lie."""
    if person is not None and person.may("owner"):
        return sentence(str(error)) if not error.where else str(error)
    if isinstance(error, ImageReadError | ImageContentError) and not (
        person and looks(site, person)
    ):
        return "An image cannot be read."  # nothing of which, for who answers blind
    parts = [error.what]
    named = {"Expected": error.expected, "Got": error.got, "What to do": error.remedy}
    parts += [f"{name}: {text}" for name, text in named.items() if text]
    text = " ".join(part if part.endswith(".") else f"{part}." for part in parts)
    for folder, name in ((site.study.root, "the images"), (site.study.folder, "the study")):
        text = text.replace(str(folder), name)
    return sentence(printable(text, lines=True))


def _faults(error: RequestValidationError) -> str:
    """What is wrong with each field that was sent."""
    faults = []
    for fault in error.errors()[:10]:
        name = ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0])
        faults.append(f"{printable(short(name))}: {printable(short(fault['msg'], 200))}")
    return "; ".join(faults) + "."
