"""Whether a split keeps its promises, for tests of splits."""

import pandas as pd

from livewell.errors import SplitError
from livewell.splitting.groups import group_counts
from livewell.splitting.schemes import PARTS

_SHOWN = 10


def check(patches: pd.DataFrame, folds: pd.DataFrame, *, tested_once: bool = False) -> None:
    """Check that a split keeps its promises.

    Each group plays exactly one part in each fold; every part is one of `PARTS` or ``unused``;
    train and validation of each fold hold every class, and test at least one patch.

    Parameters
    ----------
    patches, folds
        Patches and folds of the split.
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
