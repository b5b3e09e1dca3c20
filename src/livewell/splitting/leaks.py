"""The same picture content on two sides of a split: found, refused, and how to mend it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from livewell.errors import LeakError, SplitError

CLUSTERS = ["cluster", "image", "t", "part", "digest"]
"""Columns of a cluster table: one row a place where shared content was seen."""
_ENDS = ("image_a", "image_b", "group_a", "group_b", "part_a", "part_b")
_SHOWN = 10


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """Two images that show the same, on two sides of a split.

    Parameters
    ----------
    image_a, image_b
        Names of the images.
    group_a, group_b
        Their groups.
    part_a, part_b
        The parts that these play in the first of the folds.
    folds
        Every fold in which they are on two sides.
    """

    image_a: str
    image_b: str
    group_a: str
    group_b: str
    part_a: str
    part_b: str
    folds: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"{self.image_a} ({self.part_a}, group {self.group_a}) and"
            f" {self.image_b} ({self.part_b}, group {self.group_b})"
        )


def same_content(content: pd.DataFrame) -> pd.DataFrame:
    """Images that show the same, whole or as tiles of one another.

    Parameters
    ----------
    content
        Columns image, t, digest and part (``whole``, or a tile such as ``2x2:0,1``), as
        `livewell.measure.content.content_table` makes them; a missing digest is like no other.

    Returns
    -------
    DataFrame
        Columns `CLUSTERS`. Images in one cluster are joined by equal digests, directly or through
        other images: two tiles of one picture belong together though they share no pixel.
    """
    known = content.dropna(subset=["digest"])
    known = known.assign(image=known["image"].astype("str"))
    images = known.groupby("digest")["image"].transform("nunique")
    shared = known[images > 1].drop_duplicates(["image", "t", "part", "digest"])
    if shared.empty:
        return pd.DataFrame(columns=CLUSTERS).astype({"cluster": "int64"})
    number = _joined(shared["image"], shared["digest"])
    table = shared.assign(cluster=shared["image"].map(number).astype("int64"))
    table = table.sort_values(["cluster", "image", "t", "part"])
    return table[CLUSTERS].reset_index(drop=True)


def find_leaks(
    clusters: pd.DataFrame, groups: Mapping[str, str], folds: pd.DataFrame
) -> list[Leak]:
    """Pairs of images in one cluster whose groups are on two sides in some fold.

    Parameters
    ----------
    clusters
        As `same_content` returns.
    groups
        Group of every image that is used; images without one are left out.
    folds
        `schemas.FOLDS`; groups that are ``unused`` or absent in a fold leak nothing there.

    Returns
    -------
    list of Leak
        One for each pair of images, sorted by name.
    """
    members = clusters[["cluster", "image"]].drop_duplicates()
    members = members.assign(group=members["image"].map(dict(groups))).dropna(subset=["group"])
    members = members.assign(group=members["group"].astype("str"))
    pairs = members.merge(members, on="cluster", suffixes=("_a", "_b"))
    pairs = pairs[(pairs["image_a"] < pairs["image_b"]) & (pairs["group_a"] != pairs["group_b"])]
    used = folds.loc[folds["part"] != "unused", ["fold", "group", "part"]]
    used = used.assign(group=used["group"].astype("str"))
    sides = pairs.merge(used.add_suffix("_a"), on="group_a")
    sides = sides.merge(
        used.add_suffix("_b"), left_on=["group_b", "fold_a"], right_on=["group_b", "fold_b"]
    )
    sides = sides[sides["part_a"] != sides["part_b"]].sort_values("fold_a")
    found = []
    for _, rows in sides.groupby(["image_a", "image_b"], sort=True):
        image_a, image_b, group_a, group_b, part_a, part_b = (str(rows[n].iloc[0]) for n in _ENDS)
        folds_hit = tuple(int(fold) for fold in rows["fold_a"])
        found.append(Leak(image_a, image_b, group_a, group_b, part_a, part_b, folds_hit))
    return found


def refuse_leaks(clusters: pd.DataFrame, groups: Mapping[str, str], folds: pd.DataFrame) -> None:
    """Refuse a split that has the same content on two sides.

    Parameters
    ----------
    clusters, groups, folds
        As in `find_leaks`.

    Raises
    ------
    LeakError
        Naming the pairs of files.
    """
    leaks = find_leaks(clusters, groups, folds)
    if leaks:
        more = f"; and {len(leaks) - _SHOWN} more pairs" if len(leaks) > _SHOWN else ""
        raise LeakError(
            "the same picture content is on two sides of the split",
            expected="images that show the same in one part",
            got="; ".join(str(leak) for leak in leaks[:_SHOWN]) + more,
            remedy="give them one group (--merge-duplicates does), or leave one of them out",
        )


def merged_groups(clusters: pd.DataFrame, groups: Mapping[str, str]) -> dict[str, str]:
    """Groups in which images that show the same are together.

    Parameters
    ----------
    clusters, groups
        As in `find_leaks`.

    Returns
    -------
    dict
        Image to group, for every image of `groups`. Groups that share content become one, named
        after its members: ``A+B``, or ``A+3 more`` where there are more than three. A group that
        shares nothing keeps its name.

    Raises
    ------
    SplitError
        An image without a group.
    """
    empty = sorted(str(image) for image, group in groups.items() if not str(group).strip())
    if empty:
        raise SplitError("images without a group", got=", ".join(empty[:_SHOWN]))
    table = clusters[["cluster", "image"]].drop_duplicates()
    table = table.assign(group=table["image"].map(dict(groups))).dropna(subset=["group"])
    if table.empty:
        return {image: str(group) for image, group in groups.items()}
    number = _joined(table["group"].astype("str"), table["cluster"].astype("str"))
    names = {
        group: _name(members.index)
        for _, members in number.groupby(number)
        for group in members.index
    }
    return {image: names.get(str(group), str(group)) for image, group in groups.items()}


def _name(members: pd.Index) -> str:
    ordered = sorted(members)
    return "+".join(ordered) if len(ordered) <= 3 else f"{ordered[0]}+{len(ordered) - 1} more"


def _joined(one: pd.Series, other: pd.Series) -> pd.Series:
    """Component of every value of `one`; two are joined where they share a value of `other`."""
    left, names = pd.factorize(one, sort=True)
    right, others = pd.factorize(other, sort=True)
    size = len(names) + len(others)
    edges = coo_array((np.ones(len(left)), (left, right + len(names))), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    number, _ = pd.factorize(component[: len(names)])
    return pd.Series(number, index=names)
