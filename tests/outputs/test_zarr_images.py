"""Images become OME-Zarr that is valid and holds every pixel as it was."""

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.image import Header
from livewell.outputs import zarr_levels
from livewell.outputs.zarr_images import Stack, write_image
from livewell.outputs.zarr_levels import factors_of, mean_of_four
from livewell.outputs.zarr_metadata import read_group


@dataclass
class Pixels:
    """An image in memory."""

    values: np.ndarray
    header: Header
    source: str = "memory"

    def frame(self, t, channel=0):
        return self.values[t, channel]

    def close(self):
        pass


def image_of(values, channels=None, **known):
    """An image of values (t, c, y, x)."""
    names = channels or tuple(f"channel {c}" for c in range(values.shape[1]))
    header = Header(len(values), tuple(names), *values.shape[2:], values.dtype.name, **known)
    return Pixels(values, header)


TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "float16"]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 99),
    st.tuples(*[st.integers(1, 3)] * 3, *[st.integers(1, 40)] * 2),
    st.sampled_from(TYPES),
    st.sampled_from([None, 0.325]),
    st.sampled_from([None, 30.0]),
    st.sampled_from(["0.4", "0.5"]),
)
def test_every_image_is_valid_and_bit_equal(seed, shape, dtype, pixel_um, frame_s, version):
    """Whatever axes, type and scale: the store is valid, level 0 equal, nothing unknown is said."""
    t, c, z, *plane = shape
    drawn = np.random.default_rng(seed).bytes(np.dtype(dtype).itemsize * np.prod(shape))
    values = np.frombuffer(drawn, dtype).reshape(t, c * z, *plane)
    names = [f"c{n}:z{m}" if z > 1 else f"c{n}" for n in range(c) for m in range(z)]
    image = image_of(values, names, pixel_um=pixel_um, frame_s=frame_s)
    with tempfile.TemporaryDirectory() as folder:
        write_image(Path(folder), image, "a", version, {"well": "B03"})
        yaozarrs.validate_zarr_store(folder)
        found = zarr.open_group(folder, mode="r")["0"][:]
        _, said = read_group(Path(folder))
    axes = "tczyx" if z > 1 else "tcyx"
    assert found.dtype == values.dtype
    assert found.tobytes() == values.tobytes()
    ome = said["ome"] if version == "0.5" else said
    (scales,) = ome["multiscales"]
    assert [axis["name"] for axis in scales["axes"]] == list(axes)
    units = {axis["name"]: axis.get("unit") for axis in scales["axes"]}
    scale = scales["datasets"][0]["coordinateTransformations"][0]["scale"]
    scale = dict(zip(axes, scale, strict=True))
    assert (units["x"], scale["x"]) == (("micrometer", 0.325) if pixel_um else (None, 1.0))
    assert (units["t"], scale["t"]) == (("second", 30.0) if frame_s else (None, 1.0))
    assert [each["label"] for each in ome["omero"]["channels"]] == [f"c{n}" for n in range(c)]
    assert said["livewell"]["well"] == "B03"


def test_levels_go_down_to_small_images_and_say_how(tmp_path):
    """Each level is the mean of the one before, lies where its pixels lie, and says how."""
    values = np.random.default_rng(0).integers(0, 4000, (2, 1, 1030, 2051)).astype(np.uint16)
    write_image(tmp_path, image_of(values, pixel_um=0.5), "a", "0.5", {})
    group = zarr.open_group(tmp_path, mode="r")
    levels = [group[str(n)][:] for n in range(4)]
    assert [level.shape[2] for level in levels] == [1030, 515, 258, 129]
    assert [level.shape[3] for level in levels] == [2051, 1026, 513, 257]
    assert all(np.array_equal(mean_of_four(a), b) for a, b in pairwise(levels))
    (scales,) = read_group(tmp_path)[1]["ome"]["multiscales"]
    assert scales["type"] == "mean"
    (scale, translation) = scales["datasets"][2]["coordinateTransformations"]
    # the centre of the first pixel of level 2 lies between the second and third pixel of level 0
    assert scale["scale"] == [1, 1, 2.0, 2.0]
    assert translation["translation"] == [0, 0, 0.75, 0.75]


