"""Copies on two sides of a split that is there already: made by hand, or by an older version."""

from hashlib import sha256

import pandas as pd

from livewell.splitting.groups import group_of_images
from livewell.splitting.leaks import near_copies, refuse_leaks, same_content
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study
from livewell.tables.metadata import SplitMeta


def tables_hash(patches: pd.DataFrame, folds: pd.DataFrame) -> str:
    """Hash of what decides whether a copy is on two sides: groups of images, parts of groups."""
    tables = patches[["image", "group"]].drop_duplicates(), folds[["fold", "group", "part"]]
    texts = [table.astype("str").sort_values(list(table)).to_csv(index=False) for table in tables]
    return sha256("\n".join(texts).encode()).hexdigest()


def refuse_copies(
    study: Study,
    patches: pd.DataFrame,
    folds: pd.DataFrame,
    meta: SplitMeta,
    pixels: StudyPixels,
) -> None:
    """Refuse a split that shows the same on two sides; one that `split` has looked at passes.

    Raises
    ------
    LeakError
        The same content, or near copies, on two sides.
    """
    if meta.without_copies == tables_hash(patches, folds):
        return
    groups = dict(group_of_images(patches))
    digests = content(study, pixels, patches[["image", "t"]].drop_duplicates())
    clusters = same_content(digests, near_copies(digests, groups, meta.different_fields))
    refuse_leaks(clusters, groups, folds)
