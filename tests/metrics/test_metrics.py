"""Figures of merit and what they say when they are not defined."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from livewell.classes import ClassNames
from livewell.errors import LabelError, TableError
from livewell.metrics import figures as metrics
from livewell.metrics.outcomes import checked, outcomes


def frame(group, y, p, called=None) -> pd.DataFrame:
    p = np.asarray(p, dtype=float)
    called = (p >= 0.5).astype(int) if called is None else called
    return pd.DataFrame({"group": list(group), "y": y, "p": p, "called": called})


def every_figure(table: pd.DataFrame) -> dict[str, metrics.Figure]:
    return {name: figure(table) for name, figure in metrics.FIGURES.items()}


EXAMPLE = frame("aaaabbbb", [0, 0, 1, 1, 0, 1, 1, 1], [0.1, 0.6, 0.4, 0.9, 0.2, 0.7, 0.3, 0.8])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 5 / 8),
        ("sensitivity", 3 / 5),
        ("specificity", 2 / 3),
        ("balanced_accuracy", (3 / 5 + 2 / 3) / 2),
        ("roc_auc", 13 / 15),
        ("within_auc", (3 / 4 + 1) / 2),
        ("brier", (0.01 + 0.36 + 0.36 + 0.01 + 0.04 + 0.09 + 0.49 + 0.04) / 8),
        ("prevalence_auc", (3 * 2 + 3 * 1 / 2 + 2 * 2 / 2) / 15),
    ],
)
def test_figures_by_hand(name, value):
    """Each figure of a small example is the one counted by hand."""
    assert metrics.FIGURES[name](EXAMPLE).value == pytest.approx(value)


def test_a_perfect_score_is_perfect_and_a_constant_one_knows_nothing():
    """Perfect calls reach 1 (Brier 0); one constant score has area 0.5."""
    y = [0, 1] * 4
    perfect = every_figure(frame("aabbccdd", y, y))
    assert all(perfect[n].value == 1 for n in ("accuracy", "roc_auc", "within_auc"))
    assert perfect["average_precision"].value == 1
    assert perfect["brier"].value == 0
    constant = every_figure(frame("aabbccdd", y, [0.7] * 8))
    assert constant["roc_auc"].value == constant["within_auc"].value == 0.5
    assert constant["sensitivity"].value == 1
    assert constant["specificity"].value == 0


@pytest.mark.parametrize(("truth", "said"), [(0, "negative"), (1, "positive")])
def test_one_class_makes_figures_undefined_with_a_reason(truth, said):
    """With one class the figures of both are NaN and say which class there is."""
    found = every_figure(frame("aabb", [truth] * 4, [0.1, 0.9, 0.3, 0.6]))
    for name in ("roc_auc", "balanced_accuracy", "average_precision", "prevalence_auc"):
        assert np.isnan(found[name].value)
        assert said in found[name].reason
    assert np.isnan(found["specificity" if truth else "sensitivity"].value)
    assert np.isnan(found["within_auc"].value)
    assert found["accuracy"].value == 0.5


def test_within_area_counts_only_groups_with_enough_of_each():
    """Groups below the least number of a class are left out; with none left it says why."""
    many = frame("a" * 10, [0] * 5 + [1] * 5, np.linspace(0, 1, 10))
    few = frame("b" * 4, [1, 0, 0, 0], [0.0, 0.5, 0.6, 0.7])
    both = pd.concat([many, few])
    assert metrics.within_auc(both, 5).value == 1
    assert metrics.within_auc(both, 1).value == 0.5
    assert "at least 6" in metrics.within_auc(both, 6).reason


def test_within_area_is_that_of_scikit_learn_with_ties(scored):
    """The area within each group equals scikit-learn's, equal scores included."""
    table = scored(np.random.default_rng(1)).assign(p=lambda t: t["p"].round(1))
    areas = metrics.group_areas(checked(table))
    for group, rows in table.groupby("group"):
        assert areas[group] == pytest.approx(sk.roc_auc_score(rows["y"], rows["p"]))


def test_knowing_the_group_alone_has_a_pooled_area(shared_data):
    """Of mcf7-pi, knowing the one richest plate has area 0.715, knowing every plate 0.775."""
    cells = pd.read_csv(shared_data / "mcf7-pi" / "cells.csv")
    cells = cells[cells["state"].isin(["live", "dead"])]
    table = frame(cells["experiment"], (cells["state"] == "dead").astype(int), [0.5] * len(cells))
    assert metrics.FIGURES["prevalence_auc"](table).value == pytest.approx(0.775, abs=5e-4)
    richest = table.assign(group=table["group"] == "plate-110-810")
    assert metrics.FIGURES["prevalence_auc"](richest).value == pytest.approx(0.715, abs=5e-4)


def test_the_per_group_table_agrees_with_the_figures():
    """Weighted by patches, the groups' accuracies make the pooled one; one class leaves NaN."""
    table = pd.concat([EXAMPLE, frame("cc", [1, 1], [0.2, 0.9])])
    rows = metrics.per_group(table)
    pooled = np.average(rows["accuracy"], weights=rows["patches"])
    assert pooled == pytest.approx(metrics.FIGURES["accuracy"](table).value)
    last = rows.set_index("group").loc["c"]
    assert np.isnan(last["specificity"])
    assert np.isnan(last["auc"])
    assert last["sensitivity"] == 0.5
    assert rows["called"].sum() == table["called"].sum()


def test_faulty_outcomes_are_refused_whole():
    """Every faulty column of an outcomes frame is named at once."""
    bad = frame("ab", [0, 2], [0.5, 1.5]).assign(group=["a", None]).drop(columns="called")
    with pytest.raises(TableError) as caught:
        metrics.FIGURES["accuracy"](bad)
    assert [fault.where for fault in caught.value.faults] == ["called", "group", "y", "p"]


def test_truth_comes_from_the_class_names():
    """Labels become 0 and 1 by the class names, strange ones are refused."""
    scores = pd.DataFrame({"label": ["dead", "live"]})
    assert outcomes(scores, ClassNames(("live", "dead")))["y"].tolist() == [1, 0]
    with pytest.raises(LabelError, match="dead"):
        outcomes(scores, ClassNames(("live", "sick")))


def test_a_hundred_thousand_patches_are_measured(scored):
    """All figures and the group table of 100,000 patches of 2,000 groups are made."""
    table = scored(np.random.default_rng(0), 2000, 50)
    assert all(0 <= each.value <= 1 for each in every_figure(table).values())
    assert len(metrics.per_group(table)) == 2000
