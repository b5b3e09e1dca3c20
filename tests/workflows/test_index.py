"""Images and what is known about them become a study."""

from pathlib import Path

import pytest

from livewell.errors import LayoutError, OutputError, SpecError, TableError
from livewell.labels.by_column import Column
from livewell.labels.by_dose import Dose
from livewell.study.study import Study
from livewell.workflows.index import index
from livewell.workflows.label import label

PATTERN = "{well}_p{position:int}.ome.tif"


def test_pattern_and_table_by_well(plate: Path, tmp_path: Path) -> None:
    """File names say well and position, a CSV by well the rest; images stay where they are."""
    made = index(
        plate / "images",
        tmp_path / "study",
        pattern=PATTERN,
        metadata=plate / "plate.csv",
        constants={"cell_line": "U2OS"},
    )
    row = Study.open(tmp_path / "study").fields().set_index("image").loc["B02_p1.ome.tif"]
    assert row["well"] == "B02"
    assert row["position"] == "1"
    assert (row["dose"], row["dose_unit"], row["look"]) == (30, "s", "sick")
    assert row["cell_line"] == "U2OS"
    assert len(made.fields) == 11
    assert not list((tmp_path / "study").rglob("*.tif"))
    assert made.study.path("B02_p1.ome.tif").samefile(plate / "images" / "B02_p1.ome.tif")


def test_table_by_file(plate: Path, tmp_path: Path) -> None:
    """A CSV keyed by file needs no pattern, and its own columns are kept."""
    names = sorted(path.name for path in (plate / "images").iterdir())
    lines = [f"{name};{'A' if name < 'B' else 'B'};0,5" for name in names]
    (tmp_path / "files.csv").write_text("\n".join(["File;Batch;dose", *lines]))
    made = index(plate / "images", tmp_path / "study", metadata=tmp_path / "files.csv")
    assert made.fields["Batch"].value_counts().to_dict() == {"A": 5, "B": 6}
    assert made.fields["dose"].eq(0.5).all()
    assert any("decimal commas in dose" in note for note in made.notes)


def test_files_that_do_not_fit(plate: Path, tmp_path: Path) -> None:
    """Files that a pattern misses are refused with hints; on demand they are left out."""
    pattern = "B{column:int}_p{position:int}.ome.tif"
    with pytest.raises(LayoutError, match=r"6 of 11 files do not fit.*'B' is expected"):
        index(plate / "images", tmp_path / "study", pattern=pattern)
    assert not (tmp_path / "study").exists()
    made = index(plate / "images", tmp_path / "study", pattern=pattern, unmatched="drop")
    assert len(made.fields) == 5
    assert made.notes == ("6 files that do not fit the pattern are left out",)


def test_files_without_metadata(plate: Path, tmp_path: Path) -> None:
    """Files without a row of metadata are refused; on demand they are left out and counted."""
    (tmp_path / "some.csv").write_text("well,dose\nA01,0\nB02,30\nH12,3\n")
    options = {"pattern": PATTERN, "metadata": tmp_path / "some.csv"}
    with pytest.raises(TableError, match="file-without-row"):
        index(plate / "images", tmp_path / "study", **options)
    made = index(plate / "images", tmp_path / "study", **options, unmatched="drop")
    assert made.fields["well"].tolist() == ["A01", "B02"]
    assert made.notes[-1] == "9 files without a row of metadata are left out"


def test_only_some_files(plate: Path, tmp_path: Path) -> None:
    """Files are chosen by name, whatever the letter case; none at all is refused."""
    made = index(plate / "images", tmp_path / "study", files="b0[12]*")
    assert made.fields["image"].tolist() == ["B01_p1.ome.tif", "B02_p1.ome.tif"]
    with pytest.raises(LayoutError, match="no image here"):
        index(plate / "images", tmp_path / "other", files="*.png")


