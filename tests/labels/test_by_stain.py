"""Labels from a death stain."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from livewell.errors import LabelError, TableError
from livewell.labels.by_stain import Stain, by_stain
from livewell.labels.made import Labels
from livewell.labels.mixture import PATTARONE_2021, Mixture, fit_mixture
from livewell.measure.borders import valid_area
from livewell.measure.stain import background, means, ratio
from livewell.region import RegionGrid
from livewell.tables.schemas import LABELS, key_table

RNG = np.random.default_rng(0)
STAIN = np.concatenate([RNG.normal(220, 35, 700), RNG.normal(550, 60, 300)])

OFFSET = 90.0
"""Camera offset of the mcf7-pi set in counts (its README)."""


def _measured(values: np.ndarray, group: str = "g") -> pd.DataFrame:
    boxes = {"t": 0, "y0": 0, "y1": 9, "x0": np.arange(len(values)) * 9}
    table = pd.DataFrame(
        {"image": f"{group}.tif", **boxes, "mean": values, "cells": 1.0, "experiment": group}
    )
    return table.assign(x1=table["x0"] + 9, saturated=False, left_out="")


def labelled(measured: pd.DataFrame, **options) -> Labels:
    """Labels by the mean stain, fitted with seed 0."""
    return by_stain(measured, Stain("PI", 9, 9, "mean", **options), ("live", "dead"), 0)


def test_the_published_mixture_gives_the_published_thresholds():
    """Live below 258.97, dead above 396.89 (Pattarone et al. 2021)."""
    assert PATTARONE_2021.live_below == pytest.approx(258.97)
    assert PATTARONE_2021.dead_above == pytest.approx(396.89)
    assert PATTARONE_2021.check() is PATTARONE_2021


@pytest.mark.parametrize(("gain", "offset"), [(1, 0), (0.001, 0), (1000, 5), (1, -200)])
def test_a_known_mixture_is_found_in_any_unit(gain, offset):
    """Means, spreads and weights are recovered, whatever the stain's unit."""
    found = fit_mixture(gain * STAIN + offset, seed=1)
    assert found.live_mean == pytest.approx(220 * gain + offset, abs=8 * gain)
    assert found.dead_mean == pytest.approx(550 * gain + offset, abs=15 * gain)
    assert found.live_sd == pytest.approx(35 * gain, rel=0.1)
    assert found.live_weight == pytest.approx(0.7, abs=0.02)
    assert fit_mixture(gain * STAIN + offset, seed=1) == found


def test_patches_between_the_thresholds_are_left_out_and_counted():
    """Every patch is live, dead or between; scores are the stain; the schema holds."""
    made = labelled(_measured(STAIN))
    mixture = made.mixtures[""]
    live = made.table["label"] == "live"
    assert (made.table["score"][live] < mixture.live_below).all()
    assert (made.table["score"][~live] > mixture.dead_above).all()
    between = ((mixture.live_below <= STAIN) & (mixture.dead_above >= STAIN)).sum()
    counts = {count.step: count.count for count in made.counts}
    assert counts["between the thresholds, dropped"] == between > 0
    assert counts["live"] + counts["dead"] + between == counts["patches"] == counts["fitted on"]
    assert LABELS.faults(made.table) == []


def test_thresholds_fitted_on_a_reference_serve_all():
    """Untreated patches alone decide; a much brighter treated set is judged by them."""
    both = pd.concat([_measured(STAIN), _measured(STAIN * 3, "treated")], ignore_index=True)
    made = labelled(both, reference=("experiment", "g"))
    assert made.mixtures[""] == fit_mixture(STAIN, 0)
    assert (made.table.loc[made.table["image"] == "treated.tif", "label"] == "dead").mean() > 0.95


def test_groups_are_fitted_each_by_itself():
    """A group stained ten times as bright gets thresholds ten times as high."""
    both = pd.concat([_measured(STAIN), _measured(STAIN * 10, "bright")], ignore_index=True)
    made = labelled(both, per="experiment")
    ratio_of = made.mixtures["bright"].live_below / made.mixtures["g"].live_below
    assert ratio_of == pytest.approx(10, rel=0.01)
    counts = made.table.groupby("image")["label"].value_counts()
    assert counts["g.tif"].to_dict() == counts["bright.tif"].to_dict()


def test_groups_without_two_components_are_refused_or_dropped_as_said():
    """A group of one component stops all, with its numbers, unless it may be dropped."""
    alike = _measured(np.random.default_rng(1).normal(200, 20, 300), "alike")
    few = _measured(STAIN[:9], "few")
    both = pd.concat([_measured(STAIN), alike, few], ignore_index=True)
    with pytest.raises(TableError) as caught:
        labelled(both, per="experiment")
    assert [fault.where for fault in caught.value.faults] == ["group alike", "group few"]
    made = labelled(both, per="experiment", unfit="drop")
    assert set(made.table["image"]) == {"g.tif"}
    assert len(made.notes) == 2
    counts = {count.step: count.count for count in made.counts}
    assert counts["of groups without a usable mixture, dropped"] == 309


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.random.default_rng(0).normal(200, 20, 400), r"no second population was found.*\+-"),
        (np.full(50, 3.0), "same everywhere"),
        (STAIN[:5], "no sample"),
        (np.append(STAIN[:700], [9e4, 9.1e4]), "outliers"),
        (np.append(STAIN, np.nan), "no sample"),
    ],
)
def test_stains_without_two_groups_are_refused(values, text):
    """One group, one value, few values, mere outliers: each error gives the numbers."""
    with pytest.raises(LabelError, match=text):
        fit_mixture(values, 0).check()


