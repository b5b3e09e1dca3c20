"""TIFF files of several images, and when and where microscopes say that planes were taken."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from livewell.errors import ImageReadError
from livewell.images.listing import find_images
from livewell.images.opening import open_image
from livewell.images.tiff.reader import TiffImage, fields

PLANES = np.random.default_rng(5).integers(1, 60000, (12, 24, 32), dtype=np.uint16)


def ome(path: Path, counts: tuple[int, ...], **said: Any) -> Path:
    with tifffile.TiffWriter(path, ome=True) as file:
        for i, count in enumerate(counts):
            metadata = {"axes": "TYX", "Name": f"Pos{i}", **said}
            file.write(PLANES[i : i + count], photometric="minisblack", metadata=metadata)
    return path


def test_every_image_of_an_ome_tiff_is_a_field(tmp_path: Path) -> None:
    """Images of a file have names in their order, and each has its own planes and no doubts."""
    path = ome(tmp_path / "a.ome.tif", (3, 2, 3))
    assert fields(path) == ("Pos0", "Pos1", "Pos2")
    for i, frames in enumerate((3, 2, 3)):
        image = TiffImage(path, f"Pos{i}")
        assert image.header.shape == (frames, 1, 24, 32)
        for t in range(frames):
            np.testing.assert_array_equal(image.frame(t), PLANES[i + t])
        assert image.header.notes == ()
        assert any("of other images" in line for line in image.header.account)
        image.close()


def test_fields_of_packed_files_come_through_the_door(tmp_path: Path) -> None:
    """Fields are listed behind their file's name, and are decoded where packed frames are."""
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for i in range(2):
            metadata = {"axes": "TYX", "Name": f"Pos{i}"}
            file.write(PLANES[3 * i : 3 * i + 3], metadata=metadata, compression="zlib")
    assert list(find_images(tmp_path).files) == ["a.ome.tif/Pos0", "a.ome.tif/Pos1"]
    with open_image(path / "Pos1") as image:
        np.testing.assert_array_equal(image.frame(2), PLANES[5])
    with pytest.raises(ImageReadError, match="no field 'Pos7'"):
        open_image(path / "Pos7")


def test_names_that_do_not_tell_images_apart_get_numbers(tmp_path: Path) -> None:
    """Fields are unique, also where images are all called the same; one image is no field."""
    path = ome(tmp_path / "a.ome.tif", (3, 3), Name="A/B")
    assert fields(path) == ("A/B", "A/B 2")
    assert fields(ome(tmp_path / "b.ome.tif", (3,))) == ()


