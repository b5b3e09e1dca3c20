"""How many detections are right, for the page of an evaluation: curves, tables, examples."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from livewell.detection.places import FROM_BOXES, FROM_LABELS, PlaceFigures
from livewell.files import article
from livewell.metrics.intervals import Estimate
from livewell.report.galleries import MarkedFrame, marked_frames
from livewell.report.page import Picture, Section, Table, info
from livewell.report.style import FAINT, HEALTHY, INK, SICK, Sheet, empty, unit_axis
from livewell.report.vocabulary import short

NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
"""Figures at one threshold, by their names in `livewell.detection.places`."""
CHOSEN = {FROM_LABELS: "from labels alone", FROM_BOXES: "from validation boxes"}
"""How thresholds were chosen, in words."""


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold on the curves, how it was chosen and what it makes; a NaN is not drawn."""

    name: str
    precision: float
    recall: float
    false_positives_per_image: float


def precision_recall(
    curve: pd.DataFrame, points: Sequence[Point], area: Estimate | None = None
) -> Picture:
    """Precision against recall over all thresholds, and at most two that were chosen.

    `curve` is of `livewell.detection.matching.precision_recall_curve`.
    """
    known = curve[curve["recall"].notna() & curve["precision"].notna()]
    title = "Precision-recall curve of detections"
    if known.empty:
        return empty("Nothing was found, or there is nothing to find: no curve.", title)
    with Sheet(4.4, 4.2) as sheet:
        axes = sheet.axes
        recall = np.append(0.0, known["recall"].to_numpy(float))
        precision = np.append(known["precision"].iloc[0], known["precision"].to_numpy(float))
        axes.plot(recall, precision, color=HEALTHY, lw=2.0)
        unit_axis(axes, "x")
        unit_axis(axes, "y")
        axes.set_xlabel("recall: share of the objects that are found")
        axes.set_ylabel("precision: share of the detections that are right")
        marked = _points(axes, [(point, point.recall, point.precision) for point in points])
        said = f"average precision {short(area)}" if area is not None else "no average precision"
        return sheet.picture(
            f"{title}: {said}. {marked}",
            f"Precision and recall of detections over all thresholds, {said}.",
        )


def froc_curve(
    curve: pd.DataFrame,
    points: Sequence[Point],
    rates: Sequence[float],
    score: Estimate | None = None,
) -> Picture:
    """Share of the objects found against wrong detections an image, on a logarithmic axis.

    `curve` and `rates`, the false detections an image that the score is the mean over, are of
    `livewell.detection.froc.Froc`.
    """
    known = curve[curve["sensitivity"].notna()]
    title = "FROC curve of detections"
    if len(known) < 2:
        return empty("Nothing was found, or there is nothing to find: no curve.", title)
    made = known["false_positives_per_image"].to_numpy(float)
    of_points = [p.false_positives_per_image for p in points if math.isfinite(p.recall)]
    above = [value for value in (*made, *of_points) if value > 0]
    low, high = min([*above, min(rates)]) / 1.5, max([*above, max(rates)]) * 1.2
    with Sheet(4.4, 4.2) as sheet:
        axes = sheet.axes
        for each in rates:
            axes.axvline(each, color=FAINT, lw=0.8, ls=(0, (1, 2)))
        across = np.append(np.maximum(made, low), high)
        up = np.append(known["sensitivity"], known["sensitivity"].iloc[-1])
        axes.step(across, up, where="post", color=HEALTHY, lw=2.0)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_xticks(list(rates), [rate(each) for each in rates])
        axes.set_xticks([], minor=True)
        unit_axis(axes, "y")
        axes.set_xlabel("wrong detections an image")
        axes.set_ylabel("sensitivity: share of the objects found")
        drawn = [(p, max(p.false_positives_per_image, low), p.recall) for p in points]
        marked = _points(axes, drawn)
        said = f"mean sensitivity {short(score)}" if score is not None else "no mean sensitivity"
        return sheet.picture(
            f"{title}: {said}. {marked}",
            f"Objects found at a price of wrong detections an image; {said} at the dotted rates."
            " Where there is none at all, the curve begins at the left edge.",
        )


def rate(wrong: float) -> str:
    """So many wrong detections an image, below one as a fraction."""
    return f"{wrong:g}" if wrong >= 1 else f"1/{round(1 / wrong)}"


def _points(axes: Axes, places: Sequence[tuple[Point, float, float]]) -> str:
    """Draw chosen thresholds and their legend, and say what they make."""
    for (point, x, y), colour, mark in zip(places, (INK, SICK), ("o", "D"), strict=False):
        style: dict[str, Any] = {"color": colour, "ms": 7.5, "mec": "white", "mew": 0.9}
        if math.isfinite(x) and math.isfinite(y):
            axes.plot(x, y, mark, label=point.name, zorder=5, **style)
    points = [point for point, _, _ in places]
    if any(math.isfinite(p.recall) and math.isfinite(p.precision) for p in points):
        axes.legend(loc="best", handlelength=1.2, title="threshold", alignment="left")
    return "; ".join(
        f"{p.name}: precision {p.precision:.2f}, recall {p.recall:.2f},"
        f" {p.false_positives_per_image:.2g} wrong detections an image"
        for p in points
    )


@dataclass(frozen=True)
class PlacesResults:
    """What `places_sections` shows.

    The noun is image or frame, what the net sees. Of `images` that were judged `holding` hold
    objects; `objects` are sought, `others` have boxes too. The first threshold of `figures` is the
    headline. Of the frames the first `by_lot` were drawn by lot, the others are those with the most
    errors. `unmarked` is the accuracy of marking nothing, in the table of covered boxes: the share
    of the boxes in positive frames that are not of the class sought; NaN where that is not known.
    """

    positive: str
    noun: str
    group_name: str
    images: int
    holding: int
    objects: int
    others: int
    folds: int
    figures: PlaceFigures
    frames: Sequence[MarkedFrame]
    by_lot: int
    remarks: Sequence[str] = ()
    unmarked: float = math.nan


