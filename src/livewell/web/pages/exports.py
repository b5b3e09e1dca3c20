"""Answers as files, answers out of files, and labels made of answers: for owners."""

import re
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote

from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from livewell.answers.exports import write_answers
from livewell.answers.imports import import_answers, read_export
from livewell.answers.tables import Task
from livewell.errors import LivewellError
from livewell.labels.by_votes import Votes
from livewell.labels.voting import POSTERIOR, Doubt, Rule
from livewell.text import plural, printable
from livewell.web.asking import task_of
from livewell.web.rendering import page
from livewell.web.security import Owner, TheSite
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site
from livewell.workflows.label import label

router = APIRouter()
ENDINGS = {
    "csv": ("csv", "text/csv; charset=utf-8"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "geojson": ("geojson.zip", "application/zip"),
    "roi": ("roi.zip", "application/zip"),
}
"""Ending and media type of each form."""
RULES = {
    "unanimous": "everybody who answered agrees (Richmond et al. 2017)",
    "majority": "the most frequent answer; ties give no label",
    "dawid-skene": "the most probable class, with each person weighed by how reliable they are",
}
DOUBTS = {
    "drop": "the item gets no label",
    "ignore": "the other answers decide",
    "vote": '"unsure" counts as an answer; where it wins the item gets no label',
}


@router.get("/exports/{task}")
def exports_page(request: Request, task: int, person: Owner, site: TheSite) -> HTMLResponse:
    """What can be done with a task's answers."""
    return _page(request, person, site, task_of(site, task))


@router.get("/exports/{task}/answers/{form}")
def export(
    task: int,
    form: Literal["csv", "parquet", "geojson", "roi"],
    person: Owner,
    site: TheSite,
    withdrawn: bool = False,
) -> Response:
    """All answers of a task as a file."""
    found = task_of(site, task)
    ending, kind = ENDINGS[form]
    if withdrawn and form not in ("csv", "parquet"):
        raise HTTPException(422, "Answers that were taken back are in tables only.")
    table = site.answers.answers(task, withdrawn=withdrawn)
    with tempfile.TemporaryDirectory(prefix="livewell-") as folder:
        path = Path(folder) / f"answers.{ending}"
        write_answers(table, path, found.classes)
        content = path.read_bytes()
    name = f"{found.name}{' with withdrawn' if withdrawn else ''}.{ending}"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name)
    headers = {
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
    }
    return Response(content, media_type=kind, headers=headers)


@router.post("/answers/import/{task}")
async def import_file(
    request: Request, task: int, person: Owner, site: TheSite, file: UploadFile
) -> HTMLResponse:
    """Add answers of a file that livewell wrote to a task."""
    content = await file.read()
    return await run_in_threadpool(
        _imported, request, person, site, task, file.filename or "", content
    )


def _imported(
    request: Request, person: SignedIn, site: Site, number: int, name: str, content: bytes
) -> HTMLResponse:
    task = task_of(site, number)
    ending = next((e for e in (".csv", ".parquet", ".geojson", ".zip") if name.endswith(e)), ".csv")
    try:
        with tempfile.TemporaryDirectory(prefix="livewell-") as folder:
            path = Path(folder) / f"answers{ending}"
            path.write_bytes(content)
            table = read_export(path)
        _, added, known = import_answers(site.answers, table, task.name)
    except LivewellError as error:
        return _page(request, person, site, task, fault=str(error), status=422)
    said = f"{plural(added, 'answer')} of {printable(name)} added; {known} were there already."
    return _page(request, person, site, task, said=said)


@router.post("/exports/{task}/labels")
def make_labels(
    request: Request,
    task: int,
    person: Owner,
    site: TheSite,
    name: Annotated[str, Form(max_length=200)],
    rule: Annotated[Rule, Form()] = "unanimous",
    unsure: Annotated[Doubt, Form()] = "drop",
    least: Annotated[int, Form(ge=1, le=1000)] = 1,
    patch_px: Annotated[int | None, Form(ge=1, le=20_000)] = None,
) -> HTMLResponse:
    """Labels of the study from a task's answers, by a rule."""
    found = task_of(site, task)
    values = {"name": name, "rule": rule, "unsure": unsure, "least": least, "patch_px": patch_px}
    try:
        route = Votes(
            answers=site.answers.answers(task),
            classes={each: each for each in found.classes},
            rule=rule,
            unsure=unsure,
            least=least,
            patch_px=patch_px,
            task=found.name,
        )
        made = label(site.catalogue.study(), route, found.classes, name=name.strip())
    except LivewellError as error:
        return _page(request, person, site, found, fault=str(error), status=422, values=values)
    counts = [(count.step, count.count) for count in made.labelled.counts]
    return _page(request, person, site, found, labels=name.strip(), counts=counts, values=values)


def _page(
    request: Request,
    person: SignedIn,
    site: Site,
    task: Task,
    *,
    status: int = 200,
    values: dict[str, Any] | None = None,
    **said: Any,
) -> HTMLResponse:
    start = {"name": "votes", "rule": "unanimous", "unsure": "drop", "least": 1, "patch_px": 64}
    return page(
        request,
        person,
        "exports.html",
        status_code=status,
        task=task,
        done=site.answers.progress(task.id, person.id),
        rules={rule: RULES[rule] for rule in get_args(Rule)},
        doubts={doubt: DOUBTS[doubt] for doubt in get_args(Doubt)},
        posterior=POSTERIOR,
        values=values or start,
        **({"said": "", "fault": "", "labels": "", "counts": []} | said),
    )
