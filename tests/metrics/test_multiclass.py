"""Any number of classes: one against the rest, all together, and two as a case of many."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn import metrics as sk

from livewell.classes import ClassNames
from livewell.errors import LabelError, SpecError, TableError
from livewell.metrics import figures as metrics
from livewell.metrics.intervals import estimates
from livewell.metrics.multiclass import class_estimates, class_groups, confusion
from livewell.metrics.outcomes import ClassOutcomes, outcomes

TWO = ClassNames(("healthy", "sick"))
THREE = ClassNames(("healthy", "sick", "dead"))
SAME = ("accuracy", "balanced_accuracy", "roc_auc", "within_auc")


def states(
    rng: np.random.Generator, groups: int = 12, patches: int = 30, *, unsure: bool = False
) -> pd.DataFrame:
    """Scores of three classes, told apart with errors."""
    group = np.repeat(np.arange(groups), patches)
    y = rng.integers(0, 3, len(group))
    logits = rng.normal(size=(len(group), 3)) + 1.5 * np.eye(3)[y]
    logits += rng.normal(0, 0.5, (groups, 3))[group]
    p = softmax(logits, axis=1)
    called = p.argmax(axis=1)
    if unsure:
        called[p.max(axis=1) < 0.5] = -1
    table = pd.DataFrame({"group": [f"g{n:02}" for n in group], "label": np.array(THREE.names)[y]})
    return table.assign(called=called, **{f"p_{n}": p[:, k] for k, n in enumerate(THREE)})


def test_figures_are_those_of_scikit_learn():
    """Accuracy, mean recall, mean area and each class's figures equal scikit-learn's."""
    table = states(np.random.default_rng(0))
    found = class_estimates(table, THREE, seed=0, resamples=200)
    y, called = THREE.codes(table["label"]), table["called"]
    p = table[[f"p_{name}" for name in THREE]].to_numpy()
    together = {name: figure.value for name, figure in found.together.items()}
    assert together["accuracy"] == pytest.approx(sk.accuracy_score(y, called))
    assert together["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, called))
    assert together["roc_auc"] == pytest.approx(sk.roc_auc_score(y, p, multi_class="ovr"))
    assert together["unsure"] == 0
    assert "decided_accuracy" not in together
    precision, recall, *_ = sk.precision_recall_fscore_support(y, called)
    for code, name in enumerate(THREE):
        each = found.each[name]
        assert each["precision"].value == pytest.approx(precision[code])
        assert each["sensitivity"].value == pytest.approx(recall[code])
        expected = sk.average_precision_score(y == code, p[:, code])
        assert each["average_precision"].value == pytest.approx(expected)
    for figure in (*found.together.values(), *found.each["dead"].values()):
        if figure.method != "exact":
            assert figure.low < figure.value < figure.high


@pytest.mark.long
@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(2, 9), st.sampled_from([1, 12]), st.booleans())
def test_two_classes_are_a_case_of_many(seed, groups, digits, pure):
    """Through the general path two classes have the binary figures and intervals, ties included."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), 8)
    y = group % 2 if pure else rng.integers(0, 2, len(group))
    logits = rng.normal(size=(len(group), 2)).round(digits)
    p = softmax(logits, axis=1)
    np.testing.assert_allclose(p[:, 1], expit(logits[:, 1] - logits[:, 0]), atol=1e-6)
    table = pd.DataFrame({"group": group.astype(str), "label": np.array(TWO.names)[y]})
    table = table.assign(p=p[:, 1].round(9), called=(p[:, 1] >= 0.4).astype(int))
    binary = outcomes(table, TWO)
    general = class_estimates(table, TWO, seed=seed, resamples=50).together
    for name, special in estimates(binary, seed=seed, resamples=50, names=SAME).items():
        found = general[name]
        got = [found.value, found.low, found.high]
        assert got == pytest.approx([special.value, special.low, special.high], 1e-6, nan_ok=True)
        assert found.groups == special.groups or np.isnan(found.value)
    each = class_estimates(table, TWO, seed=seed, resamples=2).each["sick"]
    for name, figure in each.items():
        assert figure.value == pytest.approx(metrics.FIGURES[name](binary).value, nan_ok=True)


