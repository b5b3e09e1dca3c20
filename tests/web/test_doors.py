"""The site opens by its link, in this process and in a real browser."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.testclient import TestClient

from livewell.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

Client = Callable[..., TestClient]


def test_link_signs_in(client: Client, site: Site) -> None:
    """Who opens the printed link is signed in; who guesses one is told that it is not valid."""
    nobody = client(None)
    assert nobody.get("/account").status_code in (401, 404)
    assert nobody.get("/open/guess").status_code == 404
    assert nobody.get(f"/open/{site.key}").status_code == 200
    assert nobody.cookies.get(site.cookie)


def test_link_signs_in_in_chromium(signed_in: "Page") -> None:
    """In a real browser the link leads on to the first page, with the owner's name and pages."""
    assert signed_in.get_by_role("button", name="Sign out").is_visible()
    assert signed_in.get_by_role("link", name="People").is_visible()
