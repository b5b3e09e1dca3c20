"""Study folders: written whole, opened again, headers read once."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

import livewell
from livewell.errors import (
    ImageReadError,
    OutputError,
    SpecError,
    StudyError,
    TableError,
)
from livewell.images.listing import RESULTS, find_images
from livewell.papers.celldeath import MARKER
from livewell.study.audited import FILE
from livewell.study.runs import RUN
from livewell.study.study import Study
from livewell.tables.metadata import LabelMeta, SplitMeta

MADE = LabelMeta(route="column", classes=("healthy", "sick"))
DEALT = SplitMeta(
    labels="labels",
    label_meta=MADE,
    classes=MADE.classes,
    by="well",
    scheme="Holdout",
    patch_px=4,
    channels=("",),
    pixel_um=None,
    seed=1,
)
PICTURE = np.arange(1, 101, dtype=np.uint16).reshape(10, 10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("p/b10.tif", "p/b2.tif", "a.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / name, PICTURE)
    return folder


def fields_of(root: Path) -> pd.DataFrame:
    names = list(find_images(root).files)
    return pd.DataFrame({"image": names, "path": names, "colour": "x"})


def labels_table() -> pd.DataFrame:
    return pd.DataFrame({"image": ["a.tif"], "label": ["sick"], "route": ["column"]})


def split_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    box = {"y0": [0], "x0": [0], "y1": [4], "x1": [4]}
    patches = pd.DataFrame({"image": ["a.tif"], "t": [0], **box, "label": ["sick"], "group": ["g"]})
    return patches, pd.DataFrame({"fold": [0], "group": ["g"], "part": ["train"]})


def test_find_images(root: Path) -> None:
    """Images are found in natural order; hidden, unfinished, other files and results are not."""
    for name in (".hidden.tif", ".livewell-tmp-1-x.tif", "notes.txt", ".git/c.tif"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    (root / "out").mkdir()
    (root / "out" / "study.json").write_text("{}")
    (root / "out" / "still.png").write_text("x")
    (root / "places" / "masks").mkdir(parents=True)
    (root / "places" / "localisation.json").write_text("{}")
    (root / "places" / "masks" / "a.tif").write_text("x")
    found = list(find_images(root).files)
    assert found == ["a.tif", "p/b2.tif", "p/b10.tif"]


def test_every_folder_of_results_is_known() -> None:
    """The marker file of every workflow's folder of results is known where images are listed."""
    workflows = Path(livewell.__file__).parent / "workflows"
    text = "\n".join(path.read_text("utf-8") for path in workflows.glob("*.py"))
    markers = re.findall(r'ResultFolder\.claim\([^)]*"(\w+\.json)"', text)
    assert {*markers, RUN, MARKER, FILE} == RESULTS


def test_find_images_where_there_are_none(tmp_path: Path) -> None:
    """A folder without images, or no folder, is refused with its path."""
    with pytest.raises(ImageReadError, match="no image files"):
        find_images(tmp_path)
    with pytest.raises(ImageReadError, match="no such file or folder"):
        find_images(tmp_path / "absent")


def test_ten_thousand_files_are_indexed_unopened(tmp_path: Path) -> None:
    """10,000 files, none of them an image inside, make a study, none of them opened."""
    root = tmp_path / "images"
    root.mkdir()
    for i in range(10_000):
        os.close(os.open(root / f"f{i}.tif", os.O_CREAT))
    found = find_images(root)
    names = list(found.files)
    Study.create(tmp_path / "s", root, pd.DataFrame({"image": names, "path": names}))
    assert names[:3] == ["f0.tif", "f1.tif", "f2.tif"]
    assert names[-1] == "f9999.tif"


def test_create_and_open(root: Path, tmp_path: Path) -> None:
    """A study opened again is the study that was written, further columns too."""
    made = Study.create(
        tmp_path / "s", root, fields_of(root), pixel_um=0.5, channels="phase", sources=["a pattern"]
    )
    study = Study.open(tmp_path / "s")
    assert study == made
    assert study.root.is_absolute()
    assert study.fields()["colour"].tolist() == ["x"] * 3
    assert study.path("p/b2.tif") == root.resolve() / "p" / "b2.tif"
    assert study.label_names() == []
    assert study.split_names() == []


def test_unknown_image(root: Path, tmp_path: Path) -> None:
    """An image that the study has not is refused, with one that looks like it."""
    study = Study.create(tmp_path / "s", root, fields_of(root))
    with pytest.raises(StudyError, match=r"p/b3\.tif.*p/b2\.tif"):
        study.path("p/b3.tif")


def test_refused_studies(root: Path, tmp_path: Path) -> None:
    """Doubled images, no images, a foreign folder and odd options are refused."""
    table = fields_of(root)
    with pytest.raises(TableError, match="duplicate-row"):
        Study.create(tmp_path / "s", root, pd.concat([table, table]))
    with pytest.raises(TableError, match="no-rows"):
        Study.create(tmp_path / "s", root, table.iloc[:0])
    with pytest.raises(OutputError, match="not empty"):
        Study.create(root, root, table)
    with pytest.raises(SpecError, match="frame_s"):
        Study.create(tmp_path / "s", root, table, frame_s=-1)
    assert not (tmp_path / "s").exists()


