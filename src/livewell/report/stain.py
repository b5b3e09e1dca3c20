"""Whether scores of unseen regions go with a death stain that the net never saw."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import logit

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.inference.evaluation_set import EvaluationSet
from livewell.labels.by_stain import ROUTE
from livewell.metrics.correlation import correlation
from livewell.metrics.intervals import Estimate
from livewell.metrics.outcomes import Outcomes, outcomes
from livewell.report.evaluation import words_of
from livewell.report.page import Note, Picture, Section, Table, bad, info
from livewell.report.style import Sheet, class_look, log_axis, unit_axis
from livewell.report.vocabulary import PATCHES, Vocabulary, short
from livewell.study.pixels import StudyPixels
from livewell.study.scale import channel_names
from livewell.tables.results import write_csv
from livewell.tables.schemas import KEY, regions_of

STAIN_FILE = "stain.csv"
NEAR_CERTAIN = 1e-12
"""Probabilities nearer to 0 or 1 than this are drawn, and correlated, at this distance."""
DECADES = 20
"""A stain whose brightest region is so many times its darkest is drawn on a logarithmic axis."""
DPI = 160


@dataclass(frozen=True, slots=True)
class StainCheck:
    """What is known of scores and a stain, for tables, JSON and the page; empty where not asked.

    `regions` has `schemas.KEY`, group, label, stain (mean, grey levels), p (of the sought class)
    and log_odds of it; `figures` are Pearson's r of p and of log_odds with the stain, pooled
    (``pearson_p``) and within groups (``pearson_p_within``).
    """

    regions: pd.DataFrame | None = None
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    notes: tuple[Note, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Figures as plain values."""
        return {name: asdict(figure) for name, figure in self.figures.items()}

    def write(self, folder: Path) -> None:
        """Write `STAIN_FILE`, where a stain was asked for."""
        if self.regions is not None:
            write_csv(folder / STAIN_FILE, self.regions)


def stain_check(
    tested: EvaluationSet,
    scores: pd.DataFrame,
    channel: str | None,
    *,
    seed: int,
) -> StainCheck:
    """Correlate the scores of regions with the mean of a stain's channel in them.

    Nothing where no channel is named. Of three or more classes one has to be sought. The seed is of
    resampling.

    Notes
    -----
    Source: Pattarone et al. 2021, Pearson's r of the score with the mean propidium iodide.
    """
    if channel is None:
        return StainCheck()
    table = outcomes(scores, tested.classes)
    stain = StudyPixels(tested.study, channel).means(regions_of(table))
    certain = table["p"].clip(NEAR_CERTAIN, 1 - NEAR_CERTAIN)
    measured = table[[*KEY, "group", "label", "p"]].assign(stain=stain, log_odds=logit(certain))
    data = Outcomes.of(table)
    found = {
        name: correlation(data, stain, measured[name], seed=seed) for name in ("p", "log_odds")
    }
    figures = {f"pearson_{name}": each.pooled for name, each in found.items()}
    figures |= {f"pearson_{name}_within": each.within for name, each in found.items()}
    section = _section(measured, figures, channel, tested)
    return StainCheck(measured, figures, (section,), tuple(_notes(tested, channel)))


def check_stain(tested: EvaluationSet, channel: str | None) -> None:
    """Refuse a channel that the images lack, or classes of which none is sought, before work."""
    if channel is None:
        return
    channel_names(tested.study, tested.patches["image"], channel)
    if tested.classes.positive is None:
        raise SpecError(
            "no class is sought whose probability could go with a stain",
            where="--stain",
            expected="labels with a positive class",
            got=str(tested.classes),
            remedy="label with --positive, or merge the classes into two",
        )


def stain_scatter(
    stain: ArrayLike,
    scores: Mapping[str, ArrayLike],
    label: ArrayLike,
    classes: ClassNames,
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Scores over the mean stain, one panel a score by the name of its axis, a mark a region."""
    x, labels = np.asarray(stain, dtype=float), np.asarray(label, dtype=str)
    wide = x.min() > 0 and x.max() > DECADES * x.min()
    order = np.random.default_rng(0).permutation(len(x))
    with Sheet(9.0, 4.0, columns=len(scores)) as sheet:
        for axes, (name, values) in zip(sheet.panels, scores.items(), strict=True):
            y = np.asarray(values, dtype=float)
            for code, each in enumerate(classes):
                mine, look = order[labels[order] == each], class_look(code)
                style: dict[str, Any] = {"color": look.colour, "marker": look.mark, "s": 12}
                axes.scatter(x[mine], y[mine], alpha=0.45, lw=0, label=each, **style)
            if wide:
                log_axis(axes)
            axes.set(xlabel="mean stain (grey levels)", ylabel=name)
            if ((y >= 0) & (y <= 1)).all():
                unit_axis(axes, "y")
        where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3}
        sheet.axes.legend(handletextpad=0.2, borderpad=0.1, **where)
        alt = f"Scores of {len(x):,} unseen {words.regions} over the mean stain in them."
        said = (
            f"{alt} The axis is logarithmic; r is of the grey levels themselves." if wide else alt
        )
        return sheet.png(alt, said, DPI, wide=True)


def _section(
    measured: pd.DataFrame, figures: Mapping[str, Estimate], channel: str, tested: EvaluationSet
) -> Section:
    words, positive = words_of(tested), tested.classes.positive
    named = {"p": f"probability of {positive}", "log_odds": f"log odds of {positive}"}
    rows = [
        (text, short(figures[f"pearson_{name}"]), short(figures[f"pearson_{name}_within"]))
        for name, text in named.items()
    ]
    panels = {text: measured[name] for name, text in named.items()}
    stain, label = measured["stain"], measured["label"]
    return Section(
        f"Against the stain {channel}",
        f"The mean stain in each {words.region} and what the net, which did not see it, said of the"
        f" {words.region}. r within one {words.group} is of the distances from its means. Intervals"
        f" resample whole {words.groups}.",
        [stain_scatter(stain, panels, label, tested.classes, words=words)],
        [Table(("score", "Pearson r", f"r within one {words.group}"), rows)],
    )


def _notes(tested: EvaluationSet, channel: str) -> list[Note]:
    """What makes the correlation say less than it seems to."""
    seen = channel_names(tested.study, tested.patches["image"], channel)
    notes = []
    if set(seen) & set(tested.meta.channels):
        notes.append(bad(f"The net sees {channel}: that its scores go with it shows nothing."))
    if tested.meta.label_meta.origin.route == ROUTE:
        notes.append(
            info(
                f"Labels were made from a stain, without what lies between its thresholds: the"
                f" correlation with {channel} is stronger than over all regions."
            )
        )
    return notes
