"""Whether regions lie by their class or by their group in the features of a net.

Both are asked so that the answer to one is not the answer to the other. Of two regions of other
groups, one of the same class and one of another, which is the nearer? And of two regions of the
same class, one of the same group and one of another? Without regions at the same position, which
may show the same cells again.

Pairs are compared, not shares of the nearest counted: where few groups hold a class, or groups have
few positions, the nearest of many others is nearer than the nearest of few alike for that alone,
while of a pair either is as likely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances

from livewell.explain.background import pooled
from livewell.metrics.intervals import Estimate

CHANCE = 0.5
"""Share of pairs in which that of the same kind is nearer where features do not know kinds."""
LEAST_GROUPS = 3
"""What fewer groups show has no interval: each is only held against the other."""
ALONE = {
    "by_class": "no region has both its own class and another one in other groups",
    "by_group": "no region has others of its class both in its own group, at another position, and"
    " in another group",
}
SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """How often the region of the same class is the nearer one, and that of the same group.

    Both are `CHANCE` where features do not know it and 1 where they know nothing else, whatever the
    number of classes, groups and regions, so that they can be compared. Intervals resample groups.
    """

    by_class: Estimate
    by_group: Estimate


def neighbours(
    points: NDArray[np.floating],
    labels: Sequence[str],
    groups: Sequence[str],
    positions: Sequence[str],
) -> pd.DataFrame:
    """How often the region of the same kind is the nearer of a pair, one row a region.

    Parameters
    ----------
    points
        (n, dimensions), features of one model; distances are Euclidean.
    labels, groups, positions
        Class, group and position of every region; regions at one position of a group are not held
        against one another.

    Returns
    -------
    pandas.DataFrame
        `label` and `group`; `by_class`, the share of pairs of regions of other groups in which that
        of the same class is the nearer; `by_group`, the share of pairs of regions of the same class
        in which that of the same group is. NaN where there is no pair.
    """
    distances = pairwise_distances(np.asarray(points, dtype=np.float64))
    same_class, same_group, same_position = map(_same, (labels, groups, positions))
    beside = same_group & ~same_position
    return pd.DataFrame(
        {
            "label": labels,
            "group": groups,
            "by_class": _nearer(distances, same_class & ~same_group, ~same_class & ~same_group),
            "by_group": _nearer(distances, same_class & beside, same_class & ~same_group),
        }
    )


def nearness(table: pd.DataFrame, *, seed: int) -> Neighbourhood:
    """Figures of a table of `neighbours`, or of several one below the other.

    Every class counts as much as the others in the one, every group in the other.
    """
    kinds = {"by_class": table["label"], "by_group": table["group"]}
    return Neighbourhood(*(_figure(table, of, kind, seed) for of, kind in kinds.items()))


def _figure(table: pd.DataFrame, of: str, kind: "pd.Series[str]", seed: int) -> Estimate:
    known = table[of].notna()
    weight = 1 / kind[known].map(kind[known].value_counts()).to_numpy(float)
    share, groups = table.loc[known, of].to_numpy(float), table.loc[known, "group"].to_numpy(str)
    found = pooled(weight * share, weight, groups, seed, ALONE[of])
    if 0 < found.groups < LEAST_GROUPS:
        note = "two groups are held against each other alone, nothing to resample"
        return Estimate(found.value, 0.0, 1.0, found.groups, "none", note)
    return found


def _same(names: Sequence[str]) -> Flags:
    """(n, n), whether two regions have the same name."""
    codes = pd.factorize(np.asarray(names, dtype=str))[0]
    return np.asarray(codes[:, None] == codes)


def _nearer(distances: Floats, alike: Flags, other: Flags) -> Floats:
    """Share of all pairs of one region alike and one other whose first is the nearer, (n,).

    Equal distances count half; NaN where there is no pair.
    """
    found = np.full(len(distances), np.nan)
    for row in np.flatnonzero(alike.any(axis=1) & other.any(axis=1)).tolist():
        mine, others = distances[row, alike[row]], np.sort(distances[row, other[row]])
        closer = [np.searchsorted(others, mine, side).mean() for side in SIDES]
        found[row] = 1 - np.mean(closer) / len(others)
    return found
