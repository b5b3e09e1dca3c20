"""Places come back to the file, whatever its size, pixel size, depth and number of frames."""

import html
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from discs import BRIGHT, DIM, NEAR_PX, SHAPE, blobs, found_in, nearest, save_by_hand

from livewell.models.files import load_model, save_model
from livewell.outputs.masks import read_mask
from livewell.workflows.localise import localise

Writer = Callable[..., Path]


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that calls a picture bright where it holds a bright disc."""
    return save_by_hand(tmp_path_factory.mktemp("bright") / "model")


def test_sixteen_bits_are_kept(bright: Path, tmp_path: Path, write_movie: Writer) -> None:
    """One pixel of 65,535, which would blacken all others in 8 bits, changes nothing."""
    frame = blobs()
    frame[5, 5] = 65_535
    path = write_movie(tmp_path / "hot.ome.tif", frame[None])
    made = localise(path, bright, tmp_path / "out", figures=0)
    assert (nearest(made.detections, BRIGHT) < NEAR_PX).all()


def test_other_pixel_sizes_come_back_to_the_file(
    bright: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """A picture of half or double pixel size is judged at the model's; places are in its own."""
    fine = blobs().repeat(2, axis=0).repeat(2, axis=1)
    coarse = blobs(shape=(192, 256), bright=[(60, 80), (120, 180)], dim=[])
    coarse = coarse.reshape(96, 2, 128, 2).mean(axis=(1, 3)).round().astype(np.uint16)
    write_movie(tmp_path / "images" / "fine.ome.tif", fine[None], pixel_um=0.25)
    write_movie(tmp_path / "images" / "coarse.ome.tif", coarse[None], pixel_um=1.0)
    made = localise(tmp_path / "images", bright, tmp_path / "out", least=0.5, figures=0)
    own = found_in(made.detections, "fine.ome.tif")
    assert len(own) == 2
    assert (nearest(own, [(60, 80), (120, 180)]) < 2 * NEAR_PX).all()
    labels = read_mask(made.folder / "masks" / "fine.tif")
    assert labels.shape == fine.shape
    assert set(labels[60, 80:81]) | set(labels[120, 180:181]) == {1, 2}
    assert found_in(made.pictures, "fine.ome.tif")["note"][0] == (
        "rescaled by 0.500, from 0.25 to 0.5 um a pixel"
    )
    assert "1 image: rescaled by 0.500, from 0.25 to 0.5 um a pixel" in made.warnings
    # 15 px of a pixel of 1 um are 30 of the model's: as large as its discs are at 0.5 um
    assert read_mask(made.folder / "masks" / "coarse.tif").shape == (96, 128)
    own = found_in(made.detections, "coarse.ome.tif")
    assert own[["y1", "x1"]].le([96, 128]).all(axis=None)
    assert (nearest(own, [(30, 40), (60, 90)]) < NEAR_PX).all()


@pytest.mark.long
def test_a_movie_has_a_row_a_frame(bright: Path, tmp_path: Path, write_movie: Writer) -> None:
    """Every frame of a movie is judged by itself, and has a mask and an overlay of its own."""
    movie = np.stack([blobs(), blobs([]), blobs([(50, 64)])])
    path = write_movie(tmp_path / "film.ome.tif", movie)
    made = localise(path, bright, tmp_path / "out", figures=2)
    assert made.pictures["t"].tolist() == [0, 1, 2]
    assert made.pictures["found"].tolist() == [2, 0, 1]
    assert made.detections["t"].tolist() == [0, 0, 2]
    names = [f"film_t{t:04}" for t in range(3)]
    assert sorted(path.stem for path in (made.folder / "masks").iterdir()) == names
    overlays = {path.stem for path in (made.folder / "overlays").iterdir()}
    assert overlays == {names[0], names[2]}
    assert "film.ome.tif, frame 2: bright" in made.page.read_text("utf-8")


def test_larger_and_smaller_pictures(bright: Path, tmp_path: Path, write_movie: Writer) -> None:
    """Larger pictures are seen in windows, much smaller ones mirrored; both are warned of."""
    corners = [(20, 20), (150, 300), (20, 300), (150, 24)]
    large = blobs(corners, [(80, 160)], (180, 320))
    small = blobs([(30, 40)], [], (70, 100))
    write_movie(tmp_path / "images" / "large.ome.tif", large[None])
    write_movie(tmp_path / "images" / "larger.ome.tif", large[None])
    write_movie(tmp_path / "images" / "small.ome.tif", small[None])
    made = localise(tmp_path / "images", bright, tmp_path / "out", figures=0)
    pictures = made.pictures.set_index("image")
    assert pictures.loc["large.ome.tif", "note"].startswith("larger than the training frames of 96")
    assert pictures.loc["small.ome.tif", "note"].startswith("smaller (without borders)")
    assert [warning.split(" than")[0] for warning in made.warnings] == [
        "2 images: larger",
        "1 image: smaller (without borders)",
    ]
    own = found_in(made.detections, "large.ome.tif")
    assert (nearest(own, corners) < NEAR_PX).all()
    assert len(own) == 4
    assert read_mask(made.folder / "masks" / "large.tif").shape == (180, 320)
    own = found_in(made.detections, "small.ome.tif")
    assert len(own) == 1
    assert (nearest(own, [(30, 40)]) < NEAR_PX).all()
    assert read_mask(made.folder / "masks" / "small.tif").shape == (70, 100)


def test_unknown_pixel_sizes_are_told_once(
    bright: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """Where the model learnt without one too, a note of the report says so, and no row does."""
    net, card = load_model(bright)
    save_model(tmp_path / "model", net, card.model_copy(update={"pixel_um": None}))
    for name, shape in (("a", SHAPE), ("b", SHAPE), ("large", (180, 320))):
        frame = blobs(shape=shape)[None]
        write_movie(tmp_path / "images" / f"{name}.ome.tif", frame, pixel_um=None)
    made = localise(tmp_path / "images", tmp_path / "model", tmp_path / "out", figures=0)
    notes = pd.read_csv(tmp_path / "out" / "pictures.csv").set_index("image")["note"]
    assert notes.isna().tolist() == [True, True, False]
    assert notes["large.ome.tif"].startswith("larger than the training frames")
    told = "3 images: neither the image's pixel size nor the model's is known: judged as it is"
    assert [warning for warning in made.warnings if "pixel size" in warning] == [told]
    page = html.unescape(made.page.read_text("utf-8"))
    assert page.count("pixel size nor") == 1
    notes_of_page = re.findall(r'<li class="(\w+)"><span[^>]*>\w+</span> <span>([^<]*)<', page)
    assert ("info", told) in notes_of_page
    larger = next(warning for warning in made.warnings if "larger than" in warning)
    assert ("warn", larger) in notes_of_page


def test_registration_borders_hold_no_place(
    bright: Path, tmp_path: Path, write_movie: Writer
) -> None:
    """Rows of zeros at an edge are no part of a place, even of one right beside them."""
    frame = blobs([(22, 40)], DIM)
    frame[:16] = 0
    made = localise(
        write_movie(tmp_path / "b.ome.tif", frame[None]), bright, tmp_path / "out", figures=0
    )
    labels = read_mask(made.folder / "masks" / "b.tif")
    assert labels.any()
    assert not labels[:16].any()
    assert (made.detections["y0"] >= 16).all()
