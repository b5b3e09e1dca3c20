"""Simulated annotators of known skill: what the stop rule saves, and how agreement is estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.needed import needed, rising
from benchmarks.result import Result
from livewell.answers.choosing import SETTLED_BY, Choice, ItemStates, choose
from livewell.answers.settings import TaskSettings
from livewell.metrics.answer_matrix import BY_CHANCE, AnswerMatrix, by_chance
from livewell.metrics.consensus import dawid_skene
from livewell.metrics.intervals import Estimate, tails
from livewell.metrics.outcomes import Floats
from livewell.progress import task

ITEMS, PEOPLE, POSITIVE = 500, 8, 0.3
"""Items of a task, people who answer, share of the second class."""
BATCH = 10
"""Items that a page fetches ahead; after every such batch of each person the consensus is anew."""
STOPS = (0.9, 0.95, 0.99)
SEEDS, RESAMPLES = 40, 2000
UNCERTAIN = 0.3
"""Share of uncertain items where agreement is estimated."""
CLASSES = ("healthy", "sick")
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Annotators:
    """People and items: lowest and highest skill; items that are hard, and the skill on these.

    Skill is the chance of a right answer, drawn for each person and class.
    """

    skill: tuple[float, float]
    hard: float = 0.0
    hard_skill: float = 0.6

    def draw(self, seed: int) -> tuple[Codes, Codes, NDArray[np.bool_]]:
        """Truth (items,), everybody's answer to everything (items, people), which are hard."""
        rng = np.random.default_rng([seed, 5])
        truth = (rng.random(ITEMS) < POSITIVE).astype(np.int64)
        hard = rng.random(ITEMS) < self.hard
        skill = rng.uniform(*self.skill, (2, PEOPLE))[truth]
        right = rng.random((ITEMS, PEOPLE)) < np.where(hard[:, None], self.hard_skill, skill)
        return truth, np.where(right, truth[:, None], 1 - truth[:, None]), hard


CREWS = {
    "all 85% right": Annotators((0.85, 0.85)),
    "70 to 95% right": Annotators((0.7, 0.95)),
    "70 to 95% right, of every tenth item 60%": Annotators((0.7, 0.95), hard=0.1),
}


@dataclass(frozen=True, eq=False)
class Campaign:
    """Answers in their order: item, person, why it was shown."""

    items: Codes
    people: Codes
    reasons: Sequence[str]

    def revealed(self, answers: Codes) -> Codes:
        """Those of everybody's answers that were given, the others -1."""
        found = np.full_like(answers, -1)
        found[self.items, self.people] = answers[self.items, self.people]
        return found

    def table(self, answers: Codes) -> pd.DataFrame:
        """Those that were given, as tables of answers are."""
        said = np.array(CLASSES)[answers[self.items, self.people]]
        parts = {"item": self.items, "person": self.people, "answer": said}
        return pd.DataFrame(parts | {"reason": self.reasons})


def table(*, seed: int = 0) -> Result:
    """Answers an item and accuracy, of the stop rule and of fixed numbers of answers."""
    seeds = list(range(seed, seed + SEEDS))
    rows: list[list[str]] = []
    values: dict[str, Any] = {"seeds": seeds}
    with task("campaigns", total=len(CREWS) * SEEDS) as tick:
        for name, crew in CREWS.items():
            fixed, stopped, agreed = [], [], []
            for each in seeds:
                truth, answers, hard = crew.draw(each)
                fixed.append(by_number(truth, answers, each))
                stopped.append([by_rule(truth, answers, stop, each) for stop in STOPS])
                agreed.append(agreement(answers, hard, each))
                tick()
            own, values[name] = compared(np.array(fixed), np.array(stopped), seed)
            rows += [[name, *row] for row in own]
            values[name]["agreement"] = agreements(np.array(agreed), seed)
    return Result(
        title="Simulated annotators: what the stop rule saves",
        header="people | posterior | answers an item | label accuracy"
        " | fixed number for that accuracy | answers saved",
        rows=rows,
        lead=f"{PEOPLE} people, {ITEMS} items of two classes, {POSITIVE:.0%} of the second; items"
        f" are dealt as the site does, {BATCH} ahead for each person by turns, until each is"
        f" settled (posterior of Dawid and Skene, and {SETTLED_BY} answers at least) or all have"
        " answered it. Against it every item gets the same number of answers, by people drawn by"
        " chance; labels are the consensus or the majority, whichever is better. Between whole"
        " numbers the accuracy lies on a straight line. Answers saved: at the stop rule's own"
        " accuracy.",
        notes=[
            f"Means over {SEEDS} crews, 95% intervals resample crews (expanded percentiles). An"
            " accuracy that the fixed number does not reach counts as all people's answers.",
            *(_told(name, values[name]["agreement"]) for name in CREWS),
        ],
        values=values,
    )


