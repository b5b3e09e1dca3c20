"""File-name patterns: what they read, what they refuse, what they hint."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import LayoutError
from livewell.study.layout import NamePattern
from livewell.tables.schemas import FIELDS

U2OS = (
    "{picture={cell_line}_{treatment}_{hours:number}h_RGB_{number}_{replicate}.png}"
    "[_{tile_row}_{tile_column}.png]"
)
U2OS_MAPS = {"treatment": {"cpt2": "CPT", "DMSO2": "DMSO"}}

FITS = [
    ("{well}_t{t}.tif", "b7_t003.TIF", {"well": "B07", "t": 3}),
    ("{plate}/{well}[_{c}].tif", "P1/AF48.tif", {"plate": "P1", "well": "AF48", "c": None}),
    ("{plate}/{well}[_{c}].tif", "P1/a1_bf.tif", {"plate": "P1", "well": "A01", "c": "bf"}),
    ("*_{well}_*.tif", "exp 1_C03_x_y.tif", {"well": "C03"}),
    ("{name:text}_{t:int}.tif", "a_b_c_7.tif", {"name": "a_b_c", "t": 7}),
    ("{folder:path}/{t:int}.tif", "a/b/7.tif", {"folder": "a/b", "t": 7}),
    ("d{dose}_{t}.png", "d0p5_1.png", {"dose": 0.5, "t": 1}),
    ("d{dose}_{t}.png", "d1,25_1.png", {"dose": 1.25, "t": 1}),
    (r"a\[{t}\].png", "a[4].png", {"t": 4}),
    ("{well}/{well}_{t}.png", "B02/B02_1.png", {"well": "B02", "t": 1}),
    ("{a}{t:int}.png", "xyz12.png", {"a": "xyz", "t": 12}),
    ("{picture={a}_{t:int}.png}[_{tile}.png]", "q_1.png", {"picture": "q_1.png", "tile": None}),
    ("{a}.tif", "deep/folder/x.tif", {"a": "x"}),
    ("{a²}.tif", "x.tif", {"a²": "x"}),
    ("{a=x}_{a:text}.tif", "x_X.tif", {"a": "x"}),
]
MISSES = [
    ("{well}_t{t}.tif", "b7_t003.png", "'.tif' is expected and '.png' stands there"),
    ("{well}_t{t}.tif", "b7_tx.tif", "{t:int} is expected and 'x.tif' stands there"),
    ("{well}_t{t}.tif", "Z99_t1.tif", "not the name of a well"),
    ("{a}_{b}.tif", "x_y.tif.bak", "'.bak' is left over"),
    ("{well}/{well}_{t}.png", "B02/B03_1.png", "{well} is expected"),
    ("x{t}.png", "x", "{t:int} is expected and the name ends there"),
]
WRONG = [
    ("{well", "never closed", 0),
    ("a{well}]", "nothing opened", 7),
    ("{well:foo}.tif", "unknown kind", 6),
    ("[{a}", "never closed", 0),
    ("{}.tif", "without a name", 1),
    ("{a={a}}", "inside itself", 4),
    ("{a=x}{a=y}", "two parts named 'a'", 6),
    ("{t:int}{t:number}", "two kinds", 8),
    (r"\x{a}", "needs none", 0),
    ("{a b}", "inside a part", 2),
    ("plain.tif", "no named part", 0),
    ("{image}.tif", "the file itself", 1),
    ("{a}[]", "nothing inside", 3),
    ("[" * 30 + "{a}" + "]" * 30, "more than 20 brackets", 20),
]


@pytest.mark.parametrize(("pattern", "name", "expected"), FITS)
def test_fitting_names(pattern: str, name: str, expected: dict[str, object]) -> None:
    """Names that fit give the values of their parts, typed."""
    found = NamePattern.parse(pattern).match(name)
    assert found is not None
    assert {key: found[key] for key in expected} == expected


DURATIONS = {
    "00d60h00m": 216_000,
    "01d02h30m": 95_400,
    "90min": 5400,
    "1h": 3600,
    "0h5m1.5s": 301.5,
}


@pytest.mark.parametrize("text", DURATIONS)
def test_times_as_incucyte_writes_them(text: str) -> None:
    """Row 8: days, hours, minutes and seconds of a name are read as seconds."""
    pattern = NamePattern.parse("VID1_{well}_{position}_{time_s:duration}.tif")
    table, unmatched = pattern.match_all([f"VID1_A1_1_{text}.tif", "VID1_A1_1_late.tif"])
    assert table["time_s"].tolist() == [DURATIONS[text]]
    assert "{time_s:duration} is expected" in unmatched["VID1_A1_1_late.tif"]


def test_rows_and_columns_make_wells() -> None:
    """Row 27: names of an Opera Phenix hold a row and a column, which make the well."""
    pattern = NamePattern.parse(
        "r{row}c{column}f{position:int}p{plane:int}-ch{c:int}sk{t}fk1fl1.tiff"
    )
    names = ["r01c12f01p01-ch1sk1fk1fl1.tiff", "r16c24f02p01-ch1sk1fk1fl1.tiff"]
    table, unmatched = pattern.match_all([*names, "r33c01f02p01-ch1sk1fk1fl1.tiff"])
    assert table["well"].tolist() == ["A12", "P24"]
    assert list(unmatched) == ["r33c01f02p01-ch1sk1fk1fl1.tiff"]


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[*][*][*][*][*]{a}.png", "a" * 250),
        ("*_*_*_*_*_{a}_x.png", "_" * 250),
        ("[x]" * 300 + "{a}", "x" * 250 + "."),
        ("{a}{a}{b}{b}{c}{c}.x", "a" * 250),
        ("{p:path}/{q:path}/{r:path}.x", "/" * 4000),
        ("{t:int}.x", "9" * 5000),
    ],
)
def test_patterns_that_fit_in_countless_ways(pattern: str, name: str) -> None:
    """Campaign L4: a pattern full of stars or brackets soon fits, does not fit, or is refused."""
    parsed = NamePattern.parse(pattern)
    try:
        table, unmatched = parsed.match_all([name])
    except LayoutError:
        return
    assert len(table) + len(unmatched) == 1


def test_long_patterns() -> None:
    """Campaign L4: a text that is too long to be a pattern is refused with its length."""
    with pytest.raises(LayoutError, match="Got: 1,203"):
        NamePattern.parse("[" * 600 + "{a}" + "]" * 600)


@pytest.mark.parametrize(("pattern", "name", "hint"), MISSES)
def test_names_that_do_not_fit(pattern: str, name: str, hint: str) -> None:
    """A name that does not fit is told where it leaves the pattern."""
    table, unmatched = NamePattern.parse(pattern).match_all([name])
    assert table.empty
    assert list(unmatched) == [name]
    assert hint in unmatched[name]


@pytest.mark.parametrize(("pattern", "message", "caret"), WRONG)
def test_wrong_patterns(pattern: str, message: str, caret: int) -> None:
    """A text that is no pattern is refused, with a caret under the place."""
    with pytest.raises(LayoutError, match=message) as caught:
        NamePattern.parse(pattern)
    lines = str(caught.value).splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip() == pattern)
    assert lines[at + 1].index("^") - lines[at].index(pattern) == caret


def test_map_for_a_part_that_is_not_there() -> None:
    """A value map for a misspelt part is refused with the parts there are."""
    with pytest.raises(LayoutError, match=r"any of well, t.*treatmnt"):
        NamePattern.parse("{well}_{t}.tif", {"treatmnt": {"a": "b"}})


def test_u2os_names() -> None:
    """Tiles belong to their picture, values are mapped, letter case does not count."""
    names = [
        "U2_CPT2_1H_RGB_0048_N3.png",
        "U2_DMSO2_1H_RGB_0052_N3.png",
        "U2_DMSO2_1H_RGB_0052_N3.png_01_02.png",
        "U2_DMSO_1h_RGB_0014_N1.png",
        "readme.txt",
    ]
    table, unmatched = NamePattern.parse(U2OS, U2OS_MAPS).match_all(names)
    assert table["treatment"].tolist() == ["CPT", "DMSO", "DMSO", "DMSO"]
    assert table["replicate"].tolist() == ["N3", "N3", "N3", "N1"]
    assert table["hours"].tolist() == [1.0] * 4
    assert table["picture"].tolist() == [names[0], names[1], names[1], names[3]]
    assert table["tile_column"].fillna("").tolist() == ["", "", "02", ""]
    assert list(unmatched) == ["readme.txt"]
    assert list(FIELDS.check(table)["image"]) == names[:4]


def test_real_u2os(shared_data: Path) -> None:
    """The pattern fits 20 of 20 files and agrees with the table of the data set."""
    import pandas as pd

    folder = shared_data / "u2os-cpt"
    names = sorted(file.name for file in folder.glob("*.png"))
    table, unmatched = NamePattern.parse(U2OS, U2OS_MAPS).match_all(names)
    assert len(table) == 20
    assert unmatched == {}
    truth = pd.read_csv(folder / "images.csv").set_index("image").loc[table["image"]]
    for column in ("treatment", "replicate"):
        assert table[column].tolist() == truth[column].tolist()
    assert table["picture"].nunique() == 16


def test_pictures_are_found_beside_or_elsewhere() -> None:
    """A tile's picture is the one in its own folder, else the only one of that name."""
    pattern = NamePattern.parse("{picture={n}.png}[_{tile}.png]")
    names = ["a/1.png", "b/1.png", "a/1.png_2.png", "t/2.png_1.png", "b/2.png", "c/3.png_1.png"]
    table, _ = pattern.match_all(names)
    assert dict(zip(table["image"], table["picture"], strict=True)) == {
        "a/1.png": "a/1.png",
        "b/1.png": "b/1.png",
        "a/1.png_2.png": "a/1.png",
        "t/2.png_1.png": "b/2.png",
        "b/2.png": "b/2.png",
        "c/3.png_1.png": "c/3.png",
    }


