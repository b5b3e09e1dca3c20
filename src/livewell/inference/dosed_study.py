"""A study as a light budget sees it: a dose for every unit, and the frames that are judged."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from livewell.errors import Fault, SpecError, TableError
from livewell.inference.dosed import Plan, doses_by_unit
from livewell.labels.made import label_table
from livewell.labels.times import timed_frames
from livewell.models.files import Card
from livewell.models.profile import Profile
from livewell.models.specs import InputSpec
from livewell.splitting import confounds
from livewell.study.regions import Grid
from livewell.study.study import Study

APART = 0.1
"""Times judged differ where they begin or end apart by more than this share of all of them."""


@dataclass(frozen=True)
class DosedStudy:
    """A study and a plan, checked: dose by unit, unit by image, judged frames as labels on them.

    ``learnt_s`` are the times that are learnt from: from and to.
    """

    study: Study
    plan: Plan
    dose: "pd.Series[float]"
    units: "pd.Series[str]"
    learnt_s: tuple[float, float]
    frames: pd.DataFrame
    notes: tuple[str, ...]

    @classmethod
    def of(cls, study: Study, plan: Plan) -> "DosedStudy":
        """The study's doses, units and judged frames."""
        dose, units = doses_by_unit(study, plan)
        times, note = timed_frames(study)
        whole = float(times["time_s"].min()), float(times["time_s"].max()) + 1
        learnt = plan.window_s or whole
        start, stop = plan.at_s or learnt
        judged = times[times["time_s"].ge(start) & times["time_s"].lt(stop)]
        held = judged["image"].map(units).map(dose)
        missing = sorted(set(dose) - set(held))
        if missing:
            levels = ", ".join(f"{level:g}" for level in missing)
            where, option = f"{start:g} s to {stop:g} s", "--at-s" if plan.at_s else "--window-s"
            fault = Fault("window-empty", where, f"no frame of dose {levels}")
            remedy = f"choose other times with {option}"
            raise TableError("nothing to judge", [fault], remedy=remedy)
        frames = label_table(judged, [f"dose {level:g}" for level in held], "dose", held)
        notes = [
            *([note] if note else []),
            *_beyond_dose(study, plan, dose, units),
            *_apart(judged, held),
        ]
        return cls(study, plan, dose, units, learnt, frames, tuple(notes))

    def without(self, units: Collection[str]) -> "DosedStudy":
        """The same without some units, which are then neither judged nor counted as lost."""
        of_images = self.units[~self.units.isin(units)]
        return replace(
            self,
            dose=self.dose[~self.dose.index.isin(units)],
            units=of_images,
            frames=self.frames[self.frames["image"].isin(of_images.index)],
        )

    @property
    def unit(self) -> str:
        """Unit of the doses; empty where nobody knows it."""
        fields = self.study.fields()
        return next(iter(fields.get("dose_unit", pd.Series(dtype=str)).dropna().astype(str)), "")

    def grid(self, of: Card | InputSpec) -> Grid:
        """Where patches lie: as planned, else at the stride of a model or recipe."""
        return Grid(of.patch_px, self.plan.stride_px or of.stride_px, every=self.plan.every)


def refuse_frame_recipe(profile: Profile) -> None:
    """Refuse a recipe whose net sees whole frames where patches are counted."""
    if profile.sees_frames:
        raise SpecError(
            "a budget counts patches, and this recipe's net sees whole frames",
            where=f"profile {profile.name}",
            remedy="take FAST; for cells in whole frames use `livewell localise`",
        )


def _beyond_dose(
    study: Study, plan: Plan, dose: "pd.Series[float]", units: "pd.Series[str]"
) -> list[str]:
    """Warnings where doses differ in plate or experiment too."""
    fields = study.fields().assign(unit=units.to_numpy())
    fields["dose"] = fields["unit"].map(dose).map("{:g}".format)
    found = confounds.confounders(fields, "dose", None, unit="unit", noun=f"{plan.by}s")
    return list(confounds.warnings(found))


def _apart(judged: pd.DataFrame, dose: "pd.Series[float]") -> list[str]:
    """A warning where a dose is judged at other times than no light."""
    ends = judged.groupby(dose)["time_s"].agg(["min", "max"])
    unlit = ends.loc[0.0]
    away = ends[(ends - unlit).abs().max(axis=1) > APART * max(np.ptp(ends.to_numpy()), 1)]
    return [
        f"dose {level:g} is judged from {row['min']:g} s to {row['max']:g} s, no light from"
        f" {unlit['min']:g} s to {unlit['max']:g} s: a difference may be one of time; judge the"
        " same times with --at-s"
        for level, row in away.head(1).iterrows()
    ]
