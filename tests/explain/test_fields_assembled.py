"""Maps of whole fields: crops laid where they lie, and how far they disagree."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.explain.fields import FieldMap, field_map
from livewell.explain.gradcam import Cam
from livewell.geometry import Box, WindowGrid
from livewell.models.building import build
from livewell.models.nets.net import Net
from livewell.models.recipes import TINY

FRAME = np.random.default_rng(0).integers(1, 60_000, (110, 130), dtype=np.uint16)


def laid(shape: tuple[int, int], crops: list[tuple[Box, np.ndarray]]) -> FieldMap:
    field = FieldMap(shape)
    for box, crop in crops:
        field.add(box, crop)
    return field


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(5, 20),
    width=st.integers(5, 20),
    size=st.integers(1, 9),
    stride=st.integers(1, 7),
    begin=st.tuples(st.integers(-4, 3), st.integers(-4, 3)),
    cells=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 99),
)
def test_assembling_is_a_loop_over_pixels(height, width, size, stride, begin, cells, seed) -> None:
    """Mean, number and disagreement are those of lists of values kept pixel by pixel."""
    rng = np.random.default_rng(seed)
    grid = WindowGrid(*begin, *cells, size, stride)
    crops = [(box, rng.normal(size=(size, size)).astype(np.float32)) for box in grid.boxes()]
    field = laid((height, width), crops)
    values: dict[tuple[int, int], list[float]] = {}
    for box, crop in crops:
        for row, column in np.ndindex(size, size):
            y, x = box.y.start + row, box.x.start + column
            if 0 <= y < height and 0 <= x < width:
                values.setdefault((y, x), []).append(float(crop[row, column]))
    for at in np.ndindex(height, width):
        held = values.get(at, [])
        assert field.number[at] == len(held)
        assert field.map[at] == pytest.approx(
            np.mean(held) if held else np.nan, nan_ok=True, abs=1e-5
        )
    pairs = [pair for held in values.values() for pair in combinations(held, 2)]
    expected = np.nan
    if pairs:
        a, b = np.array(pairs).T
        expected = np.sqrt(((a - b) ** 2).mean() / ((a**2 + b**2) / 2).mean())
    assert field.disagreement == pytest.approx(expected, nan_ok=True, abs=1e-4)


def test_disagreement_runs_from_none_to_unrelated() -> None:
    """Equal maps: 0, whatever their scale; never lit together or unrelated: sqrt 2; opposite: 2."""
    box = Box.of(0, 0, 200, 200)
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 200, 200)).astype(np.float32)
    assert laid(box.shape, [(box, one)] * 3).disagreement == 0
    assert laid(box.shape, [(box, 1e-3 * one)] * 3).disagreement == 0
    assert laid(box.shape, [(box, one), (box, other)]).disagreement == pytest.approx(2**0.5, 0.01)
    lit = np.maximum(one, 0)
    apart = laid(box.shape, [(box, lit), (box, np.maximum(-one, 0))])
    assert apart.disagreement == pytest.approx(2**0.5, 0.01)
    assert laid(box.shape, [(box, one), (box, -one)]).disagreement == pytest.approx(2)


def test_disagreement_does_not_depend_on_scale() -> None:
    """All maps a thousand times as strong disagree just as much."""
    boxes = WindowGrid(0, 0, 3, 3, 8, 4).boxes()
    maps = np.random.default_rng(0).random((9, 8, 8)).astype(np.float32)
    plain = laid((16, 16), list(zip(boxes, maps, strict=True))).disagreement
    strong = laid((16, 16), list(zip(boxes, 1000 * maps, strict=True))).disagreement
    assert 0 < plain == pytest.approx(strong, 1e-5)


def test_what_cannot_be_compared_is_nan() -> None:
    """Without overlap, and where all is dark, there is no disagreement to tell."""
    ones, box = np.ones((4, 4), dtype=np.float32), Box.of(0, 0, 4, 4)
    assert np.isnan(laid((4, 8), [(box, ones), (Box.of(0, 4, 4, 8), ones)]).disagreement)
    assert np.isnan(laid((4, 4), [(box, 0 * ones), (box, 0 * ones)]).disagreement)
    assert np.isnan(FieldMap((3, 3)).map).all()


def tiny_cam(how: str) -> Cam:
    torch.manual_seed(0)
    module = build(TINY)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
    net = Net(module, ("healthy", "sick"), None, TINY.input.patch_px, TINY.input.input_px, how=how)
    return Cam(net, "block2")


@pytest.mark.parametrize("how", ["background", "local"])
def test_a_field_is_its_windows(how: str) -> None:
    """Every pixel is the mean of the windows whose input covers it, one by one; own weights."""
    cam = tiny_cam(how)
    around, edge, off = (
        cam.net.context_px,
        TINY.input.input_px,
        (TINY.input.patch_px - TINY.input.input_px) // 2,
    )
    grid = WindowGrid(-7, -3, 5, 7, TINY.input.patch_px, 14)
    found = field_map(cam, FRAME, Box.of(0, 0, 110, 130), grid, 1)
    total, number = np.zeros((300, 300)), np.zeros((300, 300))
    padded = np.pad(FRAME.astype(np.float32), 100, mode="reflect")
    for row, column in np.ndindex(grid.shape):
        y, x = 100 - 7 + 14 * row, 100 - 3 + 14 * column
        wide = slice(y - around, y + 64 + around), slice(x - around, x + 64 + around)
        look = cam.look(cam.inputs(torch.from_numpy(padded[wide].copy())[None, None]), 1)
        at = slice(y + off, y + off + edge), slice(x + off, x + off + edge)
        total[at] += cam.layer.enlarged(look.maps, edge)[0].numpy()
        number[at] += 1
    inner = slice(100, 210), slice(100, 230)
    np.testing.assert_array_equal(found.number, number[inner])
    covered = found.number > 0
    np.testing.assert_array_equal(np.isnan(found.map), ~covered)
    expected = (total[inner][covered] / number[inner][covered]).astype(np.float32)
    np.testing.assert_allclose(found.map[covered], expected, atol=1e-5 * expected.max())
    assert 0 < found.disagreement < 2


def test_a_field_by_weights_of_the_class() -> None:
    """With given weights the field scales with them, and the disagreement does not."""
    cam = tiny_cam("background")
    grid = WindowGrid.over(Box.of(0, 0, 110, 130), TINY.input.patch_px, 20)
    area, weights = Box.of(0, 0, 110, 130), torch.linspace(-1, 1, 64)
    one = field_map(cam, FRAME, area, grid, 1, weights=weights)
    two = field_map(cam, FRAME, area, grid, 1, weights=2 * weights)
    np.testing.assert_allclose(two.map, 2 * one.map, rtol=1e-5)
    assert two.disagreement == pytest.approx(one.disagreement, 1e-4)
    assert np.nanmin(one.map) >= 0
