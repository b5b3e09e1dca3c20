"""Groups: what is never split, and how many patches of each class every one of them holds."""

import pandas as pd

from livewell.errors import SplitError


def group_counts(patches: pd.DataFrame) -> pd.DataFrame:
    """Patches by group and class.

    Parameters
    ----------
    patches
        At least the columns group and label (`schemas.PATCHES`).

    Returns
    -------
    DataFrame
        One row a group (index, text, sorted), one column a class (text, sorted), whole numbers.

    Raises
    ------
    SplitError
        A column is missing, a group or label is empty, or there is only one class.
    """
    absent = [name for name in ("group", "label") if name not in patches]
    if absent:
        raise SplitError(
            f"the patches have no column {' and '.join(absent)}",
            expected="columns group and label",
            got=", ".join(map(str, patches.columns)),
            remedy="name the column that says which patches belong together,"
            " such as well, position or experiment",
        )
    empty = [
        f"{int(blank.sum())} of {len(patches)} patches have no {name}"
        for name in ("group", "label")
        if (blank := patches[name].isna() | (patches[name].astype("str").str.strip() == "")).any()
    ]
    if empty or patches.empty:
        raise SplitError(
            " and ".join(empty) or "no patches to split",
            expected="a group and a label in every row",
            remedy="fill the column, or leave those patches out",
        )
    table = pd.crosstab(patches["group"].astype("str"), patches["label"].astype("str"))
    if table.shape[1] < 2:
        raise SplitError(
            f"every patch is {table.columns[0]!r}; one class cannot be told from another",
            expected="patches of two classes or more",
            remedy="check the labels, or label patches of another class too",
        )
    return table
