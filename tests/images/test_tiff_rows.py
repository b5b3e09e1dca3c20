"""TIFF files whose pages and descriptions are not what they seem: public bug reports, rebuilt."""

import importlib.util
import os
import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from livewell.errors import ImageContentError, ImageReadError, TableError
from livewell.image import Header
from livewell.images.inspection import inspect
from livewell.images.opening import choose_channels, open_image, read_header
from livewell.study.beside import BesideFiles
from livewell.workflows.index import index
from livewell.workflows.inspect import table

MOVIE = np.random.default_rng(3).integers(1, 60000, (6, 24, 32), dtype=np.uint16)


def imagej(path: Path, pages: int, description: str) -> None:
    """Pages behind a description that is written by hand."""
    with tifffile.TiffWriter(path) as file:
        for i in range(pages):
            text = "ImageJ=1.54f\n" + description if i == 0 else None
            file.write(MOVIE[i], description=text, metadata=None, photometric="minisblack")


def ome_xml(sizes: str, inside: str, order: str = "XYCZT", more: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        f'OME/2016-06" {more}><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="{order}" '
        f'Type="uint16" SizeX="32" SizeY="24" {sizes}>{inside}</Pixels></Image></OME>'
    )


def pages(path: Path, count: int, description: str = "", **options: object) -> None:
    with tifffile.TiffWriter(path) as file:
        for i in range(count):
            text = (description or None) if i == 0 else None
            file.write(
                MOVIE[i], description=text, metadata=None, photometric="minisblack", **options
            )


def tag_entry(path: Path, code: int, page: int = 0) -> int:
    """Where a tag of a page stands in the file."""
    with tifffile.TiffFile(path) as file:
        return int(file.pages.get(page).tags[code].offset)


def poke(path: Path, at: int, data: bytes) -> None:
    whole = bytearray(path.read_bytes())
    whole[at : at + len(data)] = data
    path.write_bytes(whole)


