"""Damaged PNG and JPEG files: never read as whole."""

import io
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter

from livewell.errors import ImageReadError
from livewell.images.jpeg import refuse_spoilt
from livewell.images.opening import open_image, read_header
from livewell.images.png import MAGIC

RNG = np.random.default_rng(17)
GREY = np.clip(128 + 200 * gaussian_filter(RNG.normal(size=(96, 88)), 2), 0, 255).astype("u1")
DEEP = (GREY.astype("u2") * 200 + RNG.integers(0, 200, GREY.shape)).astype("u2")
COLOUR = np.dstack([GREY, GREY[::-1], np.roll(GREY, 9, 1)])


def encoded(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


JPEGS = {
    "baseline": encoded(GREY, "jpeg", quality=90),
    "progressive": encoded(GREY, "jpeg", quality=90, progressive=True),
    "colour": encoded(COLOUR, "jpeg", quality=90),
    "restarts": encoded(GREY, "jpeg", quality=90, restart_marker_blocks=7),
}
PNGS = {
    "8 bits": encoded(GREY, "png", dpi=(96, 96)),
    "16 bits": imagecodecs.png_encode(DEEP),
    "colour": encoded(COLOUR, "png"),
    "palette": encoded(np.asarray(Pillow.fromarray(GREY).convert("P")), "png"),
}


def frames(path: Path) -> list[np.ndarray]:
    with open_image(path) as image:
        return [image.frame(0, c) for c in range(len(image.header.channels))]


def scan(data: bytes) -> int:
    """Where the first scan's data begin."""
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def stated(data: bytes, height: int) -> bytes:
    """The same JPEG with another height in its header."""
    at = next(data.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in data) + 5
    return data[:at] + height.to_bytes(2, "big") + data[at + 2 :]


def middle(data: bytes) -> int:
    return (scan(data) + len(data)) // 2


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "half of it and the end mark": lambda d: d[: middle(d)] + b"\xff\xd9",
    "height 400 of 96 rows": lambda d: stated(d, 400),
    "height 48 of 96 rows": lambda d: stated(d, 48),
    "300 bytes deleted": lambda d: d[: middle(d)] + d[middle(d) + 300 :],
    "40 strange bytes": lambda d: d[: middle(d)] + bytes(40) + d[middle(d) :],
    "without the end mark": lambda d: d[:-2],
    "last byte of its data lost": lambda d: d[:-3] + d[-2:],
}


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_jpeg(
    kind: str, damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Row M4: a JPEG of whose scan something is missing is refused, and nothing is printed."""
    (tmp_path / "a.jpg").write_bytes(DAMAGE[damage](JPEGS[kind]))
    with pytest.raises(ImageReadError, match=r"a\.jpg: damaged"):
        frames(tmp_path / "a.jpg")
    assert capfd.readouterr().err == ""


def test_forty_bytes_deleted(tmp_path: Path) -> None:
    """Row M4: most JPEGs without 40 bytes are refused; what stays is whole by all its marks."""
    data, refused = JPEGS["baseline"], 0
    for at in range(scan(data), len(data) - 42, 40):
        (tmp_path / "a.jpg").write_bytes(data[:at] + data[at + 40 :])
        try:
            frames(tmp_path / "a.jpg")
        except ImageReadError:
            refused += 1
    assert refused > 0.8 * len(range(scan(data), len(data) - 42, 40))


def test_whole_jpegs(tmp_path: Path) -> None:
    """Whole JPEGs of every kind come as another library reads them; what follows does no harm."""
    for kind, data in JPEGS.items():
        (tmp_path / "a.jpg").write_bytes(data + b"a trailer of a camera")
        expected = imagecodecs.jpeg_decode(data).reshape(*GREY.shape, -1)
        for c, frame in enumerate(frames(tmp_path / "a.jpg")):
            np.testing.assert_array_equal(frame, expected[..., c], err_msg=kind)


def test_jpeg_of_12_bits_is_noted(tmp_path: Path) -> None:
    """A JPEG of a kind that is not checked for damage is read, and a note says so."""
    deep = DEEP >> 4
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg8_encode(deep, bitspersample=12, level=100))
    header = read_header(tmp_path / "a.jpg")
    assert header.dtype == "uint16"
    assert any("cannot tell whether" in note for note in header.notes)
    assert np.abs(frames(tmp_path / "a.jpg")[0].astype(int) - deep).mean() < 5


def test_jpeg_inside_another_file() -> None:
    """A strip with its tables apart is whole with them, and spoilt where its end is missing."""
    data = JPEGS["baseline"]
    at = data.index(b"\xff\xc0")
    tables, stream = data[:at] + b"\xff\xd9", data[:2] + data[at:]
    refuse_spoilt(data)
    refuse_spoilt(stream, tables)
    with pytest.raises(ValueError, match="premature end"):
        refuse_spoilt(stream[:-200] + b"\xff\xd9", tables)


def chunk(kind: bytes, content: bytes) -> bytes:
    total = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + total


def png(rows: bytes, *others: bytes) -> bytes:
    """A grey PNG of 8 x 8 px, its sums right whatever its rows are."""
    header = chunk(b"IHDR", bytes((0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0)))
    return MAGIC + header + b"".join(others) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + bytes(range(y, y + 8)) for y in range(8))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (zlib.compress(ROWS + ROWS), "fewer or more"),
        (zlib.compress(ROWS[:-9]), "fewer"),
        (zlib.compress(ROWS)[:-1], "fewer or more"),
        (zlib.compress(ROWS)[:-1] + b"\0", "spoilt"),
    ],
    ids=["more rows", "fewer rows", "cut", "wrong sum"],
)
def test_png_of_another_size(
    rows: bytes, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Row L17: more or fewer pixels than the header says, or a wrong sum, are an error."""
    (tmp_path / "a.png").write_bytes(png(rows))
    with pytest.raises(ImageReadError, match=f"damaged.*{message}"):
        frames(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


def test_damage_beside_the_pixels(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A PNG whose text is spoilt, or whose colour profile is odd, is read; spoilt text is noted."""
    text = bytearray(chunk(b"tEXt", b"Comment\0well A1"))
    text[-6] ^= 1
    profile = chunk(b"iCCP", b"odd\0\0" + zlib.compress(b"no profile"))
    (tmp_path / "a.png").write_bytes(png(zlib.compress(ROWS) + b"x", bytes(text), profile))
    (frame,) = frames(tmp_path / "a.png")
    np.testing.assert_array_equal(frame, np.add.outer(np.arange(8), np.arange(8)))
    assert any("beside its pixels" in note for note in read_header(tmp_path / "a.png").notes)
    assert capfd.readouterr().err == ""


def interlaced(pixels: np.ndarray) -> bytes:
    """A grey PNG of 8 bits in the seven passes of Adam7."""
    height, width = pixels.shape
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4))
    passes += ((2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in passes]
    rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    header = chunk(b"IHDR", size + bytes((8, 0, 0, 0, 1)))
    return MAGIC + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(96, 88), (1, 1), (3, 2), (5, 9)])
def test_interlaced_png(size: tuple[int, int], tmp_path: Path) -> None:
    """An interlaced PNG of any size comes whole."""
    pixels = GREY[: size[0], : size[1]]
    (tmp_path / "a.png").write_bytes(interlaced(pixels))
    np.testing.assert_array_equal(frames(tmp_path / "a.png")[0], pixels)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """One change as disks, networks and programs make them."""
    at, length = int(rng.integers(8, len(data))), int(rng.integers(1, 80))
    there = data[at : at + length]
    changes = (
        bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :],
        b"",
        data[-12:],
        data[at + length :],
        data[at + 1 :],
        rng.bytes(length) + data[at:],
        bytes(len(there)) + data[at + length :],
        there + data[at:],
    )
    return data[:at] + changes[int(rng.integers(len(changes)))]


@pytest.mark.parametrize("kind", PNGS)
def test_no_mutated_png_is_silently_wrong(kind: str, tmp_path: Path) -> None:
    """Of 300 changed PNGs each is refused by name or gives the pixels that it had."""
    path, rng, came = tmp_path / "a.png", np.random.default_rng(4), Counter[str]()
    path.write_bytes(PNGS[kind])
    whole = frames(path)
    for _ in range(300):
        path.write_bytes(mutated(PNGS[kind], rng))
        try:
            np.testing.assert_array_equal(frames(path), whole)
            came["right"] += 1
        except ImageReadError as error:
            came["named" if str(path) in str(error) else "unnamed"] += 1
    assert came["named"] > 150
    assert not came["unnamed"]


@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_damaged_jpeg_in_a_tiff(pixels: np.ndarray, tmp_path: Path) -> None:
    """Row M4: strips of JPEG in a TIFF are read whole, and refused where one is spoilt."""
    path = tmp_path / "a.tif"
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, compression="jpeg", photometric=photometric, rowsperstrip=32)
    assert frames(path)[0].shape == GREY.shape
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        at, count = page.dataoffsets[1], page.databytecounts[1]
    data = bytearray(path.read_bytes())
    data[at + count // 2 : at + count - 2] = bytes(count - 2 - count // 2)
    path.write_bytes(bytes(data))
    with pytest.raises(ImageReadError, match="part 1 of page 0 is no whole JPEG"):
        frames(path)