def campaign(
    answers: Codes,
    settings: TaskSettings,
    uncertainty: Floats | None = None,
    most: int | None = None,
) -> Campaign:
    """Deal and answer until nothing is left to be answered, or so many answers are there.

    Parameters
    ----------
    answers
        What everybody would answer, (items, people).
    uncertainty
        Of a model, (items,).
    """
    number, people = answers.shape
    last = np.full(answers.shape, -1)
    chance = np.zeros(answers.shape, np.bool_)
    blank = ItemStates.unseen(number)
    posterior, given = blank.posterior, np.zeros(people, np.int64)
    log: list[Choice] = []
    by: list[int] = []
    while most is None or len(log) < most:
        before = len(log)
        for person in range(people):
            states = ItemStates(
                dealt=(last >= 0).sum(axis=1),
                answers=chance.sum(axis=1),
                others=chance.sum(axis=1) - chance[:, person],
                sure=chance.sum(axis=1),
                last=last[:, person],
                round=np.where(last[:, person] < 0, -1, 0),
                by_chance=chance[:, person],
                control=blank.control,
                uncertainty=blank.uncertainty if uncertainty is None else uncertainty,
                posterior=posterior,
                part=blank.part,
            )
            asked = {"task": 0, "person": person, "ordinal": int(given[person]), "count": BATCH}
            chosen = choose(states, settings, **asked)
            for item, reason, _ in chosen:
                last[item, person] = given[person]
                chance[item, person] = reason in BY_CHANCE
                given[person] += 1
            log += chosen
            by += [person] * len(chosen)
        if len(log) == before:
            break
        codes = np.where(last >= 0, answers, -1)
        posterior = dawid_skene(codes, 2).posterior.max(axis=1)
    items = np.array([choice.item for choice in log], np.int64)
    return Campaign(items, np.array(by, np.int64), [choice.reason for choice in log])


def by_rule(truth: Codes, answers: Codes, stop: float, seed: int) -> tuple[float, float]:
    """Answers an item, and the accuracy of labels, where the stop rule says what is enough."""
    settings = TaskSettings(repeats=0, stop_at=stop, seed=seed)
    made = campaign(answers, settings)
    return len(made.items) / len(truth), accuracy(truth, made.revealed(answers))


def by_number(truth: Codes, answers: Codes, seed: int) -> list[tuple[float, float]]:
    """Accuracy of labels by 1, 2, ... answers an item, by people drawn by chance.

    That of the consensus, and that of the majority, where a tie is right by half.
    """
    order = np.random.default_rng([seed, 6]).random(answers.shape).argsort(axis=1).argsort(axis=1)
    found = []
    for number in range(1, answers.shape[1] + 1):
        given = order < number
        lead = np.sign(((answers == truth[:, None]) & given).sum(axis=1) - number / 2)
        made = accuracy(truth, np.where(given, answers, -1))
        found.append((made, float((1 + lead).mean() / 2)))
    return found


def accuracy(truth: Codes, codes: Codes) -> float:
    """Share of items whose consensus is the truth."""
    return float((dawid_skene(codes, 2).called == truth).mean())


