"""`livewell answers`: tasks made, listed, exported and imported."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from livewell.answers.database import Database
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.cli import main
from livewell.study.study import Study
from livewell.workflows.index import index


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four wells of one frame of 128 px each, two of them dosed; one file will be broken."""
    folder = tmp_path_factory.mktemp("wells")
    rng = np.random.default_rng(0)
    lines = ["image,dose"]
    for number in range(4):
        name = f"B0{number + 1}.tif"
        pixels = rng.normal(1000, 100, (128, 128)).astype(np.uint16)
        tifffile.imwrite(folder / name, pixels, photometric="minisblack")
        lines.append(f"{name},{number % 2 * 80}")
    (folder / "doses.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def study(images: Path, tmp_path: Path) -> Study:
    """A study of these wells."""
    return index(images, tmp_path / "study", metadata=images / "doses.csv").study


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["answers", *map(str, words)])


def made(study: Study, name: str, *words: str | Path) -> dict[str, object]:
    classes = ("--class", "healthy", "--class", "sick")
    options = ("--kind", "patch", "--size-px", "64", "--empty", "--json")
    done = run("task", study.folder, name, *classes, *options, *words)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def test_a_task_goes_from_images_to_a_file_and_back(study: Study, tmp_path: Path) -> None:
    """A task is made and listed; its answers go into a file, and into another task by import."""
    assert made(study, "wells", "--items", "10")["items"] == 10
    database = Database.of_study(study.folder)
    with database.session() as session:
        session.add(Person(name="Ada", role="expert", created=0.0))
    store = AnswerStore(database)
    for showing, _ in store.next_showings(1, 1, 3):
        store.add(1, NewAnswer(showing.id[:8], showing.id, "sick")).result(60)
    store.close()
    database.close()
    out = tmp_path / "answers.csv"
    assert "3 answers" in run("export", study.folder, "--task", "wells", "--out", out).output
    listed = json.loads(run("tasks", study.folder, "--json").output)["tasks"]
    assert listed == [
        {
            **{"name": "wells", "kind": "patch", "classes": ["healthy", "sick"], "items": 10},
            **{"answered": 3, "answers": 3, "closed": False},
        }
    ]
    assert "0 answers added, 3 were there" in run("import", study.folder, out).output
    assert len(out.read_text().splitlines()) == 4


def test_two_classes_of_a_task_need_no_option(study: Study) -> None:
    """`label votes` takes the classes of a task in their order: the second one is sought."""
    made(study, "wells", "--items", "8")
    database = Database.of_study(study.folder)
    with database.session() as session:
        session.add(Person(name="Ada", role="expert", created=0.0))
    store = AnswerStore(database)
    for number, (showing, _) in enumerate(store.next_showings(1, 1, 4)):
        answer = ("healthy", "sick")[number % 2]
        store.add(1, NewAnswer(showing.id[:8], showing.id, answer)).result(60)
    store.close()
    database.close()
    words = ["label", "votes", str(study.folder), "--task", "wells"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert study.labels("labels")["label"].value_counts().to_dict() == {"healthy": 2, "sick": 2}
    assert study.label_meta("labels").classes == ("healthy", "sick")


def test_controls_are_of_a_condition(study: Study) -> None:
    """Controls are drawn from the images whose column says so."""
    made(study, "wells", "--items", "8", "--controls", "0.25", "--known", "dose:0=healthy")
    store = AnswerStore(database := Database.of_study(study.folder))
    with database.session() as session:
        from livewell.answers.tables import Item

        truths = {item.image: item.truth for item in session.query(Item) if item.truth}
    store.close()
    database.close()
    assert set(truths.values()) == {"healthy"}
    assert set(truths) <= {"B01.tif", "B03.tif"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "STUDY", "--task", "none", "--out", "a.csv"], "no task named 'none'"),
        (["import", "STUDY", "missing.csv"], "missing.csv"),
        (["export", "STUDY", "--task", "none", "--out", "a.csv", "--database", "x"], "address"),
    ],
)
def test_what_is_wrong_is_said(study: Study, words: list[str], said: str) -> None:
    """A command that cannot be done ends with code 2 or 3 and a sentence."""
    done = run(*(str(study.folder) if word == "STUDY" else word for word in words))
    assert done.exit_code not in (0, 1)
    assert said in done.output


def test_shares_that_cannot_be_are_refused(study: Study) -> None:
    """Settings of a task are looked at before anything is made."""
    done = run(
        *("task", study.folder, "x", "--kind", "frame", "--class", "a", "--controls", "0.5"),
        *("--repeats", "0.5", "--known", "dose:0=a"),
    )
    assert "more than 100% together" in done.output
    assert run("tasks", study.folder).output == (
        "no task yet; make one with `livewell answers task`\n"
    )
