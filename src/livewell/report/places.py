"""How well places are found, for the page of an evaluation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from livewell.detection.places import FROM_BOXES, FROM_LABELS, AtThreshold, PlaceFigures
from livewell.files import article
from livewell.report.detection import Point, froc_curve, precision_recall
from livewell.report.estimate import short
from livewell.report.marked import MarkedFrame, marked_frames
from livewell.report.page import Note, Section, Table

NAMES = {"precision": "precision", "recall": "recall", "f1": "F1"}
"""Figures at one threshold, by their names in `livewell.detection.places`."""
CHOSEN = {FROM_LABELS: "from labels alone", FROM_BOXES: "from validation boxes"}
"""How thresholds were chosen, in words."""


@dataclass(frozen=True)
class PlacesResults:
    """What `places_sections` shows.

    The noun is image or frame, what the net sees. Of `images` that were judged `holding` hold
    objects; `objects` are sought, `others` have boxes too. The first threshold of `figures` is the
    headline. Of the frames the first `by_lot` were drawn by lot (``None``: not known how many), the
    others are those with the most errors. `unmarked` is the accuracy of marking nothing, in the
    table of covered boxes: the share of the boxes in positive frames that are not of the class
    sought; NaN where that is not known.
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
    remarks: Sequence[str] = ()
    by_lot: int | None = None
    unmarked: float = math.nan


def places_sections(results: PlacesResults) -> list[Section]:
    """Figures, curves and examples of places, each section under its own heading."""
    figures = results.figures
    points = [_point(CHOSEN[name], each) for name, each in figures.thresholds.items()]
    curves = [
        precision_recall(figures.curve, points, figures.average_precision),
        froc_curve(
            figures.froc.curve, points, list(figures.froc.sensitivities), figures.froc_score
        ),
    ]
    tables = [_at_thresholds(results), _over_all(results)]
    if figures.covered:
        tables.append(_covered(results))
    shown = (
        f"True boxes of class {results.positive}, and the places that the threshold from labels"
        f" alone calls. {_drawn(results)}"
    )
    return [
        Section(
            f"Places of class {results.positive}",
            _lead(results),
            curves,
            tables,
            [Note("info", text) for text in _remarks(results)],
        ),
        Section(
            "Places held against boxes",
            shown,
            [marked_frames(results.frames, title="Places held against boxes")],
        ),
    ]


def _drawn(results: PlacesResults) -> str:
    """Which frames are shown."""
    noun, many = results.noun, len(results.frames)
    lot = f"by lot among the {noun}s with such boxes"
    if results.by_lot is None:
        return f"Some were drawn {lot}, the last ones are those with the most errors."
    worst = many - results.by_lot
    if worst <= 0:
        return f"They were drawn {lot}."
    last = "the last one has" if worst == 1 else f"the last {worst} are those with"
    if not results.by_lot:
        return f"They are the {noun}s with the most errors."
    first = "The first one was" if results.by_lot == 1 else f"The first {results.by_lot} were"
    return f"{first} drawn {lot}, {last} the most errors."


def _point(name: str, at: AtThreshold) -> Point:
    counts = at.counts
    return Point(name, counts.precision, counts.recall, counts.false_positives_per_image)


def headline(results: PlacesResults) -> str:
    """Precision and recall in one sentence, for the notes above."""
    known = next(iter(results.figures.thresholds.values())).estimates
    boxes = f"{results.objects:,} box{'' if results.objects == 1 else 'es'}"
    precision, recall = (short(known[name]) for name in ("precision", "recall"))
    return (
        f"Places of class {results.positive}, learnt from labels of {results.noun}s alone:"
        f" precision {precision}, recall {recall}, held against {boxes}."
    )


def _lead(results: PlacesResults) -> str:
    noun, positive = results.noun, results.positive
    return (
        f"{results.images:,} unseen {noun}s, {results.holding:,} of them with boxes of class"
        f" {positive}, {results.objects:,} in all. A place is right where its peak lies in a box"
        " that no surer one has claimed; a second one in the same box is wrong, and so is one on"
        f" anything else. The net learnt from labels of whole {noun}s, and the first threshold too"
        " was chosen by these; boxes only measure."
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
    rows = [
        (said, *(short(each.estimates[name]) for each in thresholds.values()))
        for name, said in NAMES.items()
    ]
    counts = [each.counts for each in thresholds.values()]
    rows += [
        ("right", *(f"{each.true_positives:,}" for each in counts)),
        ("wrong", *(f"{each.false_positives:,}" for each in counts)),
        ("missed", *(f"{each.false_negatives:,}" for each in counts)),
        (
            f"wrong ones {article(results.noun)}",
            *(f"{each.false_positives_per_image:.2f}" for each in counts),
        ),
    ]
    said = f"Places by threshold; intervals resample whole {results.group_name}s"
    return Table(
        ["threshold", *(CHOSEN[name] for name in thresholds)],
        rows,
        said,
        "l" + "r" * len(thresholds),
    )


def _over_all(results: PlacesResults) -> Table:
    figures = results.figures
    at = figures.froc.sensitivities
    rates = [f"{value:.2f}" if math.isfinite(value) else "" for value in at.values()]
    return Table(
        ["average precision", "mean sensitivity", *(f"at {_rate(rate)}" for rate in at)],
        [(short(figures.average_precision), short(figures.froc_score), *rates)],
        f"Over all thresholds; sensitivity at so many wrong places {article(results.noun)}",
        "r" * (2 + len(rates)),
    )


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate >= 1 else f"1/{round(1 / rate)}"


def _covered(results: PlacesResults) -> Table:
    known = {name: short(each) for name, each in results.figures.covered.items()}
    said = (
        "As Table 3 of Sailem et al.: a box is found where pixels of called places cover at least"
        f" 90% of it; positive {results.noun}s only"
    )
    if "precision" in known:
        said += (
            f"; boxes of anything else, {results.others:,} in all {results.noun}s, should not be"
        )
    if "precision" in known and not math.isfinite(results.figures.covered["precision"].value):
        # with nothing covered it is the share of the other boxes, and no merit
        known.pop("accuracy", None)
    if "accuracy" in known and math.isfinite(results.unmarked):
        bare = f"{results.unmarked:.2f}"
        known = {"accuracy": known.pop("accuracy"), "accuracy of marking nothing": bare} | known
    return Table(list(known), [tuple(known.values())], said, "r" * len(known))
