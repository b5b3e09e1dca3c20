"""Figures of scores: curves of probabilities, and rows of estimates, groups and verdicts."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from livewell.classes import ClassNames, p_of
from livewell.metrics.intervals import Estimate
from livewell.report.page import Picture
from livewell.report.style import (
    FAINT,
    HEALTHY,
    INK,
    SICK,
    UNSURE,
    VERDICT_LOOKS,
    Sheet,
    beside,
    class_colours,
    class_legend,
    class_look,
    cut,
    empty,
    name_rows,
    unit_axis,
    unit_square,
)
from livewell.report.trust import GUESSING
from livewell.report.vocabulary import PATCHES, Named, Vocabulary, has_interval, short
from livewell.text import sentence

MOST_ROWS = 48
"""More groups or images than this are shown in part, or as a summary; the caption says so."""
Floats = NDArray[np.float64]


def estimates(rows: Sequence[Named], title: str = "Metrics", *, guessing: bool = False) -> Picture:
    """Metrics with their 95% intervals, one row each; areas beside that of `guessing`."""
    means = (GUESSING, "guessing") if guessing else None
    return _forest(rows, [INK] * len(rows), "value and 95% interval", means, title)


def comparison(rows: Sequence[Named], metric: str = "AUC") -> Picture:
    """The net, which is the first row, against its baselines."""
    colours = [HEALTHY] + [UNSURE] * (len(rows) - 1)
    label, means = f"{metric} and 95% interval", (GUESSING, "guessing")
    return _forest(rows, colours, label, means, "Net and baselines")


def differences(rows: Sequence[Named], metric: str, reference: str) -> Picture:
    """How far models lie above a reference in one metric, on the same regions."""
    label, title = f"difference in {metric}, 95% interval", f"Difference in {metric} from"
    zero = (0.0, "no difference")
    return _forest(rows, [HEALTHY] * len(rows), label, zero, f"{title} {reference}")


def group_strip(
    table: pd.DataFrame, classes: ClassNames, *, words: Vocabulary = PATCHES
) -> Picture:
    """Every group: how many patches of each class, and how well they were told apart.

    One row a group: `group`, `patches`, `accuracy`, and of two classes `positives`, as
    `livewell.metrics.figures.per_group` makes it, of more ``true_<class>``, as
    `livewell.metrics.multiclass.class_groups` does.
    """
    title = f"accuracy by {words.group}"
    if table.empty:
        return empty(f"No {words.group} was tested.", title)
    caption = f"{words.regions.capitalize()} of every unseen {words.group}, and accuracy there."
    if len(table) > MOST_ROWS:
        caption += f" The {MOST_ROWS} lowest of {len(table)} are shown."
        table = table.sort_values("accuracy", na_position="last", kind="stable").head(MOST_ROWS)
    widths = [table[f"true_{name}"] for name in classes if not classes.binary]
    widths = widths or [table["patches"] - table["positives"], table["positives"]]
    legend, tall_legend = class_legend(classes, 8.0)
    tall = 0.9 + 0.24 * len(table) + (0 if classes.binary else tall_legend)
    with Sheet(8.0, tall, columns=2, ratios=(1, 1.6), share_y=True) as sheet:
        counts, values = sheet.panels
        rows, left = name_rows(counts, table["group"].astype(str).tolist()), np.zeros(len(table))
        for number, (name, width) in enumerate(zip(classes, widths, strict=True)):
            look = class_look(number)
            bars: dict[str, Any] = {"color": look.colour, "hatch": look.hatch, "label": name}
            counts.barh(rows, width.to_numpy(float), left=left, height=0.62, **bars)
            left += width.to_numpy(float)
        counts.set_xlabel(words.regions)
        if classes.binary:
            where: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2}
            counts.legend(handlelength=0.9, borderpad=0.1, **where)
        else:
            sheet.figure.legend(loc="outside upper left", **legend)
        value = table["accuracy"].to_numpy(float)
        values.scatter(value, rows, s=26, color=INK, zorder=3)
        _grid(values)
        unit_axis(values, "x")
        values.tick_params(axis="y", length=0)
        values.set_xlabel("accuracy")
        lowest = f", lowest {np.nanmin(value):.2f}" if np.isfinite(value).any() else ""
        return sheet.picture(f"{title}, {len(table)} rows{lowest}.", caption)


def verdict_strip(
    table: pd.DataFrame,
    threshold: float | None = None,
    band: tuple[float, float] | None = None,
    *,
    positive: str = "sick",
) -> Picture:
    """Verdict and probability of every image: one line an image, one mark a frame.

    Columns `image`, `t`, `p_sick`, `verdict`. More images than `MOST_ROWS` are drawn by rank.
    Threshold and band are those of whole images.
    """
    judged = table[table["p_sick"].notna()]
    title = f"{sentence(p_of(positive))} of every image"
    if judged.empty:
        return empty("No image had anything to judge.", title)
    images = list(dict.fromkeys(judged["image"].astype(str)))
    ranked = len(images) > MOST_ROWS
    of_p = f"{p_of(positive)} (calibrated)"
    with Sheet(8.0, 3.4 if ranked else 1.0 + 0.25 * len(images)) as sheet:
        axes = sheet.axes
        if band is not None:
            (axes.axhspan if ranked else axes.axvspan)(*band, color=UNSURE, alpha=0.2, lw=0)
        if threshold is not None:
            (axes.axhline if ranked else axes.axvline)(threshold, color=INK, lw=1, ls=(0, (4, 2)))
        if ranked:
            judged = judged.sort_values("p_sick", kind="stable")
            y = judged["p_sick"].to_numpy(float)
            x = np.arange(1, len(judged) + 1, dtype=float)
            unit_axis(axes, "y")
            axes.set(xlabel="images, sorted by probability", ylabel=of_p)
        else:
            line = dict(zip(images, name_rows(axes, [cut(name) for name in images]), strict=True))
            x = judged["p_sick"].to_numpy(float)
            y = judged["image"].astype(str).map(line).to_numpy(float)
            unit_axis(axes, "x")
            axes.set_xlabel(of_p)
            _grid(axes, "y")
        kinds = judged["verdict"].astype(str).to_numpy()
        counts = {kind: int((kinds == kind).sum()) for kind in dict.fromkeys(kinds)}
        for kind, count in counts.items():
            usual = (SICK if kind == positive else HEALTHY, "o")
            colour, mark = VERDICT_LOOKS.get(kind, usual)
            style: dict[str, Any] = {"color": colour, "marker": mark, "alpha": 0.9, "s": 34}
            style["edgecolors"] = "white" if mark != "x" else None
            mine, label = kinds == kind, f"{kind}, {count}"
            axes.scatter(x[mine], y[mine], linewidths=0.6, zorder=3, label=label, **style)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, handletextpad=0.2)
        said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        there = {"the threshold": threshold, "the unsure band": band}
        marks = " and ".join(name for name, mark in there.items() if mark is not None)
        return sheet.picture(f"{title}: {said}.", f"{title}{f', with {marks}' if marks else ''}.")


def _forest(
    rows: Sequence[Named],
    colours: Sequence[str],
    label: str,
    reference: tuple[float, str] | None,
    title: str,
) -> Picture:
    """Estimates in rows; `reference` is where a dashed line is drawn, and what it means."""
    if not rows:
        return empty("No metric was computed.", title)
    with Sheet(8.0, 0.75 + 0.3 * len(rows)) as sheet:
        axes = sheet.axes
        places = name_rows(axes, [cut(name) for name, _ in rows], 0.6)
        if reference is not None:
            axes.axvline(reference[0], color=UNSURE, lw=1, ls=(0, (4, 3)))
        for place, (_, estimate), colour in zip(places, rows, colours, strict=True):
            if has_interval(estimate):
                axes.hlines(place, estimate.low, estimate.high, color=colour, lw=2.2, alpha=0.55)
            axes.scatter(estimate.value, place, s=34, color=colour, zorder=3)
            beside(axes, place, short(estimate))
        ends = [v for _, e in rows for v in (e.value, e.low, e.high) if np.isfinite(v)]
        if all(0 <= v <= 1 for v in ends) and (reference is None or reference[0] > 0):
            unit_axis(axes, "x")
        _grid(axes)
        axes.set_xlabel(label)
        said = "; ".join(f"{name} {short(estimate)}" for name, estimate in rows)
        guess = "" if reference is None else "; the dashed line, {:g}, is {}".format(*reference)
        caption = f"{title} with 95% intervals{guess}."
        return sheet.picture(f"{title}: {said}.", caption, wide=True)


def _grid(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    axes.grid(axis=which, color=FAINT, lw=0.6, alpha=0.7)


def roc(
    y: ArrayLike,
    p: ArrayLike,
    group: ArrayLike | None = None,
    *,
    auc: Estimate | None = None,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Receiver operating characteristic, thin lines for groups that hold both classes.

    Rows with NaN are left out and counted. `auc` is computed without interval where not given.
    """
    truth, score, groups, dropped = _clean(y, p, group)
    title = "ROC curve, pooled"
    if not truth.any() or truth.all():
        return empty("Only one class was scored: no ROC curve.", title)
    area = short(auc) if auc is not None else f"{roc_auc_score(truth, score):.2f}"
    with Sheet(4.2, 4.2) as sheet:
        axes = sheet.axes
        unit_square(
            axes, "false positive rate (1 - specificity)", "true positive rate (sensitivity)"
        )
        named: str | None = f"each {words.group} with both classes"
        for name in [] if groups is None else pd.unique(groups):
            inside = groups == name
            if 0 < truth[inside].sum() < inside.sum():
                x, h, _ = roc_curve(truth[inside], score[inside])
                axes.plot(x, h, color=UNSURE, lw=0.8, alpha=0.55, label=named)
                named = None
        x, h, _ = roc_curve(truth, score)
        axes.plot(x, h, color=HEALTHY, lw=2.2, label=f"pooled, AUC {area}")
        axes.legend(loc="lower right", handlelength=1.4)
        return sheet.picture(
            f"{title}: area {area}.",
            f"ROC curve over {truth.size:,} {words.regions}; the dashed line is guessing.{dropped}",
        )