def test_time_and_spelling() -> None:
    """Part t becomes column t0, and one treatment in two spellings is one."""
    table, _ = NamePattern.parse("{treatment}_{t}.tif").match_all(["DMSO_1.tif", "dmso_2.tif"])
    assert table["t0"].tolist() == [1, 2]
    assert table["treatment"].tolist() == ["DMSO", "DMSO"]


def test_no_match_keeps_columns() -> None:
    """A pattern that fits nothing gives an empty table with its columns."""
    table, unmatched = NamePattern.parse("{well}_{t:int}.tif").match_all(["x.png"])
    assert list(table.columns) == ["image", "path", "well", "t0"]
    assert len(unmatched) == 1


words = st.text("abcXYZ019", min_size=1, max_size=6)


@given(words, words, st.integers(0, 9999), st.booleans())
def test_patterns_read_what_was_written(a: str, b: str, t: int, tile: bool) -> None:
    """Values put into a name by a pattern's rule come out of it again."""
    pattern = NamePattern.parse("{a}_{b}-t{t:int}[_{tile}].tif")
    found = pattern.match(f"{a}_{b}-T{t:04d}{'_x' if tile else ''}.tif")
    assert found == {"a": a, "b": b, "t": t, "tile": "x" if tile else None}


@given(st.text("{}[]:=*\\abt/_.", max_size=12))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    """No text crashes the parser: it is a pattern, or a LayoutError."""
    try:
        pattern = NamePattern.parse(text)
    except LayoutError:
        return
    pattern.match_all(["a_b/t1.tif", "x"])
