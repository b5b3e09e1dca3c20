"""OME-Zarr images and plates: what is read of them, and what is refused."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore

from livewell.errors import ImageReadError
from livewell.images.formats import place_of, reader_of
from livewell.images.listing import find_images, fingerprint
from livewell.images.opening import open_image
from livewell.workflows.index import index

AXES = {
    "t": {"name": "t", "type": "time", "unit": "second"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space", "unit": "micrometer"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "micrometer"},
}
STEP = {"t": 30.0, "c": 1.0, "z": 2.0, "y": 0.65, "x": 0.65}


def group(folder: Path, said: dict[str, Any], version: str) -> None:
    """A group with metadata of OME-Zarr."""
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.5":
        attributes = {"ome": {"version": "0.5"} | said}
        text = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        (folder / "zarr.json").write_text(json.dumps(text))
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(said))


def write(
    folder: Path, pixels: np.ndarray[Any, Any], axes: str, version: str = "0.5", **more: Any
) -> None:
    """An image with one level."""
    named = {} if version == "0.5" else {"version": "0.4"}
    step = {"type": "scale", "scale": [STEP[axis] for axis in axes]}
    level = {"path": "0", "coordinateTransformations": [step]}
    multiscale = named | {"axes": [AXES[axis] for axis in axes], "datasets": [level]}
    group(folder, {"multiscales": [multiscale | more.pop("multiscale", {})]} | more, version)
    chunks = (*(1 for _ in axes[:-2]), 16, 16)
    whole = (*(1 for _ in axes[:-2]), 32, 32)
    options: dict[str, Any] = {"shards": whole} if version == "0.5" else {"chunks": chunks}
    made = zarr.create_array(
        LocalStore(folder / "0"),
        shape=pixels.shape,
        dtype=pixels.dtype,
        zarr_format=3 if version == "0.5" else 2,
        **({"chunks": chunks} | options),
    )
    made[...] = pixels


def plate(root: Path, wells: list[str], fields: int = 2, version: str = "0.5") -> np.ndarray:
    """A plate of wells such as ``B/03``, each with fields 0, 1, ...; their pixels."""
    rows = sorted({well[0] for well in wells})
    columns = sorted({well[2:] for well in wells})
    listed = [
        {"path": well, "rowIndex": rows.index(well[0]), "columnIndex": columns.index(well[2:])}
        for well in wells
    ]
    said = {
        "rows": [{"name": row} for row in rows],
        "columns": [{"name": column} for column in columns],
        "wells": listed,
    }
    group(root, {"plate": said | {"version": version}}, version)
    for row in rows:
        group(root / row, {}, version)
    shape = (len(wells), fields, 1, 32, 32)
    pixels = np.random.default_rng(0).integers(1, 60_000, shape, dtype=np.uint16)
    for w, well in enumerate(wells):
        named = {} if version == "0.5" else {"version": "0.4"}
        images = [{"path": str(f)} for f in range(fields)]
        group(root / well, {"well": named | {"images": images}}, version)
        for f in range(fields):
            write(root / well / str(f), pixels[w, f], "cyx", version)
    return pixels


@pytest.mark.long
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.sampled_from(["yx", "cyx", "tyx", "zyx", "tcyx", "czyx", "tczyx", "ctyx"]),
    dtype=st.sampled_from(["uint8", "uint16", "int16", "float32", ">u2"]),
    version=st.sampled_from(["0.4", "0.5"]),
    seed=st.integers(0, 99),
)
def test_pixels_are_those_of_the_store(
    tmp_path: Path, axes: str, dtype: str, version: str, seed: int
) -> None:
    """Whatever axes, number type and version, every plane comes as it is, with its scale."""
    folder = tmp_path / "a.zarr"
    shutil.rmtree(folder, ignore_errors=True)
    random = np.random.default_rng(seed)
    sizes = {axis: int(random.integers(2, 4)) for axis in "tcz"} | {"y": 33, "x": 40}
    kind = np.dtype(dtype).newbyteorder("=") if version == "0.5" else np.dtype(dtype)
    pixels = random.integers(1, 120, [sizes[axis] for axis in axes]).astype(kind)
    write(folder, pixels, axes, version)
    with open_image(folder) as image:
        header = image.header
        full = np.expand_dims(pixels, [i for i, axis in enumerate("tczyx") if axis not in axes])
        if "ct" in axes:
            full = np.expand_dims(np.swapaxes(pixels, 0, 1), 2)
        assert header.shape == (full.shape[0], full.shape[1] * full.shape[2], 33, 40)
        for t in range(header.frames):
            for channel in range(len(header.channels)):
                c, z = divmod(channel, full.shape[2])
                np.testing.assert_array_equal(image.frame(t, channel), full[t, c, z])
        assert header.pixel_um == pytest.approx(0.65)
        assert header.frame_s == (30.0 if "t" in axes else None)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_every_field_of_a_plate_is_an_image(tmp_path: Path, version: str) -> None:
    """Fields are listed and indexed with plate, well and position, and opened one by one."""
    pixels = plate(tmp_path / "first.zarr", ["B/03", "B/04", "C/11"], version=version)
    found = find_images(tmp_path).files
    assert list(found)[:3] == ["first.zarr/B/03/0", "first.zarr/B/03/1", "first.zarr/B/04/0"]
    with open_image(found["first.zarr/C/11/1"]) as image:
        np.testing.assert_array_equal(image.frame(0), pixels[2, 1, 0])
        assert (image.header.plate, image.header.well) == ("first", "C11")
    table = index(tmp_path, tmp_path / "study").fields
    assert table["well"].tolist() == ["B03", "B03", "B04", "B04", "C11", "C11"]
    assert table["position"].tolist() == ["0", "1"] * 3
    assert set(table["plate"]) == {"first"}


def test_a_unit_takes_few_store_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field's version, header and pixels take the same few reads, whatever the plate's size."""
    counts = []
    read, get = Path.read_bytes, LocalStore.get
    for columns in (2, 40):
        root = tmp_path / f"{columns}.zarr"
        plate(root, [f"B/{column:02}" for column in range(1, columns + 1)], fields=1)
        count = [0]

        def counted(path: Path, count: list[int] = count) -> bytes:
            count[0] += 1
            return read(path)

        async def got(self: Any, *args: Any, count: list[int] = count, **named: Any) -> Any:
            count[0] += 1
            return await get(self, *args, **named)

        with monkeypatch.context() as watched:
            watched.setattr(Path, "read_bytes", counted)
            watched.setattr(LocalStore, "get", got)
            # the header here and, where a decoder reads pixels, once more there
            reader_of(root / "B/01/0")
            image = reader_of(root / "B/02/0")
            before = count[0]
            fingerprint(root / "B/02/0")
            image = reader_of(root / "B/02/0")
            again = reader_of(root / "B/02/0")
            again.frame(0)
        image.close()
        counts.append(count[0] - before)
    assert counts[0] == counts[1] <= 10