def test_what_to_ask_for_is_said(tmp_path: Path) -> None:
    """A file of several images is refused with the names that it may be asked for."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for size in (24, 24, 20, 20):
            file.write(PLANES[0, :size], metadata=None)
    with pytest.raises(ImageReadError, match="2 images") as error:
        TiffImage(path)
    assert "a.tif/1" in error.value.expected
    image = TiffImage(path, "2")
    assert image.header.shape == (2, 1, 20, 32)
    image.close()
    with pytest.raises(ImageReadError, match="no field '7'"):
        TiffImage(path, "7")


def test_a_damaged_position_spoils_no_other(tmp_path: Path) -> None:
    """Only the position whose pixels are gone is refused."""
    path = ome(tmp_path / "a.ome.tif", (2, 2))
    with tifffile.TiffFile(path) as file:
        at = file.pages.get(3).tags[273].offset + 8
    whole = bytearray(path.read_bytes())
    whole[at : at + 4] = struct.pack("<I", 2**31)
    path.write_bytes(whole)
    TiffImage(path, "Pos0").close()
    with pytest.raises(ImageReadError, match="page 3"):
        TiffImage(path, "Pos1")


def test_times_and_stage_of_ome(tmp_path: Path) -> None:
    """Times of planes become seconds from the first, the stage micrometres, in any unit."""
    plane = {
        "DeltaT": [10.0, 11.5, 14.0], "DeltaTUnit": ["min"] * 3,
        "PositionX": [0.25] * 3, "PositionXUnit": ["mm"] * 3,
        "PositionY": [-1.5] * 3, "PositionYUnit": ["mm"] * 3,
    }  # fmt: skip
    image = TiffImage(ome(tmp_path / "a.ome.tif", (3,), Plane=plane))
    assert image.header.times_s == (0.0, 90.0, 240.0)
    assert image.header.stage_um == (-1500.0, 250.0)
    assert image.header.frame_s == 120.0
    assert any("unevenly" in note for note in image.header.notes)
    image.close()


@pytest.mark.parametrize("unit", [None, "reference frame"])
def test_a_stage_without_a_unit_is_not_taken(unit: str | None, tmp_path: Path) -> None:
    """A stage position whose unit is not said is noted, and no position is made of it."""
    plane = {"PositionX": [7.0] * 2, "PositionY": [8.0] * 2}
    if unit:
        plane |= {"PositionXUnit": [unit] * 2, "PositionYUnit": [unit] * 2}  # type: ignore[dict-item]
    image = TiffImage(ome(tmp_path / "a.ome.tif", (2,), Plane=plane))
    assert image.header.stage_um is None
    assert any("without a unit" in note for note in image.header.notes)
    assert image.header.times_s is None
    image.close()


Write = Callable[..., Path]


def mm_stack(path: Path, where: list[tuple[int, int, int, int]], **page: Any) -> Path:
    """A stack as Micro-Manager writes it: index map, summary, and metadata of every page."""
    summary = json.dumps({"ChNames": ["BF", "GFP"], "PixelSize_um": 0.65, "Interval_ms": 0})
    data = bytearray(struct.pack("<2sHI", b"II", 42, 0))
    data += struct.pack("<8I", 54773648, 0, 0, 0, 0, 0, 2355492, len(summary)) + summary.encode()
    data += b" " * (len(data) % 2)
    starts, link = [], 4
    for i, (_, _, t, p) in enumerate(where):
        text = json.dumps(
            {"PositionName": f"B{p + 2}-Site_{p}", "ElapsedTime-ms": 1000.0 * t * (p + 1) + 5,
             "XPositionUm": 100.0 * p, "YPositionUm": -3.5} | page
        ).encode() + b"\0"  # fmt: skip
        at = len(data)
        struct.pack_into("<I", data, link, at)
        starts.append(at)
        pixels = at + 2 + 11 * 12 + 4
        tags = [(256, 4, 1, 32), (257, 4, 1, 24), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
                (273, 4, 1, pixels), (277, 3, 1, 1), (278, 4, 1, 24), (279, 4, 1, 1536),
                (339, 3, 1, 1), (51123, 2, len(text), pixels + 1536)]  # fmt: skip
        data += struct.pack("<H", len(tags))
        for code, kind, many, value in tags:
            data += struct.pack("<HHII", code, kind, many, value)
        link = len(data)
        data += bytes(4) + PLANES[i].tobytes() + text + b"\0" * (len(text) % 2)
    struct.pack_into("<I", data, 12, len(data))
    data += struct.pack("<2I", 3453623, len(where))
    for (c, z, t, p), at in zip(where, starts, strict=True):
        data += struct.pack("<5I", c, z, t, p, at)
    path.write_bytes(data)
    return path


def test_positions_in_one_stack_of_micro_manager(tmp_path: Path) -> None:
    """Every position is a field with its own planes, times, stage, well and site."""
    where = [(c, 0, t, p) for t in range(3) for p in range(2) for c in range(2)]
    path = mm_stack(tmp_path / "x_MMStack.ome.tif", where)
    assert fields(path) == ("B2-Site_0", "B3-Site_1")
    for p, name in enumerate(fields(path)):
        image = TiffImage(path, name)
        header = image.header
        assert (header.shape, header.channels) == ((3, 2, 24, 32), ("BF", "GFP"))
        assert (header.well, header.position) == (f"B0{p + 2}", f"Site_{p}")
        assert header.times_s == (0.0, p + 1.0, 2 * (p + 1.0))
        assert (header.frame_s, header.stage_um) == (p + 1.0, (-3.5, 100.0 * p))
        for t in range(3):
            for c in range(2):
                np.testing.assert_array_equal(image.frame(t, c), PLANES[where.index((c, 0, t, p))])
        image.close()


def lsm(
    path: Path,
    stack: np.ndarray[Any, Any],
    scan: int,
    positions: int = 0,
    compression: str | None = None,
) -> Path:
    """A file as LSM microscopes write it: stack of (p, t, z, c, y, x), thumbnails in between."""
    _, frames, slices, channels, height, width = stack.shape
    names = [name.encode() + b"\0" for name in ("T-PMT", "Ch2")[:channels]]
    block = b"".join(struct.pack("<I", len(name)) + name for name in names)
    colours = struct.pack("<6I", 24 + 4 * channels + len(block), channels, channels, 24,
                          24 + 4 * channels, 0) + bytes(4 * channels) + block  # fmt: skip
    times = [5.0 + 2.0 * t for t in range(frames)]
    stamps = struct.pack(f"<2i{frames}d", 8 + 8 * frames, frames, *times)
    places = struct.pack("<I", positions) + b"".join(
        struct.pack("<3d", 1e-3 * p, -2e-3, 0.0) for p in range(positions)
    )
    known = np.dtype(tifffile.TIFF.CZ_LSMINFO)
    record = np.zeros((), known)
    record["MagicNumber"], record["StructureSize"] = 67127628, known.itemsize
    for name, size in zip("XYZ", (width, height, slices), strict=True):
        record[f"Dimension{name}"], record[f"VoxelSize{name}"] = size, 0.3e-6
    record["DimensionChannels"], record["DimensionTime"] = channels, frames
    record["ScanType"], record["DimensionP"], record["TimeIntervall"] = scan, positions, 2.0
    blocks = {"ChannelColors": colours, "TimeStamps": stamps, "Positions": places}
    at = 8
    for name, data in blocks.items():
        record[f"Offset{name}"] = at if data else 0
        at += len(data) + len(data) % 2
    with tifffile.TiffWriter(path) as file:
        # the blocks follow the header, before the first page
        for data in blocks.values():
            file.filehandle.write(data + b"\0" * (len(data) % 2))
        for i, plane in enumerate(stack.reshape(-1, channels, height, width)):
            tags = [(34412, 1, known.itemsize, record.tobytes(), True)] if i == 0 else []
            file.write(plane if channels > 1 else plane[0], photometric="minisblack", metadata=None,
                       planarconfig="separate" if channels > 1 else None, extratags=tags,
                       subfiletype=0, contiguous=False, compression=compression)  # fmt: skip
            thumb = np.zeros((height // 4, width // 4, 3), np.uint8)
            file.write(thumb, photometric="rgb", subfiletype=1, metadata=None, contiguous=False)
    if channels == 2:
        bits_elsewhere(path)
    return path


def tag_values(data: bytes, code: int) -> list[tuple[int, int]]:
    """Of every page that has a tag: where its value stands, and how many values it has."""
    at, found = struct.unpack_from("<I", data, 4)[0], []
    while at:
        (count,) = struct.unpack_from("<H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            number, _, many = struct.unpack_from("<HHI", data, entry)
            if number == code:
                found.append((entry + 8, many))
        (at,) = struct.unpack_from("<I", data, at + 2 + 12 * count)
    return found


def bits_elsewhere(path: Path) -> None:
    """Of two channels the bits stand behind, though they have room in the tag."""
    data = bytearray(path.read_bytes())
    for at, many in tag_values(data, 258):
        if many == 2:
            bits = data[at : at + 4]
            struct.pack_into("<I", data, at, len(data))
            data += bits
    path.write_bytes(data)


def test_lsm_time_series(tmp_path: Path) -> None:
    """Axes, names, scale, times and planes of an LSM file are those that tifffile finds."""
    stack = PLANES.reshape(1, 3, 2, 2, 24, 32)
    path = lsm(tmp_path / "a.lsm", stack, 6)
    with tifffile.TiffFile(path) as file:
        series, said = file.series[0], file.lsm_metadata or {}
        assert (series.axes, series.shape) == ("TZCYX", (3, 2, 2, 24, 32))
        second = series.asarray()
        np.testing.assert_array_equal(second, stack[0])
        assert said["ChannelColors"]["ColorNames"] == ["T-PMT", "Ch2"]
    image = TiffImage(path)
    header = image.header
    assert header.channels == ("T-PMT:z0", "T-PMT:z1", "Ch2:z0", "Ch2:z1")
    assert (header.shape, header.dtype) == ((3, 4, 24, 32), "uint16")
    assert header.pixel_um == pytest.approx(said["VoxelSizeX"] * 1e6)
    assert (header.frame_s, header.times_s) == (2.0, (0.0, 2.0, 4.0))
    for t in range(3):
        for c in range(2):
            for z in range(2):
                np.testing.assert_array_equal(image.frame(t, 2 * c + z), second[t, z, c])
    image.close()


def test_packed_lsm_files(tmp_path: Path) -> None:
    """Packed strips whose stated sizes are those without packing are read as they are."""
    stack = np.zeros((1, 3, 1, 1, 24, 32), np.uint16) + np.arange(3).reshape(1, 3, 1, 1, 1, 1)
    path = lsm(tmp_path / "a.lsm", stack.astype(np.uint16), 3, compression="lzw")
    data = bytearray(path.read_bytes())
    for at, _ in tag_values(data, 279)[::2]:
        struct.pack_into("<I", data, at, 24 * 32 * 2)
    path.write_bytes(data)
    image = TiffImage(path)
    for t in range(3):
        assert (image.frame(t) == t).all()
    image.close()


def test_positions_of_lsm(tmp_path: Path) -> None:
    """Positions of an LSM file are fields with the place of the stage."""
    stack = PLANES[:6].reshape(3, 2, 1, 1, 24, 32)
    path = lsm(tmp_path / "a.lsm", stack, 3, 3)
    assert fields(path) == ("position 0", "position 1", "position 2")
    image = TiffImage(path, "position 2")
    assert image.header.shape == (2, 1, 24, 32)
    assert image.header.stage_um == pytest.approx((-2000.0, 2000.0))
    np.testing.assert_array_equal(image.frame(1), stack[2, 1, 0, 0])
    image.close()


def test_scans_that_are_no_images(tmp_path: Path) -> None:
    """A line scan over time is refused, never shown as an image of x and y."""
    path = lsm(tmp_path / "a.lsm", PLANES[:1].reshape(1, 1, 1, 1, 24, 32), 2)
    with pytest.raises(ImageReadError, match="scan of lines"):
        TiffImage(path)
