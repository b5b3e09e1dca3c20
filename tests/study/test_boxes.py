"""Boxes of cells read from a CSV."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livewell.errors import LayoutError, SpecError, StudyError, TableError
from livewell.study.boxes import BOXED_CELLS, read_boxes
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta
from livewell.tables.schemas import BOX

HEADING = "image,state,xmin,ymin,xmax,ymax"


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A CSV that a test fills."""
    return tmp_path / "cells.csv"


def test_corners_are_put_in_order(csv: Path) -> None:
    """Whatever the order in the file, rows come before columns and the first before the last."""
    csv.write_text(f"{HEADING}\na.png,dead,1,2,30,40\na.png,,5,6,7,8.0\n")
    table = read_boxes(csv)
    assert table.columns.tolist() == ["image", "kind", *BOX]
    assert table[BOX].to_numpy().tolist() == [[2, 1, 40, 30], [6, 5, 8, 7]]
    assert table["kind"].isna().tolist() == [False, True]
    assert table.index.tolist() == [2, 3]
    assert BOXED_CELLS.faults(table) == []


def test_other_names_and_separators(csv: Path) -> None:
    """Columns may have other names, in other letters; semicolons are read, too."""
    csv.write_text("File Name;class;left;top;right;bottom;by\na.png;dead;1;2;30;40;me\n")
    table = read_boxes(
        csv, image="File Name", state="class", corners=("top", "left", "bottom", "right")
    )
    assert table.to_numpy().tolist() == [["a.png", "dead", 2, 1, 40, 30]]


@given(
    st.lists(
        st.tuples(*[st.integers(-(10**6), 10**6)] * 4),
        min_size=1,
        max_size=20,
        unique=True,
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_back_as_written(csv: Path, rows: list[tuple[int, ...]]) -> None:
    """Any corners are read as they were written; whether they fit an image is not asked here."""
    table = pd.DataFrame(rows, columns=["ymin", "xmin", "ymax", "xmax"])
    table.assign(image="a", state="dead").to_csv(csv, index=False)
    assert read_boxes(csv)[BOX].to_numpy().tolist() == [list(row) for row in rows]


def test_all_faults_of_a_file_come_at_once(csv: Path) -> None:
    """Text, NaN or infinity for numbers, empty cells, a cell twice: file, column and rows."""
    lines = ["a,dead,1,2,30,x", "a,dead,1,2,nan,40", "a,dead,,2,30,40", ",dead,1,2,30,40"]
    lines += ["b,dead,1,inf,30,40", "c,dead,1,2,30,40", "c,dead,01,2,30,40.0"]
    csv.write_text("\n".join([HEADING, *lines]))
    with pytest.raises(TableError) as refused:
        read_boxes(csv)
    told = str(refused.value)
    assert str(csv) in told
    for text in (
        "[wrong-type] ymax, rows 2: 'x' is not a whole number (first row beyond",
        "[wrong-type] xmax, rows 3: 'nan' is not a whole number",
        "[empty-value] xmin, rows 4",
        "[empty-value] image, rows 5",
        "[wrong-type] ymin, rows 6: 'inf' is not a whole number",
        "[duplicate-row] rows 7, 8",
    ):
        assert text in told
    assert len(refused.value.faults) == 6
    assert "correct these rows" in refused.value.remedy


def test_missing_columns_are_told_with_what_is_near(csv: Path) -> None:
    """All columns that are not there are told together, and faults of the others as well."""
    csv.write_text("image,stat,xmin,y_min,xmax,ymax\na,dead,1,2,x,4\n")
    with pytest.raises(TableError) as refused:
        read_boxes(csv)
    assert [(fault.code, fault.where) for fault in refused.value.faults] == [
        ("missing-column", "state"),
        ("missing-column", "ymin"),
        ("wrong-type", "xmax, rows 2"),
    ]
    assert "near it: y_min" in str(refused.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"corners": ("xmin", "ymin", "xmax", "ymax")}, "x before y"),
        ({"corners": ("ymin", "xmin", "ymax")}, "four names"),
        ({"corners": ("ymin", "xmin", "ymin", "xmax")}, "apart from each other"),
        ({"image": "state"}, "apart from each other"),
        ({"state": " "}, "four names"),
    ],
    ids=["x before y", "three", "twice", "image is state", "no name"],
)
def test_columns_that_cannot_be_are_refused(csv: Path, options: dict, told: str) -> None:
    """Corners in the file's order would swap x and y unseen, so the order is looked at."""
    csv.write_text(f"{HEADING}\na,dead,1,2,30,40\n")
    with pytest.raises(SpecError) as refused:
        read_boxes(csv, **options)
    assert told in str(refused.value)


def test_corners_are_whole_pixels(csv: Path) -> None:
    """Fractions, such as shares of the image's size, are refused and not rounded unsaid."""
    csv.write_text(f"{HEADING}\na,dead,0.1,0.2,0.3,0.4\n")
    with pytest.raises(TableError, match=r"'0\.2' is not a whole number") as refused:
        read_boxes(csv)
    assert len(refused.value.faults) == 4
    assert "corners are whole pixels" in refused.value.remedy


def test_no_file_and_no_rows(csv: Path) -> None:
    """A file that is not there or holds a heading only is refused with its path."""
    with pytest.raises(LayoutError, match=r"cells\.csv.*check the path"):
        read_boxes(csv)
    csv.write_text(HEADING + "\n")
    with pytest.raises(LayoutError, match="without rows"):
        read_boxes(csv)


def test_boxes_are_kept_with_their_labels(tmp_path: Path) -> None:
    """Boxes come back as written and go with their labels; labels of another route have none."""
    study = Study.create(
        tmp_path / "study", tmp_path, pd.DataFrame({"image": ["a"], "path": ["a"]})
    )
    labels = pd.DataFrame({"image": ["a"], "label": ["dead"], "route": ["boxes"]})
    boxes = pd.DataFrame({"image": ["a"], "kind": ["dead"], "label": ["dead"]})
    boxes = boxes.assign(y0=1, x0=2, y1=3, x1=4)
    with pytest.raises(StudyError, match="none has been made yet"):
        study.write_boxes("mine", boxes)
    study.write_labels("mine", labels, LabelMeta(route="boxes", classes=("a", "b")))
    study.write_boxes("mine", boxes)
    assert (study.boxes("mine")[boxes.columns] == boxes).all(axis=None)
    with pytest.raises(TableError, match="missing-column"):
        study.write_boxes("mine", boxes.drop(columns="y1"))
    assert study.label_names() == ["mine"]
    study.write_labels("mine", labels, LabelMeta(route="column", classes=("a", "b")))
    with pytest.raises(StudyError, match=r"no boxes were kept.*labels by column.*label boxes"):
        study.boxes("mine")


def test_real_boxes_are_whole(shared_data: Path) -> None:
    """The haemocytometer's 2,954 cells, 457 of them dead, are read without a fault."""
    table = read_boxes(shared_data / "haemocytometer" / "cells.csv")
    assert table["kind"].value_counts().to_dict() == {"living": 2497, "dead": 457}
    assert table["image"].nunique() == 875
