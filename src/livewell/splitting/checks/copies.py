"""Whether the same image is in several groups, or on both sides of a split."""

from collections.abc import Collection, Mapping

import pandas as pd

from livewell.measure.content import WHOLE
from livewell.splitting.audit import Check
from livewell.splitting.leaks import (
    CONTENT,
    find_leaks,
    near_copies,
    pairs_of_groups,
    same_content,
)
from livewell.text import few, plural

QUESTION = "Does the same image, or nearly the same, count as two independent ones?"
REMEDY = (
    "Look at the pairs. Give images that show the same one group (livewell split"
    " --merge-duplicates), or leave one of them out; of pairs that are different fields say so"
    " (--different-fields), and the split keeps it on record."
)


def copies(
    content: pd.DataFrame,
    groups: Mapping[str, str],
    folds: pd.DataFrame | None = None,
    different: Collection[tuple[str, str]] = (),
) -> Check:
    """Pairs of images that show the same and are in different groups, or in different parts.

    Parameters
    ----------
    content
        Content table of the frames that are used, see `livewell.study.content.content`.
    groups
        Group of every image that is used.
    folds
        Parts of groups; without a split every pair of images in two groups counts.
    different
        Pairs that somebody saw to be different fields.
    """
    frames = content[content["part"] == WHOLE]
    if frames["digest"].notna().sum() == 0:
        return Check("copies", QUESTION, unchecked="No frame shows anything to compare.")
    clusters = same_content(content, near_copies(content, groups, different))
    if folds is None:
        pairs = pairs_of_groups(clusters, groups).sort_values(["image_a", "image_b"])
    else:
        pairs = find_leaks(clusters, groups, folds).drop_duplicates(["image_a", "image_b"])
    bare = int(frames["likeness"].isna().sum())
    where = "in different groups" if folds is None else "on two sides of the split"
    return Check(
        "copies",
        QUESTION,
        found="fails" if len(pairs) else "passes",
        fails=_told(pairs, clusters, where),
        passes=f"None of {plural(len(groups), 'image')} shows the same as one {where}, also not in"
        " other grey levels, turned, cropped by a few pixels, compressed or as a tile."
        + (f" {plural(bare, 'frame')} without structure could not be compared." if bare else "")
        + (
            f" {plural(len(different), 'pair')} that look alike were said to be different fields:"
            f" {few(' and '.join(pair) for pair in different)}."
            if different
            else ""
        ),
        remedy=REMEDY,
        table=pairs.reset_index(drop=True),
    )


def _told(pairs: pd.DataFrame, clusters: pd.DataFrame, where: str) -> str:
    if pairs.empty:
        return ""
    exact = int((pairs["same"] == CONTENT).sum())
    shown = [
        f"{one.image_a} (group {one.group_a}) and {one.image_b} (group {one.group_b})"
        for one in pairs.head(3).itertuples()
    ]
    involved = {*pairs["image_a"], *pairs["image_b"]}
    whole = clusters["part"] == WHOLE
    of_files = whole.groupby(clusters["digest"]).transform("any")
    tiled = clusters[~whole & of_files & clusters["image"].isin(list(involved))]
    number = tiled["image"].nunique()
    tiles = f" Tiles of {plural(number, 'image')} are there as images too." if number else ""
    return (
        f"{plural(len(pairs), 'pair')} of images {where} show the same ({exact} to the last grey"
        f" level, {len(pairs) - exact} as near copies), such as {'; '.join(shown)}.{tiles} What a"
        " model has seen on one side it will seem to know on the other."
    )
