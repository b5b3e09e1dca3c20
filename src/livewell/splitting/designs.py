"""Designs: what a study is asked, as items of which each is one split with its own models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from livewell.errors import SpecError, SplitError
from livewell.splitting.groups import group_counts
from livewell.splitting.schemes import KFolds, Tested
from livewell.splitting.units import unit_names
from livewell.tables.schemas import as_text
from livewell.text import plural

ALL_LINES, EACH_LINE, LEFT_OUT = "all-lines", "each-line", "leave-line-out"
EXPERIMENT, HOURS, DOSES, WELLS, REPEATS = "experiment", "hours", "doses", "wells", "repeats"
WARNING = "early warning"
"""Name of the item of `HOURS` that sees frames before death only."""
SEEDS = 5
"""Seeds of `REPEATS` where no number is given: as many as the paper's."""
EDGE = 1e-6
"""Hours by which a time may fall short of a full hour."""


@dataclass(frozen=True, slots=True)
class DesignPlan:
    """What all items of a study's designs share.

    Parameters
    ----------
    by
        Column that names what is never split, and what intervals resample.
    line
        Column that names the cell line.
    test
        Names of the groups that test in every item; where there are none, every group tests once,
        in folds.
    folds
        Most folds.
    repeats
        Trainings with other seeds, and draws of training groups; 0 for one, or `SEEDS` of
        `REPEATS`. Test groups stay the same.
    death
        Column that says when the cells of an image died, hours after treatment.
    seed
        Of what is left to chance; repetition k has this one and k.
    """

    by: str
    line: str = "cell_line"
    test: tuple[str, ...] = ()
    folds: int = 4
    repeats: int = 0
    death: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class DesignItem:
    """One split of a design; items of one design and name are one row of its tables.

    Parameters
    ----------
    rows
        Labelled rows that take part, by their index.
    tests
        Test groups of every fold; folds in which each group tests once where ``None``.
    unknown
        Classes that only test groups hold.
    part, repeat
        Number among the items that together test a row's groups; number of the repetition.
    x
        Hour, dose or number of groups that a curve shows the row at.
    """

    design: str
    name: str
    rows: pd.Index
    tests: tuple[tuple[str, ...], ...] | None = None
    unknown: tuple[str, ...] = ()
    part: int = 0
    repeat: int = 0
    x: float = float("nan")

    def scheme(self, rows: pd.DataFrame, plan: DesignPlan) -> Tested:
        """How its groups play parts; `rows` are all labelled rows of the study.

        Raises
        ------
        SplitError
            Too few groups of a class to test, validate and learn.
        """
        tests = test_groups(rows.loc[self.rows], plan) if self.tests is None else self.tests
        return Tested(tests, self.unknown)


