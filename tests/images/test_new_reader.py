"""What a new image format takes: a reader, and one line in the list of formats."""

from pathlib import Path

import numpy as np
import pytest

from livewell.image import Frame, Header
from livewell.images import formats
from livewell.images.formats import FORMATS, SUFFIXES, Format
from livewell.images.inspection import inspect
from livewell.images.opening import open_image
from livewell.workflows.index import index

MAGIC = b"\x93NUMPY"


class NumpyImage:
    """A movie (t, y, x) in numpy's own file format."""

    def __init__(self, path: Path) -> None:
        self._pixels = np.load(path, mmap_mode="r")
        frames, height, width = self._pixels.shape
        self.header = Header(frames, ("phase contrast",), height, width, str(self._pixels.dtype))
        self.source = str(path)

    def frame(self, t: int, channel: int = 0) -> Frame:
        """One plane as it is."""
        return np.array(self._pixels[t])

    def close(self) -> None:
        """Nothing stays open."""

    def __enter__(self) -> "NumpyImage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_toy_reader_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it in the list, files of the format are opened, inspected and indexed."""
    pixels = np.random.default_rng(0).integers(0, 60000, (3, 40, 50), dtype=np.uint16)
    np.save(tmp_path / "a.npy", pixels)
    numpy_file = Format((".npy",), lambda _, first: first.startswith(MAGIC), NumpyImage)
    monkeypatch.setattr(formats, "FORMATS", {"numpy file": numpy_file, **FORMATS})
    monkeypatch.setitem(SUFFIXES, ".npy", "numpy file")
    with open_image(tmp_path / "a.npy") as image:
        np.testing.assert_array_equal(image.frame(2, 0), pixels[2])
    assert inspect(tmp_path / "a.npy")
    assert len(index(tmp_path, tmp_path / "study").fields) == 1
