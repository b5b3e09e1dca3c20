"""How far a person is in a quiz, and what of it may be shown."""

from dataclasses import dataclass

from sqlalchemy import func, select

from livewell.answers.history import stands
from livewell.answers.settings import TaskSettings
from livewell.answers.tables import Answer, Item, Showing, Task
from livewell.tables.schemas import QUIZ_PARTS
from livewell.web.site import Site


@dataclass(frozen=True, slots=True)
class PartProgress:
    """A part of a quiz: its items, and how many of them a person has answered."""

    part: str
    items: int
    done: int


def is_quiz(task: Task) -> bool:
    """Whether a task is a quiz."""
    return TaskSettings.model_validate(task.settings).quiz is not None


def quiz_progress(site: Site, task: int, person: int) -> list[PartProgress]:
    """How far a person is in each part that the quiz has, in their order."""
    with site.database.session() as session:
        totals = session.execute(
            select(Item.part, func.count()).where(Item.task_id == task).group_by(Item.part)
        ).all()
        done = session.execute(
            select(Item.part, func.count(func.distinct(Item.id)))
            .join(Showing, Showing.item_id == Item.id)
            .join(Answer, Answer.showing_id == Showing.id)
            .where(Item.task_id == task, Showing.person_id == person, stands())
            .group_by(Item.part)
        ).all()
    every, mine = {row[0]: row[1] for row in totals}, {row[0]: row[1] for row in done}
    parts = [part for part in QUIZ_PARTS if part in every]
    return [PartProgress(part, every[part], mine.get(part, 0)) for part in parts]
