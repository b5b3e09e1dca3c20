"""The page of a comparison says which run is higher, by how much, and what that rests on."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from livewell.classes import ClassNames
from livewell.metrics.paired import comparison
from livewell.report.compare import (
    CompareResults,
    cautions,
    compare_page,
    headline,
    told,
)
from livewell.report.page import render
from livewell.report.vocabulary import Vocabulary

TWO = ClassNames(("healthy", "sick"))
THREE = ClassNames(("healthy", "sick", "dead"))


def compared(
    noises: dict[str, float],
    *,
    groups: int = 12,
    classes: ClassNames = TWO,
    same_parts: bool = True,
) -> CompareResults:
    """Runs that see the truth through so much noise, the first one the reference."""
    rng = np.random.default_rng(3)
    truth = np.tile(np.arange(len(classes)), 20 * groups)
    group = np.repeat([f"W{n:02}" for n in range(groups)], 20 * len(classes))
    scores = {}
    for run, noise in noises.items():
        logits = np.eye(len(classes))[truth] + rng.normal(0, noise, (len(truth), len(classes)))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        chances = {"p": p[:, 1]}
        if not classes.binary:
            chances = {f"p_{name}": p[:, code] for code, name in enumerate(classes)}
        table = {"group": group, "label": np.array(classes.names)[truth], **chances}
        scores[run] = pd.DataFrame(table).assign(called=p.argmax(axis=1))
    runs = pd.DataFrame({"run": list(noises), "profile": "FAST", "split": "split"})
    seconds = np.resize([64.0, 300.0, 9.0], len(noises))
    runs = runs.assign(tested=len(truth), compared=len(truth), folds=1, seconds=seconds)
    first = next(iter(noises))
    return CompareResults(
        "Runs compared",
        "some images",
        classes,
        Vocabulary("patch", "well"),
        scores,
        comparison(scores, classes, first, seed=0, min_each=5, resamples=300),
        runs,
        same_parts,
    )


def said(results: CompareResults, tone: str) -> str:
    return " ".join(note.text for note in cautions(results) if note.tone == tone)


def test_a_difference_is_a_sentence() -> None:
    """Which run is lower, by how much, with its interval, which excludes zero."""
    results = compared({"FAST": 0.6, "blurred <b>": 3.0})
    sentence, tone = headline(results)
    assert re.fullmatch(
        r"AUC within one well of blurred <b> is lower than that of FAST by 0\.\d\d"
        r" \(0\.\d\d to 0\.\d\d\); the interval excludes zero\.",
        sentence,
    )
    assert tone == "info"
    turned = comparison(results.scores, TWO, "blurred <b>", seed=0, resamples=300)
    assert "FAST is higher than that of blurred" in headline(replace(results, comparison=turned))[0]
    page = render(compare_page(results))
    assert "blurred &lt;b&gt;" in page
    assert "<b>" not in page.split("</header>")[1]


def test_no_difference_is_not_called_one() -> None:
    """Runs of one skill: the interval includes zero, and the tone is caution."""
    sentence, tone = headline(compared({"FAST": 1.0, "other": 1.0}))
    assert "the interval includes zero, no difference" in sentence
    assert tone == "warn"


def test_the_same_answers_are_told() -> None:
    """A run and its copy: the page says that both give the same answers."""
    results = compared({"FAST": 1.0, "other": 1.0})
    scores = {"FAST": results.scores["FAST"], "copy": results.scores["FAST"].copy()}
    same = comparison(scores, TWO, "FAST", seed=0, resamples=50)
    assert told(replace(results, comparison=same), "copy", "roc_auc").endswith(
        "is that of FAST: both give the same answers."
    )


def test_cautions() -> None:
    """Few groups, the number of pairs, other splits and left-out regions are told."""
    results = compared({"a": 1.0, "b": 1.0, "c": 1.0}, groups=4, same_parts=False)
    results = replace(results, runs=results.runs.assign(tested=[240, 900, 160], compared=160))
    warned = said(results, "warn")
    assert "4 wells and no more" in warned
    assert "2 pairs of runs were compared in 3 figures. Their 6 intervals" in warned
    assert "learnt from different wells" in warned
    assert "160 of 240 of a and 160 of 900 of b." in warned
    assert "One pair of runs" in said(compared({"a": 1.0, "b": 1.0}), "info")


def test_many_runs_are_summed_up() -> None:
    """With more differences than a headline holds, it counts those that are shown."""
    sentence, _ = headline(compared({"a": 0.5, "b": 3.0, "c": 0.5, "d": 4.0, "e": 0.5}))
    assert sentence == "In AUC within one well 2 of 4 runs differ from a: b and d."


def test_one_curve_a_run() -> None:
    """One ROC figure names each run with its AUC, and the tables have all figures."""
    results = compared({"a": 0.8, "b": 1.5, "c": 2.0})
    every, apart, _ = compare_page(results).sections
    roc, forest = every.pictures
    for run, of in results.comparison.figures.items():
        assert f"{run} AUC {of['roc_auc'].value:.2f}" in roc.alt
        assert f"{run} {of['within_auc'].value:.2f}" in forest.alt
    assert every.tables[0].rows[0][-1] == "64 s"
    assert every.tables[0].rows[1][-1] == "5 min"
    assert len(apart.tables[0].rows) == 2 * 3
    assert "the dashed line, 0, is no difference" in apart.pictures[0].caption


@pytest.mark.long
@pytest.mark.parametrize("positive", [None, "dead"])
def test_three_classes(positive: str | None) -> None:
    """Macro figures and a mean curve without a positive class, its own with one; the area under
    the drawn curve is the AUC."""
    classes = ClassNames(THREE.names, positive)
    results = compared({"a": 0.8, "b": 2.0}, classes=classes)
    page = compare_page(results)
    assert ("macro AUC" in page.verdict.lower().replace("auc", "AUC")) == (positive is None)
    (roc, _), caption = page.sections[0].pictures, page.sections[0].pictures[0].caption
    assert ("mean of the classes" in caption) == (positive is None)
    assert f"a AUC {results.comparison.figures['a']['roc_auc'].value:.2f}" in roc.alt


def test_what_is_not_known_is_left_empty() -> None:
    """Without a time of training its cell is empty; undefined figures say so."""
    results = compared({"a": 1.0, "b": 2.0})
    pure = {run: t.assign(group=t["group"] + t["label"]) for run, t in results.scores.items()}
    found = comparison(pure, TWO, "a", seed=0, resamples=100)
    results = replace(
        results, scores=pure, comparison=found, runs=results.runs.assign(seconds=np.nan)
    )
    assert "cannot be compared: no group holds both" in told(results, "b", "within_auc")
    page = compare_page(results)
    assert page.sections[0].tables[0].rows[0][-1] == ""
    assert "not defined" in page.sections[0].tables[0].rows[0]
    assert page.verdict.startswith("AUC of b is lower")
