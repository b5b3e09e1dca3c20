"""Tasks and answers: what is dealt, kept, refused and taken back, by one or by many at once."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from livewell.answers.database import Database
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.errors import AnswerError, LivewellError, OutputError, SpecError, StudyError
from livewell.tables.schemas import ANSWERS
from tests.answers.patches import patches

ANSWERS_OF = ("healthy", "sick", "unsure")
People = Callable[..., list[int]]


@pytest.fixture
def store(database: Database) -> Iterator[AnswerStore]:
    """A store that is closed in the end."""
    made = AnswerStore(database)
    yield made
    made.close()


@pytest.fixture
def task(store: AnswerStore) -> int:
    """A task of 40 patches, healthy or sick, of which nothing is repeated or shared."""
    settings = TaskSettings(shared_every=0, repeats=0, tags=("blurred", "empty"))
    return store.make_task("wells", "patch", ["healthy", "sick"], patches(40), settings)


def new(showing: str, **values: Any) -> NewAnswer:
    return NewAnswer(id=values.pop("id", uuid4().hex), showing=showing, **values)


def give(store: AnswerStore, person: int, answer: NewAnswer) -> None:
    store.add(person, answer).result(timeout=60)


def shown(store: AnswerStore, task: int, person: int, count: int = 1) -> list[str]:
    return [showing.id for showing, _ in store.next_showings(task, person, count)]


def test_an_answer_is_kept(store: AnswerStore, task: int, people: People) -> None:
    """An answer comes back as one row that says who, what, where and when."""
    (ada,) = people("Ada")
    before = time.time()
    (showing, item), *_ = store.next_showings(task, ada, 1)
    give(
        store,
        ada,
        new(showing.id, answer="sick", note=" a\n b ", tags=("blurred",), seconds=1.5, id="x-1"),
    )
    (row,) = store.answers(task).to_dict("records")
    assert before <= row.pop("time_s") <= time.time()
    assert row.pop("version")
    assert {name: value for name, value in row.items() if not pd.isna(value)} == {
        **{"item": item.name, "person": "Ada", "answer": "sick", "round": 0, "reason": "random"},
        **{"seconds": 1.5, "task": "wells", "kind": "patch", "image": item.image, "t": 0},
        **{"frames": 1, "y0": 0, "x0": item.x0, "y1": 64, "x1": item.x1, "note": "a b"},
        **{"height": 256, "width": 320},
        **{"tags": "blurred", "answer_id": "x-1"},
    }


def test_what_waits_stays(store: AnswerStore, task: int, people: People) -> None:
    """Whoever loads the page again sees the same items, until they are answered."""
    (ada,) = people("Ada")
    first = shown(store, task, ada, 3)
    assert shown(store, task, ada, 3) == first
    give(store, ada, new(first[0], answer="sick"))
    assert shown(store, task, ada, 3)[:2] == first[1:]


def test_all_items_come_once(store: AnswerStore, task: int, people: People) -> None:
    """Without repeats a person sees each item once, and then nothing more."""
    (ada,) = people("Ada")
    seen = []
    while rows := store.next_showings(task, ada, 2):
        seen += [item.number for _, item in rows]
        for showing, _ in rows:
            give(store, ada, new(showing.id, answer="healthy"))
    assert sorted(seen) == list(range(40))


def test_undo_has_no_end(store: AnswerStore, task: int, people: People) -> None:
    """Answers are taken back one by one, each comes first again, and all events are kept."""
    (ada,) = people("Ada")
    order = shown(store, task, ada, 4)
    names = [uuid4().hex for _ in order]
    for name, showing in zip(names, order, strict=True):
        give(store, ada, new(showing, id=name, answer="sick"))
    for step in range(4):
        give(store, ada, new(order[3 - step], undoes=names[3 - step]))
        assert shown(store, task, ada, step + 1) == order[3 - step :]
    assert store.answers(task).empty
    assert store.progress(task, ada).mine == 0
    assert store.answers(task, withdrawn=True)["withdrawn"].tolist() == [True] * 4
    events = store.events(task)
    assert events["undoes"].notna().sum() == 4
    assert len(events) == 8
    give(store, ada, new(order[0], answer="healthy"))
    assert store.answers(task)["answer"].tolist() == ["healthy"]


def test_the_same_answer_twice_is_kept_once(store: AnswerStore, task: int, people: People) -> None:
    """An answer that is sent again is confirmed again; another one of its name is refused."""
    ada, bob = people("Ada", "Bob")
    (showing, other) = shown(store, task, ada, 2)
    answer = new(showing, id="a", answer="sick", seconds=0.1)
    give(store, ada, answer)
    give(store, ada, answer)
    for person, wrong in [
        (ada, new(showing, id="a", answer="healthy", seconds=0.1)),
        (ada, new(other, id="a", answer="sick", seconds=0.1)),
        (bob, answer),
    ]:
        with pytest.raises(AnswerError):
            give(store, person, wrong)
    assert len(store.answers(task)) == 1


def test_an_answer_taken_back_is_still_known(store: AnswerStore, task: int, people: People) -> None:
    """An answer that comes late, after it was taken back, does not stand again."""
    (ada,) = people("Ada")
    (showing,) = shown(store, task, ada)
    give(store, ada, new(showing, id="a", answer="sick"))
    give(store, ada, new(showing, id="b", undoes="a"))
    give(store, ada, new(showing, id="a", answer="sick"))
    give(store, ada, new(showing, id="b", undoes="a"))
    assert store.answers(task).empty


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": "dead"},
        {"answer": "done"},
        {},
        {"answer": "sick", "undoes": "a"},
        {"answer": "sick", "note": "x" * 4001},
        {"answer": "sick", "tags": ("made up",)},
        {"answer": "sick", "tags": ("empty", "empty")},
        {"answer": "sick", "seconds": -1.0},
        {"answer": "sick", "seconds": float("nan")},
        {"answer": "sick", "death_t": 1},
        {"answer": "sick", "marks": []},
        {"answer": "sick", "id": "a b"},
        {"answer": "sick", "id": "'; DROP TABLE answers; --"},
        {"answer": "sick", "id": "x" * 65},
        {"undoes": "nothing"},
    ],
)
def test_what_is_no_answer_is_refused(
    store: AnswerStore, task: int, people: People, wrong: dict[str, Any]
) -> None:
    """An answer that is not one of those asked for is refused, and the item waits still."""
    (ada,) = people("Ada")
    (showing,) = shown(store, task, ada)
    with pytest.raises(AnswerError):
        give(store, ada, new(showing, **wrong))
    assert shown(store, task, ada) == [showing]
    assert store.events(task).empty


@pytest.mark.parametrize(
    ("marks", "kept"),
    [
        ([], True),
        ([{"class": "sick", "y": 0, "x": 320.0}], True),
        ([{"class": "sick", "y": 1, "x": 2, "y1": 256, "x1": 9}], True),
        ([{"class": "sick", "y": 1, "x": 321}], False),
        ([{"class": "sick", "y": -0.5, "x": 3}], False),
        ([{"class": "dead", "y": 1, "x": 2}], False),
        ([{"class": "sick", "y": 9, "x": 2, "y1": 1, "x1": 9}], False),
        ([{"class": "sick", "y": 9, "x": float("nan")}], False),
        ([{"class": "sick", "y": "9", "x": 1}], False),
        ([{"class": "sick", "y": 1, "x": 2, "note": "x"}], False),
        ([{"class": "sick", "y": 1, "x": 2}] * 20_001, False),
        ([[1, 2]], False),
    ],
)
def test_marks_lie_in_the_image(
    store: AnswerStore, people: People, marks: list[Any], kept: bool
) -> None:
    """Points and boxes are kept as they were sent, if they are of a class and in the image."""
    (ada,) = people("Ada")
    whole = patches(1).drop(columns=["y0", "x0", "y1", "x1"])
    task = store.make_task("cells", "cells", ["healthy", "sick"], whole, TaskSettings())
    (showing,) = shown(store, task, ada)
    done = store.add(ada, new(showing, answer="done", marks=marks))
    if kept:
        done.result(60)
        assert store.standing(task, ada, 1)[0][0].marks == marks
    else:
        with pytest.raises(AnswerError, match="marks"):
            done.result(60)


def test_nobody_answers_for_another(store: AnswerStore, task: int, people: People) -> None:
    """A showing, and an answer, are of one person; others can neither see, give nor undo it."""
    ada, eve = people("Ada", "Eve")
    (showing,) = shown(store, task, ada)
    give(store, ada, new(showing, id="a", answer="sick"))
    assert store.showing(showing, eve) is None
    (own,) = shown(store, task, eve)
    for wrong in [new(showing, answer="sick"), new(showing, undoes="a"), new(own, undoes="a")]:
        with pytest.raises(AnswerError):
            give(store, eve, wrong)
    with pytest.raises(AnswerError):
        give(store, eve, new("guessed", answer="sick"))
    assert store.answers(task)["person"].tolist() == ["Ada"]


def test_one_answer_stands_for_a_showing(store: AnswerStore, task: int, people: People) -> None:
    """A second answer is refused until the first is taken back, which can be done once."""
    (ada,) = people("Ada")
    (showing,) = shown(store, task, ada)
    give(store, ada, new(showing, id="a", answer="sick"))
    with pytest.raises(AnswerError, match="answered already"):
        give(store, ada, new(showing, answer="healthy"))
    give(store, ada, new(showing, undoes="a"))
    with pytest.raises(AnswerError, match="cannot be taken back"):
        give(store, ada, new(showing, undoes="a"))


def test_a_closed_task_deals_nothing(store: AnswerStore, task: int, people: People) -> None:
    """Where a task is closed nothing new is dealt, until it is opened again; answers are kept."""
    ada, bob = people("Ada", "Bob")
    (showing,) = shown(store, task, ada)
    store.close_task(task, True)
    assert shown(store, task, bob) == []
    give(store, ada, new(showing, answer="sick"))
    store.close_task(task, False)
    assert shown(store, task, bob)


def test_every_fifth_is_shared(store: AnswerStore, people: People) -> None:
    """The second person gets every fifth item from those that the first one answered."""
    ada, bob = people("Ada", "Bob")
    settings = TaskSettings(repeats=0)
    task = store.make_task("shared", "patch", ["a", "b"], patches(200), settings)
    for showing in shown(store, task, ada, 30):
        give(store, ada, new(showing, answer="a"))
    rows = store.next_showings(task, bob, 40)
    of_ada = set(store.answers(task)["item"])
    assert [s.reason for s, _ in rows] == (["random"] * 4 + ["shared"]) * 8
    assert all(item.name in of_ada for s, item in rows if s.reason == "shared")


def test_the_least_sure_come_first(store: AnswerStore, people: People) -> None:
    """Once a model has judged the items, those that it is least sure of are shown."""
    (ada,) = people("Ada")
    settings = TaskSettings(shared_every=0, repeats=0, uncertain=0.9)
    task = store.make_task("unsure", "patch", ["a", "b"], patches(100), settings)
    store.next_showings(task, ada, 1)
    store.rank(task, {number: number / 100 for number in range(100)}, "run-1")
    later = store.next_showings(task, ada, 30)[6:]
    found = {item.number for showing, item in later if showing.reason == "uncertain"}
    assert len(found) >= 18
    assert min(found) >= 70
    assert later[-1][1].uncertain_by == "run-1"


def test_settled_items_are_not_asked_again(
    store: AnswerStore, people: People, database: Database
) -> None:
    """Items on which two people agree, who agree on nearly all, are left to nobody else."""
    numbers = people(*(f"p{n}" for n in range(6)))
    settings = TaskSettings(shared_every=2, repeats=0, stop_at=0.9)
    task = store.make_task("stop", "patch", ["a", "b"], patches(60), settings)
    for person in numbers[:5]:
        while rows := store.next_showings(task, person, 5):
            for showing, item in rows:
                give(store, person, new(showing.id, answer="ab"[item.number % 2]))
    given = store.progress(task, numbers[0]).answers
    assert 120 <= given < 200
    assert store.progress(task, numbers[0]).anybody == 60
    store.close()
    again = AnswerStore(database)
    assert again.next_showings(task, numbers[5], 1) == []
    again.close()


def test_a_store_opened_again_goes_on(
    store: AnswerStore, task: int, people: People, database: Database
) -> None:
    """What waits, stands and was taken back is the same after the program was started again."""
    ada, bob = people("Ada", "Bob")
    order = shown(store, task, ada, 5)
    for name, showing in zip("abc", order, strict=False):
        give(store, ada, new(showing, id=name, answer="sick"))
    give(store, ada, new(order[1], undoes="b"))
    give(store, bob, new(shown(store, task, bob)[0], answer="healthy"))
    told = [shown(store, task, ada, 6), shown(store, task, bob, 6), store.progress(task, ada)]
    assert told[0][0] == order[1]
    store.close()
    again = AnswerStore(database)
    assert [shown(again, task, ada, 6), shown(again, task, bob, 6), again.progress(task, ada)] == (
        told
    )
    give(again, ada, new(order[0], id="a", answer="sick"))
    again.close()


def test_one_program_writes(store: AnswerStore, task: int, people: People, url: str) -> None:
    """A second program that would write the same answers is refused, until the first one ends."""
    (ada,) = people("Ada")
    shown(store, task, ada)
    other = Database(url)
    second = AnswerStore(other)
    with pytest.raises(OutputError, match="another program"):
        second.next_showings(task, ada, 1)
    assert len(second.answers(task)) == 0
    store.close()
    assert second.next_showings(task, ada, 1)
    second.close()
    other.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "movie"},
        {"name": ""},
        {"name": "a\n"},
        {"classes": []},
        {"classes": ["a", "a"]},
        {"classes": ["unsure", "a"]},
        {"items": patches(0)},
        {"items": pd.concat([patches(2), patches(1)])},
        {"name": "wells"},
    ],
)
def test_a_task_that_cannot_be_is_refused(
    store: AnswerStore, task: int, wrong: dict[str, Any]
) -> None:
    """Kinds, names, classes and items are looked at before a task is made."""
    given = {"name": "b", "kind": "patch", "classes": ["a"], "items": patches(3)} | wrong
    with pytest.raises(SpecError):
        store.make_task(**given, settings=TaskSettings())
    assert [each.name for each in store.tasks()] == ["wells"]


def test_a_task_is_found_by_name(store: AnswerStore, task: int) -> None:
    """A task is found by its name, and where there is none of it those that are there are named."""
    assert store.task_named("wells").id == task
    with pytest.raises(StudyError, match="wells"):
        store.task_named("well")


@pytest.mark.long
def test_many_at_once_lose_and_double_nothing(
    store: AnswerStore, people: People, database: Database
) -> None:
    """Twenty people who answer, take back and send again at once: all is kept, and once."""
    numbers = people(*(f"p{n}" for n in range(20)))
    task = store.make_task(
        "many", "patch", ["a", "b"], patches(60), TaskSettings(stop_at=0.95, repeats=0.1)
    )

    def annotate(person: int) -> dict[str, str]:
        rng = random.Random(person)
        given: dict[str, str] = {}
        for _ in range(30):
            (showing, _), *_ = store.next_showings(task, person, 5)
            answer = new(showing.id, answer=rng.choice("ab"))
            futures = [store.add(person, answer) for _ in range(rng.choice([1, 1, 3]))]
            for future in futures:
                future.result(60)
            given[answer.id] = answer.answer or ""
            if rng.random() < 0.2:
                give(store, person, new(showing.id, undoes=answer.id))
                del given[answer.id]
        return given

    with ThreadPoolExecutor(20) as pool:
        given = {k: v for each in pool.map(annotate, numbers) for k, v in each.items()}
    table = store.answers(task)
    assert dict(zip(table["answer_id"], table["answer"], strict=True)) == given
    assert len(ANSWERS.check(table)) == len(given)
    # what is settled is told again after some answers, not after each
    progress = [replace(store.progress(task, person), settled=0) for person in numbers]
    store.close()
    again = AnswerStore(database)
    assert [replace(again.progress(task, person), settled=0) for person in numbers] == progress
    again.close()


def test_nobody_waits_for_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a commit takes long the next items are there, and what gathered is one commit."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    store = AnswerStore(database)
    with database.session() as session:
        session.add_all(Person(name=f"{n}", role="expert", created=0.0) for n in range(50))
    task = store.make_task("slow", "patch", ["a"], patches(100), TaskSettings())
    store.start()
    hold, commits = threading.Semaphore(0), []

    def slow(connection: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            hold.acquire()
            commits.append(connection)

    event.listen(database.engine, "commit", slow)
    order = {person: shown(store, task, person, 4) for person in range(1, 51)}
    futures = [
        store.add(person, new(showing, answer="a"))
        for person, showings in order.items()
        for showing in showings
    ]
    # no commit has ended, and everybody has something to look at
    assert not commits
    assert not any(future.done() for future in futures)
    assert all(shown(store, task, person, 4) for person in order)
    hold.release(3)
    for future in futures:
        future.result(60)
    assert len(commits) <= 3
    event.remove(database.engine, "commit", slow)
    store.close()
    database.close()


@pytest.mark.long
def test_what_cannot_be_written_is_said_and_forgotten(tmp_path: Path) -> None:
    """Where the disk refuses, everybody is told, nothing is half there, and it goes on later."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    store = AnswerStore(database)
    with database.session() as session:
        session.add(Person(name="Ada", role="expert", created=0.0))
    task = store.make_task("full", "patch", ["a"], patches(9), TaskSettings(shared_every=0))
    kept, lost = shown(store, task, 1, 2)
    give(store, 1, new(kept, id="kept", answer="a"))

    def refuse(_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    event.listen(database.engine, "commit", refuse)
    first = store.add(1, new(lost, id="lost", answer="a"))
    with pytest.raises(LivewellError, match="no room is left"):
        first.result(60)
    event.remove(database.engine, "commit", refuse)
    assert store.answers(task)["answer_id"].tolist() == ["kept"]
    assert lost in shown(store, task, 1, 9)
    give(store, 1, new(lost, id="lost", answer="a"))
    assert sorted(store.answers(task)["answer_id"]) == ["kept", "lost"]
    store.close()
    database.close()


def test_a_refused_answer_takes_no_other_with_it(tmp_path: Path) -> None:
    """What is written together with a refused answer is kept, and is not asked again."""
    database = Database(f"sqlite:///{tmp_path / 'answers.sqlite'}")
    with database.session() as session:
        session.add_all([Person(name=name, role="expert", created=0.0) for name in ("a", "b")])
    store = AnswerStore(database)
    settings = TaskSettings(shared_every=0, repeats=0)
    one, two = (
        store.make_task(name, "patch", ["healthy", "sick"], patches(40), settings)
        for name in ("one", "two")
    )
    asked = {(task, who): shown(store, task, who, 2) for task in (one, two) for who in (1, 2)}
    give(store, 1, new(asked[one, 1][0], id="taken", answer="sick"))
    database.turns.take()  # so that the following gather
    store.add(1, new(asked[one, 1][1], answer="sick"))
    refused = store.add(2, new(asked[two, 2][0], id="taken", answer="sick"))
    then: Future[list[str]] = Future()
    refused.add_done_callback(lambda _: then.set_result(shown(store, two, 1)))
    kept = store.add(1, new(asked[two, 1][0], answer="sick"))
    database.turns.give()
    kept.result(60)
    with pytest.raises(AnswerError) as error:
        refused.result(60)
    assert "UNIQUE" not in str(error.value)
    assert then.result(60) == asked[two, 1][1:]
    assert shown(store, two, 1) == asked[two, 1][1:]
    assert len(store.answers(two)) == 1
    store.close()
    database.close()


def test_an_import_finds_its_turn_among_many_answers(tmp_path: Path) -> None:
    """While answers come without a pause, on a slow disk, there is a moment for an import."""
    database = Database(f"sqlite:///{tmp_path / 'a.sqlite'}")
    store = AnswerStore(database)
    with database.session() as session:
        session.add(Person(name="Ada", role="expert", created=0.0))
    settings = TaskSettings(shared_every=0, repeats=0)
    task = store.make_task("many", "patch", ["a"], patches(2000), settings)
    event.listen(database.engine, "commit", lambda _: time.sleep(0.02))
    ended, given, alone = threading.Event(), list[str](), threading.Event()

    def answer() -> None:
        while not ended.is_set() and len(given) < 1990:
            given.append(shown(store, task, 1)[0])
            store.add(1, new(given[-1], answer="a"))
            time.sleep(0.001)

    def come_in() -> None:
        with store.alone():
            alone.set()

    threads = [threading.Thread(target=work) for work in (answer, come_in)]
    for thread in threads:
        thread.start()
    found = alone.wait(60) and len(given) < 1990
    ended.set()
    for thread in threads:
        thread.join(60)
    assert found
    store.close()
    assert len(store.answers(task)) == len(given)
    database.close()