def labelled_rows(
    fields: pd.DataFrame, labels: pd.DataFrame, plan: DesignPlan, times: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The rows of a labels table with what designs ask of them.

    Columns of `schemas.LABELS` and group; line and dose where the study has them; with `times`
    (image, t, time_s) one row a frame and its hours after treatment, from a column of that name
    where there is one, and before_death where the time of death is known. Frames of the dead are
    left out.

    Raises
    ------
    SpecError
        There is no column `plan.death`.
    SplitError
        There is no column `plan.by`, or an image without a group.
    """
    found = labels.reset_index(drop=True)
    of_image = fields.set_index("image")
    if times is not None:
        found = _by_frame(found, times)
        given = pd.to_numeric(found["image"].map(of_image.get("hours", {})), errors="coerce")
        found["hours"] = given.fillna(found.pop("time_s") / 3600)
    found["group"] = found["image"].map(unit_names(fields, plan.by))
    if found["group"].isna().any():
        raise SplitError(f"labelled images without a {plan.by}", where=f"column {plan.by}")
    if plan.line in of_image:
        found["line"] = found["image"].map(as_text(of_image[plan.line]))
    if "dose" in of_image:
        found["dose"] = found["image"].map(of_image["dose"])
    if plan.death is None or times is None:
        return found
    if plan.death not in of_image:
        raise SpecError("no such column", where="--death", got=plan.death)
    died = pd.to_numeric(of_image[plan.death], errors="coerce")
    found["before_death"] = found["image"].map(died) - found["hours"]
    return found[~(found["before_death"] <= 0)]


def _by_frame(rows: pd.DataFrame, times: pd.DataFrame) -> pd.DataFrame:
    """One row a labelled frame, where a label is of all frames too."""
    whole = rows["t"].isna()
    every = rows[whole].drop(columns="t").merge(times, on="image")
    single = rows[~whole].merge(times, on=["image", "t"])
    return pd.concat([every, single], ignore_index=True)


def test_groups(rows: pd.DataFrame, plan: DesignPlan) -> tuple[tuple[str, ...], ...]:
    """Test groups of every fold: the plan's, or all groups once in as many folds as can be."""
    if plan.test:
        return (tuple(name for name in plan.test if (rows["group"] == name).any()),)
    counts = group_counts(rows)
    folds = max(2, min(plan.folds, int((counts > 0).sum().min())))
    made = KFolds(folds).assign(rows, plan.seed)
    tested = made[made["part"] == "test"]
    return tuple(tuple(part["group"]) for _, part in tested.groupby("fold"))


def all_lines(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """One model over all lines."""
    return [DesignItem(ALL_LINES, "all lines", rows.index)]


def repeats(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """The same with several seeds."""
    return [DesignItem(REPEATS, "all lines", rows.index)]


def each_line(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """A model for each line alone."""
    parts = _needed(rows, "line", f"--line {plan.line}").groupby("line")
    return [DesignItem(EACH_LINE, str(name), part.index) for name, part in parts]


def leave_line_out(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """Each line left out of training and tested on.

    Where a line's groups hold other lines too, as an experiment does, the models that test a group
    have learnt from no line of it: then groups are left out in folds, one item each.
    """
    known = _needed(rows, "line", f"--line {plan.line}")
    items = []
    for name, mine in known.groupby("line"):
        others = known[known["line"] != name]
        new = tuple(sorted(set(mine["label"]) - set(others["label"])))
        shared = not set(mine["group"]).isdisjoint(others["group"])
        groups = tuple(sorted(mine["group"].unique()))
        for part, test in enumerate(test_groups(mine, plan) if shared or plan.test else [groups]):
            tested = mine[mine["group"].isin(test)].index
            learnt = others[~others["group"].isin(test)].index
            both = tested.append(learnt)
            items.append(DesignItem(LEFT_OUT, str(name), both, (test,), new, part))
    return items


def experiment(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """Whole groups as test: those that are named, or each in turn."""
    each = tuple((str(name),) for name in sorted(rows["group"].unique()))
    tests = (plan.test,) if plan.test else each
    return [DesignItem(EXPERIMENT, f"each {plan.by} in turn", rows.index, tests)]


def hours(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """A model for each full hour after treatment, and one of all frames before death."""
    known = _needed(rows, "hours", "times of frames")
    hour = np.floor(known["hours"] + EDGE)
    items = [
        DesignItem(HOURS, f"{at:g} h", part.index, x=float(at))
        for at, part in known.groupby(hour)
    ]
    if "before_death" in known:
        alive = known["before_death"].isna()
        dying = known.loc[~alive, "label"].mode()
        before = known[(known["label"].isin(dying)) != alive]
        items.append(DesignItem(HOURS, WARNING, before.index))
    return items


def doses(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """Each dose against none."""
    known = _needed(rows, "dose", "column dose")
    return [
        DesignItem(DOSES, f"{dose:g}", known[known["dose"].isin([0, dose])].index, x=dose)
        for dose in sorted(known["dose"].unique())
        if dose > 0
    ]


def wells(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """More and more training groups, each set within the next; the test groups stay the same."""
    test = test_groups(rows, plan)[0]
    counts = group_counts(rows[~rows["group"].isin(test)])
    held = (counts > 0).astype(int).astype(str).agg("".join, axis=1)
    least = 2 if (counts > 0).all(axis=1).any() else 2 * counts.shape[1]
    sizes = [least * 2**k for k in range(20) if least * 2**k < len(counts)] + [len(counts)]
    items = []
    for draw in range(max(plan.repeats, 1)):
        order = np.random.default_rng([plan.seed, draw, 6]).permutation(counts.index)
        # classes in turn, so that small sets have them all
        turn = held.loc[order].groupby(held.loc[order]).cumcount()
        order = turn.sort_values(kind="stable").index
        for size in sizes:
            chosen = rows[rows["group"].isin([*test, *order[:size]])].index
            name = plural(size, plan.by)
            items.append(DesignItem(WELLS, name, chosen, (test,), repeat=draw, x=float(size)))
    return items


DESIGNS: Mapping[str, Callable[[pd.DataFrame, DesignPlan], list[DesignItem]]] = {
    ALL_LINES: all_lines,
    EACH_LINE: each_line,
    LEFT_OUT: leave_line_out,
    EXPERIMENT: experiment,
    HOURS: hours,
    DOSES: doses,
    WELLS: wells,
    REPEATS: repeats,
}
"""Every design by name."""


def items_of(designs: Sequence[str], rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """The items of some designs with their repetitions.

    Raises
    ------
    SpecError
        No such design, or a column that it needs is not there.
    SplitError
        Too few groups for a design that fixes its test groups.
    """
    if strange := sorted(set(designs) - set(DESIGNS)):
        raise SpecError("no such design", expected=", ".join(DESIGNS), got=", ".join(strange))
    items = []
    for design in dict.fromkeys(designs):
        number = plan.repeats or (SEEDS if design == REPEATS else 1)
        for item in DESIGNS[design](rows, plan):
            again = [item] if design == WELLS else [replace(item, repeat=k) for k in range(number)]
            items += again
    return items


def _needed(rows: pd.DataFrame, column: str, what: str) -> pd.DataFrame:
    """Rows with a value in a column that a design needs."""
    known: Any = rows.dropna(subset=[column]) if column in rows else rows.iloc[:0]
    if known.empty:
        raise SpecError(
            f"the study does not say the {column} of its images",
            where=what,
            remedy="index with --metadata or a pattern that names it",
        )
    return known
