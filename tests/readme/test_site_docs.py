"""The commands of the document on the site, on what a tiny demo leaves."""

from pathlib import Path
from uuid import uuid4

import pandas as pd
import pytest

from livewell.answers.database import Database
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.models.recipes import TINY
from livewell.simulate.culture import CultureSpec
from livewell.splitting.schemes import Holdout
from livewell.workflows.demo import DemoSpec, demo

DOCUMENT = Path(__file__).parents[2] / "docs" / "site.md"


def answered_by_two(folder: Path) -> int:
    """Two people answer every item of the task of a study, the second less well; how many do."""
    database = Database.of_study(folder)
    store = AnswerStore(database)
    (task,) = store.tasks()
    given = 0
    for number, name in enumerate(("Ada", "Bo")):
        with database.session() as session:
            person = Person(name=name, role="expert", created=0.0)
            session.add(person)
            session.flush()
        for place, (showing, item) in enumerate(store.next_showings(task.id, person.id, 50)):
            said = "sick" if (item.truth is None) != (number == 1 and place % 3 == 0) else "healthy"
            store.add(person.id, NewAnswer(str(uuid4()), showing.id, said, seconds=1.0)).result()
            given += 1
    store.close()
    database.close()
    return given


@pytest.mark.long
@pytest.mark.filterwarnings("default")
def test_from_a_task_to_labels_agreement_and_a_quiz(
    commands_in, run_all, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command of the document runs, on answers of two people."""
    monkeypatch.chdir(tmp_path)
    small = {"positions_per_well": 1, "height_px": 256, "width_px": 256, "cells": 10}
    plate = CultureSpec((0.0, 120.0), 6, frames=5, frame_s=1800.0, **small)
    movie = CultureSpec((30.0,), 1, frames=2, **small)
    demo(Path("demo"), spec=DemoSpec(plate, movie, TINY, Holdout((0.25, 0.25, 0.5))))
    commands = commands_in(DOCUMENT)
    first = [words[1:3] for words in commands].index(["answers", "export"])
    run_all(commands[:first])
    given = answered_by_two(Path("demo/study"))
    run_all(commands[first:])
    assert len(pd.read_csv("answers.csv")) == given
    assert Path("agreement/report.html").is_file()
    assert Path("demo/study/labels/crew.parquet").is_file()
