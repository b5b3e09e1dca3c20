"""Metadata tables: reading any usual CSV, joining it, and all faults at once."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import LayoutError, TableError
from livewell.study.metadata import read_metadata
from livewell.study.platemap import join_metadata


def fields(*images: str, **columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"image": images, "path": images, **columns}).astype("str")


def joined(folder: Path, text: str, table: pd.DataFrame, **options: bool) -> pd.DataFrame:
    (folder / "map.csv").write_text(text, encoding="utf-8")
    return join_metadata(table, read_metadata(folder / "map.csv"), **options)


KINDS = {
    "plain": ("image,dose,note\na.tif,1.5,é\n".encode(), "UTF-8", "commas"),
    "utf-8 with mark": ("image,dose,note\na.tif,1.5,é\n".encode("utf-8-sig"), "UTF-8", "commas"),
    "european excel": ("image;dose;note\na.tif;1,5;é\n".encode("cp1252"), "1252", "semicolons"),
    "utf-16 tabs": ("image\tdose\tnote\na.tif\t1,5\té\n".encode("utf-16"), "UTF-16", "tabs"),
    "windows lines": ("image,dose,note\r\na.tif,1.5,é\r\n\r\n".encode(), "UTF-8", "commas"),
    "quotes": ('image,dose,note\n"a.tif",1.5,"é"\n'.encode(), "UTF-8", "commas"),
    "spaces and capitals": ("Image , Dose,note\n a.tif , 1.5 ,é\n".encode(), "UTF-8", "commas"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_usual_csv(kind: str, tmp_path: Path) -> None:
    """Every usual way to write the same table gives the same fields, and says how it was read."""
    data, encoding, separator = KINDS[kind]
    (tmp_path / "map.csv").write_bytes(data)
    metadata = read_metadata(tmp_path / "map.csv")
    table = join_metadata(fields("a.tif"), metadata)
    assert table["dose"].tolist() == [1.5]
    assert table["note"].tolist() == ["é"]
    assert encoding in metadata.notes[0]
    assert separator in metadata.notes[0]
    assert ("decimal commas in dose read as points" in metadata.notes) == (separator != "commas")


@pytest.mark.parametrize("text", ["", "image,dose\n", "\n\n"])
def test_tables_without_rows(text: str, tmp_path: Path) -> None:
    """A table without rows is refused with its path."""
    with pytest.raises(LayoutError, match=r"map\.csv.*without rows"):
        joined(tmp_path, text, fields("a.tif"))


def test_missing_table(tmp_path: Path) -> None:
    """A table that is not there is refused with its path."""
    with pytest.raises(LayoutError, match=r"absent\.csv"):
        read_metadata(tmp_path / "absent.csv")


def test_unreadable_rows(tmp_path: Path) -> None:
    """A column named twice and a row that is too long are told together."""
    with pytest.raises(TableError) as caught:
        joined(tmp_path, "image,dose,dose\na.tif,1,2,3\n", fields("a.tif"))
    assert {fault.code for fault in caught.value.faults} == {"duplicate-column", "long-row"}


def test_join_by_file(tmp_path: Path) -> None:
    """Files are found by whole path or bare name, and rows keep the order of the fields."""
    text = "file,well,dose,batch,tag\nb.tif,b7,2,1,007\nx\\a.tif,a1,,2,008\n"
    table = joined(tmp_path, text, fields("x/a.tif", "y/b.tif"))
    assert table["image"].tolist() == ["x/a.tif", "y/b.tif"]
    assert table["well"].tolist() == ["A01", "B07"]
    assert table["dose"].isna().tolist() == [True, False]
    assert table["batch"].tolist() == [2.0, 1.0]
    assert table["tag"].tolist() == ["008", "007"]


def test_tiles_have_the_row_of_their_image(tmp_path: Path) -> None:
    """A row of an image is that of its tiles, but of a tile with a row of its own."""
    table = fields("a.png", "x/b.png_01_01.png", "x/b.png_01_02.png", "a.png_02_01.png")
    text = "image,replicate\na.png,N1\nb.png,N2\nb.png_01_02.png,N3\n"
    assert joined(tmp_path, text, table)["replicate"].tolist() == ["N1", "N2", "N3", "N1"]


def test_join_by_well(tmp_path: Path) -> None:
    """A plate map gives every file of a well the well's row."""
    table = joined(
        tmp_path,
        "Well,Dose,dose_unit\nA1,0,s\nb02,40,s\n",
        fields("1.tif", "2.tif", "3.tif", well=["A01", "B02", "A01"]),
    )
    assert table["dose"].tolist() == [0.0, 40.0, 0.0]


def test_join_by_plate_and_well(tmp_path: Path) -> None:
    """With several plates the table must name them, and then each has its own wells."""
    table = fields("1.tif", "2.tif", well=["A01", "A01"], plate=["P1", "P2"])
    with pytest.raises(TableError, match="missing-column"):
        joined(tmp_path, "well,dose\nA1,0\n", table)
    found = joined(tmp_path, "plate,well,dose\nP1,A1,0\nP2,A1,9\n", table)
    assert found["dose"].tolist() == [0.0, 9.0]


