"""Answers as files and back: tables, regions for QuPath and for Fiji."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import roifile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from livewell.answers.database import Database
from livewell.answers.exports import write_answers
from livewell.answers.imports import import_answers, read_export
from livewell.answers.settings import TaskSettings
from livewell.answers.store import AnswerStore, NewAnswer
from livewell.answers.tables import Person
from livewell.errors import OutputError, SpecError, StudyError, TableError
from livewell.tables.schemas import ANSWERS
from tests.answers.patches import patches

FORMS = ["a.csv", "a.parquet", "a.geojson.zip", "a.zip"]
CLASSES = ["healthy", "sick"]
WORDS = st.text(st.characters(min_codepoint=32, exclude_categories=["C", "Z"]), min_size=1)
NOTES = st.one_of(
    WORDS, st.sampled_from(["=1+1", "'=1+1", "''-x", "-5", "'", "#N/A", "NA", "nan", "1,5", '"'])
)
PLACES = st.floats(0, 64, width=32)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Answers to patches of two images, or marks in them, by two people."""
    boxed = draw(st.booleans())
    rows = []
    for number in range(draw(st.integers(1, 5))):
        row: dict[str, Any] = {
            "item": f"w{number % 2}.tif:{number}",
            "person": draw(st.sampled_from(["Ada", "-Bob"])),
            "answer": draw(st.sampled_from([*CLASSES, "unsure"])),
            "round": 0,
            "reason": "random",
            "time_s": draw(st.floats(0, 2e9)),
            "seconds": draw(st.floats(0, 1e5)),
            "task": "t",
            "kind": "patch",
            "image": f"w{number % 2}.tif",
            "t": number,
            "frames": 1,
            "height": 64,
            "width": 64,
            "answer_id": f"a-{number}",
            "version": "1",
        }
        if boxed:
            row |= {"y0": 0, "x0": number, "y1": 9, "x1": number + 9}
        if draw(st.booleans()):
            row["note"] = draw(NOTES)
        if draw(st.booleans()):
            row |= {"tags": "blurred|odd", "truth": "sick", "death_t": number}
        rows.append(row)
    return ANSWERS.check(pd.DataFrame(rows).reindex(columns=ANSWERS.names))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AnswerStore]:
    """A store in a folder, with Ada."""
    database = Database(f"sqlite:///{tmp_path / 'answers.sqlite'}")
    with database.session() as session:
        session.add(Person(name="Ada", role="expert", created=0.0))
    made = AnswerStore(database)
    yield made
    made.close()
    database.close()


def same(found: pd.DataFrame, table: pd.DataFrame) -> None:
    """Hold two tables of answers against each other, whatever the order of their rows."""
    found = ANSWERS.check(found.reindex(columns=ANSWERS.names)).sort_values("answer_id")
    table = ANSWERS.check(table).sort_values("answer_id")
    pd.testing.assert_frame_equal(found.reset_index(drop=True), table.reset_index(drop=True))


@pytest.mark.parametrize(
    "name", [FORMS[0], *(pytest.param(name, marks=pytest.mark.long) for name in FORMS[1:])]
)
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_a_file_is_read_back(tmp_path: Path, name: str, table: pd.DataFrame) -> None:
    """Every form holds the whole table: what is read is what was written."""
    write_answers(table, tmp_path / name, CLASSES)
    same(read_export(tmp_path / name), table)


def annotated(store: AnswerStore) -> pd.DataFrame:
    """Answers of Ada to cells in frames and to patches."""
    whole = patches(2).drop(columns=["y0", "x0", "y1", "x1"]).assign(image=["a.tif", "b.tif"])
    task = store.make_task("cells", "cells", CLASSES, whole, TaskSettings(repeats=0))
    marks = [
        {"class": "sick", "y": 3.5, "x": 70},
        {"class": "healthy", "y": 1, "x": 2, "y1": 11, "x1": 22},
    ]
    for number, (showing, _) in enumerate(store.next_showings(task, 1, 2)):
        given_ = marks if number == 0 else []
        answer = NewAnswer(f"c{number}", showing.id, "done", marks=given_, note="=x", seconds=1.0)
        store.add(1, answer).result(60)
    return store.answers(task)


