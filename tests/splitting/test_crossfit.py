"""Every group is scored once, by a model that never saw it."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livewell.errors import SplitError
from livewell.splitting.crossfit import scoring_folds
from livewell.splitting.schemes import KFolds


def split(trained: dict[str, float], folds: int) -> pd.DataFrame:
    """Folds over wells of two doses, one patch each."""
    label = ["sick" if dose else "healthy" for dose in trained.values()]
    return KFolds(folds, 0.25).assign(pd.DataFrame({"group": list(trained), "label": label}))


@pytest.mark.long
@given(
    st.integers(6, 9), st.integers(2, 3), st.lists(st.integers(0, 8), max_size=4), st.integers(0, 9)
)
def test_no_group_is_scored_by_a_model_that_saw_it(
    wells: int, folds: int, between: list[int], seed: int
) -> None:
    """A group's fold tests it or has no part for it; doses between are spread evenly."""
    trained = {f"c{i}": 0.0 for i in range(wells)} | {f"s{i}": 100.0 for i in range(wells)}
    rest = {f"m{k}-{i}": float(k + 1) for k, n in enumerate(between) for i in range(n)}
    parts = split(trained, folds)
    found = scoring_folds(pd.Series(trained | rest), parts, seed)
    assert list(found.index) == [*trained, *rest]
    for group, fold in found.items():
        part = parts.loc[(parts["group"] == group) & (parts["fold"] == fold), "part"].tolist()
        assert part == (["test"] if group in trained else [])
    for k, n in enumerate(between):
        counts = found[[g for g in rest if g.startswith(f"m{k}-")]].value_counts()
        assert counts.reindex(range(folds), fill_value=0).between(n // folds, -(-n // folds)).all()


def test_a_holdout_is_no_cross_fitting() -> None:
    """Groups that were trained on and never tested are named."""
    parts = split({"c0": 0, "c1": 0, "c2": 0, "s0": 1, "s1": 1, "s2": 1}, 3)
    doses = pd.Series({"c0": 0.0, "c1": 0.0, "c2": 0.0})
    one = parts[(parts["fold"] == 0)]
    with pytest.raises(SplitError, match="never tested"):
        scoring_folds(doses, one, 0)
    twice = pd.concat([parts, parts.assign(fold=parts["fold"] + 3)])
    with pytest.raises(SplitError, match="tested twice: c0"):
        scoring_folds(doses, twice, 0)
