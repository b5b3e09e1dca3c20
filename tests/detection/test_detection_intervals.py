"""Intervals of what was found: whole groups of images, honest with few, the plain figures."""

import math

import numpy as np
import pandas as pd
import pytest
from areas import average_precision

from livewell.detection.covered import COUNTS, table3_by_image
from livewell.detection.intervals import detection_estimates, table3_estimates
from livewell.detection.matching import counts_at, matched
from livewell.errors import SpecError, TableError
from livewell.metrics.intervals import Estimate

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
NAMES = ("precision", "recall", "f1", "average_precision")
STUDIES = 80


def study(
    rng: np.random.Generator, groups: int, *, images: int = 5, empty: float = 0.3, spread: float = 1
) -> Tables:
    """Images in groups that differ in how well objects are found and how many false alarms are.

    A share `empty` of the groups holds no object; the others hold up to four an image.
    """
    group = np.repeat(np.arange(groups), images)
    holds = group >= round(empty * groups)
    listed = pd.DataFrame({"image": np.arange(len(group)).astype(str), "group": group.astype(str)})
    sought = np.where(holds, rng.integers(1, 5, len(group)), 0)
    surer, noisier = rng.normal(1.5, spread, groups)[group], rng.gamma(4, 0.25, groups)[group]
    wrong = rng.poisson(noisier)
    rows = [(image, 20 * k, 0) for image, many in enumerate(sought) for k in range(many)]
    truth = pd.DataFrame(rows, columns=["image", "y0", "x0"]).astype({"image": "str"})
    truth = truth.assign(kind="dead", y1=truth["y0"] + 10, x1=10)
    place = np.repeat(np.arange(len(group)), sought)
    hits = pd.DataFrame({"image": truth["image"], "y": truth["y0"] + 5.0, "x": 5.0})
    hits["score"] = surer[place] + rng.normal(size=len(place))
    hits = hits[rng.random(len(hits)) < 0.95]
    noise = pd.DataFrame({"image": listed["image"].repeat(wrong), "y": 5.0, "x": 90.0})
    noise["score"] = rng.normal(size=len(noise))
    found = pd.concat([hits, noise], ignore_index=True)
    return matched(found, truth, listed), truth, listed


def plain(tables: Tables, threshold: float) -> dict[str, float]:
    """The figures without intervals."""
    counts = counts_at(*tables, threshold)
    figures = {name: float(getattr(counts, name)) for name in NAMES[:3]}
    return figures | {"average_precision": average_precision(*tables)}


@pytest.mark.parametrize("digits", [0, 1, 12])
def test_estimates_hold_the_plain_figures(digits):
    """Values are those of counting and of the curve, equal scores or not, and lie inside."""
    found, truth, images = study(np.random.default_rng(0), 20)
    found["score"] = found["score"].round(digits)
    estimates = detection_estimates(found, truth, images, 0.5, seed=0)
    expected = plain((found, truth, images), 0.5)
    assert tuple(estimates) == NAMES
    for name, estimate in estimates.items():
        assert estimate.value == pytest.approx(expected[name])
        assert 0 <= estimate.low < estimate.value < estimate.high <= 1


def repeated(tables: Tables, times: "pd.Series[int]") -> Tables:
    """The tables with each group so many times, every copy under names of its own."""
    parts: list[list[pd.DataFrame]] = [[], [], []]
    group = tables[2].set_index("image")["group"]
    for copy in range(int(times.max())):
        kept = set(group.index[group.map(times) > copy])
        for part, table in zip(parts, tables, strict=True):
            rows = table[table["image"].isin(kept)]
            part.append(rows.assign(image=rows["image"] + f"-{copy}"))
    found, truth, images = (pd.concat(part, ignore_index=True) for part in parts)
    return found, truth, images


@pytest.mark.long
def test_resampling_a_group_is_repeating_its_images():
    """Intervals are as wide as the spread of the plain figures of tables with groups repeated."""
    tables = study(np.random.default_rng(1), 60, images=2, empty=0)
    rng = np.random.default_rng(7)
    names = tables[2]["group"].unique()
    drawn = []
    for _ in range(150):
        times = pd.Series(np.bincount(rng.integers(0, 60, 60), minlength=60), index=names)
        drawn.append(plain(repeated(tables, times), 0.5))
    spread = pd.DataFrame(drawn).std()
    for name, found in detection_estimates(*tables, 0.5, seed=0).items():
        assert (found.high - found.low) / 2 == pytest.approx(2.02 * spread[name], rel=0.2)


