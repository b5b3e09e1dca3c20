"""Groups: what is never split, and how many patches of each class every one of them holds."""

import pandas as pd

from livewell.errors import LabelError, SplitError
from livewell.tables.faults import listed
from livewell.tables.metadata import LabelMeta


def group_counts(patches: pd.DataFrame) -> pd.DataFrame:
    """Patches by group (rows) and class (columns), both as text and sorted.

    `patches` has the columns group and label (`schemas.PATCHES`).
    """
    if patches.empty:
        raise SplitError("no patches to split", remedy="keep patches without cells (--empty keep)")
    return pd.crosstab(patches["group"].astype("str"), patches["label"].astype("str"))


def refuse_lost(patches: pd.DataFrame, meta: LabelMeta) -> None:
    """Refuse a class of these labels that has lost all its patches; no patch is said later."""
    classes, there = meta.class_names, set(patches["label"])
    lost = [name for name in classes if name not in there]
    if meta.healthy_only or not there:
        return
    if len(there) < 2:
        raise SplitError(
            f"every patch is {min(there)!r}; one class cannot be told from another",
            expected="patches of two classes or more",
            remedy="check the labels, or label patches of another class too; where only healthy"
            " wells are known, label with --healthy-only",
        )
    if lost:
        raise LabelError(
            f"no patch of {' or '.join(map(repr, lost))} is left",
            where="labels",
            expected=f"patches of {classes}",
            got=", ".join(sorted(there)),
            remedy="keep patches without cells (--empty keep), take smaller patches, or merge"
            " classes with `livewell label merge`",
        )


def grouped(patches: pd.DataFrame, groups: "pd.Series[str]", by: str) -> pd.DataFrame:
    """The patches with the group of their image, by column `by`; images without one are refused."""
    found = patches.assign(group=patches["image"].map(groups))
    without = found.loc[found["group"].isna(), "image"].unique()
    if len(without):
        raise SplitError(
            f"labelled images without a {by}: {len(without)}",
            where=f"column {by}",
            expected="a value for every labelled image",
            got=f"empty for {listed(without, 3)}",
            remedy="fill the column, or label only images that have it",
        )
    return found


def group_of_images(patches: pd.DataFrame) -> "pd.Series[str]":
    """The group by image."""
    return patches.drop_duplicates("image").set_index("image")["group"]
