"""The page of agreement: words first, names for owners alone, made anew after a minute."""

import re
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from livewell.answers.settings import TaskSettings
from livewell.web import agreeing
from livewell.web.site import Site
from tests.web.test_annotate import give, items_of, make_task, waiting
from tests.web.test_exports import answered

Client = Callable[..., TestClient]


@pytest.mark.long
def test_agreement_is_told_in_words_and_figures(site: Site, client: Client) -> None:
    """The page says how many items two people answered and how often they differ."""
    task, owner = answered(site, client), client("owner")
    shown = owner.get(f"/agreement/{task}").text
    assert f'src="/agreement/{task}/page"' in shown
    apart = owner.get(f"/agreement/{task}/page")
    assert "sandbox" in apart.headers["content-security-policy"]
    assert "8 sequences" in apart.text
    assert "disagree" in apart.text
    assert "Ada" in apart.text
    assert "Bob" in apart.text
    assert f"/agreement/{task}" in owner.get("/agreement").text


@pytest.mark.long
def test_experts_see_themselves_and_no_other_name(site: Site, client: Client) -> None:
    """Who answers sees figures of all and a sentence on themselves, and others without names."""
    task = answered(site, client)
    ada, viewer = client("expert", "Ada"), client("viewer", "Eve")
    shown = ada.get(f"/agreement/{task}").text
    assert "You have answered 8 " in shown
    for person in (ada, viewer):
        apart = person.get(f"/agreement/{task}/page").text
        assert not re.search(r"\bBob\b", apart)
        assert "person 1" in apart
    assert "You have answered" not in viewer.get(f"/agreement/{task}").text


@pytest.mark.long
def test_it_follows_the_answers(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without answers the page says so; new ones are in it when what was made is old."""
    task, owner, ada = make_task(site), client("owner"), client("expert", "Ada")
    assert "Nobody has answered anything yet." in owner.get(f"/agreement/{task}").text
    assert owner.get(f"/agreement/{task}/page").status_code == 404
    give(ada, task, waiting(ada, task, 1)[0]["showing"])
    assert "Nobody has answered" in owner.get(f"/agreement/{task}").text
    monkeypatch.setattr(agreeing, "KEPT_S", -1)
    assert "Of 1 answers" in owner.get(f"/agreement/{task}").text


def test_controls_are_not_told_while_a_task_is_open(
    site: Site, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who answers does not hear which items were controls by looking here after each answer."""
    monkeypatch.setattr(agreeing, "KEPT_S", -1)
    items = items_of(site).assign(truth="sick")
    settings = TaskSettings(shared_every=0, repeats=0)
    task = site.answers.make_task("known", "sequence", ["healthy", "sick"], items, settings)
    ada, owner = client("expert", "Ada"), client("owner")
    give(ada, task, waiting(ada, task, 1)[0]["showing"])
    assert "right on" not in ada.get(f"/agreement/{task}").text
    owner.post(f"/tasks/{task}", data={"closed": "true"})
    assert "you were right on 100% of 1" in ada.get(f"/agreement/{task}").text
