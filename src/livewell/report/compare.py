"""The report of several models on the same test regions: figures of each, and how far apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from livewell.classes import ClassNames
from livewell.inference.common_regions import CommonRegions
from livewell.metrics.healthy import meaning
from livewell.metrics.outcomes import ClassOutcomes, Floats, Outcomes, outcomes
from livewell.metrics.paired import COMPARED, SAME, Comparison
from livewell.report import trust
from livewell.report.class_figures import RocCurve, roc_curves
from livewell.report.evaluation import words_of
from livewell.report.figures import differences, estimates
from livewell.report.page import Note, Page, Picture, Section, Table, Tone, info, warn
from livewell.report.results import PageResults
from livewell.report.vocabulary import Vocabulary, has_interval, metric_name, short
from livewell.study.runs import versions
from livewell.text import listed, plural, sentence

SAID = 3
"""Most differences that the headline says one by one."""
FEWER_SHARED = 0.5
"""A run of whose test regions a smaller share is compared is warned of."""


@dataclass(frozen=True)
class CompareResults(PageResults):
    """What `compare_page` shows.

    `scores` are of the same regions in one order (`schemas.SCORES`), by run. `runs` has one row a
    run: run, profile, split, tested (regions of its test parts), compared, folds, seconds (of
    training, NaN where not known). `same_parts` says whether all learnt from the same groups.
    """

    classes: ClassNames
    words: Vocabulary
    scores: Mapping[str, pd.DataFrame]
    comparison: Comparison
    runs: pd.DataFrame
    same_parts: bool = True

    @property
    def macro(self) -> bool:
        """Whether figures are means over the classes."""
        return self.classes.positive is None

    def called(self, name: str) -> str:
        """What the page calls a figure."""
        return metric_name(name, self.words.group, macro=self.macro)


def compare_page(results: CompareResults) -> Page:
    """The page of a comparison."""
    verdict, tone = headline(results)
    regions = results.words.regions
    lead = (
        f"All runs scored the same {results.runs['compared'].iloc[0]:,} {regions}, which none of"
        f" them had learnt from. Intervals of differences draw the same {results.words.groups} for"
        " both runs."
    )
    return results.page(verdict, tone, _sections(results), cautions(results), lead=lead)


def headline(results: CompareResults) -> tuple[str, Tone]:
    """The differences in the figure that counts most, and a tone: caution where none is shown."""
    found = results.comparison
    each = {run: of[found.headline] for run, of in found.differences.items()}
    shown = [run for run, e in each.items() if has_interval(e) and (e.low > 0 or e.high < 0)]
    tone: Tone = "info" if shown else "warn"
    if len(each) <= SAID:
        return " ".join(told(results, run, found.headline) for run in each), tone
    names = f": {listed(shown)}" if shown else ""
    return (
        f"In {results.called(found.headline)} {len(shown)} of {len(each)} runs differ from"
        f" {found.reference}{names}.",
        tone,
    )


def told(results: CompareResults, run: str, figure: str) -> str:
    """One difference from the reference in a sentence."""
    found, reference = results.comparison.differences[run][figure], results.comparison.reference
    what = results.called(figure)
    of = sentence(f"{what} of {run}")
    if found.method == SAME:
        return f"{of} is that of {reference}: both give the same answers."
    if not np.isfinite(found.value):
        return f"{sentence(what)} of {run} and {reference} cannot be compared: {found.note}."
    turned = found.value < 0
    value, low, high = abs(found.value), found.low, found.high
    low, high = (-high, -low) if turned else (low, high)
    digits = 2 if value >= 0.01 else 3
    said = f"{of} is {'lower' if turned else 'higher'} than that of {reference} by"
    said = f"{said} {value:.{digits}f}" if value else f"{of} is that of {reference}"
    if not has_interval(found):
        return f"{said}; there is no interval: {found.note}."
    zero = "includes zero, no difference" if low <= 0 <= high else "excludes zero"
    return f"{said} ({low:.{digits}f} to {high:.{digits}f}); the interval {zero}."


def cautions(results: CompareResults) -> list[Note]:
    """What to know before a difference is believed."""
    found, words = results.comparison, results.words
    table = next(iter(results.scores.values()))
    head = found.figures[found.reference][found.headline]
    groups = table["group"].nunique()
    notes: list[Note | None] = [
        trust.group_count(groups, head.groups or groups, words),
        *_left_out(results),
        _number_of(len(found.differences)),
        info(
            f"Intervals say how a difference would vary with other {words.groups}, not with"
            " another seed: each run is one training."
        ),
    ]
    if not results.same_parts:
        text = f"The runs learnt from different {words.groups}: what differs may be due to that."
        notes.append(warn(text))
    for run, of in found.figures.items():
        within = of["within_auc"] if np.isfinite(of["within_auc"].value) else None
        note = trust.within_groups(of["roc_auc"], within, words.group, groups)
        notes.append(note and Note(note.tone, f"{run}: {note.text}"))
    return trust.sorted_notes([*notes, *results.notes])


def _number_of(pairs: int) -> Note:
    """How many comparisons were made, and what that means for any one of them."""
    if pairs == 1:
        return info(
            f"One pair of runs was compared, in {len(COMPARED)} figures: the figure that decides"
            " should be chosen before the others are looked at."
        )
    return warn(
        f"{pairs} pairs of runs were compared in {len(COMPARED)} figures. Their"
        f" {pairs * len(COMPARED)} intervals are of 95% each, not adjusted for their number: where"
        " nothing differs, one in twenty excludes zero all the same."
    )


def _left_out(results: CompareResults) -> list[Note]:
    """How many test regions of each run are not compared."""
    rows = [row for row in results.runs.to_dict("records") if row["compared"] < row["tested"]]
    if not rows:
        return []
    words = results.words.regions
    each = listed(f"{row['compared']:,} of {row['tested']:,} of {row['run']}" for row in rows)
    least = min(row["compared"] / row["tested"] for row in rows)
    text = f"Only test {words} that all runs share are compared: {each}."
    return [warn(text) if least < FEWER_SHARED else info(text)]


def _sections(results: CompareResults) -> Iterator[Section | None]:
    found, words = results.comparison, results.words
    head = results.called(found.headline)
    each = [(run, of[found.headline]) for run, of in found.figures.items()]
    yield Section(
        "Every run",
        f"Intervals resample whole {words.groups}.",
        pictures=[_roc(results), estimates(each, title=sentence(head))],
        tables=[_figures(results)],
    )
    apart = [(run, of[found.headline]) for run, of in found.differences.items()]
    yield Section(
        f"Differences from {found.reference}",
        "Calibration errors are not subtracted, for chance raises each of them by another amount."
        if "calibration_error" in found.figures[found.reference]
        else "",
        pictures=[differences(apart, head, found.reference)],
        tables=[_differences(results)],
    )
    yield Section("The runs", tables=[Table.of(results.runs)])


def _figures(results: CompareResults) -> Table:
    seconds = dict(zip(results.runs["run"], results.runs["seconds"], strict=True))
    figures, reference = results.comparison.figures, results.comparison.reference
    rows = [(run, *map(short, of.values()), _time(seconds[run])) for run, of in figures.items()]
    names = ["run", *map(results.called, figures[reference]), "training"]
    caption = "95% intervals in brackets; the time of training on the machine that did it."
    return Table(names, rows, caption)


def _differences(results: CompareResults) -> Table:
    """One row a run and figure, in words."""
    rows = [
        (run, results.called(name), str(e.groups), told(results, run, name))
        for run, of in results.comparison.differences.items()
        for name, e in of.items()
    ]
    names = ["run", "figure", results.words.groups, "difference (95% interval)"]
    return Table(names, rows, align="llrl")


def _time(seconds: float) -> str:
    if not np.isfinite(seconds):
        return ""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _roc(results: CompareResults) -> Picture:
    curves = []
    for number, (run, table) in enumerate(results.scores.items()):
        area = results.comparison.figures[run]["roc_auc"]
        if np.isfinite(area.value):
            x, y = _curve(table, results.classes)
            curves.append(RocCurve(run, x, y, area.value, short(area), number))
    what = f"ROC curve of every run{', mean of the classes' if results.macro else ''}"
    over = f"over {results.runs['compared'].iloc[0]:,} {results.words.regions}"
    return roc_curves(curves, what, over)


def _curve(scores: pd.DataFrame, classes: ClassNames) -> tuple[Floats, Floats]:
    """Rates of a run: of the positive class, or the mean over the classes at each false rate."""
    if classes.positive is not None:
        data = Outcomes.of(outcomes(scores, classes))
        x, y, _ = roc_curve(data.y, data.p)
        return x, y
    each = ClassOutcomes.of(scores, classes).each
    curves = [roc_curve(d.y, d.p, drop_intermediate=False)[:2] for d in each if 0 < d.y.mean() < 1]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    mean = np.mean([np.interp(grid, x, y) for x, y in curves], axis=0)
    return np.insert(grid, 0, 0.0), np.insert(mean, 0, 0.0)


def compare_results(
    common: CommonRegions,
    scores: Mapping[str, pd.DataFrame],
    found: Comparison,
    settings: Mapping[str, object],
) -> CompareResults:
    """What `compare_page` shows of runs on the regions that they share."""
    sets, regions = common.runs, common.regions
    first = sets[found.reference]
    words = replace(words_of(first), group=common.by.replace("_", " "))
    rows = [
        {
            "run": name,
            "profile": each.recipe["name"],
            "split": each.own_run.spec.split,
            "tested": common.tested[name],
            "compared": len(regions),
            "folds": scores[name]["fold"].nunique(),
            "seconds": each.own_run.seconds,
        }
        for name, each in sets.items()
    ]
    parts = {frozenset(each.folds.itertuples(index=False, name=None)) for each in sets.values()}
    shown = plural(regions["image"].nunique(), "image")
    seen = "" if words.region == "image" else f", {plural(len(regions), words.region)}"
    return CompareResults(
        title=f"{plural(len(sets), 'run')} compared: {first.study.folder.name}",
        subtitle=f"{shown}{seen} of {plural(regions['group'].nunique(), words.group)} that all"
        f" runs hold out; labels by {first.meta.label_meta.route}",
        classes=common.classes,
        words=words,
        scores=scores,
        comparison=found,
        runs=pd.DataFrame(rows),
        same_parts=len(parts) == 1,
        notes=[info(meaning(common.classes))] if common.healthy_only else (),
        audits=[each.audit for each in sets.values()],
        settings=settings,
        versions=versions(),
    )
