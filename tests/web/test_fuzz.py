"""Requests that schemathesis makes of the site's own description, by the thousand."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import one_of
from schemathesis import GenerationMode
from sqlalchemy import update
from starlette.testclient import TestClient

from livewell.answers.settings import TaskSettings
from livewell.answers.store import NewAnswer
from livewell.answers.tables import ROLES, Person
from livewell.web.limits import Limits
from livewell.web.site import Site

Client = Callable[..., TestClient]
SECRET = "what only Bo wrote"
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
ENDS = ("/sign-out",)
"""Addresses that end the session of who asks; they have tests of their own."""


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too fast."""
    monkeypatch.setattr(Limits, "general", lambda *_: 0.0)
    monkeypatch.setattr(Limits, "wait", lambda *_: 0.0)
    monkeypatch.setattr(Limits, "allowed", lambda *_: True)


@pytest.fixture
def shared_task(site: Site, client: Client) -> "Shared":
    """A task in which Bo, another expert, has items and an answer with a note."""
    bo = client("expert", "Bo").person_id  # type: ignore[attr-defined]
    images = site.study.fields()["image"].tolist()
    rows = [
        {"image": image, "t": t, "frames": 1, "y0": 0, "x0": 0, "y1": 64, "x1": 64}
        for image in images
        for t in range(3)
    ]
    items = pd.DataFrame(rows).assign(truth=None, part=None)
    task = site.answers.make_task("looks", "patch", ("healthy", "sick"), items, TaskSettings())
    shown = [showing.id for showing, _ in site.answers.next_showings(task, bo, 4)]
    answer = NewAnswer(str(uuid4()), shown[0], "healthy", note=SECRET, seconds=1.0)
    site.answers.add(bo, answer).result(30)
    return Shared(task, shown, answer.id)


@dataclass
class Shared:
    """Numbers of a task, and of what is Bo's in it."""

    task: int
    showings: list[str]
    answer: str


@dataclass
class Fuzz:
    """Sends what schemathesis makes, and keeps what is wrong."""

    client: TestClient
    owner: bool
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def send(self, case: Any, *, fed: str = "") -> None:
        """One request; `fed` is an id of another person that it holds."""
        words = case.as_transport_kwargs(base_url="http://127.0.0.1")
        headers = {
            **{k: v for k, v in words.pop("headers", {}).items() if k.lower() != "cookie"},
            "x-csrf-token": self.client.headers["x-csrf-token"],
        }
        for name in ("cookies", "auth"):
            words.pop(name, None)
        body = words.pop("data", None)
        content = body if isinstance(body, str | bytes) else None
        try:
            answer = self.client.request(
                **words,
                headers=headers,
                content=content,
                data=None if content is not None else body,
            )
        except (ValueError, TypeError):  # what no client can send
            self.codes[0] += 1
            return
        self.codes[answer.status_code] += 1
        said = f"{answer.status_code} {case.method} {words['url']} {body!r:.200}"
        if answer.status_code >= 500:
            self.wrong.append(f"a fault: {said}")
        if SECRET in answer.text and not self.owner:  # who exports everybody's answers
            self.wrong.append(f"another person's words: {said}")
        if fed and answer.is_success:
            self.wrong.append(f"another person's item: {said}")