def test_nothing_to_join_by(tmp_path: Path) -> None:
    """A table with neither files nor wells is refused with its columns."""
    with pytest.raises(LayoutError, match="well_name, dose"):
        joined(tmp_path, "well_name,dose\nA1,0\n", fields("1.tif"))


FAULTS = {
    "01 row without file": (
        "image,dose\na.tif,1\nb.tif,2\nq.tif,3\n",
        "row-without-file",
        "line 4",
    ),
    "02 file without row": ("image,dose\na.tif,1\n", "file-without-row", "b.tif"),
    "03 duplicate rows": ("image,dose\na.tif,1\nb.tif,2\na.tif,3\n", "duplicate-row", "line 4"),
    "04 text as dose": ("image,dose\na.tif,high\nb.tif,2\n", "wrong-type", "line 2, dose"),
    "05 broken time index": ("image,t0\na.tif,1.5\nb.tif,2\n", "wrong-type", "line 2, t0"),
    "06 no well": ("image,well\na.tif,Z99\nb.tif,A1\n", "not-a-well", "line 2"),
    "07 no file named": ("image,dose\na.tif,1\nb.tif,2\n,3\n", "empty-value", "line 4"),
    "08 contradiction": ("image,known\na.tif,other\nb.tif,k\n", "contradiction", "a.tif, known"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(case: str, tmp_path: Path) -> None:
    """Each kind of fault has its code and says where it is."""
    text, code, where = FAULTS[case]
    with pytest.raises(TableError) as caught:
        joined(tmp_path, text, fields("a.tif", "b.tif", known=["k", "k"]))
    assert [(fault.code, fault.where) for fault in caught.value.faults] == [(code, where)]
    assert "map.csv" in str(caught.value)
    assert caught.value.remedy


def test_all_faults_at_once(tmp_path: Path) -> None:
    """A table with many faults tells them all."""
    text = "image,dose\nc.tif,x\nb.tif,1\nb.tif,2\nq.tif,3\n"
    with pytest.raises(TableError) as caught:
        joined(tmp_path, text, fields("a.tif", "b.tif", "1/c.tif", "2/c.tif"))
    assert sorted(fault.code for fault in caught.value.faults) == [
        "ambiguous-file",
        "duplicate-row",
        "file-without-row",
        "row-without-file",
        "wrong-type",
    ]


def test_wells_that_were_not_imaged(tmp_path: Path) -> None:
    """Rows without files pass only where that is allowed."""
    table = fields("1.tif", well=["A01"])
    text = "well,dose\nA1,1\nA2,2\n"
    with pytest.raises(TableError, match="row-without-file"):
        joined(tmp_path, text, table)
    assert joined(tmp_path, text, table, drop=True)["dose"].tolist() == [1.0]


def test_files_without_a_row(tmp_path: Path) -> None:
    """On demand, files without a row are left out, but never all of them."""
    table = fields("1.tif", "2.tif", "3.tif", well=["A01", "A02", "A03"])
    found = joined(tmp_path, "well,dose\nA3,3\nA1,1\n", table, drop=True)
    assert found["image"].tolist() == ["1.tif", "3.tif"]
    assert found["dose"].tolist() == [1.0, 3.0]
    with pytest.raises(TableError) as caught:
        joined(tmp_path, "well,dose\nB3,3\n", table, drop=True)
    codes = [fault.code for fault in caught.value.faults]
    assert codes == ["file-without-row"] * 3 + ["row-without-file"]


def test_plate_that_is_no_key_is_kept(tmp_path: Path) -> None:
    """Where file names say no plate, the table's plate is a column like any other."""
    table = fields("1.tif", "2.tif", well=["A01", "A02"])
    found = joined(tmp_path, "plate,well,dose\nP1,A1,0\nP1,A2,9\n", table)
    assert found["plate"].tolist() == ["P1", "P1"]
    assert found["dose"].tolist() == [0.0, 9.0]


def test_empty_values_are_filled(tmp_path: Path) -> None:
    """A column known from names is filled where it was empty, and kept where it was not."""
    table = fields("a.tif", "b.tif").assign(dose=[1.0, None])
    found = joined(tmp_path, "image,dose\na.tif,1\nb.tif,7\n", table)
    assert found["dose"].tolist() == [1.0, 7.0]


def test_real_u2os_table(shared_data: Path) -> None:
    """The table of the U2OS pictures joins to its 20 files."""
    folder = shared_data / "u2os-cpt"
    images = sorted(file.name for file in folder.glob("*.png"))
    table = join_metadata(fields(*images), read_metadata(folder / "images.csv"))
    assert len(table) == 20
    assert set(table["treatment"]) == {"CPT", "DMSO"}


@given(st.permutations(list(range(6))))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    """However the table is sorted, every file gets its own row."""
    import tempfile

    images = [f"f/{i}.tif" for i in range(6)]
    text = "image,dose\n" + "".join(f"{images[i]},{i}\n" for i in order)
    with tempfile.TemporaryDirectory() as folder:
        table = joined(Path(folder), text, fields(*images))
    assert table["dose"].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
