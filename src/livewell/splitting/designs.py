"""Designs: what a study is asked, as items of which each is one split with its own models."""

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import SpecError
from livewell.metrics.collapse import Question
from livewell.splitting.design_rows import DesignPlan
from livewell.splitting.groups import group_counts
from livewell.splitting.schemes import KFolds, Named, NamedFolds
from livewell.text import plural

ALL_LINES, EACH_LINE, LEFT_OUT = "all-lines", "each-line", "leave-line-out"
EXPERIMENT, HOURS, DOSES, WELLS, REPEATS = "experiment", "hours", "doses", "wells", "repeats"
ALL = "all lines"
"""Name of the item that is of all of them."""
WARNING = "early warning"
"""Name of the item of `HOURS` that sees frames before death only."""
SEEDS = 5
"""Seeds of `REPEATS` where no number is given: as many as the paper's."""
EDGE = 1e-6
"""Hours by which a time may fall short of a full hour."""


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

    def noted(self, rows: pd.DataFrame) -> dict[str, Any]:
        """What its record depends on, as plain values."""
        # by frame for hours alone: other designs of the same call may ask for frames
        columns = ["image", "label", "group", *(["t"] if self.design == HOURS else [])]
        part = rows.loc[self.rows, columns].drop_duplicates()
        seen = zlib.crc32(part.to_csv(index=False).encode())
        return {"rows": seen, "tests": str(self.tests), "repeat": self.repeat}

    def scheme(self, rows: pd.DataFrame, plan: DesignPlan) -> NamedFolds:
        """How its groups play parts; `rows` are all labelled rows of the study.

        Raises
        ------
        SplitError
            Too few groups of a class to test, validate and learn.
        """
        tests = test_groups(rows.loc[self.rows], plan) if self.tests is None else self.tests
        return NamedFolds(tests, self.unknown)


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
    return [DesignItem(ALL_LINES, ALL, rows.index)]


def repeats(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """The same with several seeds."""
    return [DesignItem(REPEATS, ALL, rows.index)]


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
    name = f"named: {', '.join(plan.test)}" if plan.test else f"each {plan.by} in turn"
    return [DesignItem(EXPERIMENT, name, rows.index, tests)]


def hours(rows: pd.DataFrame, plan: DesignPlan) -> list[DesignItem]:
    """A model for each full hour after treatment, and one of all frames before death."""
    known = _needed(rows, "hours", "times of frames")
    hour = np.floor(known["hours"] + EDGE)
    items = [
        DesignItem(HOURS, f"{at:g} h", part.index, x=float(at)) for at, part in known.groupby(hour)
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
        drawn = held.loc[np.random.default_rng([plan.seed, draw, 6]).permutation(held.index)]
        # classes in turn, so that small sets have them all
        order = drawn.groupby(drawn).cumcount().sort_values(kind="stable").index
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
    if plan.test:
        Named(plan.test).check(sorted(rows["group"].unique()))
    items = []
    for design in dict.fromkeys(designs):
        number = plan.repeats or (SEEDS if design == REPEATS else 1)
        for item in DESIGNS[design](rows, plan):
            again = [item] if design == WELLS else [replace(item, repeat=k) for k in range(number)]
            items += again
    return items


def refuse_unasked(
    items: Sequence[DesignItem], question: Question | None, classes: ClassNames
) -> None:
    """Refuse what can only be told by a coarser question, where none is asked.

    That is classes which no model of their item knows, and which of three or more classes dies.
    """
    if any(item.name == WARNING for item in items) and question is None and not classes.positive:
        raise SpecError(
            "which of the classes dies is not said, so there is no early warning of it",
            where="--death",
            got=str(classes),
            remedy="ask for what dying classes have in common, such as --collapse treatment=CPT",
        )
    unknown = sorted({name for item in items for name in item.unknown})
    if unknown and question is None:
        raise SpecError(
            "classes of a line that is left out are none that its model knows",
            where="--design leave-line-out",
            got=", ".join(unknown[:5]),
            remedy="ask for what lines have in common, such as --collapse treatment=CPT",
        )


def keyed(items: Sequence[DesignItem]) -> dict[str, DesignItem]:
    """Items by a name of their own that a file can have."""
    numbers: dict[tuple[str, str], int] = {}
    found = {}
    for item in items:
        of_design = [name for design, name in numbers if design == item.design]
        number = numbers.setdefault((item.design, item.name), len(of_design))
        text = re.sub(r"[^A-Za-z0-9.]+", "-", item.name).strip("-.")
        parts = [item.design, f"{number:02}", text, *([f"p{item.part}"] if item.part else [])]
        found["-".join([*filter(None, parts), f"s{item.repeat}"])] = item
    return found


def _needed(rows: pd.DataFrame, column: str, what: str) -> pd.DataFrame:
    """Rows with a value in a column that a design needs."""
    known: pd.DataFrame = rows.dropna(subset=[column]) if column in rows else rows.iloc[:0]
    if known.empty:
        raise SpecError(
            f"the study does not say the {column} of its images",
            where=what,
            remedy="index with --metadata or a pattern that names it",
        )
    return known
