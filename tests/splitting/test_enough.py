"""When a few labels are enough for a hold-out, and what is missing before."""

import pandas as pd
import pytest

from livewell.errors import SplitError
from livewell.splitting.enough import grouping

CLASSES = ("healthy", "sick")


def study(wells: int, positions: int = 2) -> pd.DataFrame:
    """Images of so many wells, each with as many positions."""
    rows = [(f"W{w}_p{p}", f"A{w + 1:02}", str(p)) for w in range(wells) for p in range(positions)]
    fields = pd.DataFrame(rows, columns=["image", "well", "position"])
    return fields.assign(path=fields["image"], picture=fields["image"])


def labels(**classes: str) -> pd.DataFrame:
    """Labels ``W0_p0="hs"``: one of each letter's class."""
    names = {"h": "healthy", "s": "sick"}
    rows = [(image, names[letter]) for image, letters in classes.items() for letter in letters]
    return pd.DataFrame(rows, columns=["image", "label"])


def test_wells_where_there_are_enough() -> None:
    """Wells are held out whole where three or more hold each class."""
    found = grouping(study(6), labels(**{f"W{n}_p0": "hs"[n % 2] * 3 for n in range(6)}), CLASSES)
    assert found.torn == ""
    assert (found.by, found.folds, found.groups) == ("well", 2 if found.folds == 2 else 3, 6)


def test_positions_where_wells_are_few() -> None:
    """Two wells with four positions each are held out position by position."""
    table = labels(**{f"W{w}_p{p}": "hs" for w in range(2) for p in range(4)})
    found = grouping(study(2, 4), table, CLASSES)
    assert found.by == "position"
    assert found.groups == 8
    assert found.torn == "well"


def test_one_class_says_which_is_missing() -> None:
    """With one class alone it is said which other one is needed."""
    with pytest.raises(SplitError, match="nothing is labelled sick yet"):
        grouping(study(4), labels(W0_p0="hh", W1_p0="h"), CLASSES)


def test_too_few_says_how_many_more() -> None:
    """With too few images of a class it is said how many more are needed, of what."""
    with pytest.raises(SplitError) as caught:
        grouping(study(4), labels(W0_p0="h", W1_p0="h", W2_p0="h", W3_p0="s"), CLASSES)
    assert "2 more with sick" in str(caught.value)
