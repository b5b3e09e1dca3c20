"""Answers out of files that livewell wrote, and into a task of the database."""

import io
import json
import secrets
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pandas as pd
from roifile import ImagejRoi
from sqlalchemy import select
from sqlalchemy.orm import Session

from livewell import __version__
from livewell.answers.checks import DONE, NewAnswer, check_answer, check_task, cleaned
from livewell.answers.exports import OURS, rows_of
from livewell.answers.history import same_answer
from livewell.answers.settings import TaskSettings
from livewell.answers.store import ITEM, AnswerStore, item_rows
from livewell.answers.tables import REASONS, UNSURE, Answer, Item, Person, Showing, Task
from livewell.errors import AnswerError, Fault, StudyError, TableError
from livewell.regular import regular
from livewell.study.metadata import read_metadata
from livewell.tables.columns import read_table
from livewell.tables.results import plain_cell
from livewell.tables.schemas import ANSWERS, BOX
from livewell.text import printable

LATEST_S = 1e11
"""Of times that can be: in the year 5138."""
LARGEST = 2_000_000_000
"""Bytes of all that a zip holds."""
AGAIN = "export the answers anew, or correct these rows"
NEEDED = ("item", "person", "answer", "image", "t")


def read_export(path: Path) -> pd.DataFrame:
    """Answers (schema `ANSWERS`) of a file that `livewell.answers.exports.write_answers` wrote.

    Those that were taken back are left out.

    Raises
    ------
    StudyError
        No such file, or none that can be read.
    TableError
        Not a table of answers; it holds every fault.
    """
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            table = read_table(path)
        elif name.endswith((".geojson", ".json", ".zip")):
            table = pd.DataFrame(list(_rows(path.name, regular(path).read_bytes())))
        else:
            table = _csv(path)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        raise StudyError(
            "cannot be read as answers",
            where=str(path),
            expected="a file that `livewell answers export` wrote, under its ending",
            got=str(error)[:200],
            remedy="check the path, or export the answers anew",
        ) from error
    if "withdrawn" in table:
        table = table[table["withdrawn"].astype("str").str.lower() != "true"]
    return ANSWERS.check(table.reset_index(drop=True), where=str(path), remedy=AGAIN)


def _csv(path: Path) -> pd.DataFrame:
    with regular(path).open("rb") as file:
        head = file.read(len(_HEAD))
    if head == _HEAD:
        # exactly as it was written; other programs write it in their own ways
        table = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
    else:
        table = read_metadata(path).table
    return table.map(plain_cell, na_action="ignore")


_HEAD = ",".join(ANSWERS.names[:3]).encode()


def _rows(name: str, content: bytes) -> Iterator[dict[str, Any]]:
    """Rows of the table that regions have with them; zips may hold zips."""
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise ValueError(f"more than {LARGEST:,} bytes")
            for entry in archive.infolist():
                yield from _rows(entry.filename, archive.read(entry))
    elif name.lower().endswith(".roi"):
        for line in ImagejRoi.frombytes(content).props.splitlines():
            if line.startswith(f"{OURS}: "):
                yield json.loads(line.removeprefix(f"{OURS}: "))
    else:
        for feature in json.loads(content)["features"]:
            if OURS in feature["properties"]:
                yield feature["properties"][OURS]


