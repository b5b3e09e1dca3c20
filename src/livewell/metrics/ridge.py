"""A linear learner so fast that labels can be permuted a thousand times."""

from collections.abc import Sequence
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
    code = _codes(groups)
    fold = np.random.default_rng(seed).permutation(int(code.max()) + 1)[code] % FOLDS
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
    units: Names,
    strata: Names | None = None,
    *,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Permuted:
    """How well a learner with this hat matrix tells labels, beside how well it tells permuted ones.

    Parameters
    ----------
    hat
        (n, n), of `left_out`.
    labels
        (n,), numbers of classes from 0.
    units
        (n,), what a label was given to, such as a well: labels of whole units are permuted.
    strata
        (n,), such as plates: labels are permuted within them, and only rows of one stratum are
        compared, so that what strata differ in does not count.
    """
    first, unit = np.unique(_codes(units), return_index=True, return_inverse=True)[1:]
    stratum = np.zeros(len(labels), dtype=np.int64) if strata is None else _codes(strata)
    rng = np.random.default_rng(seed)
    drawn = [_permuted(labels[first], stratum[first], rng)[unit] for _ in range(permutations)]
    shuffled = np.stack(drawn, axis=1)
    classes = range(int(labels.max()) + 1)
    scores = np.stack([hat @ (labels == each) for each in classes], axis=1)
    held = labels[:, None] == np.arange(len(classes))
    null = [areas(hat @ (shuffled == each), shuffled == each, stratum) for each in classes]
    return Permuted(scores, areas(scores, held, stratum), np.stack(null, axis=1))


def areas(scores: Floats, held: NDArray[np.bool_], strata: Codes) -> Floats:
    """Areas under the ROC curve of the columns of scores (n, m), over pairs within strata (n,).

    NaN where no stratum holds both classes.
    """
    stratum = np.unique(strata, return_inverse=True)[1]
    at = np.eye(int(stratum.max()) + 1)[stratum].T
    size = at.sum(axis=1, keepdims=True)
    low, high = scores.min(axis=0), scores.max(axis=0)
    # one ranking of all strata, one lying above the other
    inside = (scores - low) / np.maximum(high - low, 1e-300)
    ranks = stats.rankdata(inside + 2 * stratum[:, None], axis=0)
    ranks -= (np.cumsum(size) - size[:, 0])[stratum][:, None]
    positive = at @ held
    pairs: Floats = (positive * (size - positive)).sum(axis=0)
    above = np.where(held, ranks, 0.0).sum(axis=0) - (positive * (positive + 1) / 2).sum(axis=0)
    unknown: Floats = np.full(len(pairs), np.nan)
    return np.asarray(np.divide(above, pairs, out=unknown, where=pairs > 0))


def p_value(value: float, null: Floats) -> float:
    """Exact p value of a statistic among those of permuted labels (Phipson and Smyth 2010)."""
    return float(1 + (null >= value - 1e-9).sum()) / (1 + len(null))


def _codes(names: Names) -> Codes:
    return np.asarray(pd.factorize(pd.Series(list(names)).astype("str"))[0], dtype=np.int64)


def _permuted(labels: Codes, strata: Codes, rng: np.random.Generator) -> Codes:
    order = rng.permutation(len(labels))
    # those of one stratum, in their own order and in a random one, stand face to face
    own = np.argsort(strata, kind="stable")
    other = order[np.argsort(strata[order], kind="stable")]
    found = np.empty_like(labels)
    found[own] = labels[other]
    return found
