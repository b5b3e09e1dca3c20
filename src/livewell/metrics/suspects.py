"""Images whose label the net contradicts, for a person to look at."""

import numpy as np
import pandas as pd

from livewell.classes import ClassNames
from livewell.errors import Fault, SpecError, TableError, missing_columns
from livewell.metrics.outcomes import chances
from livewell.tables.schemas import BOX, KEY, score_columns

_NEEDED = {
    "image": "name of the image",
    "t": "frame of the image",
    **dict.fromkeys(BOX, "box of the patch, pixels"),
    "group": "what is never split",
    "label": "class",
    "fold": "fold whose model made the score",
}


def suspect_columns(classes: ClassNames) -> list[str]:
    """Columns of a table of suspects, see `suspects`."""
    first = ["rank", "direction", "image", "label", *score_columns(classes, "p"), "sure", "patches"]
    return [*first, "fold", "group", "t", *BOX]


def suspects(
    scores: pd.DataFrame, classes: ClassNames, *, most: int | None = None, least: float = 0.5
) -> pd.DataFrame:
    """Images that a model which never saw them takes for the class that they are not labelled as.

    Only scores of test parts count, so that nothing is judged by a model that has learnt its label.
    An image's probability is the mean over all its patches (over all its frames and, where it was
    tested by several folds, over these). An image whose frames are labelled differently is listed
    once for each label; where labels stand on patches, so that one frame holds several classes,
    patches are judged one by one.

    Source: Sailem et al., section 4.2 and Figure 5b: images of the negative class were found to
    hold multinucleate cells. That the list rests on unseen groups alone is livewell's.

    Parameters
    ----------
    scores
        `schemas.SCORES`; without a column part all rows are of test parts.
    most
        Longest list of each direction; all where ``None``.
    least
        Listed are images that get another class with more than this probability, in [0, 1).

    Returns
    -------
    DataFrame
        Columns `suspect_columns`, one row an image: first those labelled with the first class, then
        the others. rank counts from 1 in each direction, the surest first, equal ones by name. p is
        the probability of the positive class, of three or more classes ``p_<class>`` that of each,
        sure that of the most probable class which the image is not labelled as, patches how many
        were judged. fold, group, t and the box are those of the image's surest patch.
    """
    if (most is not None and most < 1) or not 0 <= least < 1:
        got = f"most={most}, least={least}"
        raise SpecError("no such list", expected="most >= 1, 0 <= least < 1", got=got)
    columns = score_columns(classes, "p")
    _refuse(scores, columns)
    tested = scores[scores["part"] == "test"] if "part" in scores else scores
    table = tested.reset_index(drop=True)
    codes = classes.codes(table["label"])
    every = chances(table, classes)
    unit = [*KEY, "label"] if labels_on_patches(table) else ["image", "label"]
    number = table.groupby(unit, sort=False).ngroup().to_numpy()
    # the order of the rows, which sums depend on, decides nothing
    means = pd.DataFrame(every).groupby(number).mean().round(12).to_numpy(copy=True)
    own = pd.Series(codes).groupby(number).first().to_numpy()
    means[np.arange(len(own)), own] = -1.0
    other = means.argmax(axis=1)
    sure = pd.Series(every[np.arange(len(table)), other[number]])
    units = pd.concat([table[columns], sure.rename("sure")], axis=1).groupby(number)
    found = units[columns].mean().assign(sure=means.max(axis=1), patches=units.size())
    surest = table.loc[units["sure"].idxmax().to_numpy(int)].drop(columns=columns)
    listed = surest.reset_index(drop=True).join(found.reset_index(drop=True))
    listed = listed.assign(own=own, other=other)[listed["sure"] > least]
    listed = listed.sort_values(
        ["own", "other", "sure", *KEY],
        ascending=[True, True, False, *[True] * len(KEY)],
        kind="stable",
    )
    listed["rank"] = listed.groupby(["own", "other"]).cumcount() + 1
    pairs = zip(listed["own"], listed["other"], strict=True)
    listed["direction"] = [direction(classes, int(a), int(b)) for a, b in pairs]
    if most is not None:
        listed = listed[listed["rank"] <= most]
    return listed[suspect_columns(classes)].reset_index(drop=True)


def direction(classes: ClassNames, label: int, other: int) -> str:
    """What stands against what, for images of one class (by number) that look like another."""
    return f"labelled {classes[label]}, more likely {classes[other]}"


def labels_on_patches(scores: pd.DataFrame) -> bool:
    """Whether some frame (columns image and t) holds patches of more than one label."""
    labels = scores[["image", "t", "label"]].drop_duplicates()
    return bool(labels.duplicated(["image", "t"]).any())


def _refuse(scores: pd.DataFrame, columns: list[str]) -> None:
    needed = _NEEDED | dict.fromkeys(columns, "calibrated probability of the class")
    faults = missing_columns(scores, needed) + [
        Fault("wrong-value", name, "probabilities outside [0, 1], or empty")
        for name in columns
        if name in scores and not scores[name].between(0, 1).all()
    ]
    if faults:
        raise TableError("not a table of scores", faults)