def micromanager(shared: Path, folder: Path, *words: str) -> list[Path]:
    spec = importlib.util.spec_from_file_location("micromanager", shared / "micromanager.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    old, sys.argv = sys.argv, ["", str(folder), *words]
    try:
        module.main()
    finally:
        sys.argv = old
    return sorted(folder.iterdir())


@pytest.fixture(scope="session")
def faults() -> Path:
    folder = Path(__file__).parents[2].parent / "shared" / "faults"
    if not folder.is_dir():
        pytest.skip("no ../shared/faults here")
    return folder


@pytest.mark.parametrize(
    "words", [("1", "2", "1", "xml"), ("1", "2", "1"), ("3", "2", "3", "xml"), ("3", "3", "2")]
)
def test_positions_of_micro_manager(words: tuple[str, ...], faults: Path, tmp_path: Path) -> None:
    """Rows 1 and 23: each file shows its own planes, with scale, interval and channel."""
    written = int(words[2])
    for path in micromanager(faults, tmp_path / "mm", *words):
        with tifffile.TiffFile(path) as file:
            stored = [page.asarray() for page in file.pages]
        with open_image(path) as image:
            assert image.header.shape == (written, 1, 256, 256)
            assert image.header.channels == ("Phase",)
            assert (image.header.pixel_um, image.header.frame_s) == (0.645, 1800.0)
            for t in range(written):
                np.testing.assert_array_equal(image.frame(t), stored[t])
        short = any("frames that were planned" in note for note in image.header.notes)
        assert short == (written < int(words[0]))


def test_pages_of_another_size(tmp_path: Path) -> None:
    """Row 2: a larger single page does not win over a series, and is named as not read."""
    big = np.zeros((40, 50), np.uint16)
    for name, options in (("a.tif", {"metadata": None}), ("b.tif", {})):
        with tifffile.TiffWriter(tmp_path / name) as file:
            for image in (*MOVIE[:3], big):
                file.write(image, photometric="minisblack", **options)
        with open_image(tmp_path / name) as image:
            assert image.header.shape == (3, 1, 24, 32)
            assert any("page 3 not read" in note for note in image.header.notes)
            np.testing.assert_array_equal(image.frame(2), MOVIE[2])


def test_two_series_of_equal_length(tmp_path: Path) -> None:
    """Row 2: where nothing tells which pages are the image, the file is refused."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for size in (24, 24, 20, 20):
            file.write(MOVIE[0, :size], metadata=None)
    with pytest.raises(ImageReadError, match="2 images"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("count", "description", "frames", "channels"),
    [
        (5, "images=3\nframes=3\n", 5, 1),
        (4, "images=10\nframes=10\nhyperstack=true\n", 4, 1),
        (5, "images=6\nchannels=2\nframes=3\nhyperstack=true\n", 2, 2),
        (3, "images=1\n", 3, 1),
    ],
)
def test_stated_and_present_planes(
    count: int, description: str, frames: int, channels: int, tmp_path: Path
) -> None:
    """Rows 3 and 24: what is there is read, and a note says how it differs from what is stated."""
    imagej(tmp_path / "a.tif", count, description)
    with open_image(tmp_path / "a.tif") as image:
        assert image.header.shape == (frames, channels, 24, 32)
        assert any(f"the file holds {count}" in note for note in image.header.notes)
        for i in range(frames * channels):
            np.testing.assert_array_equal(image.frame(i // channels, i % channels), MOVIE[i])
        left = count - frames * channels
        assert any("not read" in note for note in image.header.notes) == bool(left)


def test_missing_planes_that_cannot_be_told(tmp_path: Path) -> None:
    """Row 24: where channels are the slowest axis, it is not known which planes are missing."""
    imagej(tmp_path / "a.tif", 5, "images=6\nchannels=2\nframes=3\norder=tzc\nhyperstack=true\n")
    with pytest.raises(ImageReadError, match="cannot be told"):
        open_image(tmp_path / "a.tif")


def test_thumbnail_is_not_the_image(tmp_path: Path) -> None:
    """Row 4: size is height times width, so the RGB page is the image."""
    rgb = np.random.default_rng(0).integers(0, 255, (240, 256, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(rgb, photometric="rgb", metadata=None)
        file.write(np.zeros((250, 60), np.uint8), metadata=None)
    with open_image(tmp_path / "a.tif") as image:
        assert image.header.shape == (1, 3, 240, 256)
        assert any("page 1 not read" in note for note in image.header.notes)


@pytest.mark.parametrize("samples", [2, 3, 5])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_samples_without_names(samples: int, planar: str, tmp_path: Path) -> None:
    """Row 5: samples of grey pixels are channels without a name; one must be said."""
    shape = (24, 32, samples) if planar == "contig" else (samples, 24, 32)
    stored = np.random.default_rng(0).integers(0, 60000, shape, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planar)
    with open_image(tmp_path / "a.tif") as image:
        assert image.header.channels == tuple(f"channel {i}" for i in range(samples))
        assert any("does not name them" in note for note in image.header.notes)
        with pytest.raises(ImageContentError, match="transmitted"):
            choose_channels(image.header, None, "a")
        for c in range(samples):
            plane = stored[..., c] if planar == "contig" else stored[c]
            np.testing.assert_array_equal(image.frame(0, c), plane)


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535)])
def test_zero_is_white(dtype: str, top: int, tmp_path: Path) -> None:
    """Row 6: what is meant to be bright is bright, within the range of the bits, and noted."""
    stored = (MOVIE[0] % top).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    with open_image(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.frame(0), top - stored)
        assert image.frame(0).dtype == dtype
        assert any("0 is white" in note for note in image.header.notes)
    tifffile.imwrite(tmp_path / "b.tif", stored.astype("f4"), photometric="miniswhite")
    with pytest.raises(ImageReadError, match="0 is said to be white"):
        open_image(tmp_path / "b.tif")


def test_implausible_pixel_size(tmp_path: Path) -> None:
    """Row 14: a pixel of 6.5e-5 um is shown and not taken."""
    tifffile.imwrite(
        tmp_path / "a.tif", MOVIE[0], imagej=True, resolution=(15384.6, 15384.6),
        metadata={"unit": "um"},
    )  # fmt: skip
    header = read_header(tmp_path / "a.tif")
    assert header.pixel_um is None
    assert any("6.5e-05 um" in note for note in header.notes)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("TD", "Transmembrane-GFP"), 0),
        (("GFP", "Transmembrane"), None),
        (("Trans", "trans-Golgi"), 0),
        (("phase", "phase GFP"), 0),
        (("Phalloidin", "Phaseolin"), None),
        (("Transmitted", "DAPI"), 0),
    ],
)
def test_names_of_transmitted_light(names: tuple[str, ...], expected: int | None) -> None:
    """Row 15: only whole words say transmitted light, and where none does the user is asked."""
    header = Header(1, names, 4, 4, "uint8")
    if expected is None:
        with pytest.raises(ImageContentError, match="cannot tell which channel"):
            choose_channels(header, None, "a")
    else:
        assert choose_channels(header, None, "a") == (expected,)


METASERIES = (
    '<MetaData><PlaneInfo><prop id="spatial-calibration-state" type="bool" value="on"/>'
    '<prop id="spatial-calibration-x" type="float" value="{size}"/>'
    '<prop id="spatial-calibration-y" type="float" value="{size}"/>'
    '<prop id="spatial-calibration-units" type="string" value="{unit}"/>'
    '<prop id="stage-label" type="string" value="{label}"/></PlaneInfo></MetaData>'
)


def test_metaxpress(tmp_path: Path) -> None:
    """Row 16: pixel size, well and site of MetaXpress are read, and shown by inspect."""
    text = METASERIES.format(size="13.5504", unit="um", label="C07 : Site 1")
    pages(tmp_path / "a.tif", 1, text)
    header = read_header(tmp_path / "a.tif")
    assert (header.pixel_um, header.well, header.position) == (13.5504, "C07", "Site 1")
    shown = table(inspect(tmp_path / "a.tif"))
    assert "C07" in shown
    assert "Site 1" in shown


@pytest.mark.parametrize(
    ("size", "unit", "expected"),
    [
        ("0.65", "Âµm", 0.65),
        ("0.65", "?m", 0.65),
        ("0.65", "µm", 0.65),
        ("0.65", "\N{GREEK SMALL LETTER MU}m", 0.65),
        ("0,65", "micrometers", 0.65),
        ("0,650", "Microns", 0.65),
        ("650", "nanometers", 0.65),
        ("1,000", "um", None),
        ("0.65", "furlong", None),
        ("65e-6", "um", None),
    ],
)
def test_units(size: str, unit: str, expected: float | None, tmp_path: Path) -> None:
    """Row 28: units are read where they are clear; what is not taken is shown."""
    inside = '<Channel ID="Channel:0:0" SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="1"/>'
    sizes = (
        f'SizeC="1" SizeZ="1" SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}" '
        f'PhysicalSizeXUnit="{unit}" PhysicalSizeYUnit="{unit}"'
    )
    tifffile.imwrite(
        tmp_path / "b.tif", MOVIE[0], description=ome_xml(sizes, inside).encode(), metadata=None
    )
    header = read_header(tmp_path / "b.tif")
    assert header.pixel_um == (None if expected is None else pytest.approx(expected))
    if expected is None:
        number = size if "e" not in size else "6.5e-05"
        assert any(number in note for note in header.notes)


HUGE = [
    ('SizeC="1" SizeZ="1" SizeT="2000000000"', '<TiffData IFD="0" PlaneCount="2000000000"/>'),
    ('SizeC="1" SizeZ="1" SizeT="3"', '<TiffData IFD="0" PlaneCount="2000000000"/>'),
    ('SizeC="1" SizeZ="1" SizeT="10000000000000"', "<TiffData/>"),
]


@pytest.mark.parametrize(("sizes", "inside"), HUGE)
def test_absurd_sizes(sizes: str, inside: str, tmp_path: Path) -> None:
    """Row M1: stated sizes are held against the pages before anything is built."""
    pages(tmp_path / "a.tif", 3, ome_xml(sizes, inside))
    header = read_header(tmp_path / "a.tif")
    assert header.shape == (3, 1, 24, 32)
    assert header.notes
    bad = ome_xml('SizeC="2000000000" SizeZ="2000000000" SizeT="1"', inside)
    pages(tmp_path / "b.tif", 3, bad)
    with pytest.raises(ImageReadError, match="first frame is missing"):
        open_image(tmp_path / "b.tif")


def other_file(name: str, first: str = "own.ome.tif") -> str:
    blocks = (
        f'<TiffData IFD="0" FirstT="0" PlaneCount="1"><UUID FileName="{first}">urn:uuid:0</UUID>'
        f'</TiffData><TiffData IFD="0" FirstT="1" PlaneCount="1"><UUID FileName="{name}">'
        "urn:uuid:1</UUID></TiffData>"
    )
    return ome_xml('SizeC="1" SizeZ="1" SizeT="2"', blocks)


@pytest.mark.parametrize("kind", ["fifo", "absolute", "parent", "link", "beside"])
def test_other_files(kind: str, tmp_path: Path) -> None:
    """Row M2: only a regular file beside this one, by its bare name, is followed; all are noted."""
    folder = tmp_path / "in"
    folder.mkdir()
    pages(tmp_path / "away.ome.tif", 1)
    names = {"absolute": str(tmp_path / "away.ome.tif"), "parent": "../away.ome.tif"}
    name = names.get(kind, "other.ome.tif")
    if kind == "fifo":
        os.mkfifo(folder / name)
    elif kind == "link":
        (folder / name).symlink_to(tmp_path / "away.ome.tif")
    elif kind == "beside":
        tifffile.imwrite(folder / name, MOVIE[1], ome=False, metadata=None)
    pages(folder / "own.ome.tif", 1, other_file(name))
    with open_image(folder / "own.ome.tif") as image:
        assert image.header.frames == (2 if kind == "beside" else 1)
        assert any(name in note for note in image.header.notes)
        np.testing.assert_array_equal(image.frame(0), MOVIE[0])
        if kind == "beside":
            np.testing.assert_array_equal(image.frame(1), MOVIE[1])


def test_file_of_another_set(tmp_path: Path) -> None:
    """Row M2: a file beside this one that calls itself by another UUID is no part of its movie."""
    pages(tmp_path / "own.ome.tif", 1, other_file("other.ome.tif"))
    tifffile.imwrite(tmp_path / "other.ome.tif", MOVIE[1], ome=True)
    with pytest.raises(ImageReadError, match="not the one that belongs to it"):
        read_header(tmp_path / "own.ome.tif")


def test_prefix_of_ome(tmp_path: Path) -> None:
    """Row M8: OME-XML whose names have a prefix says axes and channels as any other."""
    channels = '<Channel ID="Channel:0:0" Name="Phase"/><Channel ID="Channel:0:1" Name="GFP"/>'
    text = ome_xml('SizeC="2" SizeZ="1" SizeT="3"', channels + "<TiffData/>")
    text = re.sub(r"<(/?)(?=[A-Z])", r"<\1ome:", text).replace("xmlns=", "xmlns:ome=")
    pages(tmp_path / "a.tif", 6, text)
    header = read_header(tmp_path / "a.tif")
    assert (header.frames, header.channels) == (3, ("Phase", "GFP"))


@pytest.mark.parametrize("rest", [2, 3])
def test_two_positions_in_a_file(rest: int, tmp_path: Path) -> None:
    """Row 1: two positions in one file are refused, also where one was stopped before the other."""
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        for count in (3, rest):
            file.write(MOVIE[:count], photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(ImageReadError, match="holds 2 images"):
        read_header(tmp_path / "a.ome.tif")


def test_a_movie_and_its_masks(tmp_path: Path) -> None:
    """Row 2: of two series of one size neither wins by its length."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(3):
            file.write(MOVIE[0], contiguous=False, metadata=None)
        for _ in range(4):
            file.write(MOVIE[0].astype("u1"), contiguous=False, metadata=None)
    with pytest.raises(ImageReadError, match="holds 2 images"):
        read_header(tmp_path / "a.tif")


def test_a_channel_that_was_not_recorded_every_time(tmp_path: Path) -> None:
    """Row 24: where later frames are whole, a missing plane is no end of the recording."""
    places = [(0, 0), (1, 0), (0, 1), (0, 2), (1, 2)]
    blocks = "".join(
        f'<TiffData IFD="{i}" FirstC="{c}" FirstT="{t}" FirstZ="0" PlaneCount="1"/>'
        for i, (c, t) in enumerate(places)
    )
    pages(tmp_path / "a.tif", 5, ome_xml('SizeC="2" SizeZ="1" SizeT="3"', blocks))
    with pytest.raises(ImageReadError, match="not recorded every time"):
        read_header(tmp_path / "a.tif")


def test_renamed_file(tmp_path: Path) -> None:
    """Row M2: a file that calls itself by its older name is read, and a note says so."""
    pages(tmp_path / "new.ome.tif", 2, other_file("old.ome.tif", "old.ome.tif").replace(
        'IFD="0" FirstT="1"', 'IFD="1" FirstT="1"'))  # fmt: skip
    with open_image(tmp_path / "new.ome.tif") as image:
        np.testing.assert_array_equal(image.frame(1), MOVIE[1])
        assert any("renamed" in note for note in image.header.notes)


@pytest.mark.parametrize("code", [273, 279])
def test_segments_that_are_zero(code: int, tmp_path: Path) -> None:
    """Row M5: strips without a place or bytes are refused and counted, never read as zeros."""
    tifffile.imwrite(tmp_path / "a.tif", MOVIE[0], rowsperstrip=4, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        tag = file.pages.first.tags[code]
        at, kind = tag.valueoffset, {3: "H", 4: "I"}[int(tag.dtype)]
    poke(tmp_path / "a.tif", at, struct.pack(f"<2{kind}", 0, 0))
    with pytest.raises(ImageReadError, match="2 of 6 strips are missing"):
        open_image(tmp_path / "a.tif")


def test_missing_tiles(tmp_path: Path) -> None:
    """Row M5: fewer offsets than tiles are refused, with both numbers."""
    tifffile.imwrite(tmp_path / "a.tif", np.tile(MOVIE[0], (4, 3)), tile=(16, 16), metadata=None)
    poke(tmp_path / "a.tif", tag_entry(tmp_path / "a.tif", 324) + 4, struct.pack("<I", 10))
    with pytest.raises(ImageReadError, match="36 tiles are needed for its size, and 10"):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("value", [(256, 20), (256, 40), (257, 20), (258, 12), (258, 8), (277, 2)])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits"])
def test_bytes_that_do_not_fit(
    value: tuple[int, int], compression: str | None, tmp_path: Path
) -> None:
    """Row M6: bytes must be those that size and bits need, with compression as well."""
    code, number = value
    tifffile.imwrite(tmp_path / "a.tif", MOVIE[0], metadata=None, compression=compression)
    poke(tmp_path / "a.tif", tag_entry(tmp_path / "a.tif", code) + 8, struct.pack("<H", number))
    with (
        pytest.raises(ImageReadError, match=r"damaged|cannot be read"),
        open_image(tmp_path / "a.tif") as image,
    ):
        image.frame(0)


def test_packed_bits(tmp_path: Path) -> None:
    """Row M6: twelve bits a pixel that are packed come back exactly, also with 0 as white."""
    levels = MOVIE[0] % 4096
    for photometric, expected in ((1, levels), (0, 4095 - levels)):
        bits = np.unpackbits(levels.astype(">u2").view("u1").reshape(24, 32, 2), axis=2)
        packed = np.packbits(bits[:, :, 4:].reshape(24, -1), axis=1).tobytes()
        tags = [(256, 32), (257, 24), (258, 12), (259, 1), (262, photometric), (273, 122),
                (277, 1), (278, 24), (279, len(packed))]  # fmt: skip
        head = b"II*\0" + struct.pack("<IH", 8, len(tags))
        head += b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
        (tmp_path / "a.tif").write_bytes(head + struct.pack("<I", 0) + packed)
        with open_image(tmp_path / "a.tif") as image:
            np.testing.assert_array_equal(image.frame(0), expected)


def test_jpeg_of_other_bits(tmp_path: Path) -> None:
    """Row M6: a JPEG inside that is not of the stated bits or size is refused."""
    grey = (MOVIE[0] // 256).astype(np.uint8)
    for code, value in ((258, 16), (257, 20), (256, 20)):
        tifffile.imwrite(tmp_path / "a.tif", grey, metadata=None, compression="jpeg")
        poke(tmp_path / "a.tif", tag_entry(tmp_path / "a.tif", code) + 8, struct.pack("<H", value))
        with pytest.raises(ImageReadError), open_image(tmp_path / "a.tif") as image:
            image.frame(0)


@pytest.mark.parametrize("code", [256, 257, 273])
def test_tags_that_are_missing_or_stand_twice(code: int, tmp_path: Path) -> None:
    """Row M7: a size or place that is missing, or stated twice, is refused."""
    for instead in (65000, 258):
        tifffile.imwrite(tmp_path / "a.tif", MOVIE[0], metadata=None)
        entry = tag_entry(tmp_path / "a.tif", code)
        poke(tmp_path / "a.tif", entry, struct.pack("<H", instead))
        with pytest.raises(ImageReadError, match=r"missing|twice|needed"):
            open_image(tmp_path / "a.tif")


def test_pages_named_by_negative_numbers(tmp_path: Path) -> None:
    """Row M7: a page -1 shuffles no frames: frames before it are read, with notes."""
    blocks = "".join(
        f'<TiffData IFD="{ifd}" FirstT="{t}" PlaneCount="1"/>' for t, ifd in enumerate((0, 1, -1))
    )
    pages(tmp_path / "a.tif", 3, ome_xml('SizeC="1" SizeZ="1" SizeT="3"', blocks))
    with open_image(tmp_path / "a.tif") as image:
        assert image.header.frames == 2
        assert any("only 2 of 3" in note for note in image.header.notes)
        assert any("page 2 not read" in note for note in image.header.notes)
        np.testing.assert_array_equal(image.frame(1), MOVIE[1])


def test_damaged_ome_xml(tmp_path: Path) -> None:
    """Row M8: if the XML cannot be read, channels are never turned into time."""
    text = ome_xml('SizeC="2" SizeZ="1" SizeT="3"', "<TiffData/>").replace("<Image", "<Im<ge")
    pages(tmp_path / "a.tif", 6, text)
    with pytest.raises(ImageReadError, match="what its 6 pages are is not known"):
        open_image(tmp_path / "a.tif")
    pages(tmp_path / "b.tif", 1, text)
    with open_image(tmp_path / "b.tif") as image:
        assert any("not used" in note for note in image.header.notes)


@pytest.mark.parametrize("letter", ["P", "A", "R", "L", "H"])
def test_other_axes_are_not_time(letter: str, tmp_path: Path) -> None:
    """Row 1: an axis that is not time, channel or depth is never taken for time."""
    tifffile.imwrite(
        tmp_path / "a.tif", MOVIE, photometric="minisblack", metadata={"axes": f"{letter}YX"}
    )
    with pytest.raises(ImageReadError, match="more axes than time"):
        open_image(tmp_path / "a.tif")


def test_planes_that_no_page_names(tmp_path: Path) -> None:
    """Row 3: planes behind the only page are noted where the description does not speak of them."""
    tifffile.imwrite(
        tmp_path / "a.tif", MOVIE, imagej=True, metadata={"axes": "TYX"}, truncate=True
    )
    with open_image(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.frame(4), MOVIE[4])
    data = (tmp_path / "a.tif").read_bytes().replace(b"ImageJ=", b"Imagej=")
    (tmp_path / "a.tif").write_bytes(data)
    header = read_header(tmp_path / "a.tif")
    assert header.frames == 1
    assert any("room for 5 more planes" in note for note in header.notes)


def test_pyramid_and_sub_images(tmp_path: Path) -> None:
    """Smaller copies, in pages of their own or inside a page, are named and not read."""
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(MOVIE[0], subifds=1, metadata=None)
        file.write(MOVIE[0, ::2, ::2], subfiletype=1, metadata=None)
        file.write(MOVIE[0, ::4, ::4], subfiletype=1, metadata=None)
    with open_image(tmp_path / "a.tif") as image:
        assert image.header.shape == (1, 1, 24, 32)
        account = " ".join(image.header.account)
        assert "sub-images of page 0 not read (12 x 16 px)" in account
        assert "page 1 not read: a smaller copy" in account
        np.testing.assert_array_equal(image.frame(0), MOVIE[0])


def test_account(tmp_path: Path) -> None:
    """The account says which pages are which planes, by whom, and how sure that is."""
    both = MOVIE.reshape(3, 2, 24, 32)
    tifffile.imwrite(tmp_path / "a.tif", both, imagej=True, metadata={"axes": "TCYX"})
    found = inspect(tmp_path / "a.tif")
    assert "6 pages in the file" in found.account[0]
    assert "3 frames x 2 channels x 1 slice" in found.account[1]
    assert found.account[-1] == "sure: the ImageJ description and the pages agree"
    assert found.to_dict()["account"] == found.account
    assert table(found).count("  account") == len(found.account)
    pages(tmp_path / "b.tif", 3)
    assert inspect(tmp_path / "b.tif").account[-1].startswith("a guess")


def test_masks_of_one_bit(tmp_path: Path) -> None:
    """Row 6: in a mask of one bit 1 stays 1, for programs write it with either meaning of 0."""
    mask = MOVIE[0] > 30000
    for photometric in ("minisblack", "miniswhite"):
        tifffile.imwrite(tmp_path / "a.tif", mask, photometric=photometric)
        with open_image(tmp_path / "a.tif") as image:
            np.testing.assert_array_equal(image.frame(0), mask)
            assert any("mask" in note for note in image.header.notes)


def test_negative_masks_are_refused(tmp_path: Path) -> None:
    """Row 6: a mask of nuclei with 0 as white would mark the background, so it is refused."""
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", MOVIE[0])
    mask = np.uint8(MOVIE[0] > 30000) * 255
    study = index(tmp_path / "images", tmp_path / "study", files="a.tif").study
    path = tmp_path / "images" / "a_nuclei.tif"
    tifffile.imwrite(path, mask, photometric="miniswhite")
    with pytest.raises(TableError, match=r"0 is white.*save it with 0 as black"):
        BesideFiles(study, "{stem}_nuclei.tif", "mask")
    tifffile.imwrite(path, mask)
    BesideFiles(study, "{stem}_nuclei.tif", "mask")


def test_padded_strips_of_planar_samples(tmp_path: Path) -> None:
    """Row M6: where each plane's last strip is filled up, the other planes are not shifted."""
    planes = np.arange(1, 121, dtype=np.uint8).reshape(3, 5, 8)
    strips = [
        np.pad(plane[row : row + 2], ((0, 2 - len(plane[row : row + 2])), (0, 0))).tobytes()
        for plane in planes
        for row in (0, 2, 4)
    ]
    count, data = len(strips), b"".join(strips)
    tags = [
        *((256, 4, 1, 8), (257, 4, 1, 5), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, count, 0), (277, 3, 1, 3), (278, 4, 1, 2), (279, 4, count, 0), (284, 3, 1, 2)),
    ]
    start = 8 + 2 + 12 * len(tags) + 4
    behind = struct.pack("<3H2x", 8, 8, 8)
    offsets = start + len(behind)
    first = offsets + 8 * count
    behind += struct.pack(f"<{count}I", *(first + 16 * i for i in range(count)))
    behind += struct.pack(f"<{count}I", *[16] * count)
    places = {258: start, 273: offsets, 279: offsets + 4 * count}
    entries = b"".join(struct.pack("<HHII", *tag[:3], places.get(tag[0], tag[3])) for tag in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    path = tmp_path / "a.tif"
    path.write_bytes(head + entries + bytes(4) + behind + data)
    np.testing.assert_array_equal(tifffile.imread(path), planes)
    with open_image(path) as image:
        found = [image.frame(0, channel) for channel in range(3)]
    np.testing.assert_array_equal(found, planes)


@pytest.mark.parametrize("compression", ["zlib", "zstd", "lzma"])
def test_blank_frames_and_masks_are_no_damage(compression: str, tmp_path: Path) -> None:
    """A nearly empty mask and a blank frame take few bytes, however large they are."""
    mask = np.zeros((1024, 1024), bool)
    mask[5:15, 5:15] = True
    for name, pixels in {"mask": mask, "blank": np.zeros((2048, 2048), np.uint16)}.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, pixels, compression=compression)
        with open_image(path) as image:
            np.testing.assert_array_equal(image.frame(0), pixels)
