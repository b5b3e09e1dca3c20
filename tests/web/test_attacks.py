"""Attacks on the site are refused and logged, and nothing leaks."""

import errno
import importlib
import pkgutil
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import event
from starlette.testclient import TestClient

import livewell.web.pages
from livewell.answers.tables import ROLES
from livewell.errors import ImageReadError, OutputError, SpecError
from livewell.web import people, security
from livewell.web.gate import BODY_BYTES
from livewell.web.limits import LONGEST_S, Limits
from livewell.web.security import Viewer
from livewell.web.site import Site

Client = Callable[..., TestClient]
GOOD = "four words put together"
PUBLIC = {
    "/open/{key}": {"GET", "POST"},
    "/sign-in": {"GET", "POST"},
    "/invite/{token}": {"GET", "POST"},
}
"""All that needs no sign-in, beside files of styles and scripts."""


def routes() -> Iterator[tuple[str, str]]:
    """Method and address of every route of every page."""
    for found in pkgutil.iter_modules(livewell.web.pages.__path__):
        module = importlib.import_module(f"livewell.web.pages.{found.name}")
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            for method in route.methods:
                yield method, route.path


GUARDED = sorted(each for each in routes() if each[0] not in PUBLIC.get(each[1], ()))


def filled(path: str) -> str:
    """An address with something for each of its parameters."""
    return re.sub(r"\{[^}]+\}", "1", path)


@pytest.fixture
def logged(site: Site, app: FastAPI) -> Callable[[], str]:
    """Closes the site's log and reads it."""

    def read() -> str:
        app.state.log.close()
        return (site.folder / "site.log").read_text("utf-8")

    return read


def test_every_route_needs_a_sign_in(client: Client, app: FastAPI) -> None:
    """Without a sign-in, or with a made-up one, every route but the public ones says 401."""
    nobody, stranger = client(None), client(None)
    stranger.cookies.set(app.state.site.cookie, "x" * 43)
    for method, path in GUARDED:
        for who in (nobody, stranger):
            assert who.request(method, filled(path)).status_code == 401, (method, path)
    assert nobody.get("/openapi.json").status_code == 401
    assert client("expert").get("/openapi.json").status_code == 403
    named = {path for _, path in routes()}
    described = client("owner").get("/openapi.json").json()["paths"]
    assert set(described) <= named, "no route but those of pages"


def test_every_change_needs_its_token(client: Client) -> None:
    """A request that changes something and lacks the session's token is refused before its body
    is looked at; the token of another session does not help."""
    owner, other = client("owner"), client("owner", "another owner")
    del owner.headers["x-csrf-token"]
    wrong = ({}, {"x-csrf-token": ""}, {"x-csrf-token": other.headers["x-csrf-token"]})
    changes = [each for each in GUARDED if each[0] not in ("GET", "HEAD")]
    assert len(changes) >= 6
    for method, path in changes:
        for headers in wrong:
            made = owner.request(method, filled(path), headers=headers)
            assert made.status_code == 403, (method, path, headers)
        form = owner.request(method, filled(path), data={"csrf": "guess"})
        assert form.status_code == 403, (method, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1.evil.example"},
    ],
    ids=str,
)
def test_changes_from_other_sites_are_refused(client: Client, headers: dict[str, str]) -> None:
    """What a browser says comes from another site or port changes nothing, even with a token."""
    made = client("owner").post("/people/invite", data={"role": "owner"}, headers=headers)
    assert made.status_code == 403
    form = {"name": "owner", "password": GOOD}
    assert client(None).post("/sign-in", data=form, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
    ],
    ids=str,
)
def test_changes_from_own_pages_are_heard(client: Client, headers: dict[str, str]) -> None:
    """What comes from a page of the site itself is heard."""
    made = client("owner").post("/people/invite", data={"role": "expert"}, headers=headers)
    assert made.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example", "[::1", "10.0.0.1"],
)
def test_other_names_of_the_host_are_refused(client: Client, host: str) -> None:
    """A name server that leads a stranger's name to this machine gets nothing (DNS rebinding)."""
    refused = client("owner").get("/people", headers={"host": host})
    assert refused.status_code == 400
    assert "owner" not in refused.text.replace("Its owner can", "")


