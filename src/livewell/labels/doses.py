"""Doses of images as numbers, and everything that can be wrong with them."""

import pandas as pd

from livewell.errors import Fault
from livewell.tables.faults import listed


def doses(
    fields: pd.DataFrame, sick_from: float | None = None
) -> "tuple[pd.Series[float], list[Fault]]":
    """Dose of every image (NaN where it is no number), and what is wrong with the doses.

    `fields` has a column dose and perhaps dose_unit. Where `sick_from` is given, an image must
    have that dose or more. Other faults: a dose missing, negative, infinite or not a number,
    several units, one dose only, no control of dose 0.
    """
    dose = pd.to_numeric(fields["dose"], errors="coerce").astype("float64")
    found = []
    rows = {
        "dose-missing": fields["dose"].isna(),
        "dose-not-a-number": fields["dose"].notna() & dose.isna(),
        "dose-negative": dose < 0,
        "dose-infinite": dose == float("inf"),
    }
    for code, wrong in rows.items():
        if wrong.any():
            values = listed(fields["dose"][wrong].unique())
            more = "" if code == "dose-missing" else f" ({values})"
            found.append(Fault(code, "dose", listed(fields["image"][wrong]) + more))
    units = list(fields["dose_unit"].dropna().unique()) if "dose_unit" in fields else []
    if len(units) > 1:
        text = f"doses in {listed(units)} cannot be compared"
        found.append(Fault("mixed-units", "dose_unit", text))
    if len(units) == 1 and fields["dose_unit"].isna().any():
        without = listed(fields.loc[fields["dose_unit"].isna(), "image"])
        text = f"some doses are in {units[0]}, others have no unit: {without}"
        found.append(Fault("unit-missing", "dose_unit", text))
    levels = sorted(dose.dropna().unique())
    if len(levels) == 1:
        found.append(Fault("one-dose", "dose", f"every position has {levels[0]:g}"))
    if 0.0 not in levels:
        least = f"; the least is {levels[0]:g}" if levels else ""
        found.append(Fault("no-control", "dose", f"no position has dose 0{least}"))
    if sick_from is not None and not any(level >= sick_from for level in levels):
        most = f"; the highest is {levels[-1]:g}" if levels else ""
        text = f"no position has dose {sick_from:g} or more{most}"
        found.append(Fault("no-high-dose", "dose", text))
    return dose, found
