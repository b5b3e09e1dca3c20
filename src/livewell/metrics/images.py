"""From scored patches to images: one row an image and frame."""

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import SplitError, TableError, missing_columns
from livewell.metrics.intervals import Estimate, cluster_interval
from livewell.metrics.multiclass import right_share
from livewell.tables.schemas import score_columns
from livewell.text import few


def by_image(scores: pd.DataFrame, classes: ClassNames) -> pd.DataFrame:
    """What the patches of every image say together.

    Parameters
    ----------
    scores
        At least the columns image, t, called and the logits of `classes`, one row a patch (the
        relevant columns of `schemas.SCORES`). Rows of different folds or parts, where these columns
        stand, are kept apart.

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
    """
    logits, chances = score_columns(classes, "logit"), score_columns(classes, "p")
    needed = dict.fromkeys(("image", "t", *logits, "called"), "needed to judge an image")
    if faults := missing_columns(scores, needed):
        raise TableError("not a table of scores", faults)
    key = [name for name in ("fold", "part", "image", "t") if name in scores]
    # of two classes the positive one stands for both
    called, true = (
        ({1: "sick_fraction"}, {1: "positive_share"})
        if classes.binary
        else ({c: f"{of}_{name}" for c, name in enumerate(classes)} for of in ("called", "true"))
    )
    values = {f"mean_{name}": scores[name] for name in logits}
    values |= {name: scores["called"] == code for code, name in called.items()}
    if set(chances) <= set(scores):
        values |= {f"mean_{name}": scores[name] for name in chances}
    if "label" in scores:
        codes = classes.codes(scores["label"])
        values |= {name: codes == code for code, name in true.items()}
    table = pd.DataFrame(values, index=scores.index).astype("float64")
    images = scores.groupby(key, sort=True)
    means = table.groupby([scores[name] for name in key], sort=True).mean()
    if "label" in scores:
        shares = means[list(true.values())].to_numpy()
        shares = np.column_stack([1 - shares, shares]) if classes.binary else shares
        means["y"] = len(classes) - 1 - shares[:, ::-1].argmax(axis=1)
    means.insert(0, "n_patches", images.size())
    if "group" in scores:
        _check_whole(images["group"].nunique())
        means.insert(0, "group", images["group"].first())
    return means.reset_index()


def verdict_figures(images: pd.DataFrame, classes: ClassNames, *, seed: int) -> dict[str, Estimate]:
    """How often verdicts on images of unseen groups are given, and right; groups are resampled.

    `images` has the columns group, y (number of the true class) and verdict; one that is none of
    the classes is none. ``pictures_decided`` is the share that got a verdict, ``pictures_right``
    the share of right ones among these.
    """
    decided = images["verdict"].isin(list(classes))
    given = images.assign(p=0.5, called=decided.astype(int), y=1)
    found = {"pictures_decided": cluster_interval(given, "accuracy", seed=seed)}
    if decided.any():
        some = images[decided]
        found["pictures_right"] = right_share(
            some["group"], some["y"], classes.codes(some["verdict"]), len(classes), seed=seed
        )
    return found


def _check_whole(groups: pd.Series) -> None:
    split = groups[groups > 1]
    if len(split):
        raise SplitError(
            f"{len(split)} images have patches in more than one group",
            expected="one group an image",
            got=few(split.index),
            remedy="group by image or by something coarser, such as well or experiment",
        )
