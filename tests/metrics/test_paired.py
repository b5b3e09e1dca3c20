"""Models compared on the same resamples of groups: the sign is right, the intervals hold."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.metrics import figures as metrics
from livewell.metrics.intervals import estimates, signed_interval
from livewell.metrics.outcomes import outcomes
from livewell.metrics.paired import COMPARED, SHOWN, Comparison, comparison

TWO = ClassNames(("healthy", "sick"))
THREE = ClassNames(("healthy", "sick", "dead"))
Scores = dict[str, pd.DataFrame]
STUDIES = 60


def two_models(
    seed: list[int] | int,
    groups: int = 12,
    patches: int = 40,
    signals: tuple[float, float] = (0.85, 0.6),
) -> Scores:
    """Scores of a better and a worse model, on groups that are hard or easy for both alike."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), patches)
    y = rng.integers(0, 2, len(group))
    easy, offset = rng.normal(0, 0.3, groups), rng.normal(0, 0.7, groups)
    noise, found = rng.normal(0, 0.7, len(group)), {}
    for name, signal in zip(("better", "worse"), signals, strict=True):
        own = rng.normal(0, 0.2, groups)[group] + rng.normal(0, 0.7, len(group))
        p = expit((signal + easy[group]) * (2 * y - 1) + offset[group] + noise + own)
        names = [f"g{number:04}" for number in group]
        label = np.where(y, "sick", "healthy")
        found[name] = pd.DataFrame(
            {"group": names, "label": label, "p": p, "called": (p >= 0.5).astype(int)}
        )
    return found


def three_classes(seed: int, noises: tuple[float, ...], positive: str | None = None) -> Scores:
    """Scores of three classes by models of more and more noise."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, 300)
    found = {}
    for number, noise in enumerate(noises):
        logits = np.eye(3)[true] + rng.normal(0, noise, (300, 3))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        columns = {f"p_{name}": p[:, code] for code, name in enumerate(THREE)}
        table = {"group": [f"g{n % 12}" for n in range(300)], "label": np.array(THREE.names)[true]}
        found[f"m{number}"] = pd.DataFrame({**table, **columns, "called": p.argmax(axis=1)})
    return found


def compared(
    scores: Scores, classes: ClassNames = TWO, seed: int = 0, resamples: int = 400
) -> Comparison:
    first = next(iter(scores))
    return comparison(scores, classes, first, seed=seed, resamples=resamples)


def test_the_worse_model_is_below() -> None:
    """The difference is that of the figures, its sign says which is better, its interval is
    narrower than those of the figures, for groups are hard or easy for both."""
    scores = two_models(1, groups=40)
    found = compared(scores)
    for name in COMPARED:
        apart = found.differences["worse"][name]
        ours, theirs = (found.figures[run][name] for run in ("worse", "better"))
        assert apart.value == pytest.approx(ours.value - theirs.value)
        assert apart.low < apart.value < 0
        assert apart.high < 0
        assert apart.high - apart.low < 0.8 * (ours.high - ours.low + theirs.high - theirs.low) / 2
    assert set(found.differences) == {"worse"}
    assert found.headline == "within_auc"


def test_figures_are_those_of_an_evaluation() -> None:
    """Each model's figures and intervals are as `estimates` gives them."""
    scores = two_models(2)
    found = compared(scores).figures
    for run, table in scores.items():
        alone = estimates(outcomes(table, TWO), seed=0, names=SHOWN, resamples=400)
        assert found[run] == alone


def test_the_same_answers_differ_by_nothing() -> None:
    """A model and its copy differ by exactly 0, from 0 to 0."""
    better = two_models(3)["better"]
    apart = compared({"a": better, "copy": better.copy()}).differences["copy"]
    for found in apart.values():
        assert (found.value, found.low, found.high, found.method) == (0, 0, 0, "same")


def test_two_perfect_models_are_not_known_to_be_alike() -> None:
    """Models that make no error but score otherwise differ by 0, with no interval."""
    better = two_models(4)["better"]
    y = (better["label"] == "sick").astype(int)
    first = better.assign(p=0.2 + 0.6 * y, called=y)
    apart = compared({"a": first, "b": first.assign(p=0.1 + 0.8 * y)}).differences["b"]
    assert apart["roc_auc"].value == 0
    assert apart["roc_auc"].method == "none"
    assert np.isnan(apart["roc_auc"].low)


