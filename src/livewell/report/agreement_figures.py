"""Figures of persons who answered the same items."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from numpy.typing import NDArray

from livewell.report.doses import DoseAxis, dose_head
from livewell.report.page import Picture
from livewell.report.style import (
    FAINT,
    HEALTHY,
    INK,
    SICK,
    Sheet,
    beside,
    class_look,
    cut,
    empty,
    ink_on,
    name_rows,
    name_ticks,
    tail,
    unit_axis,
)
from livewell.text import plural

MOST = 24
"""More persons than this are shown in part; the caption says so."""
NUMBERED = 12
"""Up to so many persons cells of a heat map hold their numbers."""
BLUES = LinearSegmentedColormap.from_list("agreement", ["#FFFFFF", HEALTHY])
Floats = NDArray[np.float64]


def overlap_bars(overlap: pd.DataFrame) -> Picture:
    """How many items were answered by so many persons; columns persons, items."""
    if overlap.empty:
        return empty("No answer says anything of agreement.", "Items by number of persons")
    with Sheet(4.4, 3.0) as sheet:
        axes = sheet.axes
        at, items = overlap["persons"].to_numpy(int), overlap["items"].to_numpy(int)
        bars = axes.bar(at, items, color=[FAINT if n < 2 else HEALTHY for n in at], width=0.7)
        axes.bar_label(bars, [f"{n:,}" for n in items], padding=2, size=9)
        axes.set_xticks(at if len(at) <= 12 else at[:: -(-len(at) // 12)])
        axes.margins(y=0.12)
        axes.set(xlabel="persons who answered", ylabel="items")
        said = ", ".join(f"{n:,} by {k}" for k, n in zip(at, items, strict=True))
        return sheet.picture(
            f"Items by number of persons who answered: {said}.",
            "Only items that two persons or more answered (blue) say anything of agreement.",
        )


def kappa_map(pairs: pd.DataFrame, persons: Sequence[str]) -> Picture:
    """Cohen's kappa of every pair of persons; columns person, other, items, kappa."""
    title = "Cohen's kappa of pairs of persons"
    if not pairs["kappa"].notna().any():
        return empty("No two persons answered the same items.", title)
    shown = list(persons)[:MOST]
    table = np.full((len(shown), len(shown)), np.nan)
    place = {name: at for at, name in enumerate(shown)}
    for row in pairs.to_dict("records"):
        if row["person"] in place and row["other"] in place:
            one, other = place[row["person"]], place[row["other"]]
            table[one, other] = table[other, one] = row["kappa"]
    wide = 1.6 + 0.42 * max(len(shown), 4)
    with Sheet(wide + 0.9, wide) as sheet:
        axes = sheet.axes
        axes.set_facecolor("#EEF0F2")
        grid = axes.imshow(table, cmap=BLUES, vmin=0, vmax=1)
        _names(axes, shown)
        if len(shown) <= NUMBERED:
            _numbers(axes, table, [[_two(value) for value in row] for row in table])
        sheet.figure.colorbar(grid, ax=axes, shrink=0.8, label="kappa", extend="min")
        known = pairs["kappa"].dropna()
        more = f" The first {MOST} of {len(persons)} persons." if len(persons) > MOST else ""
        return sheet.picture(
            f"{title}: {plural(len(known), 'pair')}, from {known.min():.2f} to {known.max():.2f}.",
            "1 is perfect agreement, 0 what chance would give. Grey: no item in common, or one"
            f" class throughout.{more}",
        )


