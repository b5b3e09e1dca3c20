"""Simulated persons of known skill, and what their agreement truly is."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from livewell.metrics.answer_matrix import NOTHING, AnswerMatrix

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Crew:
    """Persons who answer independently, given the class of an item and whether it is hard.

    Parameters
    ----------
    shares
        Share of each class, shape (classes,).
    says
        Chance of each answer, the last one unsure, shape (2, persons, classes, classes + 1); first
        of easy, then of hard items.
    asked
        Chance that a person is asked about an item, shape (persons,).
    hard
        Share of hard items.
    alike
        How alike items of a group are, 0 to 1: shares of classes and of hard items differ between
        groups by Dirichlet and beta distributions of total ``1 / alike - 1``.
    """

    shares: Floats
    says: Floats
    asked: Floats
    hard: float
    alike: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Crew":
        """A crew of two to six persons, two or three classes, any skill and balance."""
        classes, persons = int(rng.choice([2, 2, 3])), int(rng.integers(2, 7))
        most = float(rng.choice([1 / classes, 0.7, 0.85]))
        shares = np.append(most, np.full(classes - 1, (1 - most) / (classes - 1)))
        unsure, says = float(rng.choice([0, 0.1])), np.zeros((2, persons, classes, classes + 1))
        for person, true in product(range(persons), range(classes)):
            right = rng.uniform(0.65, 0.97)
            wrong = (1 - right) * rng.dirichlet(np.ones(classes - 1))
            easy = np.insert(wrong, true, right)
            for at, row in enumerate((easy, 0.4 * easy + 0.6 / classes)):
                doubt = unsure * (1 + 2 * at)
                says[at, person, true] = np.append((1 - doubt) * row, doubt)
        asked = rng.uniform(0.4, 1, persons) if rng.random() < 0.5 else np.ones(persons)
        hard, alike = float(rng.choice([0, 0.2])), float(rng.choice([0, 0.15, 0.35]))
        return cls(shares, says, asked, hard, alike)

    @property
    def classes(self) -> int:
        """How many there are."""
        return len(self.shares)

    def answer(self, sizes: NDArray[np.int64], rng: np.random.Generator) -> AnswerMatrix:
        """What they answer to items of groups of these sizes, shape (groups,)."""
        group, each = np.repeat(np.arange(len(sizes)), sizes), len(sizes)
        shares, hard = np.tile(self.shares, (each, 1)), np.full(each, self.hard)
        if self.alike:
            total = 1 / self.alike - 1
            shares = rng.dirichlet(self.shares * total, each)
            if self.hard:
                hard = rng.beta(self.hard * total, (1 - self.hard) * total, each)
        truth = _drawn(shares[group], rng)
        kind = (rng.random(len(group)) < hard[group]).astype(int)
        persons = range(len(self.asked))
        codes = np.column_stack([_drawn(self.says[kind, p, truth], rng) for p in persons])
        codes[rng.random(codes.shape) >= self.asked] = NOTHING
        names = (*map(str, range(self.classes)), "unsure")
        items, people = tuple(map(str, range(len(group)))), tuple(map(str, persons))
        return AnswerMatrix(codes, items, people, names, self.classes, group, each)

    def truth(self, *, unsure: bool = False) -> dict[str, float]:
        """Coefficients over endlessly many items, exactly: sums over all subsets of persons.

        `unsure`: with unsure answers as a class; they are left out otherwise.
        """
        number = self.classes + unsure
        coincidences, shares = np.zeros((number, number)), np.zeros(number)
        same = twice = once = 0.0
        tables = {pair: np.zeros((number, number)) for pair in self._pairs()}
        for at, true in product(range(2), range(self.classes)):
            weight = (self.hard if at else 1 - self.hard) * self.shares[true]
            answers = self.says[at, :, true, :number]
            given = self.asked * answers.sum(axis=1)
            answers = answers / answers.sum(axis=1, keepdims=True)
            for inside in product((False, True), repeat=len(given)):
                some = np.array(inside)
                chance, size = weight * np.where(some, given, 1 - given).prod(), some.sum()
                if size:
                    once, shares = once + chance, shares + chance * answers[some].mean(axis=0)
                if size > 1:
                    total = answers[some].sum(axis=0)
                    both = np.outer(total, total) - answers[some].T @ answers[some]
                    coincidences += chance * both / (size - 1)
                    same += chance * np.trace(both) / (size * (size - 1))
                    twice += chance
            for one, other in tables:
                joint = np.outer(answers[one], answers[other])
                tables[one, other] += weight * given[one] * given[other] * joint
        n = coincidences.sum()
        disagreed = 1 - np.trace(coincidences) / n
        alpha = 1 - disagreed / (1 - ((coincidences.sum(axis=1) / n) ** 2).sum())
        pairs = [_kappa(table / table.sum()) for table in tables.values()]
        by_chance = ((shares / once) ** 2).sum()
        fleiss = (same / twice - by_chance) / (1 - by_chance)
        found = {"alpha": alpha, "fleiss": fleiss, "cohen": np.mean(pairs), "pair": pairs[0]}
        return {name: float(each) for name, each in found.items()} | {"observed": same / twice}

    def _pairs(self) -> list[tuple[int, int]]:
        return list(combinations(range(len(self.asked)), 2))


def _kappa(table: Floats) -> float:
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - by_chance) / (1 - by_chance)


def _drawn(chances: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """A number for each row of chances, shape (rows, numbers)."""
    ends = np.cumsum(chances, axis=1)
    beyond = rng.random(len(chances))[:, None] * ends[:, -1:] > ends
    return np.asarray(beyond.sum(axis=1))
