"""What training fields are like, in features, so that others can be told from them."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from livewell.metrics.decisions import fit_familiarity_rule
from livewell.metrics.rules import FamiliarityRule
from livewell.models.nets.familiar import Reference

AXES = 16
"""Axes along which training fields may differ; never more than half as many as fields."""
FOLDS = 20
"""Training groups are left out one by one, or of many groups as many together as make so many."""
LEAST_FIELDS = 4
"""Fewer fields say nothing of how fields differ."""
LEAST_SPREAD = 0.05
"""No feature's spread is taken for less than this share of the median spread."""
Floats = NDArray[np.float64]


def fit_reference(features: Floats, groups: Sequence[str], axes: int = AXES) -> Reference:
    """The reference of features (n, features), such as of fields, groups weighing alike."""
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    weight = 1 / np.bincount(code)[code][:, None] / len(names)
    mean = (weight * features).sum(axis=0)
    spread = np.sqrt((weight * (features - mean) ** 2).sum(axis=0))
    spread = np.maximum(spread, max(LEAST_SPREAD * float(np.median(spread)), 1e-6))
    scaled = np.sqrt(weight) * (features - mean) / spread
    found = np.linalg.svd(scaled, full_matrices=False)[2][: min(axes, len(features) // 2)]
    made = Reference()
    made.mean, made.spread, made.axes = (
        torch.from_numpy(each.astype(np.float32)) for each in (mean, spread, found)
    )
    return made


def fit_familiarity(
    train: tuple[Floats, Sequence[str]], validation: tuple[Floats, Sequence[str]]
) -> tuple[Reference, FamiliarityRule | None]:
    """The reference of training fields, and the limit from fields of groups that it does not know.

    Features are (fields, features), and groups are by field. Fields of the validation part are held
    against the training part, and those of each training group against the other ones.
    """
    made = fit_reference(*train)
    far = np.concatenate([distances(made, validation[0]), left_out_distances(*train)])
    groups, known = np.concatenate([validation[1], train[1]]), np.isfinite(far)
    return made, fit_familiarity_rule(far[known], groups[known])


def left_out_distances(features: Floats, groups: Sequence[str], axes: int = AXES) -> Floats:
    """Distances (n,) of each group's features from the reference of the other groups.

    NaN where these are of fewer than `LEAST_FIELDS`.
    """
    names = np.asarray(groups)
    known, far = np.unique(names), np.full(len(names), np.nan)
    for left_out in np.array_split(known, min(len(known), FOLDS)) if len(known) > 1 else ():
        own = np.isin(names, left_out)
        if (~own).sum() >= LEAST_FIELDS:
            rest = fit_reference(features[~own], names[~own].tolist(), axes)
            far[own] = distances(rest, features[own])
    return far


def distances(reference: Reference, features: Floats) -> Floats:
    """Those of features (n, features) from a reference, (n,)."""
    return reference.distances(torch.from_numpy(features.astype(np.float32))).numpy().astype(float)
