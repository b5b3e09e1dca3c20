"""Files, folders and studies become OME-Zarr that is valid, whole and bit-equal."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaozarrs
import zarr
from click.testing import CliRunner

import livewell
from livewell.cli import main
from livewell.errors import ImageReadError, OutputError, SpecError, TableError
from livewell.execution.executors import Executor, PartDone
from livewell.images.opening import open_image
from livewell.outputs import zarr_images
from livewell.outputs.zarr_metadata import read_group

PATTERN = "{well}_p{position}_t{t:int}.tif"


def write(path, values, axes="YX", channels=None, **said):
    """An OME-TIFF of values on those axes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"axes": axes, **said} | ({"Channel": {"Name": channels}} if channels else {})
    tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=metadata)
    return values


def scaled(um=0.5, s=None):
    """What an OME-TIFF says of its scale."""
    said = {}
    for axis in "XY":
        said |= {f"PhysicalSize{axis}": um, f"PhysicalSize{axis}Unit": "µm"}
    return said | ({"TimeIncrement": s, "TimeIncrementUnit": "s"} if s else {})


@pytest.fixture
def folder(tmp_path):
    """Two wells of two positions and three times, one frame a file, 20 x 30 px."""
    rng = np.random.default_rng(0)
    for well in ("A01", "B12"):
        for position in ("1", "2"):
            for t in range(3):
                values = rng.integers(0, 4000, (20, 30)).astype(np.uint16)
                write(tmp_path / "in" / f"{well}_p{position}_t{t}.tif", values, **scaled())
    return tmp_path / "in"


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_files_of_wells_become_a_valid_plate_that_reads_back(folder, tmp_path, ngff):
    """Files that follow in time are one field; it opens with the pixels and facts of its files."""
    made = livewell.convert(folder, tmp_path / "plate.zarr", pattern=PATTERN, ngff=ngff)
    assert (made.kind, made.made, made.kept, len(made.failures)) == ("plate", 4, 0, 0)
    assert made.fields["path"].tolist() == ["A/01/1", "A/01/2", "B/12/1", "B/12/2"]
    yaozarrs.validate_zarr_store(str(made.store))
    for row in made.fields.itertuples():
        with open_image(made.store / row.path) as image:
            header = image.header
            assert (header.well, header.position, header.pixel_um) == (row.well, row.position, 0.5)
            assert header.frames == 3
            for t in range(3):
                source = tifffile.imread(folder / f"{row.well}_p{row.position}_t{t}.tif")
                assert np.array_equal(image.frame(t), source)
    again = livewell.convert(folder, made.store, pattern=PATTERN, ngff=ngff)
    assert (again.made, again.kept) == (0, 4)
    assert again.fields.equals(made.fields)


def test_a_plate_says_its_wells_fields_and_where_pixels_came_from(folder, tmp_path):
    """Rows, columns and wells in order, the files with their hashes, and a hash of the pixels."""
    made = livewell.convert(folder, tmp_path / "plate.zarr", pattern=PATTERN)
    plate = read_group(made.store)[1]["ome"]["plate"]
    assert [row["name"] for row in plate["rows"]] == ["A", "B"]
    assert [column["name"] for column in plate["columns"]] == ["01", "12"]
    assert [well["path"] for well in plate["wells"]] == ["A/01", "B/12"]
    assert plate["acquisitions"][0]["maximumfieldcount"] == plate["field_count"] == 2
    said = read_group(made.store / "B/12/2")[1]["livewell"]
    assert (said["well"], said["position"]) == ("B12", "2")
    assert [each["image"] for each in said["sources"]] == [f"B12_p2_t{t}.tif" for t in range(3)]
    pixels = zarr.open_array(made.store / "B/12/2/0", mode="r")[:]
    assert said["pixels_sha256"] == sha256(pixels.astype("<u2").tobytes()).hexdigest()
    first = folder / "B12_p2_t0.tif"
    assert said["sources"][0]["sha256"] == sha256(first.read_bytes()).hexdigest()


