"""What the site asks of the database: tasks, what comes next, answers, all answers as a table."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from threading import RLock
from typing import Any

import pandas as pd
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from livewell import __version__
from livewell.answers.board import Board
from livewell.answers.checks import NewAnswer as NewAnswer
from livewell.answers.checks import check_task, cleaned
from livewell.answers.database import Database
from livewell.answers.history import Progress, answer_table, event_table, same_answer, standing
from livewell.answers.settings import TaskSettings
from livewell.answers.tables import Answer, Item, Showing, Task
from livewell.answers.writer import Entry, Writer
from livewell.errors import AnswerError, LivewellError, SpecError, StudyError

ITEM = (
    *("image", "t", "frames", "y0", "x0", "y1", "x1", "height", "width", "truth", "part"),
    *("uncertainty", "uncertain_by"),
)
"""Columns of the items of a new task; those that are absent are empty."""


PATIENCE_S = 5.0
"""How long answers are held up for what must be alone, before they have another turn."""


class AnswerStore:
    """Tasks and answers in a database.

    Who asks what comes next, or answers, makes this the one process that writes answers.

    Raises
    ------
    OutputError
        By methods: another process writes answers, or the database cannot be reached or written.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = RLock()
        self._boards: dict[int, Board] = {}
        self._kept: dict[str, tuple[int, NewAnswer, Future[None]]] = {}
        self._writer = Writer(database, self._forget)

    def start(self) -> None:
        """Become the one process that writes answers, at once instead of on the first one."""
        with self._lock:
            self._writer.start()

    def close(self) -> None:
        """Write what waits, and let another process write answers."""
        self._writer.close()
        with self._lock:
            self._boards.clear()

    def make_task(
        self,
        name: str,
        kind: str,
        classes: Sequence[str],
        items: pd.DataFrame,
        settings: TaskSettings,
    ) -> int:
        """A new task of items (columns of `ITEM`); its number.

        A `SpecError` where the task cannot be, there is one of this name, or a region comes twice.
        """
        check_task(name, kind, classes, len(items))
        names = [column.name for column in Item.__table__.columns if column.name != "id"]
        rows = [{name: getattr(row, name) for name in names} for row in item_rows(items, 0)]
        with self.database.session() as session:
            if session.scalar(select(Task.id).where(Task.name == name)) is not None:
                raise SpecError("there is a task of this name", where=name, remedy="name another")
            task = Task(
                name=name,
                kind=kind,
                classes=list(classes),
                settings=settings.model_dump(mode="json"),
                created=time.time(),
            )
            session.add(task)
            session.flush()
            # many at once, for nobody's answer is kept meanwhile
            session.execute(insert(Item), [row | {"task_id": task.id} for row in rows])
            return task.id

    def tasks(self) -> list[Task]:
        """All tasks, the newest first."""
        with self.database.session() as session:
            return list(session.scalars(select(Task).order_by(Task.id.desc())))

    def task(self, number: int) -> Task | None:
        """The task of this number."""
        with self._lock:
            board = self._board(number)
            return None if board is None else board.task

    def task_named(self, name: str) -> Task:
        """The task of this name; a `StudyError` names those there are."""
        tasks = {task.name: task for task in self.tasks()}
        if name not in tasks:
            raise StudyError(
                f"no task named {name!r}",
                where=self.database.place,
                expected=f"one of {', '.join(tasks)}" if tasks else "none has been made yet",
            )
        return tasks[name]

    def close_task(self, number: int, closed: bool) -> None:
        """End a task, so that nothing new is dealt, or open it again."""
        with self._lock:
            with self.database.session() as session:
                session.execute(update(Task).where(Task.id == number).values(closed=closed))
            board = self._boards.get(number)
            if board is not None:
                board.task.closed = closed

    def fit_every(self, number: int, answers: int) -> None:
        """Have a model fitted by itself whenever so many answers have come; 0: never."""
        with self._lock:
            board = self._board(number)
            if board is None:
                return
            settings = board.settings.model_copy(update={"fit_every": answers})
            kept = settings.model_dump(mode="json")
            with self.database.session() as session:
                session.execute(update(Task).where(Task.id == number).values(settings=kept))
            board.settings, board.task.settings = settings, kept

    def rank(self, task: int, uncertainty: Mapping[int, float], run: str) -> None:
        """Note how unsure a model is of items, by number; `run` is the model's name."""
        with self._lock:
            board = self._board(task)
            ids = [] if board is None else [board.items[number].id for number in uncertainty]
        rows = [
            {"id": item, "uncertainty": value, "uncertain_by": run}
            for item, value in zip(ids, uncertainty.values(), strict=True)
        ]
        if rows:
            with self.database.session() as session:
                session.execute(update(Item), rows)
        with self._lock:
            board = self._boards.get(task)
            if board is not None:
                board.rank(uncertainty, run)

    def next_showings(self, task: int, person: int, count: int) -> list[tuple[Showing, Item]]:
        """The next items of this person that wait for an answer, dealing new ones where needed.

        The same until they are answered, so that a page may fetch ahead and be loaded again. What
        was taken back comes first. Does not wait for the disk.
        """
        with self._lock:
            board = self._board(task)
            if board is None:
                return []
            self._writer.start()
            waiting, new = board.next(person, count)
            for dealt in new:
                columns = Showing.__table__.columns.keys()
                row = {name: getattr(dealt.showing, name) for name in columns}
                self._writer.put(Entry(Showing, row))
            return [(dealt.showing, board.items[dealt.row]) for dealt in waiting]

    def showing(self, token: str, person: int) -> tuple[Showing, Item] | None:
        """A showing of this person; ``None`` where there is none or it is another's."""
        with self._lock:
            board = self._board_of(token)
            dealt = None if board is None else board.showings[token]
            if board is None or dealt is None or dealt.showing.person_id != person:
                return None
            return dealt.showing, board.items[dealt.row]

    def add(self, person: int, answer: NewAnswer) -> "Future[None]":
        """Keep an answer; the future is done when it is durable, and fails where it is refused.

        The same answer may be sent again, and is kept once. Does not wait for the disk.
        """
        new = cleaned(answer)
        with self._lock:
            try:
                return self._add(person, new)
            except LivewellError as error:
                refused: Future[None] = Future()
                refused.set_exception(error)
                return refused

    def standing(
        self, task: int, person: int, count: int, skip: int = 0
    ) -> list[tuple[Answer, Showing, Item]]:
        """Answers of this person that stand, the latest first, after `skip` later ones."""
        with self.database.session() as session:
            return standing(session, task, person, count, skip)

    def progress(self, task: int, person: int) -> Progress:
        """How far a task is, seen by this person."""
        with self._lock:
            board = self._board(task)
            return Progress(0, 0, 0, 0) if board is None else board.progress(person)

    def answers(self, task: int, *, withdrawn: bool = False) -> pd.DataFrame:
        """All answers of a task that are durable, schema `ANSWERS`, in the order of time.

        Those that were taken back only where `withdrawn`, and then with a column ``withdrawn``.
        """
        with self.database.session() as session:
            return answer_table(session, task, withdrawn=withdrawn)

    def events(self, task: int) -> pd.DataFrame:
        """All answers of a task, and all takings back, in the order of time.

        Columns answer_id, undoes, person, item, round, answer, time_s, seconds, version.
        """
        with self.database.session() as session:
            return event_table(session, task)

    @contextmanager
    def alone(self) -> Iterator[Session]:
        """A transaction beside which nothing is dealt or answered; then memory is read anew."""
        while True:
            with self._lock:
                self._writer.start()
                # nothing is added meanwhile; a write that fails must have the lock in between
                if self._writer.wait(PATIENCE_S):
                    try:
                        with self.database.session() as session:
                            yield session
                    finally:  # a commit that failed may have been kept
                        self._boards.clear()
                    return

    def _add(self, person: int, new: NewAnswer) -> "Future[None]":
        if new.id in self._kept:
            giver, earlier, done = self._kept[new.id]
            if (giver, earlier) != (person, new):
                raise _other()
            return done
        board = self._board_of(new.showing)
        if board is None or new.id in board.answer_ids:
            return self._again(person, new)
        dealt = board.check(person, new)
        self._writer.start()
        board.keep(dealt, new)
        done = Future()
        done.set_running_or_notify_cancel()  # who no longer waits does not stop it
        self._kept[new.id] = (person, new, done)
        done.add_done_callback(lambda _: self._kept.pop(new.id, None))
        self._writer.put(Entry(Answer, _row(new), done))
        return done

    def _again(self, person: int, new: NewAnswer) -> "Future[None]":
        """What is said of an answer that came before, or is for no showing there is."""
        with self.database.session() as session:
            answer = session.get(Answer, new.id)
            showing = None if answer is None else session.get(Showing, answer.showing_id)
            if answer is None or showing is None:
                raise AnswerError(
                    "there is no such item among yours",
                    remedy="load the page again; the answers it confirmed are kept",
                )
            if showing.person_id != person or not same_answer(answer, new):
                raise _other()
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _board(self, task: int) -> Board | None:
        board = self._boards.get(task)
        if board is None:
            with self.database.session() as session:
                board = Board.load(session, task)
            if board is not None:
                self._boards[task] = board
        return board

    def _board_of(self, token: str) -> Board | None:
        """The task in which something was shown under this name; ``None`` where nothing was."""
        for board in self._boards.values():
            if token in board.showings:
                return board
        with self.database.session() as session:
            task = session.scalar(select(Showing.task_id).where(Showing.id == token))
        if task is None or task in self._boards:
            return None
        return self._board(task)

    def _forget(self, waiting: Callable[[], list[Entry]]) -> list[Entry]:
        """Forget what was built on rows that could not be written; gives those that wait."""
        with self._lock:
            self._boards.clear()
            return waiting()


