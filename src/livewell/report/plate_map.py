"""The map of a plate that the reader works with: a shape a well, coloured by its value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from livewell.files import strict
from livewell.metrics.plates import POSITIVE, TREATED, UNTREATED
from livewell.plate import Plate, Well
from livewell.report.maps import HEALTH
from livewell.report.page import Picture, Widget
from livewell.report.style import HEALTHY, SICK, ink_on
from livewell.text import chance, plural

STEP = 20
"""Units of the drawing from well to well."""
SHAPES = {
    TREATED: "m-8-8h16v16h-16z",
    UNTREATED: "m-8.5 0a8.5 8.5 0 1 0 17 0a8.5 8.5 0 1 0-17 0z",
    POSITIVE: "m0-9.5l9.5 9.5l-9.5 9.5l-9.5-9.5z",
}
"""Outline of a well by its role, around its middle."""
MISSING = "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z"
STOPS = (HEALTHY, "#E9EAEB", SICK)
NUMBERED = 96
"""Wells of larger plates have no number in them."""
NARROWEST_PX = 13
"""From well to well on a narrow screen, where the map is scrolled."""


@dataclass(frozen=True, eq=False)
class Tiled:
    """The atlas of all fields' tiles of a plate, and the tiles of every well by name."""

    atlas: Picture
    columns: int
    edge: int
    wells: Mapping[str, Sequence[int]]


def plate_widget(
    name: str, size: Plate, wells: pd.DataFrame, score: str, tiled: Tiled | None, about: str
) -> Widget:
    """The map of one plate.

    `wells` has a row a well that is known: ``well``, ``row``, ``column``, ``role``, ``condition``,
    ``value``, ``low``, ``high``, ``note``, ``fields``, ``empty``, ``failed``, ``judged``, ``hit``,
    and of its condition's test ``difference``, ``difference_low``, ``difference_high``, ``p``,
    ``q``, ``replicates``. Wells of the plate that are not in it were not imaged.
    """
    shown = wells.sort_values(["row", "column"]).reset_index(drop=True)
    known = shown["value"].dropna()
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    scales = [
        {"name": "0 to 100%", "from": 0.0, "to": 1.0, "low": "0%", "high": "100%"},
        {
            "name": "range of this plate",
            "from": float(low),
            "to": float(high),
            "low": f"{low:.1%}",
            "high": f"{high:.1%}",
        },
    ]
    rows = [_row(row) for row in shown.to_dict("records")]
    tiles = {} if tiled is None else tiled.wells
    data = {
        "label": f"Map of plate {name}".strip() + f", {plural(len(known), 'judged well')};"
        " arrow keys step from well to well",
        "rows": size.rows,
        "columns": size.columns,
        "narrowest_px": NARROWEST_PX * size.columns,
        "row_names": [str(Well(row, 0))[:-2] for row in range(size.rows)],
        "column_names": [str(column + 1) for column in range(size.columns)],
        "score": score,
        "stops": list(STOPS),
        "scales": scales,
        "shapes": [_shape(row, size) for row in shown.to_dict("records")]
        + [_absent(well) for well in _not_known(shown, size)],
        "lost": [_middle(row) for row in shown.to_dict("records") if row["failed"]],
        "key": list(_key(shown, size)),
        "about_tiles": about,
        "wells": [row | {"tiles": list(tiles.get(row["name"], ()))} for row in rows],
        "atlas": None
        if tiled is None
        else {"uri": tiled.atlas.uri, "columns": tiled.columns, "edge": tiled.edge},
    }
    return Widget("plate.html", strict(data))


def _middle(row: Mapping[Any, Any]) -> tuple[int, int]:
    return STEP * int(row["column"]) + STEP // 2, STEP * int(row["row"]) + STEP // 2


def _not_known(shown: pd.DataFrame, size: Plate) -> list[Well]:
    known = set(zip(shown["row"], shown["column"], strict=True))
    return [well for well in size.wells() if (well.row, well.column) not in known]


def _absent(well: Well) -> tuple[Any, ...]:
    x, y = _middle({"row": well.row, "column": well.column})
    return x, y, MISSING, " none", "", "", "", ""


def _shape(row: Mapping[Any, Any], size: Plate) -> tuple[Any, ...]:
    """Middle, outline, classes, colour, number, its ink, and whether there is a cross."""
    value, (x, y) = row["value"], _middle(row)
    shape = SHAPES[row["role"]]
    if not row["judged"]:
        return x, y, shape, " none", "", "", "", ""
    hit = " hit" if row["hit"] else ""
    if np.isnan(value):
        return x, y, shape, f" bare{hit}", "", "", "", "x"
    colour = to_hex(HEALTH(value))
    numbered = size.rows * size.columns <= NUMBERED
    number = f"{100 * value:.0f}" if numbered else ""
    return x, y, shape, hit, colour, number, ink_on(colour), ""


def _key(shown: pd.DataFrame, size: Plate) -> Iterator[tuple[str, str, str]]:
    """Outline, class and meaning of every sign that there is."""
    for role, shape in SHAPES.items():
        if (shown["role"] == role).any():
            yield shape, "w", role
    square = SHAPES[TREATED]
    if shown["hit"].any():
        yield square, "w hit", "hit: differs from the untreated wells"
    if (shown["judged"] & shown["value"].isna()).any():
        yield "m-5-5l10 10m0-10l-10 10", "sign", "nothing judged"
    if (shown["failed"] > 0).any():
        yield "m9-9v14l-14-14z", "lost", "a field failed"
    if (~shown["judged"]).any():
        yield square, "w none", "in the plate map, not judged"
    if len(_not_known(shown, size)):
        yield MISSING, "w none", "no image, and not in the plate map"


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What the page's script knows of a well."""
    value = float(row["value"])
    return {
        "name": row["well"],
        "row": int(row["row"]),
        "column": int(row["column"]),
        "value": None if np.isnan(value) else value,
        "head": row["role"] if row["role"] != TREATED else ("hit" if row["hit"] else "treated"),
        "cells": list(_cells(row)),
    }


def _cells(row: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """What is told of a well: pairs of a word and a text."""
    yield "condition", str(row["condition"])
    if not row["judged"]:
        yield "value", "not judged"
        return
    yield "value", share_text(row["value"], row["low"], row["high"])
    if row["note"]:
        yield "interval", str(row["note"])
    counts = [f"{row['fields']:.0f} judged"]
    counts += [f"{row[name]:.0f} {said}" for name, said in LOSSES.items() if row[name]]
    yield "fields", ", ".join(counts)
    if np.isfinite(row["p"]):
        of = "" if row["replicates"] == 1 else f", mean of {row['replicates']:.0f} wells"
        ends = row["difference"], row["difference_low"], row["difference_high"]
        yield "less untreated", f"{points_text(*ends)}{of}"
        yield "p, corrected", f"{chance(row['p'])}, {chance(row['q'])}"


LOSSES = {"empty": "with nothing to judge", "failed": "failed"}


def share_text(value: float, low: float, high: float) -> str:
    """``12.3% (8.0-17.5%)``; without brackets where there is no interval."""
    if np.isnan(value):
        return "nothing judged"
    between = f" ({100 * low:.1f}-{100 * high:.1f}%)" if np.isfinite([low, high]).all() else ""
    return f"{value:.1%}{between}"


def points_text(value: float, low: float, high: float) -> str:
    """``+12.3 points (+8.0 to +17.5)``."""
    if np.isnan(value):
        return ""
    between = f" ({100 * low:+.1f} to {100 * high:+.1f})" if np.isfinite([low, high]).all() else ""
    return f"{100 * value:+.1f} points{between}"
