"""A linear learner so fast that labels can be permuted a thousand times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg, stats

from livewell.metrics.outcomes import Floats

PENALTY = 1.0
"""Penalty beside a kernel whose diagonal is about 1: as much noise as signal is expected."""
FOLDS = 20
"""Groups are left out one by one, or in so many folds where there are more."""
PERMUTATIONS = 999
Codes = NDArray[np.int64]
Names = Sequence[object] | NDArray[np.str_] | NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Permuted:
    """Areas under the ROC curve of each class against the rest, beside those of chance.

    Parameters
    ----------
    scores
        (n, classes), left-out score of every row for every class.
    areas
        (classes,), with the labels as they are.
    null
        (permutations, classes), with the labels permuted.
    """

    scores: Floats
    areas: Floats
    null: Floats

    @property
    def strongest(self) -> int:
        """Number of the class that is told best."""
        return int(np.nanargmax(self.areas))

    @property
    def p_value(self) -> float:
        """Exact chance of a greatest area as high as this, over all classes (maximum statistic)."""
        return p_value(float(np.nanmax(self.areas)), np.nanmax(self.null, axis=1))


def left_out(features: Floats, groups: Names, *, seed: int = 0) -> Floats:
    """Hat matrix H (n, n) of a ridge regression that never sees the group which it scores.

    ``H @ y`` are scores of every row from the other groups alone, linear in `y`, so that those of a
    thousand permuted labels are one product of two matrices. Features are standardised by the
    groups that are learnt from. The mean of their labels is left out of the scores: it lies the
    lower the more of the class was taken out, and would put areas of chance below 1/2.

    Parameters
    ----------
    features
        (n, features), finite.
    groups
        Of every row. More than `FOLDS` are left out several at a time, drawn by `seed`.

    Notes
    -----
    Source: Parker, Guenter and Bedo 2007, BMC Bioinformatics 8:326 (why the mean is left out).
    """
    values = np.asarray(features, dtype=np.float64)
    code, names = pd.factorize(pd.Series(list(groups)).astype("str"), sort=True)
    fold = np.random.default_rng(seed).permutation(len(names))[code] % FOLDS
    found = np.zeros((len(values), len(values)))
    for each in np.unique(fold):
        out = fold == each
        known = values[~out]
        if not len(known):
            continue
        mean, spread = known.mean(axis=0), known.std(axis=0)
        varies = spread > 1e-9 * (1 + np.abs(mean))
        scaled = (values[:, varies] - mean[varies]) / spread[varies]
        scaled /= np.sqrt(max(scaled.shape[1], 1))
        inner = scaled[~out] @ scaled[~out].T + PENALTY * np.eye(len(known))
        learnt = linalg.solve(inner, scaled[~out] @ scaled[out].T, assume_a="pos")
        found[np.ix_(out, ~out)] = learnt.T
    return found


def permuted(
    hat: Floats,
    labels: Codes,
    shuffle: Callable[[Codes, np.random.Generator], Codes],
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Permuted:
    """How well a learner with this hat matrix tells labels (n,), numbers of classes from 0.

    `shuffle` gives permuted labels, such as `among_units`.
    """
    rng = np.random.default_rng(seed)
    drawn = np.stack([shuffle(labels, rng) for _ in range(permutations)], axis=1)
    classes = range(int(labels.max()) + 1)
    scores = np.stack([hat @ (labels == each) for each in classes], axis=1)
    held = labels[:, None] == np.arange(len(classes))
    null = [areas(hat @ (drawn == each), drawn == each) for each in classes]
    return Permuted(scores, areas(scores, held), np.stack(null, axis=1))


def areas(scores: Floats, held: NDArray[np.bool_]) -> Floats:
    """Areas under the ROC curve of the columns of scores (n, m); NaN where one class is missing."""
    positive = held.sum(axis=0)
    negative = len(held) - positive
    ranks = np.where(held, stats.rankdata(scores, axis=0), 0.0).sum(axis=0)
    pairs = (positive * negative).astype(np.float64)
    above: Floats = ranks - positive * (positive + 1) / 2
    unknown: Floats = np.full(len(pairs), np.nan)
    return np.asarray(np.divide(above, pairs, out=unknown, where=pairs > 0))


def p_value(value: float, null: Floats) -> float:
    """Exact p value of a statistic among those of permuted labels (Phipson and Smyth 2010)."""
    return float(1 + (null >= value - 1e-9).sum()) / (1 + len(null))


def among_units(
    units: Names, batches: Names | None = None
) -> Callable[[Codes, np.random.Generator], Codes]:
    """Permutes labels of whole units within batches, both named row by row.

    A unit is what a label was given to, such as a well, and is never torn. Where units hold several
    classes, as images of many nuclei do, labels are permuted within each unit.
    """
    unit = pd.factorize(pd.Series(list(units)).astype("str"))[0]
    named = pd.Series([""] * len(unit) if batches is None else list(batches)).astype("str")
    batch = pd.factorize(named)[0]
    first = np.unique(unit, return_index=True)[1]

    def shuffle(labels: Codes, rng: np.random.Generator) -> Codes:
        if (labels == labels[first][unit]).all():
            return _within(batch[first], labels[first], rng)[unit]
        return _within(unit, labels, rng)

    return shuffle


def _within(strata: NDArray[np.int64], labels: Codes, rng: np.random.Generator) -> Codes:
    order = rng.permutation(len(labels))
    # rows of one stratum, in their own order and in a random one, stand face to face
    own = np.argsort(strata, kind="stable")
    other = order[np.argsort(strata[order], kind="stable")]
    found = np.empty_like(labels)
    found[own] = labels[other]
    return found
