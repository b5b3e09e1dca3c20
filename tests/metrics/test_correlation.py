"""Correlations of scores with something measured: SciPy's r, intervals over groups."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from livewell.metrics.correlation import correlation
from livewell.metrics.outcomes import Outcomes

STUDIES = 100


def measured(
    seed: list[int] | int, groups: int, patches: int = 30, slope: float = -0.6
) -> pd.DataFrame:
    """Groups with an offset in x and another in y, and a common slope within them."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), patches)
    within = rng.normal(size=len(group))
    x = 500 + 50 * (within + rng.normal(0, 1, groups)[group])
    y = slope * within + rng.normal(0, 0.8, len(group)) + rng.normal(0, 1, groups)[group]
    names, truth = [f"g{n:04}" for n in group], rng.integers(0, 2, len(group))
    return pd.DataFrame({"group": names, "y": truth, "p": 0.5, "called": 0, "stain": x, "score": y})


def test_r_is_scipys() -> None:
    """Pooled r is Pearson's, r within groups that of the distances from each group's means."""
    table = measured(0, 9)
    found = correlation(Outcomes.of(table), table["stain"], table["score"], seed=0)
    assert found.pooled.value == pytest.approx(stats.pearsonr(table["stain"], table["score"])[0])
    centred = table[["stain", "score"]] - table.groupby("group")[["stain", "score"]].transform(
        "mean"
    )
    assert found.within.value == pytest.approx(stats.pearsonr(*centred.to_numpy().T)[0])
    for each in (found.pooled, found.within):
        assert -1 <= each.low < each.value < each.high <= 1
        assert each.groups == 9


def test_groups_that_differ_make_no_r_within() -> None:
    """Two numbers that only differ between groups go together pooled, not within groups."""
    rng = np.random.default_rng(99)
    table = measured(1, 20).assign(score=lambda t: t.groupby("group")["stain"].transform("mean"))
    table["score"] += rng.normal(0, 1, len(table))
    found = correlation(Outcomes.of(table), table["stain"], table["score"], seed=0)
    assert found.pooled.low > 0.4
    assert found.within.low < 0 < found.within.high


@pytest.mark.parametrize("groups", [6, 20])
def test_intervals_hold_the_truth(groups: int) -> None:
    """Over 100 simulated studies the interval of either r holds the truth in at least 86."""
    everything = measured(0, 4000)
    true = correlation(
        Outcomes.of(everything), everything["stain"], everything["score"], seed=0, resamples=2
    )
    held = [0, 0]
    for study in range(STUDIES):
        table = measured([1, study], groups)
        found = correlation(
            Outcomes.of(table), table["stain"], table["score"], seed=study, resamples=400
        )
        held[0] += found.pooled.low <= true.pooled.value <= found.pooled.high
        held[1] += found.within.low <= true.within.value <= found.within.high
    assert min(held) >= 0.86 * STUDIES


def test_what_does_not_vary_has_no_r() -> None:
    """Where one number is the same everywhere, or within each group, r is not defined there."""
    table = measured(2, 5)
    data = Outcomes.of(table)
    flat = correlation(data, np.full(len(table), 7.0), table["score"], seed=0)
    assert np.isnan(flat.pooled.value)
    assert flat.pooled.note == "all regions are alike"
    means = table.groupby("group")["stain"].transform("mean")
    found = correlation(data, means, table["score"], seed=0)
    assert np.isfinite(found.pooled.value)
    assert np.isnan(found.within.value)
