"""Figures of three or more classes, each in its colour and named."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from livewell.classes import ClassNames
from livewell.metrics.intervals import Estimate
from livewell.report.figures import MOST_ROWS
from livewell.report.page import Picture
from livewell.report.style import (
    INK,
    UNSURE,
    Sheet,
    beside,
    class_legend,
    class_look,
    cut,
    empty,
    ink_on,
    name_rows,
    say,
    unit_axis,
    unit_square,
)
from livewell.report.vocabulary import PATCHES, Vocabulary, short

Floats = NDArray[np.float64]
MOST_CURVES = 8
"""More classes than this, one a colour, are no longer told apart as curves."""
LEAST_TEXT = 0.12
"""A share from which on its percentage is written into its bar."""


def roc_of_classes(
    scores: pd.DataFrame,
    classes: ClassNames,
    areas: Mapping[str, Estimate],
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Receiver operating characteristic of every class against the rest, in one figure.

    `scores` has columns label and ``p_<class>``; a class without patches, or with all of them, has
    no curve. An area that is not given is computed without interval.
    """
    labels = scores["label"].astype("str").to_numpy()
    curves = []
    for number, name in enumerate(classes):
        truth, p = labels == name, scores[f"p_{name}"].to_numpy(float)
        if truth.any() and not truth.all():
            area = float(roc_auc_score(truth, p))
            said = short(areas[name]) if name in areas else f"{area:.2f}"
            x, y, _ = roc_curve(truth, p)
            curves.append(RocCurve(name, x, y, area, said, number))
    over = f"over {len(scores):,} {words.regions}"
    return roc_curves(curves, "ROC curves, each class against the rest", over, y_label="recall")


@dataclass(frozen=True, slots=True)
class RocCurve:
    """One curve of a figure: its name, points, area, the area as it is said, number of its look."""

    name: str
    x: Floats
    y: Floats
    area: float
    said: str
    look: int


def roc_curves(
    curves: Sequence[RocCurve], title: str, over: str, *, y_label: str = "sensitivity"
) -> Picture:
    """Receiver operating characteristics in one figure, each named beside its curve."""
    if not curves:
        return empty("Only one class was scored: no ROC curve.", title)
    best = sorted(curves, key=lambda curve: -curve.area)
    texts = [f"{cut(curve.name, 18)} {curve.said}" for curve in best]
    step = min(0.085, 0.72 / len(best))
    size = min(9.5, 120 * step)
    left = max(0.2, 1.01 - 0.0019 * size * max(map(len, texts)))
    # every curve meets every ray from the lower right corner once, so lines to labels do not cross
    angles = np.radians(np.linspace(58, 30, len(best)) if len(best) > 1 else [45])
    dot: dict[str, Any] = {"mec": "white", "mew": 0.7, "ms": 7, "zorder": 4}
    text: dict[str, Any] = {"va": "center", "size": size, "color": INK, "zorder": 5}
    text["bbox"] = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6}
    with Sheet(4.6, 4.6) as sheet:
        axes = sheet.axes
        unit_square(
            axes, "false positive rate (1 - specificity)", f"true positive rate ({y_label})"
        )
        for place, curve in enumerate(best):
            look = class_look(curve.look)
            axes.plot(curve.x, curve.y, color=look.colour, lw=2.0, ls=look.dash, zorder=3)
            height = 0.05 + step * (len(best) - 1 - place)
            at = _on_ray(curve.x, curve.y, float(angles[place]))
            axes.plot(
                *zip(at, (left - 0.01, height), strict=True), color=look.colour, lw=0.8, zorder=2
            )
            axes.plot(*at, marker=look.mark, color=look.colour, **dot)
            axes.text(left, height, texts[place], **text)
        said = "; ".join(f"{curve.name} AUC {curve.said}" for curve in best)
        return sheet.picture(
            f"{title}: {said}.",
            f"{title}, {over}: AUC with 95% interval; the dashed line is guessing.",
        )


def _on_ray(x: Floats, y: Floats, angle: float) -> tuple[float, float]:
    """Where a curve meets the ray that leaves the lower right corner at an angle to its left."""
    above = y * np.cos(angle) - (1 - x) * np.sin(angle)
    share = float(np.interp(0.0, above, np.arange(len(above))))
    low = min(int(share), len(x) - 2)
    return (
        float(x[low] + (share - low) * (x[low + 1] - x[low])),
        float(y[low] + (share - low) * (y[low + 1] - y[low])),
    )