def places_sections(results: PlacesResults) -> list[Section]:
    """Figures, curves and examples of detections, each section under its own heading."""
    figures, positive = results.figures, results.positive
    points = []
    for name, each in figures.thresholds.items():
        made = each.counts
        rates = made.precision, made.recall, made.false_positives_per_image
        points.append(Point(CHOSEN[name], *rates))
    froc = figures.froc
    curves = [
        precision_recall(figures.curve, points, figures.average_precision),
        froc_curve(froc.curve, points, list(froc.sensitivities), figures.froc_score),
    ]
    tables = [_at_thresholds(results), _over_all(results)]
    if figures.covered:
        tables.append(_covered(results))
    notes = [info(text) for text in _remarks(results)]
    shown = (
        f"True boxes of class {positive}, and the detections that the threshold from labels"
        f" alone calls. {_drawn(results)}"
    )
    title = "Detections held against boxes"
    return [
        Section(f"Detections of class {positive}", _lead(results), curves, tables, notes),
        Section(title, shown, [marked_frames(results.frames, title=title)]),
    ]


def _drawn(results: PlacesResults) -> str:
    """Which frames are shown."""
    noun, worst = results.noun, len(results.frames) - results.by_lot
    lot = f"by lot among the {noun}s with such boxes"
    if worst <= 0:
        return f"They were drawn {lot}."
    if not results.by_lot:
        return f"They are the {noun}s with the most errors."
    first = "The first one was" if results.by_lot == 1 else f"The first {results.by_lot} were"
    last = "the last one has" if worst == 1 else f"the last {worst} are those with"
    return f"{first} drawn {lot}, {last} the most errors."


def headline(results: PlacesResults) -> str:
    """Precision and recall in one sentence, for the notes above."""
    known = next(iter(results.figures.thresholds.values())).estimates
    boxes = f"{results.objects:,} box{'' if results.objects == 1 else 'es'}"
    precision, recall = (short(known[name]) for name in ("precision", "recall"))
    return (
        f"Detections of class {results.positive}, learnt from labels of {results.noun}s alone:"
        f" precision {precision}, recall {recall}, held against {boxes}."
    )


def _lead(results: PlacesResults) -> str:
    noun, positive = results.noun, results.positive
    return (
        f"{results.images:,} unseen {noun}s, {results.holding:,} of them with boxes of class"
        f" {positive}, {results.objects:,} in all. A detection is right where its peak lies in a"
        " box that no surer one has claimed; a second one in the same box is wrong, and so is one"
        f" on anything else. The net learnt from labels of whole {noun}s, and the first threshold"
        " too was chosen by these; boxes only measure."
    )


def _remarks(results: PlacesResults) -> list[str]:
    said = []
    if FROM_BOXES in results.figures.thresholds:
        said.append(
            "The second threshold is the one with the best F1 on boxes of validation"
            f" {results.noun}s: it shows what a few boxes would add, and is not used elsewhere."
        )
    if results.folds > 1:
        said.append(
            f"Each of the {results.folds} models has its own thresholds; curves go over calibrated"
            " log odds less those of the model's first threshold, so that one curve holds all of"
            " them. The second threshold need not lie on it."
        )
    return [*said, *results.remarks]


def _at_thresholds(results: PlacesResults) -> Table:
    thresholds = results.figures.thresholds
    counts = [each.counts for each in thresholds.values()]
    rows = [
        *(
            (said, *(short(each.estimates[name]) for each in thresholds.values()))
            for name, said in NAMES.items()
        ),
        ("right", *(f"{each.true_positives:,}" for each in counts)),
        ("wrong", *(f"{each.false_positives:,}" for each in counts)),
        ("missed", *(f"{each.false_negatives:,}" for each in counts)),
        (
            f"wrong ones {article(results.noun)}",
            *(f"{each.false_positives_per_image:.2f}" for each in counts),
        ),
    ]
    said = f"Detections by threshold; intervals resample whole {results.group_name}s"
    return Table(["threshold", *(CHOSEN[name] for name in thresholds)], rows, said)


def _over_all(results: PlacesResults) -> Table:
    figures = results.figures
    at = figures.froc.sensitivities
    rates = [f"{value:.2f}" if math.isfinite(value) else "" for value in at.values()]
    return Table(
        ["average precision", "mean sensitivity", *(f"at {rate(each)}" for each in at)],
        [(short(figures.average_precision), short(figures.froc_score), *rates)],
        f"Over all thresholds; sensitivity at so many wrong detections {article(results.noun)}",
        "r" * (2 + len(rates)),
    )


def _covered(results: PlacesResults) -> Table:
    known = {name: short(each) for name, each in results.figures.covered.items()}
    said = (
        "As Table 3 of Sailem et al.: a box is found where pixels of called detections cover at"
        f" least 90% of it; positive {results.noun}s only"
    )
    if "precision" in known:
        every = f"{results.others:,} in all {results.noun}s"
        said += f"; boxes of anything else, {every}, should not be"
        if not math.isfinite(results.figures.covered["precision"].value):
            # with nothing covered it is the share of the other boxes, and no merit
            known.pop("accuracy", None)
    if "accuracy" in known and math.isfinite(results.unmarked):
        bare = f"{results.unmarked:.2f}"
        known = {"accuracy": known.pop("accuracy"), "accuracy of marking nothing": bare} | known
    return Table(list(known), [tuple(known.values())], said, "r" * len(known))
