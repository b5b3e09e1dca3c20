"""Curves over epochs and over time: of a training, of a movie, a dose and a well."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from livewell.classes import p_of
from livewell.report.doses import dose_text
from livewell.report.page import Picture
from livewell.report.style import HEALTHY, INK, SICK, UNSURE, Sheet, empty, say, tail
from livewell.text import plural, sentence

MARKS = "osD^vPX*"
"""Marker of each dose from the lowest on, so that colour is never the only sign."""
DASHES: Sequence[Any] = ("-", (0, (6, 1.5)), (0, (3, 1.5)), (0, (6, 1.5, 1, 1.5)))
"""Line of each dose, likewise."""
PANELS, ACROSS = 48, 6
"""Most small panels on a page, and in a row."""
SEEN_LINE = (0, (2, 1.4))
"""Of curves by a model that was trained on them."""
LOSSES = ("train_loss", "val_loss")
"""Columns of a training log that share a panel."""


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
    said, ends = [], []
    with Sheet(8.8, 4.2) as sheet:
        axes = sheet.axes
        colours = series_colours(len(groups))
        for number, (part, colour) in enumerate(zip(groups, colours, strict=True)):
            part = part.sort_values("step")
            x, label = time_axis(part)
            name = dose_text(part["dose"].iloc[0], part["dose_unit"].iloc[0])
            low, high, share = (100 * part[name_] for name_ in ("low", "high", "fraction"))
            mark, dash = MARKS[number % len(MARKS)], DASHES[number % len(DASHES)]
            axes.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)
            dots: dict[str, Any] = {"marker": mark, "ms": 5, "mec": "white", "mew": 0.6}
            axes.plot(x, share, color=colour, ls=dash, markevery=-(-len(part) // 16), **dots)
            wells = plural(int(part["wells"].max()), "well")
            ends.append((float(share.iloc[-1]), f"{name}, {wells}", colour, mark))
            said.append(f"{name} from {share.iloc[0]:.0f}% to {share.iloc[-1]:.0f}%")
        area = f"{positive} area (% of judged area)"
        axes.set(xlim=_reach(doses), ylim=(-2, 102), xlabel=label, ylabel=area)
        axes.xaxis.set_major_formatter("{x:g}")
        _label_ends(axes, ends)
        return sheet.picture(
            f"{sentence(positive)} area over time by dose: {'; '.join(said)}.",
            "Mean over wells that the model never saw, wells weighing alike. Bands are 95%"
            " intervals at each time alone, from resampling wells: wide where nearly all wells are"
            " at 0 or 100%, for few wells cannot tell how rare an exception is. One well has none.",
            wide=True,
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
    grid: dict[str, Any] = {"rows": rows, "columns": ACROSS, "used": len(chosen)}
    with Sheet(9.4, 0.75 + 1.15 * rows, gap_in=0.03, **grid) as sheet:
        for place, (axes, number) in enumerate(zip(sheet.panels, chosen, strict=False)):
            head = heads[number]
            label = _panel(axes, panels[number], colours.get(kinds[number], INK))
            title = tail(f"{head['plate']} {head[by]}" if plates else str(head[by]), 18)
            if not pd.isna(head["dose"]):
                title += f", {dose_text(head['dose'], head['dose_unit'])}"
            axes.set_title(title, fontsize=8, pad=2)
            axes.tick_params(labelsize=7, length=2, pad=1)
            axes.set(xlim=_reach(places), ylim=(-4, 104))
            axes.set_yticks([0, 50, 100], ["0", "50", "100"] if place % ACROSS == 0 else [])
            if place + ACROSS < len(chosen):
                axes.set_xticklabels([])
        sheet.figure.supxlabel(label, fontsize=9)
        sheet.figure.supylabel(f"{positive} area (%)", fontsize=9)
        kind = "well" if by == "well" else "position"
        caption = f"One panel a {kind}, sorted by dose, one line a position."
        if places["seen"].any():
            caption += " Dashed and hollow: the model was trained or tuned on it."
        if len(chosen) < len(panels):
            shown = f" {len(chosen)} of {len(panels)} {kind}s are shown, spread over the doses."
            caption += shown
        alt = f"{sentence(positive)} area over time in {len(chosen)} {kind}s."
        return sheet.picture(alt, caption)


def _panel(axes: Axes, part: pd.DataFrame, colour: str) -> str:
    label = ""
    for _, line in part.groupby(["place", "seen"], sort=True):
        line = line.sort_values("step")
        x, label = time_axis(line)
        look: dict[str, Any] = {"ls": "-", "mfc": colour}
        if line["seen"].iloc[0]:
            look = {"ls": SEEN_LINE, "mfc": "white"}
        look["marker"] = "o" if len(line) <= 12 else ""
        axes.plot(x, 100 * line["fraction"], color=colour, lw=0.9, ms=2.6, mew=0.6, **look)
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


def learning_curves(log: pd.DataFrame, best_epoch: int | None = None) -> Picture:
    """Loss, and area under the ROC curve on groups held out, over the epochs.

    One row an epoch: `epoch`, and any of `train_loss`, `val_loss`, `val_auc`; NaN is skipped.
    """
    filled = {name for name in log if log[name].notna().any()}
    panels = [names for names in (LOSSES, ("val_auc",)) if filled & set(names)]
    if not panels:
        return empty("The log holds no epoch.", "Learning curves")
    with Sheet(8.0 if len(panels) > 1 else 4.6, 2.9, columns=len(panels)) as sheet:
        for axes, names in zip(sheet.panels, panels, strict=True):
            for name in (name for name in names if name in filled):
                rows = log[log[name].notna()]
                colour, label = (HEALTHY, "held out")
                if name == "train_loss":
                    colour, label = (UNSURE, "training")
                style: dict[str, Any] = {"color": colour, "label": label, "ms": 3}
                axes.plot(rows["epoch"], rows[name], marker="o" if len(rows) <= 25 else "", **style)
            axes.set_ylabel("loss (cross-entropy)")
            axes.set_ylim(bottom=0)
            if "val_auc" in names:
                axes.set_ylabel("AUC on groups held out")
                axes.set_ylim(min(0.48, float(np.nanmin(log["val_auc"])) - 0.02), 1.005)
            if best_epoch is not None:
                axes.axvline(best_epoch, color=INK, lw=1, ls=(0, (4, 2)), label="weights kept")
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.legend(handlelength=1.4)
        kept = f"; the weights of epoch {best_epoch} were kept" if best_epoch is not None else ""
        alt = f"Learning curves over {len(log)} epochs{kept}."
        return sheet.picture(alt, f"Learning curves{kept}.", wide=True)


def sick_curve(
    x: ArrayLike,
    fraction: ArrayLike,
    *,
    x_label: str = "frame",
    positive: str = "sick",
) -> Picture:
    """Share of the judged area that is over the threshold, over ascending times or frames.

    `fraction` is 0 to 1; NaN where nothing was to judge leaves a gap.
    """
    at, share = np.asarray(x, dtype=float), np.asarray(fraction, dtype=float)
    with Sheet(8.0, 2.9) as sheet:
        axes = sheet.axes
        marker = "o" if np.isfinite(share).sum() <= 60 else ""
        axes.plot(at, 100 * share, color=SICK, marker=marker, ms=3.5)
        if not np.isfinite(share).any():
            say(axes, "nothing to judge in any frame")
        axes.set(ylim=(-2, 102), xlabel=x_label, ylabel=f"{positive} area (% of judged area)")
        known = share[np.isfinite(share)]
        trend = f", from {known[0]:.0%} to {known[-1]:.0%}" if known.size else ""
        return sheet.picture(
            f"Share of the judged area that is {positive} over {at.size} time points{trend}.",
            f"Share of the judged area whose {p_of(positive)} reaches the threshold.",
        )