def class_verdicts(table: pd.DataFrame, classes: ClassNames) -> Picture:
    """Probability of every class and the verdict for every image: one bar each.

    Columns `image`, `t`, ``p_<class>`` of every class, `verdict`. More images than `MOST_ROWS`
    are drawn as a band, sorted by their most probable class.
    """
    chances = [f"p_{name}" for name in classes]
    judged = table[table[chances].notna().all(axis=1)]
    title = "Probability of each class of every image"
    if judged.empty:
        return empty("No image had anything to judge.", title)
    p = judged[chances].to_numpy(float)
    counts = judged["verdict"].astype(str).value_counts()
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    ranked = len(judged) > MOST_ROWS
    legend, tall_legend = class_legend(classes, 8.0)
    with Sheet(8.0, (3.2 if ranked else 0.7 + 0.27 * len(judged)) + tall_legend) as sheet:
        axes = sheet.axes
        if ranked:
            p = p[np.lexsort((-p.max(axis=1), p.argmax(axis=1)))]
            rows = np.arange(len(p))
            axes.set_xlim(-0.5, len(p) - 0.5)
        else:
            rows = _name_rows(axes, judged)
        unit_axis(axes, "y" if ranked else "x", 0.0)
        starts = np.cumsum(p, axis=1) - p
        for number, (left, shares) in enumerate(zip(starts.T, p.T, strict=True)):
            look = class_look(number)
            style: dict[str, Any] = {"color": look.colour, "hatch": look.hatch}
            if ranked:
                axes.bar(rows, shares, 1.0, bottom=left, lw=0, **style)
                continue
            axes.barh(rows, shares, left=left, height=0.66, ec="white", lw=0.8, **style)
            text: dict[str, Any] = {"ha": "center", "va": "center", "size": 8}
            text["bbox"] = {"fc": look.colour, "ec": "none", "pad": 0.8}
            for row, start, share in zip(rows, left, shares, strict=True):
                if share >= LEAST_TEXT:
                    at = float(start + share / 2)
                    axes.text(
                        at, float(row), f"{100 * share:.0f}%", color=ink_on(look.colour), **text
                    )
        (axes.set_ylabel if ranked else axes.set_xlabel)("probability (calibrated)")
        if ranked:
            axes.set_xlabel("images, sorted by their most probable class")
        sheet.figure.legend(loc="outside upper left", **legend)
        right = "" if ranked else "; the verdict stands to the right"
        return sheet.picture(f"{title}: {said}.", f"{title}{right}.")


def class_areas(
    x: ArrayLike, shares: Mapping[str, ArrayLike], classes: ClassNames, *, x_label: str = "frame"
) -> Picture:
    """Share of the judged area whose most probable class is each one, over ascending `x`.

    Shares are by class, 0 to 1; NaN where nothing was to judge leaves a gap.
    """
    at, last = np.asarray(x, dtype=float), {}
    fraction: Any = ("axes fraction", "data")
    with Sheet(8.0, 3.1) as sheet:
        axes = sheet.axes
        for number, name in enumerate(classes):
            look, share = class_look(number), 100 * np.asarray(shares[name], dtype=float)
            known = share[np.isfinite(share)]
            style: dict[str, Any] = {"color": look.colour, "ls": look.dash, "lw": 2.0}
            axes.plot(at, share, marker=look.mark if len(known) <= 60 else "", ms=4, **style)
            if known.size:
                last[name] = float(known[-1])
        if not last:
            say(axes, "nothing to judge in any frame")
        for name, height in spread(last, 6.5).items():
            line = {"arrowstyle": "-", "color": class_look(classes.code(name)).colour, "lw": 1.2}
            style = {"xycoords": fraction, "textcoords": fraction, "arrowprops": line}
            ends: dict[str, Any] = {"xy": (1, last[name]), "xytext": (1.03, height)}
            axes.annotate(cut(name, 24), va="center", annotation_clip=False, **ends, **style)
        axes.set(ylim=(-2, 102), xlabel=x_label, ylabel="% of judged area")
        said = "; ".join(f"{name} {share:.0f}% at the end" for name, share in last.items())
        return sheet.picture(
            f"Share of the judged area of each class over {at.size} time points: {said}.",
            "Share of the judged area whose most probable class is each one.",
        )


def spread(heights: Mapping[str, float], apart: float) -> dict[str, float]:
    """Heights of labels at least so far apart, each as near to its own as may be."""
    order = sorted(heights, key=lambda name: heights[name])
    found: dict[str, float] = {}
    for name in order:
        before = [found[other] for other in found]
        found[name] = max([heights[name], *(height + apart for height in before)])
    # pushed up only: shifted down as a whole by half of what the highest was moved
    over = max((found[name] - heights[name] for name in order), default=0.0) / 2
    return {name: height - over for name, height in found.items()}


def _name_rows(axes: Axes, judged: pd.DataFrame) -> NDArray[np.int_]:
    """Image and frame to the left of every bar, its verdict to the right."""
    images, frames = judged["image"].astype(str), judged["t"].astype(int)
    movies = images.duplicated(keep=False)
    names = [
        cut(f"{image}, frame {t}" if movie else image)
        for image, t, movie in zip(images, frames, movies, strict=True)
    ]
    rows = name_rows(axes, names)
    for row, verdict in zip(rows, judged["verdict"].astype(str), strict=True):
        colour = INK if verdict != "unsure" else UNSURE
        beside(axes, row, cut(verdict, 24), color=colour, weight="bold")
    return rows
