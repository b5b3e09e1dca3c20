"""What several persons say together: the model of Dawid and Skene.

Every person has a confusion matrix, the chance of each answer given the true class; persons answer
independently given the truth. Expectation-maximisation finds matrices, shares of the classes and
the probability of each class of every item (Dawid and Skene 1979, Applied Statistics 28:20).

A weak Dirichlet prior stands for `PRIOR_RIGHT` right and `PRIOR_WRONG` wrong answers a person and
class, so that nobody is ever thought perfect for want of answers, and no class without answers is
lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import softmax

from livewell.errors import SpecError
from livewell.metrics.answer_matrix import NOTHING, AnswerMatrix

PRIOR_RIGHT, PRIOR_WRONG = 4.0, 1.0
"""Answers that the prior stands for, of each person in each true class; the wrong ones are shared
out evenly. Alone they make a person right four times in five."""
PRIOR_ITEMS = 1.0
"""Items of each class that the prior of the classes' shares stands for."""
STEPS, TOLERANCE = 200, 1e-5
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What Dawid and Skene's model makes of answers.

    Parameters
    ----------
    posterior
        Probability of each class, shape (items, classes); known items have 0 and 1.
    confusion
        Chance of each answer given the true class, shape (persons, classes, answers).
    prior
        Share of each class among items, shape (classes,).
    steps
        Steps of expectation-maximisation taken.
    converged
        Whether the last one moved no probability by more than `TOLERANCE`.
    """

    posterior: Floats
    confusion: Floats
    prior: Floats
    steps: int
    converged: bool

    @property
    def called(self) -> NDArray[np.int64]:
        """The most probable class of each item, shape (items,)."""
        return np.asarray(self.posterior.argmax(axis=1))


def consensus(answers: AnswerMatrix, known: Mapping[str, int] | None = None) -> Consensus:
    """The consensus of a matrix of answers; an unsure answer is one of its own.

    `known` is the class of control items, by name.
    """
    truth = np.full(len(answers.items), NOTHING)
    if known:
        truth = np.array([known.get(item, NOTHING) for item in answers.items])
    return dawid_skene(answers.codes, answers.classes, len(answers.answers), known=truth)


def dawid_skene(
    codes: ArrayLike, classes: int, answers: int | None = None, *, known: ArrayLike | None = None
) -> Consensus:
    """Fit Dawid and Skene's model by expectation-maximisation, begun at the shares of answers.

    Parameters
    ----------
    codes
        Number of each answer, shape (items, persons); `NOTHING` (-1) where there is none.
    classes
        Number of classes; answers below it name a class.
    answers
        Number of different answers, those beyond the classes being unsure; `classes` where
        ``None``.
    known
        Class of items whose truth is known, -1 of others, shape (items,).

    Raises
    ------
    SpecError
        Numbers beyond the classes or answers.
    """
    table = np.asarray(codes, dtype=np.int64)
    answers = classes if answers is None else answers
    items, persons = table.shape
    fixed = np.full(items, NOTHING) if known is None else np.asarray(known, dtype=np.int64)
    if classes < 1 or table.max(initial=NOTHING) >= answers or fixed.max(initial=-1) >= classes:
        raise SpecError(
            "answers beyond the classes",
            where="dawid_skene",
            expected=f"numbers below {answers}, of known items below {classes}",
            got=f"{table.max(initial=-1)} and {fixed.max(initial=-1)}",
        )
    row, person = np.nonzero(table != NOTHING)
    column = person * answers + table[row, person]
    said = csr_array((np.ones(len(row)), (row, column)), shape=(items, persons * answers))
    certain = np.eye(classes)[fixed[fixed != NOTHING]]
    named = np.stack([(table == code).sum(axis=1) for code in range(classes)], axis=1) + 1 / classes
    posterior = named / named.sum(axis=1, keepdims=True)
    posterior[fixed != NOTHING] = certain
    base, step, moved = prior_counts(classes, answers), 0, np.inf
    confusion, shares = np.zeros((persons, classes, answers)), np.full(classes, 1 / classes)
    while step < STEPS and moved > TOLERANCE:
        step += 1
        counted = (said.T @ posterior).reshape(persons, answers, classes).transpose(0, 2, 1) + base
        confusion = counted / counted.sum(axis=2, keepdims=True)
        shares = posterior.sum(axis=0) + PRIOR_ITEMS
        shares /= shares.sum()
        weights = np.log(confusion).transpose(0, 2, 1).reshape(persons * answers, classes)
        new = softmax(said @ weights + np.log(shares), axis=1)
        new[fixed != NOTHING] = certain
        moved, posterior = float(np.abs(new - posterior).max(initial=0)), new
    return Consensus(posterior, confusion, shares, step, moved <= TOLERANCE)


def prior_counts(classes: int, answers: int) -> Floats:
    """Answers that the prior stands for by true class and answer, shape (classes, answers)."""
    base = np.full((classes, answers), PRIOR_WRONG / max(answers - 1, 1))
    base[np.arange(classes), np.arange(classes)] = PRIOR_RIGHT
    return base
