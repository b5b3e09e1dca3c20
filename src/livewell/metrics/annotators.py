"""What a table of answers says of the persons, one by one and together.

Agreement is computed on answers by chance (`answer_matrix.by_chance`), hidden repeats and controls
on all answers. Intervals are over groups of items (`intervals.share_of`, `metrics.agreement`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from livewell.metrics.agreement import Agreement, Coefficients, answered_twice, coefficients
from livewell.metrics.answer_matrix import (
    FIRST_ANSWERS,
    NOTHING,
    UNSURE,
    AnswerMatrix,
    by_chance,
)
from livewell.metrics.intervals import Estimate, share_of

Row = dict[str, Any]
LEAST_DRIFT = 10
"""Fewest hidden repeats for an early and a late half."""


@dataclass(frozen=True, slots=True)
class CrewAgreement:
    """How far several persons agree, with the others, with themselves and with what is known.

    Parameters
    ----------
    classes
        The classes in their order.
    sought
        The one whose share is followed over time.
    answers
        The answers that agreement is computed on.
    overlap
        Columns persons, items: how many items were answered by so many persons.
    paper
        Counts of items of whose first two answers none is unsure, and of those that differ: of more
        answers some would differ more often than the paper's reckoning allows for.
    disagreement
        The share of these, with its interval.
    coefficients
        With unsure answers left out.
    unsure_as_class
        With unsure answers as a class of their own; ``None`` where nobody was unsure.
    unsure
        Share of answers that are unsure.
    people
        One row a person: person, answers, unsure; compared (items that others answered too),
        agrees (share of these on which the person says what most others do, ties and unsure left
        out); repeats, same (share of hidden repeats answered as the first time), same_early and
        same_late (of the first and of the second half of repeats); moved (repeats of which the
        sought class was said either at first or again, not both times), towards (share of these in
        which it was said again: above a half the person calls it more often than before);
        controls, right (share of controls answered rightly); median_s, q1_s, q3_s (seconds an
        answer). Shares have columns ``NAME_low`` and ``NAME_high``.
    confusion
        Columns person, others (class that most others say), answer, items.
    pairs
        Columns person, other, items, kappa, low, high, groups; one row a pair that shares items.
    doses
        Columns dose, dose_unit, class, answers, items, groups, share, low, high: share of answers
        that are this class, unsure ones left out.
    """

    classes: tuple[str, ...]
    sought: str
    answers: AnswerMatrix
    overlap: pd.DataFrame
    paper: Agreement
    disagreement: Estimate
    coefficients: Coefficients
    unsure_as_class: Coefficients | None
    unsure: Estimate
    people: pd.DataFrame
    confusion: pd.DataFrame
    pairs: pd.DataFrame
    doses: pd.DataFrame

    @property
    def ceiling(self) -> Estimate:
        """The paper's upper limit of accuracy, `Agreement.ceiling`."""
        return self._limit("ceiling")

    @property
    def chance_ceiling(self) -> Estimate:
        """The corrected one, `Agreement.chance_ceiling`."""
        return self._limit("chance_ceiling")

    def _limit(self, name: str) -> Estimate:
        found = self.disagreement
        value, low, high = (
            float(getattr(Agreement(1, share), name))
            for share in (found.value, found.high, found.low)  # more disagreement, lower limit
        )
        return replace(found, value=value, low=low, high=high)


def crew_agreement(
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    sought: str | None = None,
    group: Mapping[str, str] | None = None,
    doses: pd.DataFrame | None = None,
    stopped: bool = False,
) -> CrewAgreement:
    """Everything that answers say of the persons.

    Parameters
    ----------
    table
        Checked answers of one task (`answer_matrix.checked_answers`).
    classes
        The classes in their order.
    sought
        The class whose share is followed over time; the last one where ``None``.
    group
        Group of each item, by its name; each is its own where ``None``.
    doses
        Columns dose and dose_unit, by name of the item; no curve where ``None``.
    stopped
        Whether a stop rule decided how many answers an item got: then agreement is computed on the
        first two of each.
    """
    chosen = by_chance(table[table["round"] == 0], FIRST_ANSWERS if stopped else None)
    answers = AnswerMatrix.of(chosen, classes, group)
    sure = answers.without_unsure
    given = (answers.codes != NOTHING).sum(axis=1)
    counts = pd.Series(given).value_counts().sort_index()
    first = AnswerMatrix.of(by_chance(chosen, FIRST_ANSWERS), classes, group)
    row, _ = np.nonzero(answers.codes != NOTHING)
    doubted = answers.codes[answers.codes != NOTHING] >= answers.classes
    found = coefficients(sure)
    confusion, agrees = _against_others(sure)
    sought = classes[-1] if sought is None else sought
    people = _people(table, agrees, group, sought)
    return CrewAgreement(
        classes=tuple(classes),
        sought=sought,
        answers=answers,
        overlap=pd.DataFrame({"persons": counts.index, "items": counts.to_numpy()}),
        paper=Agreement.of(first),
        disagreement=_disagreement(first),
        coefficients=found,
        unsure_as_class=coefficients(answers) if doubted.any() else None,
        unsure=share_of(doubted, answers.group[row]),
        people=people,
        confusion=confusion,
        pairs=_pairs(sure, found),
        doses=_by_dose(sure, doses),
    )


def _disagreement(answers: AnswerMatrix) -> Estimate:
    twice, split = answered_twice(answers)
    return share_of(split[twice], answers.group[twice])


