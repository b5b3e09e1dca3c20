"""Labels from dose and time: DeadNet's data set A."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from livewell.errors import Fault
from livewell.labels.doses import doses
from livewell.labels.made import (
    Count,
    Labels,
    class_counts,
    class_faults,
    column_faults,
    image_faults,
    label_table,
    near,
    refuse,
)
from livewell.labels.times import frame_times

ROUTE = "dose"

ANY_TIME = (
    "Healthy frames are from any time, sick ones only from the window: the classes differ in time"
    " as well as in health, so a classifier may learn how old a culture is (density, settling)"
    " instead of how well. Match the times to be safe."
)
"""Note of labels whose healthy frames are not matched in time."""


@dataclass(frozen=True, slots=True)
class DoseRule:
    """Which doses and times count.

    Parameters
    ----------
    sick_from
        Doses from here on make a position sick; doses above 0 and below it are left out. Unit of
        the fields table's doses.
    window_s
        From (inclusive) and to (exclusive), seconds since the start.
    healthy_any_time
        Healthy frames from any time, as in the paper, instead of from the same window.
    """

    sick_from: float
    window_s: tuple[float, float]
    healthy_any_time: bool = False


def by_dose(
    fields: pd.DataFrame,
    headers: pd.DataFrame,
    rule: DoseRule,
    *,
    dead_by_end: Collection[str] | None = None,
    classes: tuple[str, str] = ("healthy", "sick"),
) -> Labels:
    """Label frames by the dose of their position and by time.

    Parameters
    ----------
    fields
        Schema `schemas.FIELDS`: image, dose; time_s, or t0 with the headers' frame_s.
    headers
        Schema `schemas.HEADERS`: image, frames, frame_s. Frame k is taken at
        time_s + k * frame_s.
    rule
        Which doses and times count.
    dead_by_end
        Images of positions where every cell is dead or dying at the end (the paper's condition);
        only these can be sick. ``None``: every position with dose enough.
    classes
        Names of (unlit, lit enough).

    Returns
    -------
    Labels
        One label a frame; the score is the dose.

    Raises
    ------
    TableError
        Holding every fault: a dose missing, negative or not a number, doses in several units, no
        control, no dose high enough, a file without header, frame interval or time, a window that
        is empty or holds no frame of a class, unknown images in `dead_by_end`.

    Notes
    -----
    Source: Richmond et al. 2017 (DeadNet), data set A: healthy are frames of positions with dose
    0, sick the early frames of positions where all cells die.
    """
    found = image_faults(fields) + class_faults(classes) + column_faults(fields, ["dose"])
    found += column_faults(headers, ["image", "frames"])
    if not rule.window_s[0] < rule.window_s[1]:
        text = f"from {rule.window_s[0]:g} s to {rule.window_s[1]:g} s is no time"
        found.append(Fault("window-empty", "window_s", text))
    if not rule.sick_from > 0:
        found.append(Fault("dose", "sick_from", f"{rule.sick_from:g} is not more than the control"))
    refuse(found, ROUTE)
    fields = fields.reset_index(drop=True)
    dose, dose_faults = doses(fields, rule.sick_from)
    times, note, time_faults = frame_times(fields, headers)
    found = dose_faults + time_faults + _end_faults(fields, dead_by_end)
    refuse(found, ROUTE, "complete the table of fields, or change the rule")

    frames = times.assign(dose=times["image"].map(dict(zip(fields["image"], dose, strict=True))))
    inside = frames["time_s"].ge(rule.window_s[0]) & frames["time_s"].lt(rule.window_s[1])
    dosed = frames["dose"] >= rule.sick_from
    doomed = dosed if dead_by_end is None else dosed & frames["image"].isin(set(dead_by_end))
    unlit = frames["dose"] == 0
    sick = doomed & inside
    healthy = unlit if rule.healthy_any_time else unlit & inside
    spans = f"{rule.window_s[0]:g} s to {rule.window_s[1]:g} s; frames are from "
    spans += f"{frames['time_s'].min():g} s to {frames['time_s'].max():g} s"
    for name, chosen in zip(classes, (healthy, sick), strict=True):
        if not chosen.any():
            found.append(Fault("window-empty", "window_s", f"no {name} frame in {spans}"))
    refuse(found, ROUTE, "choose another window, in seconds since the start")

    kept = frames[healthy | sick]
    labels = [classes[int(value)] for value in sick[kept.index]]
    table = label_table(kept, labels, ROUTE, kept["dose"])
    counts = (
        Count("images", len(fields)),
        Count("frames", len(frames)),
        Count("frames of doses between, dropped", int((~unlit & ~dosed).sum())),
        Count("frames of positions not dead at the end, dropped", int((dosed & ~doomed).sum())),
        Count("lit frames outside the window, dropped", int((doomed & ~inside).sum())),
        Count("unlit frames outside the window, dropped", int((unlit & ~healthy).sum())),
        *class_counts(table, classes),
    )
    notes = ([ANY_TIME] if rule.healthy_any_time else []) + ([note] if note else [])
    return Labels(table, counts, tuple(notes))


def _end_faults(fields: pd.DataFrame, dead_by_end: Collection[str] | None) -> list[Fault]:
    known = set(fields["image"])
    return [
        Fault("unknown-image", f"dead_by_end, {image!r}", near(image, known))
        for image in sorted(dead_by_end or ())
        if image not in known
    ]
