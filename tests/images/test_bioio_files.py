"""Files of other microscopes, through plugins of bioio: here a plugin that the tests install."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from livewell.errors import ImageReadError
from livewell.images import bioio_files
from livewell.images.decoder import DECODER
from livewell.images.formats import PLUGIN, endings, fields_in, identify, open_file
from livewell.images.listing import find_images
from livewell.images.plain import RGB

PIXELS = np.random.default_rng(3).integers(0, 60000, (2, 3, 2, 2, 6, 7), dtype=np.uint16)
"""(scene, T, C, Z, Y, X)."""
PLUGIN_CODE = """
import numpy as np
import xarray as xr
from bioio_base.dimensions import Dimensions
from bioio_base.reader import Reader as Base
from bioio_base.reader_metadata import ReaderMetadata as BaseMetadata
from bioio_base.types import PhysicalPixelSizes
import dask.array as da


class Reader(Base):
    def __init__(self, image, **more):
        self._fs, self._path = None, str(image)
        with np.load(self._path) as stored:
            self._stored = {name: stored[name] for name in stored.files}

    @staticmethod
    def _is_supported_image(fs, path, **more):
        return True

    @property
    def scenes(self):
        return tuple(self._stored)

    def _read_delayed(self):
        pixels = self._stored[self.current_scene]
        axes = {6: "HTCZYX", 5: "TCZYX", 3: "YXS"}[pixels.ndim]
        return xr.DataArray(da.from_array(pixels), dims=list(axes))

    def _read_immediate(self):
        return self._read_delayed().compute()

    @property
    def channel_names(self):
        return ["Phase", "GFP"]

    @property
    def physical_pixel_sizes(self):
        return PhysicalPixelSizes(Z=None, Y=0.5, X=0.5)


class ReaderMetadata(BaseMetadata):
    @staticmethod
    def get_supported_extensions():
        return ["toy", "tif", "x.toy"]

    @staticmethod
    def get_reader():
        return Reader
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A plugin of bioio that reads ``.toy``, as installers leave it."""
    pytest.importorskip("bioio")
    where = tmp_path / "installed"
    about = where / "bioio_toy-1.0.dist-info"
    about.mkdir(parents=True)
    (where / "bioio_toy.py").write_text(PLUGIN_CODE)
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: bioio-toy\nVersion: 1.0\nRequires-Dist: bioio-base>=1.0\n"
    )
    (about / "entry_points.txt").write_text("[bioio.readers]\nbioio-toy = bioio_toy\n")
    monkeypatch.syspath_prepend(where)
    bioio_files.plugin_endings.cache_clear()
    DECODER.stop()  # one that runs since before does not know the plugin
    yield
    bioio_files.plugin_endings.cache_clear()
    DECODER.stop()


def toy(path: Path, **scenes: np.ndarray) -> Path:
    """A file of that kind."""
    with path.open("wb") as file:
        np.savez(file, **scenes)
    return path


@pytest.mark.long
def test_scenes_are_images(plugin: None, tmp_path: Path) -> None:
    """Each scene is listed and opened; pixels are the plugin's, and the notes name it."""
    folder = tmp_path / "images"
    folder.mkdir()
    path = toy(folder / "a.toy", first=PIXELS[0], second=PIXELS[1])
    assert list(find_images(folder).files) == ["a.toy/first", "a.toy/second"]
    assert ".tif" in endings()
    with open_file(path / "second") as image:
        header = image.header
        assert header.channels == ("Phase:z0", "Phase:z1", "GFP:z0", "GFP:z1")
        assert (header.shape, header.dtype) == ((3, 4, 6, 7), "uint16")
        assert header.position == "second"
        assert header.notes[0] == "read by the plugin bioio-toy of bioio"
        assert header.pixel_um is None
        assert any("without a unit" in note for note in header.notes)
        for t, channel in np.ndindex(3, 4):
            c, z = divmod(channel, 2)
            np.testing.assert_array_equal(image.frame(t, channel), PIXELS[1, t, c, z])


@pytest.mark.long
def test_what_a_plugin_gives_is_checked(plugin: None, tmp_path: Path) -> None:
    """Colours become channels, an axis of another kind is refused, and damage is an error."""
    colour = np.random.default_rng(4).integers(0, 255, (6, 7, 3), dtype=np.uint8)
    with open_file(toy(tmp_path / "c.toy", only=colour)) as image:
        assert image.header.channels == RGB
        np.testing.assert_array_equal(image.frame(0, 1), colour[..., 1])
    with pytest.raises(ImageReadError, match="does not know: H, of size 2"):
        open_file(toy(tmp_path / "h.toy", only=PIXELS))
    broken = tmp_path / "b.toy"
    broken.write_bytes(b"no archive at all")
    with pytest.raises(ImageReadError, match=r"b\.toy"):
        open_file(broken)
    # what an ending of livewell's own names is not given to a plugin
    (tmp_path / "a.tif").write_bytes(b"no TIFF at all")
    with pytest.raises(ImageReadError, match="named like a TIFF but not one inside"):
        identify(tmp_path / "a.tif")


def test_without_bioio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where it is not installed nothing is claimed, and the error says what would help."""
    monkeypatch.setattr(bioio_files, "find_spec", lambda name: None)
    bioio_files.plugin_endings.cache_clear()
    path = toy(tmp_path / "a.toy", only=PIXELS[0])
    assert fields_in(path) == ()
    with pytest.raises(ImageReadError, match="install the plugin of bioio"):
        open_file(path)
    bioio_files.plugin_endings.cache_clear()
    assert PLUGIN == "file of a bioio plugin"