def test_indexing_again_keeps_labels(plate: Path, tmp_path: Path) -> None:
    """Indexed anew, a study has new fields and its old labels; a refusal changes nothing."""
    first = index(
        plate / "images", tmp_path / "study", pattern=PATTERN, metadata=plate / "plate.csv"
    )
    classes = {"healthy": "healthy", "sick": "sick"}
    label(first.study, Column("look", classes, "drop"), ("healthy", "sick"))
    before = first.study.fields()
    (tmp_path / "bad.csv").write_text("well,dose\nA01,0\nA01,0\nH12,3\n")
    with pytest.raises(TableError) as refused:
        index(plate / "images", tmp_path / "study", pattern=PATTERN, metadata=tmp_path / "bad.csv")
    codes = {fault.code for fault in refused.value.faults}
    assert codes == {"duplicate-row", "row-without-file", "file-without-row"}
    assert Study.open(tmp_path / "study").fields().equals(before)
    index(plate / "images", tmp_path / "study", pattern=PATTERN)
    again = Study.open(tmp_path / "study")
    assert again.label_names() == ["labels"]
    assert "dose" not in again.fields()


def test_foreign_folder_is_not_written(plate: Path, tmp_path: Path) -> None:
    """A folder that holds something else is refused and left as it was."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"not empty.*thesis\.txt.*new folder"):
        index(plate / "images", tmp_path, pattern=PATTERN)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


REFUSED_CONSTANTS = [
    ("well", "A01", r"well has other values.*Got: A02, A03, A04, A05, B01 \.\.\. \(10 in all"),
    ("dose", "30", "dose has other values.*Got: 0.0, 10.0"),
    ("image", "3", "image cannot be set"),
    ("path", "3", "path cannot be set"),
    ("picture", "3", "picture cannot be set"),
    ("well", "3", "--column well=3: not the name of a well"),
]


@pytest.mark.parametrize(("column", "value", "message"), REFUSED_CONSTANTS)
def test_constants_never_override(
    plate: Path, tmp_path: Path, column: str, value: str, message: str
) -> None:
    """A constant against what names or table say is refused with these values, and so are keys."""
    known = {"pattern": PATTERN, "metadata": plate / "plate.csv", "constants": {column: value}}
    with pytest.raises(SpecError, match=message):
        index(plate / "images", tmp_path / "study", **known)
    assert not (tmp_path / "study").exists()


def test_constants_that_agree(plate: Path, tmp_path: Path) -> None:
    """A constant that says what is known already passes, however its number is written."""
    known = {"dose_unit": "s", "dose": "30.00", "well": "b2"}
    made = index(
        plate / "images",
        tmp_path / "study",
        pattern=PATTERN,
        metadata=plate / "plate.csv",
        files="B02*",
        unmatched="drop",
        constants=known,
    )
    assert made.fields[list(known)].iloc[0].tolist() == ["s", 30.0, "B02"]


def test_patterns_that_say_nothing(plate: Path, tmp_path: Path) -> None:
    """An empty pattern is refused, and so is a new name for a value that no file name holds."""
    with pytest.raises(LayoutError, match="no named part"):
        index(plate / "images", tmp_path / "study", pattern="")
    with pytest.raises(LayoutError, match=r"no file name holds.*any of A01, .*Got: b99"):
        index(plate / "images", tmp_path / "study", pattern=PATTERN, values={"well": {"B99": "B2"}})


def test_indexing_again_tells_what_is_kept(plate: Path, tmp_path: Path) -> None:
    """Labels made before a new index stay, and are named."""
    again = {"pattern": PATTERN, "metadata": plate / "plate.csv"}
    made = index(plate / "images", tmp_path / "study", **again)
    label(made.study, Dose(30, (0, 1800)), ("healthy", "sick"), name="by-dose")
    made = index(plate / "images", tmp_path / "study", **again)
    assert any("by-dose" in note and "label and split again" in note for note in made.notes)
    assert made.study.label_names() == ["by-dose"]
