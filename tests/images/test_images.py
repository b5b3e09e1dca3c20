"""Reading images: formats, scale, channels, and what is refused."""

import io
import pickle
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image as Pillow

from livewell.errors import ImageContentError, ImageReadError, SpecError
from livewell.image import Header
from livewell.images.formats import SUFFIXES
from livewell.images.opening import (
    Channels,
    choose_channels,
    open_image,
    open_sequence,
    read_header,
)
from livewell.measure.quality import require_content
from livewell.names import natural_key

MOVIE = np.random.default_rng(1).integers(1, 60000, (5, 2, 24, 32), dtype=np.uint16)


def write_stk(path: Path, movie: np.ndarray, pixel_um: float, step_ms: int) -> None:
    """A MetaMorph stack: one IFD, planes one after another, UIC tags for scale and times."""
    planes, height, width = movie.shape
    uic2 = b"".join(
        struct.pack("<6I", 0, 1, 2457000, 1000 + i * step_ms, 2457000, 0) for i in range(planes)
    )
    start = 8 + 2 + 11 * 12 + 4
    x_at = start + len(uic2)
    unit_at = x_at + 8
    uic1_at = unit_at + 4 + 3
    uic1 = struct.pack("<8I", 3, 1, 4, x_at, 5, x_at, 6, unit_at)
    data_at = uic1_at + len(uic1)
    fraction = struct.pack("<2I", round(pixel_um * 10000), 10000)
    size = height * width * 2
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, data_at),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, size),
        (33628, 4, 4, uic1_at),
        (33629, 5, planes, start),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    unit = struct.pack("<I", 3) + b"um\0"
    path.write_bytes(head + uic2 + fraction + unit + uic1 + movie.astype("<u2").tobytes())


def ome(path: Path, data: np.ndarray, axes: str, **metadata: object) -> None:
    tifffile.imwrite(
        path, data, ome=True, photometric="minisblack", metadata={"axes": axes, **metadata}
    )


