"""The same content on two sides of a split: found, refused, and how to mend it."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from livewell.errors import LeakError, SplitError
from livewell.measure.alike import Frames, pairs_alike
from livewell.measure.content import WHOLE
from livewell.measure.likeness import Likeness
from livewell.text import few

CLUSTERS = ["cluster", "image", "t", "part", "digest", "alike"]
"""Columns of a cluster table: one row a frame or tile that shows what others show. Where it is a
near copy, `alike` is the correlation, and `digest` the name of the pair."""
LEAKS = ["image_a", "image_b", "group_a", "group_b", "part_a", "part_b", "fold", "same"]
"""Columns of a table of leaks: two images, their groups, the parts these play in a fold, and what
is the same: `CONTENT` or `NEAR`."""
CONTENT = "same content"
NEAR = "near copy: differs in grey levels, crop, size or compression"
DIFFERENT = (
    "; near copies are a judgement: if you see different fields, say so when you split, with"
    " --different-fields IMAGE IMAGE"
)
_SHOWN = 10


def near_copies(
    content: pd.DataFrame,
    groups: Mapping[str, str],
    different: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Images of different groups that show about the same: rows of `CLUSTERS` but for the cluster.

    Two rows a pair; images that others join already are compared no further. Frames are compared
    with each other and with tiles, see `livewell.measure.alike`. This is a judgement: pairs that
    somebody looked at and found `different` are left out.

    Raises
    ------
    SplitError
        An image in `different` that has no group.
    """
    different = list(different)
    if unknown := sorted({image for pair in different for image in pair} - set(groups)):
        raise SplitError(
            "no such images among those that are split",
            where="different fields",
            expected="names as in the study's table of files",
            got=few(unknown),
        )
    known = content.dropna(subset=["likeness"])
    known = known[known["image"].isin(list(groups))]
    parts = [known[known["part"] == WHOLE], known[known["part"] != WHOLE]]
    wholes, tiles = (
        Frames(
            [Likeness.unpacked(data) for data in part["likeness"]],
            part["image"].tolist(),
            [str(groups[image]) for image in part["image"]],
            part["part"].tolist(),
        )
        for part in parts
    )
    apart = {frozenset(pair) for pair in different}
    joined = DisjointSet(known["image"].unique())

    def asked(one: str, other: str) -> bool:
        return frozenset((one, other)) not in apart and not joined.connected(one, other)

    rows = list[tuple[object, ...]]()
    for others, table in ((wholes, parts[0]), (tiles, parts[1])):
        for pair in pairs_alike(wholes, others, asked):
            both = parts[0].iloc[pair.one], table.iloc[pair.other]
            joined.merge(*(one["image"] for one in both))
            name = f"pair {len(rows) // 2}"
            rows += [(*one[["image", "t", "part"]], name, pair.correlation) for one in both]
    return pd.DataFrame(rows, columns=CLUSTERS[1:])


def same_content(content: pd.DataFrame, near: pd.DataFrame | None = None) -> pd.DataFrame:
    """Images that show the same, whole or as tiles of one another (columns `CLUSTERS`).

    `content` is as `livewell.measure.content.table_of` makes it; a missing digest is like no
    other. Images in one cluster are joined by equal digests or as `near` copies, directly or
    through other images: two tiles of one image belong together though they share no pixel.
    """
    known = content.dropna(subset=["digest"])
    known = known.assign(image=known["image"].astype("str"))
    images = known.groupby("digest")["image"].transform("nunique")
    shared = known[images > 1].drop_duplicates(["image", "t", "part", "digest"])
    shared = shared.assign(alike=np.nan)
    if near is not None and len(near):
        shared = pd.concat([shared, near]) if len(shared) else near
    if shared.empty:
        return pd.DataFrame(columns=CLUSTERS).astype({"cluster": "int64"})
    number = _joined(shared["image"], shared["digest"])
    table = shared.assign(cluster=shared["image"].map(number).astype("int64"))
    table = table.sort_values(["cluster", "image", "t", "part", "digest"])
    return table[CLUSTERS].reset_index(drop=True)


def find_leaks(
    clusters: pd.DataFrame, groups: Mapping[str, str], folds: pd.DataFrame
) -> pd.DataFrame:
    """Pairs of images in one cluster whose groups are on two sides in some fold.

    `groups` holds the group of every image that is used. Groups that are ``unused`` or absent in a
    fold leak nothing there. Columns `LEAKS`, one row a pair and fold, sorted.
    """
    pairs = pairs_of_groups(clusters, groups)
    used = folds.loc[folds["part"] != "unused", ["fold", "group", "part"]]
    used = used.assign(group=used["group"].astype("str"))
    sides = pairs.merge(used.rename(columns={"group": "group_a", "part": "part_a"}), on="group_a")
    other = used.rename(columns={"group": "group_b", "part": "part_b"})
    sides = sides.merge(other, on=["group_b", "fold"])
    sides = sides[sides["part_a"] != sides["part_b"]]
    return sides[LEAKS].sort_values(["image_a", "image_b", "fold"], ignore_index=True)


def pairs_of_groups(clusters: pd.DataFrame, groups: Mapping[str, str]) -> pd.DataFrame:
    """Pairs of images in one cluster whose groups differ: some columns of `LEAKS`."""
    members = clusters[["cluster", "image"]].drop_duplicates()
    members = members.assign(group=members["image"].map(dict(groups))).dropna(subset=["group"])
    exact = clusters[clusters["alike"].isna()]
    proven = _joined(exact["image"], exact["digest"]) if len(exact) else pd.Series(dtype="int64")
    members = members.assign(
        group=members["group"].astype("str"), proven=members["image"].map(proven)
    )
    pairs = members.merge(members, on="cluster", suffixes=("_a", "_b"))
    pairs = pairs[(pairs["image_a"] < pairs["image_b"]) & (pairs["group_a"] != pairs["group_b"])]
    same = np.where(pairs["proven_a"] == pairs["proven_b"], CONTENT, NEAR)
    return pairs.drop(columns=["proven_a", "proven_b"]).assign(same=same)


def refuse_leaks(clusters: pd.DataFrame, groups: Mapping[str, str], folds: pd.DataFrame) -> None:
    """Refuse a split that shows the same on two sides, naming the pairs of files."""
    leaks = find_leaks(clusters, groups, folds).drop_duplicates(["image_a", "image_b"])
    if leaks.empty:
        return
    leaks = leaks.sort_values("same", key=lambda same: same != CONTENT, kind="stable")
    shown = [
        f"{leak.image_a} ({leak.part_a}, group {leak.group_a}) and"
        f" {leak.image_b} ({leak.part_b}, group {leak.group_b}): {leak.same}"
        for leak in leaks.head(_SHOWN).itertuples()
    ]
    more = f"; and {len(leaks) - _SHOWN} more pairs" if len(leaks) > _SHOWN else ""
    proven = (leaks["same"] == CONTENT).any()
    looked = "" if proven and (leaks["same"] == CONTENT).all() else DIFFERENT
    raise LeakError(
        f"{CONTENT if proven else 'near copies'} on two sides of the split",
        expected="images that show the same in one part",
        got="; ".join(shown) + more,
        remedy="give images that show the same one group (--merge-duplicates does), or leave"
        f" one of them out when indexing{looked}",
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
        f"several groups show the same, or nearly, and became one: {few(joined, 3)};"
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
