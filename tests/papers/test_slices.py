"""Images in tiles as files: what is kept, what is left out, and that tiles know their image."""

import shutil
import unicodedata
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import OutputError, SpecError
from livewell.images.opening import open_image
from livewell.measure.content import WHOLE, content_rows, table_of
from livewell.names import picture_of, tile_name
from livewell.papers.slices import Slices, boxes_of, layout_of, slices
from livewell.splitting.leaks import same_content
from livewell.workflows.index import index

RNG = np.random.default_rng(0)


def png(path: Path, *shape: int, dtype: str = "uint8") -> Path:
    """A PNG of noise, the higher bits of its number type in use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(imagecodecs.png_encode(RNG.integers(0, np.iinfo(dtype).max, shape, dtype)))
    return path


@pytest.mark.parametrize(
    ("tiles", "shape", "layout"),
    [
        (2, (960, 1280), (1, 2)),
        (2, (1280, 960), (2, 1)),
        (2, (100, 100), (1, 2)),
        (4, (960, 1280), (2, 2)),
        (6, (960, 1280), (2, 3)),
        (6, (1280, 960), (3, 2)),
        (8, (960, 1280), (2, 4)),
        (8, (1280, 960), (4, 2)),
    ],
)
def test_the_layout_whose_tiles_are_nearest_to_squares(
    tiles: int, shape: tuple[int, int], layout: tuple[int, int]
) -> None:
    """Wide images are cut across, high ones along; squares side by side."""
    assert layout_of(*shape, tiles) == layout


@given(st.integers(2, 40), st.integers(4, 40), st.sampled_from([2, 4, 6, 8]))
def test_tiles_are_equal_and_what_is_left_is_less_than_one(
    height: int, width: int, tiles: int
) -> None:
    """No two tiles share a pixel, and no tile more would fit beyond them."""
    layout = layout_of(height, width, tiles)
    if height < layout[0] or width < layout[1]:
        return
    boxes = [box for _, _, box in boxes_of(height, width, layout)]
    covered = np.zeros((height, width), int)
    for box in boxes:
        covered[box.slices] += 1
    assert len(boxes) == tiles
    assert len({box.shape for box in boxes}) == 1
    assert covered.max() == 1
    assert (covered == 0).sum() == height * width - tiles * boxes[0].y.size * boxes[0].x.size
    assert height - layout[0] * boxes[0].y.size < layout[0]


@given(st.text("ab._1/", min_size=1, max_size=8), st.integers(0, 12), st.integers(0, 3))
def test_a_tile_knows_its_image(stem: str, row: int, column: int) -> None:
    """Names lead back to the image, also those of tiles of tiles."""
    image = f"x{stem}y.png"
    tile = tile_name(image, row, column, ".png")
    assert picture_of(tile) == picture_of(image)
    assert picture_of(tile_name(tile, 1, 1, ".ome.tif")) == picture_of(image)


@pytest.mark.parametrize(
    "name",
    [
        "a.png",
        "A01_02.png",
        "x_01_02.tif",
        "a.b_1_2.png",
        "d.d/_01_02.png",
        "CPT_0.5_01_02.tif",
        "2021.05.03_01_02.tif",
        "p.png/CPT_0.5_01_02.tif",
    ],
)
def test_other_names_are_no_tiles(name: str) -> None:
    """Numbers of wells and fields are no rows and columns without an image's whole name."""
    assert picture_of(name) == name


@pytest.mark.parametrize(("dtype", "shape"), [("uint8", (60, 80)), ("uint16", (60, 80, 3))])
def test_png_keeps_bits_and_channels(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """Grey stays grey, colour colour, 16 bits 16, and the pixels are those of the image."""
    path = png(tmp_path / "in" / "a.png", *shape, dtype=dtype)
    made = slices(path.parent, tmp_path / "out")
    whole = imagecodecs.png_decode(path.read_bytes())
    for row in made.tiles.itertuples():
        tile = imagecodecs.png_decode((tmp_path / "out" / row.image).read_bytes())
        assert tile.dtype == dtype
        np.testing.assert_array_equal(tile, whole[row.y0 : row.y1, row.x0 : row.x1])
    assert made.tiles["image"].tolist()[:2] == ["a.png_01_01.png", "a.png_01_02.png"]
    assert (made.tiles["picture"] == "a.png").all()


def test_a_movie_keeps_frames_channels_scale_and_depth(tmp_path: Path) -> None:
    """An OME-TIFF of two frames and channels stays one, tile by tile."""
    pixels = RNG.integers(0, 4096, (2, 2, 50, 60), "uint16")
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "TCYX", "Channel": {"Name": ["phase", "PI"]}, "PhysicalSizeX": 0.3}
    metadata |= {"PhysicalSizeY": 0.3, "TimeIncrement": 60.0, "TimeIncrementUnit": "s"}
    tifffile.imwrite(path, pixels, ome=True, photometric="minisblack", metadata=metadata)
    made = slices(path, tmp_path / "out", tiles=2)
    for row in made.tiles.itertuples():
        with open_image(tmp_path / "out" / row.image) as tile:
            it = tile.header
            assert (it.shape, it.channels, it.dtype) == ((2, 2, 50, 30), ("phase", "PI"), "uint16")
            assert (it.pixel_um, it.frame_s) == (0.3, 60.0)
            np.testing.assert_array_equal(tile.frame(1, 1), pixels[1, 1, :, row.x0 : row.x1])


