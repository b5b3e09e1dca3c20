"""What plain features reach without a net, on the same splits."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import ExtraTreesClassifier

from livewell.classes import ClassNames
from livewell.errors import LabelError, SplitError
from livewell.image import PixelSource
from livewell.measure import intensity, texture
from livewell.metrics.intervals import Estimate
from livewell.metrics.multiclass import headline_estimates
from livewell.progress import task
from livewell.tables.schemas import KEY, regions_of, score_columns
from livewell.text import few

TREES = 300
LEAST_LEAF = 3
"""Trees in the forest and patches in a leaf; nothing is tuned, so validation groups lie idle."""
NET = "this net"
TEXTURE = "trees on texture"
BASELINES = {"trees on intensity": intensity.features, TEXTURE: texture.features}
BASELINE_PATCHES = 1500
"""Baselines look at most at so many patches or frames, drawn once, groups alike."""
BASELINE_PX = 200_000_000
"""And at most at so many pixels: four to five minutes."""
AT_ONCE_PX = 4_000_000
"""Pixels that baselines measure together, in 64 patches at most."""
AREAS = ("roc_auc", "within_auc")
"""What the net is compared with baselines in, on the patches that they saw."""


def some_patches(patches: pd.DataFrame, seed: int) -> pd.DataFrame:
    """As many of the patches as baselines look at, every group giving as many as it can."""
    first = patches.iloc[0]
    area = int((first["y1"] - first["y0"]) * (first["x1"] - first["x0"]))
    return drawn_alike(patches, min(BASELINE_PATCHES, BASELINE_PX // area), seed)


def drawn_alike(patches: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most so many patches, drawn so that every group gives as many as it can."""
    order = patches.sample(frac=1, random_state=seed)
    turn = order.groupby("group").cumcount()
    return order.loc[turn.sort_values(kind="stable").index[:most]]


def measured(patches: pd.DataFrame, source: PixelSource) -> dict[str, pd.DataFrame]:
    """Features of patches by name of the baseline, one row a patch, of their first channel."""
    keys = regions_of(patches)
    edges = keys[0].box.shape
    step = min(max(AT_ONCE_PX // (edges[0] * edges[1]), 1), 64)
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in BASELINES}
    with task("baselines", total=len(keys)) as tick:
        for first in range(0, len(keys), step):
            some = keys[first : first + step]
            stack = np.stack([source.crop(key.image, key.t, key.box)[0] for key in some])
            for name, measure in BASELINES.items():
                tables[name].append(measure(stack))
            tick(len(stack))
    return {name: pd.concat(found, ignore_index=True) for name, found in tables.items()}


def rivals(
    some: pd.DataFrame,
    features: Mapping[str, pd.DataFrame],
    folds: pd.DataFrame,
    classes: ClassNames,
    scores: pd.DataFrame,
    *,
    min_each: int,
    seed: int,
) -> dict[str, dict[str, Estimate]]:
    """Figures of the net, by its scores, and of trees on features of the same patches."""
    found = tree_estimates(some, features, folds, classes, min_each=min_each, seed=seed)
    same = scores.merge(some[KEY], on=KEY)
    net = headline_estimates(same, classes, seed=seed, names=AREAS, min_each=min_each)
    return {NET: net} | found


def baseline_estimates(
    patches: pd.DataFrame,
    folds: pd.DataFrame,
    classes: ClassNames,
    source: PixelSource,
    *,
    min_each: int,
    seed: int,
) -> dict[str, dict[str, Estimate]]:
    """`tree_estimates` of all `BASELINES`, measured on the pixels of a source."""
    drawn = {"min_each": min_each, "seed": seed}
    return tree_estimates(patches, measured(patches, source), folds, classes, **drawn)


def tree_estimates(
    patches: pd.DataFrame,
    features: Mapping[str, pd.DataFrame],
    folds: pd.DataFrame,
    classes: ClassNames,
    *,
    min_each: int,
    seed: int,
) -> dict[str, dict[str, Estimate]]:
    """Pooled AUC and AUC within groups of trees on simple features, by name of the baseline.

    Trees learn from and judge these patches of a split. `min_each` is as in
    `livewell.metrics.figures.within_auc`.
    """
    y = classes.codes(patches["label"])
    found = {}
    for name, values in features.items():
        p = grouped_trees(
            values, y, patches["group"], folds, seed, workers=-1, classes=len(classes)
        )
        table = answers(patches, p, classes).dropna()
        found[name] = headline_estimates(table, classes, seed=seed, names=AREAS, min_each=min_each)
    return found


def answers(patches: pd.DataFrame, p: NDArray[np.floating], classes: ClassNames) -> pd.DataFrame:
    """Group and label of patches with probabilities (patches, classes), the most probable called.

    The columns are those of `schemas.SCORES` that figures need.
    """
    chances = p[:, 1:] if classes.binary else p
    columns = dict(zip(score_columns(classes, "p"), chances.T, strict=True))
    called = (p[:, 1] >= 0.5).astype(int) if classes.binary else p.argmax(axis=1)
    return patches[["group", "label"]].assign(**columns, called=called)


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

    The forest of a fold is fitted on its train and validation groups, for it chooses nothing on the
    latter, with classes weighted to balance, and scores its test groups; each group is tested once
    at most. NaN where no fold tests the group. A class that those groups lack has probability 0.

    Parameters
    ----------
    features
        One row a patch, numbers; NaN is allowed.
    y, group
        Number of the true class and group of every patch, in the order of `features`.
    classes
        Number of classes; the result has shape (patches, classes).
    """
    truth, names = np.asarray(y).astype(int), np.asarray(group).astype(str)
    tested = folds.loc[folds["part"] == "test", "group"].astype("str")
    twice = sorted(set(tested[tested.duplicated()]))
    if twice:
        raise SplitError(
            "groups tested in more than one fold",
            got=few(twice),
            remedy="score each of these folds by itself",
        )
    values = features.to_numpy(float)
    p = np.full((len(truth), classes), np.nan)
    for fold, rows in folds.groupby("fold"):
        parts = rows.assign(group=rows["group"].astype("str")).groupby("part")["group"].agg(set)
        known = parts.get("train", set()) | parts.get("validation", set())
        train = np.isin(names, sorted(known))
        test = np.isin(names, sorted(parts.get("test", set())))
        if not test.any():
            continue
        if len(np.unique(truth[train])) < 2:
            raise LabelError(
                "only one class to learn from",
                where=f"train and validation groups of fold {fold}",
                remedy="split anew",
            )
        p[test] = trees(values[train], truth[train], values[test], seed, workers, classes)
    return p


def trees(
    x: NDArray[np.floating],
    y: NDArray[np.integer],
    asked: NDArray[np.floating],
    seed: int,
    workers: int = 1,
    classes: int = 2,
) -> NDArray[np.float64]:
    """Probabilities (n, classes) of the rows `asked`, of a forest fitted on rows `x` of class `y`.

    A class without a row has probability 0.
    """
    forest = ExtraTreesClassifier(
        TREES,
        min_samples_leaf=LEAST_LEAF,
        class_weight="balanced",
        random_state=seed,
        n_jobs=workers,
    )
    forest.fit(x, y)
    p = np.zeros((len(asked), classes))
    p[:, forest.classes_] = forest.predict_proba(asked)
    return p
