"""Tables of results that a spreadsheet shows and does not run."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livewell.tables.results import write_csv


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+A1", "'+A1"),
        ("-A1", "'-A1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\t=1"),
        ("a\r=1", "a\\r=1"),
        ("-1", "-1"),
        ("+2.5e-3", "+2.5e-3"),
        ("A01", "A01"),
        ("5-1", "5-1"),
    ],
)
def test_formulas_are_text(tmp_path: Path, cell: str, written: str) -> None:
    """Row L12: text that begins a formula gets an apostrophe; numbers and other text stay."""
    table = pd.DataFrame({"a": [cell, None], cell: [-1.5, np.nan]})
    before = table.copy()
    write_csv(tmp_path / "t.csv", table)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["a", written], [written, "-1.5"], ["", ""]]
    pd.testing.assert_frame_equal(table, before)
