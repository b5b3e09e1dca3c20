"""The report of a training run and its evaluation on unseen groups."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.metrics import confusion_matrix

from livewell.classes import ClassNames
from livewell.report import trust
from livewell.report.class_scores import class_scores
from livewell.report.curves import reliability, roc, score_histogram
from livewell.report.estimate import (
    METRIC_NAMES,
    EstimateLike,
    has_interval,
    metric_name,
    short,
    span,
)
from livewell.report.figures import comparison, estimates, group_strip
from livewell.report.maps import confusion
from livewell.report.page import Note, Page, Section, Table, Tone
from livewell.report.results import EvaluationResults, Named
from livewell.report.style import edges
from livewell.report.trends import learning_curves
from livewell.report.vocabulary import Vocabulary
from livewell.text import listed, plural


def evaluation_page(results: EvaluationResults) -> Page:
    """The page of a training run: verdict, trust, scores, groups, training, examples."""
    notes = trust_notes(results)
    sentence, tone = headline(results, notes)
    scores = _scores(results) if results.classes.binary else class_scores(results)
    sections = [scores, _groups(results), _baselines(results), *_examples(results)]
    sections += [*results.further, _calibration(results), _training(results), _data(results)]
    return Page(
        title=results.title,
        subtitle=results.subtitle,
        verdict=sentence,
        tone=tone,
        lead=_lead(results),
        trust=notes,
        sections=[section for section in sections if section is not None],
        settings=results.settings,
        versions=results.versions,
    )


def headline(results: EvaluationResults, notes: Sequence[Note] = ()) -> tuple[str, Tone]:
    """The result in one plain sentence, and its tone.

    The tone is bad where guessing is not ruled out or a note says bad, caution where a note does.
    """
    words = results.words
    what = f"On unseen {words.groups}, {words.regions} labelled {listed(_kinds(results.classes))}"
    head = results.estimates[0][1] if results.estimates else None
    if head is None or not math.isfinite(head.value):
        return f"{what} could not be compared: no {results.metric} could be computed.", "bad"
    groups = results.scores["group"].nunique()
    rests = [plural(groups, words.group)] if groups else []
    if has_interval(head):
        rests.insert(0, f"95% interval {span(head)}")
    figure = f"{results.metric} {head.value:.2f}" + (f" ({', '.join(rests)})" if rests else "")
    if not trust.beats_guessing(head, results.guessing):
        return f"{what} cannot be told apart with confidence: {figure}.", "bad"
    tones = {note.tone for note in notes}
    tone: Tone = "bad" if "bad" in tones else "warn" if "warn" in tones else "good"
    return f"{what} are told apart with {figure}.", tone


def named(
    figures: Mapping[str, EstimateLike], words: Vocabulary, *, macro: bool = False
) -> list[Named]:
    """Estimates by their names in `livewell.metrics`, under the names that reports use.

    `macro`: areas are means over three or more classes.
    """
    return [(metric_name(name, words.group, macro=macro), e) for name, e in figures.items()]


def _kinds(classes: ClassNames) -> list[str]:
    """Classes in the order in which sentences name them: the positive one first."""
    return list(reversed(classes.names)) if classes.binary else list(classes.sought)


def trust_notes(results: EvaluationResults) -> list[Note]:
    """Every note on how far the result can be trusted, most serious first."""
    notes: list[Note] = []
    if results.estimates:
        name, head = results.estimates[0]
        notes.append(
            trust.against_guessing(head, results.metric, _kinds(results.classes), results.guessing)
        )
        notes.append(_group_count(results, head))
        notes += trust.against_baselines(results.baselines, results.metric)
        # Too few groups are said already.
        if head.note and math.isfinite(head.value) and not head.note.startswith("rough"):
            notes.append(Note("info", f"{name}: {head.note}"))
    groups = results.scores["group"].nunique()
    notes += trust.within_groups(results.pooled, results.within, results.words.group, groups)
    notes += trust.virtual_batches(
        results.paper, dict(results.estimates).get(METRIC_NAMES["balanced_accuracy"])
    )
    notes += trust.verdicts(dict(results.estimates).get(METRIC_NAMES["pictures_right"]))
    what = f"class {results.classes[1]}" if results.classes.binary else "the most probable class"
    notes += trust.calibration(results.ece, what)
    told = [Note("warn", text) for text in results.warnings]
    return trust.sorted_notes([*told, *notes, *results.notes])


def _group_count(results: EvaluationResults, head: EstimateLike) -> Note:
    """Whether there are enough groups, and what intervals resample."""
    groups = results.scores["group"].nunique()
    alone = groups == len(results.scores)
    return trust.group_count(groups, head.groups or groups, results.words, each_one=alone)


def _lead(results: EvaluationResults) -> str:
    scores, words, classes = results.scores, results.words, results.classes
    called = scores[scores["called"].notna()]
    if called.empty:
        return f"No {words.region} was scored."
    codes = called["called"].to_numpy(int)
    truth = called["y"].to_numpy(int) if classes.binary else classes.codes(called["label"])
    right, unsure = int((codes == truth).sum()), int((codes < 0).sum())
    rules = "Threshold and band of doubt were" if classes.binary else "The rule of doubt was"
    return (
        f"{right:,} of {len(called):,} {words.regions} were called right "
        f"({right / len(called):.1%}){f', {unsure:,} were left unsure' if unsure else ''}, by "
        f"models that never saw their {words.group}. {rules} chosen on validation {words.groups}."
    )


def _scores(results: EvaluationResults) -> Section:
    scores, (negative, positive), words = results.scores, results.classes, results.words
    auc = next((e for n, e in results.estimates if n.lower().split()[:1] == ["auc"]), None)
    auc = results.pooled or auc
    called = scores[scores["called"].notna() & scores["y"].notna()]
    matrix = (
        confusion_matrix(called["y"].astype(int), called["called"].astype(int), labels=[0, 1])
        if len(called)
        else np.zeros((2, 2))
    )
    names = ["metric", "value (95% interval)", words.groups, "note"]
    rows: list[tuple[str, ...]] = [
        (n, short(e), str(e.groups or ""), e.note) for n, e in results.estimates
    ]
    if results.paper is not None and has_interval(results.paper):
        text = "as DeadNet's paper: too narrow, it resamples patches"
        rows.append((METRIC_NAMES["virtual_batches"], short(results.paper), "", text))
    if not any(row[3] for row in rows):
        names, rows = names[:3], [row[:3] for row in rows]
    histogram = score_histogram(
        scores["y"],
        scores["p"],
        results.classes.names,
        results.threshold,
        results.band,
        words=words,
    )
    curve = roc(
        scores["y"],
        scores["p"],
        scores["group"],
        auc=auc,
        band=results.roc_band,
        words=words,
    )
    drawn = confusion(matrix, results.classes.names, words=words)
    return Section(
        f"Scores on unseen {words.groups}",
        f"Intervals resample whole {words.groups}. Sensitivity is the share of"
        f" {words.regions} labelled {positive} that were called {positive}, specificity the"
        f" share of those labelled {negative} that were called {negative}.",
        pictures=[
            replace(estimates(results.estimates), wide=True),
            curve,
            drawn,
            replace(histogram, wide=True),
        ],
        tables=[Table(names, rows, align="lrrl"[: len(names)])],
    )


def _groups(results: EvaluationResults) -> Section | None:
    # of a single patch the accuracy is 0 or 1: nothing to compare
    if results.per_group is None or results.per_group["patches"].median() == 1:
        return None
    strip = group_strip(
        results.per_group,
        results.classes,
        metric=results.per_group_metric,
        words=results.words,
    )
    group = results.words.group
    return Section(f"{group.capitalize()} by {group}", pictures=[strip])


def _baselines(results: EvaluationResults) -> Section | None:
    if not results.baselines:
        return None
    return Section(
        "Against simple rules",
        f"The same {results.words.regions}, a part of all where there are many, judged by rules"
        " that see less than the net does.",
        pictures=[comparison(results.baselines, results.metric, results.guessing)],
    )


def _examples(results: EvaluationResults) -> list[Section]:
    key = f"The edge shows the true class: {edges(results.classes)}."
    return [
        Section(g.title, f"{g.lead} {key if g.labels else ''}".strip(), pictures=[g.picture()])
        for g in results.galleries
    ]


def _calibration(results: EvaluationResults) -> Section | None:
    if results.reliability is None:
        return None
    of = results.classes[1] if results.classes.binary else None
    diagram = reliability(results.reliability, of, results.ece, words=results.words)
    return Section("Do probabilities mean what they say?", pictures=[diagram])


def _training(results: EvaluationResults) -> Section | None:
    if not results.logs:
        return None
    pictures = []
    for name, log in results.logs.items():
        picture = learning_curves(log, log.attrs.get("best_epoch"))
        caption = f"{name}. {picture.caption}" if len(results.logs) > 1 else picture.caption
        pictures.append(replace(picture, caption=caption, wide=True))
    return Section("Training", pictures=pictures)


def _data(results: EvaluationResults) -> Section | None:
    if results.counts is None:
        return None
    seen = results.words.regions
    table = results.counts.rename(columns=lambda name: re.sub("^patches(?=_|$)", seen, str(name)))
    return Section("Data", tables=[Table.of(table)])