def test_the_version_of_a_field_is_that_of_its_own_files(tmp_path: Path) -> None:
    """A rewritten chunk changes it; other fields and labels beside the levels do not."""
    plate(tmp_path / "a.zarr", ["B/03", "B/04"], fields=1)
    field, other = tmp_path / "a.zarr/B/03/0", tmp_path / "a.zarr/B/04/0"
    before = fingerprint(field), fingerprint(other)
    group(field / "labels", {"labels": ["cells"]}, "0.5")
    assert fingerprint(field) == before[0]
    zarr.open_array(LocalStore(field / "0"), mode="r+")[0, 0, 0] = 7
    assert fingerprint(field) != before[0]
    assert fingerprint(other) == before[1]


def test_a_bad_field_stops_no_other(tmp_path: Path) -> None:
    """Wells that are missing, cut off or called otherwise are listed, and say what is wrong."""
    root = tmp_path / "a.zarr"
    plate(root, ["B/03", "B/04", "B/05", "B/06", "C/01"], fields=1, version="0.4")
    shutil.rmtree(root / "B/03")
    (root / "B/04/.zattrs").write_text('{"well": {"ima')
    shutil.rmtree(root / "B/05/0/0")
    write(root / "B/05/0", np.ones((1, 32, 32), "u2"), "cyx", "0.4")
    next((root / "B/05/0/0").rglob("0.1.0")).unlink()
    said = json.loads((root / ".zattrs").read_text())
    said["plate"]["wells"][3]["rowIndex"] = 1
    said["plate"]["wells"].append(said["plate"]["wells"][4])
    (root / ".zattrs").write_text(json.dumps(said))
    found = find_images(tmp_path).files
    assert list(found) == [
        f"a.zarr/{each}" for each in ("B/03", "B/04", "B/05/0", "B/06/0", "C/01/0")
    ]
    faults = ("not there", "JSON cannot be read", "chunks of its pixels", "by another name")
    for path, fault in zip(found.values(), faults, strict=False):
        with pytest.raises(ImageReadError, match=fault), open_image(path) as image:
            image.frame(0)
    assert place_of(found["a.zarr/C/01/0"]) == ("a", "C01", "0")


