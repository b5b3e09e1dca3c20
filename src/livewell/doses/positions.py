"""Which files are of one position, and whether they say in which order they were taken."""

from collections.abc import Collection

import pandas as pd

from livewell.errors import Fault, TableError
from livewell.text import few

UNTIMED = (
    "several files of one position, and no time says in which order or when they were taken; index"
    " again with it as a part of the pattern ({t}, or {time_s:duration} for 00d60h00m) or as a"
    " column of the table (t0, time_s)"
)
"""What is wrong where files of a position say no time."""


def places(fields: pd.DataFrame) -> "pd.Series[str]":
    """Name of every image's position: files of one name follow one another in time.

    Plate, well and position where a position is given. Without one, files of a well that say when
    they begin (``t0`` or ``time_s``) are one movie, and every other file is a position of its own.
    `fields` is as `schemas.FIELDS`; names come in its order.
    """
    table = fields.reindex(columns=["image", "plate", "well", "position", "t0", "time_s"])
    timed = table["t0"].notna() | table["time_s"].notna()
    named = table["position"].notna() | (table["well"].notna() & timed)
    parts = table[["plate", "well", "position"]].astype(object)
    joined = [
        "/".join(str(part) for part in row if not pd.isna(part)) if known else str(image)
        for row, known, image in zip(parts.to_numpy(), named, table["image"], strict=True)
    ]
    return pd.Series(joined, index=fields.index, dtype="str")


def untimed_faults(fields: pd.DataFrame, single: Collection[str] = ()) -> list[Fault]:
    """A fault for every position with several files of which some do not say when they begin.

    Files of one picture count once. Where a position has no name, files of a well are its own, but
    `single`, those of one frame, may be times of one position and are taken for that.
    """
    names = ["image", "picture", "plate", "well", "position", "t0", "time_s"]
    table = fields.reindex(columns=names)
    table["picture"] = table["picture"].astype("str").fillna(table["image"].astype("str"))
    alone = table["image"].isin(list(single)) & table["well"].notna()
    table = table[table["position"].notna() | alone].drop_duplicates("picture")
    table["timed"] = table["t0"].notna() | table["time_s"].notna()
    place = ["plate", "well", "position"]
    rest = table[table.duplicated(place, keep=False)]
    return [
        Fault("no-time", few(files["image"], 3), UNTIMED)
        for _, files in rest.groupby(place, dropna=False, sort=False)
        if not files["timed"].all()
    ]


def refuse_untimed(fields: pd.DataFrame, where: str) -> None:
    """Refuse positions with several files without a time, for what goes by time."""
    if faults := untimed_faults(fields):
        raise TableError("positions without times", faults, where=where)
