"""Figures of rows: estimates with intervals, groups one by one, verdicts one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from livewell.classes import ClassNames
from livewell.report.estimate import EstimateLike, has_interval, metric_name, short
from livewell.report.page import Picture
from livewell.report.style import (
    FAINT,
    HEALTHY,
    INK,
    SICK,
    UNSURE,
    VERDICT_COLOURS,
    VERDICT_MARKS,
    Sheet,
    class_legend,
    class_look,
    cut,
    empty,
    unit_axis,
)
from livewell.report.vocabulary import PATCHES, Vocabulary

Named = tuple[str, EstimateLike]
MOST_ROWS = 48
"""More groups or pictures than this are shown in part, or as a summary; the caption says so."""


def estimates(rows: Sequence[Named], reference: float | None = None) -> Picture:
    """Metrics with their 95% intervals, one row each; `reference` means guessing, a dashed line."""
    return _forest(rows, [INK] * len(rows), "value and 95% interval", reference, "Metrics")


def comparison(
    rows: Sequence[Named], metric: str = "AUC", reference: float | None = 0.5
) -> Picture:
    """The net, which is the first row, against its baselines."""
    colours = [HEALTHY] + [UNSURE] * (len(rows) - 1)
    return _forest(rows, colours, f"{metric} and 95% interval", reference, "Net and baselines")


def group_strip(
    table: pd.DataFrame,
    classes: ClassNames,
    *,
    metric: str = "accuracy",
    words: Vocabulary = PATCHES,
) -> Picture:
    """Every group: how many patches of each class, and how well they were told apart.

    One row a group: `group`, `patches`, the column `metric`, where known `low` and `high` (95%
    interval), and of two classes `positives`, as `livewell.metrics.figures.per_group` makes it, of
    more ``true_<class>``, as `livewell.metrics.multiclass.class_groups` does.
    """
    shown = metric_name(metric, words.group)
    title = f"{shown} by {words.group}"
    if table.empty:
        return empty(f"No {words.group} was tested.", title)
    caption = f"{words.regions.capitalize()} of every unseen {words.group}, and {shown} there."
    if len(table) > MOST_ROWS:
        caption += f" The {MOST_ROWS} lowest of {len(table)} are shown."
        table = table.sort_values(metric, na_position="last", kind="stable").head(MOST_ROWS)
    legend, tall_legend = class_legend(classes, 8.0)
    tall = 0.9 + 0.24 * len(table) + (0 if classes.binary else tall_legend)
    with Sheet(8.0, tall, columns=2, ratios=(1, 1.6), share_y=True) as sheet:
        counts, values = sheet.panels
        rows = np.arange(len(table))[::-1]
        left = np.zeros(len(table))
        for number, (name, width) in enumerate(zip(classes, _widths(table, classes), strict=True)):
            look = class_look(number)
            bars: dict[str, Any] = {"color": look.colour, "hatch": look.hatch, "label": name}
            counts.barh(rows, width, left=left, height=0.62, **bars)
            left += width
        counts.set_yticks(rows, [str(name) for name in table["group"]])
        counts.tick_params(axis="y", length=0)
        counts.set_xlabel(words.regions)
        counts.set_ylim(-0.7, len(table) - 0.3)
        if classes.binary:
            where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2}
            counts.legend(handlelength=0.9, borderpad=0.1, **where)
        else:
            sheet.figure.legend(loc="outside upper left", **legend)
        value = table[metric].to_numpy(float)
        if {"low", "high"} <= set(table.columns):
            values.hlines(
                rows, table["low"].astype(float), table["high"].astype(float), color=UNSURE, lw=1.4
            )
        values.scatter(value, rows, s=26, color=INK, zorder=3)
        _grid(values)
        unit_axis(values, "x")
        values.tick_params(axis="y", length=0)
        values.set_xlabel(f"{shown}, with 95% interval" if "low" in table else shown)
        low = f", lowest {np.nanmin(value):.2f}" if np.isfinite(value).any() else ""
        return sheet.picture(f"{title}, {len(table)} rows{low}.", caption)


def _widths(table: pd.DataFrame, classes: ClassNames) -> list[NDArray[np.float64]]:
    """Patches of each class in every group."""
    if not classes.binary:
        return [table[f"true_{name}"].to_numpy(float) for name in classes]
    positives = table["positives"].to_numpy(float)
    return [table["patches"].to_numpy(float) - positives, positives]


def verdict_strip(
    table: pd.DataFrame,
    threshold: float | None = None,
    band: tuple[float, float] | None = None,
    *,
    positive: str = "sick",
) -> Picture:
    """Verdict and probability of every picture: one line an image, one mark a frame.

    Columns `image`, `t`, `p_sick`, `verdict`. More images than `MOST_ROWS` are drawn by rank.
    Threshold and band are those of whole pictures.
    """
    judged = table[table["p_sick"].notna()]
    title = f'Probability of "{positive}" of every picture'
    if judged.empty:
        return empty("No picture had anything to judge.", title)
    images = list(dict.fromkeys(judged["image"].astype(str)))
    ranked = len(images) > MOST_ROWS
    with Sheet(8.0, 3.4 if ranked else 1.0 + 0.25 * len(images)) as sheet:
        axes = sheet.axes
        if ranked:
            judged = judged.sort_values("p_sick", kind="stable")
            across = np.arange(1, len(judged) + 1, dtype=float)
        else:
            line = {name: len(images) - 1 - i for i, name in enumerate(images)}
            across = judged["image"].astype(str).map(line).to_numpy(float)
        if band is not None:
            (axes.axhspan if ranked else axes.axvspan)(*band, color=UNSURE, alpha=0.2, lw=0)
        if threshold is not None:
            (axes.axhline if ranked else axes.axvline)(threshold, color=INK, lw=1, ls=(0, (4, 2)))
        p = judged["p_sick"].to_numpy(float)
        kinds = judged["verdict"].astype(str).to_numpy()
        for kind in dict.fromkeys(kinds):
            mine = kinds == kind
            x, y = (across, p) if ranked else (p, across)
            colour = VERDICT_COLOURS.get(kind, _colour(kind, positive))
            axes.scatter(
                x[mine],
                y[mine],
                s=34,
                color=colour,
                alpha=0.9,
                linewidths=0.6,
                marker=VERDICT_MARKS.get(kind, "o"),
                zorder=3,
                edgecolors="white" if kind != "nothing to judge" else None,
                label=f"{kind}, {mine.sum()}",
            )
        unit_axis(axes, "y" if ranked else "x")
        (axes.set_ylabel if ranked else axes.set_xlabel)(f"probability of {positive} (calibrated)")
        if ranked:
            axes.set_xlabel("pictures, sorted by probability")
        else:
            axes.set_yticks(range(len(images)), [cut(name) for name in reversed(images)])
            axes.set_ylim(-0.7, len(images) - 0.3)
            axes.tick_params(axis="y", length=0)
            _grid(axes, rows=True)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, handletextpad=0.2)
        said = [f"{(kinds == kind).sum()} {kind}" for kind in dict.fromkeys(kinds)]
        marks = [
            name
            for name, there in (("the threshold", threshold), ("the unsure band", band))
            if there is not None
        ]
        return sheet.picture(
            f"{title}: {', '.join(said)}.",
            f"{title}" + (f", with {' and '.join(marks)}." if marks else "."),
        )


def _colour(kind: str, positive: str) -> str:
    return SICK if kind == positive else HEALTHY


def _forest(
    rows: Sequence[Named], colours: Sequence[str], label: str, reference: float | None, title: str
) -> Picture:
    if not rows:
        return empty("No metric was computed.", title)
    with Sheet(8.0, 0.75 + 0.3 * len(rows)) as sheet:
        axes = sheet.axes
        places = np.arange(len(rows))[::-1]
        if reference is not None:
            axes.axvline(reference, color=UNSURE, lw=1, ls=(0, (4, 3)))
        for place, (_, estimate), colour in zip(places, rows, colours, strict=True):
            if has_interval(estimate):
                axes.hlines(place, estimate.low, estimate.high, color=colour, lw=2.2, alpha=0.55)
            axes.scatter(estimate.value, place, s=34, color=colour, zorder=3)
            axes.annotate(
                short(estimate),
                (1, place),
                (8, 0),
                va="center",
                textcoords="offset points",
                xycoords=("axes fraction", "data"),
                annotation_clip=False,
            )
        axes.set_yticks(places, [cut(name) for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        ends = [v for _, e in rows for v in (e.value, e.low, e.high) if np.isfinite(v)]
        if all(0 <= v <= 1 for v in ends):
            unit_axis(axes, "x")
        _grid(axes)
        axes.set_xlabel(label)
        said = "; ".join(f"{name} {short(estimate)}" for name, estimate in rows)
        guess = "" if reference is None else f"; the dashed line, {reference:g}, is guessing"
        return sheet.picture(f"{title}: {said}.", f"{title} with 95% intervals{guess}.")


def _grid(axes: Axes, *, rows: bool = False) -> None:
    axes.grid(axis="y" if rows else "x", color=FAINT, lw=0.6, alpha=0.7)
