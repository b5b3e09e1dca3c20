"""Plain features on the same splits, and patches gathered into pictures."""

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.errors import LabelError, SplitError, TableError
from livewell.metrics import baselines
from livewell.metrics.images import by_image, verdict_figures
from livewell.splitting import schemes as splits


@pytest.fixture
def measured():
    rng = np.random.default_rng(0)
    group = np.repeat([f"g{i}" for i in range(8)], 30)
    y = rng.integers(0, 2, len(group))
    features = pd.DataFrame(
        {"told": y + rng.normal(0, 0.5, len(y)), "noise": rng.normal(size=len(y))}
    )
    return features, y, group


def folds_of(group: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    return splits.KFolds(2).assign(pd.DataFrame({"group": group, "label": y}))


def test_trees_learn_what_a_feature_tells(measured):
    """A telling feature separates unseen groups; every group is scored once."""
    features, y, group = measured
    p = baselines.grouped_trees(features, y, group, folds_of(group, y), seed=0)[:, 1]
    assert np.isfinite(p).all()
    assert p[y == 1].mean() - p[y == 0].mean() > 0.2


def test_trees_never_see_the_test_groups(measured):
    """Labels of the test groups can be turned round without changing a single score."""
    features, y, group = measured
    folds = splits.Named(("g0", "g1")).assign(pd.DataFrame({"group": group, "label": y}))
    p = baselines.grouped_trees(features, y, group, folds, seed=0)
    held = np.isin(group, ["g0", "g1"])
    other = baselines.grouped_trees(features, np.where(held, 1 - y, y), group, folds, seed=0)
    np.testing.assert_array_equal(p, other)
    assert np.isnan(p[~held]).all()


@pytest.mark.long
def test_missing_numbers_are_no_obstacle_and_the_seed_decides(measured):
    """Features with gaps are scored; one seed gives one result."""
    features, y, group = measured
    features = features.mask(np.random.default_rng(1).random(features.shape) < 0.1)
    folds = folds_of(group, y)
    one = baselines.grouped_trees(features, y, group, folds, seed=0)
    np.testing.assert_array_equal(one, baselines.grouped_trees(features, y, group, folds, seed=0))
    assert not np.array_equal(one, baselines.grouped_trees(features, y, group, folds, seed=1))


def test_groups_tested_twice_and_one_class_are_refused(measured):
    """Overlapping test parts and a train part of one class are refused."""
    features, y, group = measured
    folds = folds_of(group, y)
    with pytest.raises(SplitError, match="more than one fold"):
        baselines.grouped_trees(features, y, group, pd.concat([folds, folds]), seed=0)
    with pytest.raises(LabelError, match="one class"):
        baselines.grouped_trees(features, np.ones_like(y), group, folds, seed=0)


CLASSES = ClassNames(("healthy", "sick"))
SCORES = pd.DataFrame(
    {
        "image": ["b", "a", "a", "a", "b"],
        "t": [0, 0, 0, 1, 0],
        "group": ["w2", "w1", "w1", "w1", "w2"],
        "label": ["sick", "healthy", "healthy", "healthy", "healthy"],
        "logit": [2.0, -1.0, -3.0, 4.0, 0.0],
        "p": [0.9, 0.3, 0.1, 0.95, 0.5],
        "called": [1, 0, 0, 1, 1],
    }
)


def test_a_picture_is_its_patches_together():
    """Counts, means and shares of every picture and frame are those of its patches."""
    table = by_image(SCORES, CLASSES).set_index(["image", "t"])
    assert table.index.tolist() == [("a", 0), ("a", 1), ("b", 0)]
    assert table["n_patches"].tolist() == [2, 1, 2]
    assert table["mean_logit"].tolist() == [-2, 4, 1]
    assert table["sick_fraction"].tolist() == [0, 1, 1]
    assert table["positive_share"].tolist() == [0, 0, 0.5]
    assert table["y"].tolist() == [0, 0, 1]
    assert table["group"].tolist() == ["w1", "w1", "w2"]


def test_a_picture_of_three_classes_has_columns_for_each():
    """Mean logits, shares called and true shares stand for every class; most patches decide."""
    states = ClassNames(("healthy", "sick", "dead"))
    scores = pd.DataFrame(
        {
            "image": ["a", "a", "b", "b"],
            "t": 0,
            "label": ["dead", "dead", "healthy", "sick"],
            "called": [2, -1, 0, 0],
            **{f"logit_{name}": [n, n + 2.0, 0.0, 1.0] for n, name in enumerate(states)},
        }
    )
    table = by_image(scores, states)
    assert table["mean_logit_dead"].tolist() == [3, 0.5]
    assert table["called_dead"].tolist() == [0.5, 0]
    assert table["called_healthy"].tolist() == [0, 1]
    assert table["true_dead"].tolist() == [1, 0]
    assert table["y"].tolist() == [2, 1]
    assert "mean_p_dead" not in table
    verdicts = table.assign(verdict=["dead", "unsure"], group=list("vw"))
    found = verdict_figures(verdicts, states, seed=0)
    assert (found["pictures_decided"].value, found["pictures_right"].value) == (0.5, 1)


def test_trees_tell_three_classes(measured):
    """Every class has its probability; one that was never met in training has none."""
    features, y, group = measured
    y = np.where(features["noise"] > 0.8, 2, y)
    p = baselines.grouped_trees(features, y, group, folds_of(group, y), seed=0, classes=4)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p[y == 2, 2].mean() > 0.4 > 0.3 > p[y != 2, 2].mean()
    assert (p[:, 3] == 0).all()


def test_new_pictures_need_no_truth_and_no_group():
    """Scores of new images, without label and group, are gathered just so."""
    table = by_image(SCORES[["image", "t", "logit", "called"]], CLASSES)
    assert table.columns.tolist() == ["image", "t", "n_patches", "mean_logit", "sick_fraction"]


def test_folds_are_kept_apart():
    """A picture scored in two folds has two rows."""
    twice = pd.concat([SCORES.assign(fold=0), SCORES.assign(fold=1)])
    assert len(by_image(twice, CLASSES)) == 2 * len(by_image(SCORES, CLASSES))


def test_pictures_in_two_groups_and_missing_columns_are_refused():
    """A picture cannot be of two groups; the columns that are missing are named."""
    with pytest.raises(SplitError, match="more than one group"):
        by_image(SCORES.assign(group=list("abcde")), CLASSES)
    with pytest.raises(TableError, match="logit"):
        by_image(SCORES.drop(columns="logit"), CLASSES)
