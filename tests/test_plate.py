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
    [("B07", 1, 6), ("b7", 1, 6), (" H 12 ", 7, 11), ("A001", 0, 0), ("AF48", 31, 47)],
)
def test_ways_to_write_a_well(name, row, column):
    """Case, spaces and leading zeros do not matter."""
    assert Well.parse(name) == Well(row, column)


@pytest.mark.parametrize("name", ["", "7", "B", "B0", "B49", "AG01", "BA01", "B7x", "B-7", "1B"])
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
