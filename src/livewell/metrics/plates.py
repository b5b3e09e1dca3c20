"""Wells of a plate: one value a well, and an interval that resamples what lies in it.

A well's value is the share of its patches that is called positive, or their mean probability; its
fields weigh by their patches. Fields of a well are resampled, never patches, see
`livewell.metrics.intervals`. A well of one field holds nothing to resample: its interval is how far
another well of the same treatment might lie, from the spread of untreated wells of its plate.

Wells are compared on log odds, half a patch added to either side (Haldane 1956, Ann. Hum. Genet.
20:309), on which shares near 0 vary as others do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from livewell.metrics.intervals import LEVEL, interval
from livewell.metrics.outcomes import Floats

WELL = ["plate", "well", "row", "column"]
"""Columns that name a well: plate (empty where there is one without a name), name, row and column
from 0."""
RESAMPLES = 2000
MAD = 1.4826
"""A median absolute deviation times this is the standard deviation of a normal distribution."""
MOST_FREE = 6
"""A spread of more untreated wells is not believed to be known better: wells far out are more than
a normal distribution has, and no plate holds the untreated wells that would show how many."""
TREATED, UNTREATED, POSITIVE = "treated", "untreated", "positive control"
"""Roles of wells. Wells of unknown role are treated ones."""
SPREAD = "untreated wells"
"""Method of an interval that comes from untreated wells, for want of fields."""


def log_odds(values: Any, patches: Any) -> Floats:
    """Shares (0 to 1) of so many patches as log odds, half a patch added to either side."""
    share, count = np.asarray(values, dtype=float), np.asarray(patches, dtype=float)
    return np.asarray(np.log(share * count + 0.5) - np.log((1 - share) * count + 0.5))


def shares(odds: Any) -> Floats:
    """Log odds as shares, 0 to 1."""
    return np.asarray(expit(np.asarray(odds, dtype=float)))


def least_variance(share: float, patches: Any) -> float:
    """Mean variance of log odds of a share if all patches of a well were independent.

    That of counts with one patch added to either side, which is above the true one where counts are
    so small that log odds hardly vary.
    """
    count = np.maximum(np.asarray(patches, dtype=float), 1)
    return float(np.mean(1 / (share * count + 1) + 1 / ((1 - share) * count + 1)))


def well_values(fields: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """A row a well: its value with an interval, and how many fields it rests on.

    Parameters
    ----------
    fields
        A row a field: `WELL`, ``value`` (0 to 1), ``patches`` (judged ones; 0: nothing to judge)
        and ``failed`` (whether it could not be read or judged at all).
    seed
        Of the resampling, which is the same for all wells of as many fields.

    Returns
    -------
    pandas.DataFrame
        `WELL`, ``value`` (NaN where nothing was judged), ``low``, ``high``, ``method``, ``note``,
        ``fields`` (judged), ``empty`` (with nothing to judge), ``failed`` and ``patches``.
    """
    good = ~fields["failed"].to_numpy(bool) & (fields["patches"] > 0) & fields["value"].notna()
    table = fields.assign(good=good)
    value, patches, failed = (
        table[name].to_numpy(float) for name in ("value", "patches", "failed")
    )
    judged, drawn, rows = table["good"].to_numpy(bool), _Draws(seed), []
    for well, group in table.reset_index(drop=True).groupby(WELL, sort=True, dropna=False):
        at = group.index.to_numpy()
        used, lost = at[judged[at]], int(failed[at].sum())
        found = _of_fields(value[used], patches[used], drawn)
        counts = (len(used), len(at) - len(used) - lost, lost, int(patches[used].sum()))
        rows.append((*tuple(well), *found, *counts))
    names = [*WELL, "value", "low", "high", "method", "note"]
    names += ["fields", "empty", "failed", "patches"]
    return pd.DataFrame(rows, columns=names)


class _Draws(dict[int, Floats]):
    """How often each of so many fields is drawn in each resample, (resamples, fields)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __missing__(self, fields: int) -> Floats:
        rng = np.random.default_rng([self.seed, fields])
        drawn = rng.multinomial(fields, np.full(fields, 1 / fields), size=RESAMPLES)
        self[fields] = drawn.astype(np.float64)
        return self[fields]


def _of_fields(
    values: Floats, patches: Floats, drawn: _Draws
) -> tuple[float, float, float, str, str]:
    """Value, ends, method and note of one well."""
    nan = np.nan
    if not len(values):
        return nan, nan, nan, "none", "nothing was judged"
    value = float(np.average(values, weights=patches))
    if len(values) == 1:
        return value, nan, nan, "none", "one field: no interval within the well"
    order = np.lexsort((patches, values))  # the order of fields says nothing
    weights = drawn[len(values)] * patches[order]
    means = weights @ values[order] / weights.sum(axis=1)
    found = interval(value, means, len(values))
    return value, found.low, found.high, found.method, found.note.replace("group", "field")


@dataclass(frozen=True, slots=True)
class Untreated:
    """Untreated wells of one plate: their number, mean share, and log odds: mean and variance.

    The variance is at least that of independent patches, so that wells which happen to agree are
    not taken for a proof that wells agree; NaN of one well.
    """

    wells: int
    share: float
    mean: float
    variance: float

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Untreated":
        """From judged wells: ``value``, ``patches`` and ``odds``."""
        share, odds = float(rows["value"].mean()), rows["odds"].to_numpy(float)
        spread = float(np.var(odds, ddof=1)) if len(odds) > 1 else np.nan
        variance = float(np.maximum(spread, least_variance(share, rows["patches"])))
        return cls(len(rows), share, float(odds.mean()), variance)

    @property
    def free(self) -> int:
        """Degrees of freedom of the spread, at most `MOST_FREE`."""
        return min(self.wells - 1, MOST_FREE)

    def variance_of(self, patches: Floats) -> float:
        """Variance of a well like these, of wells with perhaps fewer patches."""
        return max(self.variance, least_variance(self.share, patches))


def with_odds(wells: pd.DataFrame) -> pd.DataFrame:
    """Wells with their ``odds``, where these do not stand there, corrected, already."""
    return (
        wells if "odds" in wells else wells.assign(odds=log_odds(wells["value"], wells["patches"]))
    )


def untreated_of(wells: pd.DataFrame) -> dict[Any, Untreated]:
    """What is known of untreated wells by plate, of plates that have a judged one."""
    known = with_odds(wells[wells["value"].notna() & (wells["role"] == UNTREATED)])
    return {plate: Untreated.of(rows) for plate, rows in known.groupby("plate", dropna=False)}


def from_untreated(wells: pd.DataFrame) -> pd.DataFrame:
    """`wells` (with ``role``) where those of one field have intervals from untreated wells.

    Student's t on log odds with the spread of untreated wells of the plate: it says where another
    well treated alike might lie, if treated wells differ among themselves as untreated ones do.
    """
    made = wells.copy()
    for plate, base in untreated_of(wells).items():
        single = (wells["plate"] == plate) & (wells["fields"] == 1)
        if base.wells < 2 or not single.any():
            continue
        half = stats.t.ppf((1 + LEVEL) / 2, base.free) * np.sqrt(base.variance)
        value = wells.loc[single, "value"]
        middle = log_odds(value, wells.loc[single, "patches"])
        made.loc[single, "low"] = np.minimum(shares(middle - half), value)
        made.loc[single, "high"] = np.maximum(shares(middle + half), value)
        made.loc[single, "method"] = SPREAD
        said = f"one field: from the spread of {base.wells} untreated wells"
        made.loc[single, "note"] = said
    return made
