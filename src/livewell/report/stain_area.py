"""The page of the area that a stain lights, treated beside control."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from livewell.doses.lit_area import ALL_TIMES, LitArea
from livewell.metrics.intervals import ROUGH_GROUPS
from livewell.report.page import Note, Page, Picture, Section, Table, Tone, cell, info, warn
from livewell.report.results import PageResults
from livewell.report.style import Sheet, class_look, cut, name_ticks
from livewell.text import listed, plural, sentence

SAID = 3
"""Most treatments that the headline names."""
SIDE = 0.12
"""Treatments of one time lie so far to either side of it."""


@dataclass(frozen=True)
class StainAreaResults(PageResults):
    """What `stain_area_page` shows: `area` lit by the channel `stain`."""

    stain: str
    area: LitArea

    @property
    def order(self) -> list[str]:
        """The treatments, the control first."""
        names = self.area.treatments["by"].unique()
        control = self.area.design.control
        return [control, *(name for name in names if name != control)]


def stain_area_page(results: StainAreaResults) -> Page:
    """The page of lit areas."""
    text, tone = headline(results)
    lead = "Mean over wells, wells weighing alike; 95% intervals resample wells."
    return results.page(text, tone, _sections(results), cautions(results), lead=lead)


def headline(results: StainAreaResults) -> tuple[str, Tone]:
    """What is lit at the last time at which treated wells and controls were measured."""
    table, control = results.area.treatments, results.area.design.control
    both = table[table["above_control"].notna()]
    if both.empty:
        return "At no time are there both treated wells and controls.", "warn"
    now = table[table["time"] == both["time"].iloc[-1]]
    base = now[now["by"] == control].iloc[0]
    told = now[now["by"] != control].head(SAID).to_dict("records")
    at = cell(base["time"])
    when = "" if at == ALL_TIMES else f"At {results.area.design.time} {at}, "
    parts = [f"{row['lit']:.1%} of the area with {row['by']} ({_beyond(row)})" for row in told]
    parts.append(f"{base['lit']:.1%} with {control}")
    text = f"{when}{results.stain} lights {listed(parts)}."
    treated = now[now["by"] != control]
    if rest := len(treated) - len(told):
        text += f" {plural(rest, 'more treatment')} below."
    shown = (treated["above_low"] > 0) | (treated["above_high"] < 0)
    return sentence(text), "info" if bool(shown.all()) else "warn"


def _beyond(row: dict[Any, Any]) -> str:
    """What the interval of the difference to the control allows to be said."""
    low, high = 100 * row["above_low"], 100 * row["above_high"]
    if not math.isfinite(low):
        return "one well, or wells that all agree: no interval"
    between = f"{low:.1f} to {high:.1f} points"
    if low <= 0 <= high:
        return f"no difference to the control is shown: {between}"
    if low > 0:
        return f"{between} more than the control"
    return f"{-high:.1f} to {-low:.1f} points less than the control"


def cautions(results: StainAreaResults) -> Iterator[Note]:
    """What to know before the areas are trusted."""
    table = results.area.treatments
    few = table.groupby("by")["wells"].max()
    few = few[few < ROUGH_GROUPS]
    if len(few):
        names = ", ".join(f"{name} has {count}" for name, count in few.items())
        yield warn(f"Intervals from fewer than {ROUGH_GROUPS} wells are rough: {names}.")
    alone = sorted(table.loc[table["above_control"].isna(), "by"].unique())
    alone = [str(name) for name in alone if name != results.area.design.control]
    if alone:
        yield warn(f"No control at some time of {', '.join(alone)}: nothing to compare there.")
    yield info(
        "A larger area says that more, larger or brighter cells are lit, not how many died: dead"
        " cells that have come off the bottom are not in the image."
    )


def _sections(results: StainAreaResults) -> Iterator[Section]:
    table, design = results.area.treatments, results.area.design
    rows = [
        (
            str(row["by"]),
            cell(row["time"]),
            str(row["wells"]),
            _percent(row["lit"], row["low"], row["high"]),
            _percent(row["above_control"], row["above_low"], row["above_high"]),
        )
        for row in table.to_dict("records")
    ]
    columns = [design.by, design.time or "time", "wells", "lit area", "above control"]
    shown = Table(columns, rows, "Per cent of the area, and points, with 95% intervals.", "llrrr")
    yield Section("Lit area by treatment", pictures=[lit_figure(results)], tables=[shown])
    wells = results.area.wells.assign(lit=[f"{share:.2%}" for share in results.area.wells["lit"]])
    yield Section("Well by well", tables=[Table.of(wells)])


def _percent(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return ""
    between = f" ({100 * low:.1f} to {100 * high:.1f})" if math.isfinite(low) else ""
    return f"{100 * value:.1f}{between}"


def lit_figure(results: StainAreaResults) -> Picture:
    """Lit area over time, one colour a treatment; dots are wells, bars the interval of the mean."""
    table, wells = results.area.treatments, results.area.wells
    times = list(dict.fromkeys(table["time"]))
    sides = np.linspace(-SIDE, SIDE, len(results.order)) if len(results.order) > 1 else [0.0]
    with Sheet(8.4, 3.8) as sheet:
        axes = sheet.axes
        for number, (name, side) in enumerate(zip(results.order, sides, strict=True)):
            look = class_look(number)
            mine, dots = table[table["by"] == name], wells[wells["by"] == name]
            x = np.array([times.index(time) for time in mine["time"]]) + side
            at = np.array([times.index(time) for time in dots["time"]]) + side
            faint: dict[str, Any] = {"color": look.colour, "marker": look.mark, "alpha": 0.35}
            axes.scatter(at, 100 * dots["lit"], s=16, lw=0, **faint)
            axes.vlines(x, 100 * mine["low"], 100 * mine["high"], color=look.colour, lw=1.6)
            count = plural(int(mine["wells"].max()), "well")
            style: dict[str, Any] = {"color": look.colour, "ls": look.dash, "marker": look.mark}
            axes.plot(x, 100 * mine["lit"], ms=6, label=f"{cut(str(name), 28)}, {count}", **style)
        name_ticks(axes, "x", range(len(times)), map(cell, times))
        axes.set_xlim(-0.6, len(times) - 0.4)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(results.area.design.time or "")
        axes.set_ylabel(f"area lit by {results.stain} (%)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        caption = "Pale dots are wells; bars are 95% intervals of the mean, from resampling wells."
        what = f"{len(results.order)} treatments over {plural(len(times), 'time')}"
        alt = f"Area lit by {results.stain} of {what}."
        return sheet.picture(alt, caption, wide=True)
