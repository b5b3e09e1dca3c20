"""What a column means as a unit: wells of a plate, positions of a well, pictures."""

import pandas as pd

from livewell.errors import SplitError

UNITS = {
    "well": ("plate", "well"),
    "position": ("plate", "well", "position"),
}
"""Units whose name needs the plate's, and the well's, where there are any."""
NESTED = ("well", "position", "picture")
"""Units within which pictures are near copies of one another, from coarse to fine."""


def unit_names(fields: pd.DataFrame, by: str) -> "pd.Series[str]":
    """Name of the unit of every image, such as ``P1/B02``.

    Parameters
    ----------
    fields
        As `schemas.FIELDS`.
    by
        A column of it.

    Returns
    -------
    Series
        By image; missing where the column is empty.

    Raises
    ------
    SplitError
        No such column.
    """
    if by not in fields:
        raise SplitError(
            "no such group",
            where=by,
            expected=f"a column of the fields table: {', '.join(fields.columns)}",
            remedy="index with a pattern or a CSV that says it; single patches are never dealt",
        )
    parts = [name for name in UNITS.get(by, (by,)) if name in fields and fields[name].notna().any()]
    names = fields[parts].astype("str").fillna("").agg("/".join, axis=1).mask(fields[by].isna())
    return names.set_axis(fields["image"])


def straddling(fields: pd.DataFrame, group: "pd.Series[str]") -> dict[str, list[str]]:
    """Units that stand in more than one group, so that a split by group tears them.

    Parameters
    ----------
    fields
        As `schemas.FIELDS`.
    group
        Name of the group by image, of the images that are dealt.

    Returns
    -------
    dict
        From a column of `NESTED` to the names of its torn units; only columns that have any.
    """
    known = fields[fields["image"].isin(group.index)]
    torn = {}
    for column in NESTED:
        if column not in known:
            continue
        names = unit_names(known, column)
        groups = group.reindex(names.index).groupby(names.to_numpy()).nunique()
        if (groups > 1).any():
            torn[column] = sorted(groups.index[groups > 1])
    return torn
