"""The light budget: up to which dose wells are shown to be no sicker than without light.

Wells are the unit; what is compared is the mean over wells of the share of patches called sick,
``fraction(dose) - fraction(0)``. Doses are tested from the lowest up, each at the whole alpha, and
the first that fails ends the testing (fixed sequence: Maurer, Hothorn and Lehmacher 1995; Westfall
and Krishen 2001, J. Stat. Plan. Inference 99:25). A harmful dose is named safe only if the lowest
harmful one passes its own test, so the chance of naming any is that of this one test, whatever the
shape: alpha where the wells of a dose are alike but for chance. It is higher where harm takes whole
wells and leaves others untouched, which few wells cannot show.

`livewell.doses.noninferiority` holds the test of one dose, and how well it keeps its level.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from livewell.doses.noninferiority import Group, p_values, wells_needed
from livewell.doses.wells import check_wells
from livewell.errors import SpecError
from livewell.metrics.outcomes import Floats

Decision = Literal["not worse", "worse", "cannot tell", "not tested"]
Verdict = Literal["no harm found", "budget", "harm at the lowest dose", "cannot tell"]

_STEP = 0.001


@dataclass(frozen=True, slots=True)
class DoseTest:
    """What is known of one dose against the control.

    The decision is ``not worse`` (shown to be below the margin), ``worse`` (shown to be above it),
    ``cannot tell``, or ``not tested``: it comes after the dose that ended the testing. `lower` and
    `upper` are one-sided bounds of the true difference, each at alpha; `p` is of the test that it
    is below the margin, `p_worse` of the test that it is above.

    `wells_needed` are wells of this dose, and as many controls, for power `POWER` if in truth there
    is no difference and wells differ as observed; None if more than `MOST_WELLS`, or not known.
    `lost` are wells of this dose in which nothing was left to judge.
    """

    dose: float
    wells: int = 0
    fraction: float = math.nan
    difference: float = math.nan
    lower: float = -1.0
    upper: float = 1.0
    p: float = math.nan
    p_worse: float = math.nan
    decision: Decision = "cannot tell"
    wells_needed: int | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """The highest dose shown to be not worse than no light, with all that it rests on.

    The verdict is ``no harm found`` (every dose passes), ``budget`` (some do), ``harm at the lowest
    dose`` (shown to be worse) or ``cannot tell`` (the lowest dose neither passes nor is shown
    worse). There is one test a dose above 0, from the lowest; the first that fails is
    `stopped_at`, for the reason `why`.

    `wells_needed_as_observed` are wells at that dose, and as many controls, for power `POWER` if
    the observed difference is the true one; None if that is the margin or more, or not known.
    """

    verdict: Verdict
    dose: float | None
    margin: float
    alpha: float
    control_wells: int
    control_fraction: float
    tests: tuple[DoseTest, ...]
    stopped_at: float | None
    why: str
    wells_needed_as_observed: int | None

    def told(self, unit: str, positive: str = "sick") -> str:
        """The result in plain English, doses in `unit`, of patches called `positive`."""
        text = f"No light budget at a margin of {self.margin:g}."
        if self.dose is not None:
            text = (
                f"Up to {_dose(self.dose, unit)} the share of patches called {positive} is not"
                f" higher than without light by {self.margin:g} or more"
                f" ({100 * (1 - self.alpha):g}% sure)."
            )
        if self.stopped_at is None:
            return f"{text} That is the highest dose tested: no harm was found."
        text += f" Testing stopped at {_dose(self.stopped_at, unit)}: {self.why}."
        stop = next(test for test in self.tests if test.dose == self.stopped_at)
        if stop.decision == "cannot tell" and stop.wells_needed is not None:
            observed = self.wells_needed_as_observed
            real = f", {observed} if the observed difference is true" if observed else ""
            needed = f"{stop.wells_needed} wells a dose would be needed if this dose does no harm"
            text += f" About {needed}{real}."
        return text


def _dose(dose: float, unit: str) -> str:
    return f"{dose:g} {unit}".strip()


def light_budget(
    wells: pd.DataFrame,
    margin: float,
    *,
    alpha: float = 0.05,
    lost: Mapping[float, int] | None = None,
) -> Budget:
    """Find the highest dose at which wells are shown to be no sicker than without light.

    `livewell.doses.noninferiority` explains the test. The margin is one of patches called
    sick: a net that calls some healthy patches sick and misses some sick ones makes every
    difference smaller, by the factor sensitivity + specificity - 1.

    Parameters
    ----------
    margin
        The smallest difference in the mean share of patches called sick that would be harm, in
        (0, 1). It is the user's to choose, before the wells are looked at.
    alpha
        Chance of naming any dose safe whose true difference is the margin or more, in (0, 0.5).
    lost
        By dose, wells in which nothing was left to judge. Cells that die let go, so for the test
        that a dose is not worse a lost well counts as wholly sick; it is no evidence that a dose is
        worse. Lost wells without light are left out.
    """
    check_levels(margin, alpha)
    table = check_wells(wells)
    gone = {dose: number for dose, number in (lost or {}).items() if dose > 0 and number > 0}
    control = Group.of(table[table["dose"] == 0])
    tests: list[DoseTest] = []
    stop: DoseTest | None = None
    for dose in sorted(({float(dose) for dose in table["dose"]} | set(gone)) - {0.0}):
        rows = table[table["dose"] == dose]
        found = _tested(dose, control, rows, gone.get(dose, 0), margin, alpha)
        if stop is not None:
            found = replace(found, decision="not tested")
        elif found.decision != "not worse":
            stop = found
        tests.append(found)
    passed = [test.dose for test in tests if test.decision == "not worse"]
    verdict: Verdict = "no harm found"
    observed = None
    if stop is not None:
        verdict = "harm at the lowest dose" if stop.decision == "worse" else "cannot tell"
        verdict = "budget" if passed else verdict
        if stop.difference < margin and not math.isnan(stop.p):
            group = Group.of(table[table["dose"] == stop.dose])
            observed = wells_needed(control, group, margin, alpha, stop.difference)
    return Budget(
        verdict,
        passed[-1] if passed else None,
        margin,
        alpha,
        int(control.wells),
        float(control.mean),
        tuple(tests),
        None if stop is None else stop.dose,
        "" if stop is None else _why(stop, int(control.wells), margin),
        observed,
    )


def check_levels(margin: float, alpha: float) -> None:
    """Refuse a margin or a level that cannot be."""
    share = "a share above 0 and below 1, such as 0.1 for ten percentage points"
    for option, value, top, expected in (
        ("--margin", margin, 1.0, share),
        ("--alpha", alpha, 0.5, "above 0 and below 0.5"),
    ):
        if not 0 < value < top:
            raise SpecError("out of range", where=option, expected=expected, got=f"{value:g}")


def _why(stop: DoseTest, controls: int, margin: float) -> str:
    if controls < 2:
        return "there is one control well, so nobody knows how wells differ; two are the least"
    if not stop.wells:
        return f"no cell is left to judge in any of its {stop.lost} wells"
    if stop.wells < 2:
        return "this dose has one well, so nobody knows how its wells differ; two are the least"
    seen = f"the observed difference is {stop.difference:.3f}"
    if stop.lost:
        seen += f" in {stop.wells} wells, {stop.lost} more have no cell left and count as harmed"
    if stop.decision == "worse":
        return f"harm is shown, {seen} and the true one at least {stop.lower:.3f}"
    return (
        f"{seen}, but up to {stop.upper:.3f} is possible, which is not below the margin of"
        f" {margin:g}"
    )


def _tested(
    dose: float, control: Group, rows: pd.DataFrame, lost: int, margin: float, alpha: float
) -> DoseTest:
    if rows.empty:
        return DoseTest(dose, lost=lost)
    group = Group.of(rows)
    difference = float(group.mean - control.mean)
    seen = DoseTest(dose, int(group.wells), float(group.mean), difference, lost=lost)
    if min(control.wells, group.wells) < 2:
        return seen
    sick = pd.DataFrame({"fraction": [1.0] * lost, "patches": int(rows["patches"].median())})
    worst = Group.of(pd.concat([rows[["fraction", "patches"]], sick])) if lost else group
    at = np.unique(np.append(np.arange(-1 + _STEP, 1 - _STEP / 2, _STEP), margin))
    here = int(np.searchsorted(at, margin))
    # A bound is where no value beyond is still possible, so a larger margin never lowers a budget.
    below = np.maximum.accumulate(p_values(control, worst, at)[0][::-1])[::-1]
    above = np.maximum.accumulate(p_values(control, group, at)[1])
    decision: Decision = "worse" if above[here] <= alpha else "cannot tell"
    return replace(
        seen,
        lower=max(-_crossing(-at[::-1], above[::-1], alpha), -1.0),
        upper=min(_crossing(at, below, alpha), 1.0),
        p=float(below[here]),
        p_worse=float(above[here]),
        decision="not worse" if below[here] <= alpha else decision,
        wells_needed=wells_needed(control, group, margin, alpha, 0.0),
    )


def _crossing(at: Floats, p: Floats, alpha: float) -> float:
    """Where a falling p reaches alpha; 1 where it never does."""
    under = np.flatnonzero(p <= alpha)
    if not len(under):
        return 1.0
    first = int(under[0])
    if first == 0:
        return float(at[0])
    share = (p[first - 1] - alpha) / (p[first - 1] - p[first])
    return float(at[first - 1] + share * (at[first] - at[first - 1]))
