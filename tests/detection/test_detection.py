"""Detections held against objects: matching, curves, thresholds, FROC."""

import math

import numpy as np
import pandas as pd
import pytest
from areas import average_precision
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from livewell.detection.box_tables import COLUMNS
from livewell.detection.froc import RATES, froc
from livewell.detection.matching import (
    best_threshold,
    counts_at,
    matched,
    precision_recall_curve,
)
from livewell.detection.tables import DETECTIONS
from livewell.errors import SpecError, TableError

Tables = tuple[pd.DataFrame, pd.DataFrame, list[str]]


def detections(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    """A table of detections: image, y, x, score."""
    return pd.DataFrame(list(rows), columns=list(DETECTIONS))


def objects(*rows: tuple[str, int, int, int, int]) -> pd.DataFrame:
    """A table of objects of one kind: image and corners."""
    table = pd.DataFrame(list(rows), columns=["image", "y0", "x0", "y1", "x1"])
    return table.assign(kind="dead")[list(COLUMNS)]


def matching(tables: Tables) -> Tables:
    """The same tables with the detections matched."""
    found, truth, images = tables
    return matched(found, truth, images), truth, images


@st.composite
def studies(draw: st.DrawFn) -> Tables:
    """A few small images with boxes that overlap, detections in and off them, and equal scores."""
    images = [f"i{number}" for number in range(draw(st.integers(1, 4)))]
    name, place = st.sampled_from(images), st.integers(0, 8)
    size, half = st.integers(1, 5), st.integers(-2, 20).map(lambda number: number / 2)
    boxes = draw(st.lists(st.tuples(name, place, place, size, size), max_size=8))
    score = st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9, 3.0])
    found = draw(st.lists(st.tuples(name, half, half, score), max_size=12))
    truth = objects(*[(image, y, x, y + h, x + w) for image, y, x, h, w in boxes])
    return detections(*found), truth, images


def test_a_peak_in_a_box_is_right_once():
    """The surest peak claims the object; a second one on it and one beside it are wrong."""
    found = detections(("a", 5, 5, 0.4), ("a", 6, 6, 0.9), ("a", 30, 30, 0.8), ("b", 5, 5, 0.7))
    table = matched(found, objects(("a", 0, 0, 10, 10)), ["a", "b"])
    assert table["right"].tolist() == [False, True, False, False]
    assert table["object"].tolist() == [-1, 0, -1, -1]
    assert table[found.columns.tolist()].equals(found)


@pytest.mark.parametrize(
    ("y", "x", "right"),
    [(2, 3, True), (1.99, 3, False), (3.99, 6.99, True), (4, 5, False), (3, 7, False)],
)
def test_boxes_are_half_open(y, x, right):
    """The first row and column are inside, the last named ones are beyond."""
    table = matched(detections(("a", y, x, 1.0)), objects(("a", 2, 3, 4, 7)), ["a"])
    assert table["right"].tolist() == [right]


def test_of_several_boxes_the_nearest_for_its_size_is_claimed():
    """In a small and a large box the peak is the large one's where it is nearer in its units."""
    truth = objects(("a", 0, 0, 100, 100), ("a", 30, 30, 44, 44)).set_axis([11, 7])
    # 12 px from the centre of the large box is 0.12 of it; 5 px off the small one's is 0.36 of it
    one = matched(detections(("a", 42, 42, 1.0)), truth, ["a"])
    assert one["object"].tolist() == [11]
    both = matched(detections(("a", 42, 42, 0.5), ("a", 42, 42, 0.5)), truth, ["a"])
    assert both["object"].tolist() == [11, 7]
    assert matched(detections(("a", 37, 37, 1.0)), truth, ["a"])["object"].tolist() == [7]


def test_equal_scores_go_by_their_rows():
    """Of two equally sure peaks in one box the first row's is right."""
    found = detections(("a", 5, 5, 0.5), ("a", 1, 1, 0.5)).set_axis([9, 2])
    table = matched(found, objects(("a", 0, 0, 10, 10)), ["a"])
    assert table.index.tolist() == [9, 2]
    assert table["right"].tolist() == [True, False]


