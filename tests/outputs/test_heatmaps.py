"""Heat maps: where they lie, how they are enlarged, and how they are kept."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import GeometryError, ImageReadError
from livewell.geometry import Box
from livewell.outputs.heatmaps import MapTransform, read_map, write_map

KEPT = {"model": "FAST <é> & co", "model_hash": "3f2a91", "engine": "dense"}


def stored(path: Path, maps: np.ndarray, transform: MapTransform, **more: float | None) -> None:
    known = {"pixel_um": 0.3225, "frame_s": 480.0} | more
    write_map(path, iter(maps), transform, maps.shape, notes=KEPT, **known)


@given(
    stride=st.floats(1.0, 40.0),
    origin=st.tuples(st.floats(-20.0, 60.0), st.floats(-20.0, 60.0)),
    cells=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    slope=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
)
def test_a_linear_ramp_is_enlarged_to_the_same_ramp(
    stride: float,
    origin: tuple[float, float],
    cells: tuple[int, int],
    slope: tuple[float, float],
) -> None:
    """Between window centres a ramp comes back exactly; beyond them nothing is made up."""
    transform = MapTransform(stride, origin)
    my, mx = np.indices(cells)
    at_y, at_x = transform.to_frame(my, mx)
    enlarged = transform.enlarge(slope[0] * at_y + slope[1] * at_x, (150, 170))
    y, x = np.indices((150, 170)) + 0.5
    last = transform.to_frame(cells[0] - 1, cells[1] - 1)
    inside = (y > origin[0]) & (y < last[0]) & (x > origin[1]) & (x < last[1])
    ramp = slope[0] * y + slope[1] * x
    np.testing.assert_allclose(enlarged[inside], ramp[inside], atol=1e-4)
    slack = 1e-6 * stride
    beyond = (y < origin[0] - slack) | (y > last[0] + slack)
    beyond |= (x < origin[1] - slack) | (x > last[1] + slack)
    assert np.isnan(enlarged[beyond]).all()


def test_a_cell_lies_at_its_windows_centre() -> None:
    """The transform agrees with the centres of the boxes that the map was made from."""
    transform = MapTransform(32, Box.of(0, 0, 256, 256).centre)
    assert transform.to_frame(2, 3) == Box.of(64, 96, 320, 352).centre


def test_unknown_cells_stay_uncoloured_and_do_not_darken_their_neighbours() -> None:
    """Around a NaN the known value holds up to half way, and NaN holds beyond."""
    values = np.full((3, 3), 0.8)
    values[1, 1] = np.nan
    enlarged = MapTransform(10, (5.0, 5.0)).enlarge(values, (30, 30))
    assert np.isnan(enlarged[14, 14])
    known = enlarged[np.isfinite(enlarged)]
    np.testing.assert_allclose(known, 0.8, atol=1e-6)
    assert np.isfinite(enlarged[14, 8])


def test_a_single_window_colours_half_a_stride_around_its_centre() -> None:
    """One window gives a square of one stride, not a single pixel."""
    enlarged = MapTransform(8, (16.0, 16.0)).enlarge(np.array([[0.6]]), (32, 32))
    rows, columns = np.nonzero(np.isfinite(enlarged))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 19, 12, 19)


@pytest.mark.parametrize("stride", [0, -4, float("nan")])
def test_a_stride_must_be_above_zero(stride: float) -> None:
    """A map without stride is refused."""
    with pytest.raises(GeometryError, match="stride_px > 0"):
        MapTransform(stride, (0.0, 0.0))


@pytest.mark.parametrize("shape", [(5, 7, 9), (1, 7, 9), (4, 1, 1), (1, 1, 1), (3, 6, 3)])
def test_maps_and_transform_come_back_as_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Values (NaN among them), shape and transform survive, whatever axes have length one."""
    maps = np.random.default_rng(1).random(shape, dtype=np.float32)
    maps[0, 0, 0] = np.nan
    transform = MapTransform(16.5, (128.0, 127.25))
    path = tmp_path / "map.ome.tif"
    stored(path, maps, transform)
    found, where = read_map(path)
    np.testing.assert_array_equal(found, maps)
    assert where == transform
    assert isinstance(found, np.memmap), "not read into memory as a whole"


def test_other_programs_find_scale_and_names(tmp_path: Path) -> None:
    """The OME-XML holds the map's own pixel size, the frame interval and the model."""
    path = tmp_path / "map.ome.tif"
    stored(path, np.zeros((2, 3, 4), np.float32), MapTransform(32, (128.0, 128.0)))
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "TYX"
        ome = tifffile.xml2dict(file.ome_metadata)["OME"]
    pixels = ome["Image"]["Pixels"]
    assert pixels["PhysicalSizeX"] == pytest.approx(32 * 0.3225)
    assert pixels["TimeIncrement"] == 480.0
    kept = {m["K"]: m["value"] for m in ome["StructuredAnnotations"]["MapAnnotation"]["Value"]["M"]}
    assert kept["model"] == KEPT["model"]
    assert kept["frame_y_px"] == "128.0 + 32 * map_y"


def test_an_unknown_pixel_size_is_left_out(tmp_path: Path) -> None:
    """No scale is invented where the movie has none."""
    path = tmp_path / "map.ome.tif"
    maps = np.zeros((1, 2, 2), np.float32)
    stored(path, maps, MapTransform(32, (0.0, 0.0)), pixel_um=None, frame_s=None)
    with tifffile.TiffFile(path) as file:
        assert "PhysicalSize" not in file.ome_metadata
        assert "TimeIncrement" not in file.ome_metadata


@pytest.mark.parametrize(
    ("count", "shape"), [(1, (3, 4)), (4, (3, 4)), (2, (3, 5))], ids=["few", "many", "other shape"]
)
def test_maps_that_do_not_fit_leave_no_file(
    tmp_path: Path, count: int, shape: tuple[int, int]
) -> None:
    """Too few, too many or misshapen maps are refused, and nothing half-written stays."""
    maps = (np.zeros(shape, np.float32) for _ in range(count))
    with pytest.raises(ValueError, match=r"iterator|reshape"):
        write_map(
            tmp_path / "map.ome.tif",
            maps,
            MapTransform(8, (0.0, 0.0)),
            (2, 3, 4),
            pixel_um=None,
            frame_s=None,
            notes=KEPT,
        )
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_refused(tmp_path: Path) -> None:
    """A foreign TIFF, a text file and a missing file each give an error that names the file."""
    foreign = tmp_path / "foreign.tif"
    tifffile.imwrite(foreign, np.zeros((4, 4), np.float32))
    text = tmp_path / "text.tif"
    text.write_text("no image")
    for path in (foreign, text, tmp_path / "missing.tif"):
        with pytest.raises(ImageReadError, match=path.name):
            read_map(path)
