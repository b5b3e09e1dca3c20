"""Area lit in treated wells and in controls."""

import numpy as np
import pandas as pd
import pytest

from livewell.doses.lit_area import TREATMENTS, WELLS, LitDesign, lit_area
from livewell.errors import TableError

DESIGN = LitDesign("treatment", "none", "day")


def images(effect: float = 0.3, wells: int = 6, seed: int = 0) -> pd.DataFrame:
    """Two images a well and day; in treated wells more is lit from day to day."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{row}{n}", treatment, str(day), rng.normal(0.05 + level * (day - 3) / 8, 0.01))
        for row, treatment, level in (("A", "none", 0.0), ("B", "doxo", effect))
        for n in range(wells)
        for day in (3, 5, 11)
        for _ in range(2)
    ]
    return pd.DataFrame(rows, columns=["well", "treatment", "day", "lit"])


def test_wells_and_treatments_have_their_rows_in_the_order_of_time() -> None:
    """One row a well and day, one a treatment and day; day 11 comes after day 5, as numbers."""
    found = lit_area(images(), DESIGN)
    assert found.wells.columns.tolist() == WELLS
    assert found.treatments.columns.tolist() == TREATMENTS
    assert len(found.wells) == 2 * 6 * 3
    assert (found.wells["images"] == 2).all()
    assert found.treatments["time"].tolist() == [3, 3, 5, 5, 11, 11]
    assert (found.treatments["wells"] == 6).all()
    assert found.treatments["low"].lt(found.treatments["lit"]).all()


def test_a_treatment_that_kills_lies_above_its_control() -> None:
    """At the last day the interval of the difference lies above zero, at the first it holds it."""
    rows = lit_area(images(), DESIGN).treatments.set_index(["by", "time"])
    last = rows.loc[("doxo", 11)]
    assert 0.2 < last["above_low"] < last["above_control"] < last["above_high"] < 0.4
    first = rows.loc[("doxo", 3)]
    assert first["above_low"] < 0 < first["above_high"]
    assert rows.loc["none", "above_control"].isna().all()


@pytest.mark.long
def test_no_effect_is_seldom_called_one() -> None:
    """Without an effect the interval of the difference holds zero in nearly all experiments."""
    held = []
    for seed in range(60):
        rows = lit_area(images(0.0, seed=seed), DESIGN, seed=seed).treatments
        now = rows[(rows["by"] == "doxo") & (rows["time"] == 11)].iloc[0]
        held.append(now["above_low"] <= 0 <= now["above_high"])
    assert np.mean(held) >= 0.88


def test_wells_of_one_name_on_two_plates_are_two() -> None:
    """Plates tell wells of one name apart, and so may hold one treatment each."""
    plates = pd.concat([images().assign(plate=name) for name in "PQ"], ignore_index=True)
    plates.loc[plates["plate"] == "Q", "treatment"] = "none"
    found = lit_area(plates, DESIGN)
    assert found.treatments.set_index(["by", "time"])["wells"].loc[("none", 3)] == 18


def test_one_well_has_no_interval() -> None:
    """With one treated well its share stands without an interval, and so does the difference."""
    table = images()
    one = table[(table["treatment"] == "none") | (table["well"] == "B0")]
    rows = lit_area(one, LitDesign("treatment", "none")).treatments.set_index("by")
    assert rows.loc["doxo", ["low", "high", "above_low", "above_high"]].isna().all()
    assert rows.loc["doxo", "above_control"] > 0


@pytest.mark.parametrize(
    ("design", "change", "text"),
    [
        (LitDesign("drug", "none", "hour"), {}, r"(?s)drug: no such column.*hour: no such column"),
        (LitDesign("treatment", "vehicle"), {}, "no image is vehicle; there are doxo, none"),
        (DESIGN, {"treatment": "none"}, "all images are none"),
        (DESIGN, {"day": None}, "day: 72 of 72 images have none"),
        (LitDesign("treatment", "none", group="day"), {}, "day 11: is doxo, none"),
    ],
)
def test_what_cannot_be_compared_is_told(
    design: LitDesign, change: dict[str, object], text: str
) -> None:
    """Columns that are missing or empty, no control, one treatment, a well of two treatments."""
    with pytest.raises(TableError, match=text):
        lit_area(images().assign(**change), design)