def test_qupath_gets_regions_in_pixels(store: AnswerStore, tmp_path: Path) -> None:
    """A FeatureCollection: item as a polygon, marks as points and boxes, class with its colour."""
    table = annotated(store)
    first = table[table["answer_id"] == "c0"]
    write_answers(first, tmp_path / "a.geojson", CLASSES)
    read = json.loads((tmp_path / "a.geojson").read_text())
    assert read["type"] == "FeatureCollection"
    frame, point, box = read["features"]
    assert frame["geometry"]["coordinates"] == [[[0, 0], [320, 0], [320, 256], [0, 256], [0, 0]]]
    assert point["geometry"]["type"] == "Point"
    assert point["geometry"]["coordinates"] == [70, 3.5]
    assert point["properties"]["classification"] == {"name": "sick", "color": [213, 94, 0]}
    assert box["geometry"]["coordinates"] == [[[2, 1], [22, 1], [22, 11], [2, 11], [2, 1]]]
    assert box["properties"]["classification"]["name"] == "healthy"
    assert {each["properties"]["objectType"] for each in read["features"]} == {"annotation"}
    assert len({each["id"] for each in read["features"]}) == 3


def test_fiji_gets_regions_in_pixels(store: AnswerStore, tmp_path: Path) -> None:
    """The regions of one image are a zip as Fiji's ROI manager opens it, with frames from 1."""
    table = annotated(store)
    write_answers(table[table["answer_id"] == "c0"], tmp_path / "a.zip", CLASSES)
    frame, point, box = roifile.roiread(tmp_path / "a.zip")
    assert frame.coordinates().tolist() == [[0, 0], [320, 0], [320, 256], [0, 256]]
    assert point.roitype == roifile.ROI_TYPE.POINT
    assert point.coordinates().tolist() == [[70, 3.5]]
    assert box.coordinates().tolist() == [[2, 1], [22, 1], [22, 11], [2, 11]]
    assert {each.position for each in (frame, point, box)} == {1}
    assert point.stroke_color == b"\xff\xd5\x5e\x00"


@pytest.mark.parametrize(("name", "ending"), [("a.zip", ".zip"), ("a.geojson.zip", ".geojson")])
def test_each_image_has_a_file(store: AnswerStore, tmp_path: Path, name: str, ending: str) -> None:
    """Regions of several images lie in one file for each, for they are opened over it."""
    write_answers(annotated(store), tmp_path / name, CLASSES)
    with zipfile.ZipFile(tmp_path / name) as archive:
        assert sorted(archive.namelist()) == [f"a{ending}", f"b{ending}"]


def test_regions_of_several_images_are_not_one_file(store: AnswerStore, tmp_path: Path) -> None:
    """A GeoJSON of several images, and endings that say no form, are refused with what to do."""
    table = annotated(store)
    with pytest.raises(SpecError, match=r"--image.*geojson\.zip"):
        write_answers(table, tmp_path / "a.geojson", CLASSES)
    with pytest.raises(SpecError, match="parquet"):
        write_answers(table, tmp_path / "a.xlsx", CLASSES)
    with pytest.raises(OutputError):
        write_answers(table, tmp_path / "answers.sqlite" / "a.csv", CLASSES)


def test_no_spreadsheet_runs_a_note(store: AnswerStore, tmp_path: Path) -> None:
    """A note that begins as a formula does is text in the CSV, and the same note when read back."""
    write_answers(annotated(store), tmp_path / "a.csv", CLASSES)
    assert ",'=x," in (tmp_path / "a.csv").read_text()
    assert read_export(tmp_path / "a.csv")["note"].tolist() == ["=x", "=x"]


