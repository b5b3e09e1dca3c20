"""Nikon ND2: what is read of positions, axes, times and scale, and what is refused."""

from pathlib import Path
from typing import Any

import nd2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livewell.errors import ImageReadError
from livewell.images.formats import SUFFIXES, fields_in, open_file, place_of
from livewell.images.inspection import inspect
from livewell.images.listing import find_images
from livewell.images.nd2_chunks import Nd2Chunks
from livewell.images.plain import RGB
from livewell.images.properties import file_properties
from tests.images.vendor_files import Nd2Plan, write_nd2

RNG = np.random.default_rng(8)
POINTS = (("B07", 1.5, -2.5), ("C08", 3.0, 4.0))
PIXELS = RNG.integers(0, 60000, (3, 2, 2, 8, 10, 2), dtype=np.uint16)
"""(t, position, z, y, x, channel)."""
TIMES = np.cumsum(RNG.uniform(4.9, 5.1, 12))


def made(path: Path, pixels: np.ndarray = PIXELS, **more: Any) -> Path:
    """An ND2 file of two channels and two positions, or as told."""
    given = {"names": ("BF", "GFP"), "points": POINTS, "times_s": TIMES, **more}
    write_nd2(path, Nd2Plan(pixels, **given))
    return path


@pytest.mark.parametrize("more", [{}, {"zipped": True}, {"padding": 3}])
def test_every_position_is_an_image(more: dict[str, Any], tmp_path: Path) -> None:
    """Pixels, channels, times, stage, well and pixel size of each field are those of the file."""
    path = made(tmp_path / "exp.nd2", **more)
    assert list(find_images(tmp_path).files) == ["exp.nd2/B07", "exp.nd2/C08"]
    for p, (name, y, x) in enumerate(POINTS):
        with open_file(path / name) as image:
            header = image.header
            assert header.channels == ("BF:z0", "BF:z1", "GFP:z0", "GFP:z1")
            assert (header.shape, header.dtype) == ((3, 4, 8, 10), "uint16")
            assert (header.well, header.position, header.stage_um) == (name, name, (y, x))
            assert header.pixel_um == 0.65
            first = TIMES[[p * 2, 4 + p * 2, 8 + p * 2]]
            np.testing.assert_allclose(header.times_s or (), first - first[0], atol=1e-6)
            assert header.frame_s == pytest.approx(np.median(np.diff(first)))
            for t, channel in np.ndindex(3, 4):
                c, z = divmod(channel, 2)
                np.testing.assert_array_equal(image.frame(t, channel), PIXELS[t, p, z, ..., c])
        assert place_of(path / name) == (None, name, name)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_own_number_type(dtype: str, tmp_path: Path) -> None:
    """Eight bits and floats stay what they are."""
    pixels = (PIXELS[:1, :1, :1] // 256).astype(dtype)
    path = made(tmp_path / "a.nd2", pixels, points=())
    with open_file(path) as image:
        assert image.header.dtype == dtype
        np.testing.assert_array_equal(image.frame(0, 1), pixels[0, 0, 0, ..., 1])


def test_colour_is_stored_from_blue_to_red(tmp_path: Path) -> None:
    """The three components of a channel are blue, green and red; notes say so."""
    pixels = RNG.integers(0, 255, (1, 1, 1, 6, 7, 3), dtype=np.uint8)
    path = made(tmp_path / "a.nd2", pixels, points=(), names=("RGB",), components=3)
    with open_file(path) as image:
        assert image.header.channels == RGB
        assert any("blue stands before red" in note for note in image.header.notes)
        np.testing.assert_array_equal(image.frame(0, 0), pixels[0, 0, 0, ..., 2])
        np.testing.assert_array_equal(image.frame(0, 2), pixels[0, 0, 0, ..., 0])


def test_a_file_of_one_position(tmp_path: Path) -> None:
    """It is one image, by the path of the file; the stage is where it stood at the first frame."""
    path = made(tmp_path / "a.nd2", PIXELS[:, :1], points=())
    assert fields_in(path) == ()
    with open_file(path) as image:
        assert (image.header.position, image.header.well) == (None, None)
        assert image.header.stage_um == (22.0, 11.0)
    assert list(find_images(tmp_path).files) == ["a.nd2"]


@pytest.mark.parametrize(
    ("names", "fields", "wells"),
    [
        (("", ""), ("XY01", "XY02"), (None, None)),
        (("P1", "P2"), ("P1", "P2"), (None, None)),
        (("A1", "B1"), ("A1", "B1"), ("A01", "B01")),
        (("B07_0001", "B07_0002"), ("B07_0001", "B07_0002"), ("B07", "B07")),
        (("control", "B07"), ("control", "B07"), (None, None)),
        (("a/b", "a/b"), ("a/b", "a/b 2"), (None, None)),
    ],
)
def test_names_of_positions(
    names: tuple[str, ...], fields: tuple[str, ...], wells: tuple[str | None, ...], tmp_path: Path
) -> None:
    """Fields are called what the file calls them; wells are taken where all names are wells."""
    path = made(tmp_path / "a.nd2", points=[(name, 0.0, 0.0) for name in names])
    assert fields_in(path) == fields
    assert tuple(place_of(path / field)[1] for field in fields) == wells


def test_frames_that_were_not_recorded(tmp_path: Path) -> None:
    """A run that was stopped has the frames it has; a hole is an error, not a frame of zeros."""
    stopped = made(tmp_path / "a.nd2", lost=[9, 10, 11])
    with open_file(stopped / "B07") as image:
        assert image.header.frames == 2
        assert "3 frames were planned and 2 are in the file" in image.header.notes
    hole = made(tmp_path / "b.nd2", lost=[4])
    with open_file(hole / "B07") as image:
        assert image.header.frames == 3
        assert "1 frames before the last one are not in the file" in image.header.notes
        with pytest.raises(ImageReadError, match="frame 4 of the file's list is not in it"):
            image.frame(1, 0)
        np.testing.assert_array_equal(image.frame(1, 1), PIXELS[1, 0, 1, ..., 0])
    with pytest.raises(ImageReadError, match="no whole frame of this position"):
        open_file(made(tmp_path / "c.nd2", lost=[2, 6, 10]) / "C08")


def test_times_that_cannot_be(tmp_path: Path) -> None:
    """Stamps that do not rise are not taken; then the interval is the one asked for, and noted."""
    path = made(tmp_path / "a.nd2", times_s=TIMES[::-1])
    with open_file(path / "B07") as image:
        assert (image.header.times_s, image.header.frame_s) == (None, 60.0)
        assert any("do not rise" in note for note in image.header.notes)
        assert any("the one asked for" in note for note in image.header.notes)
    uneven = made(tmp_path / "b.nd2", times_s=np.cumsum([1, 1, 1, 1, 9, 1, 1, 1, 1, 1, 1, 1]))
    with open_file(uneven / "B07") as image:
        assert any("unevenly spaced" in note for note in image.header.notes)


def test_pixels_that_are_not_square_or_not_calibrated(tmp_path: Path) -> None:
    """No pixel size is taken, and a note says why."""
    with open_file(made(tmp_path / "a.nd2", aspect=1.5) / "B07") as image:
        assert image.header.pixel_um is None
        assert any("not square" in note for note in image.header.notes)
    with open_file(made(tmp_path / "b.nd2", calibrated=False) / "B07") as image:
        assert image.header.pixel_um is None


def turned(loops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A loop over something of its own in place of that over z."""
    return [*loops[:-1], {"eType": 7, "uLoopPars": {"uiCount": 2, "x": 1}}]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"loops": turned}, "axis that livewell does not know: CustomLoop, of size 2"),
        ({"loops": lambda loops: loops[:-1]}, "more frames than its axes explain"),
        ({"attributes": {"uiTileWidth": 5, "uiTileHeight": 4}}, "stores frames in tiles"),
        ({"attributes": {"eCompression": 1}}, "lossy compression"),
        ({"names": ("BF",)}, "axis that livewell does not know: components of a channel"),
        ({"attributes": {"uiHeight": 0}}, "cannot be as it says"),
        ({"attributes": {"uiWidth": 4000000000}}, "cannot be as it says"),
    ],
)
def test_what_is_refused(more: dict[str, Any], error: str, tmp_path: Path) -> None:
    """An axis that is no t, c, z, y or x, and frames that are stored in other ways."""
    path = made(tmp_path / "a.nd2", **more)
    with pytest.raises(ImageReadError, match=error):
        open_file(path / "B07")


def test_a_file_of_jpeg_2000(tmp_path: Path) -> None:
    """Files of before 2010 are refused with what to do."""
    path = tmp_path / "old.nd2"
    path.write_bytes(b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(200))
    with pytest.raises(ImageReadError, match="before 2010"):
        open_file(path)


@pytest.mark.parametrize("name", ["sample", "zipped"])
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_an_error_or_leaves_the_pixels(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    """A file cut off or with other bytes somewhere: each frame is right, or an `ImageReadError`."""
    path = tmp_path / "whole.nd2"
    if not path.exists():
        made(path, zipped=name == "zipped")
    whole = path.read_bytes()
    hurt = bytearray(whole)
    if data.draw(st.booleans(), label="cut"):
        del hurt[data.draw(st.integers(0, len(hurt) - 1), label="at") :]
    else:
        at = data.draw(st.integers(0, len(hurt) - 9), label="at")
        # pixels themselves carry no check, so only what says where they are is changed
        if b"ImageDataSeq" not in hurt[max(at - 4200, 0) : at] or name == "zipped":
            hurt[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8), label="bytes")
    broken = tmp_path / "broken.nd2"
    broken.write_bytes(hurt)
    try:
        with open_file(broken / "C08") as image:
            shape = image.header.shape
            got = [image.frame(t, c) for t, c in np.ndindex(shape[:2])]
    except ImageReadError as error:
        told = str(error)
    else:
        told = "broken.nd2"
        assert all(frame.shape == shape[2:] for frame in got)
        assert len(hurt) == len(whole), "a file without its end was read"
    assert "broken.nd2" in told


def test_the_sample_as_its_library_reads_it(shared_formats: Path) -> None:
    """Frames, axes, names, scale and times of a real file are those that `nd2` finds."""
    path = shared_formats / "pims_cluster.nd2"
    with nd2.ND2File(path) as said, open_file(path) as image:
        pixels, header = said.asarray(), image.header
        assert dict(said.sizes) == {"T": 3, "Z": 10, "C": 2, "Y": 31, "X": 38}
        for t, z, c in np.ndindex(3, 10, 2):
            np.testing.assert_array_equal(image.frame(t, c * 10 + z), pixels[t, z, c])
        assert header.pixel_um == pytest.approx(said.voxel_size().x, rel=1e-12)
        metadata = [said.frame_metadata(t * 10).channels[0] for t in range(3)]
        times = [each.time.relativeTimeMs / 1000 for each in metadata]
        np.testing.assert_allclose(header.times_s or (), np.subtract(times, times[0]), atol=1e-6)
        stage = metadata[0].position.stagePositionUm
        assert header.stage_um == (stage.y, stage.x)
        assert [name.split(":z")[0] for name in header.channels[::10]] == [
            each.channel.name for each in said.metadata.channels
        ]
    assert "0.5 um apart" in header.notes[0]


def test_cut_samples_are_refused(shared_formats: Path, tmp_path: Path) -> None:
    """Wherever the real file is cut off, it is an error that names it."""
    whole = (shared_formats / "pims_cluster.nd2").read_bytes()
    path = tmp_path / "cut.nd2"
    for size in np.linspace(0, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(ImageReadError, match=r"cut\.nd2"):
            open_file(path)


def test_properties_and_inspection(tmp_path: Path) -> None:
    """Software is a property of the file; `inspect` tells times, stage, well and position."""
    path = made(tmp_path / "a.nd2")
    assert file_properties(path / "B07")["software"] == "NIS-Elements AR 5.30"
    found = inspect(path / "C08")
    assert (found.format, found.well, found.stage_um) == ("Nikon ND2", "C08", (3.0, 4.0))
    assert found.times_s is not None
    assert SUFFIXES[".nd2"] == "Nikon ND2"


def test_chunks_are_found_once(tmp_path: Path) -> None:
    """Where chunks are is kept from one field to the next; what is not there is `None`."""
    chunks = Nd2Chunks(made(tmp_path / "a.nd2"))
    assert chunks.numbers("CustomData|X", "<f8") is None
    again = Nd2Chunks(tmp_path / "a.nd2", chunks.places)
    np.testing.assert_allclose(again.numbers("CustomData|AcqTimesCache", "<f8"), TIMES * 1000)
    chunks.close()
    again.close()