def test_open_what_is_no_study(root: Path, tmp_path: Path) -> None:
    """A missing, foreign, half-written or spoilt study is refused with what to do."""
    with pytest.raises(StudyError, match="no study here"):
        Study.open(tmp_path / "absent")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "study.json").write_text('{"kind": "training run"}')
    with pytest.raises(StudyError, match="training run"):
        Study.open(tmp_path / "run")
    study = Study.create(tmp_path / "s", root, fields_of(root))
    (tmp_path / "s" / "fields.parquet").write_bytes(b"PAR1")
    with pytest.raises(StudyError, match=r"fields\.parquet"):
        study.fields()
    (tmp_path / "s" / "fields.parquet").unlink()
    with pytest.raises(StudyError, match="cut short"):
        Study.open(tmp_path / "s")


def test_indexing_again_keeps_labels(root: Path, tmp_path: Path) -> None:
    """Writing a study anew replaces its fields and keeps what was made from it."""
    Study.create(tmp_path / "s", root, fields_of(root)).write_labels("l", labels_table(), MADE)
    again = Study.create(tmp_path / "s", root, fields_of(root).iloc[:2])
    assert len(again.fields()) == 2
    assert again.label_names() == ["l"]


def test_headers_are_read_once(root: Path, tmp_path: Path, opened: list[str]) -> None:
    """A second reading opens no image; a file that changed is read again."""
    study = Study.create(tmp_path / "s", root, fields_of(root), frame_s=60)
    first = study.headers()
    assert first["frames"].tolist() == [1, 1, 1]
    assert first["frame_s"].tolist() == [60.0] * 3
    assert first["pixel_um"].isna().all()
    tifffile.imwrite(root / "a.tif", np.ones((4, 6), np.uint8))
    opened.clear()
    second = Study.open(tmp_path / "s").headers()
    assert opened == ["a"]
    assert second.set_index("image").loc["a.tif", "width"] == 6
    opened.clear()
    pd.testing.assert_frame_equal(Study.open(tmp_path / "s").headers(), second)
    assert opened == []


def test_unreadable_headers(root: Path, tmp_path: Path) -> None:
    """All files that cannot be read are told at once; the others are kept."""
    study = Study.create(tmp_path / "s", root, fields_of(root))
    (root / "a.tif").write_bytes(b"")
    (root / "p" / "b2.tif").unlink()
    with pytest.raises(TableError) as caught:
        study.headers()
    assert {fault.where for fault in caught.value.faults} == {"a.tif", "p/b2.tif"}
    table, faults = study.read_headers()
    assert table["image"].tolist() == ["p/b10.tif"]
    assert len(faults) == 2


def test_spoilt_header_cache_is_made_again(root: Path, tmp_path: Path) -> None:
    """A header cache that cannot be read is only a cache."""
    study = Study.create(tmp_path / "s", root, fields_of(root))
    before = study.headers()
    (tmp_path / "s" / "headers.parquet").write_bytes(b"junk")
    pd.testing.assert_frame_equal(study.headers(), before)


def test_labels(root: Path, tmp_path: Path) -> None:
    """Labels come back with how they were made; a missing name lists what there is."""
    study = Study.create(tmp_path / "s", root, fields_of(root))
    with pytest.raises(StudyError, match="none has been made yet"):
        study.labels("dose")
    study.write_labels("by-column", labels_table(), MADE)
    assert study.labels("by-column")["label"].tolist() == ["sick"]
    assert study.label_meta("by-column") == MADE
    with pytest.raises(StudyError, match=r"'dose'.*one of by-column"):
        study.labels("dose")
    with pytest.raises(SpecError, match="usable name"):
        study.write_labels("../x", labels_table(), MADE)
    with pytest.raises(TableError, match="missing-column"):
        study.write_labels("x", labels_table().drop(columns="label"), MADE)
    assert study.label_names() == ["by-column"]


def test_splits(root: Path, tmp_path: Path) -> None:
    """Splits come back whole; a missing name lists what there is; half a split is none."""
    study = Study.create(tmp_path / "s", root, fields_of(root))
    study.write_split("wells", *split_tables(), DEALT)
    study.write_split("wells", *split_tables(), DEALT.model_copy(update={"seed": 2}))
    patches, folds, meta = study.split("wells")
    assert patches["group"].tolist() == folds["group"].tolist() == ["g"]
    assert meta == DEALT.model_copy(update={"seed": 2})
    (tmp_path / "s" / "splits" / "half").mkdir()
    assert study.split_names() == ["wells"]
    with pytest.raises(StudyError, match=r"'half'.*one of wells"):
        study.split("half")
