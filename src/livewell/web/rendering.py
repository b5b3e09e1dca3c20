"""Pages of templates; apart from the application, which imports all pages."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from livewell import __version__
from livewell.text import printable, sentence
from livewell.web.security import looks
from livewell.web.sign_ins import SignedIn

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"
_FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
KEPT = f"/static/{sha256(b''.join(path.read_bytes() for path in _FILES)).hexdigest()[:12]}"
"""Where scripts and styles lie: another address when they change, so that browsers may keep them
and modules that import one another are of one version."""


def environment() -> jinja2.Environment:
    """The templates, in which all text is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["printable"] = printable
    made.filters |= {"moment": moment, "sentence": sentence}
    made.globals["static"] = KEPT
    return made


def page(
    request: Request,
    person: SignedIn | None,
    template: str,
    /,
    *,
    status_code: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page of a template, which also sees `person`, `version`, `here` (its address), `static`.

    And `looks`: whether they may see names and doses.
    """
    look = person is not None and looks(request.app.state.site, person)
    text = request.app.state.templates.get_template(template).render(
        person=person, version=__version__, here=request.url.path, looks=look, **values
    )
    return HTMLResponse(text, status_code)


def moment(seconds: float) -> str:
    """Seconds since 1970 as date and time, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
