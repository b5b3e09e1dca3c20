"""Labels from a column."""

import pandas as pd
import pytest

from livewell.errors import TableError
from livewell.labels.by_column import Column, by_column, every_value
from livewell.tables.schemas import LABELS

FIELDS = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d"],
        "treatment": ["CPT", "DMSO", "DMSO", "none"],
        "dose": [0.0, 5.0, 5.0, 0.0],
    }
)
CLASSES = {"CPT": "sick", "DMSO": "healthy"}


def _codes(caught) -> list[str]:
    return [fault.code for fault in caught.value.faults]


def test_values_become_their_classes():
    """Each image gets its value's class; left-out ones are counted, and the schema holds."""
    made = by_column(FIELDS, Column("treatment", CLASSES, "drop"))
    assert dict(zip(made.table["image"], made.table["label"], strict=True)) == {
        "a": "sick",
        "b": "healthy",
        "c": "healthy",
    }
    assert {count.step: count.count for count in made.counts} == {
        "images": 4,
        "without a value in treatment": 0,
        "value without a class, dropped": 1,
        "sick": 1,
        "healthy": 2,
    }
    assert LABELS.faults(made.table) == []
    assert list(made.table)[: len(LABELS.names)] == LABELS.names
    assert made.table["t"].isna().all()


def test_numbers_are_text():
    """Numbers are read as the user writes them: 5, not 5.0."""
    made = by_column(FIELDS, Column("dose", {"0": "h", "5": "s"}))
    assert made.table["label"].tolist() == list("hssh")


@pytest.mark.parametrize(
    ("column", "classes", "codes", "hint"),
    [
        ("treatmant", CLASSES, ["missing-column"], "near it: treatment"),
        ("treatment", CLASSES, ["unmapped-value"], "d"),
        (
            "treatment",
            {"CPT": "x", "DMS0": "y"},
            ["unknown-value", *["unmapped-value"] * 2],
            "DMSO",
        ),
        ("treatment", {"CPT": "x", "DMSO": "x", "none": "x"}, ["one-class"], "only x"),
    ],
)
def test_bad_input_is_refused_with_all_faults(column, classes, codes, hint):
    """Misspelt columns and values are named, with what comes near."""
    with pytest.raises(TableError) as caught:
        by_column(FIELDS, Column(column, classes))
    assert _codes(caught) == codes
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("values", "classes", "remedy"),
    [
        (
            ["CPT"] * 4,
            CLASSES,
            "add images of class healthy, or label by a column whose values differ",
        ),
        (
            ["CPT", "CPT", "DMS0", "DMS0"],
            CLASSES,
            "name the value of treatment that is of class healthy (without a class: DMS0)",
        ),
        (["CPT", "DMSO"] * 2, dict.fromkeys(CLASSES, "x"), "for one of the values CPT, DMSO"),
    ],
    ids=["one value", "misspelt", "one name for both"],
)
def test_one_class_alone_is_told_how_to_get_two(values, classes, remedy):
    """Naming or dropping values makes no second class: the remedy names what is lacking."""
    for others in ("refuse", "drop"):
        with pytest.raises(TableError) as caught:
            by_column(FIELDS.assign(treatment=values), Column("treatment", classes, others))
        told = caught.value.remedy
        assert told.startswith("two classes are needed: add images of ")
        assert remedy in told
        unnamed = "unmapped-value" in _codes(caught)
        assert ("name a class for every value" in told) == unnamed


def test_values_that_do_not_occur_are_told_what_to_do():
    """Where two classes are there, a value more that no image has is to be corrected."""
    with pytest.raises(TableError) as caught:
        by_column(FIELDS[:3], Column("treatment", CLASSES | {"H2O": "healthy"}))
    assert caught.value.remedy.startswith("write values as they stand in the column")


def test_empty_values_are_refused():
    """An image without value is a fault unless dropped."""
    fields = FIELDS.assign(treatment=["CPT", None, " ", "DMSO"])
    with pytest.raises(TableError, match="no value for b, c"):
        by_column(fields, Column("treatment", CLASSES))
    assert len(by_column(fields, Column("treatment", CLASSES, "drop")).table) == 2
    with pytest.raises(TableError) as caught:
        by_column(FIELDS[:1], Column("treatment", {"CPT": "a"}, "drop"))
    assert set(_codes(caught)) == {"one-class"}


LINES = pd.DataFrame(
    {
        "image": list("abcde"),
        "cell_line": ["MCF7", "MCF7", "PC3", "PC3", None],
        "treatment": ["CPT", "DMSO", "CPT", "DMSO", "CPT"],
    }
)


def test_several_columns_make_a_class_of_every_combination():
    """Line and treatment are joined by a space; an image that lacks one of them has no class."""
    columns = ("cell_line", "treatment")
    classes = every_value(LINES, columns)
    assert list(classes) == ["MCF7 CPT", "MCF7 DMSO", "PC3 CPT", "PC3 DMSO"]
    made = by_column(LINES, Column(columns, classes, "drop"))
    assert made.table["label"].tolist() == list(classes)
    assert by_column(LINES, Column(columns, others="drop")).table.equals(made.table)
    with pytest.raises(TableError, match="no value for e") as caught:
        by_column(LINES, Column(columns))
    assert caught.value.faults[0].where == "cell_line and treatment"


def test_combinations_that_read_alike_are_refused():
    """ "A B" with "C" and "A" with "B C" would be one class."""
    fields = pd.DataFrame({"image": ["a", "b"], "x": ["A B", "A"], "y": ["C", "B C"]})
    with pytest.raises(TableError, match=r"A B and C.*A and B C") as caught:
        every_value(fields, ("x", "y"))
    assert _codes(caught) == ["same-name"]
