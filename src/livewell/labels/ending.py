"""Which positions are dead by the end of their movie: the condition of DeadNet's data set A."""

from dataclasses import dataclass

import pandas as pd

from livewell.errors import Fault
from livewell.labels.made import refuse
from livewell.tables.faults import column_faults, listed, near
from livewell.tables.schemas import as_text

SHRUNK = 0.7
"""A position counts as dead where at the end cells cover at most this share of the area that they
covered first. Living cells spread and divide, dead ones round up. In 60 simulated positions of 18 h
(seed 11, 512 px) the ratio was 0.37-0.73 where 75% of the cells or more were dead, 0.76-1.18 where
15% or fewer were; half dead ones came down to 0.71."""
EVERY = 0.9
"""By a model, a position counts as dead where this share of its last frame's patches is called so:
the paper says every cell, and a net errs now and then."""
YES, NO = {"yes", "true", "1", "dead", "y"}, {"no", "false", "0", "alive", "n"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of every position, by a rule in words."""

    table: pd.DataFrame
    """One row a position: ``position``, ``value`` that decided (in the rule's terms), ``dead``."""
    rule: str

    @property
    def dead(self) -> set[str]:
        """Names of the positions that are dead by the end."""
        return set(self.table.loc[self.table["dead"], "position"])


def by_area(covered: pd.DataFrame, most: float = SHRUNK) -> Ending:
    """Dead where cells cover far less area in the last frames than in the first: last-frame rule.

    `covered` holds ``first`` and ``last`` of every ``position``, the share of the area with the
    texture of cells (`livewell.measure.occupancy`) in its first and last frames; `most` is the
    highest ratio that counts as dead. A position without a cell in its first frames is not dead.
    """
    ratio = covered["last"] / covered["first"].where(covered["first"] > 0)
    table = pd.DataFrame(
        {"position": covered["position"], "value": ratio, "dead": (ratio <= most).fillna(False)}
    )
    return Ending(table, f"cells cover at the end at most {most:g} of what they covered first")


def by_share(called: pd.DataFrame, least: float = EVERY) -> Ending:
    """Dead where a model calls (nearly) every patch of the last frame so.

    `called` holds the ``share`` of the last frame's patches called positive of every ``position``,
    `least` is the lowest one that counts as dead.
    """
    dead = called["share"] >= least
    table = pd.DataFrame({"position": called["position"], "value": called["share"], "dead": dead})
    return Ending(table, f"a model calls at least {least:g} of the last frame's patches so")


def by_said(fields: pd.DataFrame, positions: "pd.Series[str]", column: str) -> Ending:
    """Dead where a column of `fields` says yes, not no (true, false; 1, 0; dead, alive).

    `positions` holds the name of the position by image.
    """
    refuse(column_faults(fields, [column]), "dose")
    said = as_text(fields[column]).str.casefold()
    odd = said.dropna()[~said.dropna().isin(YES | NO)]
    faults = [
        Fault(
            "unknown-value",
            f"{column}, {value!r}",
            f"not yes or no; {near(value, sorted(YES | NO))}",
        )
        for value in odd.unique()
    ]
    table = pd.DataFrame(
        {"position": fields["image"].map(positions), "value": float("nan"), "dead": said.isin(YES)}
    )
    both = table.groupby("position")["dead"].nunique()
    if (both > 1).any():
        text = "files of one position say different things"
        faults.append(Fault("contradiction", column, f"{text}: {listed(both.index[both > 1])}"))
    refuse(faults, "dose", "write yes or no for every position")
    return Ending(table.drop_duplicates("position", ignore_index=True), f"column {column} says so")
