"""People against a model: answering before and after studying, and what each has scored.

The truth of an item is told in the part that is studied alone, and scores once all is answered.
"""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse

from livewell.answers.quizzes import quiz_items, quiz_scores
from livewell.answers.tables import UNSURE, Task
from livewell.errors import LivewellError
from livewell.tables.schemas import STUDY
from livewell.web.asking import keys_of, task_of
from livewell.web.pages.annotate import shown_item
from livewell.web.quizzing import PartProgress, is_quiz, quiz_progress
from livewell.web.refusals import words_of
from livewell.web.rendering import page
from livewell.web.security import Expert, TheSite
from livewell.web.sign_ins import SignedIn
from livewell.web.site import Site

if TYPE_CHECKING:
    from livewell.metrics.quiz import PersonScore

router = APIRouter()


@router.get("/quiz/{task}", response_class=HTMLResponse)
def quiz_page(request: Request, task: int, person: Expert, site: TheSite) -> HTMLResponse:
    """The page on which a quiz is answered."""
    found = _quiz(site, task)
    keys = keys_of(found)
    about = {
        "task": task,
        "classes": [{"name": name, "key": keys[name]} for name in found.classes],
        "unsure": {"name": UNSURE, "key": keys[UNSURE]},
    }
    parts = quiz_progress(site, task, person.id)
    return page(request, person, "quiz.html", task=found, about=about, parts=parts)


@router.get("/quiz/{task}/next")
def next_items(
    task: int, person: Expert, site: TheSite, count: Annotated[int, Query(ge=1, le=20)] = 4
) -> dict[str, Any]:
    """The next items of the part that this person is in, and how far they are in each part."""
    found = _quiz(site, task)
    rows = [] if found.closed else site.answers.next_showings(task, person.id, count)
    part = rows[0][1].part if rows else None
    parts = quiz_progress(site, task, person.id)
    return {
        "part": part,
        "items": [shown_item(site, found, *row) for row in rows if row[1].part == part],
        "progress": [{"part": p.part, "items": p.items, "done": p.done} for p in parts],
        "closed": found.closed,
    }


@router.get("/quiz/{task}/truth/{showing}")
def truth(task: int, showing: str, person: Expert, site: TheSite) -> dict[str, str | None]:
    """The class of an item that is studied; of no other item."""
    _quiz(site, task)
    found = site.answers.showing(showing, person.id)
    if found is None or found[0].task_id != task:
        raise HTTPException(404, "There is no such item among yours in this quiz.")
    if found[1].part != STUDY:
        raise HTTPException(403, "The truth is shown only of the images that are studied.")
    return {"truth": found[1].truth}


@router.get("/quiz/{task}/scores", response_class=HTMLResponse)
def scores_page(request: Request, task: int, person: Expert, site: TheSite) -> HTMLResponse:
    """Scores of who has finished; of everybody for the owner."""
    from livewell.report.quiz_words import quiz_words

    found = _quiz(site, task)
    finished = _finished(quiz_progress(site, task, person.id))
    scores: list[PersonScore] = []
    about: dict[str, Any] = {"by": "group", "notes": []}
    trouble = ""
    if finished or person.may("owner"):
        try:
            about, scores = _scores(site, found, person, finished=finished)
        except LivewellError as error:
            trouble = words_of(error, site, person)
    return page(
        request,
        person,
        "quiz_scores.html",
        task=found,
        finished=finished,
        scores=scores,
        words={one.person: quiz_words(one, about["by"]) for one in scores},
        notes=about["notes"],
        by=about["by"],
        trouble=trouble,
    )


def _scores(
    site: Site, task: Task, person: SignedIn, *, finished: bool
) -> "tuple[dict[str, Any], list[PersonScore]]":
    """How the quiz was made, and the scores that a person may see."""
    about, items = quiz_items(site.study, task.name)
    answers = site.answers.answers(task.id)
    if not person.may("owner"):
        answers = answers[answers["person"] == person.name]
    elif not finished:
        answers = answers[answers["person"] != person.name]
    if answers.empty:
        return about, []
    # who has not answered all has no score yet
    counts = answers.groupby("person")["item"].nunique()
    done = counts.index[counts == len(items)]
    answers = answers[answers["person"].isin(done)]
    return about, quiz_scores(answers, items, about) if len(answers) else []


def _finished(parts: list[PartProgress]) -> bool:
    return all(part.done == part.items for part in parts)


def _quiz(site: Site, number: int) -> Task:
    task = task_of(site, number)
    if not is_quiz(task):
        raise HTTPException(404, "There is no such quiz.")
    return task
