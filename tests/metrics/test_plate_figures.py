"""Wells of plates: values, hits, effects of the plate, controls."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from livewell.errors import SpecError
from livewell.metrics import plate_effects as effects
from livewell.metrics.assay_quality import assay_quality, ssmd_words, z_words
from livewell.metrics.hits import hits, least_difference
from livewell.metrics.plates import (
    POSITIVE,
    SPREAD,
    TREATED,
    UNTREATED,
    from_untreated,
    log_odds,
    well_values,
)
from livewell.plate import PLATES, Plate, Well

PATCHES = 200


def fields_of(values: Mapping[str, list[float]], plate: str = "") -> pd.DataFrame:
    """A row a field, of wells by name; NaN: nothing to judge, negative: failed."""
    rows = []
    for name, shares in values.items():
        well = Well.parse(name)
        for share in shares:
            patches = 0 if np.isnan(share) or share < 0 else PATCHES
            value = np.nan if share < 0 else share
            rows.append((plate, name, well.row, well.column, value, patches, share < 0))
    columns = ["plate", "well", "row", "column", "value", "patches", "failed"]
    return pd.DataFrame(rows, columns=columns)


def plate_of(
    seed: int,
    size: int = 96,
    *,
    untreated: int = 16,
    mean: float = 0.1,
    correlation: float = 0.03,
    add: Any = 0.0,
    plate: str = "",
) -> pd.DataFrame:
    """Wells of a simulated plate: beta-binomial shares, untreated ones anywhere, `add` on odds."""
    rng, where = np.random.default_rng(seed), PLATES[size].wells()
    odds = np.log(mean / (1 - mean)) + np.broadcast_to(add, len(where))
    middle = 1 / (1 + np.exp(-odds))
    many = (1 - correlation) / correlation
    share = rng.binomial(PATCHES, rng.beta(middle * many, (1 - middle) * many)) / PATCHES
    role = np.full(len(where), TREATED, dtype=object)
    role[rng.permutation(len(where))[:untreated]] = UNTREATED
    names = [str(well) for well in where]
    return pd.DataFrame(
        {
            "plate": plate,
            "well": names,
            "row": [well.row for well in where],
            "column": [well.column for well in where],
            "value": share,
            "patches": PATCHES,
            "fields": 4,
            "role": role,
            "condition": [f"{plate} {name}".strip() for name in names],
        }
    )


def test_wells_weigh_their_fields_and_say_what_is_missing() -> None:
    """A value is the share of all patches; empty and failed fields are counted, not averaged."""
    table = fields_of({"A01": [0.1, 0.3], "A02": [0.5, np.nan, -1], "A03": [-1], "A04": [np.nan]})
    table.loc[0, "patches"] = 600
    found = well_values(table, seed=0).set_index("well")
    assert found["value"].round(6).tolist()[:2] == [0.15, 0.5]
    assert found["value"].isna().tolist() == [False, False, True, True]
    assert found[["fields", "empty", "failed"]].to_numpy().tolist() == [
        [2, 0, 0],
        [1, 1, 1],
        [0, 0, 1],
        [0, 1, 0],
    ]
    assert found.loc["A01", "low"] < 0.15 < found.loc["A01", "high"]
    assert found.loc["A02", "note"] == "one field: no interval within the well"
    assert found.loc["A04", "note"] == "nothing was judged"


def test_interval_of_a_well_is_its_own() -> None:
    """Other wells and the order of fields do not change a well's interval."""
    one = well_values(fields_of({"B02": [0.1, 0.2, 0.4]}), seed=3)
    two = well_values(fields_of({"A01": [0.3, 0.1], "B02": [0.4, 0.1, 0.2]}), seed=3)
    assert one.iloc[0].to_dict() == two[two["well"] == "B02"].iloc[0].to_dict()


def test_one_field_takes_the_spread_of_untreated_wells() -> None:
    """Without fields to resample a well has the interval of another well treated alike."""
    shares = {f"A{n:02}": [0.08 + 0.01 * (n % 3)] for n in range(1, 9)}
    table = well_values(fields_of(shares | {"B01": [0.5]}), seed=0)
    table["role"] = np.where(table["well"] == "B01", TREATED, UNTREATED)
    found = from_untreated(table).set_index("well").loc["B01"]
    assert found["method"] == SPREAD
    assert found["note"] == "one field: from the spread of 8 untreated wells"
    assert 0.2 < found["low"] < 0.5 < found["high"] < 0.8
    alone = from_untreated(table.assign(role=TREATED)).set_index("well").loc["B01"]
    assert np.isnan(alone["low"])


