"""How far people agree."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from livewell.web.agreeing import Agreed, AgreementPages
from livewell.web.asking import task_of
from livewell.web.pages.reports import APART
from livewell.web.rendering import page
from livewell.web.security import TheSite, Viewer

router = APIRouter()


@router.get("/agreement")
def agreement_tasks(request: Request, person: Viewer, site: TheSite) -> HTMLResponse:
    """All tasks, each with its agreement."""
    tasks = [(task, site.answers.progress(task.id, person.id)) for task in site.answers.tasks()]
    return page(request, person, "agreement_tasks.html", tasks=tasks)


@router.get("/agreement/{task}")
def agreement_page(request: Request, task: int, person: Viewer, site: TheSite) -> HTMLResponse:
    """What agreement says, in words first, then as a whole page within this one."""
    found = task_of(site, task)
    made = _pages(request).get(site, found, person)
    return page(request, person, "agreement.html", task=found, made=made)


@router.get("/agreement/{task}/page")
def agreement_apart(request: Request, task: int, person: Viewer, site: TheSite) -> HTMLResponse:
    """Figures and tables as one page, apart from the site."""
    made = _pages(request).get(site, task_of(site, task), person)
    if not isinstance(made, Agreed):
        raise HTTPException(404, made)
    headers = {"Content-Security-Policy": APART, "Cache-Control": "private, no-store"}
    return HTMLResponse(made.html, headers=headers)


def _pages(request: Request) -> AgreementPages:
    state = request.app.state
    if not hasattr(state, "agreement"):
        state.agreement = AgreementPages()
    pages: AgreementPages = state.agreement
    return pages
