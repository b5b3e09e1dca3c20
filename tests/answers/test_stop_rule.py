"""The stop rule at work: items on which people agree are settled, and others go on."""

from collections.abc import Callable, Iterator

import pytest

from livewell.answers.database import Database
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore, NewAnswer
from tests.answers.patches import patches

People = Callable[..., list[int]]


@pytest.fixture
def store(database: Database) -> Iterator[AnswerStore]:
    """A store that is closed in the end."""
    made = AnswerStore(database)
    yield made
    made.close()


def test_what_people_agree_on_is_settled(store: AnswerStore, people: People) -> None:
    """Of forty items two people agree on all but every fifth; a third is shown these only."""
    settings = TaskSettings(stop_at=0.95, repeats=0, shared_every=1)
    task = store.make_task("stop", "patch", ["a", "b"], patches(40), settings)
    said: dict[int, set[str]] = {}
    for turn, person in enumerate(people("Ada", "Bob")):
        for _ in range(40):
            showing, item = store.next_showings(task, person, 1)[0]
            answer = "ab"[(item.number + (turn if item.number % 5 == 0 else 0)) % 2]
            said.setdefault(item.number, set()).add(answer)
            store.add(person, NewAnswer(f"{turn}-{item.number}", showing.id, answer)).result(60)
    (cleo,) = people("Cleo")
    shown = {item.number for _, item in store.next_showings(task, cleo, 50)}
    disputed = {number for number, answers in said.items() if len(answers) == 2}
    assert len(disputed) == 8
    assert disputed <= shown
    # how sure each class is, is told again after some answers, not after each
    assert len(shown) <= 10
    assert 30 <= store.progress(task, cleo).settled <= 32
