"""Splits by group, their balance and their promises."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from promises import check

from livewell.errors import SplitError
from livewell.splitting import balance
from livewell.splitting import schemes as splits
from livewell.splitting.assignment import can_cover
from livewell.splitting.groups import refuse_lost
from livewell.tables.metadata import LabelMeta


def regions_of(counts: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Patches of groups with (healthy, sick) of each."""
    rows = [
        (group, label)
        for group, numbers in counts.items()
        for label, n in zip(("healthy", "sick"), numbers, strict=True)
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["group", "label"])


tables = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(any), min_size=2, max_size=18
).map(lambda groups: {f"g{i:02d}": counts for i, counts in enumerate(groups)})


def coverable(counts: dict[str, tuple[int, int]], parts: int) -> bool:
    return can_cover(np.array(list(counts.values()), dtype=float), parts)


@settings(deadline=None, max_examples=40)
@given(tables, st.integers(0, 5))
def test_holdout_keeps_its_promises_or_says_why_not(counts, seed):
    """A holdout holds both classes in all three parts whenever whole groups can, else refuses."""
    patches = regions_of(counts)
    assume(patches["label"].nunique() == 2)
    if not coverable(counts, 3):
        with pytest.raises(SplitError, match="too few groups"):
            splits.Holdout().assign(patches, seed)
        return
    folds = splits.Holdout().assign(patches, seed)
    check(patches, folds)
    table = balance.balance(patches, folds)
    assert (table[["patches_healthy", "patches_sick"]] > 0).all().all()
    assert table["part"].tolist() == ["train", "validation", "test"]


@pytest.mark.long
@settings(deadline=None, max_examples=30)
@given(tables, st.integers(2, 4), st.integers(0, 3))
def test_k_folds_test_every_group_exactly_once(counts, k, seed):
    """Every group is tested once and every part of every fold holds both classes."""
    patches = regions_of(counts)
    assume(patches["label"].nunique() == 2)
    try:
        folds = splits.KFolds(k).assign(patches, seed)
    except SplitError:
        assert not coverable(counts, 3 * k)
        return
    check(patches, folds, tested_once=True)
    assert (balance.balance(patches, folds)[["patches_healthy", "patches_sick"]] > 0).all().all()


@pytest.mark.long
@settings(deadline=None, max_examples=25)
@given(tables, st.integers(0, 3))
def test_leave_one_group_out_tests_each_group_alone(counts, seed):
    """There is one fold a group; it alone is tested, train and validation hold both classes."""
    patches = regions_of(counts)
    assume(patches["label"].nunique() == 2)
    rests = [{k: v for k, v in counts.items() if k != group} for group in counts]
    if not all(coverable(rest, 2) for rest in rests):
        with pytest.raises(SplitError, match=r"train and validation beside .* as test"):
            splits.LeaveOneOut().assign(patches, seed)
        return
    folds = splits.LeaveOneOut().assign(patches, seed)
    check(patches, folds, tested_once=True)
    tests = folds[folds["part"] == "test"]
    assert tests.groupby("fold").size().tolist() == [1] * len(counts)


def test_row_order_does_not_matter_and_the_seed_decides():
    """The same patches in another order give the same split; another seed gives another."""
    patches = regions_of({f"w{i}": (10, 0) if i % 2 else (0, 10) for i in range(24)})
    mixed = patches.sample(frac=1, random_state=1)
    assign = splits.Holdout().assign
    pd.testing.assert_frame_equal(assign(patches, 3), assign(mixed, 3))
    others = [assign(patches, seed)["part"].tolist() for seed in range(4)]
    assert len({tuple(other) for other in others}) > 1


def test_holdout_comes_close_to_the_asked_shares():
    """With forty unequal groups each part has its share of each class within three points."""
    rng = np.random.default_rng(0)
    counts = {f"g{i}": tuple(rng.integers(5, 60, 2).tolist()) for i in range(40)}
    patches = regions_of(counts)
    table = balance.balance(patches, splits.Holdout().assign(patches))
    for name in ("patches_healthy", "patches_sick"):
        share = table[name] / table[name].sum()
        np.testing.assert_allclose(share, [0.6, 0.2, 0.2], atol=0.03)


def test_an_uneven_design_still_finds_the_only_way():
    """With one group of each kind beside one mixed group, two parts are found."""
    patches = regions_of({"a": (5, 0), "b": (0, 5), "c": (300, 300), "d": (40, 50)})
    folds = splits.Named(("d",)).assign(patches)
    part = folds.set_index("group")["part"]
    assert part["a"] == part["b"] != part["c"]


def test_a_giant_group_does_not_starve_a_fold():
    """A group as big as all others together is not left alone in a fold of its own."""
    counts = {"giant": (500, 500)} | {f"g{i}": (100, 100) for i in range(5)}
    patches = regions_of(counts)
    check(patches, splits.KFolds(2).assign(patches), tested_once=True)


def test_named_groups_are_where_the_user_put_them():
    """Test and validation groups are the named ones, the rest trains."""
    patches = regions_of(dict.fromkeys("abcde", (3, 3)))
    folds = splits.Named(("b",), ("d",)).assign(patches)
    assert folds.set_index("group")["part"].to_dict() == {
        "a": "train",
        "b": "test",
        "c": "train",
        "d": "validation",
        "e": "train",
    }


@pytest.mark.parametrize(
    ("test", "validation", "match"),
    [
        (("x", "y"), None, "no such group: x; no such group: y"),
        (("a",), ("a",), "in both lists: a"),
        ((), None, "no test group"),
        (("a",), (), "validation part has no patch of"),
        (("a",), ("healthy-only",), "validation part has no patch of 'sick'"),
    ],
)
def test_names_that_cannot_be_held_out_are_all_told(test, validation, match):
    """Unknown, repeated and missing names and starved parts are refused by name."""
    patches = regions_of({"a": (3, 3), "b": (3, 3), "healthy-only": (4, 0), "c": (2, 2)})
    with pytest.raises(SplitError, match=match):
        splits.Named(test, validation).assign(patches)