@pytest.mark.parametrize(
    "guess", ["99", "-1", "9" * 30, "1e9", "NaN", "%00", "%ff", "..%2f1", "1'--", "' OR 1=1", "*"]
)
def test_guessed_numbers_find_nothing(client: Client, guess: str) -> None:
    """Numbers and names that are none, or too large for a database, are refused in words."""
    owner = client("owner")
    for method, path in GUARDED:
        if "{" in path:
            answer = owner.request(method, re.sub(r"\{[^}]+\}", guess, path))
            assert 400 <= answer.status_code < 500 or "location" in answer.headers, (method, path)
            assert "Traceback" not in answer.text


def test_sign_in_expires(client: Client, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in ends by itself after its days."""
    owner = client("owner")
    now = security.time.time()
    monkeypatch.setattr(security.time, "time", lambda: now + security.DAYS * 86400 - 5)
    assert owner.get("/account").status_code == 200
    monkeypatch.setattr(security.time, "time", lambda: now + security.DAYS * 86400 + 5)
    assert owner.get("/account").status_code == 401


def test_roles(client: Client) -> None:
    """Viewers and experts invite nobody and change nobody."""
    for role in ROLES[:2]:
        who = client(role)
        for method, path in GUARDED:
            if path.startswith(("/people", "/invitations")):
                assert who.request(method, filled(path)).status_code == 403, (role, method, path)


def test_sign_in_takes_no_token_from_outside(client: Client, site: Site) -> None:
    """A token that was there before the sign-in, whoever made it, is not the one after it."""
    people.make_owner(site.database, "Ada", GOOD)
    for planted in ("planted", client("viewer").cookies[site.cookie]):
        browser = client(None)
        browser.cookies.set(site.cookie, planted)
        browser.cookies.clear()
        headers = {"cookie": f"{site.cookie}={planted}"}
        made = browser.post("/sign-in", data={"name": "Ada", "password": GOOD}, headers=headers)
        assert made.status_code == 303
        given = made.cookies[site.cookie]
        assert given != planted
        stale = client(None).get("/account", headers=headers)
        assert stale.status_code == 401, "what was planted ends"


def test_cookie_is_kept_from_scripts_and_other_sites(client: Client, site: Site) -> None:
    """The sign-in's cookie is HttpOnly, SameSite=Strict, and Secure where there is https."""
    given = client(None).get(f"/open/{site.key}").headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert "Secure" not in given
    assert "Domain" not in given
    from dataclasses import replace

    https = replace(site, address="https://cells.example.org")
    assert https.cookie.startswith("__Host-")


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/account\r\nSet-Cookie: a=b",
        "/%0d%0aSet-Cookie:a=b",
        "",
        "/\u202eaccount",
    ],
)
def test_sign_in_leads_nowhere_else(client: Client, site: Site, onward: str) -> None:
    """What the form says about where to go on stays on the site and makes no header."""
    people.make_owner(site.database, "Ada", GOOD)
    form = {"name": "Ada", "password": GOOD, "next": onward}
    made = client(None).post("/sign-in", data=form)
    assert made.status_code == 303
    assert made.headers["location"] in ("/", "/%0d%0aSet-Cookie:a=b")
    assert len(made.headers.get_list("set-cookie")) == 1


