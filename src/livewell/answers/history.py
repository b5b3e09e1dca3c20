"""What people answered of a task, read from the database, and how far the task is."""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from livewell.answers.checks import NewAnswer
from livewell.answers.tables import Answer, Item, Person, Showing, Task
from livewell.tables.columns import typed
from livewell.tables.schemas import ANSWERS, BOX

EVENTS = (
    *("answer_id", "undoes", "person", "item", "round", "answer"),
    *("time_s", "seconds", "version"),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is.

    Its items, answers of this person, items that anybody answered, all answers that stand, and
    items that need no more by the stop rule.
    """

    items: int
    mine: int
    anybody: int
    answers: int
    settled: int = 0


def stands() -> ColumnElement[bool]:
    """Whether a row of `Answer` is an answer that nobody took back."""
    return Answer.undoes.is_(None) & ~_withdrawn()


def standing(
    session: Session, task: int, person: int, count: int, skip: int
) -> list[tuple[Answer, Showing, Item]]:
    """Answers of a person that stand, the latest first, after `skip` later ones."""
    rows = session.execute(
        select(Answer, Showing, Item)
        .join(Showing, Answer.showing_id == Showing.id)
        .join(Item, Showing.item_id == Item.id)
        .where(Showing.task_id == task, Showing.person_id == person, stands())
        .order_by(Answer.created.desc(), Answer.id.desc())
        .offset(skip)
        .limit(count)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def same_answer(kept: Answer, new: NewAnswer) -> bool:
    """Whether an answer that is kept says the same as one that was sent."""
    said = (kept.showing_id, kept.answer, kept.undoes, kept.marks, kept.note, tuple(kept.tags))
    sent = (new.showing, new.answer, new.undoes, new.marks, new.note, new.tags)
    return (*said, kept.death_t, kept.seconds) == (*sent, new.death_t, new.seconds)


def answer_table(session: Session, task: int, *, withdrawn: bool) -> pd.DataFrame:
    """Answers of a task, schema `ANSWERS`, in the order of time.

    Those that were taken back only where `withdrawn`, and then with a column of that name.
    """
    found = session.get(Task, task)
    query = (
        select(Answer, Showing, Item, Person.name, _withdrawn())
        .join(Showing, Answer.showing_id == Showing.id)
        .join(Item, Showing.item_id == Item.id)
        .join(Person, Showing.person_id == Person.id)
        .where(Showing.task_id == task, Answer.undoes.is_(None))
        .order_by(Answer.created, Answer.id)
    )
    if not withdrawn:
        query = query.where(~_withdrawn())
    rows = session.execute(query).all() if found is not None else []
    lines = [_line(found, *row[:4]) for row in rows if found is not None]
    table = pd.DataFrame(lines, columns=ANSWERS.names)
    if not withdrawn:
        return ANSWERS.check(table)
    # of one showing several answers may have been taken back: no row's key, so no key is checked
    columns = {column.name: typed(table[column.name], column.kind) for column in ANSWERS.columns}
    return pd.DataFrame(columns).assign(withdrawn=[bool(row[4]) for row in rows])


def event_table(session: Session, task: int) -> pd.DataFrame:
    """All answers of a task and all takings back, columns `EVENTS`, in the order of time."""
    rows = session.execute(
        select(Answer, Showing, Item, Person.name)
        .join(Showing, Answer.showing_id == Showing.id)
        .join(Item, Showing.item_id == Item.id)
        .join(Person, Showing.person_id == Person.id)
        .where(Showing.task_id == task)
        .order_by(Answer.created, Answer.undoes.is_not(None), Answer.id)
    ).all()
    lines = [
        (a.id, a.undoes, person, item.name, shown.round, a.answer, a.created, a.seconds, a.version)
        for a, shown, item, person in rows
    ]
    return pd.DataFrame(lines, columns=list(EVENTS))


def _withdrawn() -> ColumnElement[bool]:
    other = aliased(Answer)
    return select(other.id).where(other.undoes == Answer.id).exists()


def _line(task: Task, answer: Answer, showing: Showing, item: Item, person: str) -> dict[str, Any]:
    return {
        "item": item.name,
        "person": person,
        "answer": answer.answer,
        "round": showing.round,
        "reason": showing.reason,
        "time_s": answer.created,
        "seconds": answer.seconds,
        "task": task.name,
        "kind": task.kind,
        "image": item.image,
        "t": item.t,
        "frames": item.frames,
        **{name: getattr(item, name) for name in (*BOX, "height", "width", "truth", "part")},
        "marks": None if answer.marks is None else json.dumps(answer.marks),
        "note": answer.note or None,
        "tags": "|".join(answer.tags) or None,
        "death_t": answer.death_t,
        "answer_id": answer.id,
        "version": answer.version,
    }
