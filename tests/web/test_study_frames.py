"""Pixels for the pages: the file's own numbers, cut and averaged, kept in memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import GeometryError, ImageContentError, ImageReadError
from livewell.geometry import Box
from livewell.study.study import Study
from livewell.web.frames import ByteCache, StudyFrames, area_mean

MOVIE = np.random.default_rng(0).integers(0, 40_000, (5, 37, 50)).astype(np.uint16)


@pytest.fixture
def frames(tmp_path: Path) -> Iterator[StudyFrames]:
    root = tmp_path / "images"
    root.mkdir()
    tifffile.imwrite(root / "movie.tif", MOVIE, imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(root / "real.tif", MOVIE[0].astype(np.float64) / 7)
    (root / "broken.tif").write_bytes(b"II*\0")
    names = ["movie.tif", "real.tif", "broken.tif"]
    table = pd.DataFrame({"image": names, "path": names})
    study = Study.create(tmp_path / "study", root, table)
    made = StudyFrames(lambda: study)
    yield made
    made.close()


def test_boxes_hold_the_numbers_of_the_file(frames: StudyFrames) -> None:
    """A box of several frames has the file's numbers in the file's type."""
    found = frames.boxes("movie.tif", [4, 1], 0, Box.of(3, 5, 30, 50))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, MOVIE[[4, 1], 3:30, 5:50])


def test_other_number_types_become_float32(frames: StudyFrames) -> None:
    """Numbers that no canvas reads are sent as float32, not cut to 16 bits."""
    found = frames.boxes("real.tif", [0], 0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], MOVIE[0] / 7, rtol=1e-6)


def test_a_step_gives_means_of_whole_squares(frames: StudyFrames) -> None:
    """At a step each number is the mean of its square, at the edge of what is left of it."""
    found = frames.boxes("movie.tif", [0], 0, Box.of(9, 9, 37, 50), 8)[0]
    assert found.dtype == np.uint16
    assert found.shape == (4, 6)
    assert found[0, 0] == np.rint(MOVIE[0, 8:16, 8:16].mean())
    assert found[3, 5] == np.rint(MOVIE[0, 32:37, 48:50].mean())


def test_means_of_bands_are_means_of_the_frame() -> None:
    """Large frames are averaged band by band without a seam."""
    wide = np.random.default_rng(1).integers(0, 65_536, (300, 9_000)).astype(np.uint16)
    squares = wide.reshape(75, 4, 2_250, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(area_mean(wide, 4), np.rint(squares))


def test_limits_are_percentiles_of_the_whole_movie(frames: StudyFrames) -> None:
    """All frames of a movie share their limits."""
    low, high = frames.limits("movie.tif", 0)
    np.testing.assert_allclose((low, high), np.percentile(MOVIE, (0.3, 99.7)))


@pytest.mark.parametrize(
    ("box", "step"), [(Box.of(0, 0, 38, 50), 1), (Box.of(0, 0, 37, 50), 3)], ids=["beyond", "step"]
)
def test_boxes_beyond_the_frame_and_odd_steps_are_refused(
    frames: StudyFrames, box: Box, step: int
) -> None:
    """Nothing is cut off or rounded without a word."""
    with pytest.raises(GeometryError):
        frames.boxes("movie.tif", [0], 0, box, step)


def test_what_cannot_be_read_says_so_and_the_others_go_on(frames: StudyFrames) -> None:
    """A broken file and a frame that is not there are errors of their own."""
    with pytest.raises(ImageReadError):
        frames.boxes("broken.tif", [0], 0)
    with pytest.raises(ImageContentError):
        frames.boxes("movie.tif", [5], 0)
    assert frames.boxes("movie.tif", [0], 0).shape == (1, 37, 50)


def test_a_file_that_changed_is_read_again(frames: StudyFrames, tmp_path: Path) -> None:
    """What is kept in memory is that of the file as it is now."""
    frames.boxes("real.tif", [0], 0)
    tifffile.imwrite(tmp_path / "images" / "real.tif", np.full((8, 9), 7, np.uint8))
    np.testing.assert_array_equal(frames.boxes("real.tif", [0], 0), np.full((1, 8, 9), 7))


def test_a_cache_holds_so_many_bytes_and_makes_each_value_once() -> None:
    """The values used last stay; threads that ask for one value at a time wait for one making."""
    made: list[str] = []
    cache: ByteCache[str] = ByteCache(10, len)

    def make(text: str) -> str:
        made.append(text)
        return text

    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert cache.get(text, lambda text=text: make(text)) == text  # type: ignore[misc]
    assert made == ["aaaa", "bbbb", "cccc", "bbbb"]
    threads = [Thread(target=lambda: cache.get("d", lambda: make("d"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.count("d") == 1


def test_a_small_box_of_many_frames_takes_little_memory(tmp_path: Path) -> None:
    """Of a box through a movie no more than a few whole frames are in memory at once."""
    (tmp_path / "images").mkdir()
    movie = np.zeros((20, 400, 500), np.uint16)
    tifffile.imwrite(tmp_path / "images" / "a.tif", movie, imagej=True, metadata={"axes": "TYX"})
    table = pd.DataFrame({"image": ["a"], "path": ["a.tif"]})
    study = Study.create(tmp_path / "study", tmp_path / "images", table)
    frames = StudyFrames(lambda: study, kept_bytes=1)
    frames.header("a")
    tracemalloc.start()
    frames.boxes("a", range(20), 0, Box.of(0, 0, 8, 8))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    frames.close()
    assert most < 6 * movie[0].nbytes
