"""Fifty people at once on a real server, which is slow, killed and started again."""

import random
from pathlib import Path
from typing import Any

import pytest

from benchmarks import crowd
from livewell.answers.settings import TaskSettings
from livewell.study.study import Study

pytestmark = [pytest.mark.long, pytest.mark.minutes]
PEOPLE, ANSWERS = 50, 200
KILLS, KILLS_OF_POSTGRESQL = 20, 5
SETTINGS = TaskSettings(repeats=0.05, repeat_after=5)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Movies with some more sequences than each person answers."""
    return crowd.movies(tmp_path, wells=24, edge=768)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where answers are kept: the study's own file, or a server."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql")


def test_fifty_people_lose_and_double_nothing(study: Study, url: str | None) -> None:
    """Each of fifty people gives 200 answers as fast as replies come: all are kept, and once."""
    people, port = crowd.crowd(study, url, PEOPLE, 1000, SETTINGS), crowd.free_port()
    tally = crowd.Tally()
    with crowd.served(study, port, url):
        crowd.at_once(people, port, ANSWERS, tally)
    assert tally.refused == []
    assert len(tally.confirmed) == len(tally.sent)
    assert len(tally.confirmed) == PEOPLE * ANSWERS
    assert crowd.lost_and_doubled(tally, crowd.kept(study, url)) == (0, 0)


def test_a_killed_server_keeps_what_it_confirmed(study: Study, url: str | None) -> None:
    """The server is killed again and again: what it confirmed is there, the rest is sent again."""
    kills = KILLS if url is None else KILLS_OF_POSTGRESQL
    people, port = crowd.crowd(study, url, PEOPLE, 1000, SETTINGS), crowd.free_port()
    tally = crowd.Tally()
    unsure: dict[int, list[dict[str, Any]]] = {}
    rng = random.Random(0)
    for _ in range(kills):
        with crowd.served(study, port, url) as server:
            crowd.killed(server, people, port, rng.randint(20, 60), tally, unsure)
    assert tally.refused == [] or all("no such item" in said for said in tally.refused)
    assert len(tally.confirmed) >= kills * 20
    assert crowd.lost_and_doubled(tally, crowd.kept(study, url)) == (0, 0)


def test_a_slow_disk_loses_nothing(study: Study, tmp_path: Path) -> None:
    """With half a second put into every flush the next items are there, and all is confirmed."""
    slow = crowd.slow_disk(tmp_path, 500)
    if slow is None:
        pytest.skip("no gcc on this Linux machine to make a slow disk with")
    people, port = crowd.crowd(study, None, PEOPLE, 1000, SETTINGS), crowd.free_port()
    tally = crowd.Tally()
    with crowd.served(study, port, None, slow):
        crowd.paced(people, port, 1.0, 10, tally)
    assert tally.refused == []
    assert min(tally.answer_s) >= 0.5
    assert len(tally.confirmed) == len(tally.sent) >= PEOPLE
    assert crowd.lost_and_doubled(tally, crowd.kept(study, None)) == (0, 0)