def test_a_study_becomes_the_plate_that_it_says(folder, tmp_path):
    """Wells and scale are those of the study, and what was done is a table of the plate."""
    known = {"pixel_um": 0.25, "frame_s": 60, "constants": {"treatment": "none"}}
    livewell.index(folder, tmp_path / "study", pattern=PATTERN, **known)
    made = livewell.convert(tmp_path / "study", tmp_path / "plate.zarr")
    assert (made.kind, len(made.fields)) == ("plate", 4)
    with open_image(made.store / "A/01/1") as image:
        assert (image.header.pixel_um, image.header.frame_s) == (0.25, 60)
    table = pd.read_csv(made.store / "tables/conditions/table.csv", dtype="str")
    assert table["treatment"].tolist() == ["none"] * 4
    where = table["row"] + "/" + table["column"] + "/" + table["path_in_well"]
    assert where.tolist() == made.fields["path"].tolist()
    yaozarrs.validate_zarr_store(str(made.store))


def test_images_without_wells_become_a_collection(tmp_path):
    """Each is an image of its own, valid, listed in order, with what it is called as its name."""
    values = {}
    for name in ("b/cells.tif", "a/cells.tif", "ä 1.png.tif"):
        values[name] = write(tmp_path / "in" / name, np.arange(600, dtype="u1").reshape(20, 30))
    made = livewell.convert(tmp_path / "in", tmp_path / "all.zarr")
    assert made.kind == "collection"
    yaozarrs.validate_zarr_store(str(made.store))
    assert sorted(made.fields["image"]) == sorted(values)
    for row in made.fields.itertuples():
        with open_image(made.store / row.path) as image:
            assert np.array_equal(image.frame(0), values[row.image])
    found = livewell.images.listing.find_images(made.store)
    assert list(found.files) == made.fields["path"].tolist()


def test_one_file_becomes_one_image_with_all_its_axes(tmp_path):
    """Channels, slices and frames keep their axes, names and interval."""
    rng = np.random.default_rng(0)
    values = rng.integers(-9, 9, (3, 2, 4, 10, 12)).astype(np.int16)
    axes = {"axes": "TZCYX", "channels": ["a", "b", "c", "d"]}
    write(tmp_path / "movie.ome.tif", values, **axes, **scaled(0.3, 20))
    made = livewell.convert(tmp_path / "movie.ome.tif", tmp_path / "movie.zarr")
    assert made.kind == "image"
    yaozarrs.validate_zarr_store(str(made.store))
    found = zarr.open_group(made.store, mode="r")["0"][:]
    assert np.array_equal(found, values.swapaxes(1, 2))
    with open_image(tmp_path / "movie.ome.tif") as old, open_image(made.store) as new:
        for name in ("frames", "channels", "height", "width", "dtype", "pixel_um", "frame_s"):
            assert getattr(new.header, name) == getattr(old.header, name)
        for t, c in np.ndindex(3, 8):
            assert np.array_equal(old.frame(t, c), new.frame(t, c))
    assert livewell.convert(tmp_path / "movie.ome.tif", made.store).kept == 1


def test_what_is_not_known_is_not_said(tmp_path):
    """Without pixel size and interval there is a scale of 1 without a unit, and a warning."""
    write(tmp_path / "a.tif", np.zeros((2, 8, 9), "u1"), "TYX")
    made = livewell.convert(tmp_path / "a.tif", tmp_path / "a.zarr")
    (scales,) = read_group(made.store)[1]["ome"]["multiscales"]
    assert not any("unit" in axis for axis in scales["axes"])
    assert scales["datasets"][0]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1, 1, 1, 1]}
    ]
    assert any("no pixel size" in text for text in made.warnings)
    assert any("no time from frame to frame" in text for text in made.warnings)