def _other() -> AnswerError:
    return AnswerError("another answer has this name", remedy="load the page again")


def item_rows(items: pd.DataFrame, task: int, first: int = 0) -> list[Item]:
    """Rows of `Item` from columns of `ITEM`, numbered from `first`; each region once."""
    table = items.reindex(columns=list(ITEM)).astype(object)
    table = table.where(table.notna(), None)
    rows = [
        Item(task_id=task, number=number, **_plain(row))
        for number, row in enumerate(table.to_dict("records"), start=first)
    ]
    names = pd.Series([row.name for row in rows], dtype="str")
    if names.duplicated().any():
        twice = ", ".join(names[names.duplicated()].unique()[:3])
        raise SpecError("a region comes twice among the items of a task", got=twice)
    return rows


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Values as the database takes them, none of NumPy's."""
    plain = {str(name): getattr(value, "item", lambda v=value: v)() for name, value in row.items()}
    whole = ("t", "frames", "y0", "x0", "y1", "x1", "height", "width")
    return plain | {name: int(plain[name]) for name in whole if plain[name] is not None}


def _row(new: NewAnswer) -> dict[str, Any]:
    return {
        "id": new.id,
        "showing_id": new.showing,
        "undoes": new.undoes,
        "answer": new.answer,
        "marks": new.marks,
        "note": new.note,
        "tags": list(new.tags),
        "death_t": new.death_t,
        "seconds": new.seconds,
        "created": time.time(),
        "version": __version__,
    }