TIFFS: dict[str, Callable[[Path], None]] = {
    "ome": lambda p: ome(p, MOVIE, "TCYX"),
    "ome-ctyx": lambda p: ome(p, MOVIE.swapaxes(0, 1), "CTYX"),
    "ome-compressed": lambda p: tifffile.imwrite(
        p, MOVIE, ome=True, compression="lzw", predictor=True, photometric="minisblack",
        metadata={"axes": "TCYX"},
    ),
    "ome-tiled-big-endian": lambda p: tifffile.imwrite(
        p, MOVIE, ome=True, tile=(16, 16), byteorder=">", photometric="minisblack",
        metadata={"axes": "TCYX"},
    ),
    "bigtiff": lambda p: tifffile.imwrite(
        p, MOVIE, bigtiff=True, photometric="minisblack", metadata={"axes": "TCYX"}
    ),
    "big-endian": lambda p: tifffile.imwrite(
        p, MOVIE, byteorder=">", photometric="minisblack", metadata={"axes": "TCYX"}
    ),
    "imagej": lambda p: tifffile.imwrite(p, MOVIE, imagej=True, metadata={"axes": "TCYX"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", TIFFS)
def test_every_frame_of_every_tiff_flavour(kind: str, tmp_path: Path) -> None:
    """Each flavour of TIFF gives every frame and channel exactly, in native byte order."""
    path = tmp_path / "movie.tif"
    TIFFS[kind](path)
    with open_image(path) as image:
        assert image.header.shape == (5, 2, 24, 32)
        assert image.header.dtype == "uint16"
        for t in (4, 0, 2):
            for c in (1, 0):
                frame = image.frame(t, c)
                np.testing.assert_array_equal(frame, MOVIE[t, c])
                assert frame.dtype.isnative


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("µm", 0.65, 0.65), ("nm", 325.0, 0.325), ("mm", 0.001, 1.0), ("pixel", 1.0, None)],
)
def test_ome_scale(unit: str, value: float, expected: float | None, tmp_path: Path) -> None:
    """OME pixel sizes come in micrometres whatever their unit, with names and interval."""
    ome(
        tmp_path / "a.ome.tif", MOVIE, "TCYX",
        PhysicalSizeX=value, PhysicalSizeXUnit=unit, PhysicalSizeY=value, PhysicalSizeYUnit=unit,
        TimeIncrement=8.0, TimeIncrementUnit="min", Channel={"Name": ["Phase", "PI"]},
    )  # fmt: skip
    header = read_header(tmp_path / "a.ome.tif")
    assert header.pixel_um == (None if expected is None else pytest.approx(expected))
    assert header.frame_s == 480.0
    assert header.channels == ("Phase", "PI")


def test_ome_interval_from_planes(tmp_path: Path) -> None:
    """Without a stated interval the times of the planes give it."""
    ome(
        tmp_path / "a.ome.tif", MOVIE[:, 0], "TYX",
        Plane={"DeltaT": [0.0, 60.0, 120.0, 180.0, 240.0]},
    )  # fmt: skip
    assert read_header(tmp_path / "a.ome.tif").frame_s == pytest.approx(60.0)


def test_imagej_scale(tmp_path: Path) -> None:
    """An ImageJ hyperstack tells pixel size, interval and its slices' labels as channel names."""
    labels = ["BF", "PI"] * 5
    tifffile.imwrite(
        tmp_path / "a.tif", MOVIE, imagej=True, resolution=(1 / 0.3225, 1 / 0.3225),
        metadata={"axes": "TCYX", "unit": "um", "finterval": 480.0, "Labels": labels},
    )  # fmt: skip
    header = read_header(tmp_path / "a.tif")
    assert header.pixel_um == pytest.approx(0.3225, rel=1e-4)
    assert header.frame_s == 480.0
    assert header.channels == ("BF", "PI")


def test_stk(tmp_path: Path) -> None:
    """A MetaMorph stack tells its planes, pixel size and interval."""
    write_stk(tmp_path / "a.stk", MOVIE[:, 0], 0.645, 30000)
    with open_image(tmp_path / "a.stk") as image:
        assert image.header.shape == (5, 1, 24, 32)
        assert image.header.pixel_um == pytest.approx(0.645)
        assert image.header.frame_s == pytest.approx(30.0)
        np.testing.assert_array_equal(image.frame(3), MOVIE[3, 0])


def test_printing_resolution_is_no_pixel_size(tmp_path: Path) -> None:
    """72 dots an inch in a plain TIFF are not taken for a pixel size, and a note says so."""
    tifffile.imwrite(
        tmp_path / "a.tif", MOVIE[0, 0], resolution=(72, 72), resolutionunit="INCH", metadata=None
    )
    header = read_header(tmp_path / "a.tif")
    assert header.pixel_um is None
    assert any("printing" in note for note in header.notes)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    """Two different edges give no pixel size, and a note says so."""
    ome(tmp_path / "a.ome.tif", MOVIE, "TCYX", PhysicalSizeX=0.5, PhysicalSizeY=1.0)
    header = read_header(tmp_path / "a.ome.tif")
    assert header.pixel_um is None
    assert any("not square" in note for note in header.notes)


def test_given_scale_wins_and_is_noted(tmp_path: Path) -> None:
    """A given pixel size and interval stand in place of the file's, with a note of both."""
    ome(tmp_path / "a.ome.tif", MOVIE, "TCYX", PhysicalSizeX=0.5, PhysicalSizeY=0.5)
    header = read_header(tmp_path / "a.ome.tif", pixel_um=0.65, frame_s=10)
    assert (header.pixel_um, header.frame_s) == (0.65, 10.0)
    assert any("0.65 as given; the file says 0.5" in note for note in header.notes)
    assert not any("frame_s" in note for note in header.notes)
    with pytest.raises(SpecError, match="pixel_um"):
        open_image(tmp_path / "a.ome.tif", pixel_um=0.0)


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
    )
)
def test_png_keeps_every_grey_level(pixels: np.ndarray) -> None:
    """An 8- or 16-bit PNG gives back exactly what was written."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(imagecodecs.png_encode(pixels))
        with open_image(path) as image:
            assert image.header.shape == (1, 1, *pixels.shape)
            assert image.header.dtype == pixels.dtype.name
            np.testing.assert_array_equal(image.frame(0), pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_ramp(suffix: str, tmp_path: Path) -> None:
    """All 65,536 levels of a 16-bit picture survive."""
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = tmp_path / f"a{suffix}"
    if suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(ramp))
    else:
        tifffile.imwrite(path, ramp)
    with open_image(path) as image:
        np.testing.assert_array_equal(image.frame(0), ramp)


COLOUR = np.random.default_rng(2).integers(1, 255, (16, 20, 3), dtype=np.uint8)


def _colour_png(path: Path) -> None:
    path.write_bytes(imagecodecs.png_encode(COLOUR))


def _alpha_png(path: Path) -> None:
    alpha = np.full((16, 20, 1), 200, np.uint8)
    path.write_bytes(imagecodecs.png_encode(np.concatenate([COLOUR, alpha], axis=2)))


def _colour_tiff(path: Path) -> None:
    tifffile.imwrite(path, COLOUR, photometric="rgb")


def _planar_tiff(path: Path) -> None:
    planar = np.ascontiguousarray(COLOUR.transpose(2, 0, 1))
    tifffile.imwrite(path, planar, photometric="rgb", planarconfig="separate")


def _alpha_tiff(path: Path) -> None:
    alpha = np.full((16, 20, 1), 200, np.uint8)
    both = np.concatenate([COLOUR, alpha], axis=2)
    tifffile.imwrite(path, both, photometric="rgb", extrasamples=["unassalpha"])


def _compressed_colour_tiff(path: Path) -> None:
    tifffile.imwrite(path, COLOUR, photometric="rgb", compression="zlib")


@pytest.mark.parametrize(
    "write",
    [_colour_png, _alpha_png, _colour_tiff, _planar_tiff, _alpha_tiff, _compressed_colour_tiff],
)
def test_colour_pictures(write: Callable[[Path], None], tmp_path: Path) -> None:
    """Colour pictures have channels red, green, blue; alpha is left out; none is the default."""
    path = tmp_path / ("a.png" if "png" in write.__name__ else "a.tif")
    write(path)
    with open_image(path) as image:
        assert image.header.channels == ("red", "green", "blue")
        assert any("name one of them, or all three" in note for note in image.header.notes)
        assert any("alpha" in note for note in image.header.notes) == ("alpha" in write.__name__)
        for c in range(3):
            np.testing.assert_array_equal(image.frame(0, c), COLOUR[..., c])
        assert not image.header.colourless
        with pytest.raises(ImageContentError, match=r"field 7: a colour image.*--channel green"):
            choose_channels(image.header, None, "field 7")
        assert choose_channels(image.header, ("blue", 0), "a") == (2, 0)


GREY = np.repeat(COLOUR[..., :1], 3, axis=2)


def _grey_png(path: Path) -> None:
    path.write_bytes(imagecodecs.png_encode(GREY))


def _grey_jpeg(path: Path) -> None:
    path.write_bytes(imagecodecs.jpeg_encode(GREY, level=95))


def _grey_movie(path: Path) -> None:
    tifffile.imwrite(path, np.stack([GREY, GREY[::-1], GREY // 2]), photometric="rgb")


def _grey_frames(path: Path) -> None:
    path.mkdir()
    for t in range(3):
        _grey_png(path / f"t{t}.png")


@pytest.mark.parametrize("write", [_grey_png, _grey_jpeg, _grey_movie, _grey_frames])
def test_grey_pictures_stored_as_colour(write: Callable[[Path], None], tmp_path: Path) -> None:
    """Where red, green and blue are equal in every pixel one of them is read, and a note says so.

    The three can still be asked for by name.
    """
    suffix = {"_grey_png": ".png", "_grey_jpeg": ".jpg", "_grey_movie": ".tif"}
    path = tmp_path / f"a{suffix.get(write.__name__, '')}"
    write(path)
    header = read_header(path)
    assert header.colourless
    assert any("equal in every pixel" in note for note in header.notes)
    assert not any("name one" in note for note in header.notes)
    assert choose_channels(header, None, "a") == (0,)
    assert choose_channels(header, ("red", "green", "blue"), "a") == (0, 1, 2)
    assert choose_channels(header, 1, "a") == (1,)
    assert choose_channels(header, "grey", "a") == (0,)


def test_one_coloured_pixel_makes_a_colour_picture(tmp_path: Path) -> None:
    """A movie of which one pixel of the last frame is not grey is a colour movie."""
    movie = np.stack([GREY, GREY, GREY])
    movie[2, 3, 4, 1] ^= 1
    tifffile.imwrite(tmp_path / "a.tif", movie, photometric="rgb")
    assert not read_header(tmp_path / "a.tif").colourless
    assert read_header(tmp_path / "a.tif").channels == ("red", "green", "blue")


def test_grey_palette_png_is_read(tmp_path: Path) -> None:
    """A palette of greys is looked up, with a note."""
    grey = COLOUR[..., 0]
    Pillow.fromarray(grey).convert("P").save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(image.frame(0), grey)
        assert any("palette" in note for note in image.header.notes)


def test_grey_with_alpha_png(tmp_path: Path) -> None:
    """A grey PNG with transparency is one channel, and a note says what was left out."""
    Pillow.fromarray(COLOUR[..., 0]).convert("LA").save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        assert image.header.channels == ("grey",)
        np.testing.assert_array_equal(image.frame(0), COLOUR[..., 0])
        assert any("alpha" in note for note in image.header.notes)


def test_jpeg(tmp_path: Path) -> None:
    """A grey JPEG is read as the library decodes it, with a note that it is lossy."""
    data = imagecodecs.jpeg_encode(COLOUR[..., 0].copy(), level=90)
    (tmp_path / "a.jpg").write_bytes(data)
    with open_image(tmp_path / "a.jpg") as image:
        assert image.header.shape == (1, 1, 16, 20)
        np.testing.assert_array_equal(image.frame(0), imagecodecs.jpeg_decode(data))
        assert any("JPEG" in note for note in image.header.notes)


def test_header_reads_no_pixels(tmp_path: Path) -> None:
    """A header is told though the compressed pixels behind it are nonsense."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages.first
        at, count = page.dataoffsets[0], page.databytecounts[0]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[at : at + count] = b"\xff" * count
    (tmp_path / "a.tif").write_bytes(data)
    assert read_header(tmp_path / "a.tif").shape == (1, 1, 64, 64)
    with open_image(tmp_path / "a.tif") as image, pytest.raises(ImageReadError, match=r"a\.tif"):
        image.frame(0)


