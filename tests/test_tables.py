"""Schemas: all faults of a table at once, and what a checked table is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.classes import ClassNames
from livewell.errors import TableError
from livewell.geometry import Box
from livewell.region import Region
from livewell.tables import schemas as tables
from livewell.tables.columns import Column, Schema
from livewell.tables.schemas import KEY, key_table, regions_of

CELLS = Schema(
    "cell",
    (
        Column("name", "text", "its name", required=True),
        Column("t", "integer", "frame", required=True),
        Column("area", "number", "um2"),
    ),
    key=("name", "t"),
)
ALL = [value for value in vars(tables).values() if isinstance(value, Schema)]
cells = st.one_of(
    st.none(),
    st.integers(-3, 3),
    st.floats(-3, 3),
    st.sampled_from(["a", "3", "2.0", "1.5", " 7", "", "nan", float("inf"), 1e300, "1e3", True]),
)
rows = st.lists(st.tuples(cells, cells, cells), max_size=5)


@settings(deadline=None)
@given(rows)
def test_a_table_is_refused_with_all_faults_or_comes_out_as_the_schema_says(values):
    """Whatever is in a table: a TableError with what `faults` finds, or a table of the schema."""
    table = pd.DataFrame(values, columns=["name", "t", "area"], dtype=object)
    found = CELLS.faults(table)
    if found:
        with pytest.raises(TableError) as caught:
            CELLS.check(table, where="cells.csv")
        assert caught.value.faults == tuple(found)
        return
    checked = CELLS.check(table)
    assert [str(kind) for kind in checked.dtypes] == ["str", "Int64", "float64"]
    assert len(checked) == len(table)
    assert checked[["name", "t"]].notna().all().all()
    pd.testing.assert_frame_equal(CELLS.check(checked), checked)


def test_every_kind_of_fault_is_told_at_once():
    """A missing column, an empty value, wrong types and a doubled key come in one error."""
    table = pd.DataFrame({"name": ["a", "a", None], "area": ["big", "1.5", None]})
    with pytest.raises(TableError) as caught:
        CELLS.check(table.assign(well=1), where="cells.csv", remedy="mend the rows")
    told = {(fault.code, fault.where) for fault in caught.value.faults}
    assert told == {
        ("missing-column", "t"),
        ("empty-value", "name, rows 2"),
        ("wrong-type", "area, rows 0"),
    }
    assert str(caught.value).startswith("cells.csv: not a table of cells (3 faults)")
    doubled = pd.DataFrame({"name": ["a", "b", "a"], "t": [1, 1, 1.5]})
    codes = [fault.code for fault in CELLS.faults(doubled)]
    assert codes == ["wrong-type"]
    (fault,) = CELLS.faults(doubled.assign(t=1))
    assert (fault.code, fault.where) == ("duplicate-row", "rows 0, 2")
    assert "name=a, t=1" in fault.message


def test_many_are_named_in_the_plural():
    """Messages speak of patches and fields, not of patchs."""
    for schema, named in ((tables.PATCHES, "patches"), (tables.FIELDS, "fields")):
        with pytest.raises(TableError, match=f"not a table of {named}"):
            schema.check(pd.DataFrame())


def test_keys_are_compared_by_value_not_by_spelling():
    """Rows whose keys are the same number, written in two ways, are doubled."""
    doubled = pd.DataFrame({"name": ["a", "a"], "t": ["1", "01"]})
    assert [fault.code for fault in CELLS.faults(doubled)] == ["duplicate-row"]


def scores(**columns):
    key = {"image": ["a", "b"], "t": 0, "y0": 0, "x0": 0, "y1": 9, "x1": 9}
    rest = {"fold": 0, "part": "test", "group": "g", "label": "sick", "called": [0, 1]}
    return pd.DataFrame(key | rest | columns)


def test_scores_have_the_columns_of_their_classes():
    """Two classes have one logit and one probability; more have one of each a class."""
    two = ClassNames(("healthy", "sick"))
    three = ClassNames(("healthy", "sick", "dead"))
    assert tables.check_scores(scores(logit=0.0, p=0.5), two)["p"].tolist() == [0.5, 0.5]
    each = {f"{of}_{name}": 0.2 for of in ("logit", "p") for name in three}
    found = tables.check_scores(scores(**each, called=[-1, 2]), three)
    assert found["called"].tolist() == [-1, 2]
    with pytest.raises(TableError, match="p_dead"):
        tables.check_scores(scores(logit=0.0, p=0.5), three)
    with pytest.raises(TableError, match="logit"):
        tables.check_scores(scores(**each), two)
    for called, classes in ((3, three), (-1, two)):
        with pytest.raises(TableError, match="no class"):
            tables.check_scores(scores(**each, logit=0.0, p=0.5, called=called), classes)


def test_many_rows_are_counted_not_listed():
    """A fault of many rows names the first five and says how many there are."""
    table = pd.DataFrame({"name": "a", "t": range(9), "area": "big"})
    (fault,) = CELLS.faults(table)
    assert fault.where == "area, rows 0, 1, 2, 3, 4, ... (9 in all)"


def test_known_columns_come_first_and_further_ones_are_kept():
    """Columns that the schema does not know stay, behind the known ones, unchanged."""
    table = pd.DataFrame({"look": ["x"], "t": [1.0], "name": [7]}, index=[4])
    checked = CELLS.check(table)
    assert list(checked.columns) == ["name", "t", "look"]
    assert checked.iloc[0].tolist() == ["7", 1, "x"]
    assert checked.index.tolist() == [0]


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.name)
def test_schemas_are_sound(schema):
    """Column names are distinct, the key is among them, and an empty table of them passes.

    Campaign L9: but not where it would be a split of nothing.
    """
    assert len(set(schema.names)) == len(schema.names)
    assert set(schema.key) <= set(schema.names)
    if schema.never_empty:
        with pytest.raises(TableError, match=f"not one {schema.name}"):
            schema.check(pd.DataFrame(columns=schema.names))
        return
    empty = schema.check(pd.DataFrame(columns=schema.names))
    assert list(empty.columns) == schema.names
    assert len(empty) == 0


boxes = st.tuples(*[st.integers(-20, 900)] * 2, *[st.integers(1, 300)] * 2).map(
    lambda b: Box.of(b[0], b[1], b[0] + b[2], b[1] + b[3])
)
patches = st.lists(st.builds(Region, st.text(min_size=1), st.integers(0, 99), boxes), max_size=6)


@settings(deadline=None)
@given(patches)
def test_keys_go_to_a_table_and_back(keys):
    """Patches are read back from their table as they were."""
    table = key_table(keys)
    assert list(table.columns) == KEY
    assert regions_of(table) == keys


def test_patches_are_read_from_plain_integers_too():
    """A key table as numpy's integers gives the same patches."""
    table = key_table([Region("a", 1, Box.of(0, 1, 2, 3))])
    assert regions_of(table.astype(dict.fromkeys(KEY[1:], np.int32))) == regions_of(table)


