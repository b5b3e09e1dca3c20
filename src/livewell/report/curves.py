"""Curves of a classifier: ROC, probabilities, reliability."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from livewell.report.estimate import EstimateLike, short
from livewell.report.page import Picture
from livewell.report.style import (
    FAINT,
    HEALTHY,
    INK,
    UNSURE,
    Sheet,
    class_colours,
    empty,
    unit_axis,
)
from livewell.report.vocabulary import PATCHES, Vocabulary

Floats = NDArray[np.float64]


def roc(
    y: ArrayLike,
    p: ArrayLike,
    group: ArrayLike | None = None,
    *,
    label: str = "pooled",
    auc: EstimateLike | None = None,
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Receiver operating characteristic, thin lines for groups that hold both classes.

    Rows with NaN are left out and counted. `auc` is computed without interval where not given;
    `band` is ``(false positive rate, low, high)``, 95%.
    """
    truth, score, groups, dropped = _clean(y, p, group)
    title = f"ROC curve, {label}"
    if not truth.any() or truth.all():
        return empty("Only one class was scored: no ROC curve.", title)
    area = short(auc) if auc is not None else f"{roc_auc_score(truth, score):.2f}"
    with Sheet(4.2, 4.2) as sheet:
        axes = sheet.axes
        axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (4, 3)))
        thin = 0
        for name in [] if groups is None else pd.unique(groups):
            inside = groups == name
            if 0 < truth[inside].sum() < inside.sum():
                x, h, _ = roc_curve(truth[inside], score[inside])
                named = f"each {words.group} with both classes" if not thin else None
                axes.plot(x, h, color=UNSURE, lw=0.8, alpha=0.55, label=named)
                thin += 1
        if band is not None:
            at, low, high = (np.asarray(part, dtype=float) for part in band)
            axes.fill_between(at, low, high, color=HEALTHY, alpha=0.16, lw=0, label="95% interval")
        x, h, _ = roc_curve(truth, score)
        axes.plot(x, h, color=HEALTHY, lw=2.2, label=f"{label}, AUC {area}")
        unit_axis(axes, "x")
        unit_axis(axes, "y")
        axes.set_aspect("equal")
        axes.set_xlabel("false positive rate (1 - specificity)")
        axes.set_ylabel("true positive rate (sensitivity)")
        axes.legend(loc="lower right", handlelength=1.4)
        return sheet.picture(
            f"{title}: area {area}.",
            f"ROC curve over {_n(truth.size)} {words.regions}; the dashed line is guessing."
            + dropped,
        )


def score_histogram(
    y: ArrayLike,
    p: ArrayLike,
    classes: Sequence[str],
    threshold: float | None = None,
    band: tuple[float, float] | None = None,
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """How the probabilities of the two classes lie on the scale from 0 to 1.

    From `threshold` on a patch is called positive; in `band` the verdict is "unsure".
    """
    truth, score, _, dropped = _clean(y, p, None)
    if not score.size:
        return empty(f"No {words.region} was scored.", "Histogram of probabilities")
    edges = np.linspace(0, 1, 26)
    with Sheet(5.0, 3.4) as sheet:
        axes = sheet.axes
        if band is not None:
            axes.axvspan(*band, color=UNSURE, alpha=0.22, lw=0, label="unsure")
        for side, name, colour in zip((0, 1), classes, class_colours(2), strict=True):
            mine = score[truth == side]
            if mine.size:
                share = np.histogram(np.clip(mine, 0, 1), edges)[0] * (100 / mine.size)
                axes.stairs(share, edges, color=colour, fill=True, alpha=0.28)
                axes.stairs(
                    share, edges, color=colour, lw=1.6, label=f"{name}, n = {_n(mine.size)}"
                )
        if threshold is not None and np.isfinite(threshold):
            axes.axvline(
                threshold, color=INK, lw=1.1, ls=(0, (4, 2)), label=f"threshold {threshold:.2f}"
            )
        unit_axis(axes, "x", 0.0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"probability of {classes[1]}")
        axes.set_ylabel(f"share of the class's {words.regions} (%)")
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, 1.16),
            ncols=4,
            handlelength=1.2,
            columnspacing=1.2,
        )
        means = ", ".join(
            f"{name} mean {score[truth == side].mean():.2f}"
            for side, name in enumerate(classes)
            if (truth == side).any()
        )
        return sheet.picture(
            f'Histogram of the probability of "{classes[1]}" by true class: {means}.',
            f'Probability of "{classes[1]}", {words.regions} of either class.' + dropped,
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
        axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (4, 3)))
        p, seen = table["p"].to_numpy(float), table["observed"].to_numpy(float)
        if {"low", "high"} <= set(table.columns):
            axes.vlines(
                p,
                table["low"].astype(float),
                table["high"].astype(float),
                color=HEALTHY,
                lw=1.3,
                alpha=0.6,
            )
        axes.plot(p, seen, color=HEALTHY, lw=1.2)
        size = 14 + 90 * np.sqrt(table["patches"].to_numpy(float) / table["patches"].max())
        axes.scatter(p, seen, s=size, color=HEALTHY, zorder=3, edgecolors="white", linewidths=0.8)
        unit_axis(axes, "x")
        unit_axis(axes, "y")
        axes.set_aspect("equal")
        axes.set_xlabel(f"probability of {positive or 'the top class'} according to the net")
        axes.set_ylabel(f"share that is {positive or 'of that class'}")
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
    said = f" Left out, for want of a score: {_n(lost)}." if lost else ""
    return truth[known] > 0.5, score[known], None if groups is None else groups[known], said


def _n(count: int) -> str:
    return f"{count:,}"
