"""What a file says is believed as far as its bytes and a sane size allow; only files are opened."""

import errno
import os
import socket
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from livewell.errors import ImageReadError, LayoutError, SpecError, StudyError
from livewell.files import read_json
from livewell.image import Frame
from livewell.images.formats import frames_in
from livewell.images.limits import LIMIT
from livewell.images.opening import open_image, open_sequence, read_header
from livewell.images.tiff.reader import TiffImage
from livewell.regular import regular
from livewell.study.metadata import read_metadata

GREY = np.random.default_rng(3).integers(1, 255, (96, 88), dtype=np.uint8)


def png(path: Path, width: int, height: int) -> Path:
    """A PNG of 88 x 96 px that says another size, with the right sum."""
    data = imagecodecs.png_encode(GREY)
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
    total = zlib.crc32(header)
    path.write_bytes(data[:12] + header + total.to_bytes(4, "big") + data[33:])
    return path


def jpeg(path: Path, width: int, height: int) -> Path:
    data = imagecodecs.jpeg8_encode(GREY)
    at = data.index(b"\xff\xc0") + 5
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    path.write_bytes(data[:at] + size + data[at + 4 :])
    return path


def test_sizes_that_no_camera_has(tmp_path: Path) -> None:
    """Rows H1 and M3: a PNG of 500,000 px and a JPEG of 65,500 px are refused when opened."""
    for path in (
        png(tmp_path / "a.png", 500_000, 500_000),
        jpeg(tmp_path / "a.jpg", 65_500, 65_500),
    ):
        with pytest.raises(ImageReadError, match=rf"{path.name}.*larger.*at most 256.*{LIMIT}"):
            read_header(path)


def test_zeros_of_a_tiff(tmp_path: Path) -> None:
    """Row M3: a TIFF of 60,000 x 60,000 packed zeros is refused when opened."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((1024, 1024), np.uint8), compression="zlib", rowsperstrip=1024)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            file.pages[0].tags[name].overwrite(60_000)
    with pytest.raises(ImageReadError, match=r"a\.tif.*bytes cannot hold the 3600000000"):
        read_header(path)


def test_sizes_that_the_bytes_cannot_hold(tmp_path: Path) -> None:
    """Row M3: a size below the limit is refused where the file is far too small for it."""
    for path in (png(tmp_path / "a.png", 16_000, 16_000), jpeg(tmp_path / "a.jpg", 12_000, 12_000)):
        with pytest.raises(ImageReadError, match=rf"{path.name}: damaged.*than its bytes"):
            read_header(path)
    with pytest.raises(ImageReadError, match="without pixels"):
        read_header(jpeg(tmp_path / "b.jpg", 88, 0))


def test_larger_frames_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment sets the limit, up or down; what is no number is refused by name."""
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(GREY))
    monkeypatch.setenv(LIMIT, "0.008")
    with pytest.raises(ImageReadError, match=r"88 x 96 px.*0\.008448 million"):
        read_header(path)
    monkeypatch.setenv(LIMIT, "0.009")
    assert read_header(path).height == 96
    for wrong in ("many", "0", "nan"):
        monkeypatch.setenv(LIMIT, wrong)
        with pytest.raises(SpecError, match=LIMIT):
            read_header(path)


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (MemoryError(), "memory"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), "Input/output error"),
        (OSError(errno.ESTALE, os.strerror(errno.ESTALE)), "Stale"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission"),
    ],
)
def test_what_reading_may_raise(
    raised: Exception, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row H1: too little memory, or what the system refuses, is an error of that file."""
    tifffile.imwrite(tmp_path / "a.tif", GREY)

    def fail(image: TiffImage, t: int, channel: int = 0) -> Frame:
        raise raised

    monkeypatch.setattr(TiffImage, "frame", fail)
    with (
        open_image(tmp_path / "a.tif") as image,
        pytest.raises(ImageReadError, match=rf"a\.tif.*{message}"),
    ):
        image.frame(0)


def test_frames_that_go_away(tmp_path: Path) -> None:
    """A file of a sequence that has gone, and a folder that has, are named."""
    folder = tmp_path / "movie"
    folder.mkdir()
    for t in range(3):
        (folder / f"t{t}.png").write_bytes(imagecodecs.png_encode(GREY))
    with open_sequence(sorted(folder.iterdir())) as image:
        (folder / "t1.png").unlink()
        with pytest.raises(ImageReadError, match=r"t1\.png: no such file"):
            image.frame(1)
    with pytest.raises(ImageReadError, match="gone: a folder without image files"):
        frames_in(tmp_path / "gone")


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes among files")
def test_pipes_sockets_and_devices_are_not_opened(tmp_path: Path) -> None:
    """Row M2's kind: what is no regular file is refused by name at once, and waits for nobody."""
    os.mkfifo(tmp_path / "a.tif")
    (tmp_path / "link.tif").symlink_to(tmp_path / "a.tif")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "b.png"))
        for path, kind in (
            (tmp_path / "a.tif", "a named pipe"),
            (tmp_path / "link.tif", "a named pipe"),
            (tmp_path / "b.png", "a socket"),
            (Path(os.devnull), "a device"),
        ):
            with pytest.raises(ImageReadError, match=f"{path.name}.*{kind}, not a file"):
                open_image(path)
    with pytest.raises(OSError, match="a folder, not a file"):
        regular(tmp_path)
    with pytest.raises(ImageReadError, match="without image files"):
        open_image(tmp_path)
    with pytest.raises(StudyError, match="a named pipe, not a file"):
        read_json(tmp_path / "a.tif", kind="card")
    with pytest.raises(LayoutError, match="a named pipe, not a file"):
        read_metadata(tmp_path / "a.tif")
