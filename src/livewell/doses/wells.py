"""Wells that got a dose: one row a well, checked whole and summarised by dose."""

import numpy as np
import pandas as pd

from livewell.errors import Fault, TableError, missing_columns
from livewell.metrics.intervals import Estimate, interval, signed_interval
from livewell.metrics.outcomes import Floats
from livewell.text import few

COLUMNS = {
    "well": "name of the well",
    "dose": "dose that the whole well got, 0 for a control",
    "positive": "number of patches called sick",
    "patches": "number of patches judged",
}
"""Columns of a table of wells; ``fraction`` is added by `check_wells`."""

RESAMPLES = 2000


def check_wells(table: pd.DataFrame) -> pd.DataFrame:
    """A table of wells in plain types, with the share of patches called sick.

    One row a well with the columns `COLUMNS`, further ones are kept; added is fraction, positive /
    patches, in [0, 1]. Refused, all faults at once, are a column that is missing, a well without a
    name or one that stands twice, a dose that is text, missing, negative or infinite, one dose for
    all wells, no control (dose 0), a number of patches that is not whole or below 1, positive not
    whole or outside 0 to patches.
    """
    found = missing_columns(
        table, {name: f"{doc}; the table has no such column" for name, doc in COLUMNS.items()}
    )
    rows = table.reset_index(drop=True)
    if rows.empty:
        found.append(Fault("empty", "rows", "there is no well"))
    else:
        found += _name_faults(rows) if "well" in rows else []
        found += _dose_faults(rows) if "dose" in rows else []
        found += _count_faults(rows)
    if found:
        raise TableError(
            "not a table of wells",
            found,
            remedy="give one row a well: name, dose (0 for controls), patches called sick and"
            " patches judged",
        )
    typed = rows.assign(
        well=rows["well"].astype("str"),
        dose=_numbers(rows["dose"]) + 0.0,  # -0.0 is 0
        positive=_numbers(rows["positive"]).astype("int64"),
        patches=_numbers(rows["patches"]).astype("int64"),
    )
    return typed.assign(fraction=typed["positive"] / typed["patches"])


def by_dose(wells: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Mean share of patches called sick at every dose, with an interval that resamples wells.

    One row a dose, from the lowest: dose, wells, patches, fraction (mean over wells, which weigh
    alike), low, high (`livewell.metrics.intervals.interval`: Student's t on the log odds below 10
    wells, exact binomial over wells where all agree, 0 to 1 for one well), method and note of that
    interval.
    """
    rows = []
    for number, (dose, group) in enumerate(check_wells(wells).groupby("dose", sort=True)):
        fraction = group["fraction"].to_numpy(float)
        count = len(fraction)
        # sorted: the wells' order says nothing
        means = resampled(np.sort(fraction)[:, None], [seed, number])[:, 0]
        found = interval(float(fraction.mean()), means, count)
        patches, ends = int(group["patches"].sum()), (found.low, found.high)
        rows.append((dose, count, patches, found.value, *ends, found.method, found.note))
    names = ["dose", "wells", "patches", "fraction", "low", "high", "method", "note"]
    return pd.DataFrame(rows, columns=names)


def resampled(shares: Floats, seed: int | list[int]) -> Floats:
    """Means over wells (rows) drawn with replacement, shape (`RESAMPLES`, columns).

    NaN is a well without a share, and a mean of none but such wells.
    """
    known, number = np.isfinite(shares), len(shares)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=RESAMPLES).astype(float)
    total = drawn @ known
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(drawn @ np.where(known, shares, 0) / np.where(total > 0, total, np.nan))


def difference(least: Floats, most: Floats, seed: int) -> Estimate:
    """How far the mean of the wells `most` lies above that of `least`, -1 to 1, both resampled.

    Shares are (n,), 0 to 1; ends are NaN where either has one well, or all wells of each agree.
    """
    shares = (least, most)
    means = [float(each.mean()) for each in shares]
    drawn = [resampled(each[:, None], seed + number)[:, 0] for number, each in enumerate(shares)]
    return signed_interval(means[1] - means[0], drawn[1] - drawn[0], min(map(len, shares)))


def ends(found: Estimate) -> tuple[float, float]:
    """An interval's ends; NaN instead of everything where one well leaves nothing to resample."""
    return (found.low, found.high) if found.method != "none" else (np.nan, np.nan)


def _numbers(values: "pd.Series[float]") -> "pd.Series[float]":
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _name_faults(rows: pd.DataFrame) -> list[Fault]:
    names = rows["well"].astype("str").str.strip()
    nameless = rows["well"].isna() | (names == "")
    counts = names[~nameless].value_counts(sort=False)
    twice = [
        Fault("duplicate-well", f"well {name}", f"stands in {count} rows")
        for name, count in counts[counts > 1].items()
    ]
    if nameless.any():
        return [Fault("well-missing", _where("well", nameless), "a well has no name"), *twice]
    return twice


def _dose_faults(rows: pd.DataFrame) -> list[Fault]:
    """Faults of the doses; text is a fault even where it reads as a number."""
    given = rows["dose"]
    dose = _numbers(given)
    texts = given.map(lambda value: isinstance(value, str)).astype(bool)
    wrong: dict[str, pd.Series[bool]] = {
        "dose-not-a-number": given.notna() & (dose.isna() | texts),
        "dose-missing": given.isna(),
        "dose-negative": dose < 0,
        "dose-infinite": dose.abs() == np.inf,
    }
    found = [
        Fault(code, _where("dose", bad), _values(given[bad]))
        for code, bad in wrong.items()
        if bad.any()
    ]
    levels = np.unique(dose[np.isfinite(dose) & (dose >= 0)])
    if len(levels) == 1:
        found.append(Fault("one-dose", "dose", f"every well has {levels[0]:g}"))
    if 0.0 not in levels:
        least = f"; the least is {levels[0]:g}" if len(levels) else ""
        found.append(Fault("no-control", "dose", f"no well has dose 0{least}"))
    return found


def _count_faults(rows: pd.DataFrame) -> list[Fault]:
    numbers = {name: _numbers(rows[name]) for name in ("patches", "positive") if name in rows}
    wrong: list[tuple[str, str, pd.Series[bool], str]] = []
    for name, values in numbers.items():
        broken = (values.abs() == np.inf) | ~(values % 1 == 0)
        wrong.append((f"{name}-not-whole", name, broken, "a whole number is needed"))
    if "patches" in numbers:
        text = "a well needs at least one patch"
        wrong.append(("patches-too-few", "patches", numbers["patches"] < 1, text))
    if "positive" in numbers:
        most = numbers.get("patches", pd.Series(np.inf, index=rows.index))
        outside = (numbers["positive"] < 0) | (numbers["positive"] > most.clip(lower=0))
        text = "0 to the number of patches is possible"
        wrong.append(("positive-out-of-range", "positive", outside, text))
    return [
        Fault(code, _where(name, bad), f"{_values(rows[name][bad])}; {text}")
        for code, name, bad, text in wrong
        if bad.any()
    ]


def _where(column: str, wrong: "pd.Series[bool]") -> str:
    """Column and rows, counted from 0."""
    return f"{column}, rows {few(wrong.index[wrong])}"


def _values(values: "pd.Series[float]") -> str:
    return ", ".join(repr(value) for value in values.unique().tolist()[:3])
