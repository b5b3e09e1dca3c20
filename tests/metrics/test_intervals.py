"""Intervals over groups: honest, never of zero width, the same as scikit-learn's figures."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from livewell.errors import SpecError
from livewell.metrics import figures as metrics
from livewell.metrics.intervals import cluster_interval, estimates, exact_binomial, wilson
from livewell.metrics.outcomes import Outcomes
from livewell.metrics.resampling import draws, strata_of
from livewell.metrics.weighted import STATISTICS


def perfect(groups: list[tuple[str, int]], patches: int = 5) -> pd.DataFrame:
    """Groups of one class each, called without an error."""
    rows = [(name, y, float(y), y) for name, y in groups for _ in range(patches)]
    return pd.DataFrame(rows, columns=["group", "y", "p", "called"])


@pytest.mark.parametrize("name", sorted(metrics.FIGURES))
@pytest.mark.parametrize("digits", [1, 12])
def test_weighted_figures_are_those_of_repeated_groups(name, digits, scored):
    """A figure under whole weights is the plain figure of the table with groups repeated."""
    rng = np.random.default_rng(3)
    table = scored(rng, 7, 9).assign(p=lambda t: t["p"].round(digits))
    data = Outcomes.of(table)
    weights = rng.integers(0, 4, (5, 7)).astype(float)
    found = STATISTICS[name].prepare(data)(weights)
    share = table.groupby("group")["y"].transform("mean")
    for row, value in zip(weights, found, strict=True):
        copies = [
            rows.assign(group=f"{group}-{copy}")
            for times, (group, rows) in zip(
                row, table.assign(p0=share).groupby("group"), strict=True
            )
            for copy in range(int(times))
        ]
        expected = float(metrics.FIGURES[name](pd.concat(copies)))
        assert value == pytest.approx(expected)


def test_thousands_of_levels_are_thinned_without_harm(scored):
    """With 30,000 different scores the resampled area is scikit-learn's within 1e-4."""
    table = scored(np.random.default_rng(2), 30, 1000)
    data = Outcomes.of(table)
    weights = draws(data.held, 0, 2)
    for name, reference in (
        ("roc_auc", sk.roc_auc_score),
        ("average_precision", sk.average_precision_score),
    ):
        found = STATISTICS[name].prepare(data)(weights)
        for row, value in zip(weights, found, strict=True):
            expected = reference(data.y, data.p, sample_weight=row[data.code])
            assert value == pytest.approx(expected, abs=1e-4)


STUDIES = 120


@pytest.mark.parametrize(
    ("groups", "pure"),
    [
        (4, False),
        pytest.param(12, False, marks=pytest.mark.long),
        pytest.param(6, True, marks=pytest.mark.long),
        pytest.param(20, True, marks=pytest.mark.long),
    ],
)
def test_group_intervals_hold_the_truth(groups, pure, scored):
    """Over 120 simulated studies the 95% interval of each figure holds the truth in at least 89%,
    with few groups and many, whether groups hold both classes or one."""
    names = ["accuracy", "sensitivity", "roc_auc", *(() if pure else ("within_auc",))]
    all_groups = scored(np.random.default_rng(0), 2000, 40, pure=pure)
    truth = {name: float(metrics.FIGURES[name](all_groups)) for name in names}
    held = dict.fromkeys(names, 0)
    for study in range(STUDIES):
        table = scored(np.random.default_rng([1, study]), groups, 40, pure=pure)
        for name, found in estimates(table, seed=study, names=names, resamples=400).items():
            held[name] += found.low <= truth[name] <= found.high
    assert min(held.values()) >= 0.89 * STUDIES


@pytest.mark.long
def test_patch_intervals_are_far_too_narrow_where_groups_differ(scored):
    """An interval that takes patches for independent misses sensitivity in half of the studies,
    the one over groups in few."""
    truth = float(metrics.FIGURES["sensitivity"](scored(np.random.default_rng(0), 2000, 40)))
    held = naive = 0
    for study in range(STUDIES):
        table = scored(np.random.default_rng([2, study]), 12, 100)
        found = cluster_interval(table, "sensitivity", seed=study, resamples=400)
        held += found.low <= truth <= found.high
        rows = table[table["y"] == 1]
        low, high = wilson(int(rows["called"].sum()), len(rows))
        naive += low <= truth <= high
    assert held >= 0.89 * STUDIES
    assert naive < 0.5 * STUDIES


@pytest.mark.parametrize("name", ["accuracy", "sensitivity", "specificity", "roc_auc"])
def test_a_perfect_score_has_an_exact_interval_over_groups(name):
    """At 1 the interval is Clopper and Pearson's over the groups in question, not of zero width."""
    table = perfect([(f"n{i}", 0) for i in range(12)] + [(f"s{i}", 1) for i in range(5)])
    groups = {"accuracy": 17, "sensitivity": 5, "specificity": 12, "roc_auc": 5}[name]
    found = cluster_interval(table, name, seed=0)
    assert (found.value, found.high, found.method, found.groups) == (1, 1, "exact", groups)
    assert found.low == pytest.approx(0.025 ** (1 / groups))
    assert ("rough" in found.note) == (groups < 10)