ODD_CELLS = {
    "lists": {"image": ["a"], "dose": [[1.0]]},
    "dictionaries": {"image": ["a"], "dose": [{"a": 1}]},
    "bytes": {"image": [b"\xff"]},
    "dates": {"image": ["a"], "time_s": pd.to_datetime(["2026-01-01"])},
}


@pytest.mark.parametrize("kind", ODD_CELLS)
def test_parquet_of_cells_that_are_no_single_values(kind, tmp_path):
    """Campaign L7: lists, dictionaries, bytes and dates in a Parquet file are refused by column."""
    pd.DataFrame({**ODD_CELLS[kind], "path": ["a"]}).to_parquet(tmp_path / "a.parquet")
    column = list(ODD_CELLS[kind])[-1]
    with pytest.raises(TableError, match=rf"a\.parquet.*(.|\n)*{column}"):
        tables.FIELDS.read(tmp_path / "a.parquet")


def test_parquet_with_headings_of_two_lines(tmp_path):
    """Campaign L7: headings of several lines are refused, not read as something else."""
    names = pd.MultiIndex.from_tuples([("image", "a"), ("path", "b")])
    pd.DataFrame([["a", "b"]], columns=names).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(TableError, match="one line of names"):
        tables.FIELDS.read(tmp_path / "a.parquet")


@pytest.mark.parametrize(("column", "value"), [("part", "-1"), ("part", "Test"), ("fold", -1)])
def test_folds_that_are_none(column, value):
    """Campaign L9: a part that no training knows, and a fold below 0, are refused."""
    table = pd.DataFrame({"fold": [0], "group": ["a"], "part": ["test"]}).assign(
        **{column: [value]}
    )
    (fault,) = tables.FOLDS.faults(table)
    assert fault.code == "wrong-value"
    assert column in fault.where


def test_numbers_as_they_were_written():
    """Row 9: text made of numbers is what a spreadsheet shows of them, one by one."""
    values = pd.Series([1.0, 1.5, None, -0.0, 1e22])
    texts = tables.as_text(values).fillna("").tolist()
    assert texts == ["1", "1.5", "", "0", "10000000000000000000000"]
