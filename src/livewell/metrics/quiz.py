"""People against a model on the same regions: right answers before and after studying some."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from livewell.errors import SpecError
from livewell.metrics.intervals import Estimate, estimate, signed_interval
from livewell.metrics.outcomes import Floats, Outcomes
from livewell.metrics.paired import difference
from livewell.metrics.resampling import draws, freedom
from livewell.metrics.weighted import STATISTICS
from livewell.tables.schemas import AFTER, BEFORE

SCORED = (BEFORE, AFTER)
FIGURES = ("accuracy", "sensitivity", "specificity")
"""Of two classes; of more only the first."""
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class PartScore:
    """Answers of one person in one part of a quiz, beside a model's on the same regions.

    Parameters
    ----------
    count, unsure
        Regions answered, and how many of them with "unsure", which is never right.
    figures, model
        By name in `FIGURES`: theirs and the model's.
    ahead
        By name: how far theirs lies above the model's, from the same resamples of groups.
    confusion, model_confusion
        How often each answer (columns: the classes, then unsure) was given to each truth (rows).
    seconds
        Median time of an answer; NaN where it is not known.
    """

    count: int
    unsure: int
    figures: dict[str, Estimate]
    model: dict[str, Estimate]
    ahead: dict[str, Estimate]
    confusion: pd.DataFrame
    model_confusion: pd.DataFrame
    seconds: float


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One person's parts, by name in `SCORED`; `change` is after less before, by figure."""

    person: str
    parts: dict[str, PartScore]
    change: dict[str, Estimate] = field(default_factory=dict)


def person_scores(
    answers: pd.DataFrame,
    items: pd.DataFrame,
    classes: Sequence[str],
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> list[PersonScore]:
    """Scores of everybody who answered, in the order of their names.

    Parameters
    ----------
    answers
        One row an answer that stands: item, person, answer (a class or anything else, which is
        unsure), and seconds where known.
    items
        One row an item: item, part (`PARTS`), group (what intervals resample), truth (a class) and
        model (the class that the model calls, or anything else).
    classes
        Two, (negative, positive), or more.
    seed, resamples
        Of the intervals.

    Raises
    ------
    SpecError
        An answered item is unknown, or answered twice by one person.
    """
    known = answers[["item", "person", "answer"]].assign(seconds=answers.get("seconds", np.nan))
    table = known.merge(items, on="item", how="left", validate="many_to_one")
    if table["truth"].isna().any() or table.duplicated(["item", "person"]).any():
        raise SpecError(
            "not the answers to this quiz", expected="items of it, each answered once a person"
        )
    table = table[table["part"].isin(SCORED)]
    found = []
    for person, own in table.groupby("person", sort=True):
        parts = {
            part: _part(own[own["part"] == part], classes, seed, resamples)
            for part in SCORED
            if (own["part"] == part).any()
        }
        change = {}
        if len(parts) == len(SCORED):
            before, after = (
                _outcomes(own[own["part"] == part], "answer", classes) for part in SCORED
            )
            change = {
                name: _change(before, after, name, seed, resamples) for name in _names(classes)
            }
        found.append(PersonScore(str(person), parts, change))
    return found


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    return FIGURES if len(classes) == 2 else FIGURES[:1]


def _part(table: pd.DataFrame, classes: Sequence[str], seed: int, resamples: int) -> PartScore:
    ours, theirs = (_outcomes(table, who, classes) for who in ("answer", "model"))
    weights = draws(ours.held, seed, resamples)
    chosen = {name: STATISTICS[name] for name in _names(classes)}
    return PartScore(
        count=len(table),
        unsure=int((~table["answer"].isin(classes)).sum()),
        figures={name: estimate(ours, one, weights) for name, one in chosen.items()},
        model={name: estimate(theirs, one, weights) for name, one in chosen.items()},
        ahead={name: difference(ours, theirs, one, weights) for name, one in chosen.items()},
        confusion=_confusion(table, "answer", classes),
        model_confusion=_confusion(table, "model", classes),
        seconds=float(table["seconds"].median()),
    )


def _outcomes(table: pd.DataFrame, who: str, classes: Sequence[str]) -> Outcomes:
    """Truth (of the classes but the first) and answers; one that is not the truth is the other."""
    y = (table["truth"] != classes[0]).astype("int64")
    called = y.where(table[who] == table["truth"], 1 - y)
    return Outcomes.of(
        pd.DataFrame({"group": table["group"], "y": y, "p": called.astype(float), "called": called})
    )


def _confusion(table: pd.DataFrame, who: str, classes: Sequence[str]) -> pd.DataFrame:
    said = table[who].where(table[who].isin(classes), "unsure")
    found = pd.crosstab(table["truth"], said)
    return found.reindex(index=list(classes), columns=[*classes, "unsure"], fill_value=0)


def _change(before: Outcomes, after: Outcomes, name: str, seed: int, resamples: int) -> Estimate:
    """How far a figure rose. Groups that both parts hold are drawn for both at once.

    Where no group is in both, each is drawn by itself, and degrees of freedom are those of a sum of
    two spreads (Satterthwaite 1946).
    """
    statistic, both = STATISTICS[name], (before, after)
    figures = [statistic.figure(each) for each in both]
    value, reason = figures[1].value - figures[0].value, figures[0].reason or figures[1].reason
    groups = min(statistic.rests_on(each) for each in both)
    weighs = [statistic.prepare(each) for each in both]
    names = sorted({*before.names, *after.names})
    if len(names) < len(before.names) + len(after.names):
        held = np.zeros((2, len(names)), dtype=bool)
        own = [np.searchsorted(names, each.names) for each in both]
        for each, columns in zip(both, own, strict=True):
            held[:, columns] |= each.held

        def weigh(weights: Floats) -> Floats:
            first, second = (w(weights[:, at]) for w, at in zip(weighs, own, strict=True))
            return second - first

        weights = draws(held, seed, resamples)
        free = freedom(held, weigh, weights) if groups == len(names) else groups - 1
        return signed_interval(value, weigh(weights), groups, free=free, reason=reason)
    values, frees = [], []
    for number, (each, weigh_one) in enumerate(zip(both, weighs, strict=True)):
        weights = draws(each.held, seed + number, resamples)
        values.append(weigh_one(weights))
        count = statistic.rests_on(each)
        whole = count == len(each.names)
        frees.append(freedom(each.held, weigh_one, weights) if whole else count - 1)
    free = _added([_spread(each) for each in values], frees)
    return signed_interval(value, values[1] - values[0], groups, free=free, reason=reason)


def _spread(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.var()) if len(known) else 0.0


def _added(spreads: Sequence[float], frees: Sequence[float]) -> float:
    """Degrees of freedom of a sum of independent spreads."""
    if min(frees) < 1:
        return 0.0
    below = sum(spread**2 / free for spread, free in zip(spreads, frees, strict=True))
    return float(sum(spreads) ** 2 / below) if below > 0 else float(min(frees))
