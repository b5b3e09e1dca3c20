"""People in a real browser: the link, invitations, signing in and out; hostile names."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from livewell.answers.tables import Person
from livewell.web import people
from livewell.web.serving import REDIRECT
from livewell.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GOOD = "four words put together"


def person_in(page: "Page") -> str:
    """Whose name the page shows at its top."""
    return page.locator(".who a").inner_text()


@pytest.mark.long
def test_link_signs_in_from_anywhere(
    browser: "Page", served: Site, tmp_path: Path, chromium: "Browser"
) -> None:
    """The link works typed in, again after the browser was closed, from a file and from a page of
    another site, though the cookie is for this site alone."""
    for way in ("typed", "file", "other site"):
        context = chromium.new_context()
        page = context.new_page()
        if way == "typed":
            page.goto(served.link)
        elif way == "file":
            (tmp_path / "open.html").write_text(REDIRECT.format(link=served.link))
            page.goto((tmp_path / "open.html").as_uri())
        else:
            other = served.address.replace("127.0.0.1", "localhost")
            page.route(
                f"{other}/elsewhere",
                lambda route: route.fulfill(
                    content_type="text/html", body=f'<a href="{served.link}">in</a>'
                ),
            )
            page.goto(f"{other}/elsewhere")
            page.get_by_role("link", name="in").click()
        page.wait_for_url(f"{served.address}/")
        assert person_in(page) == "owner", way
        context.close()


@pytest.mark.long
def test_invite_accept_sign_out_sign_in(
    signed_in: "Page", served: Site, chromium: "Browser"
) -> None:
    """An owner invites by the page, the guest chooses name and password, signs out and in again,
    all by keyboard; the owner switches the account off, and it is out."""
    owner = signed_in
    owner.goto(f"{served.address}/people")
    owner.get_by_label("viewer").check()
    owner.get_by_role("button", name="Make a link").press("Enter")
    link = owner.locator(".link").inner_text()
    context = chromium.new_context()
    guest = context.new_page()
    guest.goto(link)
    guest.get_by_label("Name").fill("Ada")
    guest.keyboard.press("Tab")
    guest.keyboard.type(GOOD)
    guest.keyboard.press("Enter")
    guest.wait_for_url(f"{served.address}/")
    assert person_in(guest) == "Ada"
    assert guest.get_by_role("link", name="People").count() == 0
    assert guest.evaluate("document.cookie") == "", "scripts see no cookie"
    guest.get_by_role("button", name="Sign out").click()
    guest.get_by_label("Name").fill("ada")
    guest.get_by_label("Password").fill("a wrong password")
    guest.keyboard.press("Enter")
    assert "not right" in guest.get_by_role("alert").inner_text()
    guest.get_by_label("Password").fill(GOOD)
    guest.keyboard.press("Enter")
    guest.wait_for_url(f"{served.address}/")
    owner.goto(f"{served.address}/people")
    owner.get_by_role("button", name="Switch off the account of Ada").click()
    assert owner.get_by_text("switched off").is_visible()
    guest.goto(f"{served.address}/account")
    assert guest.get_by_role("heading", name="Sign in").is_visible()
    context.close()


@pytest.mark.long
def test_after_signing_out_nothing_is_left(signed_in: "Page", served: Site) -> None:
    """Going back after signing out shows no page of the study."""
    signed_in.goto(f"{served.address}/people")
    assert signed_in.get_by_role("heading", name="Invite somebody").is_visible()
    signed_in.get_by_role("button", name="Sign out").click()
    signed_in.wait_for_url(f"{served.address}/sign-in")
    signed_in.go_back()
    signed_in.wait_for_load_state()
    assert signed_in.get_by_role("heading", name="Invite somebody").count() == 0


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 380])
def test_pages_fit_their_window(signed_in: "Page", served: Site, width: int) -> None:
    """No page of accounts is wider than the window, also where names are long."""
    with served.database.session() as session:
        session.add(Person(name="x" * 60, password=None, role="expert", created=0))
    signed_in.set_viewport_size({"width": width, "height": 700})
    invitation = people.invite(served.database, 1, "expert")
    for path in ("/people", "/account", "/nothing", f"/invite/{invitation}", "/sign-in"):
        signed_in.goto(served.address + path)
        wide = signed_in.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
        small = signed_in.evaluate(
            "[...document.querySelectorAll('button, nav a, select, input:not([type=hidden])')]"
            ".filter(e => e.getBoundingClientRect().height < 44"
            " && !e.closest('label')?.matches('.inline')).map(e => e.outerHTML)"
        )
        assert small == [], path


@pytest.mark.long
def test_hostile_names_run_nothing(signed_in: "Page", served: Site) -> None:
    """Script in names of people is shown as text: nothing runs, no policy has to stop it."""
    names = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<svg/onload=alert(1)>")
    with served.database.session() as session:
        for name in names:
            session.add(Person(name=name, password=None, role="expert", created=0))
    asked: list[str] = []
    signed_in.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    signed_in.goto(f"{served.address}/people")
    for name in names:
        assert signed_in.get_by_role("rowheader", name=name, exact=True).is_visible()
    assert asked == []
    assert (
        signed_in.evaluate("document.querySelectorAll('main script, main img, main svg').length")
        == 0
    )
