"""What plain features reach without a net, on the same splits."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import ExtraTreesClassifier

from livewell.errors import LabelError, SplitError

TREES = 300
LEAST_LEAF = 3
"""Trees in the forest and patches in a leaf; nothing is tuned, so validation groups lie idle."""


def grouped_trees(
    features: pd.DataFrame,
    y: ArrayLike,
    group: ArrayLike,
    folds: pd.DataFrame,
    seed: int,
    workers: int = 1,
    classes: int = 2,
) -> NDArray[np.float64]:
    """Probabilities of extremely randomised trees (Geurts et al. 2006) on patch features.

    The forest of a fold is fitted on its train groups, with classes weighted to balance, and scores
    its test groups.

    Parameters
    ----------
    features
        One row a patch, numbers; NaN is allowed.
    y, group
        Number of the true class and group of every patch, in the order of `features`.
    folds
        `schemas.FOLDS`; each group is tested once at most.
    seed
        Of the forests.
    workers
        Threads.
    classes
        Number of classes.

    Returns
    -------
    float64 array
        Probability of every class, shape (patches, classes); NaN where no fold tests the group.
        A class that a fold's train groups lack has probability 0 there.

    Raises
    ------
    SplitError
        A group that is tested twice.
    LabelError
        A fold whose train groups hold one class only.
    """
    truth, names = np.asarray(y).astype(int), np.asarray(group).astype(str)
    tested = folds.loc[folds["part"] == "test", "group"].astype("str")
    twice = sorted(set(tested[tested.duplicated()]))
    if twice:
        raise SplitError(
            "groups tested in more than one fold",
            got=", ".join(twice[:5]),
            remedy="score each of these folds by itself",
        )
    values = features.to_numpy(float)
    p = np.full((len(truth), classes), np.nan)
    for fold, rows in folds.groupby("fold"):
        parts = rows.assign(group=rows["group"].astype("str")).groupby("part")["group"].agg(set)
        train = np.isin(names, sorted(parts.get("train", set())))
        test = np.isin(names, sorted(parts.get("test", set())))
        if not test.any():
            continue
        if len(np.unique(truth[train])) < 2:
            raise LabelError(
                "only one class to learn from",
                where=f"train groups of fold {fold}",
                remedy="split anew",
            )
        forest = ExtraTreesClassifier(
            TREES,
            min_samples_leaf=LEAST_LEAF,
            class_weight="balanced",
            random_state=seed,
            n_jobs=workers,
        )
        forest.fit(values[train], truth[train])
        p[test] = 0.0
        p[np.ix_(test, forest.classes_)] = forest.predict_proba(values[test])
    return p
