"""The parts of the page of agreement that speak of each person."""

import math
from typing import Any

import pandas as pd

from livewell.metrics.annotators import LEAST_DRIFT, CrewAgreement
from livewell.report.agreement_figures import confusions, shares_of_people, speed
from livewell.report.page import Section, info
from livewell.text import listed, several


def others(crew: CrewAgreement, item: str) -> Section | None:
    """How far each person says what most others say."""
    people = crew.people
    known = people[people["agrees"].notna()]
    if known.empty:
        return None
    text = (
        f"Of {several(item)} they share persons say what most others say of"
        f" {_range(known, 'agrees', 'compared')}. Others can be wrong together: this is agreement,"
        " not truth."
    )
    columns = [("agrees", "agrees with most others")]
    caption = "Each person against what most others say; ties among the others are left out."
    pictures = [shares_of_people(people, columns, "agrees with most others", caption)]
    pictures.append(confusions(crew.confusion, crew.classes))
    return Section("Each person beside the others", text, pictures)


def selves(crew: CrewAgreement) -> Section | None:
    """How far each person says the same of an item shown again."""
    people = crew.people
    shown = people[people["repeats"] > 0]
    if shown.empty:
        return None
    total = int(shown["repeats"].sum())
    same = (shown["same"] * shown["repeats"]).sum() / total
    text = (
        f"Shown an item a second time without knowing, persons say the same of {same:.0%}"
        f" ({total:,} hidden repeats): {_range(shown, 'same', 'repeats')}. Agreement with others"
        " can hardly be higher than this."
    )
    drift = [_name(row) for _, row in shown.iterrows() if _drifts(row)]
    halves = shown["same_early"].notna().any()
    if drift:
        text += f" {listed(drift)} became clearly more or less consistent from early to late."
    elif halves:
        text += " For nobody do early and late repeats differ clearly."
    text += _moves(shown, crew.sought)
    columns = [("same_early", "first half"), ("same_late", "second half")]
    caption = "Share of hidden repeats answered as the first time, by when they were shown."
    if not halves:
        columns, caption = [("same", "all")], caption.replace(", by when they were shown", "")
    notes = []
    few = shown[shown["repeats"] < LEAST_DRIFT]
    if len(few):
        names = listed([_name(row) for _, row in few.iterrows()][:6])
        least = f"fewer than {LEAST_DRIFT} repeats, too few to tell early from late"
        notes.append(info(f"{names}: {least}."))
    picture = shares_of_people(shown, columns, "says the same again", caption)
    return Section("Each person with themselves", text, [picture], notes=notes)


def _moves(shown: pd.DataFrame, sought: str) -> str:
    """Who calls the sought class more often, or less often, than before; an interval decides."""
    known = shown[shown["moved"] > 0]
    if known.empty:
        return ""
    text = f" Of answers that moved to or from {sought}, these went to it: "
    text += f"{_range(known, 'towards', 'moved')}; half of them where nothing drifts."
    more, less = known[known["towards_low"] > 0.5], known[known["towards_high"] < 0.5]
    for some, word in ((more, "more"), (less, "less")):
        if len(some):
            names = listed([_name(row) for _, row in some.iterrows()])
            text += f" {names} came to say {sought} {word} often."
    return text


def _drifts(row: "pd.Series[Any]") -> bool:
    """Whether the intervals of both halves do not touch."""
    ends = [row[f"same_{half}_{end}"] for half in ("early", "late") for end in ("low", "high")]
    return all(map(math.isfinite, ends)) and (ends[1] < ends[2] or ends[3] < ends[0])


def controls(crew: CrewAgreement) -> Section | None:
    """How far each person is right about what is known."""
    people = crew.people
    shown = people[people["controls"] > 0]
    if shown.empty:
        return None
    total = int(shown["controls"].sum())
    right = (shown["right"] * shown["controls"]).sum() / total
    text = (
        f"Of controls, whose class is known, {right:.0%} were called rightly ({total:,} answers)"
        f": {_range(shown, 'right', 'controls')}. Unsure is not right."
    )
    caption = "Share of control items called rightly."
    picture = shares_of_people(shown, [("right", "right")], "right on controls", caption)
    return Section("Controls", text, [picture])


def speeds(crew: CrewAgreement) -> Section | None:
    """How long each person takes."""
    people = crew.people
    known = people[people["median_s"].notna()]
    if known.empty:
        return None
    low, high = (known.loc[known["median_s"].agg(which)] for which in ("idxmin", "idxmax"))
    text = f"{_name(low)} takes {low['median_s']:.1f} s an answer"
    if low["median_s"] < high["median_s"]:
        text += f", {_name(high)} {high['median_s']:.1f} s (medians)"
    return Section("Speed", f"{text}.", [speed(people)])


def _name(row: "pd.Series[Any]") -> str:
    return str(row["person"])


def _range(people: pd.DataFrame, name: str, number: str) -> str:
    """``70% (Ann, of 40; 95% interval 53-83%) to 90% (Bob, ...)``: lowest and highest share."""
    said = []
    for which in ("idxmin", "idxmax"):
        row = people.loc[people[name].agg(which)]
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        ends = f"95% interval {100 * low:.0f}-{high:.0%}" if math.isfinite(low) else "no interval"
        said.append(f"{row[name]:.0%} ({_name(row)}, of {int(row[number]):,}; {ends})")
    return " to ".join(dict.fromkeys(said))
