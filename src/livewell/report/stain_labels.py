"""The page of labels by a stain: histograms with the mixture and its thresholds, and counts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import norm

from livewell.labels.mixture import Mixture
from livewell.labels.stain_decisions import BETWEEN, SATURATED, StainDecisions
from livewell.report.page import Note, Page, Picture, Section, Table, cell, info, warn
from livewell.report.results import PageResults
from livewell.report.style import INK, UNSURE, Sheet, class_look, cut, empty, log_axis, name_rows

MOST_SETS = 16
"""Most sets that are drawn, those of the most patches."""
AXES = {
    "mean": "stain (counts)",
    "ratio": "stain (times the background)",
    "log-ratio": "logarithm of the stain's ratio to the background",
}
"""What the axis of the stain is called, by what was decided on."""
OTHER_MARKS = {BETWEEN: "D", SATURATED: "+"}
"""Marks of outcomes that are no class; of others a cross."""
BINS = 60
DOTS = 1_500
"""Most patches of a set that are drawn one by one."""
FAR = 0.995
"""Quantile of the stain to which axes reach, where the mixture does not reach farther."""


@dataclass(frozen=True)
class StainLabelResults(PageResults):
    """What `stain_labels_page` shows; classes are (negative, positive), dark and bright.

    `mixtures` are by group, as in `livewell.labels.made.Labels`; `measure` is
    `livewell.labels.by_stain.Stain.on`; `warnings` are the notes of the labels.
    """

    classes: tuple[str, str]
    decisions: StainDecisions
    mixtures: Mapping[str, Mixture]
    measure: str = "ratio"
    warnings: Sequence[str] = ()


def stain_labels_page(results: StainLabelResults) -> Page:
    """How patches were labelled by their stain."""
    counts, (negative, positive) = results.decisions.counts().iloc[-1], results.classes
    of = results.decisions.of
    live, dead, between = (int(counts.get(name, 0)) for name in (negative, positive, BETWEEN))
    verdict = f"{dead:,} {of} are {positive}, {live:,} are {negative}"
    verdict += f"; {between:,} between the thresholds have no label."
    lead = f"{positive.capitalize()}: above mean - sd of the brighter component of the mixture;"
    lead += f" {negative}: below mean + sd of the darker one."
    return results.page(verdict, "info", _sections(results), _notes(results), lead=lead)


def _notes(results: StainLabelResults) -> Iterator[Note]:
    yield from (warn(text) for text in results.warnings)
    yield info(
        "Labels are what the stain says: cells that died without taking it up count as"
        f" {results.classes[0]}, and a patch is one label even where it holds cells of both kinds."
    )


def _sections(results: StainLabelResults) -> Iterator[Section]:
    counts = Table.of(results.decisions.counts())
    yield Section("Every step, counted", tables=[counts])
    pictures = [stain_histograms(results), stain_scatter(results)]
    yield Section("Stain and thresholds", pictures=pictures)
    yield Section("Mixtures", tables=[_mixtures(results)])


def _mixtures(results: StainLabelResults) -> Table:
    negative, positive = results.classes
    table, rows = results.decisions.table, []
    for group, fitted in results.mixtures.items():
        mine = table[table["fitted"] & (table["group"] == group)]
        numbers = (fitted.live_mean, fitted.live_sd, fitted.dead_mean, fitted.dead_sd)
        ends = (fitted.live_below, fitted.dead_above)
        text = [cell(value) for value in (*numbers, *ends)]
        share = f"{fitted.live_weight:.0%}"
        rows.append((group or "all", f"{len(mine):,}", share, *text, f"{fitted.bic_gain:.0f}"))
    columns = ["group", "fitted on", f"share {negative}", f"mean {negative}", "sd"]
    columns += [f"mean {positive}", "sd", f"{negative} below", f"{positive} above", "BIC gain"]
    caption = "Two normal distributions of the stain. BIC gain: better than one by so much."
    return Table(columns, rows, caption)


def stain_histograms(results: StainLabelResults) -> Picture:
    """The stain of every set with mixture and thresholds (Pattarone et al. 2021, figure 3a)."""
    parts = _drawn(results)
    if not parts:
        return empty("No patch was measured.", "Histograms of the stain")
    with Sheet(8.4, 0.5 + 1.9 * len(parts), rows=len(parts)) as sheet:
        for axes, (name, part) in zip(sheet.panels, parts, strict=True):
            _histogram(axes, part, results)
            text = f"{cut(name)}: {len(part):,} {results.decisions.of}"
            axes.set_title(_named(part, results, text), fontsize=9.5)
            axes.set_ylabel(results.decisions.of)
        sheet.panels[-1].set_xlabel(AXES[results.measure])
        sheet.panels[0].legend(loc="upper right", handlelength=1.4)
        caption = (
            "Stain of every set. Where the mixture was fitted, its components and their sum are"
            " drawn; the dashed lines are the thresholds. The last bar holds what lies beyond."
        )
        return sheet.picture(f"Histograms of the stain in {len(parts)} sets.", caption, wide=True)


def _named(part: pd.DataFrame, results: StainLabelResults, text: str) -> str:
    shares = part["outcome"].value_counts(normalize=True)
    said = [f"{shares.get(name, 0):.0%} {name}" for name in results.classes]
    return f"{text}, {', '.join(said)}"


def _histogram(axes: Axes, part: pd.DataFrame, results: StainLabelResults) -> None:
    values = part["stain"].to_numpy(float)
    group = part["group"].iloc[0]
    fitted = results.mixtures.get(group)
    low, high = _reach(values, fitted)
    edges = np.linspace(low, high, BINS + 1)
    counts = np.histogram(np.clip(values, low, high), edges)[0]
    axes.stairs(counts, edges, color=UNSURE, fill=True, alpha=0.45, label="measured")
    if fitted is None:
        return
    if part["fitted"].any():
        _curves(axes, edges, int(part["fitted"].sum()), fitted, results.classes)
    for at, number in ((fitted.live_below, 0), (fitted.dead_above, 1)):
        axes.axvline(at, color=class_look(number).colour, lw=1.2, ls=(0, (4, 2)))
    axes.set_ylim(0, 1.15 * counts.max())


def _curves(
    axes: Axes, edges: NDArray[Any], number: int, fitted: Mixture, classes: tuple[str, str]
) -> None:
    """Both components and their sum, as so many patches a bar."""
    at = np.linspace(edges[0], edges[-1], 400)
    scale = number * (edges[1] - edges[0])
    live = scale * fitted.live_weight * norm.pdf(at, fitted.live_mean, fitted.live_sd)
    dead = scale * (1 - fitted.live_weight) * norm.pdf(at, fitted.dead_mean, fitted.dead_sd)
    axes.plot(at, live + dead, color=INK, lw=2.4, alpha=0.35, label="sum")
    for code, curve in enumerate((live, dead)):
        look = class_look(code)
        axes.plot(at, curve, color=look.colour, lw=1.4, ls=look.dash, label=classes[code])


def stain_scatter(results: StainLabelResults) -> Picture:
    """How every patch was decided (Pattarone et al. 2021, figure 3b), one row a set."""
    parts = _drawn(results)
    if not parts:
        return empty("No patch was measured.", "Patches by their stain")
    high = max(_reach(part["stain"].to_numpy(float), None)[1] for _, part in parts)
    rng = np.random.default_rng(0)
    looks = [*_other_looks(parts, results.classes), *_class_looks(results.classes)]
    with Sheet(8.4, 1.0 + 0.62 * len(parts)) as sheet:
        rows = name_rows(sheet.axes, [cut(name, 28) for name, _ in parts])
        for row, (_, part) in zip(rows, parts, strict=True):
            part = part.sample(min(DOTS, len(part)), random_state=0)
            heights = row + rng.uniform(-0.32, 0.32, len(part))
            for name, colour, mark in looks:
                mine = (part["outcome"] == name).to_numpy()
                at = np.minimum(part["stain"].to_numpy(float)[mine], high)
                style: dict[str, Any] = {"color": colour, "marker": mark, "alpha": 0.5}
                sheet.axes.scatter(at, heights[mine], s=7, **style)
        sheet.axes.set_xlabel(AXES[results.measure])
        if min(part["stain"].min() for _, part in parts) > 0:
            log_axis(sheet.axes)
        for name, colour, mark in looks:
            sheet.axes.scatter([], [], color=colour, marker=mark, s=14, label=name)
        above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 3}
        sheet.axes.legend(handletextpad=0.2, columnspacing=1.2, **above)
        caption = (
            f"One dot each, at most {DOTS:,} a set, drawn at random; heights mean nothing. What is"
            " brighter than nearly all others stands at the edge."
        )
        alt = f"{results.decisions.of.capitalize()} by their stain, in the colour of their class."
        return sheet.png(alt, caption, 130, wide=True)


def _other_looks(
    parts: Sequence[tuple[str, pd.DataFrame]], classes: tuple[str, str]
) -> list[tuple[str, str, str]]:
    """Name, colour and mark of the outcomes that are no class."""
    met = {name for _, part in parts for name in part["outcome"].unique()} - set(classes)
    return [(name, UNSURE, OTHER_MARKS.get(name, "x")) for name in sorted(met)]


def _class_looks(classes: tuple[str, str]) -> list[tuple[str, str, str]]:
    looks = [class_look(number) for number in (0, 1)]
    return [(name, look.colour, look.mark) for name, look in zip(classes, looks, strict=True)]


def _drawn(results: StainLabelResults) -> list[tuple[str, pd.DataFrame]]:
    """The sets with a measured patch, at most `MOST_SETS`, in the order of their names."""
    table = results.decisions.table
    known = table[table["stain"].notna()]
    most = known["set"].value_counts().index[:MOST_SETS]
    return [(str(name), part) for name, part in known.groupby("set") if name in most]


def _reach(values: NDArray[Any], fitted: Mixture | None) -> tuple[float, float]:
    """Ends of the axis: from the least to nearly all, and to what the mixture says."""
    low, high = float(values.min()), float(np.quantile(values, FAR))
    if fitted is not None:
        high = max(high, min(fitted.dead_mean + 3 * fitted.dead_sd, float(values.max())))
    return low, high if high > low else low + 1