def test_a_wholly_wrong_score_has_an_exact_interval_from_zero():
    """At 0 the interval begins at 0 and reaches up by the number of groups."""
    table = perfect([(f"n{i}", i % 2) for i in range(8)]).assign(called=lambda t: 1 - t["called"])
    found = cluster_interval(table, "accuracy", seed=0)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_a_figure_that_no_resample_moves_is_not_taken_for_certain():
    """Groups that all have the same share of right calls still leave a wide interval."""
    rows = [(f"g{i}", 1, 0.9, int(k < 3)) for i in range(6) for k in range(4)]
    table = pd.DataFrame(rows, columns=["group", "y", "p", "called"])
    found = cluster_interval(table, "sensitivity", seed=0)
    assert found.value == 0.75
    assert found.high - found.low > 0.3


@pytest.mark.parametrize("name", ["accuracy", "sensitivity", "roc_auc", "within_auc"])
def test_one_group_says_nothing(name, scored):
    """Resting on one group a figure could be anything from 0 to 1, and says so."""
    found = cluster_interval(scored(np.random.default_rng(0), 1), name, seed=0)
    assert (found.low, found.high, found.method) == (0, 1, "none")
    assert "one group" in found.note


def test_one_positive_group_among_many_leaves_sensitivity_open(scored):
    """What rests on the one group with positives is open; specificity is not."""
    table = scored(np.random.default_rng(0), 13, pure=True)
    table = table[(table["y"] == 0) | (table["group"] == "g001")]
    found = estimates(table, seed=0, names=["sensitivity", "specificity", "roc_auc"])
    assert (found["sensitivity"].low, found["sensitivity"].high) == (0, 1)
    assert (found["roc_auc"].low, found["roc_auc"].high) == (0, 1)
    assert found["specificity"].high - found["specificity"].low < 0.7
    assert found["specificity"].groups == 7


def test_an_undefined_figure_has_a_reason_and_no_interval(scored):
    """With one class the area is NaN, and the note says why."""
    table = scored(np.random.default_rng(0)).query("y == 0")
    found = cluster_interval(table, "roc_auc", seed=0)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert "negative" in found.note
    assert str(found).startswith("undefined")


def test_groups_are_drawn_within_the_classes_they_hold(scored):
    """Every resample has as many groups of each kind as the data, and whole groups only."""
    table = scored(np.random.default_rng(0), 9, pure=True)
    data = Outcomes.of(table)
    weights = draws(data.held, 0, 50)
    assert (weights == weights.round()).all()
    sick = data.held[1]
    assert (weights[:, sick].sum(axis=1) == sick.sum()).all()
    assert (weights[:, ~sick].sum(axis=1) == (~sick).sum()).all()
    assert sorted(np.concatenate(strata_of(data.held)).tolist()) == list(range(9))


def test_a_group_alone_of_its_kind_joins_another(scored):
    """One group of sick patches beside mixed groups is drawn among these and so varies."""
    mixed = scored(np.random.default_rng(0), 6)
    alone = scored(np.random.default_rng(1), 2, pure=True).query("y == 1").assign(group="z")
    data = Outcomes.of(pd.concat([mixed, alone]))
    assert len(strata_of(data.held)) == 1
    assert np.ptp(draws(data.held, 0, 200)[:, -1]) > 0


def test_the_seed_decides_and_more_groups_narrow(scored):
    """One seed gives one interval; ten times the groups give a narrower one."""
    few, many = scored(np.random.default_rng(0), 10), scored(np.random.default_rng(0), 100)
    one = cluster_interval(few, "roc_auc", seed=1)
    assert one == cluster_interval(few, "roc_auc", seed=1)
    assert one != cluster_interval(few, "roc_auc", seed=2)
    wide = cluster_interval(many, "roc_auc", seed=1)
    assert wide.high - wide.low < (one.high - one.low) / 2
    assert one.low <= one.value <= one.high


def test_with_many_groups_the_interval_is_the_normal_one():
    """For a mean over many equal groups the interval is mean +- 1.96 standard errors."""
    rng = np.random.default_rng(0)
    shares = rng.integers(4, 17, 300)
    rows = [(f"g{i}", 1, 0.5, int(k < n)) for i, n in enumerate(shares) for k in range(20)]
    table = pd.DataFrame(rows, columns=["group", "y", "p", "called"])
    found = cluster_interval(table, "sensitivity", seed=0, resamples=4000)
    half = 1.96 * (shares / 20).std(ddof=1) / np.sqrt(300)
    mean = (shares / 20).mean()
    assert found.method == "percentile"
    assert [found.low, found.high] == pytest.approx([mean - half, mean + half], abs=0.004)