def score_histogram(
    y: ArrayLike,
    p: ArrayLike,
    classes: Sequence[str],
    threshold: float | None = None,
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """How the probabilities of the two classes lie on the scale from 0 to 1.

    From `threshold` on a patch is called positive.
    """
    truth, score, _, dropped = _clean(y, p, None)
    if not score.size:
        return empty(f"No {words.region} was scored.", "Histogram of probabilities")
    edges, means = np.linspace(0, 1, 26), []
    with Sheet(5.0, 3.4) as sheet:
        axes = sheet.axes
        for side, name, colour in zip((0, 1), classes, class_colours(2), strict=True):
            mine = score[truth == side]
            if mine.size:
                share = np.histogram(np.clip(mine, 0, 1), edges)[0] * (100 / mine.size)
                axes.stairs(share, edges, color=colour, fill=True, alpha=0.28)
                label = f"{name}, n = {mine.size:,}"
                axes.stairs(share, edges, color=colour, lw=1.6, label=label)
                means.append(f"{name} mean {mine.mean():.2f}")
        if threshold is not None and np.isfinite(threshold):
            label = f"threshold {threshold:.2f}"
            axes.axvline(threshold, color=INK, lw=1.1, ls=(0, (4, 2)), label=label)
        unit_axis(axes, "x", 0.0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(p_of(classes[1]))
        axes.set_ylabel(f"share of the class's {words.regions} (%)")
        above: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 1.16), "ncols": 4}
        axes.legend(handlelength=1.2, columnspacing=1.2, **above)
        return sheet.picture(
            f"Histogram of the {p_of(classes[1])} by true class: {', '.join(means)}.",
            f"{sentence(p_of(classes[1]))}, {words.regions} of either class.{dropped}",
            wide=True,
        )


