"""Masks as files: numbers are kept, and what is no mask is refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from livewell.errors import ImageReadError, OutputError
from livewell.images.opening import read_header
from livewell.outputs.masks import read_mask, write_mask


@pytest.mark.parametrize(("most", "kind"), [(0, "uint16"), (65_535, "uint16"), (65_536, "uint32")])
def test_numbers_come_back(tmp_path: Path, most: int, kind: str) -> None:
    """Labels are read as written, in 16 bits as long as they fit."""
    labels = np.linspace(0, most, 35, dtype=np.int32).reshape(5, 7)
    write_mask(tmp_path / "new" / "m.tif", labels, None)
    found = read_mask(tmp_path / "new" / "m.tif")
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == kind


@pytest.mark.parametrize("pixel_um", [0.325, None])
def test_pixel_size_is_kept(tmp_path: Path, pixel_um: float | None) -> None:
    """The pixel size stands in the file where it is known, and nowhere else."""
    write_mask(tmp_path / "m.tif", np.eye(9, dtype=np.int32), pixel_um)
    assert read_header(tmp_path / "m.tif").pixel_um == pixel_um


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    """A missing file, text, a colour picture and a picture of real numbers are no masks."""
    (tmp_path / "text.tif").write_text("no")
    tifffile.imwrite(tmp_path / "real.tif", np.ones((4, 4), np.float32), photometric="minisblack")
    tifffile.imwrite(tmp_path / "rgb.tif", np.ones((4, 4, 3), np.uint8), photometric="rgb")
    for name in ("none.tif", "text.tif", "real.tif", "rgb.tif"):
        with pytest.raises(ImageReadError, match=f"{name}: cannot be read as a mask"):
            read_mask(tmp_path / name)


def test_a_mask_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder of the mask's name is told, and stays."""
    (tmp_path / "m.tif").mkdir()
    with pytest.raises(OutputError, match=r"m\.tif"):
        write_mask(tmp_path / "m.tif", np.eye(3, dtype=np.int32), None)
