"""What a light budget learns from and judges, and the doses of a study, checked whole."""

from dataclasses import dataclass

import pandas as pd

from livewell.errors import Fault, TableError
from livewell.labels.doses import doses
from livewell.splitting.units import unit_names
from livewell.study.study import Study


@dataclass(frozen=True, slots=True)
class Plan:
    """What models learn from, and what they then judge.

    Parameters
    ----------
    sick_from
        Lowest dose whose wells are learnt as sick, in the study's unit.
    window_s
        Frames that are learnt from: from and to, seconds since the start; all where ``None``.
    at_s
        Frames that are judged; the same where ``None``.
    folds
        How many models, each tested on wells that it never saw.
    by
        Column that names the units that got one dose each, and are never split.
    every
        Every n-th frame only.
    stride_px
        From patch to patch; the profile's where ``None``.
    """

    sick_from: float
    window_s: tuple[float, float] | None = None
    at_s: tuple[float, float] | None = None
    folds: int = 4
    by: str = "well"
    every: int = 1
    stride_px: int | None = None


def doses_by_unit(study: Study, plan: Plan) -> "tuple[pd.Series[float], pd.Series[str]]":
    """Dose by unit and unit by image, after everything about doses was checked.

    All faults come at once: no column of doses, doses that are text, missing, negative or
    infinite, one dose only, no control, none as high as `Plan.sick_from`, several doses in one
    unit, images without a unit.
    """
    fields = study.fields()
    where = str(study.folder / "fields.parquet")
    remedy = "correct the plate map and index again"
    if "dose" not in fields:
        fault = Fault("missing-column", "dose", "the study's images have no dose")
        raise TableError("no doses to compare", [fault], where=where, remedy=remedy)
    units = unit_names(fields, plan.by)
    values, faults = doses(fields, plan.sick_from)
    if units.isna().any():
        text = f"no {plan.by} for {int(units.isna().sum())} images"
        faults.append(Fault("empty-value", plan.by, text))
    table = pd.DataFrame({"unit": units.to_numpy(), "dose": values.to_numpy()})
    kinds = table.dropna().groupby("unit")["dose"].nunique()
    faults += [
        Fault("several-doses", f"{plan.by} {unit}", "its images have different doses")
        for unit in kinds.index[kinds > 1]
    ]
    if {fault.code for fault in faults} == {"no-high-dose"}:
        remedy = f"give a --sick-from of at most {float(values.max()):g}"
    if faults:
        raise TableError("no doses to compare", faults, where=where, remedy=remedy)
    return table.groupby("unit")["dose"].first(), units


def highest_dose(study: Study) -> float:
    """The highest dose of a study; errors as of `doses_by_unit`."""
    dose, _ = doses_by_unit(study, Plan(0.0, by="image"))
    return float(dose.max())
