"""Whether there are cells."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy import ndimage
from skimage.io import imread

from livewell.geometry import Box, WindowGrid
from livewell.measure import occupancy as measuring
from livewell.measure.occupancy import (
    grid_shares,
    has_cells,
    occupancy,
    shares,
    textured,
)

Y, X = np.mgrid[0:1:384j, 0:1:448j]
LIGHT = 0.6 + 0.4 * Y + 0.3 * X - 0.5 * (X - 0.4) ** 2


def _noise(blur_px: float, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=LIGHT.shape)
    values = ndimage.gaussian_filter(values, blur_px) if blur_px else values
    return values / values.std()


def _cells(count: int, seed: int = 0) -> np.ndarray:
    """Discs with a bright rim and granules, amplitude about 1."""
    rng = np.random.default_rng(seed)
    found = np.zeros(LIGHT.shape)
    down, right = np.mgrid[: LIGHT.shape[0], : LIGHT.shape[1]]
    for y, x in rng.uniform(40, 340, (count, 2)):
        r = np.hypot(down - y, right - x)
        found += np.exp(-(((r - 14) / 2) ** 2)) + (r < 12) * rng.normal(0, 1, r.shape)
    return ndimage.gaussian_filter(found, 1) * 2


@pytest.mark.parametrize("pixel_um", [None, 0.2, 0.65])
@pytest.mark.parametrize("blur_px", [0, 0.5, 0.7, 1.0, 1.5])
def test_noise_on_a_gradient_is_empty(blur_px, pixel_um):
    """Camera noise, also with neighbouring pixels alike, holds no cell: 16 bit and 8 bit."""
    noisy = 20000 * LIGHT + 200 * _noise(blur_px)
    for frame in (noisy.astype(np.uint16), (noisy / 256).astype(np.uint8)):
        assert occupancy(frame, pixel_um) < 0.001
        assert not has_cells(frame, pixel_um)


@pytest.mark.parametrize("quality", [50, 75, 90])
@pytest.mark.parametrize("sd", [0.1, 0.5, 2.0, 5.0])
def test_jpeg_noise_is_empty(sd, quality):
    """The blocks that JPEG leaves in an 8-bit background are not taken for cells."""
    file = io.BytesIO()
    grey = np.clip(150 * LIGHT + sd * _noise(0), 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    with Image.open(file) as image:
        assert occupancy(np.array(image)) < 0.001


def test_shot_noise_and_bare_gradients_are_empty():
    """Noise that grows with light, no noise at all, and one grey level hold no cell."""
    for frame in (
        np.random.default_rng(0).poisson(900 * LIGHT).astype(np.uint16),
        (150 * LIGHT).astype(np.uint8),
        np.full((50, 60), 7, np.uint8),
    ):
        assert occupancy(frame) < 0.001


def test_cells_are_seen_whatever_gain_and_offset():
    """Gain, offset and a gradient of the light leave the occupied share as it is."""
    picture = _cells(12) + 0.05 * _noise(0)
    share = occupancy(picture)
    assert 0.1 < share < 0.4
    for other in (picture * 1000 + 5000, picture * 0.01 - 3, 300 * picture + 5000 * LIGHT):
        assert occupancy(other) == pytest.approx(share, abs=0.02)


def test_one_cell_is_enough_and_lies_where_it_is():
    """A single cell makes a field worth judging; the mask covers it and not the far corner."""
    frame = _cells(1, seed=3) + 0.05 * _noise(0)
    assert has_cells(frame)
    y, x = np.random.default_rng(3).uniform(40, 340, (1, 2))[0]
    here = Box.of(int(y) - 10, int(x) - 10, int(y) + 10, int(x) + 10)
    inside, far, beyond = shares(
        textured(frame), [here, Box.of(-50, 380, 40, 500), Box.of(-9, -9, -1, -1)]
    )
    assert inside > 0.9
    assert far == beyond == 0


def test_registration_borders_are_no_texture():
    """The step from picture to border zeros does not count."""
    frame = (20000 + 200 * _noise(0)).astype(np.uint16)
    frame[:, :20] = 0
    assert occupancy(frame) < 0.001


REAL = [("mcf7-pi", "*.ome.tif", 0.15), ("t98g-movie", "*.tif", 0.3), ("u2os-cpt", "*.png", 0.2)]


@pytest.mark.long
@pytest.mark.parametrize(("folder", "pattern", "least"), REAL)
def test_real_fields_hold_cells(shared_data: Path, folder, pattern, least):
    """Every real field with cells is occupied, by far more than the limit for an empty one."""
    for path in sorted((shared_data / folder).glob(pattern))[::3]:
        frame = tifffile.imread(path) if path.suffix == ".tif" else imread(path)
        assert occupancy(frame[0] if frame.ndim == 3 else frame) > least, path.name


@pytest.mark.parametrize(("margin", "size", "stride"), [(0, 64, 16), (30, 61, 7), (0, 384, 1)])
def test_shares_of_a_grid_are_those_of_its_boxes(margin: int, size: int, stride: int) -> None:
    """Every window of a grid has the share that its box has in the mirrored mask."""
    mask = np.random.default_rng(0).random((384, 448)) < 0.1
    grid = WindowGrid.over(Box.of(0, 0, *mask.shape).widened(margin), size, stride)
    padded = np.pad(mask, margin, mode="reflect")
    boxes = [
        Box(box.y.moved(margin), box.x.moved(margin))
        for box in grid.boxes()[:: max(grid.rows * grid.columns // 200, 1)]
    ]
    found = grid_shares(mask, grid).ravel()[:: max(grid.rows * grid.columns // 200, 1)]
    np.testing.assert_allclose(found, shares(padded, boxes), atol=1e-12)


@pytest.mark.parametrize("border", [0, 9])
def test_a_very_large_frame_is_looked_at_in_tiles(
    border: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tiles almost the same places are textured as in one piece, cut at no tile's edge."""
    frame = (2000 * LIGHT + 120 * _cells(14) + 12 * _noise(0.4)).astype(np.uint16)
    frame[:border] = 0
    whole = textured(frame, 0.65)
    monkeypatch.setattr(measuring, "WHOLE_PX", 1)
    monkeypatch.setattr(measuring, "TILE_PX", 100)
    tiled = textured(frame, 0.65)
    assert whole.any()
    assert not tiled[:border].any()
    assert (whole != tiled).mean() < 0.02