@pytest.mark.parametrize(
    ("groups", "empty"),
    [
        pytest.param(5, 0.0, marks=pytest.mark.long),
        (12, 0.3),
        pytest.param(30, 0.8, marks=pytest.mark.long),
    ],
)
def test_group_intervals_hold_the_truth(groups, empty):
    """Over 80 simulated studies each 95% interval holds the truth in at least 70."""
    truth = plain(study(np.random.default_rng(99), 1000, empty=empty), 0.5)
    held = dict.fromkeys(NAMES, 0)
    for number in range(STUDIES):
        tables = study(np.random.default_rng([5, number]), groups, images=3, empty=empty)
        found = detection_estimates(*tables, 0.5, seed=number, resamples=300)
        for name, estimate in found.items():
            held[name] += estimate.low <= truth[name] <= estimate.high
    assert min(held.values()) >= 70


def test_the_seed_decides_and_more_groups_narrow():
    """One seed gives one interval; ten times the groups give one of half the width and less."""
    few = study(np.random.default_rng(2), 15)
    one = detection_estimates(*few, 0.5, seed=1)
    assert one == detection_estimates(*few, 0.5, seed=1)
    assert one != detection_estimates(*few, 0.5, seed=2)
    many = detection_estimates(*study(np.random.default_rng(2), 150), 0.5, seed=1)
    for name in NAMES:
        assert many[name].high - many[name].low < (one[name].high - one[name].low) / 2


def test_the_order_of_images_says_nothing():
    """Images in another order give the same intervals."""
    found, truth, images = study(np.random.default_rng(3), 12)
    other = detection_estimates(found, truth, images.iloc[::-1], 0.5, seed=0)
    assert other == detection_estimates(found, truth, images, 0.5, seed=0)


def test_whole_groups_are_drawn_not_images():
    """Each image ten times in its group changes nothing; as groups of their own they narrow."""
    tables = study(np.random.default_rng(4), 20, images=2, empty=0)
    copies = repeated(tables, pd.Series(10, index=tables[2]["group"].unique()))
    one = detection_estimates(*tables, 0.5, seed=0)
    whole = detection_estimates(*copies, 0.5, seed=0)
    alone = detection_estimates(copies[0], copies[1], copies[2]["image"].tolist(), 0.5, seed=0)
    for name in NAMES:
        assert whole[name].low == pytest.approx(one[name].low)
        assert alone[name].high - alone[name].low < (one[name].high - one[name].low) / 2


def perfect(holding: int, empty: int) -> Tables:
    """One image a group, with one object that is found, or none and no false alarm."""
    names = [f"i{number:02d}" for number in range(holding + empty)]
    images = pd.DataFrame({"image": names, "group": names})
    truth = pd.DataFrame({"image": names[:holding], "kind": "dead"})
    truth = truth.assign(y0=0, x0=0, y1=9, x1=9)
    found = pd.DataFrame({"image": names[:holding], "y": 1.0, "x": 1.0, "score": 0.9})
    return matched(found, truth, images), truth, images


@pytest.mark.parametrize(("holding", "empty"), [(6, 0), (6, 20), (6, 1)])
def test_all_found_has_an_exact_interval_over_groups_with_objects(holding, empty):
    """At 1 every interval is Clopper and Pearson's over groups with objects, not empty ones."""
    for found in detection_estimates(*perfect(holding, empty), 0.5, seed=0).values():
        assert (found.value, found.high, found.method, found.groups) == (1, 1, "exact", holding)
        assert found.low == pytest.approx(0.025 ** (1 / holding))


def test_one_group_with_objects_says_nothing():
    """Many empty groups do not make certain what one group with objects shows."""
    for empty in (0, 1, 20):
        for found in detection_estimates(*perfect(1, empty), 0.5, seed=0).values():
            assert (found.low, found.high, found.method) == (0, 1, "none")


def test_the_only_empty_group_is_drawn_with_the_others():
    """False alarms in the only group without objects widen the interval of precision."""
    found, truth, images = perfect(12, 1)
    alarms = pd.DataFrame({"image": "i12", "y": 50.0, "x": 50.0, "score": 0.9}, index=range(6))
    missed = found.iloc[1:]
    table = matched(pd.concat([missed, alarms], ignore_index=True), truth, images)
    precision = detection_estimates(table, truth, images, 0.5, seed=0)["precision"]
    assert precision.value == 11 / 17
    assert precision.high - precision.low > 0.2
    assert precision.method == "percentile"


def test_a_spread_of_two_empty_groups_has_one_degree_of_freedom():
    """Where all that differs is false alarms in two groups without objects, it is Student's t."""
    found, truth, images = perfect(20, 2)
    alarms = pd.DataFrame({"image": "i21", "y": 50.0, "x": 50.0, "score": 0.9}, index=range(5))
    table = matched(pd.concat([found, alarms], ignore_index=True), truth, images)
    for name in ("precision", "f1"):
        estimate = detection_estimates(table, truth, images, 0.5, seed=0)[name]
        assert estimate.method == "t"
        assert estimate.low < 0.2


