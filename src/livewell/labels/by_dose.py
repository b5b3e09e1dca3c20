"""Labels from dose and time: DeadNet's data set A."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from livewell.errors import Fault
from livewell.labels.doses import doses
from livewell.labels.made import Labels, Request, Route, refuse, two_classes
from livewell.labels.times import frame_times
from livewell.tables.faults import column_faults, near

ANY_TIME = (
    "Healthy frames are from any time, sick ones only from the window: the classes differ in time"
    " as well as in health, so a classifier may learn how old a culture is (density, settling)"
    " instead of how well. Match the times to be safe."
)
"""Note of labels whose healthy frames are not matched in time."""


@dataclass(frozen=True, slots=True)
class Dose(Route):
    """Label frames by the dose of their position and by time.

    Parameters
    ----------
    sick_from
        Doses from here on make a position sick; doses above 0 and below it are left out. Unit of
        the fields table's doses.
    window_s
        From (inclusive) and to (exclusive), seconds since the start.
    healthy_any_time
        Healthy frames from any time, as in the paper, instead of from the same window.

    Notes
    -----
    Source: Richmond et al. 2017 (DeadNet), data set A: healthy are frames of positions with dose
    0, sick the early frames of positions where all cells die.
    """

    sick_from: float
    window_s: tuple[float, float]
    healthy_any_time: bool = False

    def make(self, request: Request) -> Labels:
        """The labels, of the study's doses and the times of its frames."""
        classes = two_classes(request.classes, self.name)
        fields, headers = request.study.fields(), request.study.headers()
        return by_dose(fields, headers, self, classes=classes, healthy_only=request.healthy_only)


def by_dose(
    fields: pd.DataFrame,
    headers: pd.DataFrame,
    route: Dose,
    *,
    dead_by_end: Collection[str] | None = None,
    classes: tuple[str, str] = ("healthy", "sick"),
    healthy_only: bool = False,
) -> Labels:
    """One label a frame; the score is the dose.

    Parameters
    ----------
    dead_by_end
        Images of positions where every cell is dead or dying at the end (the paper's condition);
        only these can be sick. ``None``: every position with dose enough.
    healthy_only
        Only unlit frames are labelled; no position need have another dose.
    """
    found = column_faults(fields, ["dose"])
    first, last = route.window_s
    if not first < last:
        text = f"from {first:g} s to {last:g} s is no time"
        found.append(Fault("window-empty", "window_s", text))
    if not route.sick_from > 0:
        text = f"{route.sick_from:g} is not more than the control"
        found.append(Fault("dose", "sick_from", text))
    refuse(found, route.name)
    dose, dose_faults = doses(fields, None if healthy_only else route.sick_from)
    if healthy_only:
        dose_faults = [fault for fault in dose_faults if fault.code != "one-dose"]
    times, note, time_faults = frame_times(fields, headers)
    known = set(fields["image"])
    found = dose_faults + time_faults
    found += [
        Fault("unknown-image", f"dead_by_end, {image!r}", near(image, fields["image"]))
        for image in sorted(dead_by_end or ())
        if image not in known
    ]
    refuse(found, route.name, "complete the table of fields, or change the rule")

    frames = times.assign(dose=times["image"].map(dict(zip(fields["image"], dose, strict=True))))
    inside = frames["time_s"].ge(first) & frames["time_s"].lt(last)
    dosed = frames["dose"] >= route.sick_from
    doomed = dosed if dead_by_end is None else dosed & frames["image"].isin(set(dead_by_end))
    unlit = frames["dose"] == 0
    sick = doomed & inside & (not healthy_only)
    healthy = unlit if route.healthy_any_time else unlit & inside
    spans = f"{first:g} s to {last:g} s; frames are from "
    spans += f"{frames['time_s'].min():g} s to {frames['time_s'].max():g} s"
    for name, chosen in zip(classes, (healthy, sick), strict=True):
        if not chosen.any() and not (healthy_only and name == classes[1]):
            found.append(Fault("window-empty", "window_s", f"no {name} frame in {spans}"))
    refuse(found, route.name, "choose another window, in seconds since the start")

    kept = frames[healthy | sick]
    labels = [classes[int(value)] for value in sick[kept.index]]
    steps = {
        "images": len(fields),
        "frames": len(frames),
        "frames of doses between, dropped": int((~unlit & ~dosed).sum()),
        "frames of positions not dead at the end, dropped": int((dosed & ~doomed).sum()),
        "lit frames outside the window, dropped": int((doomed & ~inside).sum()),
        "unlit frames outside the window, dropped": int((unlit & ~healthy).sum()),
    }
    notes = ([ANY_TIME] if route.healthy_any_time else []) + ([note] if note else [])
    return Labels.of(route.name, kept, labels, classes, steps, score=kept["dose"], notes=notes)
