"""What the site asks of the database: tasks, what comes next, answers, all answers as a table."""

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import func, select

from livewell import __version__
from livewell.answers.database import Database
from livewell.answers.history import Progress, progress, standing, stands
from livewell.answers.settings import TaskSettings
from livewell.answers.tables import Answer, Item, Person, Showing, Task


@dataclass(frozen=True, slots=True)
class NewAnswer:
    """An answer, or the taking back of one (`undoes`), as a page sends it."""

    id: str
    showing: str
    answer: str | None = None
    undoes: str | None = None
    marks: list[dict[str, Any]] | None = None
    note: str = ""
    tags: tuple[str, ...] = ()
    death_t: int | None = None
    seconds: float = 0.0


class AnswerStore:
    """Tasks and answers in a database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def make_task(
        self,
        name: str,
        kind: str,
        classes: Sequence[str],
        items: pd.DataFrame,
        settings: TaskSettings,
    ) -> int:
        """A new task of items (columns image, t, frames, box, truth, part); its number."""
        with self.database.session() as session:
            task = Task(
                name=name,
                kind=kind,
                classes=list(classes),
                settings=settings.model_dump(mode="json"),
                created=time.time(),
            )
            session.add(task)
            session.flush()
            rows: list[dict[str, Any]] = [
                {str(name): value for name, value in row.items()}
                for row in items.astype(object).where(items.notna(), None).to_dict("records")
            ]
            session.add_all(
                Item(task_id=task.id, number=number, **row) for number, row in enumerate(rows)
            )
            return task.id

    def tasks(self) -> list[Task]:
        """All tasks, the newest first."""
        with self.database.session() as session:
            return list(session.scalars(select(Task).order_by(Task.id.desc())))

    def next_showings(self, task: int, person: int, count: int) -> list[tuple[Showing, Item]]:
        """The next items of this person that wait for an answer, dealing new ones where needed.

        The same until they are answered, so that a page may fetch ahead and be loaded again.
        """
        with self.database.session() as session:
            rows = session.execute(
                select(Showing, Item)
                .join(Item, Showing.item_id == Item.id)
                .where(Showing.task_id == task, Showing.person_id == person)
                .where(~Showing.id.in_(select(Answer.showing_id).where(stands())))
                .order_by(Showing.number)
            )
            waiting = [(row[0], row[1]) for row in rows]
            if len(waiting) >= count:
                return waiting[:count]
            dealt = set(
                session.scalars(
                    select(Showing.item_id).where(
                        Showing.task_id == task, Showing.person_id == person
                    )
                )
            )
            number = session.scalar(
                select(func.count()).where(Showing.task_id == task, Showing.person_id == person)
            )
            free = [
                item
                for item in session.scalars(select(Item).where(Item.task_id == task))
                if item.id not in dealt
            ]
            rng = np.random.default_rng([task, person, number or 0])
            for item in rng.permutation(np.array(free, object))[: count - len(waiting)]:
                showing = Showing(
                    id=secrets.token_urlsafe(16),
                    task_id=task,
                    person_id=person,
                    item_id=item.id,
                    round=0,
                    number=(number or 0) + len(waiting),
                    reason="random",
                    created=time.time(),
                )
                session.add(showing)
                waiting.append((showing, item))
            return waiting

    def showing(self, token: str, person: int) -> tuple[Showing, Item] | None:
        """A showing of this person; ``None`` where there is none or it is another's."""
        with self.database.session() as session:
            row = session.execute(
                select(Showing, Item)
                .join(Item, Showing.item_id == Item.id)
                .where(Showing.id == token, Showing.person_id == person)
            ).first()
            return None if row is None else (row[0], row[1])

    def task(self, number: int) -> Task | None:
        """The task of this number."""
        with self.database.session() as session:
            return session.get(Task, number)

    def standing(
        self, task: int, person: int, count: int, skip: int = 0
    ) -> list[tuple[Answer, Showing, Item]]:
        """Answers of this person that stand, the latest first, after `skip` later ones."""
        with self.database.session() as session:
            return standing(session, task, person, count, skip)

    def progress(self, task: int, person: int) -> Progress:
        """How far a task is, seen by this person."""
        with self.database.session() as session:
            return progress(session, task, person)

    def close_task(self, number: int, closed: bool) -> None:
        """End a task, so that nothing new is dealt, or open it again."""
        with self.database.session() as session:
            task = session.get(Task, number)
            if task is not None:
                task.closed = closed

    def add(self, person: int, answer: NewAnswer) -> "Future[None]":
        """Keep an answer; the future is done when it is durable, and fails where it is refused."""
        done: Future[None] = Future()
        with self.database.session() as session:
            if session.get(Answer, answer.id) is None:
                session.add(
                    Answer(
                        id=answer.id,
                        showing_id=answer.showing,
                        undoes=answer.undoes,
                        answer=answer.answer,
                        marks=answer.marks,
                        note=answer.note,
                        tags=list(answer.tags),
                        death_t=answer.death_t,
                        seconds=answer.seconds,
                        created=time.time(),
                        version=__version__,
                    )
                )
        done.set_result(None)
        return done

    def answers(self, task: int, *, withdrawn: bool = False) -> pd.DataFrame:
        """All answers of a task, schema `livewell.answers.schema.ANSWERS`, in the order of time.

        Those that were taken back only where `withdrawn`.
        """
        with self.database.session() as session:
            rows = session.execute(
                select(Answer, Showing, Item, Person.name)
                .join(Showing, Answer.showing_id == Showing.id)
                .join(Item, Showing.item_id == Item.id)
                .join(Person, Showing.person_id == Person.id)
                .where(Showing.task_id == task, Answer.undoes.is_(None))
                .order_by(Answer.created, Answer.id)
            ).all()
        return pd.DataFrame(
            [{"item": item.number, "person": name, "answer": a.answer} for a, _, item, name in rows]
        )
