"""What a column means as a unit: wells of a plate, positions of a well, pictures."""

import pandas as pd

from livewell.errors import LeakError, SplitError
from livewell.names import picture_of
from livewell.text import few

UNITS = {
    "well": ("plate", "well"),
    "position": ("plate", "well", "position"),
}
"""Units whose name needs the plate's, and the well's, where there are any."""
NESTED = ("well", "position", "picture")
"""Units within which images are near copies of one another, from coarse to fine."""


def unit_names(fields: pd.DataFrame, by: str) -> "pd.Series[str]":
    """Name of the unit of every image, such as ``P1/B02``; missing where column `by` is empty."""
    if by not in fields:
        raise SplitError(
            "no such group",
            where=by,
            expected=f"a column of the fields table: {', '.join(fields.columns)}",
            remedy="index with a pattern or a CSV that says it; single patches are never assigned",
        )
    parts = [name for name in UNITS.get(by, (by,)) if name in fields and fields[name].notna().any()]
    names = fields[parts].astype("str").fillna("").agg("/".join, axis=1).mask(fields[by].isna())
    return names.set_axis(fields["image"])


def given_to(fields: pd.DataFrame, by: str) -> "pd.Series[str]":
    """What a label was given to, by image: its unit, or its picture where that has no name."""
    pictures = pd.Series(fields["picture"].to_numpy(), index=fields["image"])
    return unit_names(fields, by).fillna(pictures)


def straddling(fields: pd.DataFrame, group: "pd.Series[str]") -> dict[str, list[str]]:
    """Units that stand in more than one group, so that a split by group tears them.

    `group` holds the group by image, of the images that have one; the answer, names of torn units
    by a column of `NESTED`, only columns that have any.
    """
    known = fields[fields["image"].isin(group.index)]
    if "picture" in fields and (fields["picture"] == fields["image"]).all():
        # tables of older versions do not know tiles by their names
        known = known.assign(picture=known["image"].astype("str").map(picture_of))
    torn = {}
    for column in NESTED:
        if column not in known:
            continue
        names = unit_names(known, column)
        groups = group.reindex(names.index).groupby(names.to_numpy()).nunique()
        if (groups > 1).any():
            torn[column] = sorted(groups.index[groups > 1])
    return torn


def refuse_torn(fields: pd.DataFrame, group: "pd.Series[str]", by: str) -> dict[str, list[str]]:
    """Refuse groups by column `by` that tear pictures; other torn units as `straddling`."""
    torn = straddling(fields, group)
    if "picture" in torn:
        raise LeakError(
            f"{by} tears pictures: tiles of one picture stand in several groups",
            expected="a picture in one group",
            got=few(torn["picture"], 3),
            remedy="split by picture or by something coarser",
        )
    return torn


def warnings(fields: pd.DataFrame, group: "pd.Series[str]", by: str) -> list[str]:
    """What a careful user should know of units that groups by column `by` tear."""
    torn = refuse_torn(fields, group, by)
    fine = NESTED.index(by) if by in NESTED else len(NESTED)
    return [
        f"{len(names)} {unit}s stand in several groups, such as {names[0]}: a net that knows the"
        f" {unit} may pass for one that knows health; split by {unit} if there are enough"
        for unit, names in torn.items()
        if NESTED.index(unit) < fine
    ]
