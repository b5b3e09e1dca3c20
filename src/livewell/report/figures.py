"""Figures of rows: estimates with intervals, groups one by one, verdicts one by one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from livewell.report.estimate import METRIC_NAMES, EstimateLike, has_interval, short
from livewell.report.page import Picture
from livewell.report.style import (
    CLASS_COLOURS,
    FAINT,
    HEALTHY,
    INK,
    UNSURE,
    VERDICT_COLOURS,
    VERDICT_MARKS,
    Sheet,
    empty,
    unit_axis,
)

Named = tuple[str, EstimateLike]
MOST_ROWS = 48
"""More groups or pictures than this are shown in part, or as a summary; the caption says so."""


def estimates(rows: Sequence[Named], reference: float | None = None) -> Picture:
    """Metrics with their 95% intervals, one row each.

    Parameters
    ----------
    rows
        Name and estimate, from top to bottom; estimates that are NaN are said to be undefined.
    reference
        Value that means guessing, as a dashed line.
    """
    return _forest(rows, [INK] * len(rows), "value and 95% interval", reference, "Metrics")


def comparison(
    rows: Sequence[Named], metric: str = "AUC", reference: float | None = 0.5
) -> Picture:
    """The net, which is the first row, against its baselines.

    Parameters
    ----------
    rows
        Name and estimate of `metric`, the net first.
    metric, reference
        Name of the metric, and the value that means guessing.
    """
    colours = [HEALTHY] + [UNSURE] * (len(rows) - 1)
    return _forest(rows, colours, f"{metric} and 95% interval", reference, "Net and baselines")


def group_strip(
    table: pd.DataFrame,
    classes: tuple[str, str],
    *,
    metric: str = "accuracy",
    group_name: str = "group",
) -> Picture:
    """Every group: how many patches of either class, and how well they were told apart.

    Parameters
    ----------
    table
        One row a group: `group`, `patches`, `positives`, the column `metric`, and where known `low`
        and `high` (95% interval), as `livewell.metrics.figures.per_group` makes it.
    classes
        Names of (negative, positive).
    metric
        Column to show: accuracy, auc ...
    group_name
        What a group is.
    """
    shown = METRIC_NAMES.get(metric, metric)
    title = f"{shown} by {group_name}"
    if table.empty:
        return empty(f"No {group_name} was tested.", title)
    caption = f"Patches of every unseen {group_name}, and {shown} there."
    if len(table) > MOST_ROWS:
        caption += f" The {MOST_ROWS} lowest of {len(table)} are shown."
        table = table.sort_values(metric, na_position="last", kind="stable").head(MOST_ROWS)
    with Sheet(8.0, 0.9 + 0.24 * len(table), columns=2, ratios=(1, 1.6), share_y=True) as sheet:
        counts, values = sheet.panels
        rows = np.arange(len(table))[::-1]
        left = np.zeros(len(table))
        positives = table["positives"].to_numpy(float)
        widths = (table["patches"].to_numpy(float) - positives, positives)
        for name, width, colour in zip(classes, widths, CLASS_COLOURS, strict=True):
            counts.barh(rows, width, left=left, height=0.62, color=colour, label=name)
            left += width
        counts.set_yticks(rows, [str(name) for name in table["group"]])
        counts.tick_params(axis="y", length=0)
        counts.set_xlabel("patches")
        counts.set_ylim(-0.7, len(table) - 0.3)
        counts.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handlelength=0.9, borderpad=0.1
        )
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


def verdict_strip(
    table: pd.DataFrame,
    threshold: float | None = None,
    band: tuple[float, float] | None = None,
    *,
    positive: str = "sick",
) -> Picture:
    """Verdict and probability of every picture: one line an image, one mark a frame.

    Parameters
    ----------
    table
        Columns `image`, `t`, `p_sick`, `verdict`. More images than `MOST_ROWS` are drawn by rank.
    threshold, band
        As in `livewell.report.curves.score_histogram`, for whole pictures.
    positive
        Name of the positive class.
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
            axes.set_yticks(range(len(images)), [_cut(name) for name in reversed(images)])
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
    return CLASS_COLOURS[1] if kind == positive else CLASS_COLOURS[0]


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
        axes.set_yticks(places, [_cut(name) for name, _ in rows])
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


def _cut(name: str, most: int = 44) -> str:
    return name if len(name) <= most else f"{name[: most // 2]}...{name[-most // 2 + 3 :]}"
