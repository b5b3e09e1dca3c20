"""Answers of one task of a study's site, for commands that work without the site."""

from dataclasses import dataclass

import pandas as pd

from livewell.answers.database import FILE, Database
from livewell.answers.store import AnswerStore
from livewell.errors import StudyError
from livewell.study.study import Study
from livewell.tables.faults import near


@dataclass(frozen=True, slots=True)
class TaskAnswers:
    """Answers of a task that stand (`schemas.ANSWERS`), and its classes in their order.

    `stopped` says whether a stop rule decides how many answers an item gets.
    """

    table: pd.DataFrame
    classes: tuple[str, ...]
    stopped: bool = False


def task_answers(study: Study, name: str, database: str | None = None) -> TaskAnswers:
    """What was answered in the task of this name, of the study's own database or another one.

    Raises
    ------
    StudyError
        The study has no database of answers, or no such task; nothing was answered yet.
    SpecError, OutputError
        See `livewell.answers.database.Database`.
    """
    where = database or str(study.folder / FILE)
    if database is None and not (study.folder / FILE).is_file():
        raise StudyError(
            "nobody has answered anything yet",
            where=where,
            expected="a database of answers",
            remedy="open the study with `livewell serve` and annotate, or give --database or a CSV",
        )
    opened = Database.of_study(study.folder, database)
    try:
        store = AnswerStore(opened)
        tasks = {task.name: task for task in store.tasks()}
        if name not in tasks:
            raise StudyError(
                f"no annotation task {name!r}",
                where=opened.place,
                expected="the name of a task",
                got=near(name, tasks),
                remedy="give one of these names with --task",
            )
        table = store.answers(tasks[name].id)
        if table.empty:
            raise StudyError(
                f"no answer in the task {name!r} yet",
                where=opened.place,
                remedy="answer some items first",
            )
        stopped = tasks[name].settings.get("stop_at") is not None
        return TaskAnswers(table, tuple(tasks[name].classes), stopped)
    finally:
        opened.close()
