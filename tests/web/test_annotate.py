"""The routes of annotating: blind, only one's own, kept once, refused with reasons."""

import asyncio
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from livewell.answers.settings import TaskSettings
from livewell.answers.tables import REASONS
from livewell.web.site import Site

Client = Callable[..., TestClient]


def items_of(site: Site, size: int | None = 64, frames: int = 10) -> pd.DataFrame:
    """Boxes of the first two rows and columns of every image, or whole frames."""
    corners: list[tuple[int | None, ...]] = [(None,) * 4]
    if size:
        corners = [(y, x, y + size, x + size) for y in (0, 64) for x in (0, 64)]
    names = ("y0", "x0", "y1", "x1")
    rows = [
        {"image": image, "t": 1, "frames": frames, **dict(zip(names, box, strict=True))}
        for image in site.study.fields()["image"]
        for box in corners
    ]
    return pd.DataFrame(rows).assign(truth=None, part=None)


def make_task(site: Site, kind: str = "sequence", **settings: Any) -> int:
    items = {"sequence": items_of(site), "patch": items_of(site, frames=1)}
    chosen = items.get(kind, items_of(site, None, 1))
    made = TaskSettings.model_validate({"tags": ("debris", "dividing"), **settings})
    return site.answers.make_task(f"a {kind} task", kind, ["healthy", "sick"], chosen, made)


def give(
    client: TestClient, task: int, showing: str, answer: str | None = "sick", **more: Any
) -> Any:
    body = {"id": str(uuid.uuid4()), "showing": showing, "answer": answer, **more}
    return client.post(f"/annotate/{task}/answers", json=body)


def waiting(client: TestClient, task: int, count: int = 5) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/annotate/{task}/next?count={count}").json()["items"]
    return found


def test_pixels_of_an_item_are_those_of_the_image(site: Site, client: Client) -> None:
    """What the browser gets are the image's own numbers, of the frames and box of the item."""
    task, ada = make_task(site), client("expert")
    shown = waiting(ada, task, 1)[0]
    response = ada.get(f"/showings/{shown['showing']}/pixels")
    shape = tuple(map(int, response.headers["x-shape"].split(",")))
    kind = np.dtype(response.headers["x-type"]).newbyteorder("<")
    got = np.frombuffer(response.content, kind).reshape(shape)
    item = site.answers.showing(shown["showing"], ada.person_id)[1]  # type: ignore
    whole = site.frames.boxes(item.image, range(1, 11), 0)
    assert shape == (shown["frames"], shown["height"], shown["width"]) == (10, 64, 64)
    np.testing.assert_array_equal(got, whole[:, item.y0 : item.y1, item.x0 : item.x1])


def test_a_patch_lies_in_a_window_of_one_size(site: Site, client: Client) -> None:
    """Around a patch some of the image is shown, inside the image and of one size for all."""
    task = make_task(site, "patch")
    shown = waiting(client("expert"), task, 16)
    assert {(each["height"], each["width"]) for each in shown} == {(128, 128)}
    for each in shown:
        y0, x0, y1, x1 = each["patch"]
        assert (y1 - y0, x1 - x0) == (64, 64)
        assert y0 >= 0
        assert y1 <= 128
        assert x0 >= 0
        assert x1 <= 128


@pytest.mark.parametrize("kind", ["sequence", "frame", "patch", "cells"])
def test_nothing_names_what_is_shown(site: Site, client: Client, kind: str) -> None:
    """No response of the page or of its requests tells a name, well, dose, time or reason."""
    task = make_task(site, kind, controls=0.3, repeats=0.4, repeat_after=1)
    ada, said = client("expert"), []
    for address in ("/annotate", f"/annotate/{task}"):
        said.append(ada.get(address))
    for _ in range(4):
        said.append(ada.get(f"/annotate/{task}/next?count=3"))
        for item in said[-1].json()["items"][:2]:
            said.append(ada.get(f"/showings/{item['showing']}/pixels"))
            marks = [{"class": "sick", "y": 5, "x": 6}] if kind == "cells" else None
            answer = "done" if kind == "cells" else "sick"
            said.append(give(ada, task, item["showing"], answer, marks=marks))
            assert said[-1].status_code == 200, said[-1].text
    said.append(ada.get(f"/annotate/{task}/mine?count=50"))
    said.append(ada.get("/showings/none/pixels"))
    fields = site.study.fields()
    columns = ("image", "path", "picture", "plate", "well")
    names = {str(value) for column in columns for value in fields[column].dropna()}
    names |= {str(site.study.root), str(site.study.folder)}
    words = {"dose", "well", "time_s", "truth", "reason", "image", "uncertain", "number", "t"}
    for response in said:
        texts = [str(response.url), *(f"{k}: {v}" for k, v in response.headers.items())]
        if "octet-stream" in response.headers["content-type"]:
            assert set(response.headers) >= {"x-shape", "x-type", "x-limits"}
            assert "x-box" not in response.headers
        else:
            texts.append(response.text)
            assert not set(REASONS) & set(re.findall(r"\w+", response.text))
        for text in texts:
            held = {name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)}
            assert held == set(), text
        if "json" in response.headers["content-type"]:
            keys = set(re.findall(r'"(\w+)":', response.text))
            assert not keys & words


