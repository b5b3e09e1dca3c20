"""Curves of detections held against boxes: precision and recall, FROC."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from livewell.report.estimate import EstimateLike, short
from livewell.report.page import Picture
from livewell.report.style import FAINT, HEALTHY, INK, SICK, Sheet, empty, unit_axis

_POINT_COLOURS = (INK, SICK)
_POINT_MARKS = ("o", "D")


@dataclass(frozen=True, slots=True)
class Point:
    """One threshold on the curves, how it was chosen and what it makes; a NaN is not drawn."""

    name: str
    precision: float
    recall: float
    false_positives_per_image: float


def precision_recall(
    curve: pd.DataFrame, points: Sequence[Point], area: EstimateLike | None = None
) -> Picture:
    """Precision against recall over all thresholds, and at most two that were chosen.

    `curve` is of `livewell.detection.matching.precision_recall_curve`.
    """
    known = curve[curve["recall"].notna() & curve["precision"].notna()]
    title = "Precision-recall curve of places"
    if known.empty:
        return empty("Nothing was found, or there is nothing to find: no curve.", title)
    with Sheet(4.4, 4.2) as sheet:
        axes = sheet.axes
        recall = np.append(0.0, known["recall"].to_numpy(float))
        precision = np.append(known["precision"].iloc[0], known["precision"].to_numpy(float))
        axes.plot(recall, precision, color=HEALTHY, lw=2.0)
        _points(axes, [(point, point.recall, point.precision) for point in points])
        unit_axis(axes, "x")
        unit_axis(axes, "y")
        axes.set_xlabel("recall: share of the objects that are found")
        axes.set_ylabel("precision: share of the places that are right")
        _legend(axes, points)
        said = f"average precision {short(area)}" if area is not None else "no average precision"
        return sheet.picture(
            f"{title}: {said}. {_said(points)}",
            f"Precision and recall of places over all thresholds, {said}.",
        )


def froc_curve(
    curve: pd.DataFrame,
    points: Sequence[Point],
    rates: Sequence[float],
    score: EstimateLike | None = None,
) -> Picture:
    """Share of the objects found against wrong places an image, on a logarithmic axis.

    `curve` and `rates`, the false places an image that the score is the mean over, are of
    `livewell.detection.froc.Froc`.
    """
    known = curve[curve["sensitivity"].notna()]
    title = "FROC curve of places"
    if len(known) < 2:
        return empty("Nothing was found, or there is nothing to find: no curve.", title)
    made = known["false_positives_per_image"].to_numpy(float)
    above = [value for value in (*made, *_rates_of(points)) if value > 0]
    low = min([*above, min(rates)]) / 1.5
    high = max([*above, max(rates)]) * 1.2
    with Sheet(4.4, 4.2) as sheet:
        axes = sheet.axes
        for rate in rates:
            axes.axvline(rate, color=FAINT, lw=0.8, ls=(0, (1, 2)))
        across = np.append(np.maximum(made, low), high)
        up = np.append(known["sensitivity"], known["sensitivity"].iloc[-1])
        axes.step(across, up, where="post", color=HEALTHY, lw=2.0)
        drawn = [(p, max(p.false_positives_per_image, low), p.recall) for p in points]
        _points(axes, drawn)
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.set_xticks(list(rates), [_rate(rate) for rate in rates])
        axes.set_xticks([], minor=True)
        unit_axis(axes, "y")
        axes.set_xlabel("wrong places an image")
        axes.set_ylabel("sensitivity: share of the objects found")
        _legend(axes, points)
        said = f"mean sensitivity {short(score)}" if score is not None else "no mean sensitivity"
        return sheet.picture(
            f"{title}: {said}. {_said(points)}",
            f"Objects found at a price of wrong places an image; {said} at the dotted rates."
            " Where there is none at all, the curve begins at the left edge.",
        )


def _rates_of(points: Sequence[Point]) -> list[float]:
    return [p.false_positives_per_image for p in points if math.isfinite(p.recall)]


def _rate(rate: float) -> str:
    return f"{rate:g}" if rate >= 1 else f"1/{round(1 / rate)}"


def _points(axes: Axes, places: Sequence[tuple[Point, float, float]]) -> None:
    for (point, x, y), colour, mark in zip(places, _POINT_COLOURS, _POINT_MARKS, strict=False):
        if math.isfinite(x) and math.isfinite(y):
            axes.plot(
                x, y, mark, color=colour, ms=7.5, mec="white", mew=0.9, label=point.name, zorder=5
            )


def _legend(axes: Axes, points: Sequence[Point]) -> None:
    if any(math.isfinite(p.recall) and math.isfinite(p.precision) for p in points):
        axes.legend(loc="best", handlelength=1.2, title="threshold", alignment="left")


def _said(points: Sequence[Point]) -> str:
    return "; ".join(
        f"{p.name}: precision {p.precision:.2f}, recall {p.recall:.2f},"
        f" {p.false_positives_per_image:.2g} wrong places an image"
        for p in points
    )
