"""NDTiff: planes are found by the index, positions are images of their own."""

import json
import shutil
import struct
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from livewell.errors import ImageReadError
from livewell.images.formats import identify
from livewell.images.listing import find_images
from livewell.images.opening import open_image, read_header
from livewell.images.tiff.ndtiff import INDEX, WHOLE

SHAPE = (6, 8)
FORMATS = Path(__file__).parents[2].parent / "shared" / "formats"


def level(axes: dict[str, Any]) -> int:
    return sum(map(ord, json.dumps(axes, sort_keys=True))) % 60000


def ndtiff(folder: Path, planes: list[dict[str, Any]], shape: tuple[int, int] = SHAPE) -> Path:
    """A recording of 16-bit planes in two files, its index without any TIFF structure behind it."""
    folder.mkdir(parents=True)
    summary = json.dumps({"PixelSize_um": 0.65, "ChNames": ["BF", "GFP"]}).encode()
    head = struct.pack("<2sHI5I", b"II", 42, 0, 483729, 3, 3, 2355492, len(summary)) + summary
    data = {f"x_NDTiffStack{i}.tif": bytearray(head) for i in ("", "_1")}
    index = b""
    for number, axes in enumerate(planes):
        name = list(data)[number % 2]
        at = len(data[name])
        data[name] += np.full(shape, level(axes), "<u2").tobytes()
        text = json.dumps(
            {"ElapsedTime-ms": 500.0 * axes.get("time", 0) + 7, "XPositionUm": 30, "YPositionUm": 4}
        ).encode()
        numbers = (at, shape[1], shape[0], 4, 0, len(data[name]), len(text), 0)
        data[name] += text
        said = json.dumps(axes).encode()
        index += struct.pack("<I", len(said)) + said + struct.pack("<I", len(name)) + name.encode()
        index += struct.pack("<8I", *numbers)
    for name, content in data.items():
        (folder / name).write_bytes(content)
    (folder / INDEX).write_bytes(index)
    return folder


def planes(**axes: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def test_positions_of_a_recording(tmp_path: Path) -> None:
    """Each position is an image with its planes out of both files, times, stage and scale."""
    axes = planes(time=(0, 1, 2), position=("A", "B"), channel=(0, 1), z=(-1, 0))
    folder = ndtiff(tmp_path / "rec", axes)
    assert list(find_images(tmp_path).files) == ["rec/A", "rec/B"]
    for position in "AB":
        with open_image(folder / position) as image:
            header = image.header
            assert header.shape == (3, 4, *SHAPE)
            assert header.channels == ("BF:z0", "BF:z1", "GFP:z0", "GFP:z1")
            assert (header.pixel_um, header.frame_s) == (0.65, 0.5)
            assert (header.times_s, header.stage_um) == ((0, 0.5, 1), (4, 30))
            for t, c, z in product(range(3), range(2), range(2)):
                said = {"time": t, "position": position, "channel": c, "z": z - 1}
                assert (image.frame(t, 2 * c + z) == level(said)).all()


def test_one_position_is_no_field(tmp_path: Path) -> None:
    """A recording of one position is one image, also in the folder that version 2 makes."""
    ndtiff(tmp_path / "rec" / WHOLE, planes(time=(0, 1)))
    (tmp_path / "rec" / "Downsampled_x2").mkdir()
    assert list(find_images(tmp_path).files) == ["rec"]
    assert read_header(tmp_path / "rec").frames == 2


def test_missing_and_odd_planes(tmp_path: Path) -> None:
    """A plane that the index lacks fails alone; an index that was cut off says so."""
    axes = planes(time=(0, 1), channel=("BF", "GFP"))
    folder = ndtiff(tmp_path / "rec", axes[:3])
    with open_image(folder) as image:
        assert any("1 of 4 planes missing" in note for note in image.header.notes)
        image.frame(1, 0)
        with pytest.raises(ImageReadError, match="frame 1 of channel GFP is missing"):
            image.frame(1, 1)
    index = folder / INDEX
    index.write_bytes(index.read_bytes()[:-5])
    assert any("recording may have been stopped" in note for note in read_header(folder).notes)
    (folder / "x_NDTiffStack.tif").write_bytes(b"II*\0")
    with open_image(folder) as image, pytest.raises(ImageReadError, match="ends too early"):
        image.frame(0, 0)


def test_files_elsewhere_are_not_read(tmp_path: Path) -> None:
    """An index that names a file in another folder is refused."""
    folder = ndtiff(tmp_path / "rec", planes(time=(0,)))
    index = folder / INDEX
    index.write_bytes(index.read_bytes().replace(b"x_NDTiffStack.tif", b"../DTiffStack.tif"))
    with pytest.raises(ImageReadError, match="another folder"):
        read_header(folder)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A recording by Pycro-Manager, under the names that its index states."""
    if not FORMATS.is_dir():
        pytest.skip("no ../shared/formats here")
    folder = tmp_path / "rec"
    folder.mkdir()
    stack = "12_bit_pycromanager_mda_NDTiffStack.tif"
    shutil.copyfile(FORMATS / "mm_ndtiff_12bit_mda.tif", folder / stack)
    shutil.copyfile(FORMATS / "mm_ndtiff_12bit_mda.NDTiff.index", folder / INDEX)
    return folder


def test_a_recording_of_the_maker(sample: Path) -> None:
    """Folder and file by itself show the same planes, which tifffile finds under the same axes."""
    assert identify(sample)[0] == "NDTiff"
    stack = next(sample.glob("*.tif"))
    with tifffile.TiffFile(stack) as file:
        pages = [(page.tags[51123].value["Axes"], page.asarray()) for page in file.pages]
        times = [page.tags[51123].value["ElapsedTime-ms"] for page in file.pages]
    with open_image(sample) as image, open_image(stack) as alone:
        header = image.header
        assert header.shape == (4, 2, 64, 64)
        assert (header.channels, header.pixel_um) == (("DAPI", "FITC"), 1.0)
        assert header.times_s == pytest.approx([(at - times[0]) / 1000 for at in times[::2]])
        assert (alone.header.shape, alone.header.times_s) == (header.shape, header.times_s)
        for axes, pixels in pages:
            c = header.channels.index(axes["channel"])
            np.testing.assert_array_equal(image.frame(axes["time"], c), pixels)
            np.testing.assert_array_equal(alone.frame(axes["time"], c), pixels)


def test_the_makers_own_reader_says_the_same(sample: Path) -> None:
    """Pycro-Manager's reader, where it is installed, gives the same planes for all axes."""
    maker = pytest.importorskip("ndtiff")
    dataset = maker.Dataset(str(sample))
    with open_image(sample) as image:
        for t, (c, channel) in product(range(4), enumerate(image.header.channels)):
            second = dataset.read_image(channel=channel, time=t)
            np.testing.assert_array_equal(image.frame(t, c), second)
    dataset.close()
