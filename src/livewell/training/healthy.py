"""The distance from healthy, fitted on features of healthy wells alone."""

from collections.abc import Sequence

import numpy as np

from livewell.errors import SplitError
from livewell.metrics.decisions import LEAST_GROUPS
from livewell.metrics.healthy import fit_scale
from livewell.models.nets.familiar import Reference
from livewell.models.nets.healthy import LEAST_FAR
from livewell.models.nets.light_head import Head, Values
from livewell.text import plural
from livewell.training.familiarity import (
    LEAST_FIELDS,
    Floats,
    distances,
    fit_reference,
    left_out_distances,
)


def fit_distance(
    x: Values, groups: Sequence[str], axes: int
) -> tuple[Reference, Head, Values, Values]:
    """The reference of healthy regions' features (n, features), and what a distance from it says.

    The scale comes from distances of groups that the reference did not know, each held against the
    others.

    Returns
    -------
    (Reference, Head, own, held)
        The head is of the logarithm of a distance; `own` are its logits (n, 2) of all regions,
        `held` those of regions whose group the reference did not know.

    Raises
    ------
    SplitError
        Fewer than `livewell.metrics.decisions.LEAST_GROUPS` groups, or too few regions outside a
        group to hold it against.
    """
    known = len(set(groups))
    if known < LEAST_GROUPS:
        raise SplitError(
            "too few healthy groups to know how far healthy ones lie from each other",
            expected=f"{LEAST_GROUPS} in training and validation together",
            got=str(known),
            remedy="label more healthy wells, or split by smaller groups",
        )
    features = x.astype(np.float64)
    left_out = left_out_distances(features, groups, axes)
    if np.isnan(left_out).any():
        raise SplitError(
            "too few healthy regions to know how far healthy ones lie from each other",
            expected=f"of every group {LEAST_FIELDS} in the others, in training and validation",
            got=f"{plural(len(features), 'region')} of {known} groups",
            remedy="label more healthy wells, or split with a smaller --stride-px",
        )
    reference = fit_reference(features, groups, axes)
    own, held = _logarithm(distances(reference, features)), _logarithm(left_out)
    scale = fit_scale(held, groups)
    half = np.array([-0.5, 0.5], dtype=np.float32)
    empty = np.empty(0, dtype=np.float32)
    head = Head(
        np.float32(scale.slope) * half[:, None],
        np.float32(scale.intercept) * half,
        empty[:, None],
        empty,
    )
    return reference, head, _said(head, own), _said(head, held)


def _said(head: Head, log_distance: Floats) -> Values:
    return head.logits(log_distance[:, None].astype(np.float32))


def _logarithm(far: Floats) -> Floats:
    return np.log(np.maximum(far, LEAST_FAR))
