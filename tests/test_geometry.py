"""Spans, boxes and the grids of tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import GeometryError
from livewell.geometry import Box, Span, WindowGrid, cover, starts, tiles

sizes = st.integers(1, 90)
spans = st.tuples(st.integers(-50, 50), st.integers(1, 60)).map(lambda s: Span(s[0], s[0] + s[1]))


@given(st.integers(0, 400), sizes, sizes)
def test_dropped_tiles_lie_on_the_stride_and_inside(length, size, stride):
    """With edge 'drop' tiles start at whole strides, lie inside, and no further one would fit."""
    found = starts(length, size, stride, "drop")
    assert found == [stride * i for i in range(len(found))]
    assert all(start + size <= length for start in found)
    assert stride * len(found) + size > length


@given(st.integers(1, 400), sizes, sizes)
def test_shifted_tiles_cover_every_pixel(length, size, stride):
    """With edge 'shift' and a stride within the tile no pixel of a large enough axis is left."""
    found = starts(length, size, stride, "shift")
    assert found == sorted(set(found))
    if length < size:
        assert found == []
        return
    assert found[0] == 0
    assert found[-1] + size == length or (length - size) % stride == 0
    if stride <= size:
        covered = np.zeros(length, dtype=bool)
        for start in found:
            covered[start : start + size] = True
        assert covered.all()


@given(spans, spans, st.integers(1, 40), st.integers(1, 40), st.sampled_from(["drop", "shift"]))
def test_tiles_of_an_area(y, x, size, stride, edge):
    """Tiles are square, inside the area, distinct, row by row, and as many as the axes give."""
    area = Box(y, x)
    found = list(tiles(area, size, stride, edge))
    assert found == sorted(set(found))
    assert all(area.contains(box) and box.shape == (size, size) for box in found)
    rows, columns = (len(starts(span.size, size, stride, edge)) for span in (y, x))
    assert len(found) == rows * columns


def test_the_papers_grid():
    """256 px tiles at stride 128 on 1344 x 1024 are 9 x 7 = 63 (FACTS.md, section 1)."""
    found = list(tiles(Box.of(0, 0, 1024, 1344), 256, 128))
    assert len(found) == 63
    assert len({box.x for box in found}) == 9
    assert len({box.y for box in found}) == 7


@pytest.mark.parametrize(("size", "stride"), [(0, 1), (1, 0), (-3, 2)])
def test_impossible_grids_are_refused(size, stride):
    """A tile or a stride below one pixel is refused."""
    with pytest.raises(GeometryError, match="below one pixel"):
        starts(10, size, stride)


@given(spans, spans)
def test_overlap_and_containment_are_those_of_sets_of_pixels(a, b):
    """Spans overlap where they share a pixel, and contain where every pixel is shared."""
    pixels_a, pixels_b = (set(range(s.start, s.stop)) for s in (a, b))
    assert a.overlaps(b) == b.overlaps(a) == bool(pixels_a & pixels_b)
    assert a.contains(b) == (pixels_b <= pixels_a)
    assert len(pixels_a) == a.size


@given(spans, spans, spans, spans)
def test_boxes_are_their_two_spans(y, x, v, u):
    """A box overlaps and contains on both axes at once, and is rebuilt from its corners."""
    box, other = Box(y, x), Box(v, u)
    assert Box.of(*box.corners) == box
    assert box.overlaps(other) == (y.overlaps(v) and x.overlaps(u))
    assert box.contains(other) == (y.contains(v) and x.contains(u))
    assert box.centre == (np.mean([y.start, y.stop]), np.mean([x.start, x.stop]))


@given(spans, spans, spans, spans)
def test_a_box_seen_in_a_window_is_counted_from_its_corner(y, x, v, u):
    """What a window shows of a box has the pixels that both share, moved to the window's corner."""
    box, window = Box(y, x), Box(v, u)
    shared = box.common(window)
    if shared is None:
        with pytest.raises(GeometryError):
            box.seen_in(window)
    else:
        seen = box.seen_in(window)
        assert seen.shape == shared.shape
        assert seen.corners[:2] == (shared.y.start - v.start, shared.x.start - u.start)


def test_a_box_is_an_index():
    """A box cuts what its corners say from an array."""
    frame = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(frame[Box.of(1, 2, 4, 6).slices], frame[1:4, 2:6])


@pytest.mark.parametrize("stop", [3, 2])
def test_an_empty_span_is_refused(stop):
    """A span holds at least one pixel."""
    with pytest.raises(GeometryError, match="empty span"):
        Span(3, stop)


@given(
    windows=st.integers(1, 200),
    window=st.integers(1, 60),
    stride=st.integers(1, 20),
    halo=st.integers(0, 3),
    room=st.integers(0, 300),
)
def test_tiles_of_an_axis_hold_every_window_once(windows, window, stride, halo, room):
    """What tiles write follows one on the other; each reads its windows with their halo, alike."""
    halo_px = halo * stride
    tile_px = window + 2 * halo_px + room
    found = cover(windows, window_px=window, stride_px=stride, tile_px=tile_px, halo_px=halo_px)
    assert [i for tile in found for i in range(tile.write.start, tile.write.stop)] == list(
        range(windows)
    )
    assert len({tile.read.size for tile in found}) == 1
    for tile in found:
        assert tile.read.size <= tile_px
        assert tile.keep.size == tile.write.size
        first = tile.read.start + halo_px + tile.keep.start * stride
        assert first == tile.write.start * stride
        last = tile.read.start + halo_px + (tile.keep.stop - 1) * stride
        assert last + window + halo_px <= tile.read.stop
    assert found[0].read.start == -halo_px
    assert found[-1].read.stop == (windows - 1) * stride + window + halo_px


@pytest.mark.parametrize("wrong", [{"tile_px": 25}, {"halo_px": 3}, {"windows": 0}])
def test_an_axis_that_cannot_be_tiled(wrong):
    """A tile below one window with its halo, a halo off the stride, no windows: refused."""
    asked = {"windows": 5, "window_px": 10, "stride_px": 4, "tile_px": 40, "halo_px": 8} | wrong
    with pytest.raises(GeometryError):
        cover(asked.pop("windows"), **asked)


@given(st.integers(1, 120), st.integers(1, 120), sizes, sizes)
def test_a_grid_of_windows_is_that_of_tiles(height, width, size, stride):
    """A grid over an area has the boxes of its tiles; smaller areas than a window are refused."""
    area = Box.of(-7, 3, height - 7, width + 3)
    boxes = list(tiles(area, size, stride))
    if not boxes:
        with pytest.raises(GeometryError):
            WindowGrid.over(area, size, stride)
        return
    grid = WindowGrid.over(area, size, stride)
    assert grid.boxes() == boxes
    inner = grid.centred(max(size - 2, 1))
    assert inner.shape == grid.shape
    if size > 2:
        assert inner.box(0, 0).centre == grid.box(0, 0).centre
