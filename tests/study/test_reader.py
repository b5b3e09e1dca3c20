"""The reader of users' tables: every usual way to save one, and what is refused instead."""

import csv
import io
import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from livewell.errors import LayoutError, TableError
from livewell.study.cells import as_numbers, tidy
from livewell.study.metadata import Metadata, read_metadata
from livewell.study.platemap import join_metadata

PLAIN = "image,treatment,note\na.tif,1.10,Größe\nb.tif,NA,x\n"
ROWS = [["a.tif", "1.10", "Größe"], ["b.tif", "NA", "x"]]


def read(folder: Path, data: bytes | str) -> Metadata:
    """A table of these bytes."""
    (folder / "map.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_metadata(folder / "map.csv")


DIALECTS = {
    "plain": PLAIN,
    "mark": PLAIN.encode("utf-8-sig"),
    "wide": PLAIN.encode("utf-16"),
    "wide, no mark": PLAIN.encode("utf-16-le"),
    "wide, big end first": PLAIN.encode("utf-16-be"),
    "windows": PLAIN.encode("cp1252"),
    "macintosh": PLAIN.replace("\n", "\r").encode("mac-roman"),
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "sep": "sep=;\n" + PLAIN.replace(",", ";"),
    "sep, quoted": '"sep=;"\r\n' + PLAIN.replace(",", ";"),
    "sep, bars": "sep=|\n" + PLAIN.replace(",", "|"),
    "bars": PLAIN.replace(",", "|"),
    "sep, mark": b"\xef\xbb\xbfsep=;\n" + PLAIN.replace(",", ";").encode(),
    "comments": "# plate 1, imaged in May\n# by Ada\n" + PLAIN,
    "title": "Plate map of May\n\nPlate name,P1\n\n" + PLAIN,
    "plate reader": "Experiment,May,\nUser,Ada,\n[Data],,\n" + PLAIN,
    "marked heading": "#" + PLAIN,
    "empty lines": PLAIN.replace("\n", "\n\n,,\n"),
    "trailing separators": PLAIN.replace("\n", ",,\n"),
    "windows lines": PLAIN.replace("\n", "\r\n"),
    "old macintosh lines": PLAIN.replace("\n", "\r"),
    "unseen letters": PLAIN.replace("a.tif", "\u00a0a.tif\u200b").replace("1.10", "\ufeff1.10 "),
    "row numbers": ",image,treatment,note\n0,a.tif,1.10,Größe\n1,b.tif,NA,x\n",
    "quotes": '"image","treatment","note"\n"a.tif","1.10","Größe"\n"b.tif","NA","x"\n',
    "letter case": PLAIN.replace("image,treatment", " Image ,TREATMENT"),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_ways_to_save_a_table(dialect: str, tmp_path: Path) -> None:
    """Rows 9, 26: whatever program saved it, the table is the same text, and a note says how."""
    metadata = read(tmp_path, DIALECTS[dialect])
    assert list(metadata.table) == ["image", "treatment", "note"]
    assert metadata.table.to_numpy().tolist() == ROWS
    assert metadata.notes
    if dialect in ("windows", "macintosh"):
        assert "Größe" in metadata.notes[0]


NO_TABLES = {
    "spreadsheet": (b"PK\x03\x04xxxx", "save the table as CSV"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0xxxx", "old spreadsheet"),
    "page": (b"\n<!DOCTYPE html><table></table>", "HTML"),
    "parquet": (b"PAR1xxxx", "Parquet"),
    "zero bytes": (b"image,dose\na.tif,\0\0\n", "zero bytes"),
    "no encoding": (b"image,dose\na\x81\x8d.tif,1\n", "neither UTF-8 nor cp1252"),
    "half a letter": ("image,dose\na.tif,1\n".encode("utf-16")[:-1], "neither UTF-8 nor utf-16"),
    "open quote": (b'image,note\na.tif,"x\nb.tif,y\n', "never closed"),
    "empty": (b"", "without rows"),
    "two headings": (b"image,dose,Dose\na.tif,1,2\n", "dose: two columns have this name"),
    "merged heading": (b"image,,dose\na.tif,uM,1\n", "column 2 has no name and holds uM"),
    "long row": (b"image,dose\na.tif,1,5\n", "line 2: more cells"),
    "spreadsheet error": (b"image,note\na.tif,#N/A\n", "line 2: #N/A is an error"),
    "names of rows": (b"image,note\n1,a,b\n2,c,d\n", "row.names = FALSE"),
    "no such separator": (b"sep=;\nimage;note\na;b;c\n", "line 3: more cells"),
}


@pytest.mark.parametrize("kind", NO_TABLES)
def test_what_is_no_table(kind: str, tmp_path: Path) -> None:
    """What cannot be read without loss is refused with the file's name and what to do."""
    data, said = NO_TABLES[kind]
    with pytest.raises((LayoutError, TableError), match=said) as caught:
        read(tmp_path, data)
    assert "map.csv" in str(caught.value)
    assert caught.value.remedy


def test_only_regular_files(tmp_path: Path) -> None:
    """A folder and a pipe are refused at once, and so is a path that cannot be."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "absent", Path("a\0b"), "x" * 5000):
        with pytest.raises(LayoutError):
            read_metadata(path)


def test_cells_of_any_length(tmp_path: Path) -> None:
    """Campaign L2: a cell of 300,000 letters is read as it is."""
    note = "x" * 300_000
    assert read(tmp_path, f"image,note\na.tif,{note}\n").table["note"].tolist() == [note]


NUMBERS = {
    ("0,5", "1,25"): [0.5, 1.25],
    ("1,5E-3", "2"): [0.0015, 2],
    ("1,234", "0,5"): [1.234, 0.5],
    ("1e-3", "+2."): [0.001, 2],
}
NO_NUMBERS = ["1,234", "1.234,5", "1 000", "high", "NaN", "inf", "1e999", "TRUE", "0x10", "1_000"]


@pytest.mark.parametrize("texts", NUMBERS)
def test_numbers_as_spreadsheets_write_them(texts: tuple[str, str], tmp_path: Path) -> None:
    """Decimal commas and exponents are read in columns of numbers."""
    lines = [f"{name};{text}" for name, text in zip("ab", texts, strict=True)]
    metadata = read(tmp_path, "\n".join(["image;dose", *lines]))
    fields = pd.DataFrame({"image": ["a", "b"]})
    assert join_metadata(fields, metadata)["dose"].tolist() == NUMBERS[texts]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_could_be_another_number(text: str, tmp_path: Path) -> None:
    """What may be thousands or no number at all is refused by line, never guessed."""
    metadata = read(tmp_path, f"image;dose\na;{text}\n")
    with pytest.raises(TableError, match=r"line 2, dose: '") as caught:
        join_metadata(pd.DataFrame({"image": ["a"]}), metadata)
    assert ("thousands" in str(caught.value)) == (text == "1,234")


def test_time_index_beyond_all_numbers(tmp_path: Path) -> None:
    """Campaign L3: a time index of 1e30 is refused by line."""
    metadata = read(tmp_path, "image,t0\na,1e30\n")
    with pytest.raises(TableError, match="line 2, t0: '1e30' is not a whole number"):
        join_metadata(pd.DataFrame({"image": ["a"]}), metadata)


TEXTS = [
    ["1.1", "1.2", "1.10"],
    ["007", "008"],
    ["1e5", "2e5"],
    ["1", "1.0"],
    ["12345678901234567890"],
    ["NA", "Na"],
    ["2026-05-01"],
    ["TRUE", "FALSE"],
    ["1,10", "1,20"],
]


@pytest.mark.parametrize("column", ["treatment", "clone"])
@pytest.mark.parametrize("values", TEXTS, ids=lambda values: values[0])
def test_text_stays_text(values: list[str], column: str, tmp_path: Path) -> None:
    """Row 9: what is not written back just so as a number stays as it is, known column or not."""
    lines = [f"{i};{value}" for i, value in enumerate(values)]
    metadata = read(tmp_path, "\n".join([f"image;{column}", *lines]))
    fields = pd.DataFrame({"image": [str(i) for i in range(len(values))]})
    assert join_metadata(fields, metadata)[column].tolist() == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), min_size=1))
def test_numbers_are_numbers_or_text(values: list[float]) -> None:
    """Whatever numbers a column holds, it is those numbers or the text that was there."""
    texts = pd.Series([str(value) for value in values], dtype="str")
    found = as_numbers(texts)
    same = found.astype("str").tolist() == texts.tolist()
    assert same or found.tolist() == [float(value) for value in values]


@pytest.mark.long
def test_many_columns(tmp_path: Path) -> None:
    """Campaign L13: a table of 3,000 columns is joined, in their order and without a warning."""
    names = [f"c{i}" for i in range(3000)]
    text = ",".join(["image", *names]) + "\na," + ",".join(map(str, range(3000)))
    table = join_metadata(pd.DataFrame({"image": ["a"]}), read(tmp_path, text))
    assert list(table) == ["image", *names]
    assert table["c2999"].tolist() == [2999]


def test_wells_by_row_and_column(tmp_path: Path) -> None:
    """Row 27: a table of rows and columns has wells, and so do all usual spellings."""
    fields = pd.DataFrame({"image": ["1", "2"], "well": ["A12", "B01"]})
    for text in ("Row,Column,dose\n1,12,5\nB,1,6\n", "well,dose\nA - 12,5\nb_1,6\n"):
        assert join_metadata(fields, read(tmp_path, text))["dose"].tolist() == [5, 6]


PATHS = [
    r"D:\data\plate 1\A01.tif",
    "images/plate 1/A01.tif",
    "/mnt/x/plate 1/A01.tif",
    "plate 1/a01.TIF",
    "./plate 1/A01.tif",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths_of_other_computers(path: str, tmp_path: Path) -> None:
    """Row 26: absolute, prefixed and Windows paths find their file, and a note says so."""
    names = ["plate 1/A01.tif", "plate 2/A01.tif"]
    fields = pd.DataFrame({"image": names, "path": names})
    notes: list[str] = []
    other = path.replace("plate 1", "plate 2")
    metadata = read(tmp_path, f"image,dose\n{other},2\n{path},1\n")
    assert join_metadata(fields, metadata, notes=notes)["dose"].tolist() == [1, 2]
    assert bool(notes) == (not path.startswith("./"))


def test_composed_letters(tmp_path: Path) -> None:
    """Row 26: names with letters taken apart (NFD) are found under composed ones, both ways."""
    for name, said in (("gru\u0308n.tif", "gr\u00fcn.tif"), ("gr\u00fcn.tif", "gru\u0308n.tif")):
        fields = pd.DataFrame({"image": [name], "path": [name]})
        metadata = read(tmp_path, f"image,dose\n{said},3\n")
        assert join_metadata(fields, metadata)["dose"].tolist() == [3]


cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), max_size=8
)
SURE = st.sampled_from([("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-16", ",")])
ROUND = settings(deadline=None, max_examples=60)


@ROUND
@given(
    st.lists(st.tuples(cells, cells), min_size=1, max_size=5),
    SURE,
    st.sampled_from([("\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]),
)
def test_any_cells_come_back(
    rows: list[tuple[str, str]], how: tuple[str, str], lines: tuple[str, int]
) -> None:
    """Whatever text cells hold, it is read back but for what cannot be seen around it."""
    encoding, separator = how
    # what only a quote tells from the end of a line needs one
    assume(lines[1] == csv.QUOTE_ALL or not any("\r" in cell for row in rows for cell in row))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=lines[0], quoting=lines[1])
    writer.writerow(["image", "treatment", "cell_line"])
    writer.writerows([(f"f{i}", *row) for i, row in enumerate(rows)])
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), text.getvalue().encode(encoding)).table
    assert found["image"].tolist() == [f"f{i}" for i in range(len(rows))]
    for column, written in zip(("treatment", "cell_line"), zip(*rows, strict=True), strict=True):
        assert found[column].fillna("").tolist() == [tidy(cell) for cell in written]


@given(st.text("ab \u00a0\u200b\ufeff\t"))
def test_only_what_cannot_be_seen_is_taken_off(text: str) -> None:
    """From the ends of a cell go spaces and letters without width; what can be seen stays."""
    found = tidy(text)
    assert found in text
    assert [c for c in text if c in "ab"] == [c for c in found if c in "ab"]
    assert not found or (found[0] in "ab" and found[-1] in "ab")


names = st.lists(
    st.tuples(st.sampled_from(["p1", "p2", "P1", "gr\u00fcn"]), st.sampled_from("abcA")),
    min_size=1,
    max_size=6,
    unique=True,
)


@ROUND
@given(names, st.data())
def test_a_file_never_gets_the_row_of_another(
    found: list[tuple[str, str]], data: st.DataObject
) -> None:
    """Whatever names a table has, a file has the row that names it, or the table is refused."""
    images = [f"{folder}/{name}.tif" for folder, name in found]
    prefix = data.draw(st.sampled_from(["", "D:\\x\\", "/mnt/", "./"]))
    said = data.draw(st.permutations(images))
    cut = data.draw(st.booleans())
    written = [prefix + (name.split("/")[1] if cut else name) for name in said]
    lines = [f"{name},{image}" for name, image in zip(written, said, strict=True)]
    fields = pd.DataFrame({"image": images, "path": images})
    with tempfile.TemporaryDirectory() as folder:
        metadata = read(Path(folder), "\n".join(["file,truth", *lines]))
        try:
            joined = join_metadata(fields, metadata)
        except TableError:
            assert cut
            return
    assert joined["truth"].tolist() == joined["image"].tolist()


@pytest.mark.parametrize(
    "text",
    ["file,motile,clumped\na.tif,y,y\nb.tif,n,y\n", "file,alive,excluded\na.tif,y,x\nb.tif,n,\n"],
)
def test_a_row_of_short_words_is_no_heading(text: str, tmp_path: Path) -> None:
    """Cells such as y, x and t in a row do not make it the line with the names of the columns."""
    (tmp_path / "t.csv").write_text(text)
    table = read_metadata(tmp_path / "t.csv").table
    assert table.columns.tolist() == text.splitlines()[0].split(",")
    assert table["file"].tolist() == ["a.tif", "b.tif"]


def test_points_of_thousands_beside_decimal_commas(tmp_path: Path) -> None:
    """Row 26: where commas are decimals elsewhere, 1.000 may be a thousand and is not read as 1."""
    text = "well;dose;Konz\nA01;0;0,5\nA02;500;0,25\nA03;1.000;0,5\nA04;10.000;0,5\n"
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=r"dose.*or thousands"):
        read_metadata(tmp_path / "t.csv")


def test_empty_cells_and_words_for_nothing_are_told(tmp_path: Path) -> None:
    """Merged cells of a spreadsheet leave cells empty, and R writes NA: both are said."""
    (tmp_path / "t.csv").write_text("well,treatment,experiment\nA01,drug,NA\nA02,,E1\nA03,,E1\n")
    notes = " ".join(read_metadata(tmp_path / "t.csv").notes)
    assert "NA in experiment is text" in notes
    assert "treatment 2" in notes