def test_sick_wells_are_hits() -> None:
    """Wells far above the untreated ones are hits, with a difference that holds the truth."""
    add = np.zeros(96)
    add[[10, 40, 70]] = np.log(0.6 / 0.4) - np.log(0.1 / 0.9)
    wells = plate_of(1, add=add)
    wells.loc[[10, 40, 70], "role"] = TREATED
    found = hits(wells)
    sick = wells.loc[[10, 40, 70], "well"].tolist()
    assert set(found.loc[found["hit"], "condition"]) == set(sick)
    rows = found[found["hit"]]
    assert ((rows["low"] < rows["difference"]) & (rows["difference"] < rows["high"])).all()
    assert (rows["low"] > 0).all()
    assert found["p"].is_monotonic_increasing
    untreated = int((wells["role"] == UNTREATED).sum())
    assert found["least_by_rank"].iloc[0] == pytest.approx(2 / (untreated + 1))


def test_replicates_are_one_test_beside_their_own_plates() -> None:
    """Wells of one condition on two plates are held against untreated wells of each plate."""
    first = plate_of(1, mean=0.05, plate="P1")
    second = plate_of(2, mean=0.4, plate="P2")
    both = pd.concat([first, second], ignore_index=True)
    both["condition"] = both["well"]
    found = hits(both)
    assert not found["hit"].any()
    twice = found[found["plates"] == 2]
    assert len(twice) > 50
    assert twice["names"].str.contains("P1/").all()
    assert found["p"].min() > 1e-3


def test_plates_without_untreated_wells_are_not_tested_and_say_so() -> None:
    """No untreated well, or one, gives no p, and the rest of the run goes on."""
    parts = [plate_of(n, untreated=n, plate=f"P{n}") for n in (0, 1, 4)]
    found = hits(pd.concat(parts, ignore_index=True))
    notes = found.groupby(found["names"].str[:2])["note"].unique()
    assert notes["P0"].tolist() == ["no untreated well on its plate"]
    assert notes["P1"].tolist() == [
        "one untreated well on its plate: nobody knows how wells differ"
    ]
    assert found.loc[found["names"].str.startswith("P4"), "p"].notna().all()
    assert found.loc[found["p"].isna(), "q"].isna().all()


def test_wells_that_agree_are_no_proof() -> None:
    """Untreated wells all at 0 do not make a hit of a well with one patch called."""
    wells = plate_of(0, 24, untreated=8).assign(value=0.0)
    wells.loc[wells.index[wells["role"] == TREATED][0], "value"] = 1 / PATCHES
    found = hits(wells)
    assert not found["hit"].any()
    below, above = least_difference(wells, 16)[""]
    assert 0 < below < 1 / PATCHES < above < 0.5


def test_a_level_that_cannot_be_is_refused() -> None:
    """The share of false hits lies above 0 and below one half."""
    with pytest.raises(SpecError, match="--alpha"):
        hits(plate_of(0, 24), alpha=0.7)


def test_edge_and_trends_are_named() -> None:
    """An edge, and a gradient over columns, are found where they are, and nowhere else."""
    size = PLATES[96]
    wells = plate_of(4, untreated=40)
    edge = effects.on_edge(wells["row"], wells["column"], size)
    assert edge.sum() == 36
    drift = 1.5 * wells["column"].to_numpy() / 11
    for add, name in ((0.9 * edge, effects.EDGE), (drift, effects.COLUMNS)):
        made = plate_of(4, untreated=40, add=add)
        found = effects.plate_effects(made, {"": size}, seed=0).set_index("effect")
        assert found["of"].unique().tolist() == ["untreated wells"]
        small = found[found["p_adjusted"] < 0.05]
        assert small.index.tolist() == [name]
        assert 0 < small["low"].iloc[0] < small["estimate"].iloc[0] < small["high"].iloc[0]
    none = effects.plate_effects(wells, {"": size}, seed=0)
    assert (none["p_adjusted"] > 0.05).all()


def test_too_few_untreated_wells_leave_all_wells() -> None:
    """With few untreated wells all wells tell an effect; with few wells nothing does."""
    wells = plate_of(3, untreated=3, add=np.linspace(0, 2, 96))
    found = effects.plate_effects(wells, {"": PLATES[96]}, seed=0).set_index("effect")
    assert found.loc[effects.ROWS, "of"] == "all wells"
    assert "3 untreated wells do not tell it" in str(found.loc[effects.ROWS, "note"])
    assert float(str(found.loc[effects.ROWS, "p_adjusted"])) < 0.01
    few = effects.plate_effects(wells.head(4), {"": PLATES[96]}, seed=0)
    assert few["p"].isna().all()
    assert few["note"].str.startswith("cannot be told: 4 judged wells").all() or (
        few["note"].str.startswith("cannot be told").all()
    )


def test_holm_counts_what_was_tested() -> None:
    """Holm's correction is that of the textbook; what is not known is no test."""
    p = np.array([0.01, np.nan, 0.04, 0.03])
    assert effects.holm(p)[[0, 2, 3]] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(effects.holm(p)[1])


