"""Mosaics are dealt within part and class, and what shares an image or group stays together."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livewell.errors import SpecError, TableError
from livewell.papers.mosaic_tables import MOSAICS, RAW, deal_mosaics, left_out, raw_images
from livewell.splitting.schemes import PARTS

LABELS = ("wild type", "kd")
Sizes = dict[str, tuple[str, int, int]]
"""Part, and images of each class, by group."""


def raw_of(sizes: Sizes) -> pd.DataFrame:
    """Raw images of groups: one movie a group, class and image, two frames of it where even."""
    rows = [
        (f"{group}-{label[0]}{i // 2}.tif", i % 2, label, group, part)
        for group, (part, *counts) in sizes.items()
        for label, count in zip(LABELS, counts, strict=True)
        for i in range(count)
    ]
    return pd.DataFrame(rows, columns=RAW)


@st.composite
def groups(draw: st.DrawFn) -> Sizes:
    """Groups of nought to nine images of a class; one of each part holds enough of both."""
    sizes: Sizes = {}
    for part in PARTS:
        sizes[f"{part}!"] = (part, draw(st.integers(4, 6)), draw(st.integers(4, 6)))
        counts = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6))
        sizes |= {f"{part}{i}": (part, *count) for i, count in enumerate(counts)}
    return sizes


def keys(table: pd.DataFrame) -> "pd.Series[str]":
    """What names a raw image."""
    return table["image"] + ":" + table["t"].astype("str")


@pytest.mark.long
@settings(max_examples=30)
@given(groups(), st.integers(0, 3), st.integers(1, 3))
def test_no_mosaic_crosses_part_or_class(sizes, seed, repeats):
    """Every mosaic holds four images of one part and class, which are those of its images."""
    raw = raw_of(sizes)
    table = deal_mosaics(raw, repeats=repeats, seed=seed)
    assert list(table.columns) == MOSAICS
    assert table.groupby("mosaic")[["part", "label", "mosaic_group"]].nunique().max().max() == 1
    assert table.groupby("mosaic")["cell"].apply(list).map(lambda c: c == [0, 1, 2, 3]).all()
    known = raw.assign(key=keys(raw)).set_index("key")
    for column in ("part", "label", "group"):
        assert (table[column].to_numpy() == known.loc[keys(table), column].to_numpy()).all()
    assert table.assign(key=keys(table)).groupby("key")["part"].nunique().max() == 1


@settings(max_examples=30)
@given(groups(), st.integers(0, 3), st.integers(1, 3))
def test_training_images_are_first_so_many_times(sizes, seed, repeats):
    """Each training image is the first of `repeats` mosaics, and none is twice in a mosaic."""
    raw = raw_of(sizes)
    table = deal_mosaics(raw, repeats=repeats, seed=seed)
    train = table[table["part"] == "train"]
    first = keys(train[train["cell"] == 0]).value_counts()
    assert set(first.index) == set(keys(raw[raw["part"] == "train"]))
    assert set(first) == {repeats}
    assert not train.assign(key=keys(train)).duplicated(["mosaic", "key"]).any()


@pytest.mark.long
@settings(max_examples=30)
@given(groups(), st.integers(0, 3))
def test_held_out_images_are_used_once_or_left_out(sizes, seed):
    """In validation and test no image is used twice, and fewer than four of a class are left."""
    raw = raw_of(sizes)
    table = deal_mosaics(raw, seed=seed)
    held = table[table["part"] != "train"]
    assert keys(held).is_unique
    rest = left_out(raw, table)
    assert set(keys(held)) | set(keys(rest)) == set(keys(raw[raw["part"] != "train"]))
    there = raw[raw["part"] != "train"].groupby(["part", "label"]).size()
    left = rest.groupby(["part", "label"]).size().reindex(there.index, fill_value=0)
    assert (left == there % 4).all()


@settings(max_examples=30)
@given(groups(), st.integers(0, 3))
def test_groups_stay_together(sizes, seed):
    """No group is in two mosaic groups, and no mosaic group in two parts."""
    table = deal_mosaics(raw_of(sizes), repeats=1, seed=seed)
    assert table.groupby("group")["mosaic_group"].nunique().max() == 1
    assert table.groupby("mosaic_group")["part"].nunique().max() == 1
    assert (table["mosaic_group"].str.split("-").str[0] == table["part"]).all()


@settings(max_examples=30)
@given(groups(), st.integers(0, 3))
def test_as_many_mosaics_of_one_group_as_can_be(sizes, seed):
    """Every four images that a held-out group has of a class are a mosaic of that group alone."""
    table = deal_mosaics(raw_of(sizes), seed=seed)
    held = table[table["part"] != "train"]
    members = held.groupby("mosaic")["group"].nunique()
    assert (members < 2).sum() == sum(
        count // 4 for part, *counts in sizes.values() if part != "train" for count in counts
    )


@settings(max_examples=10)
@given(groups(), st.integers(0, 3), st.randoms(use_true_random=False))
def test_same_seed_same_table(sizes, seed, random):
    """One seed gives one table, whatever the order of the rows and patches beside; others not."""
    raw = raw_of(sizes)
    table = deal_mosaics(raw, seed=seed)
    order = list(range(len(raw))) * 2
    random.shuffle(order)
    pd.testing.assert_frame_equal(deal_mosaics(raw.iloc[order], seed=seed), table)
    assert not deal_mosaics(raw, seed=seed + 1).equals(table)


def test_rests_are_packed_so_that_few_groups_are_tied():
    """Rests of 3, 1, 2 and 2 images make two mosaics of two groups; four alone stay alone."""
    held = {"a": ("test", 3, 4), "b": ("test", 1, 0), "c": ("test", 2, 0), "d": ("test", 2, 0)}
    raw = raw_of({"t": ("train", 4, 4), **held, "e": ("test", 4, 4)})
    table = deal_mosaics(raw)
    test = table[table["part"] == "test"]
    assert set(test["mosaic_group"]) == {"test-a+b", "test-c+d", "test-e"}
    assert table.loc[table["part"] == "train", "mosaic_group"].unique().tolist() == ["train-t"]


def test_the_papers_numbers():
    """Of 800 images a class in three parts, 267 train in 2,136 mosaics; 66 are tested on."""
    rows = [
        (f"{label}{i}.tif", 0, label, f"{label}{i}", PARTS[i % 3])
        for label in LABELS
        for i in range(800)
    ]
    raw = pd.DataFrame(rows, columns=RAW)
    table = deal_mosaics(raw)
    counts = table.groupby(["part", "label"])["mosaic"].nunique()
    assert counts["train"].tolist() == [2136, 2136]
    assert counts["test"].tolist() == [66, 66]
    assert table.loc[table["part"] == "test", "mosaic_group"].nunique() == 132
    assert len(left_out(raw, table)) == 2 * (3 + 2)
    assert table["mosaic"].iloc[0] == "train-kd-00001"
    assert table["mosaic"].str.contains("train-wild_type-04272").any()


def test_unused_images_play_no_part():
    """Images of the part unused are in no mosaic, and are not counted as left out."""
    raw = raw_of({f"{part}!": (part, 4, 4) for part in (*PARTS, "unused")})
    table = deal_mosaics(raw)
    assert "unused!" not in set(table["group"])
    assert left_out(raw, table).empty


def test_other_grids():
    """Nine images make a mosaic of three by three, one makes a mosaic of its own."""
    raw = raw_of({part: (part, 9, 9) for part in PARTS})
    assert (deal_mosaics(raw, cells=9).groupby("mosaic").size() == 9).all()
    assert (deal_mosaics(raw, cells=1, repeats=1).groupby("mosaic").size() == 1).all()
    with pytest.raises(SpecError, match="no such mosaics"):
        deal_mosaics(raw, cells=0)


def test_too_few_images_are_told_by_part_and_class():
    """Fewer than four images of a class in a part are refused, all parts and classes at once."""
    raw = raw_of({"a": ("train", 4, 3), "b": ("validation", 4, 4), "c": ("test", 0, 9)})
    with pytest.raises(TableError) as caught:
        deal_mosaics(raw)
    assert [fault.where for fault in caught.value.faults] == [
        "part test, class wild type",
        "part train, class kd",
    ]
    assert "3 images; a mosaic needs 4" in str(caught.value)


def spoilt(**changes: object) -> pd.DataFrame:
    """Good images, and the first one once more with other values."""
    raw = raw_of({part: (part, 4, 4) for part in PARTS})
    return pd.concat([raw, raw.head(1).assign(**changes)], ignore_index=True)


@pytest.mark.parametrize(
    ("raw", "code", "told"),
    [
        (spoilt(label="kd"), "labels-on-patches", "train-w0.tif"),
        (spoilt(group="other"), "several-groups", "train-w0.tif"),
        (spoilt().head(0), "no-rows", "no image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_images_that_cannot_be_dealt(raw, code, told):
    """What contradicts itself is refused by name, never dealt on a guess."""
    with pytest.raises(TableError, match=told) as caught:
        deal_mosaics(raw)
    assert code in [fault.code for fault in caught.value.faults]


def test_labels_on_patches_say_what_to_do():
    """An image of two classes is told to be labelled whole."""
    with pytest.raises(TableError, match="label whole images"):
        deal_mosaics(spoilt(label="kd"))


def test_raw_images_of_a_split():
    """Patches of one frame are one raw image, with its group's part in that fold."""
    patches = pd.DataFrame(
        [("a", 0, 0), ("a", 0, 64), ("a", 1, 0), ("b", 0, 0), ("c", 0, 0)],
        columns=["image", "t", "y0"],
    ).assign(label="kd", group=lambda table: table["image"])
    folds = pd.DataFrame(
        [(0, "a", "test"), (1, "a", "train"), (1, "b", "test"), (1, "c", "unused")],
        columns=["fold", "group", "part"],
    )
    raw = raw_images(patches, folds, 1)
    assert list(raw.columns) == RAW
    assert raw[["image", "t", "part"]].to_numpy().tolist() == [
        ["a", 0, "train"],
        ["a", 1, "train"],
        ["b", 0, "test"],
    ]
