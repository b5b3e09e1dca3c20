"""Figures against dose: wells and curve, and differences from no light beside the margin."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import NDArray

from livewell.doses.dose_response import DoseResponse
from livewell.doses.equivalence import Budget
from livewell.report.page import Picture
from livewell.report.style import FAINT, HEALTHY, INK, SICK, UNSURE, Sheet, beside, name_rows

DECISIONS = {
    "not worse": (HEALTHY, "o"),
    "worse": (SICK, "s"),
    "cannot tell": (UNSURE, "D"),
    "not tested": (UNSURE, "x"),
}
"""Colour and shape of every decision, so that colour is never the only sign."""


def dose_text(dose: Any, unit: Any) -> str:
    """``20 s``; ``dose 20`` where nobody knows the unit, ``no dose`` where none is known."""
    if pd.isna(dose):
        return "no dose"
    return f"dose {dose:g}" if pd.isna(unit) or not unit else f"{dose:g} {unit}"


def dose_head(unit: str) -> str:
    """``dose (s)``; ``dose`` where nobody knows the unit."""
    return f"dose ({unit})" if unit else "dose"


class DoseAxis:
    """A logarithmic axis of doses with no light (0, among them) at its left end, apart."""

    def __init__(self, doses: NDArray[np.float64]) -> None:
        self.levels = np.unique(doses)
        lit = self.levels[self.levels > 0]
        steps = np.diff(np.log10(lit))
        self.gap = float(np.clip(np.median(steps) if len(steps) else 0.5, 0.25, 1.0)) * 1.2
        self.zero = float(np.log10(lit[0])) - self.gap

    def at(self, doses: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Positions of doses on the axis."""
        values = np.asarray(doses, dtype=float)
        with np.errstate(divide="ignore"):
            return np.where(values > 0, np.log10(np.maximum(values, 1e-300)), self.zero)

    def dress(self, axes: Axes, unit: str) -> None:
        """Ticks at the doses, a break between no light and the lowest one."""
        places = self.at(self.levels)
        names = ["0" if level == 0 else f"{level:g}" for level in self.levels]
        axes.xaxis.set_major_locator(FixedLocator(places.tolist()))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FixedFormatter(names))
        axes.set_xlim(places[0] - 0.4 * self.gap, places[-1] + 0.4 * self.gap)
        axes.set_xlabel(dose_head(unit))
        line: dict[str, Any] = {"color": "#6B7177", "lw": 0.9, "clip_on": False}
        tilt = 0.05 * self.gap
        for shift in (-0.06, 0.06):
            at = self.zero + self.gap / 2 + shift * self.gap
            ends = [at - tilt, at + tilt], [-0.018, 0.018]
            axes.plot(*ends, transform=axes.get_xaxis_transform(), **line)


def dose_curve(
    wells: pd.DataFrame,
    doses: pd.DataFrame,
    budget: Budget,
    response: DoseResponse,
    *,
    unit: str = "",
    positive: str = "sick",
) -> Picture:
    """Share of patches called positive against dose: wells, means, curve, margin and budget.

    `wells` has columns dose and fraction, one row a well; `doses` dose, fraction, low, high.
    """
    axis = DoseAxis(wells["dose"].to_numpy(float))
    decided = {0.0: "no light"} | {test.dose: str(test.decision) for test in budget.tests}
    with Sheet(8.0, 4.2) as sheet:
        axes = sheet.axes
        if budget.dose is not None:
            right = float(axis.at(budget.dose)) + 0.18 * axis.gap
            axes.axvspan(axis.zero - axis.gap, right, color=HEALTHY, alpha=0.08, lw=0)
        limit = 100 * (budget.control_fraction + budget.margin)
        axes.axhline(limit, color=INK, lw=1, ls=(0, (4, 3)))
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right", "size": 9}
        note = f"no light + margin, {limit:.0f}%"
        axes.annotate(note, (1, limit), (-4, 3), textcoords="offset points", **place)
        if response.fitted:
            fine = np.geomspace(axis.levels[axis.levels > 0][0], axis.levels[-1], 200)
            axes.plot(axis.at(fine), 100 * response.curve(fine), color=INK, lw=1.6, alpha=0.75)
        rng = np.random.default_rng(0)
        shown: set[str] = set()
        for dose, group in wells.groupby("dose"):
            kind = decided[float(str(dose))]
            colour, mark = DECISIONS.get(kind, (INK, "o"))
            jitter = rng.uniform(-0.1, 0.1, len(group)) * axis.gap
            x, y = axis.at(group["dose"].to_numpy(float)) + jitter, 100 * group["fraction"]
            rim: dict[str, Any] = {"edgecolors": "white", "linewidths": 0.6}
            if mark == "x":
                rim = {"linewidths": 1.2}
            label = kind if kind not in shown else None
            style: dict[str, Any] = {"color": colour, "marker": mark, "label": label, **rim}
            axes.scatter(x, y, s=30, alpha=0.85, zorder=3, **style)
            shown.add(kind)
        at = axis.at(doses["dose"].to_numpy(float))
        mean, low, high = (
            100 * doses[name].to_numpy(float) for name in ("fraction", "low", "high")
        )
        axes.vlines(at, low, high, color=INK, lw=1.3, zorder=4)
        axes.hlines(mean, at - 0.13 * axis.gap, at + 0.13 * axis.gap, color=INK, lw=2, zorder=4)
        axis.dress(axes, unit)
        axes.set(ylim=(-3, 103), ylabel=f"patches called {positive} (%)")
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.12), ncols=5, handletextpad=0.2)
        said = "; ".join(
            f"{dose_text(float(dose), unit)} {value:.0f}%"
            for dose, value in zip(doses["dose"], mean, strict=True)
        )
        shade = "" if budget.dose is None else " Shaded: the budget."
        line = " The line is the fitted curve." if response.fitted else ""
        return sheet.picture(
            f"Patches called {positive} against dose: {said}.",
            f"Patches called {positive} in every well.{line} Dashed: no light plus the margin."
            f"{shade}",
            wide=True,
        )


def differences(budget: Budget, *, unit: str = "") -> Picture:
    """Difference from no light at every dose, with its bounds, beside the margin."""
    tests, said = budget.tests, []
    with Sheet(8.0, 1.0 + 0.32 * len(tests)) as sheet:
        axes = sheet.axes
        axes.axvline(0, color=FAINT, lw=1)
        axes.axvline(100 * budget.margin, color=INK, lw=1, ls=(0, (4, 3)))
        names = [dose_text(test.dose, unit) for test in tests]
        for row, test, name in zip(name_rows(axes, names, 0.6), tests, names, strict=True):
            colour, mark = DECISIONS[str(test.decision)]
            if not math.isnan(test.p):
                axes.hlines(row, 100 * test.lower, 100 * test.upper, color=colour, lw=2, alpha=0.6)
            axes.scatter(100 * test.difference, row, s=38, color=colour, marker=mark, zorder=3)
            beside(axes, row, test.decision)
            value = "" if math.isnan(test.difference) else f" {100 * test.difference:+.0f}"
            said.append(f"{name}{value}, {test.decision}")
        axes.set_xlabel("difference from no light (percentage points), one-sided bounds")
        return sheet.picture(
            f"Difference from no light: {'; '.join(said)}.",
            f"Dashed: the margin, {100 * budget.margin:g}. A dose passes where its bar ends left "
            "of it, and all lower doses pass too.",
            wide=True,
        )