def test_images_of_one_place_that_no_time_tells_apart_are_refused(tmp_path):
    """Nothing is written, and every such place is named."""
    for name in ("A01_p1_x.tif", "A01_p1_y.tif", "B01_p1_x.tif", "B01_p1_y.tif", "C01_p1_x.tif"):
        write(tmp_path / "in" / name, np.zeros((8, 9), "u1"))
    with pytest.raises(TableError) as caught:
        livewell.convert(tmp_path / "in", tmp_path / "p.zarr", pattern="{well}_p{position}_{other}")
    assert len(caught.value.faults) == 2
    assert not (tmp_path / "p.zarr").exists()
    shutil.copy(tmp_path / "in" / "A01_p1_x.tif", tmp_path / "A01_p1_t0_again.tif")
    pattern = "{well}_p{position}_t{t:int}{other}"
    for name in ("A01_p1_t0a.tif", "A01_p1_t0b.tif"):
        write(tmp_path / "twins" / name, np.zeros((8, 9), "u1"))
    with pytest.raises(TableError, match="t0 0"):
        livewell.convert(tmp_path / "twins", tmp_path / "p.zarr", pattern=pattern)


def test_frames_that_are_missing_in_a_movie_are_named(folder, tmp_path):
    """A field whose files leave out a time is a failure of its own."""
    (folder / "A01_p2_t1.tif").unlink()
    made = livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    (failure,) = made.failures.itertuples()
    assert failure.image == "A01_p2_t0.tif"
    assert "time index 1. Got: 2" in failure.error
    assert made.fields["path"].tolist() == ["A/01/1", "B/12/1", "B/12/2"]


