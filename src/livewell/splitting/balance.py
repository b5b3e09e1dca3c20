"""What a split holds, and whether it keeps its promises."""

import pandas as pd

from livewell.splitting.groups import group_counts
from livewell.tables.schemas import PARTS

_SHOWN = 10


def balance(patches: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Groups and patches of every part and class, one row a fold and part.

    Columns fold, part, groups, patches, then for each class ``groups_<class>`` (groups that hold
    it) and ``patches_<class>``. `patches` are as in `livewell.splitting.groups.group_counts`.
    """
    counts = group_counts(patches)
    named = folds.assign(group=folds["group"].astype("str"))
    joined = named.join(counts, on="group").fillna(dict.fromkeys(counts.columns, 0))
    wide = joined[["fold", "part"]].assign(groups=1, patches=joined[counts.columns].sum(axis=1))
    for name in counts.columns:
        wide[f"groups_{name}"] = (joined[name] > 0).astype(int)
        wide[f"patches_{name}"] = joined[name]
    order = {part: place for place, part in enumerate(PARTS)}
    table = wide.groupby(["fold", "part"], as_index=False).sum()
    table = table.sort_values(
        ["fold", "part"], key=lambda c: c.map(order) if c.name == "part" else c
    )
    whole = [name for name in table.columns if name != "part"]
    return table.astype(dict.fromkeys(whole, "int64")).reset_index(drop=True)


def warnings(patches: pd.DataFrame, folds: pd.DataFrame, *, lacking: bool = False) -> list[str]:
    """What a careful user should know of a split that is otherwise in order.

    These are folds whose test part lacks a class, unless it is meant to be so (`lacking`), and
    classes that few groups of a part hold.
    """
    table = balance(patches, folds)
    classes = group_counts(patches).columns.tolist()
    undefined, rest = "the area under the ROC curve is", "threshold and calibration rest"
    if len(classes) > 2:
        undefined, rest = "figures of that class are", "calibration and figures of that class rest"
    tests = table[table["part"] == "test"]
    found: list[str] = []
    alone: dict[str, list[str]] = {}
    for name in classes:
        without = tests.loc[tests[f"patches_{name}"] == 0, "fold"].tolist()
        if without and not lacking:
            listed = ", ".join(map(str, without[:_SHOWN])) + (", ..." if without[_SHOWN:] else "")
            found.append(
                f"no {name!r} in the test part of {len(without)} of {len(tests)} folds ({listed}):"
                f" {undefined} not defined there"
            )
        few = table.loc[table["part"] == "validation", f"groups_{name}"]
        if (few == 1).any():
            alone.setdefault(f"{int((few == 1).sum())} of {len(few)}", []).append(repr(name))
    return found + [
        f"in {folds} folds the validation part has one group{' each' * (len(names) > 1)} of"
        f" {', '.join(names)}: {rest} on that group alone"
        for folds, names in alone.items()
    ]
