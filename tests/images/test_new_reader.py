"""What a new image format takes: a reader, and one line in the list of formats."""

from pathlib import Path

import numpy as np
import pytest

from livewell.errors import ImageReadError
from livewell.image import Frame, Header
from livewell.images import formats
from livewell.images.formats import FORMATS, SUFFIXES, Format, single
from livewell.images.inspection import inspect
from livewell.images.listing import find_images, fingerprint, images_at
from livewell.images.opening import open_image
from livewell.images.reference import one_field
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
    numpy_file = Format((".npy",), single(NumpyImage), lambda _, first: first.startswith(MAGIC))
    monkeypatch.setattr(formats, "FORMATS", {"numpy file": numpy_file, **FORMATS})
    monkeypatch.setitem(SUFFIXES, ".npy", "numpy file")
    with open_image(tmp_path / "a.npy") as image:
        np.testing.assert_array_equal(image.frame(2, 0), pixels[2])
    assert inspect(tmp_path / "a.npy")
    assert len(index(tmp_path, tmp_path / "study").fields) == 1


class FieldsImage(NumpyImage):
    """One field of several in a file, or in a folder with a file ``fields``."""

    def __init__(self, path: Path, field: str) -> None:
        file = path / "fields" if path.is_dir() else path
        names = fields(path)
        with np.load(file) as stored:
            self._pixels = stored[names[one_field(names, field, path)].replace("/", "_")]
        frames, height, width = self._pixels.shape
        self.header = Header(
            frames, ("phase contrast",), height, width, str(self._pixels.dtype), well=field[:3]
        )
        self.source = str(path / field)


def fields(path: Path) -> tuple[str, ...]:
    """Names of the fields of such a file or folder."""
    with np.load(path / "fields" if path.is_dir() else path) as stored:
        return tuple(name.replace("_", "/") for name in stored.files)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_file_or_folder_of_several_fields(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each field is an image of its own: listed, opened, inspected, indexed by one path."""
    pixels = np.random.default_rng(0).integers(0, 60000, (2, 3, 40, 50), dtype=np.uint16)
    held = {"B03_f1": pixels[0], "B04_f1": pixels[1]}
    container = tmp_path / "a.npz"
    if kind == "folder":
        container.mkdir()
        (container / "notes.tif").write_bytes(b"not to be listed")
    with (container / "fields" if kind == "folder" else container).open("wb") as file:
        np.savez(file, **held)
    form = Format(
        (".npz",),
        FieldsImage,
        lambda path, first: first.startswith(b"PK") and path.suffix == ".npz",
        folder=lambda path, names: "fields" in names,
        fields=fields,
    )
    monkeypatch.setattr(formats, "FORMATS", {"fields": form, **FORMATS})
    monkeypatch.setitem(SUFFIXES, ".npz", "fields")

    names = ["a.npz/B03/f1", "a.npz/B04/f1"]
    assert list(find_images(tmp_path).files) == names == list(images_at(container).files)
    assert list(find_images(container).files) == ["B03/f1", "B04/f1"]
    assert list(images_at(container / "B04/f1").files) == ["f1"]
    for number, name in enumerate(names):
        with open_image(tmp_path / name) as image:
            np.testing.assert_array_equal(image.frame(1), pixels[number, 1])
        assert inspect(tmp_path / name).well == name[6:9]
        assert fingerprint(tmp_path / name)[0] > 0
    made = index(tmp_path, tmp_path / "study")
    assert made.fields["well"].tolist() == ["B03", "B04"]
    assert made.study.headers()["frames"].tolist() == [3, 3]
    with pytest.raises(ImageReadError, match="holds 2 images"):
        open_image(container)
    with pytest.raises(ImageReadError, match="no field 'C1'"):
        open_image(container / "C1")
