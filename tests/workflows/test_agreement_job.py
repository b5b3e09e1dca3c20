"""Agreement of persons as a job: of tables and of a study, by the library and the command."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import livewell
from livewell.answers.database import Database
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.cli import main
from livewell.errors import SpecError, StudyError, TableError
from livewell.report.agreement import agreement_page, headline
from livewell.study.study import Study
from livewell.workflows.agreement import agreement_results

COLUMNS = ["item", "person", "answer", "image", "t", "round", "kind"]
COLUMNS += ["marks", "seconds", "reason"]
WORDS = {"h": "healthy", "s": "sick"}


def answers(**more: object) -> pd.DataFrame:
    """Two persons on four frames of each of ten images of the study; they disagree on ten."""
    rows = [
        (f"{image}:{t}", person, WORDS[letter], image, t)
        for number, image in enumerate(f"{row}0{i}_p1.ome.tif" for row in "AB" for i in range(1, 6))
        for t in range(4)
        for person, letter in (
            ("ann", "hs"[number // 5]),
            ("bob", "s" if t == 0 else "hs"[number // 5]),
        )
    ]
    table = pd.DataFrame(rows, columns=["item", "person", "answer", "image", "t"])
    return table.assign(round=0, kind="frame", **more)


@pytest.mark.long
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_on_a_table(tmp_path: Path, ending: str) -> None:
    """It writes page, tables and numbers, says one sentence a result, and goes on anew."""
    path, out = tmp_path / f"answers.{ending}", tmp_path / "out"
    table = answers()
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    for _ in range(2):
        done = CliRunner().invoke(main, ["agreement", str(path), "--out", str(out), "--json"])
        assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["paper"]["pairs"] == 40
    assert found["headline"].startswith("Of 40 frames")
    assert found["estimates"]["alpha"]["groups"] == 10
    assert json.loads((out / "results.json").read_text())["headline"] == found["headline"]
    assert {path.name for path in out.glob("*.csv")} >= {"people.csv", "pairs.csv", "doses.csv"}
    assert "Agreement beyond chance" in (out / "report.html").read_text("utf-8")


def test_wells_that_are_not_known_are_their_images() -> None:
    """Items without a well are of their image, so that they are not taken for one large group."""
    table = answers()
    known = table["image"].str.startswith("A")
    found = agreement_results(table.assign(well=table["image"].str[:3].where(known)))
    assert found.group == "well"
    assert found.crew.coefficients.alpha.groups == 10


def test_nothing_but_repeats_or_doubts_is_said() -> None:
    """Without a first answer, or a sure one, there is a page that says so, or a message."""
    repeats = agreement_results(answers().assign(round=1))
    assert "cannot be told" in headline(repeats)[0]
    assert dict(repeats.left_aside) == {"hidden repeats": 80}
    assert agreement_page(repeats).sections
    doubts = answers().assign(answer="unsure")
    assert "cannot be told" in headline(agreement_results(doubts, ("healthy", "sick")))[0]
    with pytest.raises(TableError, match="80 answers, all of them unsure"):
        agreement_results(doubts)


def test_a_study_gives_wells_and_doses(study: Study) -> None:
    """Groups are the study's wells, and answers are drawn against its doses."""
    found = agreement_results(answers(), ("healthy", "sick"), study=study)
    assert found.group == "well"
    assert found.crew.coefficients.alpha.groups == 10
    assert len(found.crew.doses) >= 2
    assert found.item == "frame"


def test_marked_cells_are_joined() -> None:
    """Cells are items; a cell that one person did not mark is none for that person."""
    marks = {
        "ann": [{"class": "sick", "y": 30, "x": 30}, {"class": "healthy", "y": 80, "x": 90}],
        "bob": [{"class": "sick", "y": 35, "x": 30}],
    }
    table = pd.DataFrame(
        [
            (f"f{t}", person, "done", "a.tif", t, 0, "cells", json.dumps(said), 7.0, "random")
            for t in range(3)
            for person, said in marks.items()
        ],
        columns=[
            "item",
            "person",
            "answer",
            "image",
            "t",
            "round",
            "kind",
            "marks",
            "seconds",
            "reason",
        ],
    )
    found = agreement_results(table)
    assert found.item == "cell"
    assert found.crew.classes == ("healthy", "sick", "none")
    assert (found.crew.paper.pairs, found.crew.paper.disagreed) == (6, 3)
    assert found.crew.people["median_s"].tolist() == [7, 7]


def test_what_is_asked_wrongly(study: Study, tmp_path: Path) -> None:
    """A study needs a task, a table has none; nobody answered; no class is named."""
    path = tmp_path / "answers.csv"
    answers().to_csv(path, index=False)
    with pytest.raises(SpecError, match="task"):
        livewell.agreement(study, tmp_path / "out")
    with pytest.raises(SpecError, match="task"):
        livewell.agreement(path, tmp_path / "out", task="mine")
    with pytest.raises(StudyError, match="nobody"):
        livewell.agreement(study.folder, tmp_path / "out", task="mine")
    with pytest.raises(TableError, match="unknown-answer"):
        livewell.agreement(path, tmp_path / "out", classes=["healthy", "odd"])
    with pytest.raises(TableError, match="no answer names a class"):
        agreement_results(answers(answer="unsure"))


@pytest.mark.long
def test_a_task_of_the_site(study: Study, tmp_path: Path) -> None:
    """Answers that the site keeps give the page and labels of the study, by the task's name."""
    shutil.copytree(study.folder, tmp_path / "study")
    copy = Study.open(tmp_path / "study")
    database = Database.of_study(copy.folder)
    store = AnswerStore(database)
    items = answers().drop_duplicates("item")[["image", "t"]].query("t < 3").assign(frames=1)
    task = store.make_task(
        "mine", "frame", ["healthy", "sick"], items, TaskSettings(shared_every=2, repeats=0)
    )
    with database.session() as session:
        people = [Person(name=name, role="expert", created=0.0) for name in ("ann", "bob")]
        session.add_all(people)
        session.flush()
        numbers = [person.id for person in people]
    for person in numbers:
        for n in range(24):
            ((showing, item),) = store.next_showings(task, person, 1)
            word = "healthy" if item.image[0] == "A" else "sick"
            store.add(person, NewAnswer(f"{person}-{n}", showing.id, word)).result(timeout=20)
    store.close()
    database.close()
    words = ["agreement", str(copy.folder), "--task", "mine", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["estimates"]["observed"]["value"] == 1
    words = ["label", "votes", str(copy.folder), "--task", "mine", "--positive", "sick"]
    done = CliRunner().invoke(main, [*words, "--rule", "dawid-skene", "--posterior", "0.9"])
    assert done.exit_code == 0, done.output
    table = copy.labels("labels")
    assert len(table) > 10
    assert (table["label"] == table["image"].str[0].map({"A": "healthy", "B": "sick"})).all()
    done = CliRunner().invoke(
        main, ["label", "votes", str(copy.folder), "--task", "m", "--positive", "sick"]
    )
    assert "mine" in done.output