def test_an_unreadable_image_is_told_without_its_name(site: Site, client: Client) -> None:
    """A missing file costs its items only, and who answers does not hear which one it is."""
    task, ada = make_task(site), client("expert")
    shown = waiting(ada, task, 1)[0]["showing"]
    item = site.answers.showing(shown, ada.person_id)[1]  # type: ignore
    own = site.study.path(item.image)
    moved = own.rename(own.with_suffix(".away"))
    try:
        response = ada.get(f"/showings/{shown}/pixels")
        assert response.status_code == 404
        assert own.stem not in response.text
        listed = ada.get(f"/annotate/{task}/next?count=16")
        assert own.stem not in listed.text
        states = [each.get("unreadable", False) for each in listed.json()["items"]]
        assert sum(states) == 4
        assert len(states) == 16
    finally:
        moved.rename(own)


def test_the_same_answer_twice_is_kept_once(site: Site, client: Client) -> None:
    """An answer sent again with its identifier, as after a lost reply, is one answer."""
    task, ada = make_task(site), client("expert")
    shown = waiting(ada, task, 1)[0]["showing"]
    body = {"id": str(uuid.uuid4()), "showing": shown, "answer": "sick", "note": "ø"}
    for _ in range(3):
        assert ada.post(f"/annotate/{task}/answers", json=body).json() == {"saved": body["id"]}
    table = site.answers.answers(task)
    assert table["answer"].tolist() == ["sick"]
    mine = ada.get(f"/annotate/{task}/mine").json()["items"]
    assert mine[0]["answered"]["note"] == "ø"
    assert mine[0]["showing"] == shown


def test_undo_goes_back_and_the_item_comes_first(site: Site, client: Client) -> None:
    """What is taken back waits again, before others; the one before it is the latest."""
    task, ada = make_task(site), client("expert")
    first, second = (each["showing"] for each in waiting(ada, task, 2))
    ids = {}
    for showing, answer in ((first, "healthy"), (second, "sick")):
        ids[showing] = give(ada, task, showing, answer, tags=["debris"], death_t=3).json()["saved"]
    latest = ada.get(f"/annotate/{task}/mine?count=1").json()["items"][0]
    assert latest["showing"] == second
    assert latest["answered"] == {
        "id": ids[second],
        "answer": "sick",
        "note": "",
        "tags": ["debris"],
        "death_t": 3,
        "marks": None,
    }
    assert give(ada, task, second, None, undoes=ids[second]).status_code == 200
    assert waiting(ada, task, 3)[0]["showing"] == second
    assert ada.get(f"/annotate/{task}/mine?count=1").json()["items"][0]["showing"] == first


def test_the_moment_of_death_is_kept_as_a_frame_of_the_image(site: Site, client: Client) -> None:
    """The page counts the frames it shows; the table counts those of the image."""
    task, ada = make_task(site), client("expert")
    assert give(ada, task, waiting(ada, task, 1)[0]["showing"], death_t=3).status_code == 200
    assert site.answers.answers(task)["death_t"].tolist() == [4]


def test_marks_are_kept_in_pixels_of_the_image(site: Site, client: Client) -> None:
    """Marks come back as they were drawn, and lie in the table as places of the image."""
    rows = items_of(site, 64, 1).iloc[3:4]
    task = site.answers.make_task("c", "cells", ["healthy", "sick"], rows, TaskSettings())
    ada = client("expert")
    marks = [
        {"class": "sick", "y": 5.5, "x": 6.0},
        {"class": "healthy", "y": 1.0, "x": 2.0, "y1": 9.0, "x1": 8.0},
    ]
    shown = waiting(ada, task, 1)[0]["showing"]
    assert give(ada, task, shown, "done", marks=marks).status_code == 200
    assert ada.get(f"/annotate/{task}/mine").json()["items"][0]["answered"]["marks"] == marks
    kept = site.answers.standing(task, ada.person_id, 1)[0][0].marks  # type: ignore
    assert kept is not None
    assert (kept[0]["y"], kept[0]["x"]) == (69.5, 70.0)


