"""Answers of several persons to the same items, as numbers: what agreement is computed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import Fault, TableError
from livewell.tables.faults import column_faults, listed
from livewell.tables.schemas import ANSWERS, STUDY

UNSURE = "unsure"
NOTHING = -1
"""In place of the number of an answer: this person did not answer this item."""
FIRST_ANSWERS = 2
"""Answers of an item that the paper's reckoning is of, and that agreement is computed on where a
stop rule decides how many there are."""
BY_CHANCE = ("random", "shared")
"""Reasons for which an item was shown that have nothing to do with what it shows."""

Codes = NDArray[np.int64]


def checked_answers(table: pd.DataFrame, where: str = "answers") -> pd.DataFrame:
    """Answers (`schemas.ANSWERS`) of one task with rounds filled in, without parts studied.

    Raises
    ------
    TableError
        Columns lacking, cells empty or of another kind, a person who answered an item twice in one
        round, answers of several tasks.
    """
    remedy = "export the answers anew, or correct these rows"
    faults = column_faults(table, ["item", "person", "answer"])
    if faults:
        raise TableError("not a table of answers", faults, where=where, remedy=remedy)
    table = table.assign(round=0) if "round" not in table else table
    table = table.assign(round=table["round"].fillna(0))
    if "part" in table:
        # what is studied is answered with the truth in sight
        table = table[table["part"].isna() | (table["part"].astype("str") != STUDY)]
    checked = ANSWERS.check(table.reset_index(drop=True), where=where, remedy=remedy)
    found = []
    tasks = list(checked["task"].dropna().unique()) if "task" in checked else []
    if len(tasks) > 1:
        found.append(Fault("several-tasks", "task", f"answers of {listed(tasks)}; take one task"))
    twice = checked[checked.duplicated(["item", "person", "round"])]
    if len(twice):
        pairs = [f"{i} by {p}" for i, p in zip(twice["item"], twice["person"], strict=True)]
        found.append(Fault("duplicate-row", "item, person, round", f"twice: {listed(pairs)}"))
    if found:
        raise TableError("not a table of answers", found, where=where, remedy=remedy)
    return checked


def by_chance(table: pd.DataFrame, most: int | None = None) -> pd.DataFrame:
    """Answers that agreement is estimated from without bias, of a checked table.

    Items that a model was least sure of are hard, controls are known, so answers to these are left
    out; those without a reason stay. Where a stop rule decides how many answers an item gets, items
    that people disagree about get more, and `most` must be 2: the first two of each item, which do
    not depend on one another (`livewell.answers.choosing`).
    """
    if "reason" in table:
        reason = table["reason"].astype("str")
        table = table[table["reason"].isna() | reason.isin([*BY_CHANCE, "fixed"])]
    if most is None:
        return table
    ordered = table.sort_values("time_s", kind="stable") if "time_s" in table else table
    return table.loc[ordered.groupby("item").head(most).index.sort_values()]


@dataclass(frozen=True, slots=True)
class AnswerMatrix:
    """One answer at most of every person to every item, hidden repeats left aside.

    Parameters
    ----------
    codes
        Number of the answer, shape (items, persons); `NOTHING` where there is none.
    items, persons
        Their names, sorted.
    answers
        What the numbers mean: the classes in their order, then "unsure" where anybody was.
    classes
        How many of `answers` are classes.
    group
        Number of the group of each item, shape (items,): what is resampled as a whole.
    groups
        How many groups there are.
    """

    codes: Codes
    items: tuple[str, ...]
    persons: tuple[str, ...]
    answers: tuple[str, ...]
    classes: int
    group: Codes
    groups: int

    @classmethod
    def of(
        cls,
        table: pd.DataFrame,
        classes: Sequence[str],
        group: "Mapping[str, str] | pd.Series[str] | None" = None,
    ) -> "AnswerMatrix":
        """First answers (round 0) of a table of answers.

        Every item is a group of its own unless `group` says which it is of.

        Raises
        ------
        TableError
            Answers that are neither a class nor "unsure".
        """
        first = table[table["round"] == 0] if "round" in table else table
        names = (*classes, UNSURE)
        number = {name: code for code, name in enumerate(names)}
        code = first["answer"].map(number)
        if code.isna().any():
            odd = listed(first.loc[code.isna(), "answer"].unique())
            text = f"{odd}; known: {', '.join(names)}"
            fault = Fault("unknown-answer", "answer", text)
            raise TableError("answers of unknown classes", [fault], remedy="name all classes")
        item, items = pd.factorize(first["item"].astype("str"), sort=True)
        person, persons = pd.factorize(first["person"].astype("str"), sort=True)
        codes = np.full((len(items), len(persons)), NOTHING, dtype=np.int64)
        codes[item, person] = code.to_numpy(np.int64)
        if group is None:
            numbers, groups = np.arange(len(items)), len(items)
        else:
            of = pd.Series(items, dtype="str").map(dict(group))
            # what no group is known of stands for itself
            numbers, known = pd.factorize(of.fillna("item " + pd.Series(items, dtype="str")))
            groups = len(known)
        doubted = bool((codes == len(classes)).any())
        answers = names if doubted else names[:-1]
        parts = (tuple(items), tuple(persons), answers, len(classes))
        return cls(codes, *parts, np.asarray(numbers, dtype=np.int64), groups)

    @property
    def sure(self) -> Codes:
        """The numbers with unsure answers left out, shape (items, persons)."""
        return np.where(self.codes < self.classes, self.codes, NOTHING)

    @property
    def without_unsure(self) -> "AnswerMatrix":
        """The same with unsure answers left out, as if they had not been given."""
        return replace(self, codes=self.sure, answers=self.answers[: self.classes])

    def counts(self) -> Codes:
        """How many persons gave each answer, shape (items, answers)."""
        return np.stack([(self.codes == code).sum(axis=1) for code in range(len(self.answers))], 1)

    def sums(self, values: "NDArray[np.floating] | NDArray[np.bool_]") -> NDArray[np.float64]:
        """Values of items, shape (items, n), added up by group: shape (groups, n)."""
        values = np.asarray(values, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        columns = [np.bincount(self.group, column, self.groups) for column in values.T]
        return np.stack(columns, axis=1) if columns else np.zeros((self.groups, 0))
