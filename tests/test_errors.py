"""Errors tell what, where, expected, got and remedy, and are builtins too."""

import pytest

from livewell import errors
from livewell.errors import Fault, LivewellError, TableError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, LivewellError) and kind is not LivewellError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_also_a_builtin(kind):
    """Each error can be caught as a builtin, and its code is its own and is not the base's."""
    assert issubclass(kind, (ValueError, OSError, ImportError))
    assert kind.code != LivewellError.code


def test_codes_are_distinct():
    """No two kinds of error share a code."""
    assert len({kind.code for kind in KINDS}) == len(KINDS)


def test_the_text_says_everything_once():
    """The text holds all five parts, in order, each ended by one full stop."""
    error = LivewellError("bad.", where="a.tif", expected="x", got="y", remedy="do z")
    assert str(error) == "a.tif: bad. Expected: x. Got: y. What to do: do z."
    assert str(LivewellError("bad", got="a, b, ...")) == "bad. Got: a, b, ..."


def test_lines_of_faults_end_in_a_full_stop():
    """A text of several lines has no lone full stop; what to do stands on a line of its own."""
    faults = [Fault("code", "row 1", "wrong"), Fault("code", "row 2", "bad")]
    head = "t.csv: not a table (2 faults)\n  [code] row 1: wrong\n  [code] row 2: bad."
    assert str(TableError("not a table", faults, where="t.csv")) == head
    text = str(TableError("not a table", faults, where="t.csv", remedy="mend it"))
    assert text == f"{head}\nWhat to do: mend it."


def test_a_fault_of_an_error_names_its_place_once():
    """An error becomes a fault with its code; its own place is not told twice."""
    error = TableError("bad", [], where="a.tif")
    assert str(Fault.of(error, "a.tif")).count("a.tif") == 1
    assert str(Fault.of(error, "b.tif")).startswith("[table] b.tif: a.tif: bad")


def test_a_table_error_shows_the_first_twenty_and_keeps_all():
    """Up to twenty faults are shown, the rest counted, all kept."""
    faults = [Fault("code", f"row {i}", "wrong") for i in range(25)]
    error = TableError("not a table", iter(faults), where="t.csv", remedy="mend it")
    text = str(error)
    assert error.faults == tuple(faults)
    assert "25 faults" in text
    assert "[code] row 19: wrong" in text
    assert "row 20" not in text
    assert "and 5 more" in text
    assert "mend it" in text
    assert "1 fault)" in str(TableError("not a table", faults[:1]))
