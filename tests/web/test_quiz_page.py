"""A quiz on the site: what is told when, who sees which scores, and that these are right."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from starlette.testclient import TestClient

from livewell.answers.quizzes import make_quiz
from livewell.web.site import Site
from tests.web.conftest import Client

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLASSES = ("healthy", "sick")
SIZES = {"before": 5, "study": 5, "after": 5}
MakeQuiz = Callable[[Site], tuple[int, pd.DataFrame]]


def quiz(site: Site) -> tuple[int, pd.DataFrame]:
    """A quiz of five, five and five patches; the model is wrong on the first of each part."""
    images = site.study.fields()["image"].tolist()
    rows = []
    for number, (part, size) in enumerate(SIZES.items()):
        for each in range(size):
            image, t, x0 = images[each % 2 + (2 if part == "after" else 0)], number, 24 * each
            truth = CLASSES[each % 2]
            model = CLASSES[(each + (each == 0)) % 2]
            rows.append(
                (f"{image}:{t}:0:{x0}", image, t, 0, x0, 96, x0 + 96, part, image, truth, model)
            )
    names = ["item", "image", "t", "y0", "x0", "y1", "x1", "part", "group", "truth", "model"]
    items = pd.DataFrame(rows, columns=names)
    settings = {"model": "run", "classes": list(CLASSES), "by": "well", "seed": 0, "notes": ["So."]}
    return make_quiz(site.study, site.answers, "Quiz", "patch", items, settings), items


def answer(client: TestClient, task: int, showing: str, said: str) -> None:
    """Answer one item, as the page does."""
    body = {"id": str(uuid.uuid4()), "showing": showing, "answer": said, "seconds": 1.0}
    assert client.post(f"/annotate/{task}/answers", json=body).status_code == 200


def take(site: Site, client: TestClient, task: int, wrong: dict[str, int]) -> None:
    """Answer a whole quiz, in each part so many of the first items wrong."""
    given = dict.fromkeys(SIZES, 0)
    while (found := client.get(f"/quiz/{task}/next").json())["part"]:
        part, (first, *_) = found["part"], found["items"]
        shown = site.answers.showing(first["showing"], client.person_id)  # type: ignore[attr-defined]
        assert shown is not None
        truth = str(shown[1].truth)
        other = CLASSES[truth == "healthy"]
        answer(client, task, first["showing"], other if given[part] < wrong.get(part, 0) else truth)
        given[part] += 1
    assert given == SIZES


def test_the_truth_is_told_of_what_is_studied_alone(site: Site, client: Client) -> None:
    """Parts come one after another; the truth is given in the middle one, and to nobody else."""
    task, _ = quiz(site)
    ann, bob = client("expert", "ann"), client("expert", "bob")
    found = ann.get(f"/quiz/{task}/next").json()
    assert found["part"] == "before"
    assert "truth" not in str(found["items"])
    showing = found["items"][0]["showing"]
    assert ann.get(f"/quiz/{task}/truth/{showing}").status_code == 403
    for _ in range(5):
        found = ann.get(f"/quiz/{task}/next").json()
        assert found["part"] == "before"
        answer(ann, task, found["items"][0]["showing"], "sick")
    found = ann.get(f"/quiz/{task}/next").json()
    assert found["part"] == "study"
    studied = found["items"][0]["showing"]
    assert ann.get(f"/quiz/{task}/truth/{studied}").json() == {"truth": "healthy"}
    assert bob.get(f"/quiz/{task}/truth/{studied}").status_code == 404
    assert ann.get(f"/quiz/{task}/truth/{showing}").status_code == 403
    assert ann.get(f"/quiz/{task}/truth/unknown").status_code == 404


def test_answers_stand(site: Site, client: Client) -> None:
    """Nobody takes back an answer of a quiz once the truth of others was shown, or before."""
    task, _ = quiz(site)
    ann = client("expert", "ann")
    showing = ann.get(f"/quiz/{task}/next").json()["items"][0]["showing"]
    first = str(uuid.uuid4())
    body = {"id": first, "showing": showing, "answer": "sick"}
    assert ann.post(f"/annotate/{task}/answers", json=body).status_code == 200
    undo = {"id": str(uuid.uuid4()), "showing": showing, "undoes": first}
    assert ann.post(f"/annotate/{task}/answers", json=undo).status_code == 409
    assert ann.get(f"/annotate/{task}").headers["location"] == f"/quiz/{task}"


@pytest.mark.long
def test_scores_by_hand(site: Site, client: Client) -> None:
    """Two of five wrong before and one after are 60% and 80%; the model has 80% in each."""
    task, _ = quiz(site)
    ann, bob, owner = client("expert", "ann"), client("expert", "bob"), client("owner", "eve")
    assert "You have not finished" in ann.get(f"/quiz/{task}/scores").text
    take(site, ann, task, {"before": 2, "after": 1})
    said = ann.get(f"/quiz/{task}/scores").text
    assert "Before studying labelled images ann called 3 of 5 (60%) right" in said
    assert "After studying them ann called 4 of 5 (80%) right" in said
    assert said.count("The model called 4 of 5 (80%) of the same right") == 2
    assert "changed by +20 in 100" in said
    assert "So." in said
    assert "ann called" not in bob.get(f"/quiz/{task}/scores").text
    assert "ann called 3 of 5" in owner.get(f"/quiz/{task}/scores").text
    take(site, bob, task, {})
    said = bob.get(f"/quiz/{task}/scores").text
    assert "bob called 5 of 5 (100%)" in said
    assert "ann called" not in said


@pytest.mark.parametrize("role", [None, "viewer"])
def test_who_may_not(site: Site, client: Client, role: str | None) -> None:
    """Nobody who may not answer sees a quiz; and other tasks are no quizzes."""
    task, _ = quiz(site)
    other = client(role)
    for address in (f"/quiz/{task}", f"/quiz/{task}/next", f"/quiz/{task}/scores"):
        assert other.get(address).status_code in (303, 401, 403)
    assert client("expert").get(f"/quiz/{task + 1}").status_code == 404


@pytest.mark.long
def test_a_person_takes_a_quiz(served: Site, signed_in: "Page") -> None:
    """In Chromium, by keyboard alone: five, five and five, the truth after a guess in the middle,
    and the scores at the end."""
    task, _ = quiz(served)
    page = signed_in
    page.goto(f"{served.address}/quiz/{task}")
    seen: set[str] = set()
    for part, size in SIZES.items():
        page.get_by_role("button", name="Begin").wait_for()
        page.keyboard.press("Tab")
        page.get_by_role("button", name="Begin").press("Enter")
        for number in range(size):
            page.wait_for_function(
                "seen => !['', ...seen].includes(document.body.dataset.showing || '')",
                arg=sorted(seen),
            )
            showing = page.evaluate("document.body.dataset.showing")
            seen.add(showing)
            page.wait_for_selector("#answers button:not([disabled])")
            truth = CLASSES[number % 2]
            wrong = part == "before" and number < 2
            page.keyboard.press((CLASSES[truth == "healthy"] if wrong else truth)[0])
            if part == "study":
                page.get_by_text(f"It is {truth}. You said so.").wait_for()
                page.keyboard.press("Enter")
    page.get_by_role("link", name="See how you and the model did").press("Enter")
    page.get_by_text("called 3 of 5 (60%) right").wait_for()
    assert page.get_by_text("called 5 of 5 (100%) right").is_visible()


def test_nothing_but_its_page_deals_a_quiz(site: Site, client: Client) -> None:
    """Later parts cannot be fetched ahead of time, and agreement does not tell who was right."""
    task, _ = quiz(site)
    ann = client("expert", "ann")
    assert ann.get(f"/annotate/{task}/next?count=15").status_code == 409
    answer(ann, task, ann.get(f"/quiz/{task}/next").json()["items"][0]["showing"], "sick")
    said = ann.get(f"/agreement/{task}").text
    assert "its owner" in said
    assert "right on" not in said
    assert ann.get(f"/agreement/{task}/page").status_code == 404
    assert client("owner").get(f"/agreement/{task}/page").status_code == 200
