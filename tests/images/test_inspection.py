"""What inspect tells of a file: its axes, levels, and what looks wrong."""

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from livewell.errors import ImageReadError
from livewell.images.inspection import inspect

RNG = np.random.default_rng(4)
SOUND = RNG.integers(300, 4000, (40, 50), dtype=np.uint16)


def edited(value: float, rows: slice, dtype: str = "uint16") -> np.ndarray:
    frame = SOUND.astype(dtype)
    frame[rows] = value
    return frame


CASES = {
    "01 saturated": (edited(65535, slice(0, 3)), "saturated"),
    "02 plateau": (edited(4095, slice(0, 3)), "plateau"),
    "03 border of zeros": (edited(0, slice(0, 6)), "zero-border"),
    "04 all zero": (np.zeros((40, 50), np.uint16), "all-zero"),
    "05 constant": (np.full((40, 50), 7, np.uint16), "constant"),
    "06 NaN": (edited(np.nan, slice(3, 4), "float32"), "not-finite"),
    "07 8 bits in 16": ((SOUND // 256 + 2) * 257, "eight-bit-content"),
    "08 few levels": (SOUND // 500 * 501 + 1, "few-levels"),
}


@pytest.mark.parametrize("case", CASES)
def test_frames_that_look_wrong(case: str, tmp_path: Path) -> None:
    """Each thing that can be wrong with a frame is told by its code."""
    frame, code = CASES[case]
    tifffile.imwrite(tmp_path / "a.tif", frame)
    assert code in {fault.code for fault in inspect(tmp_path / "a.tif").faults}


def test_sound_movie(tmp_path: Path) -> None:
    """A sound movie of two channels has its ranges told and no fault."""
    movie = RNG.integers(300, 4000, (9, 2, 40, 50), dtype=np.uint16)
    movie[4, 1, 0, 0] = 5000
    tifffile.imwrite(
        tmp_path / "a.ome.tif", movie, ome=True, photometric="minisblack",
        metadata={"axes": "TCYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "TimeIncrement": 9,
                  "Channel": {"Name": ["Phase", "PI"]}},
    )  # fmt: skip
    found = inspect(tmp_path / "a.ome.tif")
    assert found.faults == ()
    assert (found.format, found.axes, found.shape) == ("TIFF", "tcyx", (9, 2, 40, 50))
    assert (found.pixel_um, found.frame_s, found.dtype) == (0.5, 9.0, "uint16")
    assert found.frames_looked_at == (0, 2, 4, 6, 8)
    phase, pi = found.channels
    assert (phase.name, phase.lowest) == ("Phase", float(movie[::2, 0].min()))
    assert pi.highest == 5000
    assert phase.lowest <= phase.p0_1 < phase.p99_9 <= phase.highest


def test_scale_that_is_missing(tmp_path: Path) -> None:
    """A movie without scale says so, once it is given it does not."""
    tifffile.imwrite(tmp_path / "a.tif", np.stack([SOUND, SOUND]), metadata={"axes": "TYX"})
    codes = [fault.code for fault in inspect(tmp_path / "a.tif").faults]
    assert codes == ["no-pixel-size", "no-frame-interval"]
    assert inspect(tmp_path / "a.tif", pixel_um=0.5, frame_s=60).faults == ()


def test_jpeg_is_lossy(tmp_path: Path) -> None:
    """A JPEG is told to be lossy."""
    data = imagecodecs.jpeg_encode((SOUND // 16).astype(np.uint8))
    (tmp_path / "a.jpg").write_bytes(data)
    assert "lossy" in {fault.code for fault in inspect(tmp_path / "a.jpg").faults}


def test_odd_frames_of_a_sequence(tmp_path: Path) -> None:
    """Frames of another size and names of two kinds are faults, not the end."""
    for name, frame in (("t1", SOUND), ("t2", SOUND[:20]), ("x3", SOUND)):
        tifffile.imwrite(tmp_path / f"{name}.tif", frame)
    found = inspect(tmp_path)
    by_code = {fault.code: fault for fault in found.faults}
    assert by_code["frame-differs"].where == "t2.tif"
    assert {"mixed-names", "unreadable-frame"} <= set(by_code)
    again = inspect([tmp_path / "t1.tif", tmp_path / "x3.tif"], pixel_um=1, frame_s=1)
    assert again.shape == (2, 1, 40, 50)


def test_json(tmp_path: Path) -> None:
    """The whole finding is plain values, those of an image without finite pixels too."""
    tifffile.imwrite(tmp_path / "a.tif", np.full((40, 50), np.nan, np.float32))
    text = json.dumps(inspect(tmp_path / "a.tif").to_dict(), allow_nan=False)
    assert json.loads(text)["channels"][0]["lowest"] is None


def test_file_that_is_no_image(tmp_path: Path) -> None:
    """A file that cannot be opened is an error that names it."""
    (tmp_path / "a.tif").write_text("text")
    with pytest.raises(ImageReadError, match=r"a\.tif"):
        inspect(tmp_path / "a.tif")


def test_real_t98g(shared_data: Path) -> None:
    """The T98G movie is told to lack its pixel size and interval."""
    found = inspect(shared_data / "t98g-movie")
    assert found.shape == (10, 1, 1022, 1024)
    assert {"no-pixel-size", "no-frame-interval"} <= {fault.code for fault in found.faults}


def test_real_mcf7(shared_data: Path) -> None:
    """An MCF7 image is told to have registration borders."""
    found = inspect(shared_data / "mcf7-pi" / "110_snap_0_1_10.ome.tif")
    assert [channel.name for channel in found.channels] == [
        "brightfield",
        "propidium iodide",
        "hoechst",
    ]
    assert "zero-border" in {fault.code for fault in found.faults}
