"""A task from the form to labels, in a real browser, and every page of it by keyboard."""

from typing import TYPE_CHECKING

import pytest

from livewell.web.site import Site
from tests.web.test_annotating import FIT_S, opened, press, saved

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMELESS = (
    "[...document.querySelectorAll('main button, main a, main input, main select, main textarea,"
    " main iframe')].filter(e => e.type !== 'hidden' && e.checkVisibility()"
    " && !(e.getAttribute('aria-label') || e.title || e.innerText?.trim()"
    " || [...(e.labels || [])].map(l => l.innerText).join('').trim())).map(e => e.outerHTML)"
)


@pytest.mark.long
def test_a_task_is_made_answered_and_becomes_labels(signed_in: "Page", served: Site) -> None:
    """An owner fills in the form, answers what it gave, and makes labels of the answers; sizes are
    told in micrometres, and all that can be used has a name."""
    page = signed_in
    page.goto(f"{served.address}/tasks/new")
    page.get_by_label("Name", exact=True).fill("Well?")
    page.get_by_label("Edge of the box, px", exact=True).fill("64")
    page.locator("#size-um", has_text="64 px are").wait_for()
    page.get_by_label("How many items").fill("12")
    page.get_by_role("radio", name="Patches").check()
    assert page.get_by_label("Frames of a sequence").is_disabled()
    assert page.evaluate(NAMELESS) == []
    page.get_by_role("button", name="Make the task").click()
    page.locator("main", has_text="The task was made").wait_for(timeout=FIT_S)
    assert page.evaluate(NAMELESS) == []
    task = served.answers.tasks()[0].id
    press(opened(page, served, task), "hshshs")
    saved(page)
    page.goto(f"{served.address}/annotate")
    page.get_by_role("link", name="Answers of Well?").click()
    page.get_by_label("Name of the labels").fill("mine")
    page.get_by_role("button", name="Make labels").click()
    page.locator("main", has_text="were made").wait_for(timeout=FIT_S)
    assert page.evaluate(NAMELESS) == []
    labels = served.study.labels("mine")
    assert labels["label"].value_counts().to_dict() == {"healthy": 3, "sick": 3}
    page.goto(f"{served.address}/agreement/{task}")
    page.frame_locator("iframe").locator("body", has_text="Well?").wait_for(timeout=FIT_S)
    assert page.evaluate(NAMELESS) == []


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 380])
def test_no_page_is_wider_than_its_window(signed_in: "Page", served: Site, width: int) -> None:
    """On a narrow screen nothing lies beyond its edge."""
    from tests.web.test_annotating import make_task

    page, task = signed_in, make_task(served)
    page.set_viewport_size({"width": width, "height": 780})
    for address in (
        "/annotate",
        f"/annotate/{task}",
        "/tasks/new",
        f"/tasks/{task}",
        f"/exports/{task}",
        "/agreement",
        f"/agreement/{task}",
    ):
        page.goto(f"{served.address}{address}")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, address
