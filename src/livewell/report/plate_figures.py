"""Figures of a plate: wells by row, column and edge, and its controls side by side."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from livewell.metrics.plate_effects import COLUMNS, EDGE, ROWS, on_edge
from livewell.metrics.plates import POSITIVE, TREATED, UNTREATED
from livewell.plate import Plate, Well
from livewell.report.page import Picture
from livewell.report.style import FAINT, HEALTHY, INK, SICK, UNSURE, Sheet, name_ticks
from livewell.text import plural

LOOKS: dict[str, dict[str, Any]] = {
    TREATED: {"color": UNSURE, "marker": "s", "s": 9, "alpha": 0.55},
    UNTREATED: {"color": HEALTHY, "marker": "o", "s": 16, "alpha": 0.9},
    POSITIVE: {"color": SICK, "marker": "D", "s": 16, "alpha": 0.9},
}
"""Wells by role: colour and shape, as on the map."""
MOST_TICKS = 16


def effect_panels(wells: pd.DataFrame, size: Plate, effects: pd.DataFrame, score: str) -> Picture:
    """Judged wells of one plate by row, by column, and on the edge or inside it.

    Lines are medians of the wells that an effect was told from: untreated ones, or all.
    """
    known = wells[wells["value"].notna()]
    edge = on_edge(known["row"], known["column"], size)
    places = {
        ROWS: known["row"].to_numpy(float),
        COLUMNS: known["column"].to_numpy(float),
        EDGE: edge.astype(float),
    }
    names = {
        ROWS: [str(Well(row, 0))[:-2] for row in range(size.rows)],
        COLUMNS: [str(column + 1) for column in range(size.columns)],
        EDGE: ["inside", "edge"],
    }
    of = effects.set_index("effect")
    with Sheet(9.0, 3.0, columns=3, ratios=(1.0, 1.5, 0.6), share_y=True) as sheet:
        for axes, (effect, at) in zip(sheet.panels, places.items(), strict=True):
            _wells(axes, known, at)
            every = of.loc[effect, "of"] == "all wells"
            told = (known["role"] == UNTREATED).to_numpy(bool) | bool(every)
            medians = known["value"][told].groupby(at[told]).median()
            lines: dict[str, Any] = {"color": INK, "lw": 1.4, "marker": "_", "ms": 7, "zorder": 4}
            axes.plot(medians.index, 100 * medians, **lines)
            step = -(-len(names[effect]) // MOST_TICKS)
            ticks = range(0, len(names[effect]), step)
            name_ticks(axes, "x", ticks, names[effect][::step])
            axes.set_xlim(-0.7, len(names[effect]) - 0.3)
            axes.set_title(effect)
        sheet.axes.set_ylabel(f"{score} (%)", wrap=True)
        counts = ", ".join(
            f"{plural(int((known['role'] == role).sum()), 'well')} {role}"
            for role in LOOKS
            if (known["role"] == role).any()
        )
        return sheet.picture(
            f"Wells by row, by column, and on the edge or inside: {counts}.",
            f"Grey squares are treated wells, blue circles untreated ones{_positives(known)}; the"
            " line joins medians of the wells that the effect is told from.",
            wide=True,
        )


def _positives(known: pd.DataFrame) -> str:
    there = (known["role"] == POSITIVE).any()
    return ", orange diamonds positive controls" if there else ""


def _wells(axes: Axes, known: pd.DataFrame, at: Any) -> None:
    """Wells at their places, a little apart from each other."""
    rng = np.random.default_rng(0)
    jitter = rng.uniform(-0.22, 0.22, len(known))
    for role, look in LOOKS.items():
        here = (known["role"] == role).to_numpy(bool)
        axes.scatter((at + jitter)[here], 100 * known["value"][here], lw=0, zorder=3, **look)
    axes.grid(axis="y", color=FAINT, lw=0.5)


def controls_strip(wells: pd.DataFrame, score: str) -> Picture:
    """Judged wells of every plate by role, a column a plate."""
    known = wells[wells["value"].notna()]
    plates = list(dict.fromkeys(known["plate"]))
    width = float(np.clip(1.6 + 0.9 * len(plates), 4.6, 9.0))
    with Sheet(width, 3.2) as sheet:
        axes, rng = sheet.axes, np.random.default_rng(0)
        for number, role in enumerate((UNTREATED, TREATED, POSITIVE)):
            rows = known[known["role"] == role]
            at = rows["plate"].map(plates.index).to_numpy(float) + 0.27 * (number - 1)
            jitter = rng.uniform(-0.09, 0.09, len(rows))
            axes.scatter(at + jitter, 100 * rows["value"], lw=0, label=role, **LOOKS[role])
        name_ticks(axes, "x", range(len(plates)), [name or "plate" for name in plates], 18)
        axes.set_xlim(-0.6, len(plates) - 0.4)
        axes.set_ylabel(f"{score} (%)", wrap=True)
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncols=3, handletextpad=0.2)
        said = "; ".join(
            f"{role} median {known.loc[known['role'] == role, 'value'].median():.0%}"
            for role in LOOKS
            if (known["role"] == role).any()
        )
        return sheet.picture(f"Wells by role: {said}.", "", wide=width > 5)