def test_what_is_not_defined_has_a_reason():
    """Without objects, without detections, without either: NaN with a reason, or exactly 0."""
    found, truth, images = perfect(6, 6)
    cases = {
        "objects only": (found.iloc[:0], truth),
        "detections only": (matched(found, truth.iloc[:0], images), truth.iloc[:0]),
        "neither": (found.iloc[:0], truth.iloc[:0]),
    }
    defined = {
        "objects only": {"recall", "f1", "average_precision"},
        "detections only": {"precision", "f1"},
        "neither": set(),
    }
    for case, (some, these) in cases.items():
        for name, estimate in detection_estimates(some, these, images, 0.5, seed=0).items():
            if name in defined[case]:
                assert (estimate.value, estimate.low, estimate.method) == (0, 0, "exact")
                assert estimate.high == pytest.approx(1 - 0.025 ** (1 / 6))
            else:
                assert math.isnan(estimate.value)
                assert estimate.note.startswith("no ")
    nothing_called = detection_estimates(found, truth, images, math.inf, seed=0)
    assert math.isnan(nothing_called["precision"].value)
    assert nothing_called["recall"].value == 0
    assert nothing_called["average_precision"].value == 1


def test_thousands_of_detections_are_resampled():
    """20,000 detections in 40 groups give an interval round every figure that is defined."""
    tables = study(np.random.default_rng(0), 40, images=150, empty=0)
    assert len(tables[0]) > 15_000
    found = detection_estimates(*tables, 0.5, seed=0)
    assert all(f.low <= f.value <= f.high for f in found.values() if not math.isnan(f.value))


def test_settings_out_of_range_are_refused():
    """A threshold of NaN and no resamples are refused."""
    tables = perfect(6, 6)
    for call in (
        lambda: detection_estimates(*tables, math.nan, seed=0),
        lambda: detection_estimates(*tables, 0.5, seed=0, resamples=0),
    ):
        with pytest.raises(SpecError):
            call()


def covered_study(
    rng: np.random.Generator, groups: int, images: int = 3
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts of Table 3 by image, and the images, of groups that differ."""
    group = np.repeat(np.arange(groups), images)
    listed = pd.DataFrame({"image": np.arange(len(group)).astype(str), "group": group.astype(str)})
    place = np.repeat(np.arange(len(group)), 20)
    kinds = np.where(np.arange(len(place)) % 20 < 5, "circle", "ellipse")
    p = np.where(kinds == "circle", rng.beta(6, 2, groups)[group[place]], 0.1)
    shares = np.where(rng.random(len(place)) < p, 1.0, 0.0)
    by_image = table3_by_image(shares, kinds, listed["image"].to_numpy(str)[place], "circle")
    return by_image, listed


def test_intervals_of_table_3():
    """Values are the plain ones, the truth is held, groups narrow, empty images say nothing."""
    held = dict.fromkeys(("accuracy", "precision", "recall"), 0)
    for number in range(STUDIES):
        by_image, images = covered_study(np.random.default_rng(number), 12)
        found = table3_estimates(by_image, images, seed=number, resamples=300)
        true = {"accuracy": 0.8625, "precision": 0.75 / 1.05, "recall": 0.75}
        for name, estimate in found.items():
            held[name] += estimate.low <= true[name] <= estimate.high
    assert min(held.values()) >= 70
    true, false, missed, passed = by_image[COUNTS].sum().tolist()
    assert found["accuracy"].value == (true + passed) / 720
    assert found["precision"].value == true / (true + false)
    assert found["recall"].value == true / (true + missed)
    more = pd.DataFrame({"image": ["n1", "n2"], "group": ["n1", "n2"]})
    with_empty = pd.concat([images, more], ignore_index=True)
    assert table3_estimates(by_image, with_empty, seed=number, resamples=300) == found
    many = table3_estimates(*covered_study(np.random.default_rng(0), 120), seed=0)
    assert many["recall"].high - many["recall"].low < found["recall"].high - found["recall"].low


def test_table_3_without_objects_or_with_none_covered():
    """What is not defined is NaN and says why; nothing covered is a recall of exactly 0."""
    nothing = table3_estimates(table3_by_image([], [], [], "c"), ["a"], seed=0)
    assert all(math.isnan(found.value) for found in nothing.values())
    images = [f"i{number}" for number in range(6)]
    by_image = table3_by_image([0.0] * 6, ["c"] * 6, images, "c")
    none = table3_estimates(by_image, images, seed=0)
    assert math.isnan(none["precision"].value)
    assert none["precision"].note == "no object is covered"
    assert none["recall"] == Estimate(
        0.0, 0.0, none["recall"].high, 6, "exact", none["recall"].note
    )
    assert none["recall"].high == pytest.approx(1 - 0.025 ** (1 / 6))
    with pytest.raises(TableError, match="no-such-image"):
        table3_estimates(by_image, images[:-1], seed=0)