def cut(folder: Path, out: Path, tiles: int = 4) -> Slices:
    """Tiles of three images, one of them no image, names with blanks and accents."""
    png(folder / "a 1.png", 41, 30)
    png(folder / "b" / unicodedata.normalize("NFD", "é.png"), 40, 30)
    (folder / "bad.png").write_bytes(b"no image")
    return slices(folder, out, tiles=tiles)


def test_one_bad_file_stops_nothing_and_the_rest_is_told(tmp_path: Path) -> None:
    """It is listed; what does not divide is said; tiles lie in the folders of their images."""
    made = cut(tmp_path / "in", tmp_path / "out")
    assert made.failures["image"].tolist() == ["bad.png"]
    assert len(made.tiles) == 8
    assert all((tmp_path / "out" / name).is_file() for name in made.tiles["image"])
    (text,) = made.warnings
    assert text == "1 image cut without 1 px at the lower edge, which tiles of one size leave"
    assert made.layouts == ("2 images cut into 2 x 2 tiles (rows x columns)",)
    table = pd.read_csv(tmp_path / "out" / "tiles.csv")
    assert len(table) == 8


def test_the_same_call_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    """Tiles of another number do not come into one folder."""
    cut(tmp_path / "in", tmp_path / "out")
    again = cut(tmp_path / "in", tmp_path / "out")
    assert len(again.tiles) == 8
    with pytest.raises(OutputError, match="tiles=4"):
        cut(tmp_path / "in", tmp_path / "out", tiles=2)


def test_tiles_of_images_that_are_there_are_not_cut_again(tmp_path: Path) -> None:
    """A folder of an image and its tiles, as the old tool leaves, gives the image's tiles once."""
    png(tmp_path / "in" / "a.png", 40, 30)
    first = slices(tmp_path / "in", tmp_path / "first")
    for name in first.tiles["image"]:
        shutil.copy(tmp_path / "first" / name, tmp_path / "in")
    made = slices(tmp_path / "in", tmp_path / "out")
    assert made.tiles["image"].tolist() == first.tiles["image"].tolist()
    assert "4 files not cut, for they are tiles of images that lie here too" in made.warnings[0]


def test_another_number_of_tiles_is_refused(tmp_path: Path) -> None:
    """The text says which there are."""
    with pytest.raises(SpecError, match="2, 4, 6"):
        slices(tmp_path, tmp_path / "out", tiles=3)


@pytest.mark.parametrize("tiles", [2, 4, 6, 8])
def test_digests_know_tiles_of_an_image(tmp_path: Path, tiles: int) -> None:
    """What is sliced is found to be of one image by its pixels alone, whatever its name."""
    path = png(tmp_path / "a.png", 49, 66)
    made = slices(path, tmp_path / "out", tiles=tiles)
    with open_image(path) as image:
        frames = {"whole": image.frame(0)}
    for name in made.tiles["image"]:
        with open_image(tmp_path / "out" / name) as image:
            frames[name] = image.frame(0)
    shapes = {frame.shape for frame in frames.values()}
    rows = [row for name, frame in frames.items() for row in content_rows(name, 0, frame, shapes)]
    found = same_content(table_of(rows))
    assert set(found["cluster"]) == {0}
    assert set(found.loc[found["part"] == WHOLE, "image"]) == set(frames) - {"whole"}


def test_tiles_are_one_picture_of_a_study(tmp_path: Path) -> None:
    """By names alone, with the image beside them or without, and with the table of tiles."""
    cut(tmp_path / "in", tmp_path / "out")
    made = index(tmp_path / "out", tmp_path / "study")
    assert sorted(made.fields["picture"].unique()) == ["a 1.png", "b/e\u0301.png"]
    assert any("8 files are tiles of 2 pictures" in note for note in made.notes)
    table = tmp_path / "out" / "tiles.csv"
    told = index(tmp_path / "out", tmp_path / "told", metadata=table)
    assert told.fields["picture"].tolist() == made.fields["picture"].tolist()
    shutil.copy(tmp_path / "in" / "a 1.png", tmp_path / "out")
    both = index(tmp_path / "out", tmp_path / "both")
    assert both.fields["picture"].nunique() == 2
    assert any("1 of these pictures lies here whole as well" in note for note in both.notes)
