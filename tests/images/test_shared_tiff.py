"""TIFF files of many origins: axes, pixels and scale are those that tifffile finds by itself."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from livewell.images.opening import open_image

FORMATS = Path(__file__).parents[2].parent / "shared" / "formats"
FILES = sorted(path.name for path in FORMATS.glob("*.tif*"))
"""None where the folder is absent."""


@pytest.mark.parametrize("name", FILES)
def test_planes_are_those_of_tifffile(name: str) -> None:
    """Every frame and channel equals the page that tifffile reads; nothing is left out."""
    with tifffile.TiffFile(FORMATS / name) as file:
        series = file.series[0]
        axes, pixels = series.axes, series.asarray()
    with open_image(FORMATS / name) as image:
        header = image.header
        if "S" in axes:
            pixels = np.moveaxis(pixels, axes.index("S"), -3)
        if "ndtiff" in name:  # tifffile does not know its axes
            pixels = pixels.reshape(4, 2, 64, 64)
        elif axes[0] == "C" or "S" in axes:
            pixels = pixels[None]
        elif pixels.ndim == 3:
            pixels = pixels[:, None]
        else:
            pixels = pixels[None, None]
        assert header.shape == pixels.shape
        assert header.dtype == pixels.dtype.name
        for t in range(header.frames):
            for c in range(len(header.channels)):
                np.testing.assert_array_equal(image.frame(t, c), pixels[t, c])


def test_what_meta_xpress_says_of_a_plane() -> None:
    """Scale, well, site, wavelength and stage of a plane are those of its properties."""
    path = FORMATS / "faim_ImageXpress_C07_s1_w1.tif"
    if not path.exists():
        pytest.skip("no ../shared/formats here")
    with tifffile.TiffFile(path) as file:
        said = (file.metaseries_metadata or {})["PlaneInfo"]
    with open_image(path) as image:
        header = image.header
    assert header.pixel_um == said["spatial-calibration-x"] == 13.5504
    assert (header.well, header.position) == tuple(said["stage-label"].split(" : "))
    assert header.channels == (said["_IllumSetting_"],)
    assert header.stage_um == (said["stage-position-y"], said["stage-position-x"])