def test_pages_without_meaning_are_time_with_a_note(tmp_path: Path) -> None:
    """Pages of a plain TIFF are frames in time, and a note says that this is a guess."""
    tifffile.imwrite(tmp_path / "a.tif", MOVIE[:, 0], metadata=None, photometric="minisblack")
    header = read_header(tmp_path / "a.tif")
    assert header.shape == (5, 1, 24, 32)
    assert any("taken for frames in time" in note for note in header.notes)


def test_stopped_recording(tmp_path: Path) -> None:
    """An OME-TIFF that promises more frames than it holds gives those there, noted."""
    ome(tmp_path / "a.ome.tif", MOVIE[:3, 0], "TYX")
    xml = tifffile.tiffcomment(tmp_path / "a.ome.tif").replace('SizeT="3"', 'SizeT="9"')
    tifffile.tiffcomment(tmp_path / "a.ome.tif", xml.encode())
    with open_image(tmp_path / "a.ome.tif") as image:
        assert image.header.frames == 3
        assert any("3 of 9" in note for note in image.header.notes)
        np.testing.assert_array_equal(image.frame(2), MOVIE[2, 0])


def _multi_file(folder: Path) -> tuple[Path, Path]:
    """Two OME-TIFF files that name each other as one movie of two frames."""
    first, second = folder / "a_t0.ome.tif", folder / "a_t1.ome.tif"
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        'OME/2016-06" UUID="urn:uuid:{own}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint16" SizeX="32" SizeY="24" SizeC="1" SizeZ="1" SizeT="2">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1" Name="BF"/>'
        '<TiffData IFD="0" FirstT="0" PlaneCount="1"><UUID FileName="a_t0.ome.tif">'
        'urn:uuid:0</UUID></TiffData><TiffData IFD="0" FirstT="1" PlaneCount="1">'
        '<UUID FileName="a_t1.ome.tif">urn:uuid:1</UUID></TiffData></Pixels></Image></OME>'
    )
    for i, path in enumerate((first, second)):
        tifffile.imwrite(path, MOVIE[i, 0], description=xml.format(own=i), metadata=None)
    return first, second


