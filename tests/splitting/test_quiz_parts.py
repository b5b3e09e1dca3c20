"""What a quiz asks: balanced classes, groups of their own for each part, nothing twice."""

from itertools import pairwise

import pandas as pd
import pytest

from livewell.errors import SplitError
from livewell.splitting.quiz_parts import QuizSizes, quiz_parts

CLASSES = ("healthy", "sick")


def patches(groups: int, images: int = 2, each: int = 6) -> pd.DataFrame:
    """Patches of groups of one class each, in turn; neighbours lie on each other by half."""
    rows = [
        (f"g{g}-i{i}", 0, 0, 32 * n, 64, 32 * n + 64, CLASSES[g % 2], f"g{g}")
        for g in range(groups)
        for i in range(images)
        for n in range(each)
    ]
    names = ["image", "t", "y0", "x0", "y1", "x1", "label", "group"]
    return pd.DataFrame(rows, columns=names)


def test_parts_are_balanced_and_apart() -> None:
    """Each part has as many of each class, in groups that no other part has; no region twice."""
    found, notes = quiz_parts(patches(12), CLASSES, QuizSizes(10, 12, 10), seed=3)
    assert notes == []
    assert found["part"].tolist() == ["before"] * 10 + ["study"] * 12 + ["after"] * 10
    for _, part in found.groupby("part"):
        assert len(set(part["label"].value_counts())) == 1
    assert len(found[["group", "part"]].drop_duplicates()) == found["group"].nunique()
    assert not found.duplicated(["image", "t", "y0", "x0"]).any()


def test_regions_of_one_image_do_not_overlap_while_there_are_others() -> None:
    """Of six patches that overlap by half three are apart, and these come first."""
    found, _ = quiz_parts(patches(12), CLASSES, QuizSizes(8, 8, 8), seed=0)
    for _, own in found.groupby(["image"]):
        starts = sorted(own["x0"])
        assert all(b - a >= 64 for a, b in pairwise(starts))


def test_few_groups_are_shared_by_the_parts_that_are_scored() -> None:
    """With four groups, study has its own, and the note says that before and after share theirs."""
    found, notes = quiz_parts(patches(4), CLASSES, QuizSizes(4, 4, 4), seed=0)
    studied = set(found.loc[found["part"] == "study", "group"])
    assert not studied & set(found.loc[found["part"] != "study", "group"])
    assert any("too few for three parts" in note for note in notes)


def test_two_groups_are_shared_by_all() -> None:
    """With one group of each class all parts show the same groups, and it is said."""
    _, notes = quiz_parts(patches(2), CLASSES, QuizSizes(4, 4, 4), seed=0)
    assert any("same 2 groups" in note for note in notes)


def test_parts_of_the_same_groups_share_no_pixels() -> None:
    """Where all parts show the same groups, nobody studies pixels that they are asked about."""
    found, _ = quiz_parts(patches(2, images=3, each=12), CLASSES, QuizSizes(4, 12, 4), seed=0)
    assert set(found["part"]) == {"before", "study", "after"}
    for _, own in found.groupby("image"):
        one, other = (own.assign(key=0)[["part", "x0", "key"]] for _ in range(2))
        pairs = one.merge(other, on="key")
        apart = (pairs["x0_x"] - pairs["x0_y"]).abs() >= 64
        assert apart[pairs["part_x"] != pairs["part_y"]].all()


def test_smaller_where_there_is_not_enough() -> None:
    """A part that cannot be filled is smaller, stays balanced, and says so."""
    found, notes = quiz_parts(patches(6, images=1), CLASSES, QuizSizes(4, 500, 4), seed=0)
    study = found[found["part"] == "study"]
    assert study["label"].value_counts().tolist() == [6, 6]
    assert any("12 of the 500" in note for note in notes)


def test_the_same_seed_asks_the_same() -> None:
    """A seed decides which regions are asked, and in which order; another asks others."""
    one, same, other = (
        quiz_parts(patches(12), CLASSES, QuizSizes(5, 5, 5), seed=s)[0] for s in (1, 1, 2)
    )
    assert one.equals(same)
    assert not one.equals(other)
    assert len(one) == 15


def test_a_class_that_is_not_there_is_refused() -> None:
    """Without a region of a class there is no quiz."""
    table = patches(6)
    with pytest.raises(SplitError, match="sick"):
        quiz_parts(table[table["label"] == "healthy"], CLASSES, QuizSizes(4, 4, 4), seed=0)
