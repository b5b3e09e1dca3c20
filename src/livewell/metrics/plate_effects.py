"""Effects of a plate on its wells: trends over rows and columns, the edge, and taking them out.

They are looked for among untreated wells, or, where these are too few or lie too close together,
among all judged wells, where a layout of treatments cannot be told from an effect. Estimates are
robust: Theil and Sen's slope (1968, JASA 63:1379) from the first to the last row or column, Hodges
and Lehmann's (1963, Ann. Math. Stat. 34:598) shift of the edge, each with the interval of its
ranks. Tests permute wells: ranks of values against rows, columns, edge. Corrected after Holm (1979,
Scand. J. Stat. 6:65) for all effects of all plates of the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from livewell.metrics.intervals import LEVEL
from livewell.metrics.outcomes import Floats
from livewell.metrics.plates import MAD, UNTREATED, with_odds
from livewell.plate import Plate, Well
from livewell.text import plural

EFFECTS = ["plate", "effect", "of", "wells", "estimate", "low", "high", "p", "p_adjusted", "note"]
"""Columns of `plate_effects`: ``of`` says which wells, ``estimate`` is a difference of shares."""
ROWS, COLUMNS, EDGE = "row trend", "column trend", "edge"
"""From the first row to the last, from the first column to the last, the edge less the interior."""
PERMUTATIONS = 4999
LEAST_WELLS, LEAST_LINES = 6, 3
"""Wells, and different rows or columns, that a trend is told from."""
LEAST_WAYS = 40
"""Ways to choose the wells of the edge: with fewer no p below 0.05 is possible."""
SWEEPS = 10
"""Most rounds of median polish."""
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class _Measured:
    """Judged wells of a plate: positions that an effect goes by, and their shares."""

    at: Floats
    shares: Floats
    of: str


def plate_effects(wells: pd.DataFrame, formats: Mapping[Any, Plate], *, seed: int) -> pd.DataFrame:
    """Trends over rows and columns and the effect of the edge, a row each, columns `EFFECTS`.

    `wells` as in `livewell.metrics.hits.hits`, with ``row`` and ``column`` from 0; `formats` by
    plate. An effect that cannot be told has NaN for numbers, and a note.
    """
    rows = []
    for number, (plate, group) in enumerate(wells.groupby("plate", sort=True, dropna=False)):
        size = formats[plate]
        for effect in (ROWS, COLUMNS, EDGE):
            rows.append((plate, effect, *_effect(group, size, effect, [seed, number])))
    found = pd.DataFrame(rows, columns=[name for name in EFFECTS if name != "p_adjusted"])
    return found.assign(p_adjusted=holm(found["p"].to_numpy(float)))[EFFECTS]


def holm(p: Floats) -> Floats:
    """Values of p, corrected after Holm for how many there are; NaN are no tests."""
    made = np.full(len(p), np.nan)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]
    left = len(order) - np.arange(len(order))
    made[order] = np.minimum(np.maximum.accumulate(p[order] * left), 1.0)
    return made


def on_edge(rows: Any, columns: Any, size: Plate) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether wells lie in the outermost rows or columns of a plate."""
    row, column = np.asarray(rows), np.asarray(columns)
    last = (row == size.rows - 1) | (column == size.columns - 1)
    return np.asarray((row == 0) | (column == 0) | last)


def _effect(
    group: pd.DataFrame, size: Plate, effect: str, seed: list[int]
) -> tuple[str, int, float, float, float, float, str]:
    """Which wells, how many, estimate, ends, p and note of one effect on one plate."""
    known = group[group["value"].notna()]
    untreated = known[known["role"] == UNTREATED]
    why = ""
    for rows, of in ((untreated, "untreated wells"), (known, "all wells")):
        position = {
            ROWS: rows["row"].to_numpy(float),
            COLUMNS: rows["column"].to_numpy(float),
            EDGE: on_edge(rows["row"], rows["column"], size).astype(float),
        }[effect]
        seen = _Measured(position, rows["value"].to_numpy(float), of)
        why = _too_few(seen, effect)
        if not why:
            low, value, high = _edge(seen) if effect == EDGE else _trend(seen, effect, size)
            note = "" if of == "untreated wells" else _of_all(untreated)
            return of, len(rows), value, low, high, _permuted(seen, seed), note
    nan = np.nan
    return "all wells", len(known), nan, nan, nan, nan, f"cannot be told: {why}"


def _of_all(untreated: pd.DataFrame) -> str:
    found = plural(len(untreated), "untreated well") + " do not tell it"
    return f"{found}, so all wells do: where treatments follow the layout, they are in it"


def _too_few(seen: _Measured, effect: str) -> str:
    """Why an effect cannot be told from these wells, or empty."""
    number, lines = len(seen.at), len(np.unique(seen.at))
    if effect == EDGE:
        edge = int(seen.at.sum())
        if comb(number, edge) < LEAST_WAYS:
            return f"{plural(edge, 'judged well')} on the edge, {number - edge} inside"
        return ""
    if number < LEAST_WELLS or lines < LEAST_LINES:
        what = "row" if effect == ROWS else "column"
        return f"{plural(number, 'judged well')} in {plural(lines, what)}"
    return ""


