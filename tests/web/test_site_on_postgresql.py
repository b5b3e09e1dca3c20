"""The site on a real PostgreSQL server, which is stricter about numbers and text than SQLite."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from starlette.testclient import TestClient

from livewell.answers.database import Database
from livewell.answers.settings import TaskSettings
from livewell.study.study import Study
from livewell.web.site import Site
from tests.web.test_attacks import GUARDED

Client = Callable[..., TestClient]
pytestmark = pytest.mark.long


@pytest.fixture
def site(own_study: Study, postgresql: str) -> Iterator[Site]:
    """A site whose answers are on a PostgreSQL server."""
    made = Site(own_study, Database(postgresql))
    yield made
    made.close()


def test_no_number_or_text_is_a_fault(client: Client, site: Site) -> None:
    """Numbers and texts that the database cannot hold are refused by the site, not by a fault."""
    owner = client("owner")
    for guess in ("0", "-1", str(2**31), str(2**63), "9" * 30, "-" + "9" * 30, "%00", "%ed%a0%80"):
        for method, path in GUARDED:
            if "{" in path:
                answer = owner.request(method, re.sub(r"\{[^}]+\}", guess, path))
                assert answer.status_code < 500, (method, path, guess)
    items = pd.DataFrame({"image": site.study.fields()["image"], "t": 0, "frames": 1})
    items = items.assign(y0=0, x0=0, y1=32, x1=32, truth=None, part=None)
    task = site.answers.make_task("t", "patch", ("healthy", "sick"), items, TaskSettings())
    for hostile in ("a\0b", "\ud800", "\U0010ffff", "x" * 100_000):
        forms: dict[str, dict[str, Any]] = {
            "/sign-in": {"name": hostile, "password": hostile},
            "/account/password": {"old": hostile, "new": hostile},
            "/people/invite": {"role": hostile},
            "/people/1": {"role": hostile},
            f"/invite/{uuid4()}": {"name": hostile, "password": hostile},
        }
        for path, form in forms.items():
            sent = {name: text.encode("utf-8", "surrogatepass") for name, text in form.items()}
            assert owner.post(path, data=sent).status_code < 500, (path, hostile[:5])
        shown = owner.get(f"/annotate/{task}/next").json()["items"][0]["showing"]
        body = {"id": str(uuid4()), "showing": shown, "answer": "sick", "note": hostile}
        answer = owner.post(
            f"/annotate/{task}/answers",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 500, hostile[:5]


def test_invitation_makes_one_account(client: Client, site: Site) -> None:
    """Accounts work on PostgreSQL as on SQLite: a link makes one account, once."""
    link = re.search(r"(/invite/[\w-]+)<", client("owner").post("/people/invite").text)
    assert link
    form = {"name": "Ada", "password": "four words put together"}
    codes = [client(None).post(link[1], data=form).status_code for _ in range(2)]
    assert codes == [303, 404]
    assert client(None).post("/sign-in", data=form).status_code == 303
