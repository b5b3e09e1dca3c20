"""Images that stand in the study several times."""

import pandas as pd

from livewell.measure.content import WHOLE
from livewell.splitting.audit import Check
from livewell.splitting.checks.data import COPY, AuditData
from livewell.splitting.groups import group_of_images
from livewell.splitting.leaks import find_leaks
from livewell.text import plural

NAME = "repeats"
QUESTION = "Does the same image, or a part of it, stand in the study several times?"


def repeats(data: AuditData) -> Check:
    """Images that show the same or nearly, turned, in other grey levels, or as tiles of another.

    Copies of one label are to be kept together, which `livewell split` sees to: `attention`. It
    `fails` where copies have several labels, or lie on two sides of the split in question.
    """
    remedy = (
        "Keep copies in one group (livewell split --merge-duplicates, or --by picture for tiles),"
        " count them once, and correct copies with two labels."
    )
    clusters = data.clusters
    base = Check(NAME, QUESTION, remedy=remedy)
    table = clusters.drop_duplicates(["cluster", "image"])[["cluster", "image"]]
    labels = data.labels.groupby("image")["label"].agg(lambda each: "/".join(sorted(set(each))))
    table = table.assign(label=table["image"].map(labels))
    if table.empty:
        return Check(
            base.name,
            base.question,
            passes=f"No copies were found, nor turned ones, tiles, or copies in other grey levels,"
            f" compressed or cropped by a few pixels ({len(data.fields)} images compared). Fields"
            " that overlap by less than two thirds are not found.",
            remedy=remedy,
            table=table,
        )
    kinds = table.groupby("cluster")["label"].nunique()
    torn = table[table["cluster"].isin(kinds.index[kinds > 1])]
    sides = _sides(data)
    # a headline has the first sentence alone
    said = [sides] if sides else []
    if len(torn) and not data.mixed:
        count = plural(len(set(torn["cluster"])), "set")
        said.append(f"Labels differ in {count} of copies, such as {_pair(torn)}.")
    said.append(_said(data))
    return Check(
        NAME,
        QUESTION,
        found="fails" if len(said) > 1 else "attention",
        fails=" ".join(said),
        remedy=remedy,
        table=table,
    )


def _said(data: AuditData) -> str:
    clusters = data.clusters
    near = set(clusters.loc[clusters["alike"].notna(), "image"])
    copies = data.fields[data.fields[COPY].notna()]
    said = []
    if len(copies):
        exact = clusters[clusters["alike"].isna()]
        tiled = (exact["part"] != WHOLE).groupby(exact["cluster"]).any()
        kind = "are tiles of another" if tiled.all() else "repeat another"
        first = copies.iloc[0]
        said.append(
            f"{len(copies)} of {len(data.fields)} images {kind}. For example, {first['image']} is"
            f" that of {first[COPY]}; copies count once in this audit, and in training as"
            " often as they are there."
        )
    if near:
        pair = clusters.loc[clusters["alike"].notna(), "digest"].iloc[0]
        shown = dict.fromkeys(clusters.loc[clusters["digest"] == pair, "image"])
        said.append(
            f"{len(near)} of {len(data.fields)} images show nearly the same as another (turned, in"
            " other grey levels, cropped, compressed or overlapping by two thirds), such as"
            f" {' and '.join(shown)}; they count as images of their own in this audit, and livewell"
            " split refuses to part them."
        )
    return " ".join(said)


def _pair(torn: pd.DataFrame) -> str:
    part = torn[torn["cluster"] == torn["cluster"].iloc[0]].head(2)
    return " and ".join(f"{row.image} ({row.label})" for row in part.itertuples())


def _sides(data: AuditData) -> str:
    if data.split is None:
        return ""
    groups = dict(group_of_images(data.split.patches))
    leaks = find_leaks(data.clusters, groups, data.split.folds)
    if leaks.empty:
        return ""
    one = leaks.iloc[0]
    return (
        f"Copies lie on both sides of split {data.split.name}: {one['image_a']} ({one['part_a']})"
        f" and {one['image_b']} ({one['part_b']})."
    )