def test_patches_of_one_class_or_none_are_refused():
    """One class, unless it alone was labelled, and an empty table are refused by name."""
    patches = regions_of({"a": (2, 2), "b": (2, 2), "c": (2, 2)})
    meta = LabelMeta(route="column", classes=("sick", "healthy"))
    sick = patches.assign(label="sick")
    with pytest.raises(SplitError, match="every patch is 'sick'"):
        refuse_lost(sick, meta)
    refuse_lost(sick, meta.model_copy(update={"healthy_only": True}))
    assert set(splits.Holdout().assign(sick)["part"]) == {"train", "validation", "test"}
    with pytest.raises(SplitError, match="no patches"):
        splits.Holdout().assign(patches.iloc[:0])


def test_the_refusal_says_which_class_has_how_many_groups():
    """The error of a starved class names it, its groups and what to do."""
    patches = regions_of({"a": (9, 0), "b": (9, 0), "c": (9, 0), "d": (2, 2)})
    with pytest.raises(
        SplitError, match=r"'sick' .*'healthy' in 4 groups, 'sick' in 1 group.*label more"
    ):
        splits.Holdout().assign(patches)


@pytest.mark.parametrize("fractions", [(0.5, 0.5, 0.5), (1.0, 0.0, 0.0), (0.5, 0.5)])
def test_shares_that_cannot_be_are_refused(fractions):
    """Shares that do not sum to one or leave a part empty are refused."""
    with pytest.raises(SplitError, match="fractions"):
        splits.Holdout(fractions)


def test_a_broken_split_is_found_out_whole():
    """Every broken promise of a split is told at once."""
    patches = regions_of(dict.fromkeys("abcd", (3, 3)))
    rows = [(0, "a", "train"), (0, "b", "test"), (0, "c", "tset"), (0, "x", "train")]
    folds = pd.DataFrame(rows, columns=["fold", "group", "part"])
    with pytest.raises(SplitError) as caught:
        check(patches, folds, tested_once=True)
    for told in (
        "no such part: tset",
        "group x has no patch",
        "group d plays 0 parts",
        "validation has no healthy",
        "group a is tested 0 times",
    ):
        assert told in str(caught.value)


def test_balance_counts_groups_and_patches_of_every_part():
    """The balance table adds up to the patches and the groups that hold each class."""
    patches = regions_of({"a": (5, 0), "b": (4, 4), "c": (0, 6), "d": (2, 2)})
    folds = splits.Named(("d",), ("b",)).assign(patches)
    table = balance.balance(patches, folds).set_index("part")
    assert table.loc["train", ["groups", "patches", "groups_healthy", "groups_sick"]].tolist() == [
        2,
        11,
        1,
        1,
    ]
    assert table["patches_sick"].sum() == 12


def test_test_parts_of_one_class_are_allowed_with_a_warning():
    """Leaving one group out may test one class only, and says so; a group of both does not."""
    pure = regions_of({f"w{i}": (4, 0) if i % 2 else (0, 4) for i in range(8)})
    told = balance.warnings(pure, splits.LeaveOneOut(0.4).assign(pure))
    assert any("no 'sick' in the test part of 4 of 8 folds" in text for text in told)
    mixed = regions_of({f"w{i}": (4, 4) for i in range(8)})
    assert not balance.warnings(mixed, splits.LeaveOneOut(0.4).assign(mixed))


def test_three_classes_are_dealt_too():
    """Splits are not bound to two classes."""
    rows = [(f"g{i}", name) for i in range(12) for name in ("live", "dead", "dying")]
    patches = pd.DataFrame(rows, columns=["group", "label"])
    check(patches, splits.KFolds(3).assign(patches), tested_once=True)


@pytest.mark.long
@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(3, 9), min_size=2, max_size=4), st.integers(2, 4), st.integers(0, 9))
def test_stratified_folds_spread_every_stratum(sizes, folds, seed):
    """Every group is tested once, and two folds differ by one group of a stratum at most."""
    strata = {f"d{k}-{i}": float(k) for k, n in enumerate(sizes) for i in range(n)}
    patches = regions_of({g: (1, 0) if level == 0 else (0, 1) for g, level in strata.items()})
    assume(all(n - -(-n // folds) >= 2 for n in (sizes[0], sum(sizes[1:]))))
    made = splits.Stratified(strata, folds, 0.25).assign(patches, seed)
    tested = made[made["part"] == "test"].set_index("group")["fold"]
    assert sorted(tested.index) == sorted(strata)
    for level in set(strata.values()):
        members = [group for group in strata if strata[group] == level]
        counts = tested[members].value_counts().reindex(range(folds), fill_value=0)
        assert counts.max() - counts.min() <= 1
    sizes_ = tested.value_counts().reindex(range(folds), fill_value=0)
    assert sizes_.max() - sizes_.min() <= 1
    for fold, part in made.groupby("fold"):
        for role in ("train", "validation"):
            held = {g[1] == "0" for g in part.loc[part["part"] == role, "group"]}
            assert held == {True, False}, fold


def test_more_folds_than_groups_cannot_be():
    """The error says how many there may be."""
    patches = regions_of({"a": (1, 0), "b": (0, 1)})
    with pytest.raises(SplitError, match="2 to 2"):
        splits.Stratified({"a": 0.0, "b": 1.0}, 5).assign(patches)
