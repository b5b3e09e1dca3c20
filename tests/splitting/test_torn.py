"""Random splits that tear groups, for the size of their leak alone."""

import numpy as np

from livewell.splitting.torn import PARTS, torn_parts

GROUP = np.repeat(np.arange(12), 8)
CODES = np.tile([0, 0, 1], 32)
TESTED = np.isin(GROUP, (2, 5, 9))
KNOWN = ~TESTED & (GROUP != 11)


def test_only_the_groups_differ_from_the_honest_split() -> None:
    """Every tested row is judged once, by as many rows of each class, never by itself."""
    parts = list(torn_parts(CODES, KNOWN, TESTED, seed=0))
    assert len(parts) == PARTS
    judged = np.concatenate([left for _, left in parts])
    np.testing.assert_array_equal(np.sort(judged), np.flatnonzero(TESTED))
    for seen, left in parts:
        assert not set(seen) & set(left)
        assert len(set(seen)) == KNOWN.sum()
        np.testing.assert_array_equal(np.bincount(CODES[seen]), np.bincount(CODES[KNOWN]))
        assert set(GROUP[left]) & set(GROUP[seen])
        assert 11 not in GROUP[seen]


def test_draws_follow_from_the_seed() -> None:
    """The same seed draws the same rows, another one others."""
    first, again, other = (
        np.concatenate([seen for seen, _ in torn_parts(CODES, KNOWN, TESTED, seed=seed)])
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
