"""Hits of a plate: conditions that differ from the untreated wells of the same plate.

One test a condition, whose wells may lie on several plates: the mean over its wells of how far each
lies from the untreated wells of its own plate, on log odds (`livewell.metrics.plates`), against
Student's t with the spread of untreated wells alone. So a treatment in one well can be tested: the
null hypothesis is that its wells are as the untreated ones. Spreads of several plates are joined
after Satterthwaite (1946); a spread is at least that of independent patches, and has at most
`MOST_FREE` degrees of freedom, however many untreated wells there are.

The level of many tests is Benjamini and Hochberg's (1995, J. R. Stat. Soc. B 57:289) over all tests
of the run. p values far below what ranks alone could give (`least_by_rank`) rest on the form of the
distribution: no number of untreated wells that fits on a plate can show it so far out.

How often there is any hit where no treatment does anything is measured by ``false-hits`` in
BENCHMARKS.md: at most as often as nominally, but where single wells lie far out for no reason of
their treatment. No test of so few wells sees that; a treatment in several wells is the remedy.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

from livewell.errors import SpecError
from livewell.metrics.intervals import LEVEL
from livewell.metrics.outcomes import Floats
from livewell.metrics.plates import TREATED, Untreated, shares, untreated_of, with_odds

HITS = [
    *("condition", "wells", "plates", "names", "value", "untreated", "untreated_wells"),
    *("difference", "low", "high", "p", "q", "hit", "least_by_rank", "note"),
]
"""Columns of `hits`: ``wells`` and ``plates`` are counts, ``names`` the wells; ``value`` and
``untreated`` shares, 0 to 1, ``difference`` of the two with its interval; ``q`` is p corrected for
all tests of the run; ``least_by_rank`` the smallest two-sided p of ranks of so many wells."""
ALPHA = 0.05
"""False discoveries among hits, at most, on average."""


def hits(wells: pd.DataFrame, *, alpha: float = ALPHA) -> pd.DataFrame:
    """Every condition against untreated wells of its plates, columns `HITS`, the least p first.

    Parameters
    ----------
    wells
        ``plate``, ``well``, ``value`` (0 to 1, NaN: nothing judged), ``patches``, ``role`` and
        ``condition`` (treated wells of one condition are one test); where there is a column
        ``odds``, these log odds are compared, such as those corrected for effects of the plate.
    alpha
        False discoveries allowed, a share of the hits, above 0 and below 0.5.
    """
    if not 0 < alpha < 0.5:
        expected = "above 0 and below 0.5, such as 0.05"
        raise SpecError("out of range", where="--alpha", expected=expected, got=f"{alpha:g}")
    plates = untreated_of(wells)
    treated = with_odds(wells[wells["role"] == TREATED])
    table = _Wells(*(treated[name].to_numpy() for name in _Wells._fields))
    rows = [
        _tested(str(name), _Wells(*(column[at] for column in table)), plates)
        for name, at in treated.groupby("condition", sort=True, dropna=False).indices.items()
    ]
    found = pd.DataFrame(rows, columns=[name for name in HITS if name not in ("q", "hit")])
    tested = found["p"].notna().to_numpy(bool)
    q = np.full(len(found), np.nan)
    if tested.any():
        q[tested] = stats.false_discovery_control(found.loc[tested, "p"])
    found = found.assign(q=q, hit=q <= alpha)[HITS]
    return found.sort_values(["p", "condition"], kind="stable").reset_index(drop=True)


class _Wells(NamedTuple):
    """Wells of a condition, an array a column: a table of each would take most of the time."""

    plate: NDArray[Any]
    well: NDArray[Any]
    value: Floats
    patches: Floats
    odds: Floats

    def on(self, plate: Any) -> "_Wells":
        """The judged wells of one plate."""
        here = (self.plate == plate) & ~np.isnan(self.value)
        return _Wells(*(column[here] for column in self))


def _tested(name: str, wells: _Wells, plates: Mapping[Any, Untreated]) -> tuple[Any, ...]:
    """One row of `hits`, without q and hit."""
    of_plates, nan = list(dict.fromkeys(wells.plate.tolist())), np.nan
    pairs = zip(wells.plate.tolist(), wells.well.tolist(), strict=True)
    names = ", ".join(f"{plate}/{well}" if plate else well for plate, well in pairs)
    known = wells.value[~np.isnan(wells.value)]
    value = float(known.mean()) if len(known) else nan
    of = (name, len(wells.well), len(of_plates), names, value)
    parts = [
        (plates[plate], rows)
        for plate in of_plates
        if plate in plates and plates[plate].wells > 1 and len((rows := wells.on(plate)).well)
    ]
    if not parts:
        return (*of, nan, 0, nan, nan, nan, nan, nan, _untested(known, of_plates, plates))
    number = sum(len(rows.well) for _, rows in parts)
    share = [len(rows.well) / number for _, rows in parts]
    gap = sum(float((rows.odds - base.mean).sum()) for base, rows in parts) / number
    spreads = [
        part**2 * (base.variance_of(rows.patches) / len(rows.well) + base.variance / base.wells)
        for part, (base, rows) in zip(share, parts, strict=True)
    ]
    free = sum(spreads) ** 2 / sum(
        spread**2 / base.free for spread, (base, _) in zip(spreads, parts, strict=True)
    )
    error = math.sqrt(sum(spreads))
    # of the special functions: those of distributions check their arguments for a millisecond
    p = 2 * float(special.stdtr(free, -abs(gap) / error))
    half = float(special.stdtrit(free, (1 + LEVEL) / 2)) * error
    untreated, at = (
        float(np.dot(share, [getattr(base, name) for base, _ in parts]))
        for name in ("share", "mean")
    )
    low, high = (float(shares(at + gap + end) - shares(at)) for end in (-half, half))
    difference = sum(float(rows.value.sum()) for _, rows in parts) / number - untreated
    # log odds of a mean are not the mean of log odds: the interval holds its own estimate
    ends = min(low, difference), max(high, difference)
    ways = math.prod(math.comb(base.wells + len(rows.well), base.wells) for base, rows in parts)
    controls = sum(base.wells for base, _ in parts)
    left = len(wells.well) - number
    note = f"{left} of its wells not in the test: not judged, or no untreated wells" if left else ""
    return (*of, untreated, controls, difference, *ends, p, min(2 / ways, 1.0), note)


def _untested(known: Floats, of_plates: list[Any], plates: Mapping[Any, Untreated]) -> str:
    """Why there is no test of a condition with these judged values."""
    if not len(known):
        return "nothing was judged in any of its wells"
    if any(plate in plates for plate in of_plates):
        return "one untreated well on its plate: nobody knows how wells differ"
    return "no untreated well on its plate"


def least_difference(
    wells: pd.DataFrame, tests: int, *, alpha: float = ALPHA
) -> dict[Any, tuple[float, float]]:
    """Below and above which share one treated well is a plate's first hit among so many tests.

    By plate of two untreated wells or more; `wells` as in `hits`.
    """
    found = {}
    for plate, base in untreated_of(wells).items():
        if base.wells > 1:
            error = np.sqrt(base.variance * (1 + 1 / base.wells))
            half = float(stats.t.isf(alpha / max(tests, 1) / 2, base.free)) * error
            found[plate] = float(shares(base.mean - half)), float(shares(base.mean + half))
    return found
