"""The paper's measure of localisation: bounding boxes that a mask covers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from livewell.detection.covered import COUNTS, covered, table3, table3_by_image
from livewell.detection.matching import CoveredCounts
from livewell.errors import GeometryError, SpecError


def test_shares_of_boxes_by_hand():
    """A mask of the left half covers boxes by the columns that lie in it."""
    mask = np.zeros((10, 20), bool)
    mask[:, :10] = True
    boxes = [(0, 0, 10, 10), (0, 5, 10, 15), (3, 9, 4, 19), (2, 12, 4, 14), (0, -5, 10, 5)]
    assert covered(mask, boxes).tolist() == [1.0, 0.5, 0.1, 0.0, 0.5]
    assert covered(mask, np.zeros((0, 4))).shape == (0,)
    assert covered(mask, []).shape == (0,)


@given(
    arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    st.lists(
        st.tuples(st.integers(-4, 14), st.integers(-4, 14), st.integers(1, 9), st.integers(1, 9)),
        max_size=6,
    ),
)
def test_shares_are_those_of_counting_pixels(mask, boxes):
    """Sums over the mask give what counting each box's pixels gives, also beyond the edge."""
    corners = [(y, x, y + height, x + width) for y, x, height, width in boxes]
    found = covered(mask, np.array(corners).reshape(-1, 4))
    around = np.pad(mask, 30)
    for (y0, x0, y1, x1), share in zip(corners, found, strict=True):
        assert share == around[30 + y0 : 30 + y1, 30 + x0 : 30 + x1].mean()


@pytest.mark.parametrize(
    "box",
    [(0, 0, 0, 5), (0, 0, 5, -1), (0, 0, 5, 2.5), (0, 0, math.nan, 5), (0, 0, math.inf, 5)],
)
def test_boxes_that_cannot_be_are_refused(box):
    """No area, fractions of pixels and NaN are refused by row."""
    with pytest.raises(GeometryError, match="row 1"):
        covered(np.zeros((5, 5), bool), [(0, 0, 1, 1), box])


def test_masks_and_shapes_are_checked():
    """A mask of numbers or of three axes, and boxes of three corners, are refused."""
    for mask in (np.zeros((5, 5)), np.zeros((1, 5, 5), bool)):
        with pytest.raises(SpecError, match="mask"):
            covered(mask, [(0, 0, 1, 1)])
    with pytest.raises(GeometryError, match="shape"):
        covered(np.zeros((5, 5), bool), [(0, 0, 1)])


def test_table3_by_hand():
    """At exactly 90% a box is covered, below it is not; both kinds are counted."""
    shares = [1.0, 0.9, 0.8999, 0.9, 0.5, 0.0, 0.0]
    kinds = ["circle"] * 3 + ["ellipse"] * 4
    found = table3(shares, kinds, "circle")
    assert found == CoveredCounts(2, 1, 1, 3)
    assert found.objects == 7
    assert found.accuracy == pytest.approx(5 / 7)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 3)
    assert table3(shares, kinds, "circle", least=0.5) == CoveredCounts(3, 2, 0, 2)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_nine_pixels_of_ten_are_covered(height, width, data):
    """Whatever the size of a box, rounding never decides whether 90% is reached."""
    area = height * width
    pixels = data.draw(st.integers(0, area))
    mask = np.zeros(area, bool)
    mask[:pixels] = True
    share = covered(mask.reshape(height, width), [(0, 0, height, width)])
    assert table3(share, ["c"], "c").true_positives == (10 * pixels >= 9 * area)


def test_counts_by_image_add_up():
    """Image by image the counts are those of all objects together."""
    rng = np.random.default_rng(0)
    shares, kinds = rng.random(60).round(1), rng.choice(["c", "e"], 60)
    images = rng.choice(["p", "q", "r"], 60)
    by_image = table3_by_image(shares, kinds, images, "c")
    assert by_image.index.tolist() == ["p", "q", "r"]
    assert CoveredCounts(*by_image[COUNTS].sum().tolist()) == table3(shares, kinds, "c")
    for image in "pqr":
        here = images == image
        alone = table3(shares[here], kinds[here], "c")
        assert CoveredCounts(*by_image.loc[image].tolist()) == alone


def test_what_is_not_defined_is_nan():
    """Without objects nothing is defined; with none covered precision is not."""
    nothing = table3([], [], "circle")
    assert np.isnan([nothing.accuracy, nothing.precision, nothing.recall]).all()
    assert len(table3_by_image([], [], [], "circle")) == 0
    empty_mask = table3([0.0] * 10, ["circle"] + ["ellipse"] * 9, "circle")
    assert math.isnan(empty_mask.precision)
    assert (empty_mask.accuracy, empty_mask.recall) == (0.9, 0.0)
    assert math.isnan(table3([1.0], ["ellipse"], "circle").recall)


def test_the_papers_table_contradicts_itself():
    """With a tenth circles the printed precision and recall make 99.0% accuracy, not 99.995%."""
    circles, recall, precision = 100_000, 0.9719, 0.93
    true = round(circles * recall)
    false = round(true * (1 - precision) / precision)
    found = CoveredCounts(true, false, circles - true, 9 * circles - false)
    assert (found.recall, found.precision) == pytest.approx((recall, precision), abs=1e-5)
    assert found.accuracy == pytest.approx(0.990, abs=0.001)


@pytest.mark.parametrize(
    ("shares", "kinds", "least"),
    [([0.5], ["c", "c"], 0.9), ([1.2], ["c"], 0.9), ([math.nan], ["c"], 0.9), ([0.5], ["c"], 0.0)],
)
def test_shares_that_are_none_are_refused(shares, kinds, least):
    """Numbers that do not fit together or lie out of range are refused."""
    with pytest.raises(SpecError):
        table3(shares, kinds, "c", least)
