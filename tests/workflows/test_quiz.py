"""A quiz of a run: regions that it has not learnt from, the net's calls, results and page."""

import json
import re
import uuid
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from livewell.answers.database import Database
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.cli import main
from livewell.errors import SpecError
from livewell.splitting.quiz_parts import QuizSizes
from livewell.study.study import Study
from livewell.workflows.quiz import QuizTask, quiz, quiz_results
from livewell.workflows.train import TrainingResult


@pytest.fixture(scope="module")
def made(study: Study, trained: TrainingResult) -> QuizTask:
    """A quiz of the shared run."""
    return quiz(study, trained.run.folder, name="people", sizes=QuizSizes(6, 4, 6), seed=1)


def answered(study: Study, task: int, person: str, wrong: int) -> None:
    """Somebody's answers to a whole quiz, so many of each part wrong."""
    database = Database.of_study(study.folder)
    store = AnswerStore(database)
    with database.session() as session:
        someone = Person(name=person, password=None, role="expert", created=0.0)
        session.add(someone)
        session.flush()
        number = someone.id
    given: dict[str, int] = {}
    while rows := store.next_showings(task, number, 1):
        showing, item = rows[0]
        part, truth = str(item.part), str(item.truth)
        given[part] = given.get(part, 0) + 1
        other = {"healthy": "sick", "sick": "healthy"}[truth]
        said = other if given[part] <= wrong else truth
        new = NewAnswer(id=str(uuid.uuid4()), showing=showing.id, answer=said, seconds=2.0)
        store.add(number, new).result()
    store.close()
    database.close()


def test_regions_are_of_test_groups(made: QuizTask, study: Study, trained: TrainingResult) -> None:
    """Every region is of a group that the run held out, with the truth of its label."""
    patches, folds, _ = study.split("split")
    tests = set(folds.loc[folds["part"] == "test", "group"])
    assert set(made.items["group"]) <= tests
    merged = made.items.merge(patches, on=["image", "t", "y0", "x0", "y1", "x1"])
    assert merged["truth"].tolist() == merged["label"].tolist()
    assert made.items["part"].tolist() == ["before"] * 6 + ["study"] * 4 + ["after"] * 6
    assert set(made.items["model"]) <= {"healthy", "sick"}
    assert trained.run.folder.is_dir()


def test_the_same_name_is_refused(made: QuizTask, study: Study, trained: TrainingResult) -> None:
    """A second quiz of the same name is refused, and so is a name that is no quiz."""
    with pytest.raises(SpecError, match="a task of this name"):
        quiz(study, trained.run.folder, name=made.name)
    with pytest.raises(SpecError, match="no quiz of this name"):
        quiz_results(study, "another", study.folder / "never")


def test_results(made: QuizTask, study: Study, tmp_path: Path) -> None:
    """One of six wrong is 83%, before and after, in words, tables, the page and the JSON."""
    with pytest.raises(SpecError, match="nobody has answered"):
        quiz_results(study, made.name, tmp_path / "early")
    answered(study, made.task, "ann <i>", 1)
    found = quiz_results(study, made.name, tmp_path / "out")
    assert found.sentences[0].startswith(
        "Before studying labelled images ann <i> called 5 of 6 (83%) right"
    )
    assert "From before to after accuracy changed by +0 in 100" in found.sentences[-1]
    table = pd.read_csv(tmp_path / "out" / "scores.csv")
    own = table[(table["of"] == "person") & (table["figure"] == "accuracy")]
    assert own.set_index("part")["value"].round(3).to_dict() == {
        "before": 0.833,
        "after": 0.833,
        "after less before": 0.0,
    }
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "ann &lt;i&gt; called 5 of 6 (83%)" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    arguments = ["quiz", str(study.folder), "--name", made.name, "--results"]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["people"][0]["parts"]["before"]["count"] == 6


def test_the_command_needs_a_model_or_results(study: Study) -> None:
    """Without --model or --results, and with both, it is said what is needed."""
    for more in ([], ["--results"], ["--model", "x", "--out", "y"]):
        done = CliRunner().invoke(main, ["quiz", str(study.folder), *more])
        assert done.exit_code == 2
        assert "--out FOLDER" in done.output
