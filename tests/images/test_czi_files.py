"""Zeiss CZI: what is read of scenes, tiles, axes, times and scale, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imagecodecs
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
from tests.images.vendor_files import CziPlane, write_czi

RNG = np.random.default_rng(10)
PIXELS = RNG.integers(0, 60000, (2, 3, 2, 2, 8, 10), dtype=np.uint16)
"""(scene, t, channel, z, y, x)."""
XML = """<ImageDocument><Metadata><Information><Application><Name>ZEN</Name><Version>3.7</Version>
</Application><Image><AcquisitionDateAndTime>2023-01-06T10:41:51Z</AcquisitionDateAndTime>
<Dimensions><Channels><Channel Id="Channel:0" Name="Bright"/><Channel Id="Channel:1" Name="GFP"/>
</Channels><S><Scenes>
<Scene Index="0" Name="P1"><ArrayName>B2</ArrayName><CenterPosition>5,6</CenterPosition></Scene>
<Scene Index="1" Name="D6"><Shape Name="D6"><ColumnIndex>6</ColumnIndex><RowIndex>4</RowIndex>
</Shape></Scene></Scenes></S>TIMES</Dimensions></Image></Information><Scaling><Items>
<Distance Id="X"><Value>6.5E-07</Value></Distance><Distance Id="Y"><Value>6.5E-07</Value></Distance>
<Distance Id="Z"><Value>2E-06</Value></Distance></Items></Scaling></Metadata></ImageDocument>"""


def tags(scene: int, t: int) -> dict[str, str]:
    """What a plane says of itself: when and where it was taken."""
    return {
        "AcquisitionTime": f"2023-01-06T10:{t * 5:02d}:0{scene}.8031086Z",
        "StageXPosition": f"+00000004950{scene}.0000",
        "StageYPosition": "-000000035500.5000",
    }


def planes(pixels: np.ndarray = PIXELS, **more: Any) -> list[CziPlane]:
    """All planes of two scenes."""
    return [
        CziPlane(pixels[s, t, c, z], {"C": c, "T": t, "Z": z, "S": s}, tags(s, t), **more)
        for s, t, c, z in np.ndindex(pixels.shape[:4])
    ]


def made(path: Path, said: Sequence[CziPlane] = (), xml: str = XML, **head: int) -> Path:
    """A CZI file of two scenes, or of the planes given."""
    write_czi(path, said or planes(), xml, **head)
    return path


def test_every_scene_is_an_image(tmp_path: Path) -> None:
    """Pixels, channels, times, stage, well and pixel size of each scene are those of the file."""
    path = made(tmp_path / "exp.czi")
    assert list(find_images(tmp_path).files) == ["exp.czi/B2-P1", "exp.czi/D6"]
    for s, (name, well) in enumerate([("B2-P1", "B02"), ("D6", "D06")]):
        with open_file(path / name) as image:
            header = image.header
            assert header.channels == ("Bright:z0", "Bright:z1", "GFP:z0", "GFP:z1")
            assert (header.shape, header.dtype) == ((3, 4, 8, 10), "uint16")
            assert (header.well, header.position) == (well, name)
            assert header.stage_um == (-35500.5, 49500.0 + s)
            assert header.pixel_um == pytest.approx(0.65)
            assert (header.times_s, header.frame_s) == ((0.0, 300.0, 600.0), 300.0)
            assert "2 um apart" in header.notes[0]
            for t, channel in np.ndindex(3, 4):
                c, z = divmod(channel, 2)
                np.testing.assert_array_equal(image.frame(t, channel), PIXELS[s, t, c, z])
        assert place_of(path / name) == (None, well, name)
    assert file_properties(path / "D6")["software"] == "ZEN 3.7"
    assert file_properties(path / "D6")["day"] == "2023-01-06"
    assert inspect(path / "D6").format == "Zeiss CZI"


def test_other_readers_read_the_same(tmp_path: Path) -> None:
    """The maker's own library finds the pixels of files that these tests write by hand."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    path = made(tmp_path / "a.czi")
    with czi.open_czi(str(path)) as said:
        assert said.scenes_bounding_rectangle.keys() == {0, 1}
        for s, t, c, z in np.ndindex(PIXELS.shape[:4]):
            found = said.read(scene=s, plane={"T": t, "C": c, "Z": z})
            np.testing.assert_array_equal(found[..., 0], PIXELS[s, t, c, z])


