"""How much area a stain lights in treated wells and in controls: whether a treatment kills."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from livewell.doses.wells import difference, ends, resampled
from livewell.errors import Fault, TableError
from livewell.metrics.intervals import interval
from livewell.tables.schemas import as_text

WELLS = ["by", "time", "group", "images", "lit"]
"""Columns of a table of wells: treatment, time (``all`` where none is told apart), the well,
number of images, share of their area that is lit (mean over images, 0 to 1)."""
TREATMENTS = [
    *("by", "time", "wells", "lit", "low", "high", "method"),
    *("above_control", "above_low", "above_high"),
]
"""Columns of a table of treatments: mean over wells with its 95% interval, and how far it lies
above the control's at that time (-1 to 1); NaN where a well alone leaves nothing to resample."""
ALL_TIMES = "all"


@dataclass(frozen=True, slots=True)
class LitDesign:
    """Which columns of the fields table say what: treatment and its control, time, well.

    `time` is ``None`` where all images count as of one time. Wells of several plates are told apart
    where `group` is ``well``.
    """

    by: str
    control: str
    time: str | None = None
    group: str = "well"

    @property
    def columns(self) -> list[str]:
        """Columns that a table of images must have."""
        return [self.by, *([self.time] if self.time else []), self.group]


@dataclass(frozen=True)
class LitArea:
    """Lit area by well and by treatment, columns `WELLS` and `TREATMENTS`, times in order."""

    wells: pd.DataFrame
    treatments: pd.DataFrame
    design: LitDesign


def lit_area(images: pd.DataFrame, design: LitDesign, *, seed: int = 0) -> LitArea:
    """Lit area of wells and treatments; wells weigh alike, and are resampled whole.

    `images` has one row an image: ``lit`` (0 to 1) and the columns that `design` names.
    """
    refuse_design(images, design)
    rows = pd.DataFrame(
        {
            "by": as_text(images[design.by]),
            "time": _times(images[design.time]) if design.time else ALL_TIMES,
            "group": _groups(images, design),
            "lit": images["lit"],
        }
    )
    keys = ["time", "by", "group"]
    wells = rows.groupby(keys)["lit"].agg(images="size", lit="mean").reset_index()[WELLS]
    found = [
        (name, time, *_estimates(part, wells, design, seed))
        for (time, name), part in wells.groupby(["time", "by"])
    ]
    return LitArea(wells, pd.DataFrame(found, columns=TREATMENTS), design)


def refuse_design(images: pd.DataFrame, design: LitDesign) -> None:
    """Refuse images whose columns do not say what `design` asks for; all faults at once."""
    missing = [name for name in design.columns if name not in images]
    found = [
        Fault("missing-column", name, f"no such column; there are {', '.join(images.columns)}")
        for name in missing
    ]
    for name in design.columns:
        if name in images and images[name].isna().any():
            number = int(images[name].isna().sum())
            found.append(Fault("empty-value", name, f"{number} of {len(images)} images have none"))
    if not found:
        found += _value_faults(images, design)
    if found:
        raise TableError(
            "lit areas cannot be compared",
            found,
            remedy="name other columns (--by, --control, --time, --group), or add them when"
            " indexing (--metadata, --pattern)",
        )


def _value_faults(images: pd.DataFrame, design: LitDesign) -> Iterable[Fault]:
    values = as_text(images[design.by])
    known = ", ".join(sorted(values.unique()))
    if not (values == design.control).any():
        yield Fault("no-control", design.by, f"no image is {design.control}; there are {known}")
    elif values.nunique() < 2:
        yield Fault("one-value", design.by, f"all images are {known}: nothing to compare")
    for group, part in values.groupby(_groups(images, design)):
        found = sorted(part.unique())
        if len(found) > 1:
            text = f"is {', '.join(found)}; a well has one treatment"
            yield Fault("two-treatments", f"{design.group} {group}", text)


def _times(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Times as numbers where all are, so that they come in order; else as text."""
    numbers = pd.to_numeric(values, errors="coerce")
    return values.astype("str") if numbers.isna().any() else numbers


def _groups(images: pd.DataFrame, design: LitDesign) -> "pd.Series[str]":
    names = images[design.group].astype("str")
    if design.group == "well" and "plate" in images and images["plate"].notna().any():
        return images["plate"].astype("str").fillna("") + "/" + names
    return names


def _estimates(
    part: pd.DataFrame, wells: pd.DataFrame, design: LitDesign, seed: int
) -> tuple[object, ...]:
    """The columns `TREATMENTS` after the first two, of one treatment at one time."""
    shares = part["lit"].to_numpy(float)
    found = interval(float(shares.mean()), resampled(shares[:, None], seed)[:, 0], len(shares))
    own = (len(shares), found.value, *ends(found), found.method)
    same = wells[(wells["time"] == part["time"].iloc[0]) & (wells["by"] == design.control)]
    if part["by"].iloc[0] == design.control or same.empty:
        return (*own, float("nan"), float("nan"), float("nan"))
    between = difference(same["lit"].to_numpy(float), shares, seed)
    return (*own, between.value, between.low, between.high)
