"""Annotating in a real browser: by keyboard, by table, with a server that fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from livewell.answers.settings import TaskSettings
from livewell.study.study import Study
from livewell.web.serving import ServeSettings, listening, server_of, site_for
from livewell.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

NAMES = {"h": "healthy", "s": "sick", "u": "unsure"}
FIT_S = 20_000
LEAST_MS = 110
"""Keys that come sooner after an item appeared are ignored: they were meant for the one before."""


def make_task(site: Site, kind: str = "sequence", **settings: Any) -> int:
    """A task of 36 boxes in nine frames each, or of the four whole frames."""
    grid = [(y, x) for y in (0, 64, 128) for x in (0, 64, 128)]
    rows = [
        {"image": image, "t": 1, "y0": y, "x0": x, "y1": y + 64, "x1": x + 64}
        for image in site.study.fields()["image"]
        for y, x in (grid if kind != "cells" else grid[:1])
    ]
    items = pd.DataFrame(rows).assign(frames=9 if kind == "sequence" else 1, truth=None, part=None)
    made = TaskSettings.model_validate({"tags": ("debris",), "repeats": 0, **settings})
    return site.answers.make_task("Well or not", kind, ["healthy", "sick"], items, made)


def opened(page: "Page", site: Site, task: int) -> "Page":
    """The page of a task, once its first item is shown."""
    page.goto(f"{site.address}/annotate/{task}")
    page.locator("#progress", has_text="Item").wait_for(timeout=FIT_S)
    return page


def saved(page: "Page") -> None:
    """Wait until the page says that all is saved."""
    page.locator('#saving[data-state="good"]').wait_for(timeout=FIT_S)
    page.locator("#saving", has_text="All saved.").wait_for(timeout=FIT_S)


def press(page: "Page", keys: str, given: int = 0) -> int:
    """Press keys of answers, each once its item is shown; how many answers there are then."""
    for key in keys:
        page.wait_for_timeout(LEAST_MS)
        page.keyboard.press(key)
        given += -1 if key == "z" else 1
        page.locator("#progress", has_text=f"You have given {given} answer").wait_for(timeout=FIT_S)
    return given


def pressed(keys: str) -> list[str]:
    """The answers that stand after these keys, in order."""
    left: list[str] = []
    for key in keys:
        if key == "z":
            left.pop()
        else:
            left.append(NAMES[key])
    return left


@pytest.mark.long
def test_answers_by_keyboard_are_those_of_the_table(signed_in: "Page", served: Site) -> None:
    """What was pressed stands in the table in its order; undo, note, tag, death and reload work."""
    task, keys = make_task(served), "hsuzzshhs"
    page = opened(signed_in, served, task)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.headers}"))
    given = press(page, keys)
    page.wait_for_timeout(LEAST_MS)
    for key in ("ArrowRight", "d", "t", "1", "n"):
        page.keyboard.press(key)
    page.keyboard.type("seen")
    page.keyboard.press("Escape")
    given = press(page, "s", given)
    saved(page)
    opened(page, served, task)  # the page is loaded again: undo goes on where it was
    press(page, "zzhu", given)
    saved(page)
    table = served.answers.answers(task)
    assert table["answer"].tolist() == pressed(keys + "szzhu")
    both = served.answers.answers(task, withdrawn=True)
    marked = both[both["note"] == "seen"].iloc[0]
    assert marked["tags"] == "debris"
    assert 1 <= marked["death_t"] <= 9
    assert (table["seconds"] >= 0).all()
    names = {name for c in ("image", "well") for name in served.study.fields()[c].dropna()}
    assert not [each for each in asked if any(f"{name}." in each for name in names)]


@pytest.mark.long
def test_every_control_has_a_name_and_is_reached_by_tab(signed_in: "Page", served: Site) -> None:
    """All that can be clicked can be reached by the tab key, and says what it is."""
    page = opened(signed_in, served, make_task(served))
    controls = page.locator("button:visible, a:visible, input:visible, textarea:visible, canvas")
    nameless = [
        each.evaluate("e => e.outerHTML")
        for each in controls.all()
        if not each.evaluate(
            "e => e.getAttribute('aria-label') || e.innerText?.trim()"
            " || [...(e.labels || [])].map(l => l.innerText).join('')"
        )
    ]
    assert nameless == []
    within = page.locator("main").locator(
        "button:visible, input:visible, textarea:visible, canvas, a:visible"
    )
    wanted = within.count()
    page.locator("#main").focus()
    reached = set()
    for _ in range(wanted + 3):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.closest('main') ? [...document"
                ".querySelectorAll('*')].indexOf(document.activeElement) : -1"
            )
        )
    assert len(reached - {-1}) == wanted
    assert page.locator('[aria-live="polite"], [role="status"]').count() >= 2


@pytest.mark.long
def test_a_server_that_fails_loses_nothing(signed_in: "Page", served: Site) -> None:
    """Answers given while the server is away are said to be unsaved, and come when it is back."""
    task, page = make_task(served), signed_in
    opened(page, served, task)
    given = press(page, "h")
    saved(page)
    page.route("**/answers", lambda route: route.abort())
    given = press(page, "shs", given)
    page.locator("#saving", has_text="3 not saved: the server does not answer").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())  # leaving warns
    opened(page, served, task)
    page.locator("#saving", has_text="3 not saved").wait_for(timeout=FIT_S)
    assert len(served.answers.answers(task)) == 1
    page.unroute("**/answers")
    saved(page)
    assert served.answers.answers(task)["answer"].tolist() == ["healthy", "sick", "healthy", "sick"]
    assert served.answers.answers(task)["item"].is_unique


@pytest.mark.long
def test_the_next_item_does_not_wait_for_the_server(signed_in: "Page", served: Site) -> None:
    """While an answer is on its way the next items are shown and can be answered."""
    task, held = make_task(served), list["Route"]()
    page = opened(signed_in, served, task)
    page.route("**/answers", lambda route: held.append(route))
    press(page, "hsh")
    page.locator("#saving", has_text="3 being saved").wait_for()
    assert served.answers.answers(task).empty
    held[0].continue_()
    page.unroute("**/answers")
    saved(page)
    assert served.answers.answers(task)["answer"].tolist() == ["healthy", "sick", "healthy"]


@pytest.mark.long
def test_only_what_was_seen_is_answered(signed_in: "Page", served: Site) -> None:
    """Keys that are pressed while an image is on its way, or that bounce, answer nothing."""
    task, held, free = make_task(served), list["Route"](), False
    signed_in.route("**/pixels", lambda route: route.continue_() if free else held.append(route))
    signed_in.goto(f"{served.address}/annotate/{task}")
    signed_in.locator("#cover", has_text="Loading").wait_for()
    signed_in.keyboard.press("h")
    free = True
    for route in held:
        route.continue_()
    signed_in.locator("#progress", has_text="Item 1").wait_for(timeout=FIT_S)
    signed_in.wait_for_timeout(LEAST_MS)
    signed_in.evaluate(
        "for (let n = 0; n < 3; n += 1)"
        " document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 's', bubbles: true}))"
    )
    signed_in.locator("#progress", has_text="You have given 1 answer").wait_for(timeout=FIT_S)
    saved(signed_in)
    assert served.answers.answers(task)["answer"].tolist() == ["sick"]


@pytest.mark.long
def test_a_refused_answer_is_told_and_holds_up_no_other(signed_in: "Page", served: Site) -> None:
    """An answer that the server will never take is named; those after it are saved."""
    task = make_task(served)
    page = opened(signed_in, served, task)

    def refuse(route: "Route") -> None:
        if '"healthy"' in (route.request.post_data or ""):
            route.fulfill(status=422, json={"error": "setting", "message": "No such class."})
        else:
            route.continue_()

    page.route("**/answers", refuse)
    press(page, "hs")
    page.locator("#saving", has_text="1 answer refused: No such class.").wait_for()
    page.locator("#forget").click()
    saved(page)
    assert served.answers.answers(task)["answer"].tolist() == ["sick"]


@pytest.mark.long
def test_cells_are_marked_by_mouse_and_by_keyboard(signed_in: "Page", served: Site) -> None:
    """Clicks are points, drags boxes, arrows move a cross-hair; Enter sends all of them."""
    task = make_task(served, "cells")
    page = opened(signed_in, served, task)
    box = page.locator("#stage canvas").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(*middle)
    page.keyboard.press("s")
    page.mouse.move(middle[0] - 100, middle[1] - 100)
    page.mouse.down()
    page.mouse.move(middle[0] - 50, middle[1] - 40, steps=3)
    page.mouse.up()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", ".", "ArrowUp", "ArrowUp", ".", "z"):
        page.keyboard.press(key)
    page.locator("#marks caption", has_text="1 healthy, 2 sick").wait_for()
    page.wait_for_timeout(LEAST_MS)
    page.keyboard.press("Enter")
    page.locator("#progress", has_text="You have given 1 answer").wait_for(timeout=FIT_S)
    saved(page)
    answer, _, item = served.answers.standing(task, 1, 1)[0]
    assert answer.marks is not None
    assert [mark["class"] for mark in answer.marks] == ["healthy", "sick", "sick"]
    point, drawn, placed = answer.marks
    assert point["y"] == pytest.approx(32, abs=1)
    assert drawn["y1"] - drawn["y"] == pytest.approx(60 * 64 / box["height"], abs=1)
    assert placed["y"] < 32 < placed["x"]
    page.keyboard.press("z")  # nothing is marked yet in the new image: the answer is taken back
    page.locator("#marks caption", has_text="1 healthy, 2 sick").wait_for()
    assert item.image


@contextmanager
def serving(study: Study, port: int) -> Iterator[tuple[Site, Callable[[], None]]]:
    """A server of a study on a port (0 for any), and what stops it."""
    settings = ServeSettings(port=port)
    with listening(settings.host, port) as bound:
        site = site_for(study, settings, bound.getsockname()[1])
        listens = threading.Event()
        server = server_of(site, settings, listens.set)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        assert listens.wait(60)

        def stop() -> None:
            server.should_exit = True
            thread.join(60)

        yield site, stop
        stop()
        site.close()


@pytest.mark.long
def test_two_people_and_a_server_that_stops(chromium: "Browser", own_study: Study) -> None:
    """Thirty sequences by keyboard with undoes; the server stops in between and nothing is lost;
    of a second person's items every fifth is one of the first's."""
    keys = "hshuszhhzzsshhsuhhssuhzhhsshhuhsshhsshhu"
    while len(pressed(keys)) < 30:
        keys += "hs"[len(keys) % 2]
    context = chromium.new_context()
    page = context.new_page()
    with serving(own_study, 0) as (site, stop):
        port = int(site.address.rpartition(":")[2])
        task = make_task(site)
        page.goto(site.link)
        opened(page, site, task)
        given = press(page, keys[:20])
        saved(page)
        stop()
        given = press(page, keys[20:24], given)
        page.locator("#saving", has_text="not saved: the server does not answer").wait_for()
    with serving(own_study, port) as (site, _):
        saved(page)
        given = press(page, keys[24:], given)
        saved(page)
        table = site.answers.answers(task)
        assert table["answer"].tolist() == pressed(keys)
        assert len(table) == given
        first = set(table["item"])
        token = _second(site)
        other = chromium.new_context()
        other.add_cookies([{"name": site.cookie, "value": token, "url": site.address}])
        press(opened(other.new_page(), site, task), "hshshshshshshshshshs")
        saved(other.pages[0])
        both = site.answers.answers(task)
        its = both[both["person"] == "Bob"].reset_index(drop=True)
        shared = its[its["reason"] == "shared"]
        assert len(its) == 20
        assert len(shared) == 4
        assert set(shared["item"]) <= first
        other.close()
    context.close()


def _second(site: Site) -> str:
    from livewell.answers.tables import Person
    from livewell.web.security import sign_in

    with site.database.session() as session:
        person = Person(name="Bob", password=None, role="expert", created=0.0)
        session.add(person)
        session.flush()
        number = person.id
    return sign_in(site, number)
