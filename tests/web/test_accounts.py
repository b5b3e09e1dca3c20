"""Accounts: the owner's link, invitations, passwords, roles; what each ends and what it leaves."""

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from livewell.answers.database import Database
from livewell.answers.tables import ROLES, Person
from livewell.errors import SpecError
from livewell.study.study import Study
from livewell.web import people, sign_ins
from livewell.web.app import create_app
from livewell.web.limits import FREE, LONGEST_S, Limits
from livewell.web.serving import ServeSettings, site_for, warnings_of
from livewell.web.sign_ins import KNOWN_S
from livewell.web.site import Site

Client = Callable[..., TestClient]
GOOD = "four words put together"


def link_in(text: str) -> str:
    """The path of the link that a page shows."""
    found = re.search(r"(/invite/[\w-]+)<", text)
    assert found
    return found[1]


def test_invited_person_signs_in_and_out(client: Client, site: Site) -> None:
    """An owner's link makes one account of its role; name and password then open the site."""
    owner, guest = client("owner"), client(None)
    made = owner.post("/people/invite", data={"role": "viewer", "hours": 24})
    link = link_in(made.text)
    assert "invited as <strong>viewer" in guest.get(link).text
    assert guest.post(link, data={"name": "Ada", "password": "short"}).status_code == 422
    accepted = guest.post(link, data={"name": "  Ada ", "password": GOOD})
    assert (accepted.status_code, accepted.headers["location"]) == (303, "/")
    assert "Ada" in guest.get("/account").text
    assert guest.get("/people").status_code == 403
    token = guest.cookies[site.cookie]
    page = guest.get("/account").text
    csrf = re.search(r'name="csrf" content="([^"]+)"', page)
    assert csrf
    left = guest.post("/sign-out", data={"csrf": csrf[1]})
    assert left.status_code == 303
    guest.cookies.set(site.cookie, token)
    assert guest.get("/account").status_code == 401, "the token is void at the server too"
    guest.cookies.clear()
    entered = guest.post("/sign-in", data={"name": "ada", "password": GOOD, "next": "/account"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/account")
    assert guest.get("/account").status_code == 200


def test_invitation_works_once_and_not_for_ever(
    client: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that was used, withdrawn or has expired leads nowhere."""
    owner = client("owner")
    link = link_in(owner.post("/people/invite", data={"role": "expert"}).text)
    assert client(None).post(link, data={"name": "Bo", "password": GOOD}).status_code == 303
    again = client(None).post(link, data={"name": "Cy", "password": GOOD})
    assert again.status_code == 404
    link = link_in(owner.post("/people/invite", data={"role": "expert"}).text)
    listed = owner.get("/people").text
    withdraw = re.search(r"/invitations/\w+/withdraw", listed)
    assert withdraw
    assert owner.post(withdraw[0]).status_code == 303
    assert client(None).get(link).status_code == 404
    link = link_in(owner.post("/people/invite", data={"role": "expert", "hours": 1}).text)
    now = people.time.time()
    monkeypatch.setattr(people.time, "time", lambda: now + 3601)
    assert client(None).get(link).status_code == 404
    assert [each.name for each in people.people(site.database)] == ["owner", "Bo"]


def test_names_are_unique_however_they_are_written(client: Client) -> None:
    """Nobody takes a name that reads as another's, is empty, too long or cannot be seen."""
    owner = client("owner")
    client("expert", "Ada Müller")
    for name in (
        "ada müller",
        "Ada  Mu\u0308ller",
        "\uff21da Müller",
        "",
        " ",
        "x" * 61,
        "a\u202eb",
    ):
        link = link_in(owner.post("/people/invite", data={"role": "expert"}).text)
        refused = client(None).post(link, data={"name": name, "password": GOOD})
        assert refused.status_code == 422, name
    for password in ("", "123456789", "aaaaaaaaaaaa", "Name Of Ada"):
        refused = client(None).post(link, data={"name": "name of ada", "password": password})
        assert refused.status_code == 422, password


def test_role_and_account_change_at_once(client: Client, site: Site) -> None:
    """A role holds from the next request on; an account that is switched off is out at once."""
    owner, expert = client("owner"), client("expert", "Bo")
    number = expert.person_id  # type: ignore[attr-defined]
    assert expert.get("/people").status_code == 403
    assert owner.post(f"/people/{number}", data={"role": "owner"}).status_code == 303
    assert expert.get("/people").status_code == 200
    assert owner.post(f"/people/{number}", data={"disabled": "true"}).status_code == 303
    assert expert.get("/account").status_code == 401
    assert owner.post(f"/people/{number}/link").status_code == 422
    assert owner.post(f"/people/{number}", data={"disabled": "false"}).status_code == 303
    assert expert.get("/account").status_code == 401, "old sign-ins stay ended"
    me = owner.person_id  # type: ignore[attr-defined]
    assert owner.post(f"/people/{me}", data={"role": "viewer"}).status_code == 422
    assert owner.post(f"/people/{number}", data={"role": "king"}).status_code == 422
    assert owner.post("/people/99", data={"role": "viewer"}).status_code == 422


def test_new_password_ends_other_sign_ins(client: Client, site: Site) -> None:
    """One's own new password, or one by an owner's link, signs out all other browsers."""
    owner, here, there = client("owner"), client("expert", "Bo"), client("expert", "Bo")
    assert here.post("/account/password", data={"new": GOOD}).status_code == 200
    assert there.get("/account").status_code == 401
    assert here.post("/account/password", data={"old": "no", "new": GOOD}).status_code == 422
    assert here.get("/account").status_code == 200
    number = here.person_id  # type: ignore[attr-defined]
    link = link_in(owner.post(f"/people/{number}/link").text)
    newer = link_in(owner.post(f"/people/{number}/link").text)
    assert client(None).get(link).status_code == 404, "an older link ends"
    assert client(None).post(newer, data={"password": "another few words"}).status_code == 303
    assert here.get("/account").status_code == 401
    form = {"name": "Bo", "password": GOOD}
    assert client(None).post("/sign-in", data=form).status_code == 401
    form["password"] = "another few words"
    assert client(None).post("/sign-in", data=form).status_code == 303


def test_beyond_this_machine_the_link_sets_up_the_owner_once(own_study: Study) -> None:
    """A site that others can reach lets nobody in by its link: it asks for a password, once."""
    settings = ServeSettings(host="0.0.0.0", owner="Ada")
    site = site_for(own_study, settings, 8321)
    assert "unencrypted" in warnings_of(site)[0]
    app = create_app(site)
    browser = TestClient(app, base_url="http://127.0.0.1", follow_redirects=False)
    form = browser.get(f"/open/{site.key}")
    assert site.cookie not in browser.cookies
    assert 'value="Ada"' in form.text
    assert browser.post(f"/open/{site.key}", data={"password": "short"}).status_code == 422
    made = browser.post(f"/open/{site.key}", data={"name": "Ada", "password": GOOD})
    assert made.status_code == 303
    assert browser.get("/people").status_code == 200
    assert browser.post(f"/open/{site.key}", data={"password": GOOD}).status_code == 404
    app.state.log.close()
    site.close()
    later = site_for(own_study, replace(settings, owner=None), 8321)
    assert (later.key, later.owner, later.link) == ("", "Ada", later.address)
    app = create_app(later)
    assert TestClient(app, base_url="http://127.0.0.1").get("/open/").status_code == 404
    app.state.log.close()
    later.close()


def test_owner_of_own_machine_is_the_first_or_the_named_one(own_study: Study) -> None:
    """On one's own machine the link is the first owner's; --owner names another, an owner."""
    site = site_for(own_study, ServeSettings(), 1)
    assert site.owner == people.user_name()
    people.make_owner(site.database, "Ada")
    with site.database.session() as session:
        session.add(Person(name="Bo", password=None, role="expert", created=0))
    site.close()
    for owner, meant in ((None, "Ada"), ("ada", "Ada"), ("New one", "New one")):
        again = site_for(own_study, ServeSettings(owner=owner), 1)
        assert again.owner == meant
        again.close()
    with pytest.raises(SpecError, match="no owner"):
        site_for(own_study, ServeSettings(owner="Bo"), 1)


def test_several_first_visits_make_one_owner(own_study: Study) -> None:
    """Pages that open by the owner's link at the same moment all meet the same person."""
    site = site_for(own_study, ServeSettings(), 1)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: people.make_owner(site.database, "Ada"), range(16)))
    assert len(set(found)) == 1
    assert [each.name for each in people.people(site.database)] == ["Ada"]
    site.close()


def test_delays_grow_and_end() -> None:
    """Wrong passwords cost nothing at first, then twice as long each time, never over a limit."""
    now = 0.0
    limits, key = Limits(lambda: now), ("account", "ada")
    waits = []
    for _ in range(40):
        limits.failed(key)
        waits.append(limits.wait(key))
        now += waits[-1]
    free = FREE["account"]
    assert waits[: free - 1] == [0] * (free - 1)
    assert waits[free - 1 : free + 3] == [1, 2, 4, 8]
    assert waits[-1] == LONGEST_S
    assert limits.wait(("account", "bo")) == 0
    limits.succeeded(key)
    limits.failed(key)
    assert limits.wait(key) == 0


def test_annotating_at_full_speed_is_no_flood() -> None:
    """A session may ask a hundred times a second for hours; a flood is slowed down."""
    now = 0.0
    limits = Limits(lambda: now)
    for _ in range(10_000):
        now += 0.01
        assert limits.general("annotator") == 0
    answers = [limits.general("flood") for _ in range(3000)]
    assert answers[1999] == 0
    assert answers[-1] > 0
    assert limits.general("annotator") == 0


def test_roles_hold_those_below(client: Client) -> None:
    """Pages of a role are for it and for those above."""
    assert [client(role).get("/people").status_code for role in ROLES] == [403, 403, 200]
    assert [client(role).get("/account").status_code for role in ROLES] == [200, 200, 200]


def test_log_says_who_and_what_and_no_secrets(client: Client, site: Site, app: object) -> None:
    """The log names persons, addresses and refusals; keys, passwords and queries are not in it."""
    owner = client("owner", "Ada")
    link = link_in(owner.post("/people/invite", data={"role": "expert"}).text)
    client(None).post(link, data={"name": "Bo", "password": GOOD})
    client(None).post("/sign-in", data={"name": "Bo", "password": "wrong password"})
    client(None).get(f"/open/{site.key}")
    owner.get("/account?secret=s3cret")
    client("viewer").get("/people")
    app.state.log.close()  # type: ignore[attr-defined]
    text = (site.folder / "site.log").read_text("utf-8")
    assert "1:Ada POST /people/invite 200" in text
    assert "POST /sign-in 401" in text
    assert "REFUSED sign-in" in text
    assert re.search(r"\d+:viewer GET /people 403 \d+ ms REFUSED not-allowed", text)
    for secret in (GOOD, "wrong password", site.key, link.rpartition("/")[2], "s3cret"):
        assert secret not in text


def test_links_end_with_the_role_of_who_made_them(client: Client, site: Site) -> None:
    """Who is no owner any more does not come back by a link that they made before."""
    owner, other = client("owner", "ann"), client("owner", "bob")
    number = other.person_id  # type: ignore[attr-defined]
    token = people.invite(site.database, number, "owner")
    assert client(None).get(f"/invite/{token}").status_code == 200
    assert owner.post(f"/people/{number}", data={"role": "expert"}).status_code == 303
    assert client(None).get(f"/invite/{token}").status_code == 404


def test_what_others_change_in_the_database_holds_after_a_while(
    client: Client, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account that an administrator switches off in SQL ends within `KNOWN_S`."""
    expert = client("expert")
    assert expert.get("/annotate").status_code == 200
    other = Database.of_study(site.study.folder)
    with other.session() as session:
        session.execute(update(Person).values(disabled=True))
    other.close()
    later = time.time() + KNOWN_S + 1
    monkeypatch.setattr(sign_ins, "time", SimpleNamespace(time=lambda: later))
    assert expert.get("/annotate").status_code == 401
