"""What a person answered of a task, and how far the task is."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from livewell.answers.tables import Answer, Item, Showing


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: its items, how many this person and anybody answered, all answers."""

    items: int
    mine: int
    anybody: int
    answers: int


def stands() -> ColumnElement[bool]:
    """Whether a row of `Answer` is an answer that nobody took back."""
    other = aliased(Answer)
    return Answer.undoes.is_(None) & ~select(other.id).where(other.undoes == Answer.id).exists()


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


def progress(session: Session, task: int, person: int) -> Progress:
    """How far a task is, seen by this person."""
    items = session.scalar(select(func.count()).where(Item.task_id == task)) or 0
    of_task = (
        select(func.count(Answer.id), func.count(func.distinct(Showing.item_id)))
        .join(Showing, Answer.showing_id == Showing.id)
        .where(Showing.task_id == task, stands())
    )
    answers, anybody = session.execute(of_task).one()
    mine = session.execute(of_task.where(Showing.person_id == person)).one()[0]
    return Progress(items, mine, anybody, answers)
