"""Making a task in the form: what is understood, what is refused, who may."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from livewell.answers.settings import TaskSettings
from livewell.web.site import Site
from livewell.web.task_form import BEGIN

Client = Callable[..., TestClient]
FORM = BEGIN | {"name": "Well?", "size_px": "64", "count": "20", "occupied": ""}


def items_of(site: Site, task: int) -> Any:
    from sqlalchemy import select

    from livewell.answers.tables import Item

    with site.database.session() as session:
        return list(session.scalars(select(Item).where(Item.task_id == task)))


def made(site: Site, client: TestClient, **more: Any) -> int:
    response = client.post("/tasks/new", data=FORM | more)
    assert response.status_code == 303, response.text
    return site.answers.tasks()[0].id


@pytest.mark.long
def test_the_form_as_it_stands_is_the_papers_design(site: Site, client: Client) -> None:
    """With nothing but a name changed, items are sequences of ten frames, every fifth shared."""
    owner = client("owner")
    assert "New task" in owner.get("/tasks/new").text
    task = site.answers.task(made(site, owner))
    assert task is not None
    assert (task.kind, task.classes) == ("sequence", ["healthy", "sick"])
    settings = TaskSettings.model_validate(task.settings)
    assert (settings.shared_every, settings.repeats, settings.controls) == (5, 0.05, 0)
    assert settings.keys == {"healthy": "h", "sick": "s", "unsure": "u"}
    items = items_of(site, task.id)
    assert len(items) == 20
    assert {item.frames for item in items} == {10}
    assert {item.y1 - item.y0 for item in items} == {64}
    shown = owner.get(f"/tasks/{task.id}?asked=30&left_out=1").text
    assert "of 20 items" in shown
    assert "30 were asked for" in shown


def test_controls_are_of_wells_without_a_dose(site: Site, client: Client) -> None:
    """Where a share of controls is wanted, wells of dose 0 have the class that the form says."""
    task = made(site, client("owner"), controls="25", kind="patch")
    fields = site.study.fields().set_index("image")
    known = [item for item in items_of(site, task) if item.truth is not None]
    assert len(known) == 5
    assert {item.truth for item in known} == {"healthy"}
    assert {fields.loc[item.image, "dose"] for item in known} == {0}


def test_only_the_images_that_were_chosen(site: Site, client: Client) -> None:
    """Of a column's values only those that are ticked are drawn from."""
    fields = site.study.fields().set_index("image")
    dose = str(fields["dose"].max())
    task = made(site, client("owner"), only_dose=[dose], kind="frame")
    assert {str(fields.loc[item.image, "dose"]) for item in items_of(site, task)} == {dose}


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "no name": ({"name": " "}, "Give the task a name."),
    "one class": ({"class_1": ""}, "at least two classes"),
    "a class twice": ({"class_1": "healthy"}, "Each class once"),
    "a key twice": ({"key_1": "h"}, "the same key"),
    "a key that is taken": ({"key_1": "z"}, "cannot be a key"),
    "no number": ({"count": "many"}, "a whole number"),
    "shares above one": ({"repeats": "50", "controls": "50"}, "more than 100%"),
    "a share that is no number": ({"uncertain": "half"}, "a number of percent"),
    "a box too large": ({"size_px": "4000"}, "not a single item can be drawn"),
    "a kind that is none": ({"kind": "movie"}, "Say what is shown."),
}


def test_what_does_not_fit_is_told(site: Site, client: Client) -> None:
    """The form comes back with what was filled in and what is wrong, and no task is made."""
    owner = client("owner")
    for name, (wrong, said) in WRONG.items():
        response = owner.post("/tasks/new", data=FORM | wrong)
        assert response.status_code == 422, name
        assert said in response.text, name
        assert f'value="{wrong.get("count", "20")}"' in response.text, name
    assert site.answers.tasks() == []


def test_a_name_is_used_once(site: Site, client: Client) -> None:
    """Two tasks of one name would be one in an export."""
    owner = client("owner")
    made(site, owner)
    response = owner.post("/tasks/new", data=FORM)
    assert response.status_code == 422
    assert "a task of this name" in response.text


def test_scripts_in_names_stay_text(site: Site, client: Client) -> None:
    """Names of tasks, classes and tags are shown as they are written."""
    bad = "<script>alert(1)</script>"
    owner = client("owner")
    task = made(site, owner, name=bad, class_0=bad, tags=bad)
    for address in ("/annotate", f"/annotate/{task}", f"/tasks/{task}"):
        text = owner.get(address).text
        assert "<script>alert" not in text
        assert "alert(1)" in text


def test_closing_and_opening(site: Site, client: Client) -> None:
    """A closed task deals nothing, and can be opened again."""
    owner = client("owner")
    task = made(site, owner)
    for closed in (True, False):
        owner.post(f"/tasks/{task}", data={"closed": str(closed).lower()})
        said = owner.get(f"/annotate/{task}/next").json()
        assert said["closed"] is closed
        assert bool(said["items"]) is not closed


def test_only_owners_make_tasks(client: Client) -> None:
    """Experts answer; they neither make tasks nor see what they are made of."""
    expert = client("expert")
    assert expert.get("/tasks/new").status_code == 403
    assert expert.post("/tasks/new", data=FORM).status_code == 403
    assert expert.get("/tasks/1").status_code == 403
