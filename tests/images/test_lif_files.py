"""Leica LIF and LOF: what is read of images, tiles, axes, times and scale, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import liffile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livewell.errors import ImageReadError
from livewell.images.formats import fields_in, open_file, place_of
from livewell.images.inspection import inspect
from livewell.images.listing import find_images
from livewell.images.plain import RGB
from livewell.images.properties import file_properties
from tests.images.vendor_files import LifPlan, write_lif, write_lof

RNG = np.random.default_rng(9)
START = 116444736000000000 + 1_700_000_000 * 10_000_000
"""A time as Windows counts it."""
MOVIE = RNG.integers(0, 4000, (3, 2, 2, 8, 10), dtype=np.uint16)
"""(t, z, channel, y, x), as they lie in the file."""


def stamps(times_s: Any) -> str:
    """A list of time stamps."""
    ticks = " ".join(f"{START + round(time * 1e7):x}" for time in np.ravel(times_s))
    return f"<TimeStampList>{ticks} </TimeStampList>"


def movie(**more: Any) -> LifPlan:
    """Three frames of two slices of two channels, 0.5 x 0.5 x 2 um, at times of their own."""
    every = np.arange(3)[:, None, None] * 30.0 + np.arange(4).reshape(2, 2)
    plan = LifPlan(
        folders=("Day 1", "B07", "Position 2"),
        axes=[(1, 10, 4.5e-6, 2), (2, 8, 3.5e-6, 20), (3, 2, 2e-6, 320), (4, 3, 60.0, 640)],
        channels=[(0, 0, "TL-BF"), (160, 0, "GFP")],
        pixels=MOVIE,
        extra=stamps(every),
    )
    return replace(plan, **more)


def test_images_in_folders(tmp_path: Path) -> None:
    """Each image is a field, by the names of its folders and its own, also where two are alike."""
    other = LifPlan(
        ("Overview",), [(1, 4, 3e-6, 1), (2, 3, 2e-6, 4)], [(0, 0, "")], MOVIE[0, 0, 0], 8
    )
    path = tmp_path / "run.lif"
    write_lif(path, [movie(), movie(pixels=MOVIE + 1), other])
    names = ("Day 1/B07/Position 2", "Day 1/B07/Position 2 2", "Overview")
    assert fields_in(path) == names
    assert list(find_images(tmp_path).files) == [f"run.lif/{name}" for name in names]
    for name, pixels in zip(names, (MOVIE, MOVIE + 1), strict=False):
        with open_file(path / name) as image:
            header = image.header
            assert header.channels == ("TL-BF:z0", "TL-BF:z1", "GFP:z0", "GFP:z1")
            assert header.shape == (3, 4, 8, 10)
            assert (header.pixel_um, header.well) == (pytest.approx(0.5), "B07")
            assert (header.times_s, header.frame_s) == ((0.0, 30.0, 60.0), 30.0)
            assert header.position == name
            for t, channel in np.ndindex(3, 4):
                c, z = divmod(channel, 2)
                np.testing.assert_array_equal(image.frame(t, channel), pixels[t, z, c])
    with open_file(path / "Overview") as image:
        assert (image.header.channels, image.header.dtype) == (("grey",), "uint8")
        assert image.header.well is None
    assert place_of(path / names[0]) == (None, "B07", names[0])
    with liffile.LifFile(path) as said:
        # of two images of one name `liffile` knows the second only
        np.testing.assert_array_equal(said.images["Day 1/B07/Position 2"].asarray(), MOVIE + 1)


def test_rows_of_a_plate_by_folders(tmp_path: Path) -> None:
    """A row over a column is a well; a number of a position is none."""
    path = tmp_path / "a.lif"
    write_lif(path, [movie(folders=("Plate", "C", "4", "R1")), movie(folders=("Series", "R1"))])
    assert [place_of(path / name)[1] for name in fields_in(path)] == ["C04", None]


def test_tiles_of_a_mosaic(tmp_path: Path) -> None:
    """Each tile is a field with its own place of the stage, which the file gives in metres."""
    pixels = RNG.integers(0, 255, (2, 3, 6, 7), dtype=np.uint8)
    tiles = "".join(f"<Tile FieldX='{i}' FieldY='0' PosX='0.0{i}1' PosY='0.02'/>" for i in range(3))
    plan = LifPlan(
        ("TileScan 1",),
        [(1, 7, 6e-6, 1), (2, 6, 5e-6, 7), (10, 3, 2.0, 42), (4, 2, 5.0, 126)],
        [(0, 0, "")],
        pixels,
        bits=8,
        extra=f"{stamps([[0, 1, 2], [9, 10, 11.5]])}<Attachment Name='TileScanInfo'>{tiles}"
        "</Attachment>",
    )
    path = tmp_path / "a.lif"
    write_lif(path, [plan])
    assert fields_in(path) == ("TileScan 1/M01", "TileScan 1/M02", "TileScan 1/M03")
    with open_file(path / "TileScan 1/M03") as image:
        np.testing.assert_array_equal(image.frame(1, 0), pixels[1, 2])
        assert image.header.stage_um == pytest.approx((20000.0, 21000.0))
        assert image.header.times_s == (0.0, 9.5)


def test_other_orders_of_axes(tmp_path: Path) -> None:
    """Frames are found where the file says, also of sections stored before rows."""
    pixels = RNG.integers(0, 65535, (5, 40, 6), dtype=np.uint16)  # y, z, x
    axes = [(1, 6, 5e-6, 2), (3, 40, 39e-6, 12), (2, 5, 4e-6, 480)]
    write_lif(tmp_path / "a.lif", [LifPlan(("xzy",), axes, [(0, 0, "")], pixels)])
    with open_file(tmp_path / "a.lif") as image:
        assert image.header.shape == (1, 40, 5, 6)
        for z in range(40):
            np.testing.assert_array_equal(image.frame(0, z), pixels[:, z])


def test_colour(tmp_path: Path) -> None:
    """Red, green and blue are found by their tags, whatever their order in the file."""
    pixels = RNG.integers(0, 255, (5, 6, 3), dtype=np.uint8)  # y, x, blue to red
    axes = [(1, 6, 5e-6, 3), (2, 5, 4e-6, 18)]
    plan = LifPlan(("a",), axes, [(0, 3, ""), (1, 2, ""), (2, 1, "")], pixels, bits=8)
    write_lif(tmp_path / "a.lif", [plan])
    with open_file(tmp_path / "a.lif") as image:
        assert image.header.channels == RGB
        for c in range(3):
            np.testing.assert_array_equal(image.frame(0, c), pixels[..., 2 - c])


def test_lof(tmp_path: Path) -> None:
    """A LOF file holds one image, and is read by the same door."""
    write_lof(tmp_path / "a.lof", movie())
    assert fields_in(tmp_path / "a.lof") == ()
    with open_file(tmp_path / "a.lof") as image:
        assert image.header.position == "Position 2"
        np.testing.assert_array_equal(image.frame(2, 3), MOVIE[2, 1, 1])


DETECTORS = (
    "<Attachment Name='HardwareSetting'><ATLConfocalSettingDefinition StagePosX='0.035'"
    " StagePosY='-0.01'><DetectorList><Detector Name='PMT Trans' IsActive='1'/><Detector"
    " Name='PMT 2' IsActive='0'/><Detector Name='HyD 3' IsActive='1'/></DetectorList>{}"
    "</ATLConfocalSettingDefinition></Attachment>"
)
WIDE = (
    "<Attachment Name='HardwareSetting'><ATLCameraSettingDefinition><WideFieldChannelConfigurator>"
    "<WideFieldChannelInfo UserDefName='' ContrastingMethodName='TL-PH'/><WideFieldChannelInfo"
    " UserDefName='GFP'/></WideFieldChannelConfigurator></ATLCameraSettingDefinition></Attachment>"
)


@pytest.mark.parametrize(
    ("extra", "names", "stage"),
    [
        (DETECTORS.format(""), ("PMT Trans", "HyD 3"), (-10000.0, 35000.0)),
        (DETECTORS.format("<LDM_Block_Sequential/>"), ("Gray", "Gray"), (-10000.0, 35000.0)),
        (WIDE, ("TL-PH", "GFP"), None),
    ],
)
def test_names_of_channels(
    extra: str, names: tuple[str, ...], stage: tuple[float, float] | None, tmp_path: Path
) -> None:
    """Contrast or detector names a channel; where detectors took turns, only colours do."""
    plan = movie(channels=[(0, 0, ""), (160, 0, "")], extra=extra)
    write_lif(tmp_path / "a.lif", [plan])
    with open_file(tmp_path / "a.lif") as image:
        header = image.header
        assert tuple(name.split(":")[0] for name in header.channels[::2]) == names
        assert header.stage_um == (None if stage is None else pytest.approx(stage))
        assert any("by the colours" in note for note in header.notes) == (names[0] == "Gray")


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (movie(axes=[*movie().axes[:3], (6, 3, 60.0, 640)]), "does not know: rotation, of size 3"),
        (movie(axes=[*movie().axes[:3], (42, 3, 6.0, 640)]), "does not know: number 42, of size 3"),
        (movie(axes=[movie().axes[0], (4, 3, 60.0, 20)]), "without an axis y"),
        (movie(axes=[*movie().axes[:3], (4, 4, 60.0, 640)]), "larger than the bytes"),
        (movie(axes=[*movie().axes, (4, 1, 0.0, 9)]), "names an axis twice"),
        (movie(axes=[*movie().axes[:3], (4, 0, 0.0, 9)]), "an axis .t. of no size"),
        (movie(channels=[]), "not of one number type"),
        (movie(bits=64), "not of one number type"),
        (movie(memory=False), "are not in the file"),
        (movie(axes=[*movie().axes[:3], (5, 3, 0.0, 640)]), "does not know: emission, of size 3"),
    ],
)
def test_what_is_refused(plan: LifPlan, error: str, tmp_path: Path) -> None:
    """Axes that are not t, c, z, y, x or wavelengths, and images that cannot be as they say."""
    write_lif(tmp_path / "a.lif", [plan])
    with pytest.raises(ImageReadError, match=error):
        open_file(tmp_path / "a.lif")


def test_scale_that_is_not_taken(tmp_path: Path) -> None:
    """Pixels that are not square, units unknown and lists of times of another length are noted."""
    flat = [(1, 10, 9e-6, 2), (2, 8, 3.5e-6, 20), *movie().axes[2:]]
    write_lif(tmp_path / "a.lif", [movie(axes=flat, extra=stamps(np.arange(7)))])
    with open_file(tmp_path / "a.lif") as image:
        notes = " ".join(image.header.notes)
        assert (image.header.pixel_um, image.header.times_s) == (None, None)
        assert image.header.frame_s == 30.0
        assert "pixels are not square" in notes
        assert "7 times are in the file and 12 planes" in notes
        assert "the interval is that of the whole series" in notes


def test_xml_lists_are_told_from_images(tmp_path: Path) -> None:
    """A file that lists images of other files is refused with what to do."""
    xlef = tmp_path / "a.lif"
    xlef.write_bytes(b"<?xml version='1.0'?><LMSDataContainerHeader Version='2'/>")
    with pytest.raises(ImageReadError, match="named like a Leica LIF but not one inside"):
        open_file(xlef)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_an_error_or_leaves_the_pixels(data: st.DataObject, tmp_path: Path) -> None:
    """A file cut off or with other bytes in its descriptions: frames are right, or an error."""
    path = tmp_path / "broken.lif"
    write_lif(path, [movie(), movie(folders=("B",))])
    hurt = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(hurt) - 1))
    if data.draw(st.booleans()):
        del hurt[where:]
    elif hurt[where] and where < len(hurt) - 2 * MOVIE.nbytes:
        hurt[where] = data.draw(st.integers(0, 255))
    path.write_bytes(hurt)
    told = path.name
    try:
        for name in fields_in(path) or ("",):
            with open_file(path / name) as image:
                shape = image.header.shape
                got = [image.frame(t, c) for t, c in np.ndindex(shape[:2])]
                assert all(frame.shape == shape[2:] for frame in got)
    except ImageReadError as error:
        told = str(error)
    assert path.name in told


def test_the_sample_as_its_library_reads_it(shared_formats: Path) -> None:
    """Frames, axes, scale and times of a real file are those that `liffile` finds."""
    path = shared_formats / "readlif_wavelength-sweep.lif"
    with liffile.LifFile(path) as said:
        assert fields_in(path) == tuple(image.path for image in said.images)
        for told in said.images:
            with open_file(path / told.path) as image:
                header, pixels = image.header, told.asarray()
                planes = pixels.reshape(header.frames, -1, 64, 64)
                assert len(header.channels) == planes.shape[1]
                for t, c in np.ndindex(planes.shape[:2]):
                    np.testing.assert_array_equal(image.frame(t, c), planes[t, c])
                steps = np.diff(told.coords["X"])
                assert header.pixel_um == pytest.approx(float(steps.mean()) * 1e6, rel=1e-9)
                assert 1 / (header.pixel_um or 0) == pytest.approx(9.54, abs=0.005)
                for axis, kind in (("λ", "emission"), ("Λ", "excitation")):
                    if axis in told.coords:
                        names = [name.split(":")[0] for name in header.channels]
                        assert list(dict.fromkeys(names)) == [
                            f"{kind} {at * 1e9:.5g} nm" for at in told.coords[axis]
                        ]
        assert said.images[2].timestamps is not None
        first, second = said.images[2].timestamps[[0, 110]]
    with open_file(path / "x_y_z_t_lambdaEmi") as image:
        assert image.header.times_s == (0.0, (second - first) / np.timedelta64(1, "s"))
    assert file_properties(path / "x_y_lambdaEmi")["day"] == "2021-01-29"
    assert inspect(path / "x_y_lambdaEmi").format == "Leica LIF"


def test_cut_samples_are_refused(shared_formats: Path, tmp_path: Path) -> None:
    """Wherever the real file is cut off, the last image is an error that names the file."""
    whole = (shared_formats / "readlif_wavelength-sweep.lif").read_bytes()
    path = tmp_path / "cut.lif"
    for size in np.linspace(0, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:size])
        with pytest.raises(ImageReadError, match=r"cut\.lif"):
            last_frame(path / "x_y_z_t_lambdaEmi")


def last_frame(path: Path) -> np.ndarray:
    """The last plane of the last image of the sample."""
    with open_file(path) as image:
        return image.frame(1, 109)
