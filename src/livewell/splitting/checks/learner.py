"""A learner whose left-out predictions under thousands of permuted labels cost one product."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from livewell.metrics.outcomes import Floats

RIDGE = 1.0
"""Penalty, as a share of the features' total variance."""
FOLDS = 10


def left_out(features: Floats, groups: NDArray[np.int64], seed: int = 0) -> Floats:
    """The matrix H whose product with labels y, (rows,), is ridge's prediction on rows left out.

    Groups are dealt to `FOLDS` folds (each its own where there are fewer); features are brought to
    mean 0 and spread 1 by the rows learnt from alone. Predictions are linear in y, so any number of
    permuted labels cost one product of matrices.
    """
    rng = np.random.default_rng([seed, 3])
    names = np.unique(groups)
    fold_of = dict(
        zip(names.tolist(), rng.permutation(np.arange(len(names)) % FOLDS).tolist(), strict=True)
    )
    fold = np.array([fold_of[group] for group in groups.tolist()])
    found = np.zeros((len(features), len(features)))
    for number in np.unique(fold):
        test, train = fold == number, fold != number
        found[np.ix_(test, train)] = _weights(features[train], features[test])
    return found


def _weights(train: Floats, test: Floats) -> Floats:
    """Ridge's predictions on `test` as weights of the labels of `train`, (test, train)."""
    mean, spread = train.mean(axis=0), train.std(axis=0)
    used = spread > 1e-9 * np.maximum(np.abs(mean), 1e-12)
    a = (train[:, used] - mean[used]) / spread[used]
    b = (test[:, used] - mean[used]) / spread[used]
    kernel = a @ a.T
    size = np.trace(kernel) / max(len(a), 1)
    solved = np.linalg.solve(kernel + RIDGE * size * np.eye(len(a)), (b @ a.T).T).T
    # labels are taken less their mean over the rows learnt from
    return np.asarray(solved - solved.mean(axis=1, keepdims=True))


def stratified(keys: Iterable[str]) -> NDArray[np.int64]:
    """Numbers of groups by their names."""
    return np.unique(np.array(list(keys)), return_inverse=True)[1]
