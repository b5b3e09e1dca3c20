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


def fit_reference(features: Floats, groups: Sequence[str]) -> Reference:
    """The reference of fields, their mean features (n, features), groups weighing alike."""
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    weight = 1 / np.bincount(code)[code][:, None] / len(names)
    mean = (weight * features).sum(axis=0)
    spread = np.sqrt((weight * (features - mean) ** 2).sum(axis=0))
    spread = np.maximum(spread, max(LEAST_SPREAD * float(np.median(spread)), 1e-6))
    scaled = np.sqrt(weight) * (features - mean) / spread
    axes = np.linalg.svd(scaled, full_matrices=False)[2][: min(AXES, len(features) // 2)]
    made = Reference()
    made.mean, made.spread, made.axes = (
        torch.from_numpy(each.astype(np.float32)) for each in (mean, spread, axes)
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
    features, groups = train[0], np.asarray(train[1])
    parts, names = [_distances(made, validation[0])], [np.asarray(validation[1])]
    known = np.unique(groups)
    for left_out in np.array_split(known, min(len(known), FOLDS)) if len(known) > 1 else ():
        own = np.isin(groups, left_out)
        if (~own).sum() < LEAST_FIELDS:
            continue
        rest = fit_reference(features[~own], groups[~own].tolist())
        parts.append(_distances(rest, features[own]))
        names.append(groups[own])
    return made, fit_familiarity_rule(np.concatenate(parts), np.concatenate(names))


def _distances(reference: Reference, features: Floats) -> Floats:
    return reference.distances(torch.from_numpy(features.astype(np.float32))).numpy().astype(float)