@pytest.mark.long
@pytest.mark.parametrize("name", FORMS)
def test_answers_move_to_another_study(store: AnswerStore, tmp_path: Path, name: str) -> None:
    """What one study exported another one imports, once however often, and says who is new."""
    table = annotated(store)
    write_answers(table, tmp_path / name, CLASSES)
    database = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other = AnswerStore(database)
    read = read_export(tmp_path / name)
    assert import_answers(other, read) == ("cells", 2, 0)
    assert import_answers(other, read, "cells") == ("cells", 0, 2)
    same(other.answers(other.task_named("cells").id), table)
    with database.session() as session:
        (person,) = session.scalars(select(Person))
        assert (person.name, person.disabled, person.password) == ("Ada", True, None)
    other.close()
    database.close()


def test_answers_come_back_to_their_task(store: AnswerStore) -> None:
    """Imported into the task they came from, answers are known; new ones are added to its items."""
    table = annotated(store)
    task = store.task_named("cells").id
    assert import_answers(store, table) == ("cells", 0, 2)
    more = table.assign(person="Bob", answer_id=["b0", "b1"])
    assert import_answers(store, more) == ("cells", 2, 0)
    assert len(store.answers(task)) == 4
    assert store.progress(task, 1).items == 2


def test_all_faults_of_a_table_are_told(store: AnswerStore) -> None:
    """Rows that cannot be answers of the task are named together, and nothing is imported."""
    table = annotated(store)
    task = store.task_named("cells").id
    wrong = table.assign(person="Bob", answer_id=["b0", "b 1"], answer=["dead", "done"])
    with pytest.raises(TableError) as caught:
        import_answers(store, wrong)
    assert [fault.where for fault in caught.value.faults] == ["row 0", "row 1"]
    other = table.assign(answer=["unsure", "unsure"], marks=None)
    with pytest.raises(TableError, match="another answer has the answer_id c0"):
        import_answers(store, other)
    again = table.assign(answer_id=["x0", "x1"])
    with pytest.raises(TableError, match="in this round already"):
        import_answers(store, again)
    with pytest.raises(TableError, match="image"):
        import_answers(store, table.drop(columns="image"))
    with pytest.raises(TableError, match="--task"):
        import_answers(store, table.drop(columns="task"))
    same(store.answers(task), table)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.geojson", "a.zip", "missing.csv"])
def test_what_is_no_export_is_said(tmp_path: Path, name: str) -> None:
    """A file that holds something else is refused with what was expected."""
    if not name.startswith("missing"):
        (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises((StudyError, TableError, ValueError)):
        read_export(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"marks": "{"}, "marks"),
        ({"marks": "3"}, "marks"),
        ({"marks": '[{"class": ["sick"], "y": 1, "x": 1}]'}, "marks"),
        ({"time_s": np.inf}, "given at inf s"),
        ({"y0": 9, "x0": 0, "y1": 3, "x1": 5}, "a box that is none"),
        ({"y0": 9, "x0": 0}, "a box that is none"),
    ],
)
def test_rows_that_cannot_be_are_refused(
    store: AnswerStore, values: dict[str, Any], said: str
) -> None:
    """Marks, times and boxes that another program spoilt are told, and make no task."""
    row = {"item": "a", "person": "Ada", "answer": "done", "image": "a.tif", "t": 0, "task": "new"}
    with pytest.raises(TableError, match=said):
        import_answers(store, pd.DataFrame([row | values]))
    assert store.tasks() == []


def test_a_file_of_too_many_levels_is_refused(tmp_path: Path) -> None:
    """A list within a list within a list is said not to be an export."""
    (tmp_path / "a.geojson").write_bytes(b"[" * 100_000)
    with pytest.raises(StudyError, match="cannot be read as answers"):
        read_export(tmp_path / "a.geojson")
