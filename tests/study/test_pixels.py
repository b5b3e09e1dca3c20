"""Pixels by patch key: crops, mirrored borders, the cache and its faults."""

import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import ImageContentError, ImageReadError, StudyError, TableError
from livewell.geometry import Box
from livewell.study.pixels import ArrayPixels, StudyPixels
from livewell.study.study import Study

MOVIE = np.random.default_rng(3).integers(1, 60000, (4, 2, 40, 50), dtype=np.uint16)


def write_movie(path: Path, movie: np.ndarray) -> None:
    tifffile.imwrite(
        path, movie, ome=True, photometric="minisblack",
        metadata={"axes": "TCYX", "Channel": {"Name": ["PI", "Phase"]}},
    )  # fmt: skip


def study_of(folder: Path, **movies: np.ndarray) -> Study:
    root = folder / "images"
    root.mkdir()
    for name, movie in movies.items():
        write_movie(root / f"{name}.tif", movie)
    images = [f"{name}.tif" for name in movies]
    return Study.create(folder / "s", root, pd.DataFrame({"image": images, "path": images}))


def test_crops_of_a_study(tmp_path: Path) -> None:
    """Crops are float32 cuts of the transmitted-light channel in the file's grey levels."""
    pixels = StudyPixels(study_of(tmp_path, a=MOVIE))
    crop = pixels.crop("a.tif", 2, Box.of(3, 5, 13, 25))
    assert crop.dtype == np.float32
    np.testing.assert_array_equal(crop, MOVIE[2, 1:, 3:13, 5:25])
    np.testing.assert_array_equal(pixels.frame("a.tif", 3), MOVIE[3, 1])
    assert pixels.area("a.tif", 0) == Box.of(0, 0, 40, 50)
    assert pixels.shape("a.tif") == (4, 40, 50)


def test_asked_channel(tmp_path: Path) -> None:
    """The channel may be named, and each has a cache of its own."""
    study = study_of(tmp_path, a=MOVIE)
    for name, c in (("pi", 0), ("phase", 1), (None, 1)):
        np.testing.assert_array_equal(StudyPixels(study, name).frame("a.tif", 0), MOVIE[0, c])
    with pytest.raises(ImageContentError, match=r"a\.tif.*no channel 'GFP'.*PI"):
        StudyPixels(study, "GFP").frame("a.tif", 0)


def test_second_use_reads_no_image(tmp_path: Path) -> None:
    """Once copied, the image is read from the cache alone."""
    study = study_of(tmp_path, a=MOVIE)
    assert StudyPixels(study).prepare() == {}
    path = study.path("a.tif")
    stat = path.stat()
    path.write_bytes(b"\0" * stat.st_size)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    np.testing.assert_array_equal(StudyPixels(study).frame("a.tif", 1), MOVIE[1, 1])


def test_changed_image_is_copied_again(tmp_path: Path) -> None:
    """A file with another size or time of change is copied anew, and the old copy goes."""
    study = study_of(tmp_path, a=MOVIE)
    StudyPixels(study).prepare()
    write_movie(study.path("a.tif"), MOVIE[:2] // 2)
    np.testing.assert_array_equal(StudyPixels(study).frame("a.tif", 1), MOVIE[1, 1] // 2)
    assert len(list((study.folder / "cache" / "auto").rglob("*.npy"))) == 2


def test_spoilt_cache_is_made_again(tmp_path: Path) -> None:
    """A cut-off copy is not taken for whole."""
    study = study_of(tmp_path, a=MOVIE)
    StudyPixels(study).prepare()
    for file in (study.folder / "cache").rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:200])
    np.testing.assert_array_equal(StudyPixels(study).frame("a.tif", 1), MOVIE[1, 1])


def test_bad_images_are_told_at_once(tmp_path: Path) -> None:
    """Unreadable files and movies without a usable frame are refused by name; the rest is there."""
    blank = np.zeros_like(MOVIE)
    study = study_of(tmp_path, a=MOVIE, b=MOVIE, c=blank)
    study.path("b.tif").write_bytes(b"")
    pixels = StudyPixels(study)
    with pytest.raises(TableError) as caught:
        pixels.prepare()
    told = {fault.where: fault.code for fault in caught.value.faults}
    assert told.pop("b.tif") == "image-unreadable"
    assert told == {f"c.tif, frame {t}": "image-content" for t in range(len(MOVIE))}
    np.testing.assert_array_equal(pixels.frame("a.tif", 2), MOVIE[2, 1])


def test_one_blank_frame_costs_itself_alone(tmp_path: Path) -> None:
    """Row 25: a frame of zeros in a movie is named, and refused only where it is used."""
    holes = MOVIE.copy()
    holes[1, 1] = 0
    study = study_of(tmp_path, a=MOVIE, c=holes)
    pixels = StudyPixels(study)
    assert list(pixels.prepare()) == [("c.tif", 1)]
    assert pixels.usable("c.tif") == [t for t in range(len(MOVIE)) if t != 1]
    with pytest.raises(ImageContentError, match=r"c\.tif, frame 1"):
        pixels.crop("c.tif", 1, Box.of(0, 0, 4, 4))
    np.testing.assert_array_equal(pixels.frame("c.tif", 2), MOVIE[2, 1])


