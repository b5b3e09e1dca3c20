"""Copies on two sides of a split that is there already: made by hand, or by an older version."""

from contextlib import suppress
from hashlib import sha256

import pandas as pd

from livewell.errors import LivewellError
from livewell.splitting.groups import group_of_images
from livewell.splitting.leaks import near_copies, refuse_leaks, same_content
from livewell.study.content import content
from livewell.study.pixels import StudyPixels
from livewell.study.study import Study


def tables_hash(patches: pd.DataFrame, folds: pd.DataFrame) -> str:
    """Hash of what decides whether a copy is on two sides: groups of images, parts of groups."""
    tables = patches[["image", "group"]].drop_duplicates(), folds[["fold", "group", "part"]]
    texts = [
        table.astype("str").sort_values(table.columns.tolist()).to_csv(index=False)
        for table in tables
    ]
    return sha256("\n".join(texts).encode()).hexdigest()


def refuse_copies(study: Study, split: str, pixels: StudyPixels) -> None:
    """Refuse a split that shows the same on two sides; one that `split` has looked at passes.

    Frames that cannot be read are nobody's copies: who uses them says what is wrong.

    Raises
    ------
    LeakError
        The same content, or near copies, on two sides.
    """
    patches, folds, meta = study.split(split)
    if meta.without_copies == tables_hash(patches, folds):
        return
    groups = dict(group_of_images(patches))
    usable = dict[str, list[int]]()
    for image in groups:
        with suppress(LivewellError):
            usable[image] = pixels.usable(image)
    frames = patches[["image", "t"]].drop_duplicates()
    pairs = zip(frames["image"], frames["t"], strict=True)
    digests = content(study, pixels, frames[[t in usable.get(image, ()) for image, t in pairs]])
    clusters = same_content(digests, near_copies(digests, groups, meta.different_fields))
    refuse_leaks(clusters, groups, folds)