def compared(fixed: Floats, stopped: Floats, seed: int) -> tuple[list[list[str]], dict[str, Any]]:
    """Rows of the table, and curves as plain values.

    `fixed` (crews, numbers, 2) are accuracies of consensus and majority, `stopped` (crews, stops,
    2) answers and accuracies. Of fixed numbers the better one counts.
    """
    crews, numbers = len(fixed), np.arange(1, fixed.shape[1] + 1)

    def figures(weights: Floats) -> Floats:
        """Of every stop: answers, accuracy, fixed number for that, share saved."""
        means = np.tensordot(weights, fixed, 1) / weights.sum()
        curve = rising(numbers, means.max(axis=1))
        found = []
        for stop in range(stopped.shape[1]):
            used, right = weights @ stopped[:, stop] / weights.sum()
            number = min(needed(numbers, curve, right), float(numbers[-1]))
            found.append((used, right, number, 1 - used / number))
        return np.array(found)

    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(crews, np.full(crews, 1 / crews), size=RESAMPLES).astype(float)
    values = np.array([figures(weights) for weights in drawn])
    ends = np.quantile(values, tails(crews - 1), axis=0)
    whole = figures(np.ones(crews))
    names = ("answers", "accuracy", "fixed", "saved")
    rows, found = [], {}
    for place, stop in enumerate(STOPS):
        made = [
            Estimate(float(value), float(low), float(high), crews, "percentile")
            for value, low, high in zip(whole[place], *ends[:, place], strict=True)
        ]
        found[str(stop)] = {name: asdict(each) for name, each in zip(names, made, strict=True)}
        rows.append([f"{stop:g}", *map(_said, made, ("{:.2f}", "{:.1%}", "{:.2f}", "{:.0%}"))])
    consensus, majority = fixed.mean(axis=0).T.tolist()
    curves = {"answers": numbers.tolist(), "consensus": consensus, "majority": majority}
    return rows, {"stop": found, "accuracy of fixed numbers": curves}


def agreement(answers: Codes, hard: NDArray[np.bool_], seed: int) -> tuple[float, float, float]:
    """Share of pairs that agree: in truth, of the first two by chance, and of all answers.

    A task with the stop rule and a share of uncertain items, left when there are two answers an
    item in the mean. A model is less sure of hard items. The truth is that of all pairs of people
    on all items.
    """
    rng = np.random.default_rng([seed, 7])
    settings = TaskSettings(repeats=0, stop_at=0.95, uncertain=UNCERTAIN, seed=seed)
    made = campaign(answers, settings, rng.normal(hard, 0.5), 2 * len(answers))
    given = made.table(answers)
    places = np.indices(answers.shape)
    whole = Campaign(places[0].ravel(), places[1].ravel(), ["random"] * answers.size)
    return observed(whole.table(answers)), observed(given, SETTLED_BY), observed(given)


def observed(given: pd.DataFrame, most: int | None = None) -> float:
    """Share of pairs of answers to one item that are the same, mean over items.

    With `most` of the first so many answers by chance alone.
    """
    if most is not None:
        given = by_chance(given, most)
    counts = AnswerMatrix.of(given, CLASSES).counts()
    total = counts.sum(axis=1)
    pairs = (counts * (counts - 1)).sum(axis=1)[total > 1]
    return float((pairs / (total * (total - 1))[total > 1]).mean())


def agreements(found: Floats, seed: int) -> dict[str, Any]:
    """How far both estimates of agreement lie from the truth, in the mean over crews."""
    rng = np.random.default_rng(seed)
    apart = found[:, 1:] - found[:, :1]
    drawn = apart[rng.integers(len(apart), size=(RESAMPLES, len(apart)))].mean(axis=1)
    ends = np.quantile(drawn, tails(len(apart) - 1), axis=0)
    names = ("first two by chance", "all answers")
    return {"truth": float(found[:, 0].mean())} | {
        name: asdict(Estimate(float(value), float(low), float(high), len(apart), "percentile"))
        for name, value, low, high in zip(names, apart.mean(axis=0), *ends, strict=True)
    }


def _said(found: Estimate, how: str) -> str:
    value, low, high = map(how.format, (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _told(name: str, found: Mapping[str, Any]) -> str:
    both = [
        f"{which} {_said(Estimate(**found[which]), '{:+.1%}')}"
        for which in ("first two by chance", "all answers")
    ]
    return (
        f"Agreement of pairs, {name}, with the stop rule and {UNCERTAIN:.0%} of uncertain items, a"
        f" task half done: {found['truth']:.1%} in truth; estimated from it {', '.join(both)}."
    )
