"""Names of files: text of any name, the way back, and what a cell of a table means."""

import os
import sys
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from livewell.names import CASE_NOTE, FOLDERS_NOTE, Finder, name_of, natural_key, path_of, text_of
from livewell.study.naming import images_of
from livewell.text import printable

RAW = os.fsdecode(b"Zellen_gr\xf6\xdfe_1.tif")
NAMES = ["plate 1/A01.tif", "plate 2/A01.tif", "plate 2/B01.tif", "gr\u00f6\u00dfe.tif"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")


@linux
@pytest.mark.parametrize("raw", [RAW, "caf\u00e9/x.tif", "a\\xf6.tif", "a\nb.tif", f"{RAW}/{RAW}"])
def test_there_and_back(tmp_path: Path, raw: str) -> None:
    """Row 18: any name of a file becomes text that UTF-8 can hold, and leads back to the file."""
    path = tmp_path / raw
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    name = name_of(path, tmp_path)
    assert name.encode().decode() == name
    assert path_of(tmp_path, name) == path


@linux
def test_the_name_as_it_stands_comes_first(tmp_path: Path) -> None:
    r"""Row 18: where a file is really called ``\xf6``, that name is that file."""
    for name in ("\\xf6.tif", os.fsdecode(b"\xf6.tif")):
        (tmp_path / name).write_text("x")
    assert path_of(tmp_path, "\\xf6.tif") == tmp_path / "\\xf6.tif"


def test_text_of_paths() -> None:
    """A byte that is not UTF-8 is spelt out; other text stays."""
    assert text_of(Path(RAW)) == "Zellen_gr\\xf6\\xdfe_1.tif"
    assert text_of("\u7d30\u80de.tif") == "\u7d30\u80de.tif"


@pytest.mark.parametrize(
    ("text", "found", "note"),
    [
        ("plate 1/A01.tif", ["plate 1/A01.tif"], ""),
        ("plate 1\\A01.tif", ["plate 1/A01.tif"], ""),
        ("./plate 1//A01.tif", ["plate 1/A01.tif"], ""),
        ("A01.tif", ["plate 1/A01.tif", "plate 2/A01.tif"], ""),
        ("B01.tif", ["plate 2/B01.tif"], ""),
        ("D:\\data\\plate 1\\A01.tif", ["plate 1/A01.tif"], FOLDERS_NOTE),
        ("/mnt/data/plate 2/A01.tif", ["plate 2/A01.tif"], FOLDERS_NOTE),
        (unicodedata.normalize("NFD", "gr\u00f6\u00dfe.tif"), ["gr\u00f6\u00dfe.tif"], ""),
        ("PLATE 1/a01.TIF", ["plate 1/A01.tif"], CASE_NOTE),
        ("plate 3/A01.tif", [], ""),
        ("", [], ""),
        ("/", [], ""),
    ],
)
def test_finder(text: str, found: list[str], note: str) -> None:
    """Row 26: absolute, prefixed and decomposed names of a table are found, doubt is noted."""
    assert Finder(NAMES).find(text) == (tuple(found), note)


def test_finder_prefers_the_longest_name() -> None:
    """Row 26: of names that a path ends with, the one with most of its folders is meant."""
    names = ["A01.tif", "plate 1/A01.tif"]
    assert Finder(names).find("x/plate 1/A01.tif") == (("plate 1/A01.tif",), FOLDERS_NOTE)
    assert Finder(names).find("x/plate 2/A01.tif") == (("A01.tif",), FOLDERS_NOTE)


def test_natural_order() -> None:
    """Numbers within names count as numbers."""
    assert sorted(["t10", "t2", "T1"], key=natural_key) == ["T1", "t2", "t10"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        (RAW, "Zellen_gr\\xf6\\xdfe_1.tif"),
        ("\ud800\uffff\U000e0041", "\\ud800\\uffff\\U000e0041"),
        (
            "caf\u00e9 \u7d30\u80de \U0001f468\u200d\U0001f52c",
            "caf\u00e9 \u7d30\u80de \U0001f468\u200d\U0001f52c",
        ),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Row M11: what steers a terminal or is not seen is spelt out, and all else stays."""
    assert printable(text) == shown
    assert printable(f"{text}\n", lines=True).endswith("\n")


def test_a_bare_name_with_a_twin_is_no_answer() -> None:
    """Row 10: a bare name means the file at the top only where others are named with folders."""
    images = ["A01.tif", "plate2/A01.tif"]
    _, faults, _ = images_of(pd.Series(["A01.tif"]), images)
    assert [fault.code for fault in faults] == ["ambiguous-file"]
    found, faults, _ = images_of(pd.Series(["A01.tif", "plate2/A01.tif"]), images)
    assert (found.tolist(), faults) == (images, [])
