"""Which page is which plane: of files that can be written, and of those that are damaged."""

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import ImageReadError, LivewellError
from livewell.image import Header
from livewell.images.opening import open_image
from livewell.images.tiff.choice import choose
from livewell.images.tiff.flavours import statements
from livewell.images.tiff.ifd import TiffBytes
from livewell.images.tiff.layout import lay_out
from livewell.images.tiff.statement import Statement

FLAVOURS = {
    "ome": {"ome": True},
    "imagej": {"imagej": True},
    "shaped": {},
    "big": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
}
STORED = st.sampled_from(
    [
        {},
        {"rowsperstrip": 5},
        {"tile": (16, 32)},
        {"compression": "zlib", "rowsperstrip": 3},
        {"compression": "lzw", "predictor": True},
        {"compression": "packbits"},
        {"compression": "zstd", "tile": (16, 16), "predictor": True},
        {"compression": "lzma"},
    ]
)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 3),
    order=st.permutations("TCZ"),
    dtype=st.sampled_from(["u1", "u2", "i2", "u4", "f4"]),
    flavour=st.sampled_from(sorted(FLAVOURS)),
    stored=STORED,
)
def test_every_plane_is_the_one_that_was_written(
    sizes: tuple[int, int, int],
    order: list[str],
    dtype: str,
    flavour: str,
    stored: dict[str, object],
) -> None:
    """Whatever the axes, types and compression, each plane comes back, and never another one."""
    size = dict(zip("TCZ", sizes, strict=True))
    if flavour == "imagej":
        order, stored = list("TZC"), {}
        dtype = {"i2": "u2", "u4": "f4"}.get(dtype, dtype)
    shape = (*(size[letter] for letter in order), 20, 35)
    planes = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        tifffile.imwrite(
            path,
            planes,
            photometric="minisblack",
            metadata={"axes": "".join(order) + "YX"},
            **FLAVOURS[flavour],
            **stored,
        )
        with open_image(path) as image:
            assert image.header.shape == (size["T"], size["C"] * size["Z"], 20, 35)
            for t, c, z in np.ndindex(*sizes):
                at = dict(zip("TCZ", (t, c, z), strict=True))
                expected = planes[tuple(at[letter] for letter in order)]
                found = image.frame(t, c * size["Z"] + z)
                assert found.dtype == expected.dtype.newbyteorder("=")
                np.testing.assert_array_equal(found, expected)


def _written(folder: Path, name: str, data: np.ndarray, **options: object) -> bytes:
    path = folder / name
    tifffile.imwrite(path, data, **{"photometric": "minisblack", "metadata": None} | options)
    return path.read_bytes()


def _read(path: Path) -> tuple[Header, list[np.ndarray]]:
    with open_image(path) as image:
        frames, channels, _, _ = image.header.shape
        return image.header, [
            image.frame(t, c).copy() for t in range(frames) for c in range(channels)
        ]


def _pixels(path: Path) -> set[int]:
    """Places of pixels, where a change of a byte cannot be seen by anyone."""
    found: set[int] = set()
    for page in TiffBytes(path).pages():
        page.file.handle.close()
        for at, size in zip(page.offsets, page.counts, strict=True):
            found.update(range(at, at + size))
    return found


def test_no_damage_is_read_without_a_word(tmp_path: Path) -> None:
    """Of hundreds of files with a byte changed, cut or left out, none gives other pixels unsaid."""
    data = np.random.default_rng(1).integers(1, 60000, (4, 2, 24, 32), dtype=np.uint16)
    files = {
        "ome": _written(tmp_path, "ome", data, ome=True, metadata={"axes": "TCYX"}),
        "imagej": _written(tmp_path, "ij", data, imagej=True, metadata={"axes": "TCYX"}),
        "shaped": _written(tmp_path, "s", data[:, 0], metadata={"axes": "TYX"}),
        "plain": _written(tmp_path, "p", data[:, 0]),
        "tiles": _written(tmp_path, "t", data[0, 0], tile=(16, 16), compression="zlib"),
        "big": _written(tmp_path, "b", data[:, 0], bigtiff=True, byteorder=">"),
    }
    path = tmp_path / "changed.tif"
    draw = random.Random(0)
    seen = 0
    for whole in files.values():
        path.write_bytes(whole)
        header, planes = _read(path)
        places = sorted(set(range(len(whole))) - _pixels(path))
        for _ in range(120):
            changed = bytearray(whole)
            at = draw.choice(places)
            how = draw.randrange(4)
            if how < 2:
                changed[at] ^= 1 << draw.randrange(8)
            elif how == 2:
                del changed[at : at + draw.choice([1, 2, 12])]
            else:
                del changed[draw.randrange(len(whole)) :]
            path.write_bytes(changed)
            try:
                other, read = _read(path)
            except LivewellError:
                continue
            same = len(read) == len(planes) and all(map(np.array_equal, read, planes))
            assert same or set(other.notes) - set(header.notes), f"byte {at}, change {how}"
            seen += same
    assert seen > 50


def test_layout_needs_no_pixels(tmp_path: Path) -> None:
    """A layout is made of pages and statements alone, and says who named the order."""
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 4, 5), np.uint8), metadata=None)
    file = TiffBytes(tmp_path / "a.tif")
    pages = file.pages()
    said = Statement("the notebook", (("C", 2), ("T", 3)))
    layout = lay_out(pages, choose(pages, [said]))
    assert (layout.frames, layout.channels, layout.slices) == (3, 2, 1)
    assert [layout.plane(t, c, 0)[1] for t in range(3) for c in range(2)] == [0, 3, 1, 4, 2, 5]
    assert layout.account[-1] == "sure: the notebook and the pages agree"
    guess = lay_out(pages, choose(pages, statements(pages)))
    assert guess.account[-1].startswith("a guess")
    with pytest.raises(ImageReadError, match="cannot be told"):
        lay_out(pages, choose(pages, [Statement("the notebook", (("C", 4), ("T", 3)))]))
    file.handle.close()