def test_ome_over_several_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The first file of a set gives the whole movie; another one says which to open."""
    first, second = _multi_file(tmp_path)
    with open_image(first) as image:
        assert image.header.shape == (2, 1, 24, 32)
        np.testing.assert_array_equal(image.frame(1), MOVIE[1, 0])
        np.testing.assert_array_equal(image.frame(0), MOVIE[0, 0])
    with pytest.raises(ImageReadError, match=r"open a_t0\.ome\.tif instead"):
        open_image(second)
    second.unlink()
    with pytest.raises(ImageReadError, match="a_t1"):
        open_image(first)
    assert capfd.readouterr().err == ""


def _damaged(write: Callable[[Path], None], keep: float) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return make


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _tiff(data: np.ndarray, **options: object) -> Callable[[Path], object]:
    return lambda path: tifffile.imwrite(path, data, **options)


def _jpeg(path: Path) -> None:
    path.write_bytes(imagecodecs.jpeg_encode(np.repeat(COLOUR[..., 0], 9, axis=0)))


def _coloured_palette(path: Path) -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(COLOUR).quantize(8).save(buffer, "png")
    path.write_bytes(buffer.getvalue())


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "01 zero bytes": ("a.tif", _write(b""), r"empty file \(0 bytes\)"),
    "02 text renamed to .tif": ("a.tif", _write(b"well,dose\nA01,3\n"), r"text, beginning 'well"),
    "03 text renamed to .png": ("a.png", _write(b"hello"), "not one inside"),
    "04 only a TIFF's first bytes": ("a.tif", _write(b"II*\0\x08\0\0\0"), "damaged"),
    "05 zip": ("a.zip", _write(b"PK\x03\x04rest"), "zip archive.*OME-TIFF"),
    "06 Olympus OIB": ("a.oib", _write(b"\xd0\xcf\x11\xe0rest"), "Olympus OIB.*OME-TIFF"),
    "06 only a CZI's first bytes": ("a.czi", _write(b"ZISRAWFILE\0\0\0"), "damaged"),
    "07 truncated OME-TIFF": ("a.tif", _damaged(TIFFS["ome"], 0.6), "ends too early"),
    "08 truncated ImageJ": ("a.tif", _damaged(TIFFS["imagej"], 0.6), "ends too early"),
    "09 truncated compressed": ("a.tif", _damaged(TIFFS["ome-compressed"], 0.6), "ends too early"),
    "10 truncated BigTIFF": ("a.tif", _damaged(TIFFS["bigtiff"], 0.6), "ends too early"),
    "11 TIFF short of one byte": (
        "a.tif", _damaged(_tiff(MOVIE[0, 0], metadata=None), 0.999), "ends too early",
    ),
    "12 truncated PNG": ("a.png", _damaged(_colour_png, 0.5), "damaged"),
    "13 truncated JPEG": ("a.jpg", _damaged(_jpeg, 0.5), "ends too early"),
    "14 coloured palette": ("a.png", _coloured_palette, "palette"),
    "15 z stack in colour": (
        "a.tif",
        _tiff(np.stack([COLOUR] * 5), ome=True, photometric="rgb", metadata={"axes": "ZYXS"}),
        "z stack of 5.*colour.*focus",
    ),
    "16 complex numbers": ("a.tif", _tiff(MOVIE[0, 0].astype("c8")), "complex64"),
    "17 no such file": ("absent/a.tif", lambda path: None, "no such file"),
    "18 two images in one file": (
        "a.tif",
        lambda path: _two_series(path),
        "2 images",
    ),
    "19 animated PNG": (
        "a.png",
        lambda path: Pillow.fromarray(COLOUR).save(
            path, save_all=True, append_images=[Pillow.fromarray(COLOUR[::-1])]
        ),
        "animated",
    ),
    "20 CMYK JPEG": (
        "a.jpg", lambda path: Pillow.fromarray(COLOUR).convert("CMYK").save(path), "4 inks",
    ),
}  # fmt: skip


def _two_series(path: Path) -> None:
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(MOVIE[0], photometric="minisblack", metadata={"axes": "CYX"})
        file.write(MOVIE[1], photometric="minisblack", metadata={"axes": "CYX"})


@pytest.mark.parametrize("case", BAD)
def test_bad_files(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each bad file gives one error that names it and what to do, and prints nothing."""
    name, make, message = BAD[case]
    make(tmp_path / name)

    def read_all() -> None:
        with open_image(tmp_path / name) as image:
            for t in range(image.header.frames):
                image.frame(t)

    with pytest.raises(ImageReadError, match=message) as caught:
        read_all()
    assert name in str(caught.value)
    assert caught.value.remedy
    assert capfd.readouterr().err == ""