X = {"name": "x", "type": "space"}


@pytest.mark.parametrize(
    ("multiscale", "fault"),
    [
        (
            {"axes": [{"name": "lambda", "type": "channel"}, AXES["y"], X]},
            "does not know: 'lambda'",
        ),
        ({"axes": [{"name": "c", "type": "space"}, AXES["y"], X]}, "does not know: 'c'"),
        ({"axes": [AXES["y"], X]}, "other axes than its array"),
        ({"axes": [AXES["c"], X, AXES["y"]]}, "end with y, x"),
        ({"axes": [AXES["y"], AXES["y"], X]}, "different ones"),
        ({"axes": ["c", "y", "x"]}, "older OME-Zarr"),
        ({"datasets": []}, "not those of an image"),
        ({"datasets": [{"path": "../../secret"}]}, "outside the image"),
        ({"datasets": [{"path": "1"}]}, "is not there"),
        ({"coordinateTransformations": [{"type": "affine", "affine": []}]}, "'affine'"),
        ({"coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]}, "does not fit"),
    ],
)
def test_metadata_that_lie_are_refused(
    tmp_path: Path, multiscale: dict[str, Any], fault: str
) -> None:
    """A wrong or unknown axis, level or transformation is an error that says what it is."""
    write(tmp_path / "a.zarr", np.ones((1, 32, 32), "u2"), "cyx", multiscale=multiscale)
    with pytest.raises(ImageReadError, match=fault):
        open_image(tmp_path / "a.zarr")


def test_what_is_not_said_is_not_guessed(tmp_path: Path) -> None:
    """Without a unit there is no pixel size and no interval; both are noted."""
    axes = [{"name": axis, "type": AXES[axis]["type"]} for axis in "tyx"]
    pixels = np.ones((2, 32, 32), "u2")
    write(tmp_path / "a.zarr", pixels, "tyx", multiscale={"axes": axes})
    with open_image(tmp_path / "a.zarr") as image:
        assert (image.header.pixel_um, image.header.frame_s) == (None, None)
        assert sum("taken" in note for note in image.header.notes) == 2


def test_an_older_version_and_another_store_are_refused(tmp_path: Path) -> None:
    """Version 0.2 and a store that holds no image say so."""
    group(tmp_path / "old.zarr", {"multiscales": [{"version": "0.2", "datasets": []}]}, "0.4")
    group(tmp_path / "none.zarr", {}, "0.5")
    with pytest.raises(ImageReadError, match=r"version 0\.2"):
        open_image(tmp_path / "old.zarr")
    with pytest.raises(ImageReadError, match="without an image"):
        open_image(tmp_path / "none.zarr")


@pytest.mark.long
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ngio_reads_the_same(tmp_path: Path, version: str) -> None:
    """A second reader, ngio, gives the same fields, axes, channels, scale and pixels."""
    from ngio import open_ome_zarr_container, open_ome_zarr_plate

    plate(tmp_path / "a.zarr", ["B/03", "C/11"], version=version)
    stores = [tmp_path / "a.zarr"]
    assert open_ome_zarr_plate(stores[0]).images_paths(max_workers=1) == list(
        find_images(stores[0]).files
    )
    stores = [path for store in stores for path in find_images(store).paths]
    stores += [path for path in _samples(tmp_path) if version == "0.4"]
    for path in stores:
        other = open_ome_zarr_container(path).get_image()
        with open_image(path) as image:
            header = image.header
            sizes = dict(zip(other.axes, other.shape, strict=True))
            channels = sizes.get("c", 1) * sizes.get("z", 1)
            assert header.shape == (sizes.get("t", 1), channels, sizes["y"], sizes["x"])
            assert header.pixel_um == pytest.approx(other.pixel_size.x)
            assert header.dtype == str(other.dtype)
            if channels == 1 and "c" in sizes:
                np.testing.assert_array_equal(image.frame(0), np.squeeze(other.get_as_numpy()))


def _samples(folder: Path) -> list[Path]:
    """Stores of others, where they are beside the checkout."""
    shared = Path(__file__).parents[3] / "shared" / "formats"
    found = []
    for packed in sorted(shared.glob("*.zarr.tar")):
        with tarfile.open(packed) as file:
            file.extractall(folder / packed.stem, filter="data")
        found += list(find_images(folder / packed.stem).paths)
    return found