def confusions(confusion: pd.DataFrame, classes: Sequence[str]) -> Picture:
    """What each person says beside what most others say: shares of rows, and counts.

    Columns person, others, answer, items, as `metrics.annotators.CrewAgreement.confusion`.
    """
    title = "Each person beside most others"
    sums = confusion.groupby("person", sort=False)["items"].sum()
    persons = [str(name) for name in sums.index[sums > 0]]
    if not persons:
        return empty("Nobody's items were answered by others too.", title)
    shown, number = persons[:NUMBERED], len(classes)
    across = min(len(shown), 4)
    rows, side = -(-len(shown) // across), 1.5 + 0.12 * number
    with Sheet(
        max(2.2 * across, 4.4), side * rows + 0.5, rows=rows, columns=across, used=len(shown)
    ) as sheet:
        for axes, person in zip(sheet.panels, shown, strict=False):
            mine = confusion[confusion["person"] == person]
            counts = mine["items"].to_numpy(float).reshape(number, number)
            total = counts.sum(axis=1, keepdims=True)
            unknown: Floats = np.full_like(counts, np.nan)
            shares = np.divide(counts, total, out=unknown, where=total > 0)
            axes.set_facecolor("#EEF0F2")
            axes.imshow(shares, cmap=BLUES, vmin=0, vmax=1, aspect="auto")
            axes.set_title(tail(person, 18), size=9.5)
            _names(axes, classes, 10)
            texts = [
                [
                    f"{c:.0f}" if np.isnan(s) else f"{s:.0%}\n{c:.0f}"
                    for c, s in zip(*row, strict=True)
                ]
                for row in zip(counts, shares, strict=True)
            ]
            _numbers(axes, shares, texts)
        sheet.figure.supylabel("most others say", size=9.5)
        sheet.figure.supxlabel("this person says", size=9.5)
        more = (
            f" The first {NUMBERED} of {len(persons)} persons." if len(persons) > NUMBERED else ""
        )
        return sheet.picture(
            f"{title}: {', '.join(cut(name, 20) for name in shown)}.",
            "Rows: what most others say of an item. Shares of a row, and how many items; ties among"
            f" the others are left out.{more}",
            wide=True,
        )


def dose_shares(doses: pd.DataFrame, classes: Sequence[str]) -> Picture:
    """Share of answers by dose with intervals; columns of `CrewAgreement.doses`, one unit."""
    drawn = list(classes) if len(classes) > 2 else [classes[0]]
    axis = DoseAxis(doses["dose"].to_numpy(float))
    with Sheet(6.4, 3.6) as sheet:
        axes = sheet.axes
        for name in drawn:
            look, part = class_look(list(classes).index(name)), doses[doses["class"] == name]
            part = part.sort_values("dose")
            x, y = axis.at(part["dose"].to_numpy(float)), part["share"].to_numpy(float)
            if len(drawn) > 1:
                x = x + 0.06 * axis.gap * (drawn.index(name) - (len(drawn) - 1) / 2)
            low, high = part["low"].to_numpy(float), part["high"].to_numpy(float)
            axes.vlines(x, low, high, color=look.colour, lw=2, alpha=0.55)
            style: dict[str, Any] = {"color": look.colour, "marker": look.mark, "ls": look.dash}
            axes.plot(x, y, label=cut(name, 24), lw=1.4, ms=6, **style)
        axis.dress(axes, str(doses["dose_unit"].iloc[0]))
        unit_axis(axes, "y", 0.03)
        axes.grid(axis="y", color=FAINT, lw=0.6, alpha=0.7)
        axes.set_ylabel(f"answers {cut(drawn[0], 24)}" if len(drawn) == 1 else "share of answers")
        if len(drawn) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
        first = doses[doses["class"] == drawn[0]].sort_values("dose")
        said = ", ".join(
            f"{share:.0%} at {dose:g}"
            for dose, share in zip(first["dose"], first["share"], strict=True)
        )
        unit = dose_head(str(doses["dose_unit"].iloc[0]))
        return sheet.picture(
            f"Share of answers {drawn[0]} by {unit}: {said}.",
            "Share of answers and 95% interval at every dose, unsure ones left out.",
            wide=True,
        )


def shares_of_people(
    people: pd.DataFrame, columns: Sequence[tuple[str, str]], label: str, caption: str
) -> Picture:
    """Shares of every person with intervals, up to two beside each other: (column, its name)."""
    known = people[people[[name for name, _ in columns]].notna().any(axis=1)].head(MOST)
    if known.empty:
        return empty("Nobody has any.", label)
    looks = [(HEALTHY, "o"), (SICK, "s")]
    with Sheet(8.0, 0.95 + 0.34 * len(known)) as sheet:
        axes = sheet.axes
        rows = name_rows(axes, [cut(name, 36) for name in known["person"]])
        said = []
        for at, ((name, text), (colour, mark)) in enumerate(zip(columns, looks, strict=False)):
            y = rows + (0.14 - 0.28 * at if len(columns) > 1 else 0)
            value, low, high = (
                known[each].to_numpy(float) for each in (name, f"{name}_low", f"{name}_high")
            )
            axes.hlines(y, low, high, color=colour, lw=2.2, alpha=0.55)
            axes.scatter(value, y, s=34, color=colour, marker=mark, zorder=3, label=text)
            said += [
                f"{person} {text} {share:.0%}"
                for person, share in zip(known["person"], value, strict=True)
                if share == share
            ]
        if len(columns) == 1:
            for y, share in zip(rows, known[columns[0][0]], strict=True):
                beside(axes, y, "" if share != share else f"{share:.0%}")
        else:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, handletextpad=0.2)
        unit_axis(axes, "x")
        axes.grid(axis="x", color=FAINT, lw=0.6, alpha=0.7)
        axes.set_xlabel(f"{label}, 95% interval")
        return sheet.picture(f"{label}: {'; '.join(said)}.", caption, wide=True)


def speed(people: pd.DataFrame) -> Picture:
    """Median seconds an answer of every person, with the middle half of the answers."""
    known = people[people["median_s"].notna()].head(MOST)
    if known.empty:
        return empty("No times of answers are known.", "Seconds an answer")
    with Sheet(8.0, 0.95 + 0.3 * len(known)) as sheet:
        axes = sheet.axes
        rows = name_rows(axes, [cut(name, 36) for name in known["person"]])
        ends = (known["q1_s"].to_numpy(float), known["q3_s"].to_numpy(float))
        axes.hlines(rows, *ends, color=INK, lw=2.2, alpha=0.45)
        axes.scatter(known["median_s"], rows, s=34, color=INK, zorder=3)
        for row, value in zip(rows, known["median_s"], strict=True):
            beside(axes, row, f"{value:.1f} s")
        axes.set_xlim(left=0)
        axes.grid(axis="x", color=FAINT, lw=0.6, alpha=0.7)
        axes.set_xlabel("seconds an answer: median and middle half")
        pairs = zip(known["person"], known["median_s"], strict=True)
        said = "; ".join(f"{person} {value:.1f}" for person, value in pairs)
        return sheet.picture(f"Median seconds an answer: {said}.", "", wide=True)


def _names(axes: Axes, names: Sequence[str], most: int = 14) -> None:
    at = list(range(len(names)))
    turned: dict[str, Any] = {"rotation": 45, "ha": "right"} if max(map(len, names)) > 5 else {}
    name_ticks(axes, "x", at, names, most, size=8.5, **turned)
    name_ticks(axes, "y", at, names, most, size=8.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _numbers(axes: Axes, shares: Floats, texts: Sequence[Sequence[str]]) -> None:
    for (row, column), share in np.ndenumerate(shares):
        under = "#EEF0F2" if np.isnan(share) else to_hex(BLUES(float(share)))
        style: dict[str, Any] = {"ha": "center", "va": "center", "size": 8.5}
        axes.text(column, row, texts[row][column], color=ink_on(under), **style)


def _two(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
