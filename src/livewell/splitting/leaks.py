"""The same content on two sides of a split: found, refused, and how to mend it."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from livewell.errors import LeakError
from livewell.text import few

CLUSTERS = ["cluster", "image", "t", "part", "digest"]
"""Columns of a cluster table: one row a frame or tile whose content others share."""
LEAKS = ["image_a", "image_b", "group_a", "group_b", "part_a", "part_b", "fold"]
"""Columns of a table of leaks: two images, their groups, and the parts these play in a fold."""
_SHOWN = 10


def same_content(content: pd.DataFrame) -> pd.DataFrame:
    """Images that show the same, whole or as tiles of one another (columns `CLUSTERS`).

    `content` is as `livewell.measure.content.table_of` makes it; a missing digest is like no
    other. Images in one cluster are joined by equal digests, directly or through other images: two
    tiles of one image belong together though they share no pixel.
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
) -> pd.DataFrame:
    """Pairs of images in one cluster whose groups are on two sides in some fold.

    `groups` holds the group of every image that is used. Groups that are ``unused`` or absent in a
    fold leak nothing there. Columns `LEAKS`, one row a pair and fold, sorted.
    """
    members = clusters[["cluster", "image"]].drop_duplicates()
    members = members.assign(group=members["image"].map(dict(groups))).dropna(subset=["group"])
    members = members.assign(group=members["group"].astype("str"))
    pairs = members.merge(members, on="cluster", suffixes=("_a", "_b"))
    pairs = pairs[(pairs["image_a"] < pairs["image_b"]) & (pairs["group_a"] != pairs["group_b"])]
    used = folds.loc[folds["part"] != "unused", ["fold", "group", "part"]]
    used = used.assign(group=used["group"].astype("str"))
    sides = pairs.merge(used.rename(columns={"group": "group_a", "part": "part_a"}), on="group_a")
    other = used.rename(columns={"group": "group_b", "part": "part_b"})
    sides = sides.merge(other, on=["group_b", "fold"])
    sides = sides[sides["part_a"] != sides["part_b"]]
    return sides[LEAKS].sort_values(["image_a", "image_b", "fold"], ignore_index=True)


def refuse_leaks(clusters: pd.DataFrame, groups: Mapping[str, str], folds: pd.DataFrame) -> None:
    """Refuse a split that has the same content on two sides, naming the pairs of files."""
    leaks = find_leaks(clusters, groups, folds).drop_duplicates(["image_a", "image_b"])
    if len(leaks):
        shown = [
            f"{leak.image_a} ({leak.part_a}, group {leak.group_a}) and"
            f" {leak.image_b} ({leak.part_b}, group {leak.group_b})"
            for leak in leaks.head(_SHOWN).itertuples()
        ]
        more = f"; and {len(leaks) - _SHOWN} more pairs" if len(leaks) > _SHOWN else ""
        raise LeakError(
            "the same content is on two sides of the split",
            expected="images that show the same in one part",
            got="; ".join(shown) + more,
            remedy="give images that show the same one group (--merge-duplicates does), or leave"
            " one of them out when indexing",
        )


def merged_groups(clusters: pd.DataFrame, groups: Mapping[str, str]) -> dict[str, str]:
    """Groups (by image) in which images that show the same are together.

    Groups that share content become one, named after its members: ``A+B``, or ``A+3 more`` where
    there are more than three. A group that shares nothing keeps its name.
    """
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


def told_merged(before: Collection[str], merged: Mapping[str, str]) -> list[str]:
    """A warning of groups that became one, for they share content; none where there are none."""
    joined = sorted(set(merged.values()) - set(before))
    if not joined:
        return []
    return [
        f"images of the same content stand in several groups, which became one: {few(joined, 3)};"
        " what is there twice also counts twice"
    ]


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
