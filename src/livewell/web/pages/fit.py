"""A model fitted of a task's answers: what it is worth on groups it has not seen, then its map."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from livewell.answers.settings import TaskSettings
from livewell.answers.tables import Job, Task
from livewell.errors import LivewellError
from livewell.web.asking import task_of
from livewell.web.fitting import KINDS_TO_FIT, RULES, results
from livewell.web.jobs import FAILED, OPEN, STOPPED
from livewell.web.pixels import packed, packed_box
from livewell.web.quizzing import is_quiz
from livewell.web.rendering import page
from livewell.web.security import Owner, TheSite
from livewell.web.site import Site

router = APIRouter()
UNFIT = "No model is fitted of marked cells here, nor of a quiz."
CURVE = (640, 260, 52, 12, 36)
"""Width, height, and room at the left, the top and the bottom of the curve."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One fit on the curve: labels and area with its interval, and where they are drawn."""

    labels: int
    value: float
    low: float
    high: float
    x: float
    y: float
    y_low: float
    y_high: float


@router.get("/fit/{task}", response_class=HTMLResponse)
def fit_page(request: Request, task: int, person: Owner, site: TheSite) -> HTMLResponse:
    """What fits of a task have shown, and the button for another."""
    found = task_of(site, task)
    jobs = site.fitting.of(task)
    shown = next(iter(results(jobs)), None)
    return page(
        request,
        person,
        "fit.html",
        task=found,
        possible=_possible(found),
        ready=site.fitting.ready(found),
        every=TaskSettings.model_validate(found.settings).fit_every,
        uncertain=TaskSettings.model_validate(found.settings).uncertain,
        rules=RULES,
        open=next((job for job in jobs if job.state in OPEN), None),
        failed=next(iter(jobs), None) if jobs and jobs[0].state in (FAILED, STOPPED) else None,
        shown=shown,
        history=results(jobs),
        curve=_curve(results(jobs)),
        size=CURVE,
        numbers=dict(site.catalogue.listing().numbers),
        report=_report(site, shown),
    )


@router.post("/fit/{task}")
def ask(
    task: int, person: Owner, site: TheSite, rule: Annotated[str, Form()] = "majority"
) -> RedirectResponse:
    """Fit a model of the answers of now."""
    found = task_of(site, task)
    if rule not in RULES:
        raise HTTPException(422, f"No such rule. There are: {', '.join(RULES)}.")
    if not _possible(found):
        raise HTTPException(422, UNFIT)
    if any(job.state in OPEN for job in site.fitting.of(task)):
        raise HTTPException(409, "A model of this task is being fitted already.")
    ready = site.fitting.ready(found)
    if ready.grouping is None:
        raise HTTPException(409, ready.lacking)
    site.fitting.ask(found, person.id, rule)
    return RedirectResponse(f"/fit/{task}", 303)


@router.post("/fit/{task}/every")
def set_every(
    task: int,
    person: Owner,
    site: TheSite,
    answers: Annotated[int, Form(ge=0, le=1_000_000)],
) -> RedirectResponse:
    """Fit by itself whenever so many answers have come."""
    if answers and not _possible(task_of(site, task)):
        raise HTTPException(422, UNFIT)
    site.answers.fit_every(task, answers)
    return RedirectResponse(f"/fit/{task}", 303)


@router.get("/fits/{job}")
def state(job: int, person: Owner, site: TheSite) -> dict[str, Any]:
    """How far a fit is; `known` names what is there to be shown."""
    found = _job(site, job)
    known = sorted(found.result or {})
    return {"state": found.state, "step": found.step, "known": known}


@router.post("/fits/{job}/stop")
def stop(job: int, person: Owner, site: TheSite) -> RedirectResponse:
    """End a fit that waits or runs."""
    found = _job(site, job)
    site.fitting.jobs.stop(job, person.name)
    return RedirectResponse(f"/fit/{found.arguments['task']}", 303)


@router.post("/fits/{job}/again")
def again(job: int, person: Owner, site: TheSite) -> RedirectResponse:
    """Go on with a fit that failed or was stopped."""
    found = _job(site, job)
    if site.fitting.jobs.again(job, person.id) is None:
        raise HTTPException(409, "Only a fit that failed or was stopped is started again.")
    return RedirectResponse(f"/fit/{found.arguments['task']}", 303)


@router.get("/fits/{job}/maps/{number}/pixels")
def map_pixels(job: int, number: int, person: Owner, site: TheSite) -> Response:
    """The frame below a map, as raw numbers."""
    _, made = _map(site, job, number)
    return packed_box(site, person, made["image"], (made["t"],), None, None)


@router.get("/fits/{job}/maps/{number}/values")
def map_values(job: int, number: int, person: Owner, site: TheSite) -> Response:
    """A map's probabilities, float32: of two classes those of the second, else one plane a class.

    Header X-Box says which part of the image the cells cover.
    """
    from livewell.outputs.heatmaps import read_map

    found, made = _map(site, job, number)
    path = site.fitting.run(found.arguments["name"]) / made["folder"] / "map.ome.tif"
    try:
        maps, where = read_map(path)
    except LivewellError:
        raise HTTPException(404, "The map of this fit is no longer there.") from None
    values = np.array(maps[made["t"]], dtype=np.float32)
    planes = values if values.ndim == 3 else values[None]
    rows, columns = planes.shape[1:]
    y, x = (edge - where.stride_px / 2 for edge in where.origin_px)
    box = [y, x, y + rows * where.stride_px, x + columns * where.stride_px]
    return packed(planes, headers={"X-Box": ",".join(f"{edge:g}" for edge in box)})


def _possible(task: Task) -> bool:
    """Whether models are fitted of such a task: not of marks, nor of a quiz, which tells truths."""
    return task.kind in KINDS_TO_FIT and not is_quiz(task)


def _job(site: Site, number: int) -> Job:
    job = site.fitting.jobs.get(number) if 0 < number < 2**31 else None
    if job is None:
        raise HTTPException(404, "There is no such fit.")
    return job


def _map(site: Site, job: int, number: int) -> tuple[Job, dict[str, Any]]:
    found = _job(site, job)
    maps = (found.result or {}).get("maps", [])
    if not 0 <= number < len(maps):
        raise HTTPException(404, "There is no such map.")
    return found, maps[number]


def _report(site: Site, job: Job | None) -> str | None:
    """What the report of a fit's evaluation is called in addresses."""
    if job is None:
        return None
    folder = (site.fitting.run(job.arguments["name"]) / "evaluation").resolve()
    for _ in range(2):
        for result in site.look.results.all():
            if result.folder.resolve() == folder:
                return result.id
        site.look.results.forget()
    return None


def _curve(jobs: list[Job]) -> list[CurvePoint]:
    """Hold-out areas against the number of labelled items, the fewest first."""
    rows = []
    for job in jobs:
        found = job.result or {}
        area = found["figures"]["every"]["area"]
        if area["value"] is not None:
            ends = [area[name] if area[name] is not None else area["value"] for name in END]
            rows.append((found["labels"]["items"], area["value"], *ends))
    if not rows:
        return []
    wide, high, left, top, bottom = CURVE
    most = max(row[0] for row in rows)

    def place(value: float) -> float:
        return top + (1 - value) * (high - top - bottom)

    return [
        CurvePoint(
            count,
            value,
            low,
            up,
            left + (wide - left - 20) * count / most,
            place(value),
            place(low),
            place(up),
        )
        for count, value, low, up in sorted(rows)
    ]


END = ("low", "high")