@settings(max_examples=40)
@given(studies())
def test_each_object_is_claimed_once_by_a_peak_in_it(tables):
    """Right detections are no more than objects; each names a different object around its peak."""
    found, truth, images = matching(tables)
    right = found[found["right"]]
    assert right["object"].is_unique
    assert (found["object"][~found["right"]] == -1).all()
    for row in right.itertuples():
        box = truth.loc[row.object]
        assert box["image"] == row.image
        assert box["y0"] <= row.y < box["y1"]
        assert box["x0"] <= row.x < box["x1"]
    for threshold in (-math.inf, 0.5, math.inf):
        counts = counts_at(found, truth, images, threshold)
        assert counts.true_positives + counts.false_negatives == len(truth)
        called = int((found["score"] >= threshold).sum())
        assert counts.true_positives + counts.false_positives == called


@settings(max_examples=40)
@given(studies(), st.sampled_from([0.25, 0.5, 0.6, 0.9]))
def test_a_threshold_may_be_applied_before_or_after(tables, threshold):
    """Detections below a threshold change nothing of what those above it found."""
    found, truth, images = matching(tables)
    above = tables[0][tables[0]["score"] >= threshold]
    pd.testing.assert_frame_equal(
        matched(above, truth, images), found[found["score"] >= threshold], check_dtype=False
    )


@pytest.mark.long
@settings(max_examples=40)
@given(studies(), st.randoms(use_true_random=False))
def test_the_order_of_images_says_nothing(tables, random):
    """Images, and with them objects and detections, in another order give the same figures."""
    found, truth, images = tables
    order = random.sample(images, len(images))
    place = {image: number for number, image in enumerate(order)}

    def moved(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[np.argsort(table["image"].map(place).to_numpy(int), kind="stable")]

    first, other = matching(tables), matching((moved(found), moved(truth), order))
    pd.testing.assert_frame_equal(other[0].sort_index(), first[0], check_dtype=False)
    pd.testing.assert_frame_equal(precision_recall_curve(*other), precision_recall_curve(*first))
    one, two = froc(*other).sensitivities, froc(*first).sensitivities
    assert one == pytest.approx(two, nan_ok=True)


@pytest.mark.long
@settings(max_examples=40)
@given(studies())
def test_the_curve_is_that_of_counting_at_each_score(tables):
    """Each row is what counting at its threshold gives; recall never falls; F1 is its formula."""
    found, truth, images = matching(tables)
    curve = precision_recall_curve(found, truth, images)
    assert curve["threshold"].tolist() == sorted(set(found["score"]), reverse=True)
    if len(truth):
        assert curve["recall"].is_monotonic_increasing
    for row in curve.itertuples():
        counts = counts_at(found, truth, images, row.threshold)
        assert row.true_positives == counts.true_positives
        assert row.false_positives == counts.false_positives
        for name in ("precision", "recall", "f1"):
            assert getattr(row, name) == pytest.approx(getattr(counts, name), nan_ok=True)
        if counts.true_positives:
            mean = 2 * row.precision * row.recall / (row.precision + row.recall)
            assert row.f1 == pytest.approx(mean)


@settings(max_examples=40)
@given(studies())
def test_the_best_threshold_is_the_best_there_is(tables):
    """No score as threshold has a higher F1, and no higher one as high an F1."""
    found, truth, images = matching(tables)
    best = best_threshold(found, truth, images)
    curve = precision_recall_curve(found, truth, images)
    if not found["right"].any():
        assert best == math.inf
        return
    at_best = counts_at(found, truth, images, best).f1
    assert at_best == curve["f1"].max()
    assert (curve["f1"][curve["threshold"] > best] <= at_best).all()
    lowest = curve["threshold"][curve["threshold"] >= best].min()
    assert (curve["f1"][curve["threshold"] > lowest] < at_best).all()


def test_the_best_threshold_lies_midway():
    """Between the lowest score called and the next; at the lowest score where there is none."""
    truth = objects(("a", 0, 0, 9, 9), ("a", 10, 0, 19, 9))
    found = detections(("a", 5, 5, 0.9), ("a", 15, 5, 0.5), ("a", 30, 5, 0.2))
    assert best_threshold(matched(found, truth, ["a"]), truth, ["a"]) == pytest.approx(0.35)
    without = found.iloc[:2]
    assert best_threshold(matched(without, truth, ["a"]), truth, ["a"]) == 0.5
    for lowest, below in ((0.5, math.nextafter(0.5, 0)), (math.nextafter(0.5, 1), 0.5)):
        near = found.assign(score=[0.9, lowest, below])
        assert best_threshold(matched(near, truth, ["a"]), truth, ["a"]) == lowest


def test_average_precision_by_hand():
    """Right, wrong, right and one object never found: (1 + 2/3) / 3."""
    truth = objects(("a", 0, 0, 9, 9), ("a", 10, 0, 19, 9), ("b", 0, 0, 9, 9))
    found = detections(("a", 5, 5, 0.9), ("a", 30, 5, 0.7), ("a", 15, 5, 0.5), ("b", 20, 20, 0.1))
    value = average_precision(matched(found, truth, ["a", "b"]), truth, ["a", "b"])
    assert value == pytest.approx((1 + 2 / 3) / 3)


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 10_000))
def test_average_precision_is_sklearns_where_every_object_is_found(count, wrong, seed):
    """One box an image, each found once, with false alarms anywhere: scikit-learn's figure."""
    rng = np.random.default_rng(seed)
    images = [f"i{number}" for number in range(count + 5)]
    truth = objects(*[(image, 0, 0, 9, 9) for image in images[:count]])
    y = np.append(np.ones(count), np.zeros(wrong)).astype(int)
    score = rng.normal(y).round(1)
    names = images[:count] + rng.choice(images, wrong).tolist()
    where = np.where(y, 4.0, 50.0)
    found = pd.DataFrame({"image": names, "y": where, "x": where, "score": score})
    expected = sk.average_precision_score(y, score) if wrong else 1.0
    value = average_precision(matched(found, truth, images), truth, images)
    assert value == pytest.approx(expected)