def test_every_class_is_held_against_the_rest():
    """Any class can be the one sought; of two the other way round is the mirror image."""
    table = states(np.random.default_rng(1), unsure=True)
    found = outcomes(table, THREE, "dead")
    assert (found["y"] == (table["label"] == "dead")).all()
    assert (found["called"] == (table["called"] == 2)).all()
    assert (found["p"] == table["p_dead"]).all()
    two = pd.DataFrame({"label": ["sick", "healthy"], "p": [0.9, 0.2], "called": [1, 0]})
    healthy = outcomes(two, TWO, "healthy")
    assert healthy[["y", "called"]].to_numpy().tolist() == [[0, 0], [1, 1]]
    assert healthy["p"].tolist() == pytest.approx([0.1, 0.8])
    assert outcomes(two, TWO)["p"].tolist() == [0.9, 0.2]


def test_classes_that_are_not_there_are_refused():
    """A sought class that is none, none at all, a strange label and a missing column are errors."""
    table = states(np.random.default_rng(0), 2, 4)
    with pytest.raises(SpecError, match="none of the classes is the positive one"):
        outcomes(table, THREE)
    with pytest.raises(SpecError, match="ill"):
        outcomes(table, THREE, "ill")
    with pytest.raises(LabelError, match="ill"):
        outcomes(table.assign(label="ill"), THREE, "dead")
    with pytest.raises(TableError, match="p_dead"):
        class_estimates(table.drop(columns="p_dead"), THREE, seed=0)
    assert (outcomes(table, ClassNames(THREE.names, "sick"))["p"] == table["p_sick"]).all()


def test_unsure_patches_are_not_right_and_have_their_column():
    """Unsure patches count as missed; the share of right ones among the others stands beside."""
    table = states(np.random.default_rng(2), unsure=True)
    found = class_estimates(table, THREE, seed=0, resamples=100).together
    y = THREE.codes(table["label"])
    decided = table["called"] >= 0
    assert found["unsure"].value == pytest.approx(1 - decided.mean())
    assert found["accuracy"].value == pytest.approx((table["called"] == y).mean())
    assert found["decided_accuracy"].value == pytest.approx((table["called"] == y)[decided].mean())
    matrix = confusion(table, THREE)
    assert list(matrix.columns) == [*THREE, "unsure"]
    assert list(matrix.index) == list(THREE)
    assert matrix["unsure"].sum() == (~decided).sum()
    assert np.trace(matrix.to_numpy()) == (table["called"] == y).sum()
    assert list(confusion(table[decided], THREE).columns) == list(THREE)
    groups = class_groups(table, THREE)
    assert groups["patches"].sum() == len(table)
    assert groups["true_dead"].sum() == (y == 2).sum()
    assert groups["unsure"].sum() == (~decided).sum()
    assert (groups["accuracy"] * groups["patches"]).sum() == pytest.approx(
        (table["called"] == y).sum()
    )


def test_an_absent_class_is_left_out_of_means_and_named():
    """Means are over the classes that have patches; with one class there is none."""
    table = states(np.random.default_rng(3))
    found = class_estimates(table[table["label"] != "dead"], THREE, seed=0, resamples=100)
    assert "no patch of dead" in found.together["roc_auc"].note
    each = [found.each[name]["roc_auc"].value for name in ("healthy", "sick")]
    assert found.together["roc_auc"].value == pytest.approx(np.mean(each))
    assert np.isnan(found.each["dead"]["sensitivity"].value)
    alone = class_estimates(table[table["label"] == "sick"], THREE, seed=0, resamples=100)
    assert np.isnan(alone.together["roc_auc"].value)
    assert alone.together["roc_auc"].note


def test_all_classes_are_drawn_with_the_same_groups():
    """Groups of one class are drawn for one another, so that every class keeps its groups."""
    table = states(np.random.default_rng(4), 9)
    pure = table.assign(label=[THREE[int(name[1:]) % 3] for name in table["group"]])
    data = ClassOutcomes.of(pure, THREE)
    assert (data.held.sum(axis=0) == 1).all()
    assert data.held.sum(axis=1).tolist() == [3, 3, 3]
    found = class_estimates(pure, THREE, seed=0, resamples=100)
    assert found.each["dead"]["sensitivity"].groups == 3
    assert found.together["balanced_accuracy"].groups == 3
    assert np.isnan(found.together["within_auc"].value)
