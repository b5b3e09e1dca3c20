"""Small images of every kind that livewell reads, made by the libraries, and some real ones."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Pillow
from scipy import ndimage

REAL = Path(__file__).parents[3] / "shared" / "formats"
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Source:
    """A file (or the middle file of a folder of frames), with its pixels (t, c, y, x) if known."""

    name: str
    data: bytes
    pixels: Pixels | None
    beside: dict[str, bytes] = field(default_factory=dict)

    @property
    def suffix(self) -> str:
        """What its name ends in."""
        return "".join(Path(self.name).suffixes)


def sources() -> list[Source]:
    """All of them, always in the same order."""
    return [*_plain_tiffs(), *_stacks(), _stk(), *_plain(), _folder(), *_real()]


def _picture(dtype: str = "uint16", shape: tuple[int, ...] = (48, 40)) -> Pixels:
    """Soft blobs with some noise, so that codecs have something to do."""
    rng = np.random.default_rng(len(shape))
    soft = ndimage.gaussian_filter(rng.normal(size=shape), [0] * (len(shape) - 2) + [4, 4])
    grey = 120 + 30 * soft / soft.std() + rng.normal(0, 2, shape)
    scale = {"uint8": 1, "uint16": 200, "uint32": 20000, "int16": 100, "float32": 1.5}[dtype]
    return np.asarray(np.clip(grey, 0, 250) * scale).astype(dtype)


def _tiff(name: str, array: Pixels, axes: str, **how: Any) -> Source:
    """By tifffile; `axes` say how `array` becomes (t, c, y, x)."""
    file = io.BytesIO()
    tifffile.imwrite(file, array, **{"photometric": "minisblack", **how})
    full = array
    if how.get("compression") == "jpeg":  # loses detail: what stands there is what a decoder says
        full = tifffile.imread(io.BytesIO(file.getvalue()))
    if "S" in axes:
        full, axes = np.moveaxis(full, axes.index("S"), -3), "CYX"
    for axis in "TCZ":
        if axis not in axes:
            full, axes = full[None], axis + axes
    full = full.transpose([axes.index(axis) for axis in "TCZYX"])
    return Source(name, file.getvalue(), full.reshape(full.shape[0], -1, *full.shape[-2:]))


def _plain_tiffs() -> Iterator[Source]:
    for dtype in ("uint8", "uint16", "uint32", "int16", "float32"):
        yield _tiff(f"strips-{dtype}.tif", _picture(dtype), "YX", rowsperstrip=12, metadata=None)
    for codec in ("lzw", "deflate", "zstd", "packbits"):
        yield _tiff(f"{codec}.tif", _picture(), "YX", compression=codec, rowsperstrip=20)
        yield _tiff(
            f"{codec}-tiles.tif", _picture("uint8"), "YX", compression=codec, tile=(16, 16),
            metadata=None,
        )  # fmt: skip
    yield _tiff("lzw-predictor.tif", _picture(), "YX", compression="lzw", predictor=True)
    yield _tiff("jpeg.tif", _picture("uint8"), "YX", compression="jpeg", metadata=None)
    yield _tiff("tiles.btf", _picture(), "YX", bigtiff=True, tile=(16, 16))
    yield _tiff("big-endian.tif", _picture(), "YX", byteorder=">", rowsperstrip=16)
    rgb = _picture("uint8", (48, 40, 3))
    yield _tiff("rgb.tif", rgb, "YXS", photometric="rgb", rowsperstrip=16, metadata=None)


def _stacks() -> Iterator[Source]:
    named = {"PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65, "TimeIncrement": 600.0}
    two = named | {"Channel": {"Name": ["Phase", "PI"]}}
    for codec in (None, "deflate", "lzw"):
        movie = _picture("uint16", (3, 2, 32, 40))
        how = {"ome": True, "compression": codec, "rowsperstrip": 16}
        yield _tiff(f"tc-{codec}.ome.tif", movie, "TCYX", metadata={"axes": "TCYX", **two}, **how)
    slices = _picture("uint8", (2, 3, 32, 40))
    yield _tiff("cz.ome.tif", slices, "CZYX", ome=True, metadata={"axes": "CZYX", **two})
    yield _tiff("t.ome.btf", _picture("uint16", (4, 32, 40)), "TYX", ome=True, bigtiff=True,
                compression="zstd", tile=(16, 16), metadata={"axes": "TYX", **named})  # fmt: skip
    scale = {"resolution": (1 / 0.65, 1 / 0.65), "imagej": True}
    info = {"unit": "um", "finterval": 600.0}
    movie = _picture("uint16", (3, 2, 32, 40))
    yield _tiff("imagej-tc.tif", movie, "TCYX", metadata={"axes": "TCYX", **info}, **scale)
    yield _tiff("imagej-t.tif", movie[:, 0], "TYX", metadata={"axes": "TYX", **info}, **scale)
    yield _tiff("imagej-z.tif", movie[:, 0], "ZYX", metadata={"axes": "ZYX", **info}, **scale)
    yield _tiff("pages.tif", movie[:, 0], "TYX", metadata=None, compression="deflate")


def _stk() -> Source:
    """A MetaMorph stack: one IFD, planes one after another, UIC tags for scale and times."""
    movie = _picture("uint16", (3, 24, 32))
    uic2 = b"".join(struct.pack("<6I", 0, 1, 2457000, i * 30000, 2457000, 0) for i in range(3))
    start = 8 + 2 + 11 * 12 + 4
    x_at, unit_at = start + len(uic2), start + len(uic2) + 8
    uic1 = struct.pack("<8I", 3, 1, 4, x_at, 5, x_at, 6, unit_at)
    tags = [
        (256, 4, 1, 32), (257, 4, 1, 24), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, unit_at + 7 + len(uic1)), (277, 3, 1, 1), (278, 4, 1, 24),
        (279, 4, 1, 24 * 32 * 2), (33628, 4, 4, unit_at + 7), (33629, 5, 3, start),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    unit = struct.pack("<2I", 6450, 10000) + struct.pack("<I", 3) + b"um\0"
    return Source("metamorph.stk", head + uic2 + unit + uic1 + movie.tobytes(), movie[:, None])


def _plain() -> Iterator[Source]:
    for dtype in ("uint8", "uint16"):
        grey = _picture(dtype)
        yield Source(f"grey-{dtype}.png", imagecodecs.png_encode(grey), grey[None, None])
    rgb = _picture("uint8", (3, 48, 40))
    colour = np.ascontiguousarray(np.moveaxis(rgb, 0, -1))
    yield Source("rgb.png", imagecodecs.png_encode(colour), rgb[None])
    looked = Pillow.fromarray(_picture("uint8"), "P")
    looked.putpalette([i for i in range(256) for _ in range(3)])
    yield Source("palette.png", _saved(looked, "PNG"), _picture("uint8")[None, None])
    for name, picture, how in (
        ("baseline.jpg", _picture("uint8"), {}),
        ("progressive.jpg", _picture("uint8"), {"progressive": True}),
        ("rgb.jpg", colour, {}),
    ):
        data = _saved(Pillow.fromarray(picture), "JPEG", quality=90, **how)
        pixels = np.atleast_3d(imagecodecs.jpeg_decode(data))
        yield Source(name, data, np.moveaxis(pixels, -1, 0)[None])


def _saved(picture: Pillow.Image, form: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **how)
    return file.getvalue()


def _folder() -> Source:
    movie = _picture("uint16", (3, 32, 40))
    files = [_tiff("frame.tif", frame, "YX", metadata=None).data for frame in movie]
    return Source("t2.tif", files[1], movie[:, None], {"t1.tif": files[0], "t3.tif": files[2]})


def _real() -> Iterator[Source]:
    """Small real files; their pixels are those that livewell reads of the sound file."""
    for path in sorted(REAL.glob("*.tif*")) if REAL.is_dir() else ():
        if path.stat().st_size < 100_000:
            yield Source(path.name, path.read_bytes(), None)