def test_polish_takes_out_rows_and_columns() -> None:
    """What is added to rows and columns is gone, and wells that stand out stay out."""
    drift = 1.5 * np.repeat(np.arange(8), 12) / 7
    wells = plate_of(5, untreated=16, add=drift)
    at = wells.index[wells["role"] == TREATED][20]
    wells.loc[at, "value"] = 0.9
    clean = effects.polished(wells)
    assert clean["b_score"].idxmax() == at
    assert clean.loc[at, "b_score"] > 5
    slope = stats.linregress(wells["row"], clean["odds"]).pvalue
    assert slope > 0.05 > stats.linregress(wells["row"], log_odds(wells["value"], PATCHES)).pvalue
    assert hits(clean)["hit"].sum() == 1
    small = effects.polished(wells[wells["row"] < 2])
    assert small["b_score"].isna().all()


def test_lines_of_one_condition_are_named() -> None:
    """A column of untreated wells is one that median polish cannot tell from an effect."""
    wells = plate_of(5).assign(role=TREATED)
    wells.loc[wells["column"] == 0, "role"] = UNTREATED
    wells.loc[wells["row"] == 2, "condition"] = "drug 5 µM"
    assert effects.lines_of_one(wells) == [("", "row C"), ("", "column 1")]


def test_controls_are_as_defined() -> None:
    """Z' and SSMD are those of their papers, and say how sure they are."""
    rng = np.random.default_rng(2)
    low, high = rng.normal(0.1, 0.02, 16), rng.normal(0.7, 0.05, 12)
    roles = [UNTREATED] * 16 + [POSITIVE] * 12
    wells = pd.DataFrame({"plate": "P", "value": [*low, *high], "role": roles})
    found = assay_quality(wells, seed=0).set_index("figure")
    z = 1 - 3 * (low.std(ddof=1) + high.std(ddof=1)) / (high.mean() - low.mean())
    assert found.loc["Z'", "value"] == pytest.approx(z)
    assert found.loc["SSMD", "value"] == pytest.approx(
        (high.mean() - low.mean()) / np.hypot(low.std(ddof=1), high.std(ddof=1))
    )
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()
    assert found.loc["Z'", "high"] <= 1
    assert z_words(z).startswith("excellent")
    assert ssmd_words(0.0).endswith("50.00% of pairs, if normal")
    few = assay_quality(wells.iloc[[0, 1, 20, 21]], seed=0)
    assert few["low"].isna().all()
    assert few["value"].notna().all()
    assert assay_quality(wells[wells["role"] == UNTREATED], seed=0).empty


@pytest.mark.long
@pytest.mark.parametrize("untreated", [4, 8, 32])
def test_no_more_false_hits_than_said(untreated: int) -> None:
    """Where no treatment does anything, at most 1 plate in 20 has any hit, corrected or not."""
    any_hit = np.zeros(2)
    plates = 150
    for seed in range(plates):
        wells = plate_of(seed, untreated=untreated, mean=0.05, correlation=0.05)
        any_hit += [hits(wells)["hit"].any(), hits(effects.polished(wells))["hit"].any()]
    most = stats.binom.ppf(0.99, plates, 0.05) / plates
    assert (any_hit / plates <= most).all()


@pytest.mark.long
def test_intervals_of_differences_hold_the_truth() -> None:
    """Differences of replicates and single wells lie in their interval in 95% of cases."""
    held, count = 0, 0
    size: Plate = PLATES[96]
    for seed in range(60):
        add = np.zeros(96)
        add[:24] = np.log(0.4 / 0.6) - np.log(0.1 / 0.9)
        wells = plate_of(seed, untreated=0, add=add)
        wells["role"] = np.where(np.arange(96) >= 80, UNTREATED, TREATED)
        wells["condition"] = [f"{n // 3}" if n < 24 else f"none {n}" for n in range(96)]
        found = hits(wells).set_index("condition")
        true = np.where(found.index.str.startswith("none"), 0.0, 0.3)
        held += int(((found["low"] <= true) & (true <= found["high"])).sum())
        count += len(found)
    assert size.rows == 8
    assert held / count >= 0.93


@pytest.mark.long
def test_effects_keep_their_level_and_are_found() -> None:
    """No effect is named in more than 1 plate of 20 without one; an edge of 10 points is found."""
    size, plates = PLATES[384], 120
    edge = effects.on_edge(*np.divmod(np.arange(384), 24), size)
    add = (np.log(0.2 / 0.8) - np.log(0.1 / 0.9)) * edge
    named, found = 0, 0
    for seed in range(plates):
        none = plate_of(seed, 384, untreated=64)
        named += (effects.plate_effects(none, {"": size}, seed=0)["p_adjusted"] < 0.05).any()
        table = effects.plate_effects(
            plate_of(seed, 384, untreated=64, add=add), {"": size}, seed=0
        ).set_index("effect")
        found += table.loc[effects.EDGE, "p_adjusted"] < 0.05
    assert named / plates <= stats.binom.ppf(0.99, plates, 0.05) / plates
    assert found / plates > 0.85