def reliability(
    table: pd.DataFrame,
    positive: str | None = "sick",
    ece: float | None = None,
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Reliability diagram: what share really is positive where the net says p.

    One row a bin: `p` (mean probability), `observed` (share of positives), `patches`, and where
    known `low`, `high` (95% interval of `observed`), as `livewell.metrics.calibration` makes it.
    Bins without patches are skipped. `positive` is ``None`` where the table is of the most probable
    class of three or more.
    """
    table = table[(table["patches"] > 0) & table["observed"].notna() & table["p"].notna()]
    if table.empty:
        return empty(f"No {words.region} was scored.", "Reliability diagram")
    with Sheet(4.2, 4.2) as sheet:
        axes = sheet.axes
        unit_square(
            axes,
            f"probability of {positive or 'the top class'} according to the net",
            f"share that is {positive or 'of that class'}",
        )
        p, seen = table["p"].to_numpy(float), table["observed"].to_numpy(float)
        if {"low", "high"} <= set(table.columns):
            low, high = (table[name].astype(float) for name in ("low", "high"))
            axes.vlines(p, low, high, color=HEALTHY, lw=1.3, alpha=0.6)
        axes.plot(p, seen, color=HEALTHY, lw=1.2)
        size = 14 + 90 * np.sqrt(table["patches"].to_numpy(float) / table["patches"].max())
        axes.scatter(p, seen, s=size, color=HEALTHY, zorder=3, edgecolors="white", linewidths=0.8)
        error = f" Expected calibration error {ece:.3f}." if ece is not None else ""
        return sheet.picture(
            f"Reliability diagram with {len(table)} bins.{error}",
            "On the dashed line, probabilities mean what they say; larger dots hold more "
            f"{words.regions}.{error}",
        )


def _clean(
    y: ArrayLike, p: ArrayLike, group: ArrayLike | None
) -> tuple[NDArray[np.bool_], Floats, NDArray[Any] | None, str]:
    truth, score = np.asarray(y, dtype=float), np.asarray(p, dtype=float)
    groups = None if group is None else np.asarray(group, dtype=object)
    known = np.isfinite(truth) & np.isfinite(score)
    lost = int((~known).sum())
    said = f" Left out, for want of a score: {lost:,}." if lost else ""
    return truth[known] > 0.5, score[known], None if groups is None else groups[known], said