def import_answers(
    store: AnswerStore, table: pd.DataFrame, name: str | None = None
) -> tuple[str, int, int]:
    """Add answers to the task of this name, by default the table's own; made where there is none.

    Who is not known yet becomes a person who cannot sign in. An answer that is there already, by
    its ``answer_id``, is left as it is, so that a file may be imported again. All or nothing.

    Parameters
    ----------
    table
        Schema `ANSWERS`, with image and frame.

    Returns
    -------
    tuple
        Name of the task, how many answers were added, and how many were there.

    Raises
    ------
    TableError
        Answers that cannot be those of this task; it holds every fault.
    OutputError
        The site of the study runs, or the database cannot be written.
    """
    table = ANSWERS.check(table.reset_index(drop=True), remedy=AGAIN)
    missing = [c for c in NEEDED if c not in table or table[c].isna().any()]
    if missing:
        faults = [Fault("missing-column", each, "needed of every answer") for each in missing]
        raise TableError("answers that say too little to be imported", faults, remedy=AGAIN)
    faults = [
        Fault("answer", f"row {number}", text)
        for number, row in enumerate(rows_of(table))
        for text in _row_faults(row)
    ]
    if faults:
        raise TableError("answers that cannot be imported", faults, remedy=AGAIN)
    tasks = [] if "task" not in table else table["task"].dropna().unique().tolist()
    if name is None and len(tasks) != 1:
        fault = Fault("several-tasks", "task", f"{len(tasks)} tasks are named")
        raise TableError("answers of one task are needed", [fault], remedy="name it (--task)")
    name = name or str(tasks[0])
    with store.alone() as session:
        return name, *_Import(session, table, name).run()


