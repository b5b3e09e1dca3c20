"""Figures of designs: several trainings together, and hours before death."""

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.metrics.collapse import Question
from livewell.metrics.designs import Repeated, RowKey, early_warning, rows_of

TWO = ClassNames(("alive", "dying"))
KEY = RowKey("all-lines", "all lines")


def scores(repeats: int = 1, groups: int = 12, frames: int = 4) -> pd.DataFrame:
    """Scores of two classes; the first training calls all rightly, others one group wrongly."""
    rows = []
    for repeat in range(repeats):
        for group in range(groups):
            for t in range(frames):
                y = group % 2
                wrong = repeat > 0 and group == 0
                rows.append((repeat, f"g{group}", f"g{group}.tif", t, TWO[y], y != wrong))
    names = ["repeat", "group", "image", "t", "label", "called"]
    table = pd.DataFrame(rows, columns=names)
    called = table["called"].astype(int)
    return table.assign(called=called, p=0.2 + 0.6 * called)


def test_mean_and_deviation_are_printed_as_the_paper_does():
    """Mean and sample deviation over trainings in percent; one training has none."""
    several = Repeated((0.98, 0.99, 0.97))
    assert str(several) == "98.00 ± 1.00%"
    assert several.best == 0.99
    assert str(Repeated((0.5,))) == "50.00%"
    assert str(Repeated(())) == ""


def test_accuracy_of_several_trainings_is_their_mean_with_an_interval_over_groups():
    """The figure is the mean of the trainings; groups are counted once, however many trainings."""
    (row,) = rows_of(KEY, scores(3), TWO, [0.9, 0.8, 0.7], None, seed=0)
    assert row.test.each == pytest.approx((1, 11 / 12, 11 / 12))
    accuracy = row.figures["accuracy"]
    assert accuracy.value == pytest.approx(row.test.mean)
    assert accuracy.low < accuracy.value < accuracy.high
    assert (row.groups, row.regions) == (12, 48)
    flat = row.flat()
    assert flat["validation_best"] == 0.9
    assert flat["question"] == "alive or dying"


def test_an_unknown_class_is_asked_the_question_only():
    """Labels that the model does not know give one row; known ones of many classes two."""
    names = ClassNames(("A-x", "A-y", "B-x"))
    into = {"A-x": "x", "A-y": "y", "B-x": "x", "C-y": "y"}
    table = scores(1).assign(label=np.where(np.arange(48) // 4 % 2, "A-y", "B-x"))
    p = table["p"]
    table = table.assign(**{"p_A-x": 0.0, "p_A-y": p, "p_B-x": 1 - p}, called=1 + (p < 0.5))
    own, asked = rows_of(KEY, table, names, [0.5], Question(into, "y"), seed=0)
    assert own.classes == names.names
    assert asked.classes == ("x", "y")
    assert asked.test.mean == 1
    new = table.assign(label=table["label"].replace("A-y", "C-y"))
    (only,) = rows_of(KEY, new, names, [0.5], Question(into, "y"), seed=0)
    assert only.classes == ("x", "y")
    assert [row.validation.each for row in (own, asked, only)] == [(0.5,), (), ()]


def test_early_warning_compares_at_the_same_hours():
    """Frames of a lag stand beside survivors of the hours at which they were seen, none after."""
    table = scores()
    keys = table[["image", "t"]].assign(hours=table["t"].astype(float))
    dying = table["label"] == "dying"
    keys["before_death"] = np.where(dying, 2.5 - keys["hours"], np.nan)
    table["p"] = np.where(dying, 0.3 + 0.2 * table["t"], 0.4)
    lags = list(early_warning(table, TWO, keys, seed=0))
    assert [lag.hours for lag in lags] == [0, 1, 2]
    assert [lag.auc.value for lag in lags] == [1, 1, 0]
    assert all(lag.dying == lag.alive == 6 for lag in lags)
