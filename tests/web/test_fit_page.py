"""Fitting from a page: what is missing, what is asked for, what is shown first, who may."""

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from livewell.answers.settings import TaskSettings
from livewell.answers.store import NewAnswer
from livewell.answers.tables import Job, Task
from livewell.web.jobs import DONE, FAILED, WAITING
from livewell.web.site import Site
from tests.web.conftest import Client, add_person

if TYPE_CHECKING:
    from playwright.sync_api import Page

CLASSES = ("healthy", "sick")
AREA = {"value": 0.8, "low": 0.6, "high": 0.9, "groups": 4, "method": "t", "note": ""}
Fill = Callable[..., int]


@pytest.fixture
def fill(site: Site, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Makes a task of one patch a corner and well, and answers so many of them; jobs only wait."""
    monkeypatch.setattr(site.fitting.jobs, "start", lambda: None)

    def make(answers: int, classes: tuple[str, ...] = CLASSES, fit_every: int = 0) -> int:
        images = site.study.fields()["image"].tolist()
        rows = [
            (name, 0, 1, y, x, y + 96, x + 96)
            for y in (0, 128)
            for x in (0, 128)
            for name in images
        ]
        items = pd.DataFrame(rows, columns=["image", "t", "frames", "y0", "x0", "y1", "x1"])
        items = items.assign(truth=None, part=None)
        settings = TaskSettings(repeats=0, fit_every=fit_every)
        task = site.answers.make_task("Corners <b>", "patch", CLASSES, items, settings)
        person = add_person(site, "ann", "expert")
        for number, (showing, _) in enumerate(
            site.answers.next_showings(task, person, answers) if answers else []
        ):
            said = classes[number % len(classes)]
            new = NewAnswer(id=str(uuid.uuid4()), showing=showing.id, answer=said)
            site.answers.add(person, new).result()
        return task

    return make


def finished(site: Site, task: int, **result: object) -> int:
    """A fit that is done, with these results."""
    number = site.fitting.jobs.ask("fit", {"task": task, "name": "x", "rule": "majority"}, 1)
    labels = {"items": 12, "answers": 12, "people": 1, "classes": {"sick": 6, "healthy": 6}}
    labels |= {"by": "well", "groups": 4, "folds": 2, "frames_each": 2, "reasons": {}}
    with site.database.session() as session:
        job = session.get(Job, number)
        assert job is not None
        job.state, job.result = DONE, {"labels": labels, **result}
    return number


def test_too_few_answers_say_what_is_missing(site: Site, client: Client, fill: Fill) -> None:
    """Without answers, and with one class alone, the page says what is missing, and refuses."""
    owner = client("owner")
    task = fill(0)
    assert "Nothing has been answered yet" in owner.get(f"/fit/{task}").text
    assert owner.post(f"/fit/{task}").status_code == 409
    with site.database.session() as session:
        found = session.get(Task, task)
        assert found is not None
        found.name = "another"
    task = fill(6, ("healthy",))
    said = owner.get(f"/fit/{task}").text
    assert "nothing is labelled sick yet" in said
    assert "disabled" in said


def test_a_fit_is_asked_for_once(site: Site, client: Client, fill: Fill) -> None:
    """Enough answers make a job that waits; while it does there is no second one."""
    owner, task = client("owner"), fill(16)
    answer = owner.post(f"/fit/{task}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/fit/{task}")
    (job,) = site.fitting.of(task)
    assert job.state == WAITING
    assert job.arguments["name"] == "Corners-b-0001"
    table = pd.read_parquet(site.fitting.folder("Corners-b-0001") / "answers.parquet")
    assert len(table) == 16
    assert owner.post(f"/fit/{task}").status_code == 409
    assert owner.get(f"/fits/{job.id}").json() == {"state": WAITING, "step": "", "known": []}
    assert owner.post(f"/fits/{job.id}/stop").status_code == 303
    assert owner.get(f"/fits/{job.id}").json()["state"] == "stopped"
    assert "Start it again" in owner.get(f"/fit/{task}").text
    assert owner.post(f"/fits/{job.id}/again").status_code == 303
    assert [job.state for job in site.fitting.of(task)] == [WAITING, "stopped"]


def test_the_hold_out_figure_comes_first(site: Site, client: Client, fill: Fill) -> None:
    """The figure with its interval stands before any map, and before the report."""
    owner, task = client("owner"), fill(4)
    image = site.study.fields()["image"].iloc[0]
    every = {"area": AREA, "groups": 4, "words": ["On wells <it> tells."]}
    figures = {"every": every, "chance": None, "others": 0, "by": "well"}
    made = {"image": image, "t": 0, "folder": "maps/x", "classes": list(CLASSES), "places": 9}
    made |= {"threshold": 0.5, "pixel_um": 0.6, "shares": {"sick": 1.0}, "unseen": True}
    job = finished(site, task, figures=figures, maps=[made])
    said = owner.get(f"/fit/{task}").text
    assert said.index("0.80") < said.index("0.60 to 0.90") < said.index("data-map=")
    assert "On wells &lt;it&gt; tells." in said
    assert "Corners &lt;b&gt;" in said
    assert owner.get(f"/fits/{job}/maps/0/pixels").headers["x-shape"] == "1,256,256"
    assert owner.get(f"/fits/{job}/maps/0/values").status_code == 404
    assert owner.get(f"/fits/{job}/maps/1/pixels").status_code == 404
    assert owner.get(f"/fits/{job + 1}").status_code == 404


def test_items_that_a_model_chose_are_told_apart(site: Site, client: Client, fill: Fill) -> None:
    """Where chance did not choose all items, the figure is of those that it chose, and says so."""
    owner, task = client("owner"), fill(4)
    every = {"area": AREA | {"value": 0.7}, "groups": 4, "words": ["All of them."]}
    chance = {"area": AREA, "groups": 4, "words": ["By chance."]}
    figures = {"every": every, "chance": chance, "others": 3, "by": "well"}
    finished(site, task, figures=figures)
    said = owner.get(f"/fit/{task}").text
    assert "<strong>0.80</strong>" in said
    assert "the 3 answers to items chosen for another reason" in said
    assert "All of them." in said


def test_every_n_answers(site: Site, client: Client, fill: Fill) -> None:
    """With the owner's number of answers reached a fit is asked for by itself, and only then."""
    owner, task = client("owner"), fill(12)
    due = site.fitting.jobs.kinds["fit"].due
    due()
    assert site.fitting.of(task) == []
    assert owner.post(f"/fit/{task}/every", data={"answers": 13}).status_code == 303
    due()
    assert site.fitting.of(task) == []
    owner.post(f"/fit/{task}/every", data={"answers": 12})
    assert 'value="12"' in owner.get(f"/fit/{task}").text
    due()
    (job,) = site.fitting.of(task)
    due()
    assert len(site.fitting.of(task)) == 1
    with site.database.session() as session:
        found = session.get(Job, job.id)
        assert found is not None
        found.state, found.ended = FAILED, time.time()
    due()
    assert len(site.fitting.of(task)) == 1


@pytest.mark.parametrize("role", [None, "viewer", "expert"])
def test_only_owners_fit(site: Site, client: Client, fill: Fill, role: str | None) -> None:
    """Nobody but an owner sees fits, which name images, or asks for one."""
    task = fill(4)
    other = client(role)
    every = {"area": AREA, "groups": 4, "words": []}
    job = finished(site, task, figures={"every": every, "chance": None, "others": 0, "by": "well"})
    for address in (f"/fit/{task}", f"/fits/{job}", f"/fits/{job}/maps/0/pixels"):
        assert other.get(address).status_code in (303, 401, 403)
    for address in (f"/fit/{task}", f"/fit/{task}/every", f"/fits/{job}/stop"):
        assert other.post(address, data={"answers": 1}).status_code in (303, 401, 403)
    assert len(site.fitting.of(task)) == 1


@pytest.mark.minutes
@pytest.mark.long
def test_a_model_is_fitted_in_the_browser(served: Site, signed_in: "Page") -> None:
    """In Chromium: enough answers, the button, progress, the hold-out figure and then the map."""
    page, site = signed_in, served
    images = site.study.fields()[["image", "dose"]]
    rows = [
        (name, t, 3, y, x, y + 96, x + 96)
        for t in (0, 6)
        for y in (0, 128)
        for x in (0, 128)
        for name in images["image"]
    ]
    items = pd.DataFrame(rows, columns=["image", "t", "frames", "y0", "x0", "y1", "x1"])
    task = site.answers.make_task(
        "Sequences",
        "sequence",
        CLASSES,
        items.assign(truth=None, part=None),
        TaskSettings(repeats=0, uncertain=0.5),
    )
    person = add_person(site, "ann", "expert")
    for number, (showing, _) in enumerate(site.answers.next_showings(task, person, 24)):
        new = NewAnswer(id=str(uuid.uuid4()), showing=showing.id, answer=CLASSES[number % 2])
        site.answers.add(person, new).result()
    page.goto(f"{site.address}/fit/{task}")
    page.get_by_role("button", name="Fit a model now").click()
    page.get_by_role("heading", name="What it is worth on").wait_for(timeout=300_000)
    page.locator("#running").wait_for(state="detached", timeout=300_000)
    page.locator(".map[data-drawn=yes]").first.wait_for()
    (job,) = site.fitting.of(task)
    assert job.state == DONE
    area = job.result["figures"]["every"]["area"]  # type: ignore[index]
    assert page.locator(".figure strong").inner_text() == f"{area['value']:.2f}"
    canvas = page.locator(".map canvas").first
    canvas.hover(position={"x": 180, "y": 180})
    assert "%" in page.locator(".map .value").first.inner_text()
    page.get_by_role("link", name="Report of the evaluation").click()
    page.get_by_role("heading").first.wait_for()
    # what comes next follows the model: half of the items are those it is least sure of
    following = site.answers.next_showings(task, person, 8)
    assert "uncertain" in {showing.reason for showing, _ in following}
    assert {item.uncertain_by for _, item in following} == {job.arguments["name"]}