def fuzz(
    app: FastAPI,
    client: Client,
    shared: Shared,
    requests: int,
    first_seed: int,
    every: int = 1,
) -> tuple[Counter[int], list[str]]:
    """Codes of about so many answers, and what is wrong with any."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    operations = [each.ok() for each in schema.get_all_operations()]
    operations = [each for each in operations if each.path not in ENDS][::every]
    count = max(1, requests // (len(operations) * len(MODES) * len(ROLES)))
    codes, wrong = Counter[int](), list[str]()
    for number, operation in enumerate(operations):
        _restore(app.state.site)
        fuzzers = [Fuzz(client(role, f"the {role}"), role == "owner") for role in ROLES]
        for mode in MODES if count > 1 else (MODES[number % 2],):
            # where anything fits, such as for text, there is nothing that does not
            with suppress(Unsatisfiable):
                _run(fuzzers, operation, mode, count, first_seed + number)
        theirs: Sequence[str] = ()
        if "showing" in (each.name for each in operation.path_parameters):
            theirs = shared.showings
        for fuzzer, id_of_other in product(fuzzers, theirs):
            known = _known(operation).get("path_parameters", {})
            case = operation.Case(path_parameters={**known, "showing": id_of_other})
            fuzzer.send(case, fed=id_of_other)
        for fuzzer in fuzzers:
            codes += fuzzer.codes
            wrong += fuzzer.wrong
    return codes, wrong


KNOWN = {"task": 1, "number": 1, "plate": 0, "well": 0, "job": 1, "overlay": 0}
"""Numbers that there are, which made-up ones seldom hit."""


def _known(operation: Any) -> dict[str, Any]:
    names = [each.name for each in operation.path_parameters]
    found = {name: KNOWN[name] for name in names if name in KNOWN}
    return {"path_parameters": found} if found else {}


def _restore(site: Site) -> None:
    """Owners may have changed people."""
    with site.database.session() as session:
        for role in ROLES:
            named = update(Person).where(Person.name == f"the {role}")
            session.execute(named.values(role=role, disabled=False))


def _run(fuzzers: list[Fuzz], operation: Any, mode: GenerationMode, count: int, seed_: int) -> None:
    cases = operation.as_strategy(mode, **_known(operation))
    if count > 1:
        cases = one_of(operation.as_strategy(mode), cases)

    @seed(seed_)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=one_of(operation.as_strategy(mode), operation.as_strategy(mode, **_known(operation)))
    )
    def run(case: Any) -> None:
        for fuzzer in fuzzers:
            fuzzer.send(case)

    run()


def test_what_is_another_persons_stays_theirs(
    client: Client, site: Site, shared_task: Shared
) -> None:
    """Ids of Bo's items and answers, had somebody got them, show Ada nothing, take nothing back
    and write nothing in Bo's name."""
    ada = client("expert", "Ada")
    mine = ada.get(f"/annotate/{shared_task.task}/next").json()["items"][0]["showing"]
    theirs, answers = shared_task.showings, f"/annotate/{shared_task.task}/answers"
    for showing in theirs:
        assert ada.get(f"/showings/{showing}/pixels").status_code == 404
        body = {"id": str(uuid4()), "showing": showing, "answer": "sick"}
        assert ada.post(answers, json=body).status_code == 404
    for showing in (mine, theirs[0]):
        body = {"id": str(uuid4()), "showing": showing, "undoes": shared_task.answer}
        assert ada.post(answers, json=body).status_code in (404, 409)
    same = {"id": shared_task.answer, "showing": mine, "answer": "sick"}
    assert ada.post(answers, json=same).status_code == 409
    kept = site.answers.answers(shared_task.task)
    assert kept[["person", "answer"]].to_numpy().tolist() == [["Bo", "healthy"]]


@pytest.mark.long
def test_no_fault_and_no_read_across_people(
    app: FastAPI, client: Client, shared_task: Shared
) -> None:
    """Made-up requests of every third route, by all roles: no fault, nothing of another person."""
    codes, wrong = fuzz(app, client, shared_task, 1, first_seed=1, every=3)
    assert wrong == []
    assert codes.total() > 30


@pytest.mark.minutes
@pytest.mark.long
def test_twenty_thousand_requests(app: FastAPI, client: Client, shared_task: Shared) -> None:
    """The same by 20,000 requests."""
    codes, wrong = fuzz(app, client, shared_task, 27_000, first_seed=1000)
    assert wrong == []
    assert codes.total() - codes[0] >= 20_000, codes
