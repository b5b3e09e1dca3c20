"""One class of each item from several persons' answers, by a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livewell.errors import SpecError
from livewell.metrics.agreement import Agreement
from livewell.metrics.answer_matrix import AnswerMatrix
from livewell.metrics.consensus import consensus
from livewell.text import several

Rule = Literal["unanimous", "majority", "dawid-skene"]
"""Items on which all agree (Richmond et al. 2017, section 2.2); the most frequent answer, ties
dropped; the class that Dawid and Skene's model holds for likely enough."""
Doubt = Literal["drop", "ignore", "vote"]
"""An item that somebody is unsure of is left out; counts by the other answers; or "unsure" is an
answer like others, which no item is labelled with."""
POSTERIOR = 0.95
"""Least probability of a class by Dawid and Skene's model for an item to be labelled."""


Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Voting:
    """How several answers become one.

    Parameters
    ----------
    rule, doubt
        See `Rule` and `Doubt`.
    least
        Fewest answers that an item needs, unsure ones left aside.
    at_least
        Of ``dawid-skene``: least probability.
    """

    rule: Rule = "unanimous"
    doubt: Doubt = "drop"
    least: int = 1
    at_least: float = POSTERIOR

    def __post_init__(self) -> None:
        if self.least < 1 or not 0.5 < self.at_least < 1:
            raise SpecError(
                "not a way to count votes",
                expected="at least one vote, and a probability between 0.5 and 1",
                got=f"{self.least} and {self.at_least:g}",
                remedy="correct --least or --posterior",
            )

    def decide(
        self,
        answers: AnswerMatrix,
        known: Mapping[str, int] | None = None,
        noun: str = "sequence",
        voter: str = "expert",
    ) -> "Decisions":
        """The class of each item that is kept, and what every step had or dropped.

        `known` is the class of control items, which ``dawid-skene`` takes for true.
        """
        counts, classes = answers.counts(), answers.classes
        named, unsure = counts[:, :classes], counts[:, classes:].sum(axis=1)
        votes, doubted = named.sum(axis=1), unsure > 0
        if self.rule == "dawid-skene":
            label, score, steps = self._probable(answers, known, doubted)
        else:
            label, score, steps = self._counted(named, unsure, voter)
        kept = label >= 0
        if self.doubt == "drop":
            kept &= ~doubted
        enough = votes >= self.least
        agreement, items = Agreement.of(answers), several(noun)
        twice = "scored by two or more, none unsure"
        steps = {
            "scored by somebody": len(answers.items),
            twice: agreement.pairs,
            **steps,
            "somebody unsure" + _DONE[self.doubt]: int(doubted.sum()),
            f"fewer than {self.least} votes, dropped": int((kept & ~enough).sum()),
            f"{items} left": int((kept & enough).sum()),
        }
        kept &= enough
        table = pd.DataFrame({"item": answers.items, "code": label, "score": score, "votes": votes})
        return Decisions(table[kept].reset_index(drop=True), agreement, steps)

    def _counted(
        self, named: Numbers, unsure: Numbers, voter: str
    ) -> tuple[Numbers, Numbers, dict[str, int]]:
        """Class (-1 where there is none), score and steps of both rules that count."""
        there = named.sum(axis=1) > 0
        best, of = named.max(axis=1, initial=0), named.sum(axis=1)
        tied = there & ((named == best[:, None]).sum(axis=1) > 1)
        split = (named > 0).sum(axis=1) > 1
        label = np.where(there, named.argmax(axis=1), -1)
        against = unsure if self.doubt == "vote" else np.zeros_like(unsure)
        if self.rule == "unanimous":
            split |= there & (against > 0)
            steps = {f"{several(voter)} disagree, dropped": int(split.sum())}
            return np.where(split, -1, label), of.astype(float), steps
        lost = there & ~tied & (against >= best)
        steps = {"ties, dropped": int(tied.sum())}
        if self.doubt == "vote":
            steps["as many unsure or more, dropped"] = int(lost.sum())
        share = best / np.maximum(of + against, 1)
        return np.where(tied | lost, -1, label), share, steps

    def _probable(
        self, answers: AnswerMatrix, known: Mapping[str, int] | None, doubted: Numbers
    ) -> tuple[Numbers, Numbers, dict[str, int]]:
        """Class (-1 where there is none), posterior and steps of Dawid and Skene's model."""
        said = answers if self.doubt == "vote" else answers.without_unsure
        found = consensus(said, known)
        score = found.posterior.max(axis=1)
        sure = score >= self.at_least
        out = doubted if self.doubt == "drop" else np.zeros_like(doubted)
        steps = {f"less probable than {self.at_least:g}, dropped": int((~sure & ~out).sum())}
        return np.where(sure, found.called, -1), score, steps


_DONE: dict[Doubt, str] = {"drop": ", dropped", "ignore": "", "vote": ", counted as a vote"}


@dataclass(frozen=True, slots=True)
class Decisions:
    """What was decided: columns item, code (number of the class), score and votes, one row an item.

    The score is the number of votes, the share of votes or the posterior, by the rule.
    """

    table: pd.DataFrame
    agreement: Agreement
    steps: dict[str, int]
