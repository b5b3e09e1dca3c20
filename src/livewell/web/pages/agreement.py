"""How far people agree."""

import asyncio

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from livewell.answers.tables import Task
from livewell.web.agreeing import Agreed, AgreementPages
from livewell.web.asking import task_of
from livewell.web.pages.reports import APART
from livewell.web.rendering import page
from livewell.web.security import TheSite, Viewer
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site

router = APIRouter()


@router.get("/agreement")
def agreement_tasks(request: Request, person: Viewer, site: TheSite) -> HTMLResponse:
    """All tasks, each with its agreement."""
    tasks = [(task, site.answers.progress(task.id, person.id)) for task in site.answers.tasks()]
    return page(request, person, "agreement_tasks.html", tasks=tasks)


@router.get("/agreement/{task}")
async def agreement_page(
    request: Request, task: int, person: Viewer, site: TheSite
) -> HTMLResponse:
    """What agreement says, in words first, then as a whole page within this one."""
    found, made = await _made(request, site, task, person)
    return page(request, person, "agreement.html", task=found, made=made)


@router.get("/agreement/{task}/page")
async def agreement_apart(
    request: Request, task: int, person: Viewer, site: TheSite
) -> HTMLResponse:
    """Figures and tables as one page, apart from the site."""
    _, made = await _made(request, site, task, person)
    if not isinstance(made, Agreed):
        raise HTTPException(404, made)
    headers = {"Content-Security-Policy": APART, "Cache-Control": "private, no-store"}
    return HTMLResponse(made.html, headers=headers)


async def _made(
    request: Request, site: Site, number: int, person: SignedIn
) -> tuple[Task, Agreed | str]:
    pages: AgreementPages = request.app.state.agreement

    def get() -> tuple[Task, Agreed | str]:
        task = task_of(site, number)
        return task, pages.get(site, task, person)

    return await asyncio.get_running_loop().run_in_executor(pages.pool, get)
