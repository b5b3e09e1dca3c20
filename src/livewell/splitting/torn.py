"""Random splits that tear groups: never to be used, only to see how much they would flatter."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
PARTS = 5
"""Parts in which tested regions are left out one after the other, so that most regions of their own
groups are there to learn from, as in a random split."""


def torn_parts(
    codes: NDArray[np.integer],
    known: NDArray[np.bool_],
    tested: NDArray[np.bool_],
    seed: int,
    parts: int = PARTS,
) -> Iterator[tuple[Rows, Rows]]:
    """Rows to learn from and rows to judge, drawn at random whatever their groups.

    Every tested row is judged once, by what learnt from as many rows of each class as are known in
    the honest split, drawn from all other known and tested rows: so nothing but the groups differs.

    Parameters
    ----------
    codes
        Number of the class of every row, shape (n,).
    known, tested
        Rows that are learnt from and judged in the honest split, shape (n,).
    """
    rng = np.random.default_rng([seed, 18])
    counts = np.bincount(codes[known])
    judged = rng.permutation(np.flatnonzero(tested))
    for some in np.array_split(judged, min(parts, len(judged))):
        there = known | tested
        there[some] = False
        drawn = [
            rng.choice(np.flatnonzero(there & (codes == code)), count, replace=False)
            for code, count in enumerate(counts)
        ]
        yield np.sort(np.concatenate(drawn)), np.sort(some)
