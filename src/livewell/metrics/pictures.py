"""From scored patches to pictures: one row an image and frame."""

import pandas as pd

from livewell.errors import Fault, SplitError, TableError
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.outcomes import outcomes

_SHOWN = 5


def by_picture(scores: pd.DataFrame, classes: tuple[str, str] | None = None) -> pd.DataFrame:
    """What the patches of every picture say together.

    Parameters
    ----------
    scores
        At least the columns image, t, logit and called, one row a patch (the relevant columns of
        `schemas.SCORES`). Rows of different folds or parts, where these columns stand, are
        kept apart.
    classes
        (negative, positive); needed to make y where there is a column label and no column y.

    Returns
    -------
    DataFrame
        fold, part (where given), image, t, group (where given), n_patches, mean_logit (mean of the
        uncalibrated log odds), mean_p (where given), sick_fraction (share of patches called
        positive), and where the truth is known positive_share (share of positive patches) and y
        (1 where at least half are positive).

    Raises
    ------
    TableError
        Columns are missing.
    SplitError
        The patches of one picture stand in more than one group.
    LabelError
        A label that is not one of `classes`.
    """
    absent = [name for name in ("image", "t", "logit", "called") if name not in scores]
    if absent:
        raise TableError(
            "not a table of scores",
            [Fault("missing-column", name, "needed to judge a picture") for name in absent],
        )
    table = outcomes(scores, classes) if classes and "y" not in scores else scores
    key = [name for name in ("fold", "part", "image", "t") if name in table]
    pictures = table.groupby(key, sort=True)
    found = {
        "n_patches": pictures.size(),
        "mean_logit": pictures["logit"].mean(),
        "sick_fraction": pictures["called"].mean(),
    }
    if "group" in table:
        _check_whole(pictures["group"].nunique())
        found = {"group": pictures["group"].first()} | found
    if "p" in table:
        found["mean_p"] = pictures["p"].mean()
    if "y" in table:
        found["positive_share"] = pictures["y"].mean()
        found["y"] = (found["positive_share"] >= 0.5).astype("int64")
    kinds = dict.fromkeys(("mean_logit", "sick_fraction", "mean_p", "positive_share"), "float64")
    table = pd.DataFrame(found)
    return table.astype({k: v for k, v in kinds.items() if k in table}).reset_index()


def verdict_figures(
    pictures: pd.DataFrame, classes: tuple[str, str], *, seed: int
) -> dict[str, Estimate]:
    """How often verdicts on pictures of unseen groups are given, and right.

    Parameters
    ----------
    pictures
        Columns group, y (0/1) and verdict, one row a picture.
    classes
        (negative, positive); any other verdict is none.
    seed
        Of the resampling.

    Returns
    -------
    dict
        ``pictures_decided``, the share that got a verdict, and ``pictures_right``, the share of
        right ones among these; intervals resample groups.
    """
    decided = pictures["verdict"].isin(classes)
    given = pictures.assign(p=0.5, called=decided.astype(int), y=1)
    found = {"pictures_decided": cluster_interval(given, "accuracy", seed=seed)}
    if decided.any():
        table = pictures[decided].assign(p=0.5)
        table["called"] = (table["verdict"] == classes[1]).astype(int)
        found["pictures_right"] = cluster_interval(table, "accuracy", seed=seed)
    return found


def _check_whole(groups: pd.Series) -> None:
    split = groups[groups > 1]
    if len(split):
        names = [str(key) for key in split.index[:_SHOWN]]
        raise SplitError(
            f"{len(split)} pictures have patches in more than one group",
            expected="one group a picture",
            got=", ".join(names) + (", ..." if len(split) > _SHOWN else ""),
            remedy="group by picture or by something coarser, such as well or experiment",
        )
