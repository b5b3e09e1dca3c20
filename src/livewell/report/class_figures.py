"""Figures of three or more classes, each in its colour and told by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from livewell.classes import ClassNames
from livewell.report.estimate import EstimateLike, short
from livewell.report.figures import MOST_ROWS
from livewell.report.page import Picture
from livewell.report.style import (
    FAINT,
    INK,
    UNSURE,
    Sheet,
    class_legend,
    class_look,
    cut,
    empty,
    ink_on,
    say,
    unit_axis,
)
from livewell.report.vocabulary import PATCHES, Vocabulary

Floats = NDArray[np.float64]
LEAST_TEXT = 0.12
"""A share from which on its percentage is written into its bar."""


def roc_of_classes(
    scores: pd.DataFrame,
    classes: ClassNames,
    areas: Mapping[str, EstimateLike],
    *,
    words: Vocabulary = PATCHES,
) -> Picture:
    """Receiver operating characteristic of every class against the rest, in one figure.

    `scores` has columns label and ``p_<class>``; a class without patches, or with all of them, has
    no curve. An area that is not given is computed without interval.
    """
    labels = scores["label"].astype("str").to_numpy()
    curves = {}
    for name in classes:
        truth, p = labels == name, scores[f"p_{name}"].to_numpy(float)
        if truth.any() and not truth.all():
            area = short(areas[name]) if name in areas else f"{roc_auc_score(truth, p):.2f}"
            curves[name] = (*roc_curve(truth, p)[:2], float(roc_auc_score(truth, p)), area)
    title = "ROC curves, each class against the rest"
    if not curves:
        return empty("Only one class was scored: no ROC curve.", title)
    best = sorted(curves, key=lambda name: -curves[name][2])
    texts = {name: f"{cut(name, 18)} {curves[name][3]}" for name in best}
    step = min(0.085, 0.72 / len(best))
    size = min(9.5, 120 * step)
    left = max(0.2, 1.01 - 0.0019 * size * max(map(len, texts.values())))
    # every curve meets every ray from the lower right corner once, so lines to labels do not cross
    angles = np.radians(np.linspace(58, 30, len(best)) if len(best) > 1 else [45])
    with Sheet(4.6, 4.6) as sheet:
        axes = sheet.axes
        axes.plot([0, 1], [0, 1], color=FAINT, lw=1, ls=(0, (4, 3)))
        for place, name in enumerate(best):
            x, y, *_ = curves[name]
            look = class_look(classes.code(name))
            axes.plot(x, y, color=look.colour, lw=2.0, ls=look.dash, zorder=3)
            height = 0.05 + step * (len(best) - 1 - place)
            at = _on_ray(x, y, float(angles[place]))
            end = (left - 0.01, height)
            axes.plot(*zip(at, end, strict=True), color=look.colour, lw=0.8, zorder=2)
            dot: dict[str, Any] = {"mec": "white", "mew": 0.7, "ms": 7, "zorder": 4}
            axes.plot(*at, marker=look.mark, color=look.colour, **dot)
            axes.text(
                left,
                height,
                texts[name],
                va="center",
                size=size,
                color=INK,
                zorder=5,
                bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.6},
            )
        unit_axis(axes, "x")
        unit_axis(axes, "y")
        axes.set_aspect("equal")
        axes.set_xlabel("false positive rate (1 - specificity)")
        axes.set_ylabel("true positive rate (recall)")
        said = "; ".join(f"{name} AUC {curves[name][3]}" for name in best)
        return sheet.picture(
            f"{title}: {said}.",
            f"{title}, over {len(scores):,} {words.regions}: AUC with 95% interval; the dashed line"
            " is guessing.",
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


def class_verdicts(
    table: pd.DataFrame, classes: ClassNames, *, words: Sequence[str] = ("picture", "pictures")
) -> Picture:
    """Probability of every class and the verdict for every picture: one bar each.

    Columns `image`, `t`, ``p_<class>`` of every class, `verdict`. More pictures than `MOST_ROWS`
    are drawn as a band, sorted by their most probable class. `words` call one row and many.
    """
    chances = [f"p_{name}" for name in classes]
    judged = table[table[chances].notna().all(axis=1)]
    title = f"Probability of each class of every {words[0]}"
    if judged.empty:
        return empty(f"No {words[0]} had anything to judge.", title)
    p = judged[chances].to_numpy(float)
    counts = judged["verdict"].astype(str).value_counts()
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    ranked = len(judged) > MOST_ROWS
    tall = 3.2 if ranked else 0.7 + 0.27 * len(judged)
    legend, tall_legend = class_legend(classes, 8.0)
    with Sheet(8.0, tall + tall_legend) as sheet:
        axes = sheet.axes
        if ranked:
            order = np.lexsort((-p.max(axis=1), p.argmax(axis=1)))
            p = p[order]
        ends = np.cumsum(p, axis=1)
        rows = np.arange(len(p)) if ranked else np.arange(len(p))[::-1]
        for number in range(len(classes)):
            look = class_look(number)
            left = ends[:, number] - p[:, number]
            style: dict[str, Any] = {"color": look.colour, "hatch": look.hatch}
            if ranked:
                axes.bar(rows, p[:, number], 1.0, bottom=left, lw=0, **style)
                continue
            axes.barh(rows, p[:, number], left=left, height=0.66, ec="white", lw=0.8, **style)
            for row, start, share in zip(rows, left, p[:, number], strict=True):
                if share >= LEAST_TEXT:
                    at = (start + share / 2, row)
                    text: dict[str, Any] = {"ha": "center", "va": "center", "size": 8}
                    text["bbox"] = {"fc": look.colour, "ec": "none", "pad": 0.8}
                    axes.text(*at, f"{100 * share:.0f}%", color=ink_on(look.colour), **text)
        if ranked:
            axes.set_xlim(-0.5, len(p) - 0.5)
            axes.set_xlabel(f"{words[1]}, sorted by their most probable class")
            axes.set_ylabel("probability (calibrated)")
            unit_axis(axes, "y", 0.0)
        else:
            _name_rows(axes, judged, rows)
            unit_axis(axes, "x", 0.0)
            axes.set_xlabel("probability (calibrated)")
        sheet.figure.legend(loc="outside upper left", **legend)
        told = "" if ranked else "; the verdict stands to the right"
        return sheet.picture(f"{title}: {said}.", f"{title}{told}.")


def class_areas(
    x: ArrayLike, shares: Mapping[str, ArrayLike], classes: ClassNames, *, x_label: str = "frame"
) -> Picture:
    """Share of the judged area whose most probable class is each one, over ascending `x`.

    Shares are by class, 0 to 1; NaN where nothing was to judge leaves a gap.
    """
    at = np.asarray(x, dtype=float)
    known = {name: np.asarray(shares[name], dtype=float) for name in classes}
    with Sheet(8.0, 3.1) as sheet:
        axes = sheet.axes
        last = {}
        for number, (name, share) in enumerate(known.items()):
            look = class_look(number)
            few = np.isfinite(share).sum() <= 60
            style: dict[str, Any] = {"color": look.colour, "ls": look.dash, "lw": 2.0}
            axes.plot(at, 100 * share, marker=look.mark if few else "", ms=4, **style)
            if np.isfinite(share).any():
                last[name] = float(100 * share[np.isfinite(share)][-1])
        if not last:
            say(axes, "nothing to judge in any frame")
        for name, height in spread(last, 6.5).items():
            look = class_look(classes.code(name))
            axes.annotate(
                cut(name, 24),
                (1, last[name]),
                xytext=(1.03, height),
                xycoords=("axes fraction", "data"),
                textcoords=("axes fraction", "data"),
                va="center",
                annotation_clip=False,
                arrowprops={"arrowstyle": "-", "color": look.colour, "lw": 1.2},
            )
        axes.set_ylim(-2, 102)
        axes.set_xlabel(x_label)
        axes.set_ylabel("% of judged area")
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


def _name_rows(axes: Any, judged: pd.DataFrame, rows: Any) -> None:
    """Image and frame to the left of every bar, its verdict to the right."""
    images, frames = judged["image"].astype(str), judged["t"].astype(int)
    movies = images.duplicated(keep=False)
    names = [
        cut(f"{image}, frame {t}" if movie else image)
        for image, t, movie in zip(images, frames, movies, strict=True)
    ]
    axes.set_yticks(rows, names)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.tick_params(axis="y", length=0)
    for row, verdict in zip(rows, judged["verdict"].astype(str), strict=True):
        axes.annotate(
            cut(verdict, 24),
            (1, row),
            (8, 0),
            va="center",
            textcoords="offset points",
            xycoords=("axes fraction", "data"),
            annotation_clip=False,
            color=INK if verdict != "unsure" else UNSURE,
            weight="bold",
        )
