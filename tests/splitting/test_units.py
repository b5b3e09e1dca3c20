"""Names of units, and units that a grouping tears."""

import pandas as pd
import pytest

from livewell.errors import SplitError
from livewell.splitting.units import straddling, unit_names

FIELDS = pd.DataFrame(
    {
        "image": ["a", "b", "c", "d", "e"],
        "picture": ["a", "a", "c", "d", "e"],
        "plate": ["P1", "P1", "P1", "P2", None],
        "well": ["A01", "A01", "A01", "A01", None],
        "position": ["1", "1", "2", "1", None],
    }
)


def test_a_well_is_named_with_its_plate() -> None:
    """A01 of two plates is two wells; an image without a well has no name."""
    names = unit_names(FIELDS, "well")
    assert names.iloc[:4].tolist() == ["P1/A01"] * 3 + ["P2/A01"]
    assert names.isna().tolist() == [False] * 4 + [True]


def test_no_such_column() -> None:
    """A column that is not there is refused."""
    with pytest.raises(SplitError, match="donor: no such group"):
        unit_names(FIELDS, "donor")


def test_units_that_are_torn() -> None:
    """Each image by itself tears the picture, its position and its well; wells tear nothing."""
    images = pd.Series(list("abcd"), index=list("abcd"))
    assert straddling(FIELDS, images) == {
        "well": ["P1/A01"],
        "position": ["P1/A01/1"],
        "picture": ["a"],
    }
    assert straddling(FIELDS, unit_names(FIELDS, "well").dropna()) == {}
    assert set(straddling(FIELDS, unit_names(FIELDS, "position").dropna())) == {"well"}


def test_pictures_that_a_table_names_win_over_names_of_files() -> None:
    """Files called like tiles are of one picture where every one is called its own, as tables of
    older versions say, and are what the table says where it knows of pictures."""
    names = ["a.png_01_01.png", "a.png_01_02.png", "b.png"]
    fields = pd.DataFrame({"image": names, "picture": names})
    images = pd.Series(names, index=names)
    assert straddling(fields, images) == {"picture": ["a.png"]}
    assert straddling(fields.assign(picture=[*names[:2], "c.png"]), images) == {}