def test_nan_frame() -> None:
    """A frame of NaN is refused when it is used, by name."""
    movie = np.ones((2, 8, 8), np.float32)
    movie[:, ::2] = 3
    movie[1, 4, 4] = np.nan
    pixels = ArrayPixels({"m": movie})
    assert pixels.crop("m", 0, Box.of(0, 0, 2, 2)).shape == (1, 2, 2)
    with pytest.raises(ImageContentError, match=r"m, frame 1.*NaN"):
        pixels.crop("m", 1, Box.of(0, 0, 2, 2))


def test_what_is_not_there(tmp_path: Path) -> None:
    """Unknown images and frames are refused by name and number."""
    pixels = StudyPixels(study_of(tmp_path, a=MOVIE))
    with pytest.raises(StudyError, match=r"b\.tif"):
        pixels.crop("b.tif", 0, Box.of(0, 0, 4, 4))
    for t in (-1, 4):
        with pytest.raises(ImageContentError, match="no frame"):
            pixels.crop("a.tif", t, Box.of(0, 0, 4, 4))
    pixels.study.path("a.tif").unlink()
    with pytest.raises(ImageReadError, match=r"a\.tif"):
        StudyPixels(pixels.study).frame("a.tif", 0)


@given(
    size=st.tuples(st.integers(2, 7), st.integers(2, 7)),
    corner=st.tuples(st.integers(-30, 30), st.integers(-30, 30)),
    crop=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_mirroring_is_numpys(
    size: tuple[int, int], corner: tuple[int, int], crop: tuple[int, int]
) -> None:
    """A box beyond the frame holds what numpy.pad puts there in mode reflect."""
    frame = np.arange(1, size[0] * size[1] + 1, dtype=np.uint16).reshape(size)
    pixels = ArrayPixels({"m": frame[None]})
    y, x = corner
    found = pixels.crop("m", 0, Box.of(y, x, y + crop[0], x + crop[1]))
    padded = np.pad(frame, 50, mode="reflect")
    expected = padded[y + 50 : y + 50 + crop[0], x + 50 : x + 50 + crop[1]]
    np.testing.assert_array_equal(found, expected[None])


def test_borders_of_zeros_are_mirrored_over() -> None:
    """A box that reaches into a registration border gets picture there, never zeros."""
    frame = np.zeros((60, 60), np.uint16)
    frame[10:, :50] = np.random.default_rng(0).integers(100, 200, (50, 50))
    pixels = ArrayPixels({"m": frame[None]})
    assert pixels.area("m", 0) == Box.of(10, 0, 60, 50)
    (crop,) = pixels.crop("m", 0, Box.of(0, 30, 21, 60))
    assert crop.min() >= 100
    np.testing.assert_array_equal(crop[:10], crop[20:10:-1])
    np.testing.assert_array_equal(crop[10:, :20], frame[10:21, 30:50])


def _mean(pixels: StudyPixels, t: int) -> float:
    return float(pixels.crop("a.tif", t, Box.of(0, 0, 10, 10)).mean())


def test_other_processes(tmp_path: Path) -> None:
    """A source that is in use may be pickled and used in another process."""
    pixels = StudyPixels(study_of(tmp_path, a=MOVIE))
    pixels.prepare()
    expected = [_mean(pixels, t) for t in range(4)]
    assert [_mean(pickle.loads(pickle.dumps(pixels)), t) for t in range(4)] == expected
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(_mean, [pixels] * 4, range(4))) == expected


def test_few_files_stay_open(tmp_path: Path) -> None:
    """Using many images does not keep many files open."""
    from livewell.study.pixels import KEPT_OPEN

    movies = {f"m{i}": MOVIE[:1, :, :8, :8] for i in range(KEPT_OPEN + 20)}
    pixels = StudyPixels(study_of(tmp_path, **movies))
    before = psutil.Process().num_fds()
    for name in movies:
        pixels.crop(f"{name}.tif", 0, Box.of(0, 0, 4, 4))
    assert psutil.Process().num_fds() <= before + KEPT_OPEN


def test_real_crop_in_a_border(shared_data: Path, tmp_path: Path) -> None:
    """In an MCF7 image a box over the corner holds no registration zeros."""
    image = "110_snap_0_1_10.ome.tif"
    root = shared_data / "mcf7-pi"
    study = Study.create(tmp_path / "s", root, pd.DataFrame({"image": [image], "path": [image]}))
    pixels = StudyPixels(study)
    assert pixels.area(image, 0).y.start > 0
    assert (pixels.crop(image, 0, Box.of(-40, -40, 40, 40)) == 0).mean() < 0.01
