"""Annotating: what a person sees and answers, blind to names, wells, doses and time.

The page knows of an item nothing but the random name of its showing and its pixels. Why it was
shown, and whether its truth is known, stays here.
"""

import asyncio
import logging
from concurrent.futures import Future
from typing import Annotated, Any, Literal
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from livewell.answers.settings import TaskSettings
from livewell.answers.store import NewAnswer
from livewell.answers.tables import UNSURE, Answer, Item, Showing, Task
from livewell.errors import AnswerError, LivewellError
from livewell.web.asking import WORDS, keys_of, task_of
from livewell.web.pixels import unavailable
from livewell.web.quizzing import is_quiz
from livewell.web.rendering import page
from livewell.web.security import Expert, TheSite
from livewell.web.sign_ins import hashed
from livewell.web.site import Site
from livewell.web.views import View, marked_view, view_of

router = APIRouter()
DONE = "done"
"""The answer of an item in which cells were marked."""
log = logging.getLogger("livewell.site")


def _clean(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text without the character of number 0")
    return text


Text = Annotated[str, Field(max_length=4000), AfterValidator(_clean)]
Word = Annotated[str, Field(max_length=200), AfterValidator(_clean)]
Place = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class MarkBody(BaseModel):
    """A point (y, x), or a box with its other corner (y1, x1), in pixels of what is shown."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    kind: Word = Field(alias="class")
    y: Place
    x: Place
    y1: Place | None = None
    x1: Place | None = None


class AnswerBody(BaseModel):
    """What the page sends: an answer, or with `undoes` that an earlier one is taken back."""

    model_config = ConfigDict(extra="forbid")
    id: UUID
    showing: Word
    answer: Word | None = None
    undoes: UUID | None = None
    note: Text = ""
    tags: list[Word] = Field([], max_length=100)
    death_t: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Frame of those shown, from 0."""
    marks: Annotated[list[MarkBody], Field(max_length=20_000)] | None = None
    seconds: float = Field(0, ge=0, le=1e6, allow_inf_nan=False)


@router.get("/annotate")
def tasks_page(request: Request, person: Expert, site: TheSite) -> HTMLResponse:
    """All tasks, with how far they are."""
    tasks = [(task, site.answers.progress(task.id, person.id)) for task in site.answers.tasks()]
    return page(request, person, "tasks.html", tasks=tasks, words=WORDS)


@router.get("/annotate/{task}", response_class=HTMLResponse)
def annotate_page(request: Request, task: int, person: Expert, site: TheSite) -> Response:
    """The page on which items of a task are answered; a quiz has its own."""
    found = task_of(site, task)
    if is_quiz(found):
        return RedirectResponse(f"/quiz/{task}", 303)
    settings = TaskSettings.model_validate(found.settings)
    keys = keys_of(found)
    about = {
        "task": task,
        "study": hashed(str(site.study.folder.resolve()))[:16],
        "person": person.id,
        "kind": found.kind,
        "classes": [{"name": name, "key": keys[name]} for name in found.classes],
        "unsure": {"name": UNSURE, "key": keys[UNSURE]},
        "tags": list(settings.tags),
    }
    return page(request, person, "annotate.html", task=found, about=about, keys=keys)


@router.get("/annotate/{task}/next")
def next_items(
    task: int, person: Expert, site: TheSite, count: Annotated[int, Query(ge=1, le=200)] = 5
) -> dict[str, Any]:
    """The next items of this person; none where nothing is left or the task is closed."""
    found = task_of(site, task)
    if is_quiz(found):
        raise HTTPException(409, "A quiz is answered on its own page, part by part.")
    rows = [] if found.closed else site.answers.next_showings(task, person.id, count)
    done = site.answers.progress(task, person.id)
    return {
        "items": [shown_item(site, found, *row) for row in rows],
        "progress": {"mine": done.mine, "items": done.items},
        "closed": found.closed,
    }


@router.get("/annotate/{task}/mine")
def my_answers(
    task: int,
    person: Expert,
    site: TheSite,
    count: Annotated[int, Query(ge=1, le=50)] = 5,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> dict[str, Any]:
    """What this person answered and did not take back, the latest first."""
    found = task_of(site, task)
    rows = site.answers.standing(task, person.id, count, skip)
    return {
        "items": [
            shown_item(site, found, showing, item)
            | {"answered": _answered(site, found, answer, item)}
            for answer, showing, item in rows
        ]
    }


@router.get("/showings/{showing}/pixels")
async def showing_pixels(request: Request, showing: str, person: Expert, site: TheSite) -> Response:
    """All frames of an item as raw numbers, little-endian, in the order (frame, y, x)."""
    # few at a time, so that answers need not wait among many that are read ahead
    readers: CapacityLimiter = request.app.state.readers
    return await to_thread.run_sync(_pixels, site, showing, person.id, limiter=readers)


def _pixels(site: Site, showing: str, person: int) -> Response:
    found = site.answers.showing(showing, person)
    if found is None:
        raise HTTPException(404, "There is no such item among yours.")
    task = task_of(site, found[0].task_id)
    try:
        return view_of(site, task.kind, found[1]).pixels(site)
    except LivewellError as error:
        log.warning("an item of task %s cannot be shown: %s", task.id, error)
        return unavailable(site, error, None)


@router.post("/annotate/{task}/answers")
async def answer(
    task: int, body: AnswerBody, person: Expert, site: TheSite
) -> dict[Literal["saved"], str]:
    """Keep an answer; says so once it is durable. The same one sent again is kept once."""

    def add() -> Future[None]:
        """In a thread: it may wait for others who are dealt items."""
        return site.answers.add(person.id, _checked(site, task, person.id, body))

    try:
        await asyncio.wrap_future(await run_in_threadpool(add))
    except AnswerError as error:
        raise HTTPException(409, str(error)) from None
    except LivewellError as error:
        log.error("an answer cannot be kept: %s", error)
        raise HTTPException(503, "The answer cannot be kept now; it is sent again.") from None
    return {"saved": str(body.id)}


def shown_item(site: Site, task: Task, showing: Showing, item: Item) -> dict[str, Any]:
    """What the page may know of an item."""
    shown: dict[str, Any] = {"showing": showing.id, "kind": task.kind}
    try:
        return shown | view_of(site, task.kind, item).described()
    except LivewellError as error:
        log.warning("an item of task %s cannot be shown: %s", task.id, error)
        return shown | {"unreadable": True}


def _answered(site: Site, task: Task, answer: Answer, item: Item) -> dict[str, Any]:
    """An answer as the page gave it: marks and frames are of what is shown."""
    view = marked_view(site, task.kind, item) if answer.marks else None
    return {
        "id": answer.id,
        "answer": answer.answer,
        "note": answer.note,
        "tags": answer.tags,
        "death_t": None if answer.death_t is None else answer.death_t - item.t,
        "marks": view.seen(answer.marks or []) if view else answer.marks,
    }


def _checked(site: Site, task: int, person: int, body: AnswerBody) -> NewAnswer:
    """The answer as it is kept, or what is wrong with it."""
    found = site.answers.showing(body.showing, person)
    if found is None or found[0].task_id != task:
        raise HTTPException(404, "There is no such item among yours in this task.")
    item, about = found[1], task_of(site, task)
    if body.undoes is not None and is_quiz(about):
        raise HTTPException(409, "Answers of a quiz stand.")
    if (body.answer is None) == (body.undoes is None):
        raise HTTPException(422, "Give an answer, or say which one is taken back.")
    if body.answer is not None:
        possible = (DONE, UNSURE) if about.kind == "cells" else (*about.classes, UNSURE)
        _among("answer", [body.answer], possible)
    _among("tag", body.tags, TaskSettings.model_validate(about.settings).tags)
    if body.death_t is not None and body.death_t >= item.frames:
        raise HTTPException(422, f"The frame of death lies beyond the {item.frames} frames.")
    if (body.marks is not None) != (about.kind == "cells" and body.answer is not None):
        raise HTTPException(422, "Marks belong to an answer of a task in which cells are marked.")
    marks = None
    if body.marks is not None:
        _among("class", [mark.kind for mark in body.marks], tuple(about.classes))
        marks = _kept(marked_view(site, about.kind, item), body.marks)
    return NewAnswer(
        id=str(body.id),
        showing=body.showing,
        answer=body.answer,
        undoes=str(body.undoes) if body.undoes else None,
        marks=marks,
        note=body.note,
        tags=tuple(dict.fromkeys(body.tags)),
        death_t=None if body.death_t is None else item.t + body.death_t,
        seconds=body.seconds,
    )


def _among(what: str, given: list[str], possible: tuple[str, ...]) -> None:
    for name in given:
        if name not in possible:
            raise HTTPException(422, f"No such {what} in this task: {name[:60]!r}.")


def _kept(view: View, marks: list[MarkBody]) -> list[dict[str, Any]]:
    plain = [mark.model_dump(by_alias=True, exclude_none=True) for mark in marks]
    for mark in plain:
        if ("y1" in mark) != ("x1" in mark):
            raise HTTPException(422, "A box has two corners: give y1 and x1, or neither.")
        for name, most in (("y", view.height), ("x", view.width)):
            if not all(0 <= mark[n] <= most for n in (name, f"{name}1") if n in mark):
                raise HTTPException(422, "A mark lies outside the image.")
    return view.kept(plain)