def _against_others(sure: AnswerMatrix) -> tuple[pd.DataFrame, dict[str, Row]]:
    """Confusion of each person with what most others say, and how often both say the same."""
    counts, rows, found = sure.counts(), [], {}
    for number, person in enumerate(sure.persons):
        mine = sure.codes[:, number]
        own = np.eye(sure.classes, dtype=np.int64)[np.maximum(mine, 0)] * (mine >= 0)[:, None]
        others = counts - own
        most = others.max(axis=1, initial=0)
        told = (mine >= 0) & (most > 0) & ((others == most[:, None]).sum(axis=1) == 1)
        theirs = others.argmax(axis=1)[told]
        table = np.zeros((sure.classes, sure.classes), dtype=np.int64)
        np.add.at(table, (theirs, mine[told]), 1)
        rows += [
            {"person": person, "others": other, "answer": answer, "items": int(table[i, j])}
            for i, other in enumerate(sure.answers)
            for j, answer in enumerate(sure.answers)
        ]
        same = share_of(theirs == mine[told], sure.group[told])
        found[person] = {"compared": int(told.sum()), **_ends("agrees", same)}
    return pd.DataFrame(rows, columns=["person", "others", "answer", "items"]), found


def _people(
    table: pd.DataFrame, agrees: Mapping[str, Row], group: Mapping[str, str] | None, sought: str
) -> pd.DataFrame:
    """One row a person, see `CrewAgreement`."""
    nobody: Row = {"compared": 0, **_ends("agrees", share_of([], []))}
    rows = []
    for name, own in table.groupby(table["person"].astype("str"), sort=True):
        person = str(name)
        first = own[own["round"] == 0]
        seconds = own["seconds"].dropna().to_numpy(float) if "seconds" in own else np.zeros(0)
        quartiles = np.quantile(seconds, [0.5, 0.25, 0.75]) if len(seconds) else [np.nan] * 3
        rows.append(
            {
                "person": person,
                "answers": len(first),
                "unsure": int((first["answer"] == UNSURE).sum()),
                **agrees.get(person, nobody),
                **_repeats(own, group, sought),
                **_controls(first, group),
                **dict(zip(("median_s", "q1_s", "q3_s"), map(float, quartiles), strict=True)),
            }
        )
    return pd.DataFrame(rows)


def _repeats(own: pd.DataFrame, group: Mapping[str, str] | None, sought: str) -> Row:
    """How far a person says the same of hidden repeats, early and late, and where answers move."""
    first = own[own["round"] == 0].set_index("item")["answer"]
    again = own[(own["round"] > 0) & own["item"].isin(first.index)]
    if "time_s" in again:
        again = again.sort_values("time_s", kind="stable")
    before, after = first.loc[again["item"]].to_numpy(), again["answer"].to_numpy()
    same, moved = after == before, (after == sought) != (before == sought)
    of = _groups(again["item"], group)
    half = len(same) // 2 if len(same) >= LEAST_DRIFT else 0
    late = slice(half, None) if half else slice(0)
    return {
        "repeats": len(same),
        **_ends("same", share_of(same, of)),
        **_ends("same_early", share_of(same[:half], of[:half])),
        **_ends("same_late", share_of(same[late], of[late])),
        "moved": int(moved.sum()),
        **_ends("towards", share_of(after[moved] == sought, of[moved])),
    }


def _controls(first: pd.DataFrame, group: Mapping[str, str] | None) -> Row:
    """How far a person is right about items whose truth is known; unsure is not right."""
    known = first[first["truth"].notna()] if "truth" in first else first[:0]
    right = known["answer"].to_numpy() == known["truth"].to_numpy() if len(known) else np.zeros(0)
    return {
        "controls": len(known),
        **_ends("right", share_of(right, _groups(known["item"], group))),
    }


def _groups(items: "pd.Series[str]", group: Mapping[str, str] | None) -> Any:
    of = items.astype("str") if group is None else items.astype("str").map(dict(group))
    return of.fillna(items.astype("str")).to_numpy(dtype=str)


def _pairs(sure: AnswerMatrix, found: Coefficients) -> pd.DataFrame:
    rows = [
        {
            "person": sure.persons[one],
            "other": sure.persons[other],
            "items": found.shared[one, other],
            "kappa": kappa.value,
            "low": kappa.low,
            "high": kappa.high,
            "groups": kappa.groups,
        }
        for (one, other), kappa in found.pairs.items()
    ]
    columns = ["person", "other", "items", "kappa", "low", "high", "groups"]
    return pd.DataFrame(rows, columns=columns)


def _by_dose(sure: AnswerMatrix, doses: pd.DataFrame | None) -> pd.DataFrame:
    """Share of every class by dose, see `CrewAgreement`."""
    rows: list[Row] = []
    if doses is not None:
        dose = doses.reindex(list(sure.items)).reset_index(drop=True)
        dose = dose[dose["dose"].notna()].assign(dose_unit=dose["dose_unit"].fillna(""))
        levels = dose.drop_duplicates(["dose_unit", "dose"]).sort_values(["dose_unit", "dose"])
        for unit, level in zip(levels["dose_unit"], levels["dose"], strict=True):
            same = (dose["dose_unit"] == unit) & (dose["dose"] == level)
            at = dose.index[same].to_numpy()
            item, person = np.nonzero(sure.codes[at] != NOTHING)
            said, of = sure.codes[at][item, person], sure.group[at][item]
            if not len(said):
                continue
            for code, name in enumerate(sure.answers):
                share = share_of(said == code, of)
                rows.append(
                    {
                        "dose": float(level),
                        "dose_unit": str(unit),
                        "class": name,
                        "answers": len(said),
                        "items": len(np.unique(item)),
                        "groups": share.groups,
                        "share": share.value,
                        "low": share.low,
                        "high": share.high,
                    }
                )
    columns = ["dose", "dose_unit", "class", "answers", "items", "groups", "share", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _ends(name: str, found: Estimate) -> Row:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