@pytest.mark.long
@pytest.mark.parametrize("groups", [6, 16])
def test_intervals_of_differences_hold_the_truth(groups: int) -> None:
    """Over 60 simulated studies with group effects the 95% interval holds the true difference in
    at least 51, with few groups and with more."""
    everything = {run: outcomes(t, TWO) for run, t in two_models(0, groups=2000).items()}
    truth = {
        name: float(metrics.FIGURES[name](everything["worse"]))
        - float(metrics.FIGURES[name](everything["better"]))
        for name in COMPARED
    }
    held = dict.fromkeys(COMPARED, 0)
    for study in range(STUDIES):
        apart = compared(two_models([1, study], groups, 25), seed=study, resamples=200)
        for name, found in apart.differences["worse"].items():
            held[name] += found.low <= truth[name] <= found.high
    assert min(held.values()) >= 0.85 * STUDIES


@pytest.mark.long
def test_models_of_one_skill_are_seldom_told_apart() -> None:
    """Where both are equally good, the interval leaves 0 out in few of 40 studies."""
    out = 0
    for study in range(40):
        scores = two_models([2, study], 12, 25, signals=(0.7, 0.7))
        found = compared(scores, seed=study, resamples=200).differences["worse"]["roc_auc"]
        out += not found.low <= 0 <= found.high
    assert out <= 5


def test_three_classes_together() -> None:
    """Without a positive class macro figures are compared; the noisier models lie below."""
    found = compared(three_classes(0, (0.5, 1.5, 3.0)), THREE)
    assert [found.differences[run]["roc_auc"].high < 0 for run in ("m1", "m2")] == [True, True]
    assert found.differences["m2"]["roc_auc"].value < found.differences["m1"]["roc_auc"].value
    assert set(found.figures["m0"]) == set(SHOWN)


def test_three_classes_with_one_sought() -> None:
    """With a positive class its figures against the rest are compared."""
    scores = three_classes(1, (0.5, 2.0))
    found = compared(scores, ClassNames(THREE.names, "dead"))
    table = outcomes(scores["m1"], THREE, "dead")
    assert found.figures["m1"]["roc_auc"].value == float(metrics.FIGURES["roc_auc"](table))
    assert found.differences["m1"]["roc_auc"].high < 0


def test_what_cannot_be_compared_is_refused() -> None:
    """One model, an unknown reference, other regions, or another order."""
    scores = two_models(5)
    with pytest.raises(SpecError, match="two models or more"):
        comparison({"better": scores["better"]}, TWO, "better", seed=0)
    with pytest.raises(SpecError, match="reference none"):
        comparison(scores, TWO, "none", seed=0)
    for other in (scores["worse"].iloc[::-1], scores["worse"].iloc[1:]):
        with pytest.raises(SpecError, match="other regions"):
            comparison({**scores, "worse": other}, TWO, "better", seed=0)


def test_an_undefined_figure_has_an_undefined_difference() -> None:
    """Where every group holds one class there is no AUC within groups, and no difference in it."""
    scores = {run: t.assign(group=t["group"] + t["label"]) for run, t in two_models(6).items()}
    found = compared(scores).differences["worse"]["within_auc"]
    assert np.isnan(found.value)
    assert found.method == "undefined"
    assert "both classes" in found.note


def test_the_tables_hold_every_row() -> None:
    """Figures and differences as tables: a row a run and figure, the values unchanged."""
    found = compared(two_models(7))
    figures, apart = found.table(found.figures), found.table(found.differences)
    assert (len(figures), len(apart)) == (2 * len(SHOWN), len(COMPARED))
    row = apart.set_index("figure").loc["roc_auc"]
    assert (row["run"], row["value"]) == ("worse", found.differences["worse"]["roc_auc"].value)


def test_signed_intervals_are_mirrored() -> None:
    """The interval of a negated figure is the negated interval, with few groups and many."""
    values = np.random.default_rng(0).normal(0.2, 0.1, 500).clip(-1, 1)
    for groups in (4, 30):
        plain, turned = signed_interval(0.2, values, groups), signed_interval(-0.2, -values, groups)
        assert (plain.low, plain.high) == pytest.approx((-turned.high, -turned.low), abs=1e-6)
        assert plain.low < 0.2 < plain.high