def test_one_bad_file_costs_its_own_field(folder, tmp_path):
    """It is listed, in the store too, the rest is a valid plate; once mended, it follows."""
    whole = (folder / "B12_p1_t0.tif").read_bytes()
    (folder / "B12_p1_t0.tif").write_bytes(whole[: len(whole) // 2])
    made = livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    assert made.failures["image"].tolist() == ["B12_p1_t0.tif"]
    assert made.fields["path"].tolist() == ["A/01/1", "A/01/2", "B/12/2"]
    yaozarrs.validate_zarr_store(str(made.store))
    assert read_group(made.store)[1]["livewell"]["failures"][0]["image"] == "B12_p1_t0.tif"
    assert not (made.store / "B/12/1").exists()
    (folder / "B12_p1_t0.tif").write_bytes(whole)
    again = livewell.convert(folder, made.store, pattern=PATTERN)
    assert (again.made, again.kept, len(again.failures)) == (1, 3, 0)
    assert len(again.fields) == 4


def test_a_changed_file_is_written_again(folder, tmp_path):
    """Only its field."""
    made = livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    values = write(folder / "A01_p1_t2.tif", np.full((20, 30), 7, np.uint16), **scaled())
    again = livewell.convert(folder, made.store, pattern=PATTERN)
    assert (again.made, again.kept) == (1, 3)
    with open_image(made.store / "A/01/1") as image:
        assert np.array_equal(image.frame(2), values)


def test_fields_of_different_shape_are_kept_and_said(folder, tmp_path):
    """A plate may hold them; some viewers cannot show it, so it is said."""
    for t in range(3):
        write(folder / f"A01_p1_t{t}.tif", np.zeros((40, 30), np.uint16), **scaled())
    made = livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    yaozarrs.validate_zarr_store(str(made.store))
    assert any("2 shapes" in text for text in made.warnings)


def test_images_of_some_wells_are_no_plate(tmp_path):
    """Where some images have no well, it is said, with an example, and single images are made."""
    livewell_table = pd.DataFrame({"file": ["a.tif", "b.tif"], "well": ["A01", ""]})
    for name in ("a.tif", "b.tif"):
        write(tmp_path / "in" / name, np.zeros((8, 9), "u1"))
    livewell_table.to_csv(tmp_path / "table.csv", index=False)
    livewell.index(tmp_path / "in", tmp_path / "study", metadata=tmp_path / "table.csv")
    made = livewell.convert(tmp_path / "study", tmp_path / "p.zarr")
    assert made.kind == "collection"
    assert any("1 image of 2 have no well, such as b.tif" in text for text in made.warnings)


def test_one_of_several_plates_is_to_be_named(tmp_path):
    """A store holds one plate."""
    for name in ("P1/A01.tif", "P2/A01.tif"):
        write(tmp_path / "in" / name, np.full((8, 9), int(name[1]), "u1"))
    livewell.index(tmp_path / "in", tmp_path / "study", pattern="{plate}/{well}.tif")
    with pytest.raises(SpecError, match="P1, P2"):
        livewell.convert(tmp_path / "study", tmp_path / "p.zarr")
    made = livewell.convert(tmp_path / "study", tmp_path / "p.zarr", plate="P2")
    assert read_group(made.store)[1]["ome"]["plate"]["name"] == "P2"
    with open_image(made.store / "A/01/0") as image:
        assert image.frame(0).min() == 2
    with pytest.raises(SpecError, match="no plate 'P3'"):
        livewell.convert(tmp_path / "study", tmp_path / "q.zarr", plate="P3")


@pytest.mark.parametrize(
    ("positions", "paths"),
    [
        (["f1", "f10", "f2"], ["f1", "f2", "f10"]),
        (["site 1", "site 3", "site 2"], ["0", "1", "2"]),
        (["1", "2", "a/b"], ["0", "1", "2"]),
    ],
)
def test_fields_are_called_as_their_positions_where_they_can_be(tmp_path, positions, paths):
    """Names of letters and digits stay; others are numbered in their order, and kept beside."""
    for number in range(3):
        write(tmp_path / "in" / f"{number}.tif", np.zeros((8, 9), "u1"))
    files = [f"{number}.tif" for number in range(3)]
    table = pd.DataFrame({"file": files, "well": "C03", "position": positions})
    table.to_csv(tmp_path / "table.csv", index=False)
    livewell.index(tmp_path / "in", tmp_path / "study", metadata=tmp_path / "table.csv")
    made = livewell.convert(tmp_path / "study", tmp_path / "p.zarr")
    assert made.fields["path"].tolist() == [f"C/03/{name}" for name in paths]
    assert sorted(made.fields["position"]) == sorted(positions)
    yaozarrs.validate_zarr_store(str(made.store))


def test_a_store_of_something_else_is_left_alone(folder, tmp_path):
    """Files of others, stores of others, and stores of other settings are refused."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        livewell.convert(folder, tmp_path / "notes", pattern=PATTERN)
    zarr.create_group(tmp_path / "other.zarr")
    with pytest.raises(OutputError, match="not empty"):
        livewell.convert(folder, tmp_path / "other.zarr", pattern=PATTERN)
    livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    with pytest.raises(OutputError, match="other settings"):
        livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN, pixel_um=3)


def test_a_full_disk_is_an_error_that_says_so(folder, tmp_path, monkeypatch):
    """No half field is left; the same command goes on."""

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(zarr_images, "put_group", full)
        with pytest.raises(OutputError, match="No space left on device"):
            livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN)
    left = [p for p in (tmp_path / "p.zarr").rglob("*") if p.is_dir() and p.name == "0"]
    assert not left
    assert livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN).made == 4


@pytest.mark.long
def test_a_killed_convert_leaves_whole_fields_and_goes_on(folder, tmp_path):
    """Killed after some fields, no half one is there; the same command makes the rest."""
    for well in range(10, 60):
        for t in range(3):
            shutil.copy(folder / "A01_p1_t0.tif", folder / f"C{well % 12 + 1:02}_p{well}_t{t}.tif")
    store = tmp_path / "p.zarr"
    command = [sys.executable, "-m", "livewell", "convert", str(folder), "--to", str(store)]
    process = subprocess.Popen([*command, "--pattern", PATTERN], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(store.glob("[A-Z]/*/[!.]*/zarr.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    whole = [path.parent for path in store.glob("[A-Z]/*/[!.]*/zarr.json")]
    for field in whole:
        yaozarrs.validate_zarr_store(str(field))
    assert "plate" not in json.loads((store / "zarr.json").read_text())["attributes"].get("ome", {})
    made = livewell.convert(folder, store, pattern=PATTERN)
    assert made.kept >= len(whole) > 0
    assert made.made + made.kept == len(made.fields) == 54
    yaozarrs.validate_zarr_store(str(store))
    assert not list(store.rglob(".livewell-tmp-*"))


def test_no_image_at_all_is_an_error(tmp_path):
    """A folder without images makes no store."""
    (tmp_path / "in").mkdir()
    with pytest.raises(ImageReadError, match="no image files"):
        livewell.convert(tmp_path / "in", tmp_path / "p.zarr")
    assert not (tmp_path / "p.zarr").exists()
    assert Path(tmp_path / "in").is_dir()


@pytest.mark.parametrize("shards", [1, 3])
def test_parts_of_a_run_make_the_same_plate(folder, tmp_path, shards):
    """Parts, each in a call of its own, and a gathering: the same store as in one call."""
    whole = livewell.convert(folder, tmp_path / "whole.zarr", pattern=PATTERN)
    store = tmp_path / "whole" / "whole.zarr"
    for k in range(shards, 0, -1):
        part = Executor(shard=(k, shards))
        with pytest.raises(PartDone):
            livewell.convert(folder, store, pattern=PATTERN, executor=part)
        assert "ome" not in read_group(store)[1] or "plate" not in read_group(store)[1]["ome"]
    made = livewell.convert(folder, store, pattern=PATTERN, executor=Executor(gather=True))
    assert (made.made, made.kept) == (0, 4)
    assert made.fields.equals(whole.fields)
    assert files_of(store) == files_of(whole.store)


def files_of(store):
    """Every file of a store by its path, and its bytes."""
    files = (path for path in store.rglob("*") if path.is_file())
    return {path.relative_to(store).as_posix(): path.read_bytes() for path in files}


def test_gathering_too_early_says_which_fields_are_missing(folder, tmp_path):
    """The plate is valid with what there is, and lists what is not."""
    with pytest.raises(PartDone):
        livewell.convert(
            folder, tmp_path / "p.zarr", pattern=PATTERN, executor=Executor(shard=(1, 4))
        )
    gather = Executor(gather=True)
    made = livewell.convert(folder, tmp_path / "p.zarr", pattern=PATTERN, executor=gather)
    assert (len(made.fields), len(made.failures)) == (1, 3)
    yaozarrs.validate_zarr_store(str(made.store))


@pytest.mark.long
def test_processes_make_the_same_plate(folder, tmp_path):
    """Two processes write what one does."""
    one = livewell.convert(folder, tmp_path / "a" / "p.zarr", pattern=PATTERN)
    two = livewell.convert(
        folder, tmp_path / "b" / "p.zarr", pattern=PATTERN, executor=Executor(workers=2)
    )
    assert two.made == 4
    assert files_of(two.store) == files_of(one.store)


def test_the_command_line_works_in_parts_and_takes_results(folder, tmp_path, monkeypatch):
    """Parts of a conversion are gathered; images go --to a store, results --into it."""
    monkeypatch.chdir(tmp_path)
    words = ["convert", str(folder), "--to", "p.zarr", "--pattern", PATTERN]
    for k in (1, 2):
        assert CliRunner().invoke(main, [*words, "--shard", f"{k}/2"]).exit_code == 0
    done = CliRunner().invoke(main, ["gather", "p.zarr"])
    assert done.exit_code == 0, done.output
    yaozarrs.validate_zarr_store(str(tmp_path / "p.zarr"))
    wrong = CliRunner().invoke(main, [*words, "--into", "p.zarr"])
    assert wrong.exit_code == 2
    assert "--to for images, or --into for results" in wrong.output
    wrong = CliRunner().invoke(main, ["convert", "out", "--into", "p.zarr", "--plate", "P"])
    assert "--plate: only for images" in wrong.output
