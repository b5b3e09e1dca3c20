"""Splits, their balance and confounders with three classes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SplitError
from livewell.splitting import balance, confounds
from livewell.splitting import schemes as splits

STATES = ("healthy", "sick", "dead")
Design = dict[str, tuple[int, int, int]]
ALONE = {"holdout": 3, "folds": 9, "leave one out": 3, "named": 4, "strata": 6}
"""Groups of each class alone with which a scheme must succeed, whatever others there are."""


def patches_of(design: Design) -> pd.DataFrame:
    """Patches of groups with (healthy, sick, dead) of each."""
    rows = [
        (group, label)
        for group, numbers in design.items()
        for label, number in zip(STATES, numbers, strict=True)
        for _ in range(number)
    ]
    return pd.DataFrame(rows, columns=["group", "label"])


def pure(*counts: int, patches: int = 3) -> Design:
    """So many groups of each class alone."""
    each = np.eye(3, dtype=int) * patches
    return {
        f"{name}{i}": tuple(each[code].tolist())
        for code, (name, count) in enumerate(zip(STATES, counts, strict=True))
        for i in range(count)
    }


mixed = st.lists(st.tuples(*[st.integers(0, 9)] * 3).filter(any), max_size=8).map(
    lambda groups: {f"mixed{i}": counts for i, counts in enumerate(groups)}
)


def designs(alone: int) -> st.SearchStrategy[Design]:
    """Designs with mixed groups and so many or a few more groups of each class alone."""
    counts = [st.integers(alone, alone + 2)] * 3
    return st.tuples(mixed, *counts, st.integers(1, 5)).map(
        lambda found: found[0] | pure(*found[1:4], patches=found[4])
    )


SCHEMES: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "holdout": lambda patches, seed: splits.Holdout().assign(patches, seed),
    "folds": lambda patches, seed: splits.KFolds(3, 0.2).assign(patches, seed),
    "leave one out": lambda patches, seed: splits.LeaveOneOut(0.2).assign(patches, seed),
    "named": lambda patches, seed: splits.Named(("healthy0", "dead0")).assign(patches, seed),
    "strata": lambda patches, seed: splits.Stratified(
        {g: float("hsdm".index(g[0])) for g in patches["group"].unique()}, 3, 0.2
    ).assign(patches, seed),
}


@pytest.mark.long
@pytest.mark.parametrize("scheme", SCHEMES)
@settings(deadline=None, max_examples=8)
@given(data=st.data(), seed=st.integers(0, 5))
def test_groups_are_never_torn_and_every_part_holds_every_class(scheme, data, seed):
    """In each fold of each scheme a group plays one part, and what is learnt from holds all."""
    patches = patches_of(data.draw(designs(ALONE[scheme])))
    folds = SCHEMES[scheme](patches, seed)
    every = sorted(patches["group"].unique())
    assert all(sorted(rows["group"]) == every for _, rows in folds.groupby("fold"))
    assert set(folds["part"]) == {"train", "validation", "test"}
    if scheme in ("folds", "leave one out", "strata"):
        assert sorted(folds.loc[folds["part"] == "test", "group"]) == every
    table = balance.balance(patches, folds)
    held = table[[f"patches_{name}" for name in STATES]] > 0
    learnt = held if scheme in ("holdout", "folds") else held[table["part"] != "test"]
    assert learnt.all().all()
    assert (table.groupby("fold")["patches"].sum() == len(patches)).all()


@given(scarce=st.sampled_from(STATES), groups=st.integers(1, 2))
def test_a_scarce_class_is_named(scarce, groups):
    """A class in fewer groups than parts is refused by name, with the groups of each class."""
    design = pure(*(groups if name == scarce else 6 for name in STATES))
    with pytest.raises(SplitError) as refused:
        splits.Holdout().assign(patches_of(design))
    assert f"too few groups of {scarce!r}" in str(refused.value)
    assert refused.value.got == (
        ", ".join(
            f"{name!r} in {groups if name == scarce else 6} group"
            + ("" if name == scarce and groups == 1 else "s")
            for name in sorted(STATES)
        )
        + f" (0 hold all classes), {12 + groups} groups in all"
    )


def test_warnings_speak_of_the_class_that_is_lacking():
    """Of three classes there is no one ROC curve: figures of the lacking class are not defined."""
    patches = patches_of(pure(4, 4, 4))
    told = balance.warnings(patches, splits.LeaveOneOut(0.2).assign(patches))
    lacking = [text for text in told if text.startswith("no 'dead' in the test part of 8 of 12")]
    assert len(lacking) == 1
    assert lacking[0].endswith("figures of that class are not defined there")
    assert any("calibration and figures of that class rest on that group" in text for text in told)
    assert not any("ROC" in text for text in told)


def test_a_confounder_of_one_class_of_three_is_told():
    """A plate with all dead wells is a confounder, told by class, level and all other classes."""
    table = pd.DataFrame(
        {"label": np.repeat(STATES, 8), "plate": ["p1", "p2"] * 8 + ["p3"] * 8, "well": range(24)}
    )
    found = confounds.confounders(table, columns=["plate"], noun="wells")
    (told,) = confounds.warnings(found)
    assert told.endswith("8 of 8 dead wells are of plate p3, but 0 of 16 healthy/sick")
    assert found["auc"].isna().all()
    assert 0.5 < found["cramers_v"].iloc[0] <= 1


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 50))
def test_the_order_of_the_classes_names_does_not_matter(seed):
    """Cramer's V and the p value of three classes are those of the classes renamed."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"label": rng.choice(STATES, 40), "plate": rng.choice(list("pqr"), 40)}
    ).assign(other=lambda t: t["label"].map({"healthy": "z", "sick": "y", "dead": "x"}))
    one = confounds.confounders(table, "label", ["plate"], permutations=99)
    other = confounds.confounders(table, "other", ["plate"], permutations=99)
    np.testing.assert_allclose(one["cramers_v"], other["cramers_v"])
    np.testing.assert_allclose(one["p_value"], other["p_value"], atol=0.15)