def test_few_groups_get_students_interval():
    """Three groups are given an interval as wide as Student's, wider than the groups' range."""
    rows = [(f"g{i}", 1, 0.5, int(k < n)) for i, n in enumerate((14, 16, 15)) for k in range(20)]
    table = pd.DataFrame(rows, columns=["group", "y", "p", "called"])
    found = cluster_interval(table, "sensitivity", seed=0)
    assert found.low < 14 / 20
    assert found.high > 16 / 20
    t = stats.t.interval(0.95, 2, 0.75, stats.sem([0.7, 0.8, 0.75]))
    assert found.high - found.low == pytest.approx(t[1] - t[0], rel=0.15)


def test_min_each_reaches_the_interval(scored):
    """The area within groups counts, and rests on, only the groups with enough of each class."""
    table = scored(np.random.default_rng(0), 12, 40)
    thin = table[(table["group"] > "g003") | (table["y"] == 0) | (table.index % 40 < 6)]
    found = estimates(thin, seed=0, names=["within_auc"], min_each=10)["within_auc"]
    assert found.groups == 8
    assert found.value == metrics.within_auc(thin, 10).value


def test_ten_thousand_patches_are_resampled(scored):
    """Every figure of 10,000 patches gets an interval."""
    table = scored(np.random.default_rng(0), 40, 250)
    assert set(estimates(table, seed=0)) == set(STATISTICS)


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 9), (119, 126)])
def test_binomial_helpers_are_scipys(hits, n):
    """The exact interval is SciPy's for whole numbers, and holds Wilson's narrower one's share."""
    exact = stats.binomtest(hits, n).proportion_ci(method="exact")
    assert exact_binomial(hits, n) == pytest.approx((exact.low, exact.high))
    low, high = wilson(hits, n)
    assert low <= hits / n <= high


def test_settings_out_of_range_are_refused(scored):
    """Unknown figures, and counts that cannot be, are refused by name."""
    table = scored(np.random.default_rng(0))
    for call in (
        lambda: cluster_interval(table, "auroc", seed=0),
        lambda: cluster_interval(table, "accuracy", seed=0, resamples=0),
        lambda: exact_binomial(3, 2),
        lambda: wilson(0, 0),
    ):
        with pytest.raises(SpecError):
            call()


def test_one_error_is_hardly_more_certain_than_none():
    """One wrong patch of a thousand in five groups leaves an interval as wide as none does."""
    table = perfect([(f"g{number}", 1) for number in range(5)], patches=200)
    without = cluster_interval(table, "sensitivity", seed=0)
    table.loc[0, "called"] = 0
    one = cluster_interval(table, "sensitivity", seed=0)
    assert one.value == pytest.approx(0.999)
    assert one.low == pytest.approx(without.low, abs=0.01)
    assert one.high == 1


def test_a_class_in_one_group_leaves_figures_over_all_groups_open(scored):
    """With one sick well no resample knows how wells of sick cells differ; that is said."""
    table = scored(np.random.default_rng(0), 13, 50, pure=True)
    table["y"] = (table["group"] == "g000").astype(int)
    found = cluster_interval(table, "accuracy", seed=0)
    assert (found.low, found.high, found.method) == (0, 1, "none")


def test_two_groups_of_a_class_widen_the_interval():
    """Sick cells in two wells that weigh most: the truth is held in at least 78 of 100 studies."""
    rng = np.random.default_rng(7)
    held, widths = 0, []
    for study in range(100):
        shares = rng.beta(4, 1.5, 14)
        sizes = np.where(np.arange(14) < 2, 200, 50)
        group = np.repeat(np.arange(14), sizes)
        right = rng.random(len(group)) < shares[group]
        y = (group < 2).astype(int)
        table = pd.DataFrame({"group": group.astype(str), "y": y, "p": 0.5})
        table["called"] = np.where(right, y, 1 - y)
        found = cluster_interval(table, "accuracy", seed=study, resamples=400)
        held += found.low <= 4 / 5.5 <= found.high
        widths.append(found.high - found.low)
    assert held >= 78
    assert np.mean(widths) < 0.6


def test_calibration_error_of_honest_scores_may_be_none():
    """Perfectly calibrated scores: the interval reaches below what chance alone adds."""
    lows = []
    for study in range(20):
        rng = np.random.default_rng(study)
        p = rng.uniform(0.02, 0.98, 1000)
        y = (rng.random(1000) < p).astype(int)
        table = pd.DataFrame({"group": np.repeat(np.arange(20), 50).astype(str), "y": y, "p": p})
        table["called"] = (p >= 0.5).astype(int)
        found = cluster_interval(table, "calibration_error", seed=study)
        assert found.low <= found.value <= found.high
        lows.append(found.low)
    assert np.mean(lows) < 0.01
