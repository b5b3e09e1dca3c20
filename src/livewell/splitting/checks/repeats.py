"""Images that stand in the study several times."""

import pandas as pd

from livewell.splitting.audit import Check
from livewell.splitting.checks.data import COPY, AuditData
from livewell.splitting.groups import group_of_images
from livewell.splitting.leaks import find_leaks

NAME = "repeats"
QUESTION = "Does the same image, or a part of it, stand in the study several times?"


def repeats(data: AuditData) -> Check:
    """Images that show the same, whole, turned, mirrored or as tiles of one another.

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
            passes=f"No image shows what another shows ({len(data.fields)} compared).",
            remedy=remedy,
            table=table,
        )
    kinds = table.groupby("cluster")["label"].nunique()
    torn = table[table["cluster"].isin(kinds.index[kinds > 1])]
    sides = _sides(data)
    said = [_said(data, table)]
    if len(torn) and not data.mixed:
        said.append(
            f"{len(set(torn['cluster']))} of them stand there with several labels, such as"
            f" {_pair(torn)}."
        )
    if sides:
        said.append(sides)
    return Check(
        NAME,
        QUESTION,
        found="fails" if len(said) > 1 else "attention",
        fails=" ".join(said),
        remedy=remedy,
        table=table,
    )


def _said(data: AuditData, table: pd.DataFrame) -> str:
    copies = data.fields[data.fields[COPY].notna()]
    tiles = int((data.clusters["part"] != "whole").groupby(data.clusters["cluster"]).any().sum())
    first = table.groupby("cluster")["image"].apply(list).iloc[0]
    kind = " as tiles of another" if tiles and tiles == table["cluster"].nunique() else ""
    return (
        f"{len(copies)} of {len(data.fields)} images repeat another{kind}, such as"
        f" {' and '.join(first[:2])}: they count once here."
    )


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
        f"In split {data.split.name} they lie on both sides: {one['image_a']} ({one['part_a']}) and"
        f" {one['image_b']} ({one['part_b']})."
    )
