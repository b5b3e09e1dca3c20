"""Figures of sick area over time: a curve a dose, a small panel a well."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from livewell.report.page import Picture
from livewell.report.style import INK, Sheet, empty

MARKS = "osD^vPX*"
"""Marker of each dose from the lowest on, so that colour is never the only sign."""
DASHES: Sequence[Any] = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (6, 1.5, 1, 1.5)))
"""Line of each dose, likewise."""
PANELS, ACROSS = 48, 6
"""Most small panels on a page, and in a row."""
SEEN_LINE = (0, (2, 1.4))
"""Of curves by a model that was trained on them."""


def dose_name(dose: Any, unit: Any) -> str:
    """``120 s``; ``no dose`` where none is known."""
    if pd.isna(dose):
        return "no dose"
    return f"dose {dose:g}" if pd.isna(unit) else f"{dose:g} {unit}"


def time_axis(table: pd.DataFrame) -> tuple["pd.Series[float]", str]:
    """Where a table's rows lie in time, and the axis' label: hours, or frames if no time is known.

    Parameters
    ----------
    table
        Columns ``time_s`` and ``step``.
    """
    if table["time_s"].isna().all():
        return table["step"].astype("float64"), "frame"
    return table["time_s"] / 3600, "time (h)"


def dose_curves(doses: pd.DataFrame, *, positive: str = "sick") -> Picture:
    """Mean sick area of every dose over time with its 95% band, dark for the lowest dose.

    `doses` is what `livewell.doses.over_time.by_dose` returns.
    """
    if doses.empty:
        return empty("No dose has a well that the model never saw.", "Curves by dose")
    groups = [part for _, part in doses.groupby(["dose_unit", "dose"], dropna=False, sort=True)]
    said = []
    with Sheet(8.8, 4.2) as sheet:
        axes, ends = sheet.axes, []
        for number, (part, colour) in enumerate(
            zip(groups, series_colours(len(groups)), strict=True)
        ):
            part = part.sort_values("step")
            x, label = time_axis(part)
            name = dose_name(part["dose"].iloc[0], part["dose_unit"].iloc[0])
            low, high, share = (100 * part[name_] for name_ in ("low", "high", "fraction"))
            axes.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
            axes.plot(
                x,
                share,
                color=colour,
                ls=DASHES[number % len(DASHES)],
                marker=MARKS[number % len(MARKS)],
                markevery=-(-len(part) // 16),
                ms=5,
                mec="white",
                mew=0.6,
            )
            wells = f"{part['wells'].max()} well" + ("s" if part["wells"].max() != 1 else "")
            mark = MARKS[number % len(MARKS)]
            ends.append((float(share.iloc[-1]), f"{name}, {wells}", colour, mark))
            said.append(f"{name} from {share.iloc[0]:.0f}% to {share.iloc[-1]:.0f}%")
        axes.set_xlim(*_reach(doses))
        axes.set_ylim(-2, 102)
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_ylabel(f"{positive} area (% of judged area)")
        _label_ends(axes, ends)
        return sheet.picture(
            f"{positive.capitalize()} area over time by dose: {'; '.join(said)}.",
            "Mean over wells that the model never saw, wells weighing alike. Bands are 95%"
            " intervals at each time alone, from resampling wells: wide where nearly all wells are"
            " at 0 or 100%, for few wells cannot tell how rare an exception is. One well has none.",
        )


def well_panels(places: pd.DataFrame, *, positive: str = "sick", by: str = "well") -> Picture:
    """A small panel a well (`by` ``place``: a position), dashed and hollow where seen.

    `places` is what `livewell.doses.over_time.by_position` returns; each is a thin line.
    """
    keys = ["dose_unit", "dose", "plate", by]
    panels = [part for _, part in places.groupby(keys, dropna=False, sort=True)]
    if not panels:
        return empty("No curve.", "Curves by well")
    heads: list[Any] = [part.iloc[0] for part in panels]
    kinds = [(str(head["dose_unit"]), head["dose"]) for head in heads]
    levels = sorted({kind for kind in kinds if not pd.isna(kind[1])})
    colours = dict(zip(levels, series_colours(len(levels)), strict=True))
    chosen = _spread(kinds)
    plates = by == "well" and places["plate"].dropna().unique().size > 1
    rows = -(-len(chosen) // ACROSS)
    with Sheet(9.4, 0.75 + 1.15 * rows, rows=rows, columns=ACROSS, gap_in=0.03) as sheet:
        for axes in sheet.panels[len(chosen) :]:
            axes.set_axis_off()
        for place, (axes, number) in enumerate(zip(sheet.panels, chosen, strict=False)):
            head = heads[number]
            label = _panel(axes, panels[number], colours.get(kinds[number], INK))
            title = f"{head['plate']} {head[by]}" if plates else str(head[by])
            dosed = dose_name(head["dose"], head["dose_unit"])
            dosed = "" if pd.isna(head["dose"]) else f", {dosed}"
            axes.set_title(f"{_short(title)}{dosed}", fontsize=8, pad=2)
            axes.tick_params(labelsize=7, length=2, pad=1)
            axes.set_xlim(*_reach(places))
            axes.set_ylim(-4, 104)
            axes.set_yticks([0, 50, 100], ["0", "50", "100"] if place % ACROSS == 0 else [])
            if place + ACROSS < len(chosen):
                axes.set_xticklabels([])
        sheet.figure.supxlabel(label, fontsize=9)
        sheet.figure.supylabel(f"{positive} area (%)", fontsize=9)
        kind = "wells" if by == "well" else "positions"
        some = f" {len(chosen)} of {len(panels)} {kind} are shown, spread over the doses."
        dashed = " Dashed and hollow: the model was trained or tuned on it."
        return sheet.picture(
            f"{positive.capitalize()} area over time in {len(chosen)} {kind}.",
            f"One panel a {kind[:-1]}, sorted by dose, one line a position."
            + (dashed if places["seen"].any() else "")
            + (some if len(chosen) < len(panels) else ""),
        )


def _panel(axes: Axes, part: pd.DataFrame, colour: str) -> str:
    label = ""
    for _, line in part.groupby(["place", "seen"], sort=True):
        line = line.sort_values("step")
        x, label = time_axis(line)
        seen = bool(line["seen"].iloc[0])
        axes.plot(
            x,
            100 * line["fraction"],
            color=colour,
            lw=0.9,
            ls=SEEN_LINE if seen else "-",
            marker="o" if len(line) <= 12 else "",
            ms=2.6,
            mew=0.6,
            mfc="white" if seen else colour,
        )
    return label


def series_colours(count: int) -> list[str]:
    """Dark blue to orange, lighter with every step: told apart also without red or green."""
    plasma = mpl.colormaps["plasma"]
    return [to_hex(plasma(at)) for at in np.linspace(0.03, 0.74, max(count, 2))[:count]]


def _spread(kinds: Sequence[object]) -> list[int]:
    """At most `PANELS` numbers, every kind giving as many as it can, in the given order."""
    turn = pd.Series([str(kind) for kind in kinds])
    first = turn.groupby(turn).cumcount().sort_values(kind="stable").index[:PANELS]
    return sorted(int(number) for number in first)


def _reach(places: pd.DataFrame) -> tuple[float, float]:
    """Limits of the time axis that all panels share."""
    x, _ = time_axis(places)
    low, high = float(x.min()), float(x.max())
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _short(name: str, most: int = 18) -> str:
    return name if len(name) <= most else "..." + name[3 - most :]


def _label_ends(axes: Axes, ends: Sequence[tuple[float, str, str, str]]) -> None:
    """Marker and name of every line at the right edge, moved apart where they would overlap."""
    gap, ceiling = 6.5, 100.0
    ordered = sorted(ends, key=lambda end: end[0] if np.isfinite(end[0]) else 0.0)
    heights: list[float] = []
    for y, *_ in ordered:
        below = heights[-1] + gap if heights else 0.0
        heights.append(max(y if np.isfinite(y) else 0.0, below))
    for number in reversed(range(len(heights))):
        heights[number] = min(heights[number], ceiling)
        ceiling = heights[number] - gap
    edge = axes.get_yaxis_transform()
    for (_, text, colour, mark), height in zip(ordered, heights, strict=True):
        axes.plot([1.02], [height], mark, color=colour, ms=5.5, transform=edge, clip_on=False)
        axes.text(1.04, height, text, fontsize=9.5, va="center", transform=edge)