@pytest.mark.parametrize("dtype", [*TYPES, "uint64", "int64", "bool"])
def test_means_stay_in_the_type_and_are_rounded(dtype):
    """A mean of numbers is the nearest of their type, without overflow, at edges too."""
    rng = np.random.default_rng(1)
    if dtype == "bool":
        values = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0]], bool)
        assert mean_of_four(values).tolist() == [[False, True], [True, False]]
        return
    if dtype.startswith("f"):
        values = rng.normal(size=(5, 7)).astype(dtype)
    else:
        info = np.iinfo(dtype)
        values = rng.integers(info.max - 100, info.max, (5, 7), dtype=dtype, endpoint=True)
    found = mean_of_four(values)
    assert found.dtype == values.dtype
    assert found.shape == (3, 4)
    for y, x in np.ndindex(found.shape):
        cell = [v.item() for v in values[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel()]
        off = abs(sum(cell) - len(cell) * found[y, x].item())
        assert off <= (len(cell) / 2 if not dtype.startswith("f") else 1e-2)


def test_planes_share_shards_so_that_files_stay_few(tmp_path, monkeypatch):
    """Many planes are one file, up to a size; more are several files, and all come back."""
    values = np.random.default_rng(0).integers(0, 9, (5, 2, 20, 30)).astype(np.uint8)
    for most, files in ((2**20, 1), (2 * 2 * 600, 3), (600, 10), (1, 10)):
        monkeypatch.setattr(zarr_levels, "SHARD_BYTES", most)
        folder = tmp_path / str(most)
        write_image(folder, image_of(values), "a", "0.5", {})
        assert len([p for p in (folder / "0" / "c").rglob("*") if p.is_file()]) == files
        assert np.array_equal(zarr.open_group(folder, mode="r")["0"][:], values)


def test_large_planes_are_cut_into_even_chunks(tmp_path):
    """A chunk is about 1024 px, and the last is not a sliver."""
    values = np.zeros((1, 1, 2160, 2560), np.uint8)
    write_image(tmp_path, image_of(values), "a", "0.5", {})
    level = zarr.open_group(tmp_path, mode="r")["0"]
    assert level.chunks == (1, 1, 1080, 1280)
    assert level.shards == (1, 1, 2160, 2560)
    assert factors_of(2160, 2560) == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    ("names", "axes", "channels"),
    [
        (["z0", "z1"], "tczyx", ("channel 0",)),
        (["a:z0", "b:z0", "a:z1", "b:z1"], "tczyx", ("a", "b")),
        (["a:z0", "a:z1", "b:z0"], "tcyx", ("a:z0", "a:z1", "b:z0")),
        (["z1", "z2"], "tcyx", ("z1", "z2")),
        (["z0"], "tcyx", ("z0",)),
        (["z0", "phase"], "tcyx", ("z0", "phase")),
    ],
)
def test_slices_become_an_axis_only_where_all_channels_are_slices(names, axes, channels):
    """Names of slices give a z axis back; what is no whole stack stays as it is."""
    found = Stack.of(names)
    assert (found.axes, found.channels) == (axes, channels)
    assert sorted(sum(found.numbers, ())) == list(range(len(names)))


def test_a_damaged_chunk_is_refused(tmp_path):
    """A flipped byte is an error of the checksum, never other pixels."""
    values = np.random.default_rng(0).integers(0, 9, (1, 1, 64, 64)).astype(np.uint8)
    write_image(tmp_path, image_of(values), "a", "0.5", {})
    (shard,) = (p for p in (tmp_path / "0" / "c").rglob("*") if p.is_file())
    raw = bytearray(shard.read_bytes())
    raw[len(raw) // 2] ^= 0x10
    shard.write_bytes(raw)
    with pytest.raises(Exception, match=r"(?i)checksum|corrupt|decompress|match"):
        zarr.open_group(tmp_path, mode="r")["0"][:]