@settings(max_examples=40)
@given(studies())
def test_froc_takes_steps_below_the_straight_lines(tables):
    """Sensitivity at a rate is that of the best threshold that keeps it, and grows with it."""
    found, truth, images = matching(tables)
    result = froc(found, truth, images)
    at = np.array([result.sensitivities[rate] for rate in RATES])
    if not len(truth):
        assert np.isnan(at).all()
        assert math.isnan(result.score)
        return
    counted = [counts_at(found, truth, images, score) for score in found["score"].unique()]
    for rate, value in result.sensitivities.items():
        kept = [counts.recall for counts in counted if counts.false_positives_per_image <= rate]
        assert value == max(kept, default=0.0)
    assert (np.diff(at) >= 0).all()
    assert result.score == pytest.approx(at.mean())
    made, reached = result.curve["false_positives_per_image"], result.curve["sensitivity"]
    assert (at <= np.interp(RATES, made, np.maximum.accumulate(reached)) + 1e-12).all()


def test_froc_counts_images_without_objects():
    """Eight images, one object found above two false alarms in empty ones: 1/8 is still free."""
    images = [f"i{number}" for number in range(8)]
    truth = objects(("i0", 0, 0, 9, 9), ("i1", 0, 0, 9, 9))
    found = detections(("i0", 1, 1, 0.9), ("i5", 1, 1, 0.8), ("i6", 1, 1, 0.7), ("i1", 1, 1, 0.6))
    result = froc(matched(found, truth, images), truth, images)
    assert result.curve["threshold"].tolist() == [math.inf, 0.9, 0.8, 0.7, 0.6]
    assert result.curve["false_positives_per_image"].tolist() == [0, 0, 1 / 8, 2 / 8, 2 / 8]
    assert result.sensitivities == {0.125: 0.5} | dict.fromkeys(RATES[1:], 1.0)
    assert result.score == pytest.approx(6.5 / 7)


