"""Boxes of users are checked whole: every bad row is named, with all that is wrong with it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.detection.box_tables import COLUMNS, box_faults, checked_boxes
from livewell.errors import TableError

SIZES = {"a.png": (20, 30), "b.png": (10, 10)}


def objects(*rows: tuple[object, ...]) -> pd.DataFrame:
    """A table of objects."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


GOOD = ("a.png", "dead", 0, 0, 20, 30)


@pytest.mark.parametrize(
    ("row", "codes"),
    [
        (GOOD, []),
        (("a.png", "dead", 19, 29, 20, 30), []),
        (("a.png", "dead", "3", 4.0, 5, 6), []),
        (("a.png", "dead", 5, 5, 5, 9), ["no-area"]),
        (("a.png", "dead", 5, 9, 8, 5), ["no-area"]),
        (("a.png", "dead", -1, 0, 5, 5), ["beyond-edge"]),
        (("a.png", "dead", 0, 0, 21, 30), ["beyond-edge"]),
        (("b.png", "dead", 0, 0, 20, 30), ["beyond-edge"]),
        (("a.png", "dead", 20, 0, 25, 5), ["outside"]),
        (("a.png", "dead", 0, -9, 5, 0), ["outside"]),
        (("a.png", "dead", 0, 0, 5.5, 5), ["not-whole"]),
        (("a.png", "dead", 0, None, 5, 5), ["not-a-number"]),
        (("a.png", "dead", 0, np.nan, 5, 5), ["not-a-number"]),
        (("a.png", "dead", 0, 0, np.inf, 5), ["not-a-number"]),
        (("a.png", "dead", "top", 0, 5, 5), ["not-a-number"]),
        (("c.png", "dead", 0, 0, 5, 5), ["no-such-image"]),
        (("c.png", "dead", 0, 0, 5, 0), ["no-area", "no-such-image"]),
        ((None, "dead", 0, 0, 5, 5), ["empty-value"]),
        (("a.png", None, 0, 0, 5, 5), []),
        (("a.png", "dead", 40, 9, 45, 9), ["no-area", "outside"]),
        (("a.png", "dead", 0, 0, 0, 0), ["no-area"]),
        (("a.png", "dead", None, 25, 5, 35), ["not-a-number", "beyond-edge"]),
    ],
)
def test_each_fault_has_its_code(row, codes):
    """A box that cannot be is told for what it is, and a good one raises nothing."""
    found = box_faults(objects(GOOD, row), SIZES)
    assert [fault.code for fault in found] == codes
    for fault in found:
        assert fault.where == f"row 1, image {row[0] or 'unnamed'}"


def test_the_text_names_what_is_wrong():
    """A user reads the values that are wrong and the size of the image."""
    table = objects(
        ("a.png", "dead", "top", 0, 5.5, None),
        ("a.png", "dead", 15, 0, 25, 5),
        ("a.png", "dead", 5, 1, 5, 2),
    )
    texts = [fault.message for fault in box_faults(table, SIZES)]
    assert texts == [
        "y0 is top, x1 is empty: not a number of pixels",
        "y1 is 5.5: whole pixels are needed",
        "rows x columns [15, 25) x [0, 5) reach beyond the 20 x 30 px",
        "rows x columns [5, 5) x [1, 2) have no area; y0 < y1 and x0 < x1 are needed",
    ]


def test_columns_that_are_missing_are_named():
    """Without its columns nothing else of a table is looked at."""
    found = box_faults(objects(GOOD).drop(columns=["y0", "kind"]), SIZES)
    assert [(fault.code, fault.where) for fault in found] == [
        ("missing-column", "kind"),
        ("missing-column", "y0"),
    ]


def test_all_faults_are_raised_at_once():
    """The error holds every bad row, by its label in the index, and names the file."""
    strange, flat = ("c.png", "dead", 0, 0, 5, 5), ("a.png", "dead", 5, 5, 5, 5)
    table = objects(strange, GOOD, flat, ("b.png", "x", 0, 0, 9, 11)).set_axis([2, 3, 4, 5])
    with pytest.raises(TableError, match=r"boxes\.csv: .*3 faults") as caught:
        checked_boxes(table, SIZES, "boxes.csv")
    rows = [fault.where.split(",")[0] for fault in caught.value.faults]
    assert rows == ["row 2", "row 4", "row 5"]
    assert "clip" in str(caught.value)


def test_checked_boxes_are_in_plain_types():
    """Numbers as text become numbers; further columns, order and index are kept."""
    table = objects(("b.png", 1, "1", 2.0, 3, 4), GOOD).assign(note=["x", "y"]).set_axis([7, 5])
    found = checked_boxes(table, SIZES)
    assert found.index.tolist() == [7, 5]
    assert found["note"].tolist() == ["x", "y"]
    assert found["kind"].tolist() == ["1", "dead"]
    corners = found[["y0", "x0", "y1", "x1"]]
    assert (corners.dtypes == np.int64).all()
    assert corners.to_numpy().tolist() == [[1, 2, 3, 4], [0, 0, 20, 30]]


def test_no_rows_are_no_fault():
    """A table without objects is a table."""
    empty = objects()
    assert box_faults(empty, SIZES) == []
    assert len(checked_boxes(empty, {})) == 0
    assert checked_boxes(empty, SIZES, clip=True)["y0"].dtype == np.int64


def test_clipping_is_asked_for():
    """With clip a box is cut to its image; one wholly outside stays a fault."""
    table = objects(("a.png", "dead", -3, 25, 5, 35), GOOD)
    found = checked_boxes(table, SIZES, clip=True)
    assert found[["y0", "x0", "y1", "x1"]].to_numpy().tolist() == [[0, 25, 5, 30], [0, 0, 20, 30]]
    with pytest.raises(TableError, match="outside"):
        checked_boxes(objects(("a.png", "dead", 20, 0, 25, 5)), SIZES, clip=True)


@given(st.lists(st.tuples(*[st.integers(-8, 28)] * 4), max_size=12), st.booleans())
def test_what_passes_lies_in_its_image(corners, clip):
    """Rows without a fault hold pixels of the image and, once checked, no others."""
    table = objects(*[("a.png", "dead", *box) for box in corners])
    bad = {int(fault.where.split(",")[0][4:]) for fault in box_faults(table, SIZES, clip=clip)}
    inside = np.zeros((20, 30), bool)
    for row, (y0, x0, y1, x1) in enumerate(corners):
        pixels = {(y, x) for y in range(y0, y1) for x in range(x0, x1)}
        there = {(y, x) for y, x in pixels if 0 <= y < 20 and 0 <= x < 30}
        assert (row in bad) == (not there or (there != pixels and not clip))
    kept = checked_boxes(table.drop(index=sorted(bad)), SIZES, clip=clip)
    for y0, x0, y1, x1 in kept[["y0", "x0", "y1", "x1"]].itertuples(index=False):
        assert 0 <= y0 < y1 <= 20
        assert 0 <= x0 < x1 <= 30
        assert inside[y0:y1, x0:x1].size == (y1 - y0) * (x1 - x0)
