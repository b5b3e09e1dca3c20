"""Results lie in the store where programs that read OME-Zarr find them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaozarrs
import zarr

import livewell
from livewell.errors import ImageContentError, StudyError
from livewell.outputs.heatmaps import MapTransform, write_map
from livewell.outputs.masks import write_mask
from livewell.outputs.zarr_metadata import read_group

FRAMES, HEIGHT, WIDTH, STRIDE = 2, 300, 280, 20
TRANSFORM = MapTransform(STRIDE, (50.0, 60.0))


@pytest.fixture(params=["0.5", "0.4"])
def plate(request, tmp_path):
    """Two wells of one field each, of a pixel size."""
    rng = np.random.default_rng(0)
    for well in ("A01", "B02"):
        path = tmp_path / "in" / f"{well}.tif"
        path.parent.mkdir(exist_ok=True)
        values = rng.integers(0, 4000, (FRAMES, HEIGHT, WIDTH)).astype(np.uint16)
        scale = {f"PhysicalSize{a}": 0.5 for a in "XY"}
        scale |= {f"PhysicalSize{a}Unit": "µm" for a in "XY"}
        metadata = {"axes": "TYX", **scale}
        tifffile.imwrite(path, values, ome=True, photometric="minisblack", metadata=metadata)
    made = livewell.convert(
        tmp_path / "in", tmp_path / "plate.zarr", pattern="{well}.tif", ngff=request.param
    )
    return made.store


def heat_map(folder, movie, values, **notes):
    """A folder as `livewell heatmap` leaves it."""
    folder.mkdir(parents=True)
    (folder / "heatmap.json").write_text(json.dumps({"kind": "heat map", "movie": str(movie)}))
    shape = values.shape
    known = {"pixel_um": 0.5, "frame_s": None, "notes": notes}
    write_map(folder / "map.ome.tif", iter(values), TRANSFORM, shape, **known)
    return folder


def values_of_map():
    """A map of 10 x 9 cells with a sick corner, and a cell where nothing is to judge."""
    values = np.full((FRAMES, 10, 9), 0.1, np.float32)
    values[:, :3, :4] = 0.8
    values[1, 9, 8] = np.nan
    return values


def ome(folder):
    version, said = read_group(folder)
    return said["ome"] if version == "0.5" else said


@pytest.mark.parametrize("of", ["source", "store"])
def test_a_heat_map_lies_on_its_field(plate, tmp_path, of):
    """Of the file or of the field: all numbers are there, and cells lie on their windows."""
    movie = tmp_path / "in" / "A01.tif" if of == "source" else plate / "A" / "01" / "0"
    notes = {"classes": '["healthy", "sick"]', "threshold": "0.5"}
    heat_map(tmp_path / "map", movie, values_of_map(), **notes)
    made = livewell.convert_results(tmp_path / "map", plate)
    assert made.fields == ("A/01/0",)
    assert not made.warnings
    yaozarrs.validate_zarr_store(str(plate))
    yaozarrs.validate_zarr_store(str(plate / "A/01/0/heatmap"))
    found = zarr.open_group(plate / "A/01/0/heatmap", mode="r")["0"][:]
    assert np.array_equal(found[:, 0], values_of_map(), equal_nan=True)
    (scales,) = ome(plate / "A/01/0/heatmap")["multiscales"]
    scale, translation = scales["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][2:] == [STRIDE * 0.5] * 2
    # the first window is centred on (50, 60) from the frame's corner; pixel centres count from 0.5
    assert translation["translation"][2:] == [49.5 * 0.5, 59.5 * 0.5]
    again = livewell.convert_results(tmp_path / "map", plate)
    assert (again.made, again.kept) == (0, 1)


def test_what_cells_are_called_are_labels(plate, tmp_path):
    """A pixel has the class of the nearest window, none beyond, with names and colours."""
    notes = {"classes": '["healthy", "sick"]', "threshold": "0.5"}
    heat_map(tmp_path / "map", tmp_path / "in" / "B02.tif", values_of_map(), **notes)
    livewell.convert_results(tmp_path / "map", plate)
    labels = plate / "B/02/0/labels"
    assert ome(labels)["labels"] == ["called"]
    said = ome(labels / "called")["image-label"]
    assert [each["class"] for each in said["properties"]][1:] == ["healthy", "sick"]
    assert len({tuple(each["rgba"]) for each in said["colors"]}) == 3
    group = zarr.open_group(labels / "called", mode="r")
    levels = sorted(group.array_keys())
    assert levels == sorted(zarr.open_group(plate / "B/02/0", mode="r").array_keys())
    found = group["0"][:]
    assert (found.shape, found.dtype) == ((FRAMES, HEIGHT, WIDTH), np.uint8)
    # windows are centred on rows 50, 70, ..., 230 and columns 60, 80, ..., 220
    assert (found[:, :39] == 0).all()
    assert (found[:, 240:] == 0).all()
    assert (found[0, 41:99, 51:129] == 2).all()
    assert (found[0, 101:239, 51:229] == 1).all()
    assert (found[1, 221:239, 211:229] == 0).all()


def test_an_older_map_without_rules_is_shown_and_said(plate, tmp_path):
    """Where a map does not say from when on a cell is called, no label is made up."""
    heat_map(tmp_path / "map", tmp_path / "in" / "A01.tif", values_of_map())
    made = livewell.convert_results(tmp_path / "map", plate)
    assert any("does not say from which probability" in text for text in made.warnings)
    assert not (plate / "A/01/0/labels").exists()


def test_masks_become_labels_with_a_table_of_features(plate, tmp_path):
    """Detections of all frames have numbers of their own, which the table names."""
    folder = tmp_path / "found"
    (folder / "masks").mkdir(parents=True)
    (folder / "localisation.json").write_text(json.dumps({"images": str(tmp_path / "in")}))
    pictures, rows = [], []
    for t in range(FRAMES):
        mask = np.zeros((HEIGHT, WIDTH), np.int32)
        mask[10:20, 30:40], mask[50:60, 70:90] = 1, 2
        write_mask(folder / "masks" / f"A01_t{t}.tif", mask, 0.5)
        pictures.append({"image": "A01.tif", "t": t, "mask": f"masks/A01_t{t}.tif"})
        rows += [{"image": "A01.tif", "t": t, "number": n, "p": 0.6 + n / 10} for n in (1, 2)]
    pd.DataFrame(pictures).to_csv(folder / "pictures.csv", index=False)
    pd.DataFrame(rows).to_csv(folder / "detections.csv", index=False)
    made = livewell.convert_results(folder, plate)
    assert made.fields == ("A/01/0",)
    yaozarrs.validate_zarr_store(str(plate))
    field = plate / "A/01/0"
    found = zarr.open_group(field / "labels/detections", mode="r")["0"][:]
    assert found[0, 15, 35] == 1
    assert found[1, 15, 35] == 3
    assert found[1, 55, 80] == 4
    table = pd.read_csv(field / "tables/detections/table.csv")
    assert table["label"].tolist() == [1, 2, 3, 4]
    assert table["p"].tolist() == [0.7, 0.8, 0.7, 0.8]


@pytest.mark.parametrize("of", ["source", "store"])
def test_verdicts_become_a_table_of_the_plate(plate, tmp_path, of):
    """One row a field and frame, with where it lies."""
    names = ["A01.tif", "B02.tif"] if of == "source" else ["A/01/0", "B/02/0"]
    assessed(tmp_path / "out", tmp_path / "in" if of == "source" else plate, names)
    made = livewell.convert_results(tmp_path / "out", plate)
    assert made.tables == ("verdicts",)
    table = pd.read_csv(plate / "tables/verdicts/table.csv", dtype={"column": "str"})
    where = table[["row", "column", "path_in_well"]].drop_duplicates()
    assert where.to_numpy().tolist() == [["A", "01", 0], ["B", "02", 0]]
    assert table["verdict"].tolist() == ["healthy", "sick"] * 2
    yaozarrs.validate_zarr_store(str(plate))


def assessed(folder, images, names):
    """A folder as `livewell assess` leaves it."""
    folder.mkdir()
    (folder / "assessment.json").write_text(json.dumps({"images": str(images)}))
    rows = [(name, t, v) for name in names for t, v in enumerate(("healthy", "sick"))]
    table = pd.DataFrame(rows, columns=["image", "t", "verdict"])
    table.to_csv(folder / "verdicts.csv", index=False)


def test_results_of_other_images_are_refused(plate, tmp_path):
    """Nothing is matched by chance; some that are not there are said."""
    assessed(tmp_path / "out", tmp_path / "elsewhere", ["C01.tif"])
    with pytest.raises(ImageContentError, match="no image in the store"):
        livewell.convert_results(tmp_path / "out", plate)
    assessed(tmp_path / "more", tmp_path / "in", ["A01.tif", "C01.tif"])
    made = livewell.convert_results(tmp_path / "more", plate)
    assert any("1 image of the results are not in the store" in text for text in made.warnings)
    with pytest.raises(StudyError, match="no results that go into a store"):
        livewell.convert_results(tmp_path / "in", plate)
    with pytest.raises(StudyError, match="no group of an OME-Zarr"):
        livewell.convert_results(tmp_path / "out", tmp_path / "in")


def test_a_map_of_another_size_is_a_failure_of_its_own(plate, tmp_path):
    """A map of more frames than the field has is of something else."""
    values = np.full((FRAMES + 1, 10, 9), 0.1, np.float32)
    heat_map(tmp_path / "map", tmp_path / "in" / "A01.tif", values)
    made = livewell.convert_results(tmp_path / "map", plate)
    assert "not of the field" in made.failures["error"].iloc[0]
    assert not (plate / "A/01/0/heatmap").exists()


@pytest.mark.long
def test_ngio_reads_plate_maps_labels_and_tables(plate, tmp_path):
    """ngio opens the plate, its images, the class map with its place, labels, tables."""
    from ngio import open_ome_zarr_container, open_ome_zarr_plate

    notes = {"classes": '["healthy", "sick"]', "threshold": "0.5"}
    heat_map(tmp_path / "map", tmp_path / "in" / "A01.tif", values_of_map(), **notes)
    livewell.convert_results(tmp_path / "map", plate)
    assessed(tmp_path / "out", tmp_path / "in", ["A01.tif", "B02.tif"])
    livewell.convert_results(tmp_path / "out", plate)
    opened = open_ome_zarr_plate(plate, mode="r")
    assert sorted(opened.wells_paths()) == ["A/01", "B/02"]
    assert opened.list_tables() == ["verdicts"]
    verdicts = opened.get_table("verdicts").dataframe
    assert verdicts["verdict"].tolist() == ["healthy", "sick"] * 2
    image = opened.get_image("A", "01", "0")
    source = tifffile.imread(tmp_path / "in" / "A01.tif")
    assert np.array_equal(image.get_image().get_as_numpy()[:, 0], source)
    assert image.get_image().pixel_size.x == 0.5
    assert image.list_labels() == ["called"]
    called = image.get_label("called").get_as_numpy()
    assert called.shape == (FRAMES, HEIGHT, WIDTH)
    shown = open_ome_zarr_container(Path(plate) / "A/01/0/heatmap", mode="r")
    assert shown.get_image().pixel_size.x == STRIDE * 0.5
    assert shown.get_image().channel_labels == ["p sick"]
