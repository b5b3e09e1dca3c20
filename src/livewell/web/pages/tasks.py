"""Making annotation tasks, looking at their settings, closing them."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from livewell.answers.items import make_task
from livewell.answers.settings import TaskSettings
from livewell.errors import LivewellError
from livewell.web.asking import RESERVED, WORDS, keys_of, task_of
from livewell.web.rendering import page
from livewell.web.security import Owner, TheSite
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site
from livewell.web.task_form import BEGIN, CLASSES, COLUMNS, DOSE_ZERO, TaskForm, filters, pixel_um

router = APIRouter()
EMPTY = dict.fromkeys(
    (*BEGIN, *(f"{what}_{row}" for row in range(CLASSES) for what in ("class", "key"))), ""
)
KIND_WORDS = {
    "sequence": "Sequences: some frames one after the other, in a loop",
    "frame": "Frames: one whole image",
    "patch": "Patches: a square of an image, with some of the image around it",
    "cells": "Cells: points and boxes are drawn in a whole image",
}


@router.get("/tasks/new")
def new_task_page(request: Request, person: Owner, site: TheSite) -> HTMLResponse:
    """The form that makes a task."""
    return _form(request, person, site, TaskForm(dict(BEGIN)))


@router.post("/tasks/new")
async def new_task(request: Request, person: Owner, site: TheSite) -> Response:
    """Make a task of what was filled in, or show what is wrong with it."""
    sent = await request.form()
    given = {name: value for name, value in sent.items() if isinstance(value, str)}
    chosen = {
        column: [value for value in sent.getlist(f"only_{column}") if isinstance(value, str)]
        for column in COLUMNS
    }
    return await run_in_threadpool(_made, request, person, site, TaskForm.read(given, chosen))


def _made(request: Request, person: SignedIn, site: Site, form: TaskForm) -> Response:
    choice, settings = form.choice, form.settings
    if form.faults or choice is None or settings is None:
        return _form(request, person, site, form, 422)
    study = site.catalogue.study()
    try:
        known = form.known(study) if settings.controls else {}
        name, images = form.values["name"].strip(), form.images(study)
        task, drawn = make_task(
            study, site.answers, name, form.classes, choice, settings, images=images, known=known
        )
    except LivewellError as error:
        form.faults.append(str(error))
        return _form(request, person, site, form, 422)
    asked = f"?asked={choice.count}&left_out={len(drawn.faults)}"
    return RedirectResponse(f"/tasks/{task}{asked}", 303)


def _form(
    request: Request, person: SignedIn, site: Site, form: TaskForm, status: int = 200
) -> HTMLResponse:
    study = site.catalogue.study()
    return page(
        request,
        person,
        "task_new.html",
        status_code=status,
        form=form,
        values=EMPTY | form.values,
        rows=CLASSES,
        kinds=KIND_WORDS,
        filters=filters(study),
        labels=study.label_names(),
        dose_zero=DOSE_ZERO,
        pixel_um=pixel_um(site),
        reserved=", ".join(sorted(RESERVED)),
    )


@router.get("/tasks/{task}")
def task_page(
    request: Request,
    task: int,
    person: Owner,
    site: TheSite,
    asked: int | None = None,
    left_out: int = 0,
) -> HTMLResponse:
    """What a task asks, how far it is, and whether it is open."""
    found = task_of(site, task)
    return page(
        request,
        person,
        "task.html",
        task=found,
        settings=TaskSettings.model_validate(found.settings),
        keys=keys_of(found),
        words=WORDS,
        done=site.answers.progress(task, person.id),
        asked=asked,
        left_out=left_out,
    )


@router.post("/tasks/{task}")
def change_task(
    task: int, person: Owner, site: TheSite, closed: Annotated[bool, Form()]
) -> RedirectResponse:
    """Close a task, or open it again."""
    site.answers.close_task(task_of(site, task).id, closed)
    return RedirectResponse(f"/tasks/{task}", 303)
