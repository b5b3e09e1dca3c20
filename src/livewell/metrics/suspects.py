"""Images whose label the net contradicts, for a person to look at."""

import numpy as np
import pandas as pd

from livewell.errors import Fault, SpecError, TableError
from livewell.metrics.outcomes import outcomes
from livewell.tables.schemas import BOX, KEY

SUSPECTS = ["rank", "direction", "image", "label", "p", "sure", "patches"]
SUSPECTS += ["fold", "group", "t", *BOX]
"""Columns of a table of suspects, see `suspects`."""
_NEEDED = {
    "image": "name of the image",
    "t": "frame of the image",
    **dict.fromkeys(BOX, "box of the patch, pixels"),
    "group": "what is never split",
    "label": "class",
    "fold": "fold whose model made the score",
    "p": "calibrated probability of the positive class",
}


def suspects(
    scores: pd.DataFrame,
    classes: tuple[str, str],
    *,
    most: int | None = None,
    least: float = 0.5,
) -> pd.DataFrame:
    """Images that a model which never saw them takes for the class that they are not labelled as.

    Only scores of test parts count, so that nothing is judged by a model that has learnt its label.
    An image's probability is the mean over all its patches (over all its frames and, where it was
    tested by several folds, over these). An image whose frames are labelled differently is listed
    once for each label; where labels stand on patches, so that one frame holds both classes,
    patches are judged one by one.

    Parameters
    ----------
    scores
        `schemas.SCORES`; without a column part all rows are of test parts.
    classes
        (negative, positive).
    most
        Longest list of each direction; all where ``None``.
    least
        Listed are images that get the other class with more than this probability, in [0, 1).

    Returns
    -------
    DataFrame
        Columns `SUSPECTS`, one row an image: first those labelled negative, then the others. rank
        counts from 1 in each direction, the surest first, equal ones by name. p is the probability
        of the positive class, sure that of the class which the image is not labelled as, patches
        how many were judged. fold, group, t and the box are those of the image's surest patch.

    Raises
    ------
    LabelError
        A label that is not one of `classes`.
    TableError
        Holding every fault: columns that are missing, probabilities outside [0, 1].
    SpecError
        `most` or `least` out of range.

    Notes
    -----
    Source: Sailem et al., section 4.2 and Figure 5b: images of the negative class were found to
    hold multinucleate cells. That the list rests on unseen groups alone is livewell's.
    """
    if (most is not None and most < 1) or not 0 <= least < 1:
        got = f"most={most}, least={least}"
        raise SpecError("no such list", expected="most >= 1, 0 <= least < 1", got=got)
    _refuse(scores)
    tested = scores[scores["part"] == "test"] if "part" in scores else scores
    table = outcomes(tested.reset_index(drop=True), classes)
    table["sure"] = np.where(table["y"] == 1, 1 - table["p"], table["p"])
    unit = [*KEY, "label"] if labels_on_patches(table) else ["image", "label"]
    units = table.groupby(unit, sort=False)
    means = units.agg(p=("p", "mean"), sure=("sure", "mean"), patches=("sure", "size"))
    # the order of the rows, which sums depend on, decides nothing
    means["sure"] = means["sure"].round(12)
    surest = table.loc[units["sure"].idxmax().to_numpy(int)].drop(columns=["p", "sure"])
    listed = surest.reset_index(drop=True).join(means.reset_index(drop=True))
    listed = listed[listed["sure"] > least]
    listed = listed.sort_values(
        ["y", "sure", *KEY], ascending=[True, False, *[True] * len(KEY)], kind="stable"
    )
    listed["rank"] = listed.groupby("y").cumcount() + 1
    listed["direction"] = [direction(classes, int(y)) for y in listed["y"]]
    if most is not None:
        listed = listed[listed["rank"] <= most]
    return listed[SUSPECTS].reset_index(drop=True)


def direction(classes: tuple[str, str], y: int) -> str:
    """What stands against what, for images labelled `y` (0 or 1)."""
    return f"labelled {classes[y]}, more likely {classes[1 - y]}"


def labels_on_patches(scores: pd.DataFrame) -> bool:
    """Whether some frame (columns image and t) holds patches of more than one label."""
    labels = scores[["image", "t", "label"]].drop_duplicates()
    return bool(labels.duplicated(["image", "t"]).any())


def _refuse(scores: pd.DataFrame) -> None:
    faults = [
        Fault("missing-column", name, doc) for name, doc in _NEEDED.items() if name not in scores
    ]
    if "p" in scores and not scores["p"].between(0, 1).all():
        faults.append(Fault("wrong-value", "p", "probabilities outside [0, 1], or empty"))
    if faults:
        raise TableError("not a table of scores", faults)
