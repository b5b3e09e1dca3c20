"""From scored patches to pictures: one row an image and frame."""

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import Fault, SplitError, TableError
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.multiclass import right_share
from livewell.tables.schemas import score_columns

_SHOWN = 5


def by_picture(scores: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """What the patches of every picture say together.

    Parameters
    ----------
    scores
        At least the columns image, t, called and the logits of `classes`, one row a patch (the
        relevant columns of `schemas.SCORES`). Rows of different folds or parts, where these columns
        stand, are kept apart.
    classes
        Classes of the model.

    Returns
    -------
    DataFrame
        fold, part (where given), image, t, group (where given), n_patches, and of two classes
        mean_logit (mean of the uncalibrated log odds), sick_fraction (share of patches called
        positive), mean_p (where given), and where the truth is known (a column label)
        positive_share (share of positive patches) and y (1 where at least half are positive). Of
        three or more classes ``mean_logit_<class>``, ``called_<class>`` (share of patches called
        it), ``mean_p_<class>``, ``true_<class>`` (share of patches of it) and y (number of the
        class of most patches, of equally many the last).

    Raises
    ------
    TableError
        Columns are missing.
    SplitError
        The patches of one picture stand in more than one group.
    LabelError
        A label that is not one of `classes`.
    """
    logits, chances = score_columns(classes, "logit"), score_columns(classes, "p")
    absent = [name for name in ("image", "t", *logits, "called") if name not in scores]
    if absent:
        raise TableError(
            "not a table of scores",
            [Fault("missing-column", name, "needed to judge a picture") for name in absent],
        )
    key = [name for name in ("fold", "part", "image", "t") if name in scores]
    # of two classes the positive one stands for both
    shown = [1] if classes.binary else list(range(len(classes)))
    names = dict.fromkeys(shown, "") if classes.binary else {c: f"_{classes[c]}" for c in shown}
    fraction, share = ("sick_fraction", "positive_share") if classes.binary else ("called", "true")
    values = {f"mean_{name}": scores[name] for name in logits}
    values |= {f"{fraction}{names[c]}": scores["called"] == c for c in shown}
    if set(chances) <= set(scores):
        values |= {f"mean_{name}": scores[name] for name in chances}
    if "label" in scores:
        codes = classes.codes(scores["label"])
        values |= {f"{share}{names[c]}": codes == c for c in shown}
    table = pd.DataFrame(values, index=scores.index).astype("float64")
    pictures = scores.groupby(key, sort=True)
    means = table.groupby([scores[name] for name in key], sort=True).mean()
    if "label" in scores:
        true = means[[f"{share}{names[c]}" for c in shown]].to_numpy()
        true = np.column_stack([1 - true, true]) if classes.binary else true
        means["y"] = len(classes) - 1 - true[:, ::-1].argmax(axis=1)
    means.insert(0, "n_patches", pictures.size())
    if "group" in scores:
        _check_whole(pictures["group"].nunique())
        means.insert(0, "group", pictures["group"].first())
    return means.reset_index()


def verdict_figures(
    pictures: pd.DataFrame, classes: ClassNames, *, seed: int
) -> dict[str, Estimate]:
    """How often verdicts on pictures of unseen groups are given, and right.

    Parameters
    ----------
    pictures
        Columns group, y (number of the true class) and verdict, one row a picture.
    classes
        Any verdict that is none of them is none.
    seed
        Of the resampling.

    Returns
    -------
    dict
        ``pictures_decided``, the share that got a verdict, and ``pictures_right``, the share of
        right ones among these; intervals resample groups.
    """
    decided = pictures["verdict"].isin(list(classes))
    given = pictures.assign(p=0.5, called=decided.astype(int), y=1)
    found = {"pictures_decided": cluster_interval(given, "accuracy", seed=seed)}
    if decided.any():
        some = pictures[decided]
        found["pictures_right"] = right_share(
            some["group"], some["y"], classes.codes(some["verdict"]), len(classes), seed=seed
        )
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
