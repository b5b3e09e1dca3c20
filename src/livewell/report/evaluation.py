"""The report of a training run and its evaluation on unseen groups."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from livewell.classes import ClassNames
from livewell.inference.evaluation_set import EvaluationSet
from livewell.metrics.calibration import expected_calibration_error
from livewell.metrics.calibration import reliability as reliability_table
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import confusion as counted
from livewell.metrics.outcomes import ClassOutcomes, outcomes
from livewell.metrics.summary import EvaluationFigures, group_figures
from livewell.models.files import Card
from livewell.report import trust
from livewell.report.class_figures import MOST_CURVES, roc_of_classes
from livewell.report.figures import (
    comparison,
    estimates,
    group_strip,
    reliability,
    roc,
    score_histogram,
)
from livewell.report.maps import confusion
from livewell.report.page import Note, Page, Section, Table, Tone, info, warn
from livewell.report.results import EvaluationResults, Gallery
from livewell.report.style import edges
from livewell.report.timecourses import learning_curves
from livewell.report.vocabulary import (
    METRIC_NAMES,
    MOST_NAMED,
    PATCH,
    Named,
    Vocabulary,
    has_interval,
    metric_name,
    short,
    span,
)
from livewell.splitting.balance import balance
from livewell.study.runs import Run, versions
from livewell.text import listed, plural, sentence

COLUMNS = {
    "sensitivity": "recall",
    "precision": "precision",
    "roc_auc": "AUC against the rest",
    "average_precision": "average precision",
}
"""Columns of the table of classes, by names in `livewell.metrics.multiclass.EACH`."""


def evaluation_page(results: EvaluationResults) -> Page:
    """The page of a training run: verdict, trust, scores, groups, training, examples."""
    notes = trust_notes(results)
    sentence, tone = headline(results, notes)
    return results.page(sentence, tone, _sections(results), notes, lead=_lead(results))


def _sections(results: EvaluationResults) -> Iterator[Section]:
    words, classes = results.words, results.classes
    yield _scores(results) if classes.binary else class_scores(results)
    yield from results.coarser
    # of a single patch the accuracy is 0 or 1: nothing to compare
    if results.per_group is not None and results.per_group["patches"].median() != 1:
        strip = group_strip(results.per_group, classes, words=words)
        yield Section(f"{sentence(words.group)} by {words.group}", pictures=[strip])
    if results.baselines:
        yield Section(
            "Against simple rules",
            f"The same {words.regions}, a part of all where there are many, judged by rules that"
            " see less than the net does.",
            [comparison(results.baselines, results.metric)],
        )
    key = f"The edge shows the true class: {edges(classes)}."
    yield from (gallery.section(key) for gallery in results.galleries)
    yield from results.further
    if results.reliability is not None:
        of = classes[1] if classes.binary else None
        diagram = reliability(results.reliability, of, results.ece, words=words)
        yield Section("Do probabilities mean what they say?", pictures=[diagram])
    pictures = []
    # one epoch is no curve
    for name, log in ((name, log) for name, log in results.logs.items() if len(log) != 1):
        picture = learning_curves(log, log.attrs.get("best_epoch"))
        caption = f"{name}. {picture.caption}" if len(results.logs) > 1 else picture.caption
        pictures.append(replace(picture, caption=caption))
    if pictures:
        yield Section("Training", pictures=pictures)
    if results.counts is not None:
        names = [str(name) for name in results.counts]
        own = {name: re.sub("^patches(?=_|$)", words.regions, name) for name in names}
        yield Section("Data", tables=[Table.of(results.counts.rename(columns=own))])


def headline(results: EvaluationResults, notes: Sequence[Note] = ()) -> tuple[str, Tone]:
    """The result in one plain sentence, and its tone.

    The tone is bad where guessing is not ruled out or a note says bad, caution where a note does.
    """
    words = results.words
    labelled = "labelled" if len(results.classes) <= MOST_NAMED else "of"
    kinds = listed(_kinds(results.classes))
    what = f"On unseen {words.groups}, {words.regions} {labelled} {kinds}"
    head = results.estimates[0][1] if results.estimates else None
    if head is None or not math.isfinite(head.value):
        return f"{what} could not be compared: no {results.metric} could be computed.", "bad"
    groups = results.scores["group"].nunique()
    rests = [plural(groups, words.group)] if groups else []
    if has_interval(head):
        rests.insert(0, f"95% interval {span(head)}")
    figure = f"{results.metric} {head.value:.2f}" + (f" ({', '.join(rests)})" if rests else "")
    if not trust.beats_guessing(head):
        return f"{what} cannot be told apart with confidence: {figure}.", "bad"
    tones = {note.tone for note in notes}
    tone: Tone = "bad" if "bad" in tones else "warn" if "warn" in tones else "good"
    return f"{what} are told apart with {figure}.", tone


def named(
    figures: Mapping[str, Estimate], words: Vocabulary, *, macro: bool = False
) -> list[Named]:
    """Estimates by their names in `livewell.metrics`, under the names that reports use.

    `macro`: areas are means over three or more classes.
    """
    return [(metric_name(name, words.group, macro=macro), e) for name, e in figures.items()]


def _kinds(classes: ClassNames) -> list[str]:
    """Classes in the order in which sentences name them: the positive one first; or how many."""
    if len(classes) > MOST_NAMED:
        return [f"{len(classes)} classes"]
    return list(reversed(classes.names)) if classes.binary else list(classes.sought)


def trust_notes(results: EvaluationResults) -> list[Note]:
    """Every note on how far the result can be trusted, most serious first."""
    notes: list[Note | None] = [warn(text) for text in results.warnings]
    groups, known = results.scores["group"].nunique(), dict(results.estimates)
    if results.estimates:
        name, head = results.estimates[0]
        kinds = _kinds(results.classes)
        # Too few groups are said already.
        said = head.note and math.isfinite(head.value) and not head.note.startswith("rough")
        alone = groups == len(results.scores)
        notes += [
            trust.against_guessing(head, results.metric, kinds),
            trust.group_count(groups, head.groups or groups, results.words, each_one=alone),
            trust.against_baselines(results.baselines, results.metric),
            info(f"{name}: {head.note}") if said else None,
        ]
    what = f"class {results.classes[1]}" if results.classes.binary else "the most probable class"
    notes += [
        trust.within_groups(results.pooled, results.within, results.words.group, groups),
        trust.virtual_batches(results.paper, known.get(METRIC_NAMES["balanced_accuracy"])),
        None if results.healthy_only else trust.verdicts(known.get(METRIC_NAMES["pictures_right"])),
        trust.calibration(results.ece, what),
    ]
    return trust.sorted_notes([*notes, *results.notes])


def _lead(results: EvaluationResults) -> str:
    scores, words, classes = results.scores, results.words, results.classes
    called = scores[scores["called"].notna()]
    if called.empty:
        return f"No {words.region} was scored."
    codes = called["called"].to_numpy(int)
    truth = called["y"].to_numpy(int) if classes.binary else classes.codes(called["label"])
    right, unsure = int((codes == truth).sum()), int((codes < 0).sum())
    rules = "Threshold and band of doubt were" if classes.binary else "The rule of doubt was"
    others = f"other {words.groups}"
    if results.healthy_only:
        rules, others = "The threshold was", f"{classes[0]} {words.groups} alone"
    return (
        f"{right:,} of {len(called):,} {words.regions} were called right "
        f"({right / len(called):.1%}){f', {unsure:,} were left unsure' if unsure else ''}, by "
        f"models that never saw their {words.group}. {rules} chosen on {others},"
        " held out of fitting."
    )


def _scores(results: EvaluationResults) -> Section:
    scores, (negative, positive), words = results.scores, results.classes, results.words
    called = scores[scores["called"].notna() & scores["y"].notna()]
    matrix = (
        confusion_matrix(called["y"].astype(int), called["called"].astype(int), labels=[0, 1])
        if len(called)
        else np.zeros((2, 2))
    )
    further: tuple[tuple[str, ...], ...] = ()
    if results.paper is not None and has_interval(results.paper):
        text = "as DeadNet's paper: too narrow, it resamples patches"
        further = ((METRIC_NAMES["virtual_batches"], short(results.paper), "", text),)
    y, p, names = scores["y"], scores["p"], results.classes.names
    return Section(
        f"Scores on unseen {words.groups}",
        f"Intervals resample whole {words.groups}. Sensitivity is the share of"
        f" {words.regions} labelled {positive} that were called {positive}, specificity the"
        f" share of those labelled {negative} that were called {negative}, precision the share of"
        f" those called {positive} that are labelled so; F1 is the harmonic mean of precision and"
        " sensitivity.",
        pictures=[
            estimates(results.estimates),
            roc(y, p, scores["group"], auc=results.pooled, words=words),
            confusion(matrix, names, words=words),
            score_histogram(y, p, names, results.threshold, words=words),
        ],
        tables=[metric_table(results, further)],
    )


def class_scores(results: EvaluationResults) -> Section:
    """Figures over all classes, a table of the classes, confusion matrix and ROC curves."""
    words, scores, classes = results.words, results.scores, results.classes
    matrix = counted(scores, classes)
    areas = {name: each["roc_auc"] for name, each in results.each.items()}
    return Section(
        f"Scores on unseen {words.groups}",
        f"Intervals resample whole {words.groups}. Recall of a class is the share of its"
        f" {words.regions} that were called it, precision the share of those called it that are of"
        " it. Its AUC tells it from all other classes together; macro AUC is the mean over the"
        " classes, balanced accuracy the mean recall.",
        pictures=[
            estimates(results.estimates),
            roc_of_classes(scores, classes, areas, words=words)
            if len(classes) <= MOST_CURVES
            else estimates(list(areas.items()), "AUC of each class against the rest"),
            confusion(matrix, list(matrix.index), list(matrix.columns), words=words),
        ],
        tables=[_table_of_classes(results), metric_table(results)],
    )


def metric_table(results: EvaluationResults, further: Sequence[Sequence[str]] = ()) -> Table:
    """The metrics with their intervals, groups and notes; no column of notes where there is none.

    `further` are rows that follow.
    """
    names = ("metric", "value (95% interval)", results.words.groups, "note")
    rows = [(n, short(e), str(e.groups or ""), e.note) for n, e in results.estimates]
    columns = slice(4 if any(row[3] for row in [*rows, *further]) else 3)
    return Table(names[columns], [row[columns] for row in [*rows, *further]], "", "lrrl"[columns])


def _table_of_classes(results: EvaluationResults) -> Table:
    classes, words = results.classes, results.words
    counts = results.scores["label"].astype("str").value_counts()
    held = results.scores.groupby("label")["group"].nunique()
    shown = [name for name in COLUMNS if all(name in each for each in results.each.values())]
    rows = [
        (
            f"{name} (sought)" if name == classes.positive else name,
            f"{int(counts.get(name, 0)):,}",
            str(int(held.get(name, 0))),
            *(short(results.each[name][figure]) for figure in shown),
        )
        for name in classes
        if name in results.each
    ]
    columns = ["class", words.regions, words.groups, *(COLUMNS[name] for name in shown)]
    return Table(columns, rows, "Each class against the rest, with 95% intervals.")


def region_noun(tested: EvaluationSet) -> str:
    """What the net sees: patch, frame, or image where each image has one frame."""
    if tested.meta.patch_px:
        return PATCH
    return "image" if tested.patches["image"].is_unique else "frame"


def words_of(tested: EvaluationSet) -> Vocabulary:
    """What a page calls the regions and groups."""
    return Vocabulary(region_noun(tested), tested.meta.by.replace("_", " "))


def evaluation_results(
    tested: EvaluationSet,
    scores: pd.DataFrame,
    figures: EvaluationFigures,
    rivals: Mapping[str, Mapping[str, Estimate]],
    cards: Mapping[int, Card],
    *,
    galleries: Sequence[Gallery] = (),
    coarser: Sequence[Section] = (),
    further: Sequence[Section] = (),
    notes: Sequence[Note] = (),
) -> EvaluationResults:
    """What `livewell.report.evaluation.evaluation_page` shows.

    `rivals` are figures of the net and of simple rules on the same regions, `cards` the models' by
    fold.
    """
    meta, patches, run, classes = tested.meta, tested.patches, tested.run, tested.classes
    words = words_of(tested)
    head, found = figures.headline, figures.together
    macro = not classes.binary
    ordered = {head: found[head]} | {k: v for k, v in found.items() if not np.isnan(v.value)}
    one = next(iter(cards.values())) if len(cards) == 1 else None
    seen = "" if words.region == "image" else f", {len(patches):,} {words.regions}"
    table = outcomes(scores, classes) if classes.binary else scores
    # calibration is of the positive class of two, of the most probable one of more
    # of one class that alone was learnt there is no probability
    alone = any(card.healthy_only for card in cards.values())
    rated = table if classes.binary else ClassOutcomes.of(scores, classes).most_probable().frame()
    return EvaluationResults(
        title=f"{_title(classes)}: {tested.study.folder.name}",
        subtitle=f"{patches['image'].nunique()} images{seen} of {patches['group'].nunique()}"
        f" {words.groups}, labelled by {meta.label_meta.route}; profile"
        f" {tested.recipe['name']}",
        classes=classes,
        estimates=named(ordered, words, macro=macro),
        scores=table,
        metric=next(iter(named({head: found[head]}, words, macro=macro)))[0],
        words=words,
        each=figures.each,
        pooled=found["roc_auc"],
        within=found["within_auc"] if not np.isnan(found["within_auc"].value) else None,
        per_group=group_figures(scores, classes),
        reliability=None if alone else reliability_table(rated["p"], rated["y"], rated["group"]),
        healthy_only=alone,
        ece=None if alone else expected_calibration_error(rated["p"], rated["y"]),
        threshold=one.region_rule.threshold if one and classes.binary else None,
        logs=_logs(run) if run else {},
        baselines=[(name, each[head]) for name, each in rivals.items()],
        warnings=meta.warnings,
        counts=balance(patches, tested.folds),
        galleries=galleries,
        coarser=coarser,
        further=further,
        paper=figures.paper,
        notes=notes,
        # of a run the state as it is now, not as it was in training
        audits=(tested.audit, *(a for card in cards.values() if not run for a in card.audits)),
        settings={
            "profile": tested.recipe,
            "labels": meta.label_meta.values(),
            "split": meta.values("by", "scheme", "scheme_settings", "grid", "seed"),
        }
        | ({"seed": run.spec.seed, "inputs": run.spec.inputs} if run else {}),
        versions=versions(),
    )


def _title(classes: ClassNames) -> str:
    if classes.binary:
        return f"{sentence(classes[1])} or {classes[0]}"
    return sentence(listed(_kinds(classes)))


def _logs(run: Run) -> dict[str, pd.DataFrame]:
    logs = {}
    fit = run.spec.profile.get("fit")
    # in runs of version 0.1 settings lie side by side
    select = fit["select"] if isinstance(fit, Mapping) else run.spec.profile.get("select")
    for fold in run.folds:
        log = pd.read_csv(run.fold(fold) / "log.csv")
        if select == "best":
            log.attrs["best_epoch"] = int(log["epoch"].iloc[int(log["val_loss"].argmin())])
        logs[f"fold {fold}"] = log
    return logs