WRONG: dict[str, dict[str, Any]] = {
    "no answer at all": {"answer": None},
    "an answer and the taking back of one": {"undoes": str(uuid.uuid4())},
    "another class": {"answer": "dead"},
    "done, which is of cells": {"answer": "done"},
    "a tag that is not the owner's": {"tags": ["other"]},
    "a frame beyond": {"death_t": 10},
    "time that is no number": {"seconds": -1},
    "no identifier": {"id": "1"},
    "marks of a sequence": {"marks": []},
    "an unknown field": {"reason": "control"},
    "a character that no database keeps": {"note": "a\x00b"},
    "a note too long": {"note": "a" * 5000},
}


def test_what_cannot_be_is_refused(site: Site, client: Client) -> None:
    """Answers that the page cannot give are refused, and nothing of them is kept."""
    task, ada = make_task(site), client("expert")
    shown = waiting(ada, task, 1)[0]["showing"]
    for name, wrong in WRONG.items():
        body = {"id": str(uuid.uuid4()), "showing": shown, "answer": "sick"} | wrong
        assert ada.post(f"/annotate/{task}/answers", json=body).status_code == 422, name
    assert site.answers.answers(task).empty


def test_another_persons_items_are_not_there(site: Site, client: Client) -> None:
    """Pixels, answers and takings back work for one's own showings only, in their own task."""
    task, other = make_task(site), make_task(site, "frame")
    ada, bob = client("expert", "Ada"), client("expert", "Bob")
    shown = waiting(ada, task, 1)[0]["showing"]
    assert bob.get(f"/showings/{shown}/pixels").status_code == 404
    assert give(bob, task, shown).status_code == 404
    assert give(ada, other, shown).status_code == 404
    kept = give(ada, task, shown).json()["saved"]
    assert give(bob, task, shown, None, undoes=kept).status_code == 404
    its = waiting(bob, task, 1)[0]["showing"]
    assert give(bob, task, its, None, undoes=kept).status_code in (404, 409, 422)
    assert bob.get(f"/annotate/{task}/mine").json()["items"] == []
    assert site.answers.answers(task)["person"].tolist() == ["Ada"]


def test_viewers_and_strangers_do_not_annotate(site: Site, client: Client) -> None:
    """Every route of annotating asks for an account that may answer."""
    task = make_task(site)
    for person, status in ((client("viewer"), 403), (client(None), 401)):
        for address in (
            "/annotate",
            f"/annotate/{task}",
            f"/annotate/{task}/next",
            f"/annotate/{task}/mine",
            "/showings/x/pixels",
        ):
            assert person.get(address).status_code == status
        assert give(person, task, "x").status_code == status


def test_a_closed_task_deals_nothing_and_takes_what_was_seen(site: Site, client: Client) -> None:
    """Closing a task loses no answer that is on its way."""
    task, ada = make_task(site), client("expert")
    shown = waiting(ada, task, 1)[0]["showing"]
    site.answers.close_task(task, True)
    said = ada.get(f"/annotate/{task}/next").json()
    assert said["closed"]
    assert said["items"] == []
    assert give(ada, task, shown).status_code == 200


def test_tasks_that_are_not_there(client: Client) -> None:
    """Unknown numbers of tasks are told as such, however large."""
    ada = client("expert")
    for number in (0, 7, 2**40, 2**70):
        assert ada.get(f"/annotate/{number}/next").status_code in (404, 422)
        assert ada.get(f"/annotate/{number}").status_code in (404, 422)


def test_marks_are_kept_though_the_image_is_away(site: Site, client: Client) -> None:
    """Marks of an image that went away after it was shown are kept, and are there to be undone."""
    items = items_of(site, None, 1).assign(height=256, width=256)
    task = site.answers.make_task("cells", "cells", ["healthy", "sick"], items, TaskSettings())
    ada = client("expert")
    shown = waiting(ada, task, 1)[0]["showing"]
    marks = [{"class": "sick", "y": 5, "x": 6}]
    own = site.study.path(site.answers.showing(shown, ada.person_id)[1].image)  # type: ignore
    moved = own.rename(own.with_suffix(".away"))
    try:
        assert give(ada, task, shown, "done", marks=marks).status_code == 200
        (mine,) = ada.get(f"/annotate/{task}/mine").json()["items"]
        assert mine["unreadable"]
        assert mine["answered"]["marks"] == marks
    finally:
        moved.rename(own)


def test_no_answer_waits_in_the_servers_loop(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers may wait for others, so that it is a thread that waits, and pages go on."""
    task, ada, add, waits = make_task(site), client("expert"), site.answers.add, list[bool]()

    def told(*given: Any) -> Any:
        with suppress(RuntimeError):
            asyncio.get_running_loop()
            waits.append(True)
        return add(*given)

    monkeypatch.setattr(site.answers, "add", told)
    assert give(ada, task, waiting(ada, task, 1)[0]["showing"]).status_code == 200
    assert not waits