def test_content_counts_more_than_the_ending(tmp_path: Path) -> None:
    """A PNG named .tif is read as a PNG, with a note."""
    _colour_png(tmp_path / "a.tif")
    header = read_header(tmp_path / "a.tif")
    assert any("PNG inside" in note for note in header.notes)


def test_frames_and_channels_out_of_range(tmp_path: Path) -> None:
    """A frame or channel that is not there is refused by number."""
    TIFFS["ome"](tmp_path / "a.tif")
    with open_image(tmp_path / "a.tif") as image:
        for t, c in ((5, 0), (-1, 0), (0, 2)):
            with pytest.raises(ImageContentError, match=r"no (frame|channel)"):
                image.frame(t, c)


def _frames(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        tifffile.imwrite(folder / name, MOVIE[i, 0])
    return [folder / name for name in names]


def test_folder_of_frames_in_natural_order(tmp_path: Path) -> None:
    """Single frames of a folder become a movie in which t2 comes before t10."""
    _frames(tmp_path / "m", ["x_t1.tif", "x_t10.tif", "x_t2.tif"])
    (tmp_path / "m" / "notes.txt").write_text("hidden")
    with open_image(tmp_path / "m", frame_s=60) as image:
        assert image.header.shape == (3, 1, 24, 32)
        np.testing.assert_array_equal(image.frame(1), MOVIE[2, 0])
        np.testing.assert_array_equal(image.frame(2), MOVIE[1, 0])
        assert image.header.frame_s == 60
        assert any("rise evenly" in note for note in image.header.notes)


def test_folder_of_two_channels_is_no_movie(tmp_path: Path) -> None:
    """Files that differ in more than numbers are not silently made a movie."""
    _frames(tmp_path / "m", ["BF_t1.tif", "PI_t1.tif"])
    with pytest.raises(ImageReadError, match="not one movie"):
        open_image(tmp_path / "m")


def test_sequence_of_differing_sizes(tmp_path: Path) -> None:
    """All frames of another size are named at once; unstrict, they fail only when read."""
    paths = _frames(tmp_path / "m", ["t1.tif", "t2.tif", "t3.tif", "t4.tif"])
    for odd in (paths[1], paths[3]):
        tifffile.imwrite(odd, MOVIE[0, 0, :20])
    with pytest.raises(ImageReadError, match=r"2 of 4 files.*t2\.tif.*t4\.tif"):
        open_sequence(paths)
    with open_sequence(paths, strict=False) as image:
        np.testing.assert_array_equal(image.frame(2), MOVIE[2, 0])
        with pytest.raises(ImageContentError, match=r"t2\.tif"):
            image.frame(1)


def test_empty_sequences(tmp_path: Path) -> None:
    """A folder without images, or no files at all, is refused."""
    with pytest.raises(ImageReadError, match="without image files"):
        open_image(tmp_path)
    with pytest.raises(ImageReadError, match="without a file"):
        open_sequence([])


@given(st.lists(st.text("ab01 9", max_size=6), max_size=8))
def test_natural_order_is_total(names: list[str]) -> None:
    """Any names can be sorted, whatever order they came in."""
    turned = names[::-1]
    assert sorted(names, key=natural_key) == sorted(turned, key=natural_key)


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Reading a movie takes the memory of a few frames, not of the movie."""
    movie = np.random.default_rng(0).integers(1, 4000, (40, 256, 256), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "plain.tif", movie, imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(tmp_path / "packed.tif", movie, compression="zlib", metadata={"axes": "TYX"})
    for name in ("plain.tif", "packed.tif"):
        with open_image(tmp_path / name) as image:
            image.frame(0)
            tracemalloc.start()
            for t in range(40):
                image.frame(t)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < 5 * movie[0].nbytes, name


def _header(*channels: str) -> Header:
    return Header(1, channels, 4, 4, "uint8")


@pytest.mark.parametrize(
    ("channels", "asked", "expected"),
    [
        (("anything",), None, 0),
        (("DAPI", "Brightfield"), None, 1),
        (("GFP", "w1 BF"), None, 1),
        (("TL DIC", "GFP"), None, 0),
        (("propidium iodide", "Ph2"), None, 1),
        (("Transmitted Light", "RFP"), None, 0),
        (("red", "green", "blue"), "Blue", 2),
        (("red", "green", "blue"), (), None),
        (("GFP", "phase"), (), 1),
        (("GFP", "phase"), ("phase",), 1),
        (("a", "b"), "B", 1),
        (("a", "b"), 1, 1),
        (("a", "b"), "0", 0),
        (("1", "0"), "0", 1),
    ],
)
def test_chosen_channel(channels: tuple[str, ...], asked: Channels, expected: int | None) -> None:
    """The channel is the one asked for, the only one, or the one of transmitted light."""
    if expected is None:
        with pytest.raises(ImageContentError, match="colour"):
            choose_channels(_header(*channels), asked, "x")
    else:
        assert choose_channels(_header(*channels), asked, "x") == (expected,)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("phase", "PI"), (1, 0)),
        ((0, "phase"), (0, 1)),
        (["hoechst", 1, "pi"], (2, 1, 0)),
    ],
)
def test_several_channels_come_in_the_order_asked(
    asked: Channels, expected: tuple[int, ...]
) -> None:
    """Names and numbers may be mixed, and their order is kept."""
    assert choose_channels(_header("PI", "Phase", "Hoechst"), asked, "x") == expected


def test_all_channels_that_do_not_fit_are_told() -> None:
    """Missing, ambiguous and repeated channels are told at once, with what there is."""
    header = _header("PI", "phase", "a", "A")
    with pytest.raises(ImageContentError) as caught:
        choose_channels(header, ("GFP", "phase", "1", "a", 7), "field 7")
    told = str(caught.value)
    for part in ("no channel 'GFP'", "several channels named 'a'", "no channel 7", "field 7"):
        assert part in told
    assert "channel 'phase' is asked for 2 times" in told
    assert "0 'PI'" in told


@pytest.mark.parametrize(
    ("channels", "asked"),
    [
        (("GFP", "RFP"), None),
        (("phase", "DIC"), None),
        (("pHrodo", "Phalloidin"), None),
        (("a", "b"), "c"),
        (("a", "b"), 2),
        (("a", "b"), -1),
        (("a", "A"), "a"),
    ],
)
def test_channel_that_cannot_be_chosen(channels: tuple[str, ...], asked: str | int | None) -> None:
    """A missing or ambiguous channel is refused with the names there are."""
    with pytest.raises(ImageContentError, match=f"field 7.*{channels[0]}.*{channels[1]}"):
        choose_channels(_header(*channels), asked, "field 7")


STACK = np.random.default_rng(5).integers(1, 60000, (2, 3, 2, 24, 32), dtype=np.uint16)
"""Time, z, channel, y, x."""


def test_planes_of_a_z_stack_are_channels(tmp_path: Path) -> None:
    """Planes are channels z0, z1 ...; none is looked at unless it is named."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, MOVIE[:, 0], imagej=True, metadata={"axes": "ZYX"})
    with open_image(path) as image:
        header = image.header
        assert header.channels == ("z0", "z1", "z2", "z3", "z4")
        assert any("z stack of 5 slices" in note for note in header.notes)
        for z in range(5):
            np.testing.assert_array_equal(image.frame(0, z), MOVIE[z, 0])
    assert choose_channels(header, ("z3", "z1"), "a") == (3, 1)
    with pytest.raises(ImageContentError, match=r"field 7: a z stack of 5.*focus.*swap z and t"):
        choose_channels(header, None, "field 7")


@pytest.mark.parametrize("how", ["ome", "imagej"])
def test_planes_of_a_z_stack_of_several_channels(how: str, tmp_path: Path) -> None:
    """Every channel has its planes: `phase:z2` is a name, whatever the order in the file."""
    path = tmp_path / "a.tif"
    names = {"Channel": {"Name": ["PI", "phase"]}} if how == "ome" else {}
    axes = "TZCYX"
    tifffile.imwrite(path, STACK, **{how: True}, metadata={"axes": axes} | names)
    with open_image(path) as image:
        header = image.header
        first, second = ("PI", "phase") if how == "ome" else ("channel 0", "channel 1")
        assert header.shape == (2, 6, 24, 32)
        assert header.channels[:4] == (f"{first}:z0", f"{first}:z1", f"{first}:z2", f"{second}:z0")
        for t in range(2):
            (plane,) = choose_channels(header, f"{second}:z2", "a")
            np.testing.assert_array_equal(image.frame(t, plane), STACK[t, 2, 1])
            np.testing.assert_array_equal(image.frame(t, 1), STACK[t, 1, 0])
    with pytest.raises(ImageContentError, match=r"a z stack of 3 slices.*--channel"):
        choose_channels(header, None, "a")


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (0.0, "every pixel")],
)
def test_unusable_frames(value: float, message: str) -> None:
    """Frames of NaN, infinity or nothing are refused, named; a sound one passes."""
    frame = np.zeros((8, 8), np.float32)
    frame[2, 3] = value
    with pytest.raises(ImageContentError, match=f"field 7.*{message}"):
        require_content(frame, "field 7")
    require_content(MOVIE[0, 0], "field 7")


def test_suffixes_and_pickle() -> None:
    """Endings are lower case with a dot, and headers can be sent to another process."""
    assert {".tif", ".tiff", ".stk", ".png", ".jpg", ".jpeg"} <= set(SUFFIXES)
    header = _header("a")
    assert pickle.loads(pickle.dumps(header)) == header


def test_real_mcf7(shared_data: Path) -> None:
    """The MCF7 images name brightfield, propidium iodide, hoechst and 0.3112 um."""
    header = read_header(shared_data / "mcf7-pi" / "110_snap_0_1_10.ome.tif")
    assert header.channels == ("brightfield", "propidium iodide", "hoechst")
    assert header.pixel_um == pytest.approx(0.3112)
    assert choose_channels(header, None, "x") == (0,)


def test_real_t98g(shared_data: Path) -> None:
    """The T98G files are one movie of ten frames without a pixel size."""
    with open_image(shared_data / "t98g-movie") as image:
        assert image.header.shape == (10, 1, 1022, 1024)
        assert image.header.pixel_um is None
        assert image.frame(9).dtype == np.uint16