@pytest.mark.long
def test_thousand_wrong_passwords(
    client: Client,
    site: Site,
    app: FastAPI,
    logged: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a few wrong passwords tries are refused unheard, and logged; the owner waits a little
    and is let in."""
    now = 0.0
    limits = Limits(lambda: now)
    app.state.limits = limits
    people.make_owner(site.database, "Ada", GOOD)
    heard: list[str] = []
    monkeypatch.setattr(people, "fits", lambda kept, password: bool(heard.append(password)))
    attacker = client(None)
    codes = [
        attacker.post("/sign-in", data={"name": "ada", "password": f"guess {n}"}).status_code
        for n in range(1000)
    ]
    assert codes[:5] == [401] * 5
    assert set(codes[5:]) == {429}
    assert len(heard) == 5
    monkeypatch.undo()
    now += LONGEST_S
    assert client(None).post("/sign-in", data={"name": "Ada", "password": GOOD}).status_code == 303
    assert logged().count("POST /sign-in 429") == 995


def test_guessing_names_and_links_is_slowed_down(client: Client, app: FastAPI) -> None:
    """Many names or links tried from one address are refused as well."""
    app.state.limits = Limits(lambda: 0.0)
    guesser = client(None)
    codes = [guesser.get(f"/invite/guess{n}").status_code for n in range(60)]
    assert codes == [404] * 50 + [429] * 10
    form = {"name": "nobody", "password": "guess"}
    assert guesser.post("/sign-in", data=form).status_code == 429
    assert guesser.get("/open/guess").status_code == 429


def test_unknown_names_cost_as_much_work(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a name exists cannot be told from answers or from work done."""
    seen = []
    real = people.HASHER.verify
    monkeypatch.setattr(
        type(people.HASHER), "verify", lambda self, *words: seen.append(words[0]) or real(*words)
    )
    client("viewer", "Without password")
    texts = {
        client(None)
        .post("/sign-in", data={"name": name, "password": "guess"})
        .text.replace(name, "")
        for name in ("Nobody at all", "Without password")
    }
    assert len(texts) == 1
    assert len(seen) == 2


INJECTIONS = [
    "'; DROP TABLE people; --",
    '" OR 1=1 --',
    "<script>alert(1)</script>",
    "<svg onload=alert(1)>",
    "{{ 7 * 7 }}",
    "%s %(x)s {0}",
    "../../etc/passwd",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_names_are_only_text(client: Client, site: Site, text: str) -> None:
    """SQL, script and templates in names are shown as they were written, and do nothing."""
    client("expert", text)
    page = client("owner").get("/people").text
    assert text not in page or "<" not in text
    import html

    assert text in html.unescape(page)
    assert [each.name for each in people.people(site.database)] == [text, "owner"]
    made = client(None).post("/sign-in", data={"name": text, "password": text})
    assert made.status_code == 401


HEAD = "Host: 127.0.0.1\r\nConnection: close\r\n"


def raw(site: Site, request: bytes) -> bytes:
    """What the server answers to these bytes."""
    host, port = site.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request)
        got = b""
        while part := connection.recv(65536):
            got += part
        return got


PATHS = [
    "/static/../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2fapp.py",
    "/static/..%5capp.py",
    "/static/%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd",
    "/static//etc/passwd",
    "/static/%00",
    "/static/site.css%00.png",
    "//etc/passwd",
    "/static/%ff%fe",
    "/static/" + "a" * 5000,
    "/%2e%2e/%2e%2e/site/answers.sqlite",
    "/site/answers.sqlite",
    "http://evil.example/people",
]


def test_paths_lead_nowhere_else(served: Site) -> None:
    """Dots, encoded dots, absolute paths and NUL reach no file, in bytes sent to a real server."""
    for path in PATHS:
        got = raw(served, f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode())
        assert re.match(rb"HTTP/1.1 (4\d\d)", got), path
        assert b"create_app" not in got, path
        assert b"root:" not in got, path
        assert b"Traceback" not in got, path
        assert str(served.study.folder).encode() not in got


def test_oversized_request_is_refused_while_it_streams(served: Site) -> None:
    """A body over the limit gets 413, announced or not, before it has ended."""
    kind = "application/x-www-form-urlencoded"
    head = f"POST /sign-in HTTP/1.1\r\n{HEAD}Content-Type: {kind}\r\n".encode()
    told = raw(served, head + b"Content-Length: 999999999999\r\n\r\nname=a")
    assert told.startswith(b"HTTP/1.1 413")
    chunk = f"{BODY_BYTES + 1:x}\r\n".encode() + b"a" * (BODY_BYTES + 1)
    streamed = raw(served, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert streamed.startswith(b"HTTP/1.1 413")


def test_only_owners_send_large_files(client: Client) -> None:
    """Where answers are imported, owners may send more than elsewhere, and nobody else."""
    file = {"file": ("answers.csv", b"x" * (BODY_BYTES + 1))}
    codes = [
        client(role).post("/answers/import/1", files=file).status_code
        for role in (None, "viewer", "expert", "owner")
    ]
    assert codes == [413, 413, 413, 404]


def test_headers_of_every_answer(client: Client) -> None:
    """Pages, refusals and files carry the policy; pages are never kept, files for ever."""
    owner, nobody = client("owner"), client(None)
    page = owner.get("/people")
    address = re.search(r'href="(/static/[^"]+\.css)"', page.text)
    assert address
    style = nobody.get(address[1])
    answers = [page, style, nobody.get("/people"), owner.get("/none"), owner.delete("/people")]
    answers.append(owner.get("/people", headers={"host": "evil.example"}))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert nobody.get("/static/site.css").headers["cache-control"] == "no-cache"
    assert [answer.status_code for answer in answers] == [200, 200, 401, 404, 405, 400]


def test_refusals_are_pages_for_people_and_json_for_scripts(client: Client) -> None:
    """A browser gets a page in words, a script an object; 401 is the form to sign in."""
    nobody, owner = client(None), client("owner")
    html = {"accept": "text/html"}
    assert "<h1>Sign in</h1>" in nobody.get("/people", headers=html).text
    assert "<h1>Nothing here</h1>" in owner.get("/none", headers=html).text
    assert nobody.get("/people").json() == {"error": "sign-in", "message": "Sign in first."}
    made = owner.post("/people/invite", data={"hours": "soon"})
    assert made.status_code == 422
    assert made.json()["message"].startswith("hours: ")


def test_errors_tell_owners_what_and_others_no_paths(
    client: Client, site: Site, app: FastAPI, logged: Callable[[], str]
) -> None:
    """Owners hear which file fails; others hear what to do; nobody sees the program's insides."""

    def full(person: Viewer) -> None:
        raise OutputError("no room is left", where=str(site.folder / "x"), remedy="free room")

    def bare(person: Viewer) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(site.folder / "x"))

    def wrong(person: Viewer) -> None:
        raise SpecError("no such thing", where="task", got=f"{site.study.root}/a.tif")

    def fault(person: Viewer) -> None:
        raise ZeroDivisionError("secret of the program")

    for name, function in (("full", full), ("bare", bare), ("wrong", wrong), ("fault", fault)):
        app.add_api_route(f"/{name}", function)
    owner, viewer = client("owner"), client("viewer")
    assert str(site.folder / "x") in owner.get("/full").json()["message"]
    codes = {}
    for name in ("full", "bare", "wrong", "fault"):
        made = viewer.get(f"/{name}")
        codes[name] = made.status_code
        assert str(site.study.folder) not in made.text
        assert str(site.study.root) not in made.text
        assert "secret" not in made.text
    assert codes == {"full": 503, "bare": 503, "wrong": 422, "fault": 500}
    assert "free room" in viewer.get("/full").json()["message"].lower()
    assert "FAULT" in (text := logged())
    assert "secret of the program" in text


def test_errors_of_images_tell_nobody_blind_which_one(client: Client, app: FastAPI) -> None:
    """Who answers without knowing what they see hears no name of a file, whatever fails."""

    def unreadable(person: Viewer) -> None:
        raise ImageReadError("cannot be read as B02.tif", got="plate 1/B02.tif: not a TIFF file")

    app.add_api_route("/unreadable", unreadable)
    assert "B02" in client("viewer").get("/unreadable").text
    assert "B02" not in client("expert").get("/unreadable").text


def test_full_disk_is_said(
    client: Client, site: Site, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database can grow no further, a page says that there is no room, and the others go
    on; what was kept before is there."""

    def limit(connection: Any, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")

    owner = client("owner")
    monkeypatch.setattr(Limits, "allowed", lambda *_: True)
    site.database.engine.dispose()
    event.listen(site.database.engine, "connect", limit)
    codes = [owner.post("/people/invite", data={"role": "expert"}).status_code for _ in range(90)]
    kept = codes.count(200)
    assert set(codes) == {200, 503}
    told = owner.post("/people/invite", data={"role": "expert"}).json()
    assert told["error"] == "output"
    assert "room" in told["message"]
    assert owner.get("/people").text.count("a new expert") == kept
    assert "error [output]" in logged()


def test_log_takes_no_lines_from_outside(client: Client, logged: Callable[[], str]) -> None:
    """Nobody writes lines of their own into the log, by a name, an address or a header."""
    client("owner", "A\n2026 127.0.0.1 1:Ada GET /people 200").get("/x%0a2026-11-30 forged")
    lines = logged().splitlines()
    assert not any(line.startswith("2026 ") or "forged" in line[:40] for line in lines)