def _trend(seen: _Measured, effect: str, size: Plate) -> tuple[float, float, float]:
    """Low end, estimate and high end of the change from the first line to the last."""
    slope = stats.theilslopes(seen.shares, seen.at, alpha=LEVEL)
    steps = (size.rows if effect == ROWS else size.columns) - 1
    low, value, high = (
        float(np.clip(each * steps, -1, 1)) for each in (slope[2], slope[0], slope[3])
    )
    return low, value, high


def _edge(seen: _Measured) -> tuple[float, float, float]:
    """Low end, estimate and high end of what the edge lies above the interior."""
    edge = seen.at > 0
    gaps = np.sort((seen.shares[edge][:, None] - seen.shares[~edge]).ravel())
    one, two = int(edge.sum()), int((~edge).sum())
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(one * two * (one + two + 1) / 12)
    first = int(np.clip(np.floor(one * two / 2 - half), 0, len(gaps) - 1))
    return float(gaps[first]), float(np.median(gaps)), float(gaps[len(gaps) - 1 - first])


def _permuted(seen: _Measured, seed: list[int]) -> float:
    """Two-sided p of ranks of values against positions, wells permuted."""
    ranks = stats.rankdata(seen.shares)
    ranks -= ranks.mean()
    at = seen.at - seen.at.mean()
    observed = abs(float(ranks @ at))
    rng, beyond = np.random.default_rng(seed), 0
    for start in range(0, PERMUTATIONS, _CHUNK):
        count = min(_CHUNK, PERMUTATIONS - start)
        drawn = rng.permuted(np.broadcast_to(ranks, (count, len(ranks))), axis=1)
        # sums of other orders differ in their last digits
        beyond += int((np.abs(drawn @ at) >= observed - 1e-9).sum())
    return (beyond + 1) / (PERMUTATIONS + 1)


def polished(wells: pd.DataFrame) -> pd.DataFrame:
    """Wells with effects of rows and columns taken out by median polish, plate by plate.

    ``odds`` are what is left of log odds, beside the plate's middle; ``b_score`` is that without
    the middle, in robust standard deviations of its plate (Brideau et al. 2003, J. Biomol. Screen.
    8:634; Tukey 1977). Plates with fewer than three rows or columns of three wells stay as they
    are, and have no B score.
    """
    table = with_odds(wells)
    table = table.assign(b_score=np.nan)
    for _, group in table[table["value"].notna()].groupby("plate", dropna=False):
        counts = [group[name].value_counts() for name in ("row", "column")]
        if any((count >= LEAST_LINES).sum() < LEAST_LINES for count in counts):
            continue
        grid = np.full((group["row"].max() + 1, group["column"].max() + 1), np.nan)
        at = group["row"].to_numpy(int), group["column"].to_numpy(int)
        grid[at] = group["odds"]
        left, middle = _median_polish(grid)
        rest = left[at]
        spread = MAD * float(np.median(np.abs(rest - np.median(rest))))
        table.loc[group.index, "odds"] = rest + middle
        if spread > 0:
            table.loc[group.index, "b_score"] = rest / spread
    return table


def _median_polish(grid: Floats) -> tuple[Floats, float]:
    """What is left of a grid (NaN: no well), and its middle."""
    left, middle = grid.copy(), float(np.nanmedian(grid))
    left -= middle
    for _ in range(SWEEPS):
        moved = 0.0
        for axis in (1, 0):
            lines = ~np.isnan(left).all(axis=axis)
            part = left[lines] if axis == 1 else left[:, lines]
            shift = np.nanmedian(part, axis=axis, keepdims=True)
            moved = max(moved, float(np.abs(shift).max()))
            part -= shift
            if axis == 1:
                left[lines] = part
            else:
                left[:, lines] = part
        if moved < 1e-6:
            break
    return left, middle


def lines_of_one(wells: pd.DataFrame) -> list[tuple[Any, str]]:
    """Plate, and row or column, of which more than half of the wells are of one condition.

    Median polish cannot tell such a line from what was done to its wells. `wells` has ``role`` and
    ``condition``; lines of fewer than three wells are left out.
    """
    known = wells[wells["value"].notna()]
    what = known["condition"].where(known["role"] == "treated", known["role"])
    found = []
    for axis, name in (("row", "row"), ("column", "column")):
        keys = [known["plate"], known[axis]]
        for (plate, line), kinds in what.groupby(keys, sort=True, dropna=False):
            if len(kinds) >= LEAST_LINES and 2 * kinds.value_counts().iloc[0] > len(kinds):
                at = int(str(line))
                label = str(Well(at, 0))[:-2] if axis == "row" else str(at + 1)
                found.append((plate, f"{name} {label}"))
    return found
