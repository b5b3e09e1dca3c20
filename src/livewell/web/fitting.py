"""Fitting a model of a task's answers from a page: what is asked of the child, what comes of it.

The child knows no database: answers and items of now are written into a folder of the site, and
what it finds is read from there.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore
from livewell.answers.tables import Answer, Item, Job, Person, Showing, Task
from livewell.errors import LivewellError
from livewell.splitting.enough import Grouping, grouping
from livewell.study.study import Study
from livewell.tables.schemas import BOX, write_table
from livewell.web.jobs import OPEN, JobKind, Jobs

FIT = "fit"
RUNS = "runs"
ANSWERS, ITEMS, UNCERTAIN = "answers.parquet", "items.parquet", "uncertainty.parquet"
KINDS_TO_FIT = ("sequence", "frame", "patch")
RULES = {
    "majority": "the answer of most people; ties are left out",
    "unanimous": "what all people say; items on which they differ are left out",
    "dawid-skene": "people weighed by how reliable their answers show them to be",
}
"""How several people's answers become one label; of one person each is the label."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a task's answers are enough for a fit.

    `counts` are items by answer; `grouping` is ``None`` where they are not enough, and `lacking`
    says what is missing.
    """

    counts: dict[str, int]
    answers: int
    people: int
    grouping: Grouping | None
    lacking: str = ""


class Fitting:
    """Fits of the tasks of a study; `site` is the folder of its site."""

    def __init__(self, study: Study, site: Path, answers: AnswerStore) -> None:
        self.study, self.site, self.answers = study, site, answers
        self.database = answers.database
        kind = JobKind("livewell.workflows.fit:fit_folder", ended=self._ended, due=self._due)
        self.jobs = Jobs(self.database, site / "jobs", {FIT: kind})

    def of(self, task: int) -> list[Job]:
        """Fits of a task, the newest first."""
        return self.jobs.of(FIT, task=task)

    def ready(self, task: Task) -> Readiness:
        """Whether there are enough answers."""
        answers = self.answers.answers(task.id)
        sure, counts = answers[answers["answer"].isin(task.classes)], dict.fromkeys(task.classes, 0)
        if sure.empty:
            return Readiness(counts, len(answers), 0, None, "Nothing has been answered yet.")
        # an item counts by its latest answer: rules are for the fit itself
        last = sure.drop_duplicates("item", keep="last")
        counts |= {str(name): int(n) for name, n in last["answer"].value_counts().items()}
        people = int(answers["person"].nunique())
        try:
            labels = last[["image", "answer"]].rename(columns={"answer": "label"})
            found = grouping(self.study.fields(), labels, task.classes)
        except LivewellError as error:
            return Readiness(counts, len(answers), people, None, str(error))
        return Readiness(counts, len(answers), people, found)

    def ask(self, task: Task, person: int, rule: str = "majority") -> int:
        """Ask for a fit of the answers of now; the number of its job."""
        name = self._name(task)
        folder = self.folder(name)
        folder.mkdir(parents=True)
        answers = self.answers.answers(task.id)
        write_table(folder / ANSWERS, answers)
        write_table(folder / ITEMS, self._items(task.id))
        arguments: dict[str, Any] = {
            "task": task.id,
            "name": name,
            "study": str(self.study.folder.resolve()),
            "folder": str(folder.resolve()),
            "out": str(self.run(name).resolve()),
            "kind": task.kind,
            "classes": list(task.classes),
            "rule": rule,
            "answers": len(answers),
        }
        return self.jobs.ask(FIT, arguments, person)

    def folder(self, name: str) -> Path:
        """What the site keeps of a fit: answers and items that it was asked with."""
        return self.site / "fits" / name

    def run(self, name: str) -> Path:
        """The training run of a fit."""
        return self.site / RUNS / name

    def _name(self, task: Task) -> str:
        base = re.sub(r"[^A-Za-z0-9_.+-]+", "-", task.name).strip("-._+")[:60] or f"task-{task.id}"
        taken = {*self.study.label_names(), *self.study.split_names()}
        number = 1
        while (name := f"{base}-{number:04d}") in taken or self.folder(name).exists():
            number += 1
        return name

    def _items(self, task: int) -> pd.DataFrame:
        with self.database.session() as session:
            items = list(session.scalars(select(Item).where(Item.task_id == task)))
        columns = ["item", "number", "image", "t", "frames", *BOX]
        rows = [(item.name, *(getattr(item, column) for column in columns[1:])) for item in items]
        return pd.DataFrame(rows, columns=columns)

    def _ended(self, job: Job) -> None:
        """Take the uncertainties, so that the most useful items come next."""
        name = job.arguments["name"]
        folder = self.folder(name)
        values = pd.read_parquet(folder / UNCERTAIN)
        numbers = pd.read_parquet(folder / ITEMS).set_index("item")["number"]
        found = zip(values["item"].map(numbers).tolist(), values["uncertainty"], strict=True)
        self.answers.rank(
            job.arguments["task"], {int(number): float(value) for number, value in found}, name
        )

    def _due(self) -> None:
        """Ask for fits of tasks that have so many more answers as their owner said."""
        with self.database.session() as session:
            tasks = list(session.scalars(select(Task).where(Task.closed.is_(False))))
            owner = session.scalar(
                select(Person.id).where(Person.role == "owner").order_by(Person.id).limit(1)
            )
        for task in tasks:
            every = TaskSettings.model_validate(task.settings).fit_every
            if not every or owner is None or task.kind not in KINDS_TO_FIT:
                continue
            jobs = self.of(task.id)
            if any(job.state in OPEN for job in jobs):
                continue
            # failed ones count too, or the same failure would come again and again
            before = jobs[0].arguments["answers"] if jobs else 0
            if self._count(task.id) - before >= every and self.ready(task).grouping is not None:
                self.ask(task, owner)

    def _count(self, task: int) -> int:
        with self.database.session() as session:
            added = (
                select(func.count(Answer.id))
                .join(Showing, Answer.showing_id == Showing.id)
                .where(Showing.task_id == task)
            )
            given = session.scalar(added.where(Answer.undoes.is_(None))) or 0
            return given - (session.scalar(added.where(Answer.undoes.is_not(None))) or 0)


def results(jobs: list[Job]) -> list[Job]:
    """Fits with hold-out figures, the newest first."""
    return [job for job in jobs if job.result and "figures" in job.result]


def latest(jobs: list[Job]) -> Job | None:
    """The newest fit that is done, or that has figures already."""
    return next(iter(results(jobs)), None)