def _row_faults(row: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a row by itself: its marks, its time, its box."""
    try:
        marks = json.loads(row.get("marks", "[]"))
        whole = isinstance(marks, list) and all(isinstance(each["class"], str) for each in marks)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        yield "marks that are no JSON list of marks"
    if not 0 <= row.get("time_s", 0) <= LATEST_S:
        yield f"given at {row['time_s']} s"
    corners = [row[name] for name in BOX if name in row]
    if corners and not (len(corners) == 4 and corners[0] < corners[2] and corners[1] < corners[3]):
        yield f"a box that is none: {corners}"


class _Import:
    """Adds rows of a table to a task, and gathers what is wrong with them."""

    def __init__(self, session: Session, table: pd.DataFrame, name: str) -> None:
        self.session = session
        self.table = table.reindex(columns=ANSWERS.names)
        self.rows = rows_of(self.table)
        self.task = self._task(name)
        self.settings = TaskSettings.model_validate(self.task.settings)
        self.faults: list[Fault] = []
        self.items = self._items()
        self.people = self._people()
        of_task = select(Showing).where(Showing.task_id == self.task.id)
        self.showings = {
            (each.person_id, each.item_id, each.round): each for each in session.scalars(of_task)
        }
        self.numbers = pd.Series([key[0] for key in self.showings]).value_counts().to_dict()

    def run(self) -> tuple[int, int]:
        """Add all rows; how many were added, and how many were there."""
        added = sum(self._add(number, row) for number, row in enumerate(self.rows))
        if self.faults:
            raise TableError(
                "answers that cannot be imported", self.faults, where=self.task.name, remedy=AGAIN
            )
        return added, len(self.rows) - added

    def _task(self, name: str) -> Task:
        found = self.session.scalar(select(Task).where(Task.name == name))
        if found is not None:
            return found
        kinds = list(self.table["kind"].dropna().unique())
        kind = kinds[0] if kinds else "frame" if self.table["y0"].isna().any() else "patch"
        said = {*self.table["answer"], *self.table["truth"].dropna()}
        said |= {mark["class"] for row in self.rows for mark in json.loads(row.get("marks", "[]"))}
        classes = sorted(said - {UNSURE, DONE})
        check_task(name, kind, classes or ["unknown"], len(self.rows))
        tags = {tag for row in self.rows for tag in row.get("tags", "").split("|") if tag}
        settings = TaskSettings(tags=tuple(sorted(tags))).model_dump(mode="json")
        task = Task(
            name=name,
            kind=kind,
            classes=classes or ["unknown"],
            settings=settings,
            created=time.time(),
        )
        self.session.add(task)
        self.session.flush()
        return task

    def _items(self) -> dict[str, Item]:
        """Items of the task by name, with those of the table that were not among them."""
        of_task = select(Item).where(Item.task_id == self.task.id)
        items = {item.name: item for item in self.session.scalars(of_task)}
        wanted = self.table.reindex(columns=list(ITEM)).assign(
            frames=self.table["frames"].fillna(1)
        )
        wanted = wanted.drop_duplicates(["image", "t", "y0", "x0"])
        made = item_rows(wanted, self.task.id, first=len(items))
        new = [item for item in made if item.name not in items]
        for number, item in enumerate(new, start=len(items)):
            item.number = number
        self.session.add_all(new)
        self.session.flush()
        return items | {item.name: item for item in new}

    def _people(self) -> dict[str, int]:
        people = {p.name: p.id for p in self.session.scalars(select(Person))}
        names = [str(name) for name in self.table["person"].unique()]
        for name in names:
            if not 0 < len(name) <= 100 or name != printable(name).strip():
                text = "not a name of 1 to 100 characters that can be seen"
                self.faults.append(Fault("wrong-value", f"person {name!r}", text))
        new = [
            Person(name=name, role="expert", password=None, disabled=True, created=time.time())
            for name in names
            if name not in people
        ]
        self.session.add_all(new)
        self.session.flush()
        return people | {person.name: person.id for person in new}

    def _add(self, number: int, row: Mapping[str, Any]) -> bool:
        """Add an answer; whether it was not there yet."""
        item, person = self.items[_name(row)], self.people[row["person"]]
        key = (person, item.id, int(row.get("round", 0)))
        showing = self.showings.get(key)
        new = self._new(row, item, "" if showing is None else showing.id)
        kept = self.session.get(Answer, new.id)
        if kept is not None:
            if showing is None or not same_answer(kept, new):
                self._fault(number, f"another answer has the answer_id {new.id}")
            return False
        try:
            check_answer(new, self.task, self.settings, item)
        except AnswerError as error:
            self._fault(number, error.got)
            return False
        if showing is None:
            showing = self._showing(key, row)
        elif self._answered(showing):
            self._fault(number, f"{row['person']} answered {row['item']} in this round already")
            return False
        self.session.add(
            Answer(
                id=new.id,
                showing_id=showing.id,
                answer=new.answer,
                marks=new.marks,
                note=new.note,
                tags=list(new.tags),
                death_t=new.death_t,
                seconds=new.seconds,
                created=float(row.get("time_s", time.time())),
                version=str(row.get("version", __version__)),
            )
        )
        self.session.flush()
        return True

    def _new(self, row: Mapping[str, Any], item: Item, showing: str) -> NewAnswer:
        said = [self.task.name, item.name, row["person"], row.get("round", 0), row["answer"]]
        name = str(row.get("answer_id") or uuid5(NAMESPACE_OID, json.dumps(said)))
        tags = tuple(tag for tag in row.get("tags", "").split("|") if tag)
        return cleaned(
            NewAnswer(
                id=name,
                showing=showing,
                answer=row["answer"],
                marks=json.loads(row["marks"]) if "marks" in row else None,
                note=row.get("note", ""),
                tags=tags,
                death_t=int(row["death_t"]) if "death_t" in row else None,
                seconds=float(row.get("seconds", 0.0)),
            )
        )

    def _showing(self, key: tuple[int, int, int], row: Mapping[str, Any]) -> Showing:
        person, item, turn = key
        number = self.numbers.get(person, 0)
        self.numbers[person] = number + 1
        reason = row.get("reason")
        showing = Showing(
            id=secrets.token_urlsafe(16),
            task_id=self.task.id,
            person_id=person,
            item_id=item,
            round=turn,
            number=number,
            reason=reason if reason in REASONS else "random",
            created=float(row.get("time_s", time.time())),
        )
        self.session.add(showing)
        self.session.flush()
        self.showings[key] = showing
        return showing

    def _answered(self, showing: Showing) -> bool:
        events = select(Answer.id, Answer.undoes).where(Answer.showing_id == showing.id)
        rows = self.session.execute(events).all()
        undone = {row.undoes for row in rows}
        return any(row.undoes is None and row.id not in undone for row in rows)

    def _fault(self, number: int, text: str) -> None:
        self.faults.append(Fault("answer", f"row {number}", text))


def _name(row: Mapping[str, Any]) -> str:
    corner = f":{row['y0']}:{row['x0']}" if "y0" in row else ""
    return f"{row['image']}:{row['t']}{corner}"
