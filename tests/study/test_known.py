"""What is known about images: files that only a plate or a time tells apart, wells in files."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from livewell.errors import TableError
from livewell.labels.by_dose import Dose
from livewell.study import known
from livewell.workflows.index import index
from livewell.workflows.label import label

CLASSES = ("healthy", "sick")


def images(folder: Path, *names: str) -> Path:
    """Small images of these names."""
    pixels = np.random.default_rng(0).integers(900, 1100, (32, 32)).astype(np.uint16)
    for name in names:
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, pixels)
    return folder / "images"


def plate_map(folder: Path, text: str) -> Path:
    """A table of this text."""
    (folder / "map.csv").write_text(text, encoding="utf-8")
    return folder / "map.csv"


TWO_PLATES = ("plate 1/A01.tif", "plate 1/B01.tif", "plate 2/A01.tif", "plate 2/B01.tif")


@pytest.mark.parametrize("table", [None, "well,dose\nA1,0\nB1,30\n"])
def test_two_plates_and_no_plate(table: str | None, tmp_path: Path) -> None:
    """Row 7: files of one well in two folders are refused with both names, table or not."""
    root = images(tmp_path, *TWO_PLATES)
    metadata = None if table is None else plate_map(tmp_path, table)
    with pytest.raises(TableError) as caught:
        index(root, tmp_path / "study", pattern="{well}.tif", metadata=metadata)
    faults = {fault.where: fault.code for fault in caught.value.faults}
    assert faults["plate 1/A01.tif, plate 2/A01.tif"] == "same-place"
    assert "{plate}/{well}.tif" in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_two_plates_with_their_names(tmp_path: Path) -> None:
    """Row 7: with the plate in pattern and table every file has its own plate's row."""
    root = images(tmp_path, *TWO_PLATES)
    table = "plate,well,dose\nplate 1,A1,0\nplate 1,B1,10\nplate 2,A1,20\nplate 2,B1,30\n"
    made = index(
        root,
        tmp_path / "study",
        pattern="{plate}/{well}.tif",
        metadata=plate_map(tmp_path, table),
    )
    assert made.fields["dose"].tolist() == [0, 10, 20, 30]
    with pytest.raises(TableError, match="names none"):
        index(
            root,
            tmp_path / "other",
            pattern="{plate}/{well}.tif",
            metadata=plate_map(tmp_path, "well,dose\nA1,0\nB1,30\n"),
        )


def test_files_of_one_time(tmp_path: Path) -> None:
    """Row 7: two files of one well, position and time are refused; one more part tells them."""
    root = images(tmp_path, "A01_p1_t1_a.tif", "A01_p1_t1_b.tif")
    with pytest.raises(TableError, match=r"A01_p1_t1_a\.tif, A01_p1_t1_b\.tif"):
        index(root, tmp_path / "study", pattern="{well}_p{position}_t{t}_*.tif")
    made = index(root, tmp_path / "study", pattern="{well}_p{position}_t{t}_{side}.tif")
    assert made.fields["side"].tolist() == ["a", "b"]


INCUCYTE = [f"VID1_{well}_1_00d{hour:02d}h00m.tif" for well in ("A1", "B1") for hour in (0, 60)]
DOSES = "well,dose,dose_unit\nA1,0,s\nB1,30,s\n"


@pytest.mark.parametrize("pattern", ["VID1_{well}_{position}_*.tif", "VID1_{well}_*.tif"])
def test_several_files_of_a_position_and_no_time(pattern: str, tmp_path: Path) -> None:
    """Row 8: without a time in the pattern `label dose` refuses and names the files."""
    root = images(tmp_path, *INCUCYTE)
    table = plate_map(tmp_path, DOSES)
    made = index(root, tmp_path / "study", pattern=pattern, metadata=table)
    assert any("say no time" in note for note in made.notes) == ("position" in pattern)
    with pytest.raises(TableError, match="no-time") as caught:
        label(made.study, Dose(30, (0, 3600)), CLASSES)
    assert all(name in str(caught.value) for name in INCUCYTE)
    assert "duration" in str(caught.value)


def test_times_in_names(tmp_path: Path) -> None:
    """Row 8: with the time in the pattern only the first hour is labelled."""
    root = images(tmp_path, *INCUCYTE)
    pattern = "VID1_{well}_{position}_{time_s:duration}.tif"
    made = index(root, tmp_path / "study", pattern=pattern, metadata=plate_map(tmp_path, DOSES))
    assert made.fields["time_s"].tolist() == [0, 216_000, 0, 216_000]
    label(made.study, Dose(30, (0, 3600)), CLASSES)
    assert made.study.labels("labels")["image"].tolist() == INCUCYTE[::2]


def test_wells_that_files_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 16: where neither pattern nor table names wells, those of the files are taken."""
    root = images(tmp_path, "x1.tif", "x2.tif")
    monkeypatch.setattr(known, "place_of", lambda path: (None, "C07", path.stem[1:]))
    made = index(root, tmp_path / "study", metadata=plate_map(tmp_path, "well,dose\nC07,3\n"))
    assert made.fields["well"].tolist() == ["C07", "C07"]
    assert made.fields["position"].tolist() == ["1", "2"]
    assert made.fields["dose"].tolist() == [3, 3]
    assert "wells and positions are those that the files state" in made.notes