def test_no_objects_and_no_detections_have_stated_results():
    """Nothing crashes or warns; what is not defined is NaN."""
    nothing, none = detections(), objects()
    one, truth = detections(("a", 1, 1, 0.5)), objects(("a", 0, 0, 9, 9))

    only_objects = matched(nothing, truth, ["a", "b"]), truth, ["a", "b"]
    counts = counts_at(*only_objects, 0.5)
    assert math.isnan(counts.precision)
    assert (counts.recall, counts.f1, counts.false_positives_per_image) == (0, 0, 0)
    assert len(precision_recall_curve(*only_objects)) == 0
    assert average_precision(*only_objects) == 0
    assert best_threshold(*only_objects) == math.inf
    assert froc(*only_objects).score == 0

    only_detections = matched(one, none, ["a", "b"]), none, ["a", "b"]
    counts = counts_at(*only_detections, 0.5)
    assert math.isnan(counts.recall)
    assert (counts.precision, counts.f1, counts.false_positives_per_image) == (0, 0, 0.5)
    assert math.isnan(average_precision(*only_detections))
    assert best_threshold(*only_detections) == math.inf
    assert math.isnan(froc(*only_detections).score)

    neither = matched(nothing, none, ["a"]), none, ["a"]
    counts = counts_at(*neither, 0.5)
    assert np.isnan([counts.precision, counts.recall, counts.f1]).all()
    assert math.isnan(average_precision(*neither))
    assert best_threshold(*neither) == math.inf
    assert math.isnan(froc(*neither).score)


def test_tables_are_checked_whole():
    """What is wrong with detections and objects is told at once."""
    found = detections(("a", 1, math.nan, 0.5), ("x", 1, 1, math.inf))
    truth = objects(("a", 0, 0, 9, 9), ("y", 0, 0, 9, 9), ("a", 5, 5, 6, 6)).set_axis([0, 0, 1])
    truth["kind"] = ["dead", "living", "dead"]
    with pytest.raises(TableError) as caught:
        matched(found, truth, ["a"])
    codes = [fault.code for fault in caught.value.faults]
    assert codes == ["not-a-number", "not-a-number", "no-such-image", "no-such-image",
                     "several-kinds", "wrong-index"]  # fmt: skip
    with pytest.raises(TableError, match="several-kinds"):
        matched(detections(), truth.assign(kind=["dead", None, "dead"], image="a"), ["a"])
    with pytest.raises(TableError, match="no-area"):
        matched(detections(), objects(("a", 0, 0, 9, 0)), ["a"])
    with pytest.raises(TableError, match="score"):
        matched(found.drop(columns="score"), objects(), ["a", "x"])


@pytest.mark.parametrize(
    "images",
    [
        [],
        ["a", "a"],
        pd.DataFrame({"name": ["a"]}),
        pd.DataFrame({"image": ["a", "b"], "group": ["g", None]}),
    ],
)
def test_the_list_of_images_is_checked(images):
    """No image, one named twice, none named, or one without a group: refused."""
    with pytest.raises(TableError, match="not a table of images"):
        matched(detections(), objects(), images)


def test_figures_need_matched_detections_and_the_same_objects():
    """Unmatched detections, fewer objects than were found, or NaN as threshold are refused."""
    found, truth = detections(("a", 1, 1, 0.5)), objects(("a", 0, 0, 9, 9))
    with pytest.raises(TableError, match="right"):
        precision_recall_curve(found, truth, ["a"])
    with pytest.raises(TableError, match="not-matched"):
        counts_at(matched(found, truth, ["a"]), objects(), ["a"], 0.5)
    with pytest.raises(SpecError, match="threshold"):
        counts_at(matched(found, truth, ["a"]), truth, ["a"], math.nan)


def test_numbers_as_text_are_numbers():
    """Columns read as text give what numbers give."""
    truth = objects(("a", 0, 0, 9, 9)).astype("str")
    found = detections(("a", 1, 1, 0.5), ("a", 2, 2, 0.75)).astype("str")
    table = matched(found, truth, ["a"])
    assert table["right"].tolist() == [False, True]
    assert counts_at(table, truth, ["a"], 0.6).precision == 1