@pytest.mark.parametrize(
    "options",
    ["uncompressed:", "zstd0:ExplicitLevel=2", "zstd1:PreProcess=HiLoByteUnpack", "zstd1:"],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("samples", [1, 3])
def test_files_of_the_makers_library(
    options: str, dtype: str, samples: int, tmp_path: Path
) -> None:
    """What Zeiss' own library writes is read to the bit, by number type, compression and colour."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    pixels = (PIXELS[0, :2, :2, 0, :, :9].reshape(2, 2, 8, 3, 3) // 256).astype(dtype)
    path = tmp_path / "a.czi"
    with czi.create_czi(str(path), compression_options=options) as file:
        for t, c in np.ndindex(2, 1 if samples == 3 else 2):
            for s in range(2):
                file.write(pixels[t, c][..., :samples], plane={"T": t, "C": c}, scene=s,
                           location=(s * 100, 0))  # fmt: skip
        file.write_metadata("a", channel_names={0: "BF"}, scale_x=5e-7, scale_y=5e-7)
    with open_file(path / "S02") as image:
        assert image.header.dtype == dtype
        assert image.header.pixel_um == 0.5
        assert image.header.channels == (RGB if samples == 3 else ("BF", "channel 1"))
        for t, channel in np.ndindex(image.header.shape[:2]):
            expected = (
                pixels[t, 0, ..., 2 - channel] if samples == 3 else pixels[t, channel, ..., 0]
            )
            np.testing.assert_array_equal(image.frame(t, channel), expected)


@pytest.mark.parametrize("samples", [1, 3])
def test_jpeg_xr(samples: int, tmp_path: Path) -> None:
    """Planes of JPEG XR are read, colours from blue to red; a note says that detail may be lost."""
    pixels = RNG.integers(0, 255, (16, 20, 3), dtype=np.uint8)
    stored = pixels[..., 0] if samples == 1 else pixels
    data = imagecodecs.jpegxr_encode(stored, level=1.0, photometric="RGB" if samples == 3 else None)
    kind = 0 if samples == 1 else 3
    plane = CziPlane(stored, {"C": 0}, pixel_type=kind, compression=4, data=data)
    with open_file(made(tmp_path / "a.czi", [plane], "<ImageDocument/>")) as image:
        assert any("JPEG XR" in note for note in image.header.notes)
        for c in range(samples):
            expected = stored[..., c] if samples == 3 else stored
            np.testing.assert_array_equal(image.frame(0, c), expected)


def test_tiles_are_images_of_their_own(tmp_path: Path) -> None:
    """Tiles of a scene are not joined; each has its own place and size."""
    tiles = [
        CziPlane(PIXELS[0, 0, 0, 0, :, : 10 - m], {"C": 0, "S": 0, "M": m, "X": m * 9}, tags(m, 0))
        for m in range(2)
    ]
    small = CziPlane(PIXELS[0, 0, 0, 0, :4, :5], {"C": 0, "S": 0}, shrunk=2)
    path = made(tmp_path / "a.czi", [*tiles, small])
    assert fields_in(path) == ("B2-P1/M01", "B2-P1/M02")
    with open_file(path / "B2-P1/M02") as image:
        assert image.header.stage_um == (-35500.5, 49501.0)
        np.testing.assert_array_equal(image.frame(0, 0), PIXELS[0, 0, 0, 0, :, :9])


def test_a_file_without_scenes(tmp_path: Path) -> None:
    """It is one image; what the file does not say is not known."""
    path = made(tmp_path / "a.czi", [CziPlane(PIXELS[0, 0, 0, 0], {"C": 0})], "not XML")
    assert fields_in(path) == ()
    with open_file(path) as image:
        header = image.header
        assert header.channels == ("grey",)
        assert (header.position, header.well, header.stage_um) == (None, None, None)
        assert (header.pixel_um, header.times_s, header.frame_s) == (None, None, None)


def test_interval_of_the_whole_series(tmp_path: Path) -> None:
    """Where planes do not say when they were taken, the series' interval is taken, and noted."""
    xml = XML.replace(
        "TIMES", "<T><Positions><Interval><Increment>12.5</Increment></Interval></Positions></T>"
    )
    said = planes()
    for plane in said:
        plane.tags = {}
    with open_file(made(tmp_path / "a.czi", said, xml) / "B2-P1") as image:
        assert (image.header.times_s, image.header.frame_s) == (None, 12.5)
        assert any("of the whole series" in note for note in image.header.notes)
        assert image.header.stage_um == (6.0, 5.0)


def test_planes_that_are_missing(tmp_path: Path) -> None:
    """A plane that is not in the file is an error, not a plane of zeros."""
    path = made(tmp_path / "a.czi", planes()[1:])
    with open_file(path / "B2-P1") as image:
        assert "1 planes between the first and the last are not in the file" in image.header.notes
        with pytest.raises(ImageReadError, match="frame 0, channel 0, slice 0 is not in the file"):
            image.frame(0, 0)
        np.testing.assert_array_equal(image.frame(0, 1), PIXELS[0, 0, 0, 1])


def odd(**more: Any) -> list[CziPlane]:
    """Two planes, of which the second is another way."""
    first = {"C": 0, "T": 0, "S": 0}
    pixels = more.pop("pixels", PIXELS[0, 0, 0, 0])
    start = {**first, **more.pop("start", {"T": 1})}
    return [CziPlane(PIXELS[0, 0, 0, 0], first), CziPlane(pixels, start, **more)]


@pytest.mark.parametrize(
    ("said", "head", "error"),
    [
        (odd(start={"H": 1}), {}, "does not know: phase, of size 2"),
        (odd(start={"I": 1}), {}, "does not know: illumination, of size 2"),
        (odd(start={"T": 2**30}), {}, "nearly all planes of .* are absent"),
        (odd(start={}), {}, "two planes at one frame, channel and slice"),
        (odd(pixels=PIXELS[0, 0, 0, 0, :7]), {}, "differ in size or number type"),
        (odd(pixel_type=0), {}, "differ in size or number type"),
        (odd(pixel_type=10)[1:], {}, "pixel type 10"),
        (odd(compression=2)[1:], {}, "compression 2"),
        (odd(), {"part": 1}, "spread over several CZI files"),
        (odd(), {"pending": 1}, "not closed by the program"),
        ([odd(shrunk=2)[1]], {}, "without a plane"),
    ],
)
def test_what_is_refused(
    said: list[CziPlane], head: dict[str, int], error: str, tmp_path: Path
) -> None:
    """Axes that are not t, c, z, y or x, and planes that cannot be one image."""
    with pytest.raises(ImageReadError, match=error):
        open_file(made(tmp_path / "a.czi", said, **head))


@pytest.mark.parametrize("compression", [0, 6])
@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_is_an_error_or_leaves_the_pixels(
    compression: int, data: st.DataObject, tmp_path: Path
) -> None:
    """A file cut off or with other bytes somewhere: frames of the right size, or an error."""
    path = tmp_path / "broken.czi"
    said = planes()
    if compression:
        for plane in said:
            packed = imagecodecs.zstd_encode(plane.pixels.tobytes())
            plane.compression, plane.data = 6, b"\x01" + packed
    made(path, said)
    hurt = bytearray(path.read_bytes())
    where = data.draw(st.integers(0, len(hurt) - 1))
    cut = data.draw(st.booleans())
    if cut:
        del hurt[where:]
    else:
        hurt[where : where + 4] = data.draw(st.binary(min_size=4, max_size=4))
    path.write_bytes(hurt)
    told = path.name
    try:
        for name in fields_in(path) or ("",):
            with open_file(path / name) as image:
                shape = image.header.shape
                got = [image.frame(t, c) for t, c in np.ndindex(min(shape[0], 4), min(shape[1], 4))]
                assert all(frame.shape == shape[2:] for frame in got)
    except ImageReadError as error:
        told = str(error)
    assert path.name in told


@pytest.mark.parametrize("name", ["aics_s1_t1_c1_z1.czi", "czitools_WellD6_S1.czi"])
def test_the_samples_as_the_makers_library_reads_them(name: str, shared_formats: Path) -> None:
    """Pixels of real files are those that Zeiss' own library finds; what they say is taken."""
    czi = pytest.importorskip("pylibCZIrw.czi")
    with (
        czi.open_czi(str(shared_formats / name)) as said,
        open_file(shared_formats / name) as image,
    ):
        np.testing.assert_array_equal(image.frame(0, 0), said.read()[..., 0])
        header = image.header
    expected = {
        "aics_s1_t1_c1_z1.czi": (("Bright",), 1.0833333333333333, None, (42720.296, 43427.982)),
        "czitools_WellD6_S1.czi": (("AF488",), 0.1, "D06", (35500.0, 49500.0)),
    }[name]
    assert (header.channels, header.pixel_um, header.well, header.stage_um) == expected


def test_cut_samples_are_refused(shared_formats: Path, tmp_path: Path) -> None:
    """Wherever a real file is cut off, it is an error that names it, or its pixels are whole."""
    whole = (shared_formats / "aics_s1_t1_c1_z1.czi").read_bytes()
    with open_file(shared_formats / "aics_s1_t1_c1_z1.czi") as image:
        right = image.frame(0, 0)
    path = tmp_path / "cut.czi"
    for size in np.linspace(0, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:size])
        told = path.name
        try:
            with open_file(path) as image:
                np.testing.assert_array_equal(image.frame(0, 0), right)
        except ImageReadError as error:
            told = str(error)
        assert "cut.czi" in told
