"""A small study, its site, clients that are signed in, a real server, a real browser."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from anyio.from_thread import start_blocking_portal
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from livewell.answers.database import Database
from livewell.answers.tables import Person
from livewell.simulate.culture import CultureSpec
from livewell.study.study import Study
from livewell.web import people
from livewell.web.addresses import listening
from livewell.web.app import create_app
from livewell.web.security import sign_in, who
from livewell.web.serving import ServeSettings, server_of, site_for
from livewell.web.site import Site
from livewell.workflows.index import index
from livewell.workflows.simulate import simulate_culture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SPEC = CultureSpec(
    doses_s=(0.0, 80.0),
    wells_per_dose=2,
    positions_per_well=1,
    frames=12,
    height_px=256,
    width_px=256,
    cells=8.0,
)
"""Four wells of one movie of twelve frames, two of them dosed."""
Client = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost little, so that tests do."""
    quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(people, "HASHER", quick)
    monkeypatch.setattr(people, "_UNKNOWN", quick.hash("unknown"))


@pytest.fixture(scope="session")
def culture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated plate (``images``, ``plate.csv``, ``images.csv``, ``truth.parquet``)."""
    folder = tmp_path_factory.mktemp("culture") / "plate"
    simulate_culture(SPEC, folder, workers=1)
    return folder


@pytest.fixture(scope="session")
def study(culture: Path) -> Study:
    """The study of that plate, shared by all tests; what changes it takes `own_study`."""
    folder = culture.parent / "study"
    return index(culture / "images", folder, metadata=culture / "images.csv").study


@pytest.fixture
def own_study(study: Study, tmp_path: Path) -> Study:
    """A copy of the study's folder of this test's own; images are shared."""
    shutil.copytree(
        study.folder, tmp_path / "study", ignore=shutil.ignore_patterns("site", "cache")
    )
    return Study.open(tmp_path / "study")


@pytest.fixture
def site(own_study: Study) -> Iterator[Site]:
    """The site of a study, with a database of its own and nobody in it."""
    made = Site(own_study, Database.of_study(own_study.folder))
    yield made
    made.close()


@pytest.fixture
def app(site: Site) -> Iterator[FastAPI]:
    """The site as an application, in this process."""
    made = create_app(site)
    yield made
    made.state.log.close()


@pytest.fixture
def client(site: Site, app: FastAPI) -> Iterator[Client]:
    """Makes clients: ``client("expert")``, signed in and with the CSRF header set.

    ``client("expert", "Ada")`` names the person, one that exists or a new one; ``client(None)`` is
    nobody. `person_id` of the client is the person's number.
    """
    with ExitStack() as opened:
        portal = opened.enter_context(start_blocking_portal())

        def make(role: str | None, name: str | None = None) -> TestClient:
            made = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
            opened.callback(made.close)
            made.portal = portal  # one thread for all clients
            if role is not None:
                enter(made, site, app, add_person(site, name or role, role))
            return made

        yield make


def add_person(site: Site, name: str, role: str) -> int:
    """Number of the person of this name, made where there is none."""
    from sqlalchemy import select

    with site.database.session() as session:
        person = session.scalar(select(Person).where(Person.name == name))
        if person is None:
            person = Person(name=name, password=None, role=role, created=0.0)
            session.add(person)
            session.flush()
        return person.id


def enter(client: TestClient, site: Site, app: FastAPI, person: int) -> None:
    """Sign a client in."""
    from starlette.requests import Request

    token = sign_in(site, person)
    client.cookies.set(site.cookie, token)
    headers = [(b"cookie", f"{site.cookie}={token}".encode())]
    known = asyncio.run(who(Request({"type": "http", "app": app, "headers": headers})))
    assert known is not None
    client.headers["x-csrf-token"] = known.csrf
    client.person_id = person  # type: ignore[attr-defined]


@pytest.fixture
def served(own_study: Study) -> Iterator[Site]:
    """A site on a real server on a free port; `address` and `link` lead to it."""
    settings = ServeSettings(port=0, owner="owner")
    with listening(settings.host, 0) as bound:
        site = site_for(own_study, settings, bound.getsockname()[1])
        listens = threading.Event()
        server = server_of(site, settings, listens.set)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        assert listens.wait(60)
        yield site
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
        site.close()


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """The system's Chromium, one for all tests of a file: while it runs so does an event loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: "Browser") -> "Iterator[Page]":
    """A page of a fresh Chromium; at the end no script has failed and no policy was broken."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def signed_in(browser: "Page", served: Site) -> "Page":
    """That browser after it opened the link of `served`: its owner is signed in."""
    browser.goto(served.link)
    browser.wait_for_url(f"{served.address}/")
    return browser
