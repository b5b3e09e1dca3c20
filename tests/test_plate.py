"""Names of wells and formats of plates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import GeometryError
from livewell.plate import PLATES, Well

wells = st.builds(Well, st.integers(0, 31), st.integers(0, 47))


@given(wells)
def test_a_well_is_read_from_its_name(well):
    """Every well of up to 1536 is read back from its name, in either case."""
    assert Well.parse(str(well)) == well
    assert Well.parse(str(well).lower()) == well


@pytest.mark.parametrize(
    ("name", "row", "column"),
    [
        *[("B07", 1, 6), ("b7", 1, 6), (" H 12 ", 7, 11), ("A001", 0, 0), ("AF48", 31, 47)],
        *[("A - 01", 0, 0), ("A_01", 0, 0), ("a-1", 0, 0), ("AA01", 26, 0), ("r02c07", 1, 6)],
    ],
)
def test_ways_to_write_a_well(name, row, column):
    """Row 27: case, spaces, leading zeros and what stands between do not matter."""
    assert Well.parse(name) == Well(row, column)


@pytest.mark.parametrize(
    "name", ["", "7", "B", "B0", "B49", "AG01", "BA01", "B7x", "B.7", "1B", "r33c1"]
)
def test_what_is_no_well(name):
    """Anything else is refused, and the text shows what came and what a well looks like."""
    with pytest.raises(GeometryError, match=r"such as B07") as caught:
        Well.parse(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("number", PLATES)
def test_plates_hold_their_wells(number):
    """A plate has as many wells as its name says, all different, all inside, the next outside."""
    plate = PLATES[number]
    found = plate.wells()
    assert len(set(found)) == len(found) == number
    assert found == sorted(found)
    assert all(well in plate for well in found)
    assert Well(plate.rows, 0) not in plate
    assert Well(0, plate.columns) not in plate


@pytest.mark.parametrize(("row", "column"), [("B", "7"), ("02", "07"), ("b", " 7 "), ("2.0", "7")])
def test_a_well_of_a_row_and_a_column(row, column):
    """Row 27: a row by letter or number and a column make a well, both counted from 1."""
    assert Well.of(row, column) == Well(1, 6)


@pytest.mark.parametrize(("row", "column"), [("0", "1"), ("33", "1"), ("B", "B"), ("AG", "1")])
def test_a_row_and_a_column_of_no_well(row, column):
    """A row or column beyond the largest plate makes no well, and both are shown."""
    with pytest.raises(GeometryError, match=f"{row}, {column}"):
        Well.of(row, column)