def test_one_population_is_not_called_two():
    """Where BIC prefers one normal distribution, or thresholds cross, no second one was found."""
    alone = Mixture(200, 5, 300, 5, bic_gain=-3.0)
    with pytest.raises(LabelError, match=r"no second population was found.*\(BIC\)"):
        alone.check()
    assert Mixture(200, 5, 300, 5, bic_gain=3.0).check().bic_gain == 3
    assert fit_mixture(STAIN, 0).bic_gain > 100
    alike = [fit_mixture(np.random.default_rng(seed).normal(0, 1, 300), 0) for seed in range(8)]
    assert sum(mixture.bic_gain <= 0 for mixture in alike) >= 7


def test_saturated_patches_are_dead_or_left_out():
    """A saturated patch is at least as bright as measured: dead above the threshold, never live."""
    measured = _measured(STAIN).assign(saturated=np.arange(1000) % 10 == 0)
    made = labelled(measured)
    counts = {count.step: count.count for count in made.counts}
    left = counts["saturated below the dead threshold, dropped"]
    assert left > 0
    free = labelled(_measured(STAIN))
    assert made.mixtures == free.mixtures
    assert (made.table["label"] == "dead").sum() == (free.table["label"] == "dead").sum()
    assert "100 patches of 1,000 (10.0%) reach the level of saturation" in made.notes[0]
    assert f"{left} below it were left out" in made.notes[0]
    rare = labelled(_measured(np.tile(STAIN, 2)).assign(saturated=np.arange(2000) == 3))
    assert rare.notes == ()


def test_the_logarithm_describes_a_stain_of_several_orders():
    """Dead nuclei of 2 to 100 times the background leave thresholds that cross, but not in logs."""
    rng = np.random.default_rng(0)
    ratios = np.concatenate([rng.normal(1, 0.08, 700), np.exp(rng.normal(2.5, 1.0, 300))])
    measured = _measured(ratios).assign(ratio=ratios)
    with pytest.raises(LabelError, match="no second population"):
        by_stain(measured, Stain("PI", 9, 9, "ratio"), ("live", "dead"), 0)
    made = by_stain(measured, Stain("PI", 9, 9, "log-ratio"), ("live", "dead"), 0)
    dead = made.table["label"] == "dead"
    assert 240 < dead.sum() < 310
    np.testing.assert_allclose(made.table["score"], np.log(ratios[made.table["x0"] // 9]))


def test_every_patch_ends_somewhere_in_the_counts():
    """The table of decisions counts images, patches left out, classes and between, set by set."""
    both = pd.concat([_measured(STAIN), _measured(STAIN * 3, "treated")], ignore_index=True)
    both.loc[:9, "cells"] = 0.0
    made = labelled(both, reference=("experiment", "g"))
    counts = made.decisions.counts().set_index("set")
    assert counts.index.tolist() == ["g", "treated", "all"]
    assert counts["images"].tolist() == [1, 1, 2]
    assert counts["patches"].tolist() == [1000, 1000, 2000]
    assert counts["without cells"].tolist() == [10, 0, 10]
    ends = counts[["without cells", "live", "dead", "between the thresholds"]]
    assert (ends.sum(axis=1) == counts["patches"]).all()
    assert counts.loc["all", "live"] == (made.table["label"] == "live").sum()


def test_coinciding_components_and_bad_values_are_refused():
    """Equal means cross; missing values, and no patch to fit on, are faults of the table."""
    with pytest.raises(LabelError, match="cross"):
        Mixture(5, 1, 5, 1).check()
    with pytest.raises(LabelError, match="cross"):
        Mixture(200, 90, 300, 90).check()
    with pytest.raises(TableError, match="no finite numbers"):
        labelled(_measured(np.append(STAIN, np.nan)))
    with pytest.raises(TableError, match="none of 1000 patches is of experiment=h"):
        labelled(_measured(STAIN), reference=("experiment", "h"))


@pytest.mark.long
def test_real_patches_called_live_hold_no_dead_nucleus(shared_data: Path):
    """On mcf7-pi, by the ratio, every part is met and live patches hold no dead nucleus."""
    folder = shared_data / "mcf7-pi"
    cells = pd.read_csv(folder / "cells.csv")
    tables = []
    for name in pd.read_csv(folder / "images.csv")["image"]:
        stain = tifffile.imread(folder / name, key=1)
        patches = list(RegionGrid(224, 112).patches(name, 0, valid_area(stain)))
        mean = means(stain, [patch.box for patch in patches])
        level = ratio(mean, background(stain), OFFSET)
        tables.append(key_table(patches).assign(ratio=level, cells=1.0))
    measured = pd.concat(tables, ignore_index=True).assign(saturated=False, left_out="")
    made = by_stain(measured, Stain("PI", 224, 112), ("live", "dead"), 0)
    counts = {count.step: count.count for count in made.counts}
    assert counts["patches"] == 595
    assert min(counts["live"], counts["dead"]) > 100
    live = made.table[made.table["label"] == "live"].astype({"y0": int, "x0": int})
    pairs = live.merge(cells[cells["state"] == "dead"], on="image")
    inside = pairs["y_px"].between(pairs["y0"], pairs["y1"], inclusive="left")
    inside &= pairs["x_px"].between(pairs["x0"], pairs["x1"], inclusive="left")
    assert inside.sum() <= 2
