"""What images are, told as a table that a person reads."""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from livewell.workflows.inspect import LISTED, inspect_all, listing, table, unfolded


def test_table_of_a_movie(plate: Path) -> None:
    """Shape, type, scale and grey levels each stand on a line, values under each other."""
    path = plate / "images" / "A01_p1.ome.tif"
    (inspection,), failures = inspect_all([path])
    pixels = tifffile.imread(path)
    first, *rows = table(inspection).splitlines()
    assert first == str(path)
    assert failures == []
    assert rows[1:5] == [
        "  frames            3, one every 600 s",
        "  size              128 x 192 px (height x width), 0.5 um a pixel",
        "  type              uint16",
        "  channels          1",
    ]
    levels = f"grey levels {pixels.min()} to {pixels.max()}, 99.8% of them "
    assert rows[5].startswith(f"    phase contrast  {levels}")
    assert len({len(row) - len(row[20:].lstrip()) for row in rows}) == 1
    assert not any("{" in row for row in rows)


def test_table_tells_what_looks_wrong(tmp_path: Path) -> None:
    """Faults stand as code and message, with the place where it is not the whole file."""
    tifffile.imwrite(tmp_path / "zero.tif", np.zeros((40, 50), np.uint8))
    (inspection,), _ = inspect_all([tmp_path / "zero.tif"])
    wrong = [row.split(maxsplit=2)[2] for row in table(inspection).splitlines() if "wrong" in row]
    assert any(row.startswith("no-pixel-size: the file does not say") for row in wrong)
    assert "all-zero: every pixel is zero (grey, frame 0)" in wrong


def test_bad_files_do_not_stop_others(plate: Path, tmp_path: Path) -> None:
    """A file that cannot be read is told beside those that can."""
    (tmp_path / "bad.tif").write_text("text")
    good = plate / "images" / "A01_p1.ome.tif"
    inspections, failures = inspect_all([tmp_path / "bad.tif", good, tmp_path / "absent.tif"])
    assert [each.source for each in inspections] == [str(good)]
    assert [failure["image"] for failure in failures] == [
        str(tmp_path / "bad.tif"),
        str(tmp_path / "absent.tif"),
    ]


def test_long_movie_says_which_frames(
    tmp_path: Path, paint: Callable[..., NDArray[np.uint16]], write_movie: Callable[..., Path]
) -> None:
    """Where only some frames were looked at, the table says which."""
    write_movie(tmp_path / "long.ome.tif", paint("sick", 0, (9, 64, 64)))
    (inspection,), _ = inspect_all([tmp_path / "long.ome.tif"])
    assert "frames 0, 2, 4, 6, 8" in table(inspection)


def test_folder_of_movies(plate: Path, tmp_path: Path) -> None:
    """A folder of movies is told as movies, a row each; a folder of frames stays one image."""
    for i in range(2):
        tifffile.imwrite(tmp_path / f"t{i}.tif", np.full((9, 9), 7, np.uint8))
    paths, (note,), _ = unfolded([plate / "images", tmp_path, tmp_path / "absent"])
    assert paths[-2:] == [tmp_path, tmp_path / "absent"]
    assert "11 of 11 files hold several frames each: they are movies, not the frames" in note
    heading, *rows = listing(inspect_all(paths[:-2])[0]).splitlines()
    assert "frames" in heading
    assert len(rows) == 11
    assert " ".join(rows[0].split()) == (
        "A01_p1.ome.tif 3 128 x 192 uint16 phase contrast 0.5 600 -"
    )


def test_long_folder_is_cut_short(tmp_path: Path) -> None:
    """Of a large folder of images the first are looked at, and the note says how many."""
    for i in range(LISTED + 2):
        tifffile.imwrite(tmp_path / f"{i}.tif", np.zeros((9 + i, 9), np.uint8))
    paths, (note,), _ = unfolded([tmp_path])
    assert len(paths) == LISTED
    assert f"the first {LISTED} of {LISTED + 2} are listed" in note


def test_folders_of_a_folder(tmp_path: Path) -> None:
    """Images in folders of a folder are listed, as `index` and `assess` find them."""
    (tmp_path / "day 1").mkdir()
    tifffile.imwrite(tmp_path / "day 1" / "a.tif", np.zeros((9, 9), np.uint8))
    paths, (note,), _ = unfolded([tmp_path])
    assert [path.name for path in paths] == ["a.tif"]
    assert "all are listed" in note


def test_frames_that_cannot_be_read_are_failures(tmp_path: Path) -> None:
    """An image with an intact header and spoilt pixels is told, and is a failure."""
    path = tmp_path / "bad.png"
    data = imagecodecs.png_encode(np.arange(4096, dtype=np.uint16).reshape(64, 64))
    at = data.index(b"IDAT") + 8
    path.write_bytes(data[:at] + bytes(len(data) - at - 12) + data[-12:])
    (inspection,), (failure,) = inspect_all([path])
    assert inspection.shape == (1, 1, 64, 64)
    assert failure["code"] == "image-unreadable"
    assert "bad.png: damaged" in failure["error"]
