"""What a split holds, and whether it keeps its promises."""

import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.groups import group_counts
from livewell.splitting.schemes import PARTS

_SHOWN = 10


def balance(patches: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Groups and patches of every part and class.

    Parameters
    ----------
    patches
        At least the columns group and label.
    folds
        `schemas.FOLDS`.

    Returns
    -------
    DataFrame
        One row a fold and part: fold, part, groups, patches, then for each class ``groups_<class>``
        (groups that hold it) and ``patches_<class>``.

    Raises
    ------
    SplitError
        As in `livewell.splitting.groups.group_counts`.
    """
    counts = group_counts(patches)
    named = folds.assign(group=folds["group"].astype("str"))
    joined = named.join(counts, on="group").fillna(dict.fromkeys(counts.columns, 0))
    wide = joined[["fold", "part"]].assign(groups=1, patches=joined[counts.columns].sum(axis=1))
    for name in counts.columns:
        wide[f"groups_{name}"] = (joined[name] > 0).astype(int)
        wide[f"patches_{name}"] = joined[name]
    order = {part: place for place, part in enumerate((*PARTS, "unused"))}
    table = wide.groupby(["fold", "part"], as_index=False).sum()
    table = table.sort_values(
        ["fold", "part"], key=lambda c: c.map(order) if c.name == "part" else c
    )
    whole = [name for name in table.columns if name != "part"]
    return table.astype(dict.fromkeys(whole, "int64")).reset_index(drop=True)


def check(patches: pd.DataFrame, folds: pd.DataFrame, *, tested_once: bool = False) -> None:
    """Check that a split keeps its promises.

    Each group plays exactly one part in each fold; every part is one of `PARTS` or ``unused``;
    train and validation of each fold hold every class, and test at least one patch.

    Parameters
    ----------
    patches, folds
        As in `balance`.
    tested_once
        Also each group is tested in exactly one fold (k folds, leave-one-group-out).

    Raises
    ------
    SplitError
        Naming every broken promise.
    """
    counts = group_counts(patches)
    folds = folds.assign(group=folds["group"].astype("str"))
    found = [f"no such part: {part}" for part in sorted(set(folds["part"]) - {*PARTS, "unused"})]
    stray = sorted(set(folds["group"]) - set(counts.index))
    found += [f"group {group} has no patch" for group in stray]
    for fold, rows in folds.groupby("fold"):
        times = rows["group"].value_counts().reindex(counts.index, fill_value=0)
        found += [f"fold {fold}: group {g} plays {n} parts" for g, n in times[times != 1].items()]
        for part in PARTS:
            members = [
                group for group in rows.loc[rows["part"] == part, "group"] if group in counts.index
            ]
            held = counts.loc[members].sum()
            if part == "test" and held.sum() == 0:
                found.append(f"fold {fold}: test is empty")
            elif part != "test":
                found += [f"fold {fold}: {part} has no {name}" for name in held.index[held == 0]]
    if tested_once:
        tests = folds.loc[folds["part"] == "test", "group"].value_counts()
        tests = tests.reindex(counts.index, fill_value=0)
        found += [f"group {g} is tested {n} times" for g, n in tests[tests != 1].items()]
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise SplitError(
            "the split breaks its promises",
            expected="every group in exactly one part of each fold"
            + (", tested in exactly one" if tested_once else ""),
            got="; ".join(found[:_SHOWN]) + more,
            remedy="make the split anew from the patches it is used with",
        )


def warnings(patches: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """What a careful user should know of a split that is otherwise in order.

    Parameters
    ----------
    patches, folds
        As in `balance`.

    Returns
    -------
    list of str
        Folds whose test part holds one class only; classes that few groups of a part hold.
    """
    table = balance(patches, folds)
    classes = group_counts(patches).columns.tolist()
    undefined, rest = "the area under the ROC curve is", "threshold and calibration rest"
    if len(classes) > 2:
        undefined, rest = "figures of that class are", "calibration and figures of that class rest"
    tests = table[table["part"] == "test"]
    found = []
    for name in classes:
        lacking = tests.loc[tests[f"patches_{name}"] == 0, "fold"].tolist()
        if lacking:
            listed = ", ".join(map(str, lacking[:_SHOWN])) + (", ..." if lacking[_SHOWN:] else "")
            found.append(
                f"no {name!r} in the test part of {len(lacking)} of {len(tests)} folds ({listed}):"
                f" {undefined} not defined there"
            )
        few = table.loc[table["part"] == "validation", f"groups_{name}"]
        if (few == 1).any():
            found.append(
                f"in {int((few == 1).sum())} of {len(few)} folds the validation part has one group"
                f" of {name!r}: {rest} on that group alone"
            )
    return found
