"""Patches as keys: on a grid and centred on points."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import GeometryError
from livewell.geometry import Box
from livewell.region import Region, RegionGrid, centred

ROUNDING = 1e-9
"""Slack, in px: half a pixel holds up to floating-point rounding."""

points = st.tuples(st.floats(-50, 2000), st.floats(-50, 2000))


def test_a_grid_names_image_and_frame():
    """Every patch of a grid carries the image and the frame it lies in."""
    found = list(RegionGrid(10, 5).patches("a.tif", 3, Box.of(2, 0, 17, 20)))
    assert {(patch.image, patch.t) for patch in found} == {("a.tif", 3)}
    assert found[0] == Region("a.tif", 3, Box.of(2, 0, 12, 10))
    assert len(found) == 2 * 3


def test_a_small_area_has_no_patch():
    """An area smaller than a patch gives none, with either edge rule."""
    for edge in ("drop", "shift"):
        assert list(RegionGrid(16, 8, edge).patches("a", 0, Box.of(0, 0, 15, 40))) == []


@given(st.lists(points, max_size=5), st.integers(1, 300))
def test_centred_patches(places, size):
    """One patch a point, of the asked size, its middle within half a pixel of the point."""
    found = list(centred("a", 1, places, size))
    assert len(found) == len(places)
    for (y, x), patch in zip(places, found, strict=True):
        assert patch.box.shape == (size, size)
        assert abs(patch.box.centre[0] - y) <= 0.5 + ROUNDING
        assert abs(patch.box.centre[1] - x) <= 0.5 + ROUNDING


def test_a_patch_below_one_pixel_is_refused():
    """A patch holds at least one pixel."""
    with pytest.raises(GeometryError, match="size_px >= 1"):
        list(centred("a", 0, [(1, 1)], 0))
