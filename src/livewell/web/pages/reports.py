"""Reports of the study's runs, shown apart from the site."""

import re
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import FileResponse, HTMLResponse

from livewell.web.rendering import page
from livewell.web.security import Looker, TheSite

router = APIRouter()
APART = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; media-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of reports, which are whole in themselves: they run apart from the site, without its cookies,
and can ask nothing of it or of anybody."""
LABEL = "label-"
"""What addresses of reports of labels begin with."""
Name = Annotated[str, Path(max_length=200)]
_LABEL_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


@router.get("/reports", response_class=HTMLResponse)
def reports(request: Request, person: Looker, site: TheSite) -> HTMLResponse:
    """All results of the study, with their chief figures."""
    study = site.catalogue.study()
    labels = [
        name for name in study.label_names() if (study.folder / "labels" / f"{name}.html").is_file()
    ]
    return page(
        request, person, "reports.html", results=site.look.results.all(), labels=labels, label=LABEL
    )


@router.get("/reports/{name}", response_class=HTMLResponse)
def report(request: Request, name: Name, person: Looker, site: TheSite) -> HTMLResponse:
    """A report within the site's page."""
    title, _ = _report(site, name)
    return page(request, person, "report.html", title=title, name=name)


@router.get("/reports/{name}/page")
def report_page(name: Name, person: Looker, site: TheSite) -> FileResponse:
    """A report as it was written, apart from the site."""
    _, path = _report(site, name)
    headers = {"Content-Security-Policy": APART, "Cache-Control": "private, no-cache"}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


def _report(site: TheSite, name: str) -> tuple[str, str]:
    """Title and file of a report; names are looked up and never made into paths."""
    if name.startswith(LABEL):
        label, study = name.removeprefix(LABEL), site.catalogue.study()
        path = study.folder / "labels" / f"{label}.html"
        if _LABEL_NAME.fullmatch(label) and label in study.label_names() and path.is_file():
            return f"labels {label}", str(path)
    else:
        result = site.look.results.named(name)
        if result is not None and result.report is not None and result.report.is_file():
            return f"{result.kind} {result.name}", str(result.report)
    raise HTTPException(404, "There is no such report.")
