"""How far fields lie from those of the training part, and from where on they are unlike."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from livewell.errors import SplitError
from livewell.metrics.decisions import MOST_FLAGGED, fit_familiarity_rule
from livewell.models.nets.familiar import Reference
from livewell.training.familiarity import fit_familiarity, fit_reference
from livewell.training.healthy import fit_distance

FEATURES = 200


def fields(
    seed: int, groups: int, each: int, *, beside: float = 0.0
) -> tuple[NDArray[np.float64], list[str]]:
    """Features of fields that differ along two axes, between groups and within them, and noise."""
    rng = np.random.default_rng([1, seed])
    axes = np.random.default_rng(0).normal(size=(3, FEATURES))
    names = np.repeat(np.arange(groups), each)
    along = rng.normal(size=(groups, 2))[names] + rng.normal(0, 0.3, (len(names), 2))
    values = along @ axes[:2] + beside * axes[2] + rng.normal(0, 0.2, (len(names), FEATURES))
    return values, [f"{seed}-{name}" for name in names]


def test_more_along_known_axes_is_familiar_and_beside_them_is_not() -> None:
    """Fields of new groups lie within the limit, fields moved along a new axis beyond it."""
    _, rule = made = fit_familiarity(fields(0, 8, 5), fields(1, 3, 5))
    assert rule is not None
    assert (rule.fields, rule.groups) == (55, 11)
    near, far = (
        made[0].distances(torch.from_numpy(fields(2, 20, 5, beside=beside)[0]).float()).tolist()
        for beside in (0.0, 1.5)
    )
    assert np.mean([rule.unlike(each) for each in near]) <= MOST_FLAGGED
    assert all(rule.unlike(each) for each in far)


@pytest.mark.parametrize("longer_tails", [False, True])
def test_the_limit_holds_for_new_groups(longer_tails: bool) -> None:
    """Two to five in a hundred fields of a further group lie beyond it: no more, and not far fewer.

    Groups differ normally, or with longer tails.
    """
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(400):
        far = 0.2 * rng.standard_t(3, (11, 1)) if longer_tails else rng.normal(0, 0.3, (11, 1))
        groups = np.exp(far + rng.normal(0, 0.2, (11, 6)))
        rule = fit_familiarity_rule(groups[:10].ravel(), np.repeat(np.arange(10), 6))
        assert rule is not None
        beyond.append(np.mean(groups[10] > rule.limit))
    assert 0.02 <= np.mean(beyond) <= MOST_FLAGGED


def test_one_far_field_of_a_group_does_not_move_the_limit_to_it() -> None:
    """A limit rests on the middle of every group, so what lies like a strange field is told."""
    distances = np.exp(np.random.default_rng(0).normal(0, 0.1, (8, 6)))
    distances[3, 2] = 4
    rule = fit_familiarity_rule(distances.ravel(), np.repeat(np.arange(8), 6))
    assert rule is not None
    assert rule.unlike(4)


def test_two_groups_tell_nothing() -> None:
    """With two groups nobody knows how far a third one may lie."""
    assert fit_familiarity(fields(0, 1, 5), fields(1, 1, 5))[1] is None


def test_weights_keep_the_reference_and_older_ones_have_none() -> None:
    """A reference is read back as it was, of any number of axes; without one there is none."""
    reference = fit_reference(*fields(0, 6, 4))
    again = Reference()
    again.load_state_dict(reference.state_dict())
    here = torch.from_numpy(fields(3, 2, 2)[0]).float()
    torch.testing.assert_close(again.distances(here), reference.distances(here))
    older = Reference()
    older.load_state_dict({})
    assert (again.fitted, older.fitted) == (True, False)


@pytest.mark.parametrize("groups", ["abc", "aaaabc"])
def test_healthy_groups_of_too_few_regions_are_refused(groups: str) -> None:
    """A group that is held against fewer than four regions of others has no distance."""
    with pytest.raises(SplitError, match=r"too few healthy regions.*4 in the others"):
        fit_distance(fields(0, 1, len(groups))[0].astype(np.float32), list(groups), 2)
